package hosttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
	"neargate/node/sandbox/internal/hosttest/view"
	"neargate/node/sandbox/sandboxtest"
	"neargate/shim/api"
)

// patience bounds every wait of a test.
const patience = 30 * time.Second

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// Run runs every test.
func Run(t *testing.T, rt Runtime) {
	t.Run("Conformance", func(t *testing.T) {
		sandboxtest.Run(t, func(t *testing.T) sandboxtest.Kit { return NewHost(t, rt).Kit() })
	})
	for _, c := range []struct {
		name string
		test func(*testing.T, *Host, Runtime)
	}{
		{"Output", output},
		{"Blocking", blocking},
		{"NonBlocking", nonBlocking},
		{"LogOfKilled", logOfKilled},
		{"Terminal", terminal},
		{"TerminalAgain", terminalAgain},
		{"TerminalOfKilled", terminalOfKilled},
		{"Process", process},
		{"Init", inits},
		{"Orphans", orphans},
		{"Ulimits", ulimits},
		{"Layers", layers},
		{"Localhost", localhost},
		{"Volume", volume},
		{"SharedPID", sharedPID},
		{"Memory", memory},
		{"ContainerMemory", containerMemory},
		{"ContainerMemoryThrottled", throttled},
		{"SharedMemory", sharedMemory},
		{"Stats", stats},
		{"Files", files},
		{"Again", again},
		{"SharedDisk", sharedDisk},
		{"Bomb", bomb},
		{"Signals", signals},
		{"Unhandled", unhandled},
		{"KillsAll", killsAll},
		{"Traces", traces},
		{"Sysctl", sysctl},
		{"ExecCodes", execCodes},
		{"Program", program},
		{"FullDisk", fullDisk},
		{"CPU", cpu},
		{"Processes", processes},
		{"Disk", disk},
		{"Burst", burst},
		{"ShimKilled", shimKilled},
		{"SandboxKilled", sandboxKilled},
		{"Gofers", gofers},
		{"Restart", restart},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, NewHost(t, rt), rt) })
	}
}

// run opens a task and starts containers in it.
func (h *Host) run(s sandbox.Spec, cs ...sandbox.Container) {
	h.t.Helper()
	ctx, cancel := contextFor(patience)
	defer cancel()
	if h.rt.Warm && len(cs) > 0 {
		h.Reserved(ctx, s.Task)
		_ = h.Prepare(ctx, s, cs[0]) // where it fails, so does the rest
	}
	h.ok(h.Open(ctx, s))
	h.start(s.Task, cs...)
}

func (h *Host) start(task string, cs ...sandbox.Container) {
	h.t.Helper()
	ctx, cancel := contextFor(patience)
	defer cancel()
	for _, c := range cs {
		h.ok(h.Create(ctx, task, c))
		h.ok(h.Start(ctx, task, c.Name))
	}
}

func (h *Host) wait(task, name string) sandbox.Exit {
	h.t.Helper()
	ctx, cancel := contextFor(patience)
	defer cancel()
	e, err := h.Wait(ctx, task, name)
	h.ok(err)
	return e
}

// exits checks how a container ends, and returns its standard output.
func (h *Host) exits(task, name string, code int32, oom bool) string {
	h.t.Helper()
	e := h.wait(task, name)
	out, err := h.Output(task, name)
	if e.Code != code || e.OOM != oom {
		h.t.Errorf("%s ended with %+v, want code %d, OOM %v; it said %.300q, %.300q", name, e, code, oom, out, err)
	}
	return out
}

func output(t *testing.T, h *Host, _ Runtime) {
	begin := time.Now()
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "say"))
	h.exits("t", "a", 0, false)
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("the end took %v", d)
	}
	out, err := h.Output("t", "a")
	if want := "to output\n" + strings.Repeat("x", 100_000) + "\nno line feed\n"; out != want || err != "to error output\n" {
		t.Errorf("output of %d bytes, error output %q", len(out), err)
	}
}

