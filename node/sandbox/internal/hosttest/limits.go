package hosttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"neargate/node/sandbox"
)

// containerMemory exceeds a container's limit at once and by little; those beside
// it, with a limit and without, do not notice.
func containerMemory(t *testing.T, h *Host, _ Runtime) {
	limited := func(name string, mib int, args ...string) sandbox.Container {
		c := h.Container(name, args...)
		c.Memory = mib
		return c
	}
	h.run(sandbox.Spec{Task: "t", Memory: 512},
		limited("c", 100, "hold", "60"), h.Container("d", "polite"), limited("a", 64, "hold", "400"))
	h.exits("t", "a", 137, true)
	h.start("t", limited("b", 64, "hold", "70"))
	h.overdue("t", "b")
	h.Until("t", "c", "ready")
	for _, name := range []string{"c", "d"} {
		if _, err := h.Exec(t.Context(), "t", name, []string{"true"}); err != nil {
			t.Error("the container beside it:", err)
		}
	}
	h.ok(h.Signal(t.Context(), "t", "c", syscall.SIGTERM))
	h.exits("t", "c", 0, false)
}

// overdue checks how long a container lives that said when it was over its limit.
func (h *Host) overdue(task, name string) {
	h.t.Helper()
	e := h.wait(task, name)
	if e.Code != 137 || !e.OOM {
		h.t.Errorf("%s ended with %+v", name, e)
	}
	for _, r := range h.records(task, name) { // it may have been killed before it said it
		d := e.At.Sub(r.At)
		if h.t.Logf("%q %v before the end", r.Bytes, d); d > 250*time.Millisecond {
			h.t.Errorf("%s lived on for %v", name, d)
		}
	}
}

// throttled keeps a container's limit in a task that uses up its CPU quota.
func throttled(t *testing.T, h *Host, _ Runtime) {
	b := h.Container("b", "hold", "70")
	b.Memory = 64
	h.run(sandbox.Spec{Task: "t", CPU: 256, Memory: 512}, h.Container("a", "spin"), b)
	h.overdue("t", "b")
}

// sharedMemory is counted once.
func sharedMemory(t *testing.T, h *Host, _ Runtime) {
	c := h.Container("a", "share", "50")
	c.Memory = 100
	h.run(sandbox.Spec{Task: "t", Memory: 512}, c)
	h.Until("t", "a", "shared")
	if u := h.usage("t", "a"); u.Memory < 50<<20 || u.Memory > 100<<20 {
		t.Errorf("50 MiB shared by three use %d MiB", u.Memory>>20)
	}
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
}

func (h *Host) stats(task string) sandbox.Stats {
	h.t.Helper()
	ctx, cancel := contextFor(patience)
	defer cancel()
	st, err := h.Stats(ctx, task)
	h.ok(err)
	return st
}

func (h *Host) usage(task, name string) sandbox.Usage {
	h.t.Helper()
	return h.stats(task).Containers[name]
}

func stats(t *testing.T, h *Host, rt Runtime) {
	limited := h.Container("a", "hold", "40")
	limited.Memory = 200
	h.run(sandbox.Spec{Task: "t", CPU: 512, Memory: 400, Disk: 100}, limited, h.Container("b", "spin"), h.Container("c", "put", "/tmp/x", "30"))
	h.Until("t", "a", "ready")
	h.exits("t", "c", 0, false)
	begin := h.stats("t")
	var st sandbox.Stats
	h.eventually("the spinning container to use time", func() bool {
		st = h.stats("t")
		return st.Containers["b"].CPU >= begin.Containers["b"].CPU+50_000_000
	})
	a, b := st.Containers["a"], st.Containers["b"]
	const mib = 1 << 20
	sum := a.CPU + b.CPU
	if len(st.Containers) != 2 || a.Memory < 40*mib || a.Memory > 80*mib || a.MemoryLimit != 200*mib || a.Processes < 2 || b.Memory >= 40*mib || b.MemoryLimit != 0 {
		t.Errorf("containers %+v", st.Containers)
	}
	if st.Task.MemoryLimit != 400*mib || st.Task.Memory-st.Task.Cache < 40*mib || st.Task.Memory > 400*mib || st.Task.MaxMemory < a.Memory || st.Task.CPU+10_000_000 < sum || st.Task.Processes < 2 {
		t.Errorf("task %+v", st.Task)
	}
	if st.Disk.Limit < 100*mib || st.Disk.Limit > 105*mib || st.Disk.Used < 30*mib || st.Disk.Used > 40*mib {
		t.Errorf("disk %+v", st.Disk)
	}
	took, used := st.At.Sub(begin.At), time.Duration(b.CPU-begin.Containers["b"].CPU)
	if used > 2*took {
		t.Errorf("b used %v of CPU in %v", used, took)
	}
}

