package doctor

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func healthy() Host {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return Host{
		Root: fstest.MapFS{
			"proc/sys/kernel/osrelease":             file("6.18.44\n"),
			"sys/fs/cgroup/cgroup.controllers":      file("cpuset cpu io memory pids\n"),
			"proc/filesystems":                      file("nodev\tproc\nnodev\toverlay\n\text4\n"),
			"proc/self/ns/net":                      file(""),
			"proc/self/ns/mnt":                      file(""),
			"proc/self/ns/pid":                      file(""),
			"proc/self/ns/ipc":                      file(""),
			"proc/self/ns/uts":                      file(""),
			"proc/sys/kernel/seccomp/actions_avail": file("kill_process trap errno\n"),
			"proc/meminfo":                          file("MemTotal: 1 kB\nMemAvailable:   20971520 kB\n"),
		},
		FreeBytes: 100 << 30, Address: "127.0.0.1:4566",
		LookPath: func(string) error { return nil },
	}
}

func TestHealthyHost(t *testing.T) {
	var out strings.Builder
	if !Write(&out, Examine(healthy())) {
		t.Error(out.String())
	}
	for _, f := range Examine(healthy()) {
		if f.Grade != OK || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestEachLackIsNamedWithItsRemedy(t *testing.T) {
	set := func(name, content string) func(*Host) {
		return func(h *Host) { h.Root.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(content)} }
	}
	drop := func(names ...string) func(*Host) {
		return func(h *Host) {
			for _, n := range names {
				delete(h.Root.(fstest.MapFS), n)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*Host)
		grade Grade
	}{
		{"user", func(h *Host) { h.UID = 1000 }, Fail},
		{"kernel", set("proc/sys/kernel/osrelease", "4.19.0-amd64"), Fail},
		{"kernel", drop("proc/sys/kernel/osrelease"), Fail},
		{"cgroups", set("sys/fs/cgroup/cgroup.controllers", "cpu pids"), Fail},
		{"cgroups", drop("sys/fs/cgroup/cgroup.controllers"), Fail},
		{"overlayfs", set("proc/filesystems", "nodev\tproc\n"), Fail},
		{"namespaces", drop("proc/self/ns/net"), Fail},
		{"nftables", func(h *Host) { h.NFTables = errors.New("operation not permitted") }, Fail},
		{"gvisor", set("proc/sys/kernel/yama/ptrace_scope", "3\n"), Fail},
		{"gvisor", drop("proc/sys/kernel/seccomp/actions_avail"), Fail},
		{"memory", set("proc/meminfo", "MemAvailable: 1000 kB\n"), Warn},
		{"disk", func(h *Host) { h.FreeBytes = 1 << 30 }, Warn},
		{"port", func(h *Host) { h.Listen = errors.New("address already in use") }, Fail},
		{"aws cli", func(h *Host) { h.LookPath = func(string) error { return errors.New("no") } }, Warn},
	} {
		h := healthy()
		tt.spoil(&h)
		for _, f := range Examine(h) {
			if want := f.Name == tt.name; (f.Grade != OK) != want {
				t.Errorf("%s: %+v", tt.name, f)
			} else if want && (f.Grade != tt.grade || f.Remedy == "") {
				t.Errorf("%s: %+v, want %s with a remedy", tt.name, f, tt.grade)
			}
		}
	}
}

func TestCgroupV1(t *testing.T) {
	h := healthy()
	m := h.Root.(fstest.MapFS)
	delete(m, "sys/fs/cgroup/cgroup.controllers")
	for _, c := range []string{"cpu", "memory", "pids"} {
		m["sys/fs/cgroup/"+c+"/tasks"] = &fstest.MapFile{}
	}
	if f := cgroups(h); f.Grade != OK || !strings.HasPrefix(f.Detail, "v1") {
		t.Errorf("%+v", f)
	}
}