func process(t *testing.T, h *Host, rt Runtime) {
	c := h.Container("a", "facts")
	c.Env, c.Cwd = []string{"A=1"}, "/data"
	c.User = sandbox.User{UID: 1000, GID: 100, Additional: []uint32{7}}
	c.Ulimits = []sandbox.Ulimit{{Name: "RLIMIT_NOFILE", Soft: 1024, Hard: 4096}}
	root := h.Container("b", "facts")
	root.CapDrop, root.CapAdd, root.ReadonlyRoot = []string{"CAP_CHOWN"}, []string{"CAP_SYS_PTRACE"}, true
	root.Cwd = "/made/for/it"
	h.run(sandbox.Spec{Task: "t", Memory: 256, Hostname: "ip-10-0-0-1"}, c, root, h.Container("c", "facts"))
	fact := func(name string) (f view.Facts) {
		h.ok(json.Unmarshal([]byte(h.exits("t", name, 0, false)), &f))
		return f
	}
	a, b, plain := fact("a"), fact("b"), fact("c")
	if a.PID != 1 || a.UID != 1000 || a.GID != 100 || !slices.Contains(a.Groups, 7) || a.Cwd != "/data" || a.Hostname != "ip-10-0-0-1" || a.NoFile != 4096 {
		t.Errorf("a: %+v", a)
	}
	for _, want := range []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1"} {
		if !slices.Contains(a.Env, want) {
			t.Errorf("environment %q without %s", a.Env, want)
		}
	}
	if a.CapEff != "0000000000000000" || b.CapEff != "00000000a80c25fa" || plain.CapEff != "00000000a80425fb" {
		t.Errorf("capabilities %s, %s, %s", a.CapEff, b.CapEff, plain.CapEff)
	}
	if b.Cwd != root.Cwd {
		t.Errorf("b: %+v", b)
	}
	if b.RootWritable || !plain.RootWritable {
		t.Errorf("writable: %v, %v", b.RootWritable, plain.RootWritable)
	}
	if want := min(uint64(65535), hardNoFile()); plain.NoFile < want {
		t.Errorf("%d open files, want %d", plain.NoFile, want)
	}
	if rt.Gvisor && (a.MemTotal > 256<<10 || a.MemTotal < 200<<10) {
		t.Errorf("memory of %d KiB seen in a task of 256 MiB", a.MemTotal)
	}
	if _, err := os.Stat(filepath.Join(h.Root, "probe")); err == nil {
		t.Error("a container wrote to its image")
	}
}

func hardNoFile() uint64 {
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l.Max
}

func inits(t *testing.T, h *Host, _ Runtime) {
	c := h.Container("a", "polite")
	c.Init = true
	e := h.Container("b", "exit", "7")
	e.Init = true
	h.run(sandbox.Spec{Task: "t"}, c, e)
	h.exits("t", "b", 7, false)
	h.Until("t", "a", "ready")
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
	if found, _ := filepath.Glob(h.Root + "/sbin/*"); len(found) > 0 {
		t.Errorf("the image has %q now", found)
	}
}

// layers runs an image of as many layers as one can have, with long names.
func layers(t *testing.T, h *Host, _ Runtime) {
	const most = 127
	parent := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	c := h.Container("a", "read", "/layer")
	for i := range most - 1 {
		dir := filepath.Join(parent, strconv.Itoa(i))
		h.ok(os.MkdirAll(dir, 0o755))
		h.ok(os.WriteFile(filepath.Join(dir, "layer"), []byte(strconv.Itoa(i)), 0o644))
		h.ok(os.WriteFile(filepath.Join(dir, "of-"+strconv.Itoa(i)), []byte("below"), 0o644))
		c.Layers = slices.Insert(c.Layers, i, dir)
	}
	b := c
	b.Name, b.Args = "b", []string{"/guest", "read", "/of-" + strconv.Itoa(most-2)}
	h.run(sandbox.Spec{Task: "t"}, c, b)
	if out := h.exits("t", "a", 0, false); out != "0\n" {
		t.Errorf("the uppermost layer has %q", out)
	}
	if out := h.exits("t", "b", 0, false); out != "below\n" {
		t.Errorf("a layer below has %q", out)
	}
}

func localhost(t *testing.T, h *Host, _ Runtime) {
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "serve", "127.0.0.1:8080"), h.Container("b", "dial", "127.0.0.1:8080"))
	if out := h.exits("t", "b", 0, false); out != "hello\n" {
		t.Errorf("b heard %q", out)
	}
	h.start("t", h.Container("c", "write", "/tmp/x", "from c"), h.Container("d", "read", "/tmp/x"))
	h.exits("t", "c", 0, false)
	h.exits("t", "d", 1, false)
	h.run(sandbox.Spec{Task: "u"}, h.Container("b", "dial", "127.0.0.1:8080"))
	h.exits("u", "b", 1, false)
}

