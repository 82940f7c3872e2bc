package doctor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	nft "github.com/google/nftables"

	"neargate/internal/netns"
)

func healthy() Host {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return Host{
		Root: fstest.MapFS{
			"proc/sys/kernel/osrelease":             file("6.18.44\n"),
			"sys/fs/cgroup/cgroup.controllers":      file("cpuset cpu io memory pids\n"),
			"proc/filesystems":                      file("nodev\tproc\nnodev\toverlay\n\text4\n"),
			"proc/net/route":                        file("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\n"),
			"dev/loop-control":                      file(""),
			"proc/self/ns/net":                      file(""),
			"proc/self/ns/mnt":                      file(""),
			"proc/self/ns/pid":                      file(""),
			"proc/self/ns/ipc":                      file(""),
			"proc/self/ns/uts":                      file(""),
			"proc/sys/kernel/seccomp/actions_avail": file("kill_process trap errno\n"),
			"proc/meminfo":                          file("MemTotal: 1 kB\nMemAvailable:   20971520 kB\n"),
		},
		FreeBytes: 100 << 30, Address: "127.0.0.1:4566",
		LookPath: func(string) error { return nil }, Beside: func(string) error { return nil }, Runtime: "gvisor",
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
	lacks := func(program string) func(*Host) {
		return func(h *Host) {
			h.LookPath = func(name string) error {
				if name == program {
					return errors.New("no")
				}
				return nil
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
		{"overlayfs", set("proc/filesystems", "nodev\tproc\n\text4\n"), Fail},
		{"namespaces", drop("proc/self/ns/net"), Fail},
		{"nftables", func(h *Host) { h.NFTables = errors.New("operation not permitted") }, Fail},
		{"firewall", func(h *Host) { h.Drops = firewalld }, Warn},
		{"firewall", func(h *Host) { h.Drops = "chain forward of table mine" }, Warn},
		{"gvisor", set("proc/sys/kernel/yama/ptrace_scope", "3\n"), Fail},
		{"gvisor", drop("proc/sys/kernel/seccomp/actions_avail"), Fail},
		{"memory", set("proc/meminfo", "MemAvailable: 1000 kB\n"), Warn},
		{"disk", func(h *Host) { h.FreeBytes = 1 << 30 }, Warn},
		{"port", func(h *Host) { h.Listen = errors.New("address already in use") }, Fail},
		{"aws cli", lacks("aws"), Warn},
		{"mkfs.ext4", lacks("mkfs.ext4"), Fail},
		{"ext4", set("proc/filesystems", "nodev\tproc\nnodev\toverlay\n"), Fail},
		{"loop", drop("dev/loop-control"), Fail},
		{"interfaces", func(h *Host) { h.Network = errors.New("read-only file system") }, Fail},
		{"internet", set("proc/net/route", "Iface\tDestination\n"), Warn},
		{"internet", drop("proc/net/route"), Warn},
		{"binaries", func(h *Host) { h.Beside = func(string) error { return errors.New("no") } }, Fail},
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

func TestModulesCount(t *testing.T) {
	h := healthy()
	m := h.Root.(fstest.MapFS)
	m["proc/filesystems"] = &fstest.MapFile{Data: []byte("nodev\tproc\n")}
	m["lib/modules/6.18.44/modules.dep"] = &fstest.MapFile{Data: []byte("kernel/fs/overlayfs/overlay.ko.xz:\nkernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko\n")}
	for _, f := range []Finding{overlay(h), ext4(h)} {
		if f.Grade != OK {
			t.Errorf("%+v", f)
		}
	}
}

// TestRuntimes checks that a runtime is not held up by what only others need.
func TestRuntimes(t *testing.T) {
	broken := healthy()
	broken.Root = fstest.MapFS{"proc/sys/kernel/osrelease": broken.Root.(fstest.MapFS)["proc/sys/kernel/osrelease"]}
	broken.UID, broken.NFTables, broken.Network = 1000, errors.New("no"), errors.New("no")
	broken.LookPath = func(string) error { return errors.New("no") }
	broken.Beside = broken.LookPath
	var out strings.Builder
	if broken.Runtime = "fake"; !Write(&out, Examine(broken)) {
		t.Errorf("fake:\n%s", out.String())
	}
	for kind, fails := range map[string]bool{"gvisor": false, "runc": true} {
		h := healthy()
		h.Runtime = kind
		h.Beside = func(name string) error {
			if name == "runc" {
				return errors.New("no")
			}
			return nil
		}
		if f := binaries(h); (f.Grade == Fail) != fails {
			t.Errorf("%s without runc: %+v", kind, f)
		}
	}
	h := healthy()
	delete(h.Root.(fstest.MapFS), "proc/sys/kernel/seccomp/actions_avail")
	h.Runtime = "runc"
	if !Write(&out, Examine(h)) {
		t.Error("runc needs nothing of gVisor's")
	}
}

// TestDrops looks for firewalls in a network namespace.
func TestDrops(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: makes a network namespace")
	}
	dir := t.TempDir()
	if err := netns.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Discard(dir); err != nil {
			t.Error(err)
		}
	})
	const forward = "type filter hook forward priority filter;"
	for name, tt := range map[string]struct{ rules, want string }{
		"none":      {"table inet mine { chain in { type filter hook input priority filter; policy drop; } }", ""},
		"accepts":   {"table inet mine { chain forward { " + forward + " policy accept; } }", ""},
		"drops":     {"table inet mine { chain forward { " + forward + " policy drop; } }", "chain forward of table mine"},
		"lets pass": {`table inet mine { chain forward { ` + forward + ` policy drop; iifname "ng-*" accept; oifname "ng-*" accept; } }`, ""},
		"iptables":  {"table ip filter { chain FORWARD { " + forward + " policy drop; } }", ""},
		"firewalld": {"table inet firewalld { chain filter_FORWARD { " + forward + " policy accept; reject with icmpx admin-prohibited; } }", firewalld},
		"trusted": {`table inet firewalld { chain filter_FORWARD { ` + forward + ` policy accept; jump zones; reject with icmpx admin-prohibited; }
			chain zones { iifname "ng-*" accept; } }`, ""},
	} {
		path := filepath.Join(dir, "ns")
		if err := netns.Create(path); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(strings.NewReplacer("{", "{\n", "}", "\n}\n", ";", ";\n").Replace(tt.rules))
		if err := netns.Do(path, cmd.Start); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err := netns.Do(path, func() error {
			got, err := drops(&nft.Conn{})
			if got != tt.want {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
			return err
		})
		if err := errors.Join(err, netns.Remove(path)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHere examines this host.
func TestHere(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: makes a network namespace")
	}
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	h := Here(t.TempDir(), "127.0.0.1:0", "gvisor", false)
	if h.NFTables != nil || h.Network != nil || h.Listen != nil || h.FreeBytes == 0 {
		t.Errorf("%+v", h)
	}
	if after, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || after != before {
		t.Errorf("in namespace %s, %v, after %s", after, err, before)
	}
}
