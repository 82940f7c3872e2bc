// Package hosttest tests sandboxes that run real containers. It needs root.
package hosttest

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
	"neargate/node/sandbox/internal/leftover"
	"neargate/node/sandbox/sandboxtest"
	"neargate/node/sandbox/shim"
	"neargate/shim/api"
)

// Runtime is a sandbox under test.
type Runtime struct {
	New    func(shim.Config) *shim.Sandbox
	Gvisor bool // a kernel of its own
	Warm   bool // every task gets a sandbox that was ready
}

// Host is where a test's tasks run.
type Host struct {
	*shim.Sandbox
	Config shim.Config
	Root   string // a root file system with the guest as /guest and /bin/true
	t      testing.TB
	rt     Runtime
	stop   func() // ends what keeps sandboxes ready
}

// NewHost makes a place for tasks that is checked
// and removed at the end of the test.
func NewHost(t testing.TB, rt Runtime) *Host {
	t.Helper()
	if testing.Short() {
		t.Skip("builds gVisor and starts sandboxes")
	}
	if os.Getuid() != 0 {
		t.Skip("sandboxes need root")
	}
	bin := os.Getenv(binEnv)
	dir, err := os.MkdirTemp("", "ng") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &Host{t: t, rt: rt, stop: func() {}, Root: filepath.Join(dir, "root"), Config: shim.Config{
		Dir: filepath.Join(dir, "tasks"), Cgroup: "/" + filepath.Base(dir),
		Bin: filepath.Join(bin, "neargate-runsc"), RuncBin: filepath.Join(bin, "runc"), InitBin: filepath.Join(bin, "neargate-init"),
	}}
	if !rt.Gvisor {
		h.Config.Bin = filepath.Join(bin, "neargate-shim")
	}
	h.image(filepath.Join(bin, "guest"))
	if rt.Warm {
		h.Config.Warm, h.Config.WarmDisk = 2, 1<<10
	}
	h.Sandbox = rt.New(h.Config)
	t.Cleanup(h.finish)
	if rt.Warm {
		h.keep()
	}
	return h
}

// keep keeps sandboxes ready until the test ends.
func (h *Host) keep() {
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { h.Run(ctx, slog.New(slog.NewTextHandler(h.t.Output(), nil))) })
	h.stop = func() {
		cancel()
		run.Wait()
	}
}

// Open opens a task, in a sandbox that was ready where the runtime under test has
// them: it waits for one.
func (h *Host) Open(ctx context.Context, s sandbox.Spec) error {
	if !h.rt.Warm {
		return h.Sandbox.Open(ctx, s)
	}
	if _, err := os.Stat(filepath.Join(h.Config.Dir, s.Task)); err != nil {
		h.Reserved(ctx, s.Task)
	}
	err := h.Sandbox.Open(ctx, s)
	if to, _ := os.Readlink(filepath.Join(h.Config.Dir, s.Task)); err == nil && to == "" {
		h.t.Errorf("%s got another sandbox than the one that was ready", s.Task)
	}
	return err
}

// Reserved waits until a ready sandbox is reserved for a task, and returns the path
// of its network namespace.
func (h *Host) Reserved(ctx context.Context, task string) string {
	h.t.Helper()
	for deadline := time.Now().Add(patience); h.Ready() == 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatal("no sandbox gets ready")
		}
	}
	namespace, ok, err := h.Reserve(ctx, sandbox.Spec{Task: task})
	h.ok(err)
	if !ok {
		h.t.Errorf("nothing was reserved for %s", task)
	}
	return namespace
}

// binEnv holds where the binaries are.
const binEnv = "NEARGATE_TEST_BIN"

// build builds the binaries into a cache that later runs share.
func build() error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "neargate").Output()
	if err != nil {
		return err
	}
	checkout := crc32.ChecksumIEEE(root) // each has its own
	bin := filepath.Join(cache, "neargate", fmt.Sprintf("test-bin-%08x", checkout))
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	lock, err := os.Create(filepath.Join(bin, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	for _, b := range []struct{ out, dir, pkg, cgo string }{
		{"neargate-runsc", "shim", ".", "0"},
		{"runsc", "shim", "./raw", "0"},
		{"neargate-init", "shim", "./init", "0"},
		{"neargate-shim", "shim", "./plain", "0"},
		{"runc", "shim/runc", "github.com/opencontainers/runc", "1"},
		{"guest", "node/sandbox/internal/hosttest/guest", ".", "0"},
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(bin, b.out), b.pkg)
		cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), b.dir)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+b.cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", b.out, err, out)
		}
	}
	return os.Setenv(binEnv, bin)
}