func volume(t *testing.T, h *Host, _ Runtime) {
	with := func(c sandbox.Container, m sandbox.Mount) sandbox.Container {
		c.Mounts = []sandbox.Mount{m}
		return c
	}
	host := t.TempDir()
	h.ok(os.WriteFile(filepath.Join(host, "f"), []byte("of the host"), 0o644))
	shared := sandbox.Mount{Volume: "v", Target: "/data", Copy: true}
	h.run(sandbox.Spec{Task: "t", Disk: 256}, with(h.Container("a", "read", "/data/greeting"), shared))
	if out := h.exits("t", "a", 0, false); out != "from the image\n" {
		t.Errorf("a read %q", out)
	}
	h.start("t", with(h.Container("b", "write", "/data/greeting", "from b"), shared))
	h.exits("t", "b", 0, false)
	shared.ReadOnly, shared.Target = true, "/else/where"
	h.start("t", with(h.Container("c", "read", "/else/where/greeting"), shared), with(h.Container("d", "write", "/else/where/x", ""), shared))
	if out := h.exits("t", "c", 0, false); out != "from b\n" {
		t.Errorf("c read %q", out)
	}
	h.exits("t", "d", 1, false)
	frozen := with(h.Container("f", "write", "/v/x", "of a frozen root"), sandbox.Mount{Volume: "w", Target: "/v"})
	frozen.ReadonlyRoot = true
	h.start("t", frozen)
	h.exits("t", "f", 0, false)
	h.start("t", with(h.Container("e", "read", "/mnt/f"), sandbox.Mount{Source: host, Target: "/mnt"}))
	if out := h.exits("t", "e", 0, false); out != "of the host\n" {
		t.Errorf("e read %q", out)
	}
	if _, err := os.Stat(filepath.Join(h.Root, "else")); err == nil {
		t.Error("a mount point was made in the image")
	}
}

func sharedPID(t *testing.T, h *Host, _ Runtime) {
	h.run(sandbox.Spec{Task: "t", SharePID: true}, h.Container("a", "polite"), h.Container("b", "facts"))
	var f view.Facts
	h.ok(json.Unmarshal([]byte(h.exits("t", "b", 0, false)), &f))
	if f.PID <= 1 {
		t.Errorf("b is process %d", f.PID)
	}
	h.Until("t", "a", "ready")
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
}

func memory(t *testing.T, h *Host, rt Runtime) {
	h.run(sandbox.Spec{Task: "n", Memory: 256}, h.Container("a", "polite"))
	h.run(sandbox.Spec{Task: "t", Memory: 128}, h.Container("b", "deaf"), h.Container("a", "alloc", "512"))
	h.exits("t", "a", 137, true)
	if rt.Gvisor { // with its kernel all of a task are gone
		h.exits("t", "b", 137, true)
	} else if _, err := h.Exec(t.Context(), "t", "b", []string{"true"}); err != nil {
		t.Error("the container beside it:", err)
	}
	h.run(sandbox.Spec{Task: "u", Memory: 256}, h.Container("a", "alloc", "100"))
	h.exits("u", "a", 0, false)
	if _, err := h.Exec(t.Context(), "n", "a", []string{"true"}); err != nil {
		t.Error("the neighbour:", err)
	}
}

func cpu(t *testing.T, h *Host, _ Runtime) {
	h.run(sandbox.Spec{Task: "t", CPU: 256}, h.Container("a", "spin"), h.Container("b", "spin"))
	used, begin := cpuTime(t, h.state("t").Cgroup), time.Now()
	time.Sleep(2 * time.Second) // the period that is measured
	used, took := cpuTime(t, h.state("t").Cgroup)-used, time.Since(begin)
	if share := used.Seconds() / took.Seconds(); share > 0.35 || share < 0.05 {
		t.Errorf("a quarter of a vCPU used %.2f of one", share)
	}
}

// cpuTime is what a cgroup has used.
func cpuTime(t *testing.T, group string) time.Duration {
	t.Helper()
	if b, err := os.ReadFile("/sys/fs/cgroup/cpuacct" + group + "/cpuacct.usage"); err == nil {
		n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		return time.Duration(n)
	}
	b, err := os.ReadFile("/sys/fs/cgroup" + group + "/cpu.stat")
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	return time.Duration(n) * time.Microsecond
}