// eventually waits for something to be so.
func (h *Host) eventually(what string, is func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited for %s", what)
		}
	}
}

func files(t *testing.T, h *Host, _ Runtime) {
	spec := sandbox.Spec{Task: "t", Disk: 64, Files: map[string]string{"/etc/hosts": "127.0.0.1 localhost", "/data/greeting": "hidden", "/new/dir/f": "new"}}
	frozen := h.Container("b", "append", "/etc/hosts")
	frozen.ReadonlyRoot = true
	own := h.Container("d", "read", "/etc/hosts")
	own.Mounts = []sandbox.Mount{{Source: filepath.Join(h.Root, "data", "greeting"), Target: "/etc/hosts", ReadOnly: true}}
	around := h.Container("e", "read", "/data/greeting")
	around.Mounts = []sandbox.Mount{{Volume: "v", Target: "/data", Copy: true}}
	h.run(spec, h.Container("a", "read", "/etc/hosts"))
	if out := h.exits("t", "a", 0, false); out != "127.0.0.1 localhost\n" {
		t.Errorf("a read %q", out)
	}
	h.start("t", frozen)
	h.exits("t", "b", 0, false)
	h.start("t", h.Container("c", "read", "/etc/hosts"), own, around, h.Container("f", "read", "/new/dir/f"))
	for name, want := range map[string]string{"c": "127.0.0.1 localhostline\n", "d": "from the image\n", "e": "hidden\n", "f": "new\n"} {
		if out := h.exits("t", name, 0, false); out != want {
			t.Errorf("%s read %q, want %q", name, out, want)
		}
	}
	for _, path := range []string{"etc", "new"} {
		if _, err := os.Stat(filepath.Join(h.Root, path)); err == nil {
			t.Errorf("/%s was made in the image", path)
		}
	}
	if err := h.Open(t.Context(), sandbox.Spec{Task: "u", Files: map[string]string{"etc/hosts": ""}}); err == nil {
		err = h.Create(t.Context(), "u", h.Container("a", "exit", "0"))
		if err == nil {
			t.Error("a file without an absolute path")
		}
	}
}

// again keeps what a container wrote over its starts, and appends its output.
func again(t *testing.T, h *Host, rt Runtime) {
	c := h.Container("a", "append", "/data/lines")
	c.Memory = 64
	h.run(sandbox.Spec{Task: "t", Memory: 256, Disk: 64}, c)
	h.exits("t", "a", 0, false)
	const starts = 5
	for n := 1; n < starts; n++ {
		h.ok(h.Restart(t.Context(), "t", "a", n))
		h.exits("t", "a", 0, false)
	}
	if out := h.exits("t", "a", 0, false); out != "1\n2\n3\n4\n5\n" {
		t.Errorf("output %q", out)
	}
	s := h.state("t")
	if c := s.Containers[0]; c.Restarts != starts-1 || c.Exit == nil || !c.Exit.At.After(c.StartedAt) {
		t.Errorf("state %+v", c)
	}
	if rt.Gvisor { // the shim and its group: gofers do not pile up
		if n := h.stats("t").Task.Processes; n > 60 {
			t.Errorf("%d threads after %d starts", n, starts)
		}
	}
	over := h.Container("b", "hold", "100")
	over.Memory = 64
	h.start("t", over)
	h.exits("t", "b", 137, true)
	h.ok(h.Restart(t.Context(), "t", "b", 1))
	h.exits("t", "b", 137, true)
}

// sharedDisk is one quota for layers and volumes.
func sharedDisk(t *testing.T, h *Host, _ Runtime) {
	with := h.Container("a", "put", "/v/x", "25")
	with.Mounts = []sandbox.Mount{{Volume: "v", Target: "/v"}}
	h.run(sandbox.Spec{Task: "t", Disk: 64}, with, h.Container("b", "put", "/tmp/x", "25"))
	h.exits("t", "a", 0, false)
	h.exits("t", "b", 0, false)
	h.start("t", h.Container("c", "fill", "/data/x"))
	out := h.exits("t", "c", 0, false)
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out, "wrote ")))
	if err != nil || n > 16 || n < 8 {
		t.Errorf("%q where 14 of 64 MiB are left", out)
	}
	h.start("t", h.Container("d", "put", "/tmp/y", "8")) // room that was given back
	h.exits("t", "d", 0, false)
}

