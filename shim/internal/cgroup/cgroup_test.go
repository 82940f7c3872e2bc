package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"neargate/shim/api"
)

func TestWeight(t *testing.T) {
	for _, c := range []struct{ shares, weight int }{{0, 1}, {2, 1}, {1024, 39}, {262144, 10000}, {1 << 30, 10000}} {
		if w := Weight(c.shares); w != c.weight {
			t.Errorf("%d shares are %d, want %d", c.shares, w, c.weight)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		name  string
		v2    bool
		files map[string]string
		want  api.Usage
	}{
		{"version 1", false, map[string]string{
			"cpuacct/cpuacct.usage":            "123456789\n",
			"memory/memory.usage_in_bytes":     "4096000\n",
			"memory/memory.max_usage_in_bytes": "8192000\n",
			"memory/memory.limit_in_bytes":     "536870912\n",
			"memory/memory.stat":               "cache 10\ninactive_file 5\ntotal_cache 30\ntotal_inactive_file 20480\n",
			"pids/pids.current":                "7\n",
		}, api.Usage{CPU: 123456789, Memory: 4096000, Cache: 20480, MaxMemory: 8192000, MemoryLimit: 536870912, Processes: 7}},
		{"version 1 without a limit", false, map[string]string{
			"memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, api.Usage{}},
		{"version 2", true, map[string]string{
			"cpu/cpu.stat":          "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\n",
			"memory/memory.current": "4096000\n",
			"memory/memory.peak":    "8192000\n",
			"memory/memory.max":     "536870912\n",
			"memory/memory.stat":    "anon 1\nfile 2\ninactive_file 20480\n",
			"pids/pids.current":     "7\n",
		}, api.Usage{CPU: 1234000, Memory: 4096000, Cache: 20480, MaxMemory: 8192000, MemoryLimit: 536870912, Processes: 7}},
		{"version 2 without a limit", true, map[string]string{"memory/memory.max": "max\n"}, api.Usage{}},
	} {
		u := usage(c.v2, func(controller, file string) []byte { return []byte(c.files[controller+"/"+file]) })
		if u != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, u, c.want)
		}
	}
}

// TestVersion2 sees what is written where, in a directory that looks like a
// hierarchy of version 2.
func TestVersion2(t *testing.T) {
	root := t.TempDir()
	g := Group{root: root, path: "/all/task", v2: true}
	dir := filepath.Join(root, "all", "task")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{
		"cgroup.subtree_control", "all/cgroup.subtree_control", "all/task/cgroup.subtree_control", "all/task/cgroup.procs",
		"all/task/memory.max", "all/task/memory.oom.group", "all/task/pids.max", "all/task/cpu.max", "all/task/cpu.weight",
	} {
		if err := os.WriteFile(filepath.Join(root, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wrote := func(want map[string]string) {
		t.Helper()
		for f, text := range want {
			if b, err := os.ReadFile(filepath.Join(root, f)); string(b) != text {
				t.Errorf("%s: %q, %v; want %q", f, b, err, text)
			}
		}
	}
	if err := g.Create(Limits{Memory: 512, Processes: 100, Together: true}); err != nil { // no swap
		t.Error(err)
	}
	if err := g.LimitCPU(256); err != nil {
		t.Error(err)
	}
	if err := g.Add(17); err != nil {
		t.Error(err)
	}
	wrote(map[string]string{
		"all/task/memory.max": "536870912", "all/task/memory.oom.group": "1", "all/task/pids.max": "100",
		"all/task/cpu.max": "25000 100000", "all/task/cpu.weight": fmt.Sprint(Weight(256)), "all/task/cgroup.procs": "17",
		"all/task/cgroup.subtree_control": "", // who has processes gives no controllers on
	})
	for _, f := range []string{"cgroup.subtree_control", "all/cgroup.subtree_control"} {
		if info, err := os.Stat(filepath.Join(root, f)); err != nil || info.Size() == 0 {
			t.Errorf("%s: no controllers, %v", f, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.events"), []byte("low 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := g.OOMKills(); n != 2 {
		t.Errorf("%d kills", n)
	}
	for _, err := range []error{os.Truncate(filepath.Join(dir, "cpu.max"), 0), g.LimitCPU(1)} {
		if err != nil {
			t.Error(err)
		}
	}
	wrote(map[string]string{"all/task/cpu.max": "1000 100000"})
}

// TestRemove2 removes a group of version 2 with a process in a group inside it,
// where the host has such a hierarchy beside those of version 1.
func TestRemove2(t *testing.T) {
	const unified = "/sys/fs/cgroup/unified"
	if _, err := os.Stat(unified + "/cgroup.procs"); err != nil || os.Getuid() != 0 {
		t.Skip("no hierarchy of version 2 to try it in")
	}
	g := Group{root: unified, path: fmt.Sprintf("/ng-test-%d", os.Getpid()), v2: true}
	in := g.Sub("inside")
	if err := os.MkdirAll(in.dir(""), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := in.Add(cmd.Process.Pid); err != nil {
		t.Error(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	if err := g.Remove(func() {}, 5*time.Second); err != nil {
		t.Error(err)
	}
	<-ended
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", ws)
	}
	if _, err := os.Stat(g.dir("")); err == nil {
		t.Error("the group is still there")
	}
	if err := g.Remove(func() {}, time.Second); err != nil {
		t.Error("removing what is not there:", err)
	}
}