func processes(t *testing.T, h *Host, _ Runtime) {
	h.run(sandbox.Spec{Task: "t", Processes: 64}, h.Container("a", "fork", "200"))
	out := h.Until("t", "a", "forked")
	n, err := strconv.Atoi(strings.Fields(out)[1])
	if err != nil || n < 3 || n > 64 {
		t.Errorf("%q with a limit of 64 threads", out)
	}
}

func disk(t *testing.T, h *Host, _ Runtime) {
	c := h.Container("b", "fill", "/v/x")
	c.Mounts = []sandbox.Mount{{Volume: "v", Target: "/v"}}
	h.run(sandbox.Spec{Task: "t", Disk: 64}, h.Container("a", "fill", "/tmp/x"), c)
	h.exits("t", "a", 0, false)
	h.exits("t", "b", 0, false)
}

// burst runs tasks of two containers all at once; half of them are closed while
// they run, and listed all the while.
func burst(t *testing.T, h *Host, _ Runtime) {
	ctx, cancel := contextFor(2 * patience)
	defer cancel()
	var all errgroup
	for i := range 8 {
		all.do(func() error {
			id := fmt.Sprintf("%032d", i)
			err := h.Open(ctx, sandbox.Spec{Task: id, CPU: 256, Memory: 128, Processes: 100})
			for _, c := range []sandbox.Container{h.Container("a", "deaf"), h.Container("b", "exit", "4")} {
				err = errors.Join(err, h.Create(ctx, id, c), h.Start(ctx, id, c.Name))
			}
			e, werr := h.Wait(ctx, id, "b")
			if err = errors.Join(err, werr); err == nil && e.Code != 4 {
				err = fmt.Errorf("exit %+v", e)
			}
			if i%2 == 0 {
				err = errors.Join(err, h.Close(ctx, id))
			}
			return err
		})
		all.do(func() error {
			_, err := h.List(ctx)
			return err
		})
	}
	h.ok(all.wait())
	if l, err := h.List(ctx); err != nil || len(l) != 4 {
		t.Errorf("listed %+v, %v", l, err)
	}
}

// errgroup runs functions at once and joins their errors.
type errgroup struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *errgroup) do(f func() error) {
	g.wg.Go(func() {
		err := f()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.errs = append(g.errs, err)
	})
}

func (g *errgroup) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}

func (h *Host) state(task string) (s api.State) {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.Config.Dir, task, api.StateFile))
	h.ok(err)
	h.ok(json.Unmarshal(b, &s))
	return s
}

func shimKilled(t *testing.T, h *Host, _ Runtime) {
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "deaf"), h.Container("b", "exit", "3"))
	h.exits("t", "b", 3, false)
	ended := make(chan sandbox.Exit, 1)
	go func() { // who waits learns it at once
		e, err := h.Wait(t.Context(), "t", "a")
		if err != nil {
			t.Error("the wait:", err)
		}
		ended <- e
	}()
	time.Sleep(20 * time.Millisecond) // that it waits is likely, and not needed
	killed := time.Now()
	h.ok(syscall.Kill(h.state("t").Shim.PID, syscall.SIGKILL))
	if e := <-ended; e.Code != 137 || e.At.Sub(killed) > 5*time.Second {
		t.Errorf("the wait ended %v later with %+v", e.At.Sub(killed), e)
	}
	h.exits("t", "a", 137, false)
	h.exits("t", "b", 3, false)
	l, err := h.List(t.Context())
	if err != nil || len(l) != 1 || len(l[0].Containers) != 2 || l[0].Containers[0].Exit == nil {
		t.Errorf("listed %+v, %v", l, err)
	}
	if _, err := h.Exec(t.Context(), "t", "a", []string{"true"}); err != sandbox.ErrNotRunning {
		t.Errorf("exec: %v", err)
	}
}

func sandboxKilled(t *testing.T, h *Host, rt Runtime) {
	if !rt.Gvisor {
		t.Skip("no process stands for all")
	}
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "deaf"), h.Container("b", "deaf"))
	h.ok(syscall.Kill(h.state("t").Sandbox.PID, syscall.SIGKILL))
	h.exits("t", "a", 137, false)
	h.exits("t", "b", 137, false)
}