// bomb starts processes without end, with no limit of the user's own; containers
// of the same and of another task go on.
func bomb(t *testing.T, h *Host, _ Runtime) {
	c := h.Container("a", "bomb")
	c.Ulimits = []sandbox.Ulimit{{Name: "RLIMIT_NPROC", Soft: 1 << 16, Hard: 1 << 16}}
	h.run(sandbox.Spec{Task: "n", Processes: 64}, h.Container("a", "polite"))
	h.run(sandbox.Spec{Task: "t", Processes: 64, CPU: 512}, h.Container("b", "polite"))
	h.Until("t", "b", "ready")
	h.start("t", c)
	h.eventually("the limit", func() bool { return h.usage("t", "a").Processes >= 50 })
	for range 5 {
		if n := h.usage("t", "a").Processes; n > 64 {
			t.Errorf("%d processes", n)
		}
	}
	if code, err := h.Exec(t.Context(), "n", "a", []string{"true"}); code != 0 || err != nil {
		t.Errorf("the neighbour: %d, %v", code, err)
	}
	h.ok(h.Signal(t.Context(), "t", "b", syscall.SIGTERM))
	h.exits("t", "b", 0, false)
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGKILL))
	h.exits("t", "a", 137, false)
}

// signals of every kind reach process 1, and with an init the program.
func signals(t *testing.T, h *Host, _ Runtime) {
	under := h.Container("b", "signals")
	under.Init = true
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "signals"), under)
	for _, name := range []string{"a", "b"} {
		h.Until("t", name, "ready")
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH, 37, 64, syscall.SIGTERM} {
			h.ok(h.Signal(t.Context(), "t", name, sig))
			h.Until("t", name, fmt.Sprintf("<%d>", sig))
		}
		h.exits("t", name, 0, false)
	}
}

// unhandled signals do not end process 1, but the program under an init.
//
// In gVisor they end any process: it has no way to find out from outside what one
// handles.
func unhandled(t *testing.T, h *Host, rt Runtime) {
	under := h.Container("b", "default")
	under.Init = true
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "default"), under)
	for _, name := range []string{"a", "b"} {
		h.Until("t", name, "ready")
		h.ok(h.Signal(t.Context(), "t", name, syscall.SIGTERM))
	}
	h.exits("t", "b", 143, false)
	if rt.Gvisor {
		h.exits("t", "a", 143, false)
		return
	}
	if _, err := h.Exec(t.Context(), "t", "a", []string{"true"}); err != nil {
		t.Error("SIGTERM ended process 1:", err)
	}
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGKILL))
	h.exits("t", "a", 137, false)
}

// killsAll checks that nothing of a container is left, in a PID namespace that
// others share too; and that containers see each other's processes there.
func killsAll(t *testing.T, h *Host, _ Runtime) {
	sees := func(name string) string {
		h.start("t", h.Container(name, "ps"))
		return h.exits("t", name, 0, false)
	}
	h.run(sandbox.Spec{Task: "t", SharePID: true}, h.Container("a", "fork", "3"), h.Container("b", "polite"))
	h.Until("t", "a", "forked 3")
	h.Until("t", "b", "ready")
	if out := sees("c"); strings.Count(out, " sleep") != 3 || !strings.Contains(out, "/guest fork 3") || !strings.Contains(out, "/guest polite") {
		t.Errorf("c sees %q", out)
	}
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGKILL))
	h.exits("t", "a", 137, false)
	if out := sees("d"); strings.Contains(out, "sleep") || strings.Contains(out, "fork") || !strings.Contains(out, "/guest polite") {
		t.Errorf("d sees %q", out)
	}
}

// traces looks into a process of another container and user, which takes
// CAP_SYS_PTRACE.
func traces(t *testing.T, h *Host, _ Runtime) {
	a, b := h.Container("a", "polite"), h.Container("b", "trace", "polite")
	a.User = sandbox.User{UID: 1000, GID: 1000}
	b.CapAdd = []string{"CAP_SYS_PTRACE"}
	h.run(sandbox.Spec{Task: "t", SharePID: true}, a)
	h.Until("t", "a", "ready")
	h.start("t", b, h.Container("c", "trace", "polite"))
	if out := h.exits("t", "b", 0, false); out != "traced\n" {
		t.Errorf("b says %q", out)
	}
	h.exits("t", "c", 1, false)
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
}