// image makes the root file system.
func (h *Host) image(guest string) {
	h.t.Helper()
	b, err := os.ReadFile(guest)
	h.ok(err)
	for _, d := range []string{"bin", "data", "tmp", "proc", "dev", "sys"} {
		h.ok(os.MkdirAll(filepath.Join(h.Root, d), 0o755))
	}
	h.ok(os.Chmod(filepath.Join(h.Root, "tmp"), 0o777))
	h.ok(os.WriteFile(filepath.Join(h.Root, "guest"), b, 0o755))
	h.ok(os.Symlink("/guest", filepath.Join(h.Root, "bin", "true")))
	h.ok(os.WriteFile(filepath.Join(h.Root, "data", "greeting"), []byte("from the image"), 0o640))
}

// Container is a container that runs the guest.
func (h *Host) Container(name string, args ...string) sandbox.Container {
	return sandbox.Container{Name: name, Layers: []string{h.Root}, Args: append([]string{"/guest"}, args...), Log: api.Log{Mode: api.Blocking}}
}

// Kit is the host for sandboxtest.
func (h *Host) Kit() sandboxtest.Kit {
	return sandboxtest.Kit{
		Sandbox: h,
		Polite:  func(name string) sandbox.Container { return h.Container(name, "polite") },
		Deaf:    func(name string) sandbox.Container { return h.Container(name, "deaf") },
		Exits: func(name string, code int32) sandbox.Container {
			return h.Container(name, "exit", strconv.Itoa(int(code)))
		},
		Reads: func(name string) sandbox.Container { return h.Container(name, "reads") },
		Broken: func(name string) sandbox.Container {
			return sandbox.Container{Name: name, Layers: []string{h.Root}, Args: []string{"/absent"}}
		},
		Ready: func(task, name string) { h.Until(task, name, "ready") },
	}
}

// finish closes every task and checks that nothing is left of any.
func (h *Host) finish() {
	ctx, cancel := contextFor(patience) // the test's own is over
	defer cancel()
	h.stop()
	all, err := h.List(ctx)
	if err != nil {
		h.t.Error("list:", err)
	}
	for _, s := range all {
		if err := h.Close(ctx, s.Task); err != nil {
			h.t.Error("close:", err)
		}
	}
	if left := leftover.Of(h.Config.Dir, h.Config.Cgroup); len(left) > 0 {
		h.t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	if err := h.Retire(ctx); err != nil {
		h.t.Error("retire:", err)
	}
	for _, pattern := range []string{h.Config.Dir, "/sys/fs/cgroup/*" + h.Config.Cgroup, "/sys/fs/cgroup" + h.Config.Cgroup} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			h.t.Errorf("left behind by the last: %s", found)
		}
	}
}

// Output is what a container wrote to standard output and error.
func (h *Host) Output(task, name string) (out, err string) {
	for _, r := range h.records(task, name) {
		text := string(r.Bytes)
		if !r.Partial {
			text += "\n"
		}
		if r.Error {
			err += text
		} else {
			out += text
		}
	}
	return out, err
}

// records are what a container wrote.
func (h *Host) records(task, name string) []api.Record {
	dir := h.LogDir(task, name)
	segments, _ := api.Segments(dir)
	var all []api.Record
	for _, n := range segments {
		segment, _ := os.ReadFile(api.SegmentFile(dir, n))
		for line := range bytes.Lines(segment) {
			r, ok := api.ParseRecord(line)
			if !ok {
				h.t.Errorf("log record %q", line)
			}
			all = append(all, r)
		}
	}
	return all
}

// Until waits until a container has written something, and returns all it wrote
// to standard output.
func (h *Host) Until(task, name, text string) string {
	h.t.Helper()
	var out, err string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if out, err = h.Output(task, name); strings.Contains(out, text) {
			return out
		}
	}
	h.t.Fatalf("%s of %s did not say %q but %q, %q", name, task, text, out, err)
	return ""
}

func (h *Host) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}
