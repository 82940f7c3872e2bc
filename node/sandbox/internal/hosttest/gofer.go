package hosttest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"neargate/node/sandbox"
)

// goferCaps are the capabilities that gVisor leaves its gofers, as the kernel prints them.
const goferCaps = "000000000004001f"

// gofers looks at the processes that serve containers' files: each container has one of its
// own, confined as gVisor confines its own gofers although this program made them before;
// it ends with the container, or with the task.
func gofers(t *testing.T, h *Host, rt Runtime) {
	if !rt.Gvisor {
		t.Skip("containers see the host's files")
	}
	h.run(sandbox.Spec{Task: "t"}, h.Container("a", "polite"), h.Container("b", "deaf"))
	shim := h.state("t").Shim.PID
	all := h.gofers("t")
	if len(all) != 2 {
		t.Fatalf("gofers %v for two containers", all)
	}
	for _, pid := range all {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		h.ok(err)
		var has []string
		for l := range strings.Lines(string(b)) {
			has = append(has, strings.Join(strings.Fields(l), " "))
		}
		for _, want := range []string{"CapBnd: " + goferCaps, "CapEff: " + goferCaps, "CapPrm: " + goferCaps, "CapAmb: " + goferCaps, "Seccomp: 2"} {
			if !slices.Contains(has, want) {
				t.Errorf("gofer %d is not as gVisor makes them: no %q in\n%s", pid, want, b)
			}
		}
		for _, ns := range []string{"ipc", "mnt", "net", "pid", "uts"} {
			name := func(pid int) string { s, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns)); return s }
			if own := name(pid); own == "" || own == name(shim) {
				t.Errorf("gofer %d has the shim's %s namespace", pid, ns)
			}
		}
		if root, err := os.ReadDir(fmt.Sprintf("/proc/%d/root", pid)); err != nil || !slices.ContainsFunc(root, func(e os.DirEntry) bool { return e.Name() == "guest" }) {
			t.Errorf("gofer %d sees %v, %v", pid, root, err)
		}
	}
	h.Until("t", "a", "ready")
	h.ok(h.Signal(t.Context(), "t", "a", syscall.SIGTERM))
	h.exits("t", "a", 0, false)
	h.eventually("the gofer ends with its container", func() bool { return len(h.gofers("t")) == 1 })
}

// gofers are the processes in a task's cgroup that say so.
func (h *Host) gofers(task string) (pids []int) {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/pids", h.state(task).Cgroup, "cgroup.procs"))
	if err != nil {
		b, err = os.ReadFile(filepath.Join("/sys/fs/cgroup", h.state(task).Cgroup, "cgroup.procs"))
	}
	h.ok(err)
	for f := range strings.FieldsSeq(string(b)) {
		var pid int
		_, err := fmt.Sscan(f, &pid)
		h.ok(err)
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(line), "runsc-gofer\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}