func sysctl(t *testing.T, h *Host, rt Runtime) {
	const ports = "/proc/sys/net/ipv4/ip_local_port_range"
	with := func(name string, sysctls map[string]string, args ...string) sandbox.Container {
		c := h.Container(name, args...)
		c.Sysctls = sysctls
		return c
	}
	h.run(sandbox.Spec{Task: "t"}, with("a", map[string]string{"net.ipv4.ip_local_port_range": "20000 30000", "net.ipv4.tcp_sack": "0"}, "read", ports))
	if out := h.exits("t", "a", 0, false); strings.Join(strings.Fields(out), " ") != "20000 30000" {
		t.Errorf("a read %q", out)
	}
	for name, value := range map[string]string{"net.core.no_such": "1", "net.core.somaxconn": "7777", "net.x/../../kernel.hostname": "1", "kernel.shmmax": "70000000"} {
		c := with("b"+strconv.Itoa(len(name)), map[string]string{name: value}, "exit", "0")
		err := h.Create(t.Context(), "t", c)
		if refused := err != nil; refused != (rt.Gvisor || value == "1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.start("t", with("d", nil, "exit", "0"))
	h.exits("t", "d", 0, false)
}

// execCodes are Docker's.
func execCodes(t *testing.T, h *Host, _ Runtime) {
	c := h.Container("a", "polite")
	h.ok(os.WriteFile(filepath.Join(h.Root, "data", "plain"), []byte("text"), 0o644))
	h.run(sandbox.Spec{Task: "t"}, c)
	for _, c := range []struct {
		command []string
		code    int32
	}{
		{[]string{"true"}, 0},
		{[]string{"/guest", "exit", "7"}, 7},
		{[]string{"/guest", "exit", "255"}, 255},
		{[]string{"absent"}, 127},
		{[]string{"/absent", "x"}, 127},
		{[]string{"/data/plain"}, 126},
		{[]string{"/data"}, 126},
	} {
		if code, err := h.Exec(t.Context(), "t", "a", c.command); code != c.code || err != nil {
			t.Errorf("%q: %d, %v; want %d", c.command, code, err, c.code)
		}
	}
}

// program checks what is said of one that cannot be started.
func program(t *testing.T, h *Host, _ Runtime) {
	h.ok(os.WriteFile(filepath.Join(h.Root, "data", "plain"), []byte("text"), 0o644))
	h.run(sandbox.Spec{Task: "t"})
	for i, c := range []struct{ program, says string }{
		{"absent", `exec: "absent": executable file not found in $PATH`},
		{"/absent", `exec: "/absent": stat /absent: no such file or directory`},
		{"/data/plain", `exec: "/data/plain": permission denied`},
	} {
		b := sandbox.Container{Name: "c" + strconv.Itoa(i), Layers: []string{h.Root}, Args: []string{c.program}}
		err := h.Create(t.Context(), "t", b)
		if err == nil {
			err = h.Start(t.Context(), "t", b.Name)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.program, err)
		}
	}
}

// fullDisk loses nothing of what runs: a start and an end that cannot be written
// down are kept, and written when there is room.
func fullDisk(t *testing.T, h *Host, rt Runtime) {
	if rt.Warm {
		t.Skip("it mounts over the sandboxes that are ready")
	}
	h.ok(os.MkdirAll(h.Config.Dir, 0o711))
	h.ok(syscall.Mount("tmpfs", h.Config.Dir, "tmpfs", 0, "size=32m"))
	defer func() {
		ctx, cancel := contextFor(patience)
		defer cancel()
		if err := errors.Join(h.Close(ctx, "t"), syscall.Unmount(h.Config.Dir, syscall.MNT_DETACH)); err != nil {
			t.Error(err)
		}
	}()
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "polite"))
	h.Until("t", "a", "ready")
	h.ok(h.Create(t.Context(), "t", h.Container("b", "exit", "3")))
	h.ok(h.Create(t.Context(), "t", h.Container("c", "polite")))
	ballast := filepath.Join(h.Config.Dir, "t", "ballast")
	h.fill(ballast)
	h.ok(h.Start(t.Context(), "t", "b"))
	if e := h.wait("t", "b"); e.Code != 3 {
		t.Errorf("b ended with %+v", e)
	}
	h.ok(h.Start(t.Context(), "t", "c"))
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.wait("t", "a")
	l, err := h.List(t.Context())
	if err != nil || len(l) != 1 || len(l[0].Containers) != 3 || l[0].Containers[1].Exit == nil || !l[0].Containers[2].Started {
		t.Errorf("listed %+v, %v", l, err)
	}
	h.ok(os.Remove(ballast))
	h.eventually("the state file", func() bool {
		c := h.state("t").Containers
		return len(c) == 3 && c[0].Exit != nil && c[1].Exit != nil && !c[2].StartedAt.IsZero()
	})
	h.fill(ballast)
	h.ok(syscall.Kill(h.state("t").Shim.PID, syscall.SIGKILL))
	h.exits("t", "c", 137, false)
	h.exits("t", "b", 3, false)
	h.ok(os.Remove(ballast))
}

// fill takes all room there is.
func (h *Host) fill(file string) {
	h.t.Helper()
	f, err := os.Create(file)
	h.ok(err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
