// Package doctor examines whether a host can run neargate and says in plain
// words what it lacks and how to mend it.
package doctor

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Grade is the outcome of a check.
type Grade string

// The grades. Fail means that something will not work; Warn that something
// works worse or only in part.
const (
	OK   Grade = "ok"
	Warn Grade = "warn"
	Fail Grade = "fail"
)

// Finding is the result of one check.
type Finding struct {
	Name   string
	Grade  Grade
	Detail string // what was found
	Remedy string // how to mend it; empty when OK
}

// Host is what the checks look at. Root is the host's file system.
type Host struct {
	Root      fs.FS
	UID       int
	FreeBytes uint64             // at the data directory
	NFTables  error              // why nftables cannot be used; nil if it can
	Network   error              // why network namespaces cannot be connected; nil if they can
	Drops     string             // a firewall that may drop what tasks send; empty for none
	Listen    error              // why the front door cannot listen; nil if it can or does
	Address   string             // of the front door
	LookPath  func(string) error // whether a program is installed
	Beside    func(string) error // whether a program is in neargate's own folder
	Runtime   string             // what tasks run in: gvisor, runc or fake
}

// Runtimes that need more or less than gVisor.
const (
	runc = "runc"
	fake = "fake"
)

// Needs of the host.
const (
	minKernelMajor, minKernelMinor = 5, 10
	minMemory                      = 1 << 30
	minDisk                        = 5 << 30
)

// Examine runs every check that the runtime calls for, in the order in which one
// would mend things.
func Examine(h Host) []Finding {
	checks := []func(Host) Finding{kernel, memory, disk, port, client}
	if h.Runtime != fake {
		checks = []func(Host) Finding{user, kernel, cgroups, overlay, namespaces, veth, nftables, firewall, internet, binaries}
		if h.Runtime != runc {
			checks = append(checks, ptrace)
		}
		checks = append(checks, mkfs, ext4, loop, memory, disk, port, client)
	}
	out := make([]Finding, len(checks))
	for i, check := range checks {
		out[i] = check(h)
	}
	return out
}

// Write prints findings as a table for people and returns whether none failed.
func Write(w io.Writer, findings []Finding) bool {
	healthy := true
	for _, f := range findings {
		fmt.Fprintf(w, "%-5s %-12s %s\n", f.Grade, f.Name, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(w, "      %-12s → %s\n", "", f.Remedy)
		}
		healthy = healthy && f.Grade != Fail
	}
	return healthy
}

func user(h Host) Finding {
	if h.UID == 0 {
		return Finding{"user", OK, "running as root", ""}
	}
	return Finding{"user", Fail, fmt.Sprintf("running as user id %d", h.UID),
		"sandboxes, network interfaces and cgroups need root: run neargate with sudo"}
}

func kernel(h Host) Finding {
	v := strings.TrimSpace(h.read("proc/sys/kernel/osrelease"))
	var major, minor int
	if _, err := fmt.Sscanf(v, "%d.%d", &major, &minor); err != nil {
		return Finding{"kernel", Fail, "not a Linux kernel, or /proc is not mounted", "neargate runs on Linux; on another system run it in a Linux virtual machine"}
	}
	if major < minKernelMajor || major == minKernelMajor && minor < minKernelMinor {
		return Finding{"kernel", Fail, "Linux " + v, fmt.Sprintf("Linux %d.%d or newer is needed: update the kernel", minKernelMajor, minKernelMinor)}
	}
	return Finding{"kernel", OK, "Linux " + v, ""}
}

func cgroups(h Host) Finding {
	want := []string{"cpu", "memory", "pids"}
	have, version := strings.Fields(h.read("sys/fs/cgroup/cgroup.controllers")), "v2"
	if len(have) == 0 {
		version = "v1"
		for _, c := range want {
			if _, err := fs.Stat(h.Root, path.Join("sys/fs/cgroup", c)); err == nil {
				have = append(have, c)
			}
		}
	}
	var missing []string
	for _, c := range want {
		if !slices.Contains(have, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return Finding{"cgroups", Fail, "missing controllers: " + strings.Join(missing, ", "),
			"task limits need them: mount cgroup2 on /sys/fs/cgroup, or boot with cgroup_enable=memory"}
	}
	return Finding{"cgroups", OK, version + " with " + strings.Join(want, ", "), ""}
}

func overlay(h Host) Finding {
	return h.filesystem("overlay", "overlayfs", "image layers need it: modprobe overlay")
}

func ext4(h Host) Finding {
	return h.filesystem("ext4", "ext4", "the disks of tasks need it: modprobe ext4")
}

// filesystem checks for one that the kernel has, or loads when it is mounted.
func (h Host) filesystem(kind, name, remedy string) Finding {
	for line := range strings.Lines(h.read("proc/filesystems")) {
		if strings.TrimSpace(strings.TrimPrefix(line, "nodev")) == kind {
			return Finding{name, OK, "available", ""}
		}
	}
	release := strings.TrimSpace(h.read("proc/sys/kernel/osrelease"))
	for line := range strings.Lines(h.read(path.Join("lib/modules", release, "modules.dep"))) {
		file, _, _ := strings.Cut(line, ":")
		if module, _, _ := strings.Cut(path.Base(file), "."); module == kind {
			return Finding{name, OK, "a module of the kernel", ""}
		}
	}
	return Finding{name, Fail, "the kernel has no file system " + kind, remedy}
}

func mkfs(h Host) Finding {
	if h.LookPath("mkfs.ext4") != nil {
		return Finding{"mkfs.ext4", Fail, "not installed, or not in PATH", "it makes the disks of tasks: apt install e2fsprogs"}
	}
	return Finding{"mkfs.ext4", OK, "installed", ""}
}

func loop(h Host) Finding {
	if _, err := fs.Stat(h.Root, "dev/loop-control"); err != nil {
		return Finding{"loop", Fail, "there is no /dev/loop-control", "the disks of tasks are files behind loop devices: modprobe loop; in a container, start it with --privileged"}
	}
	return Finding{"loop", OK, "available", ""}
}

func binaries(h Host) Finding {
	needs := []string{"neargate-runsc", "neargate-init"} // the first is every task's shim
	if h.Runtime == runc {
		needs = []string{"neargate-shim", "neargate-init", "runc"}
	}
	missing := slices.DeleteFunc(needs, func(name string) bool { return h.Beside(name) == nil })
	if len(missing) > 0 {
		return Finding{"binaries", Fail, "not beside neargate: " + strings.Join(missing, ", "), "build them there: make sandboxes"}
	}
	return Finding{"binaries", OK, "beside neargate", ""}
}

func veth(h Host) Finding {
	if h.Network != nil {
		return Finding{"interfaces", Fail, "not usable: " + h.Network.Error(), "the network interfaces of tasks need veth and a writable /proc/sys: modprobe veth; in a container, start it with --privileged"}
	}
	return Finding{"interfaces", OK, "veth and forwarding can be set", ""}
}

// internet looks for a default route, which a line of all zeros tells. Source:
// proc_net(5).
func internet(h Host) Finding {
	for line := range strings.Lines(h.read("proc/net/route")) {
		if f := strings.Fields(line); len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
			return Finding{"internet", OK, "by " + f[0], ""}
		}
	}
	return Finding{"internet", Warn, "this host has no default route", "tasks reach no further than this host, and only registries it serves: connect it, or name its devices with --uplink"}
}

func namespaces(h Host) Finding {
	var missing []string
	for _, ns := range []string{"net", "mnt", "pid", "ipc", "uts"} {
		if _, err := fs.Stat(h.Root, "proc/self/ns/"+ns); err != nil {
			missing = append(missing, ns)
		}
	}
	if len(missing) > 0 {
		return Finding{"namespaces", Fail, "missing: " + strings.Join(missing, ", "), "use a kernel built with namespaces; in a container, start it with --privileged"}
	}
	return Finding{"namespaces", OK, "available", ""}
}

func nftables(h Host) Finding {
	if h.NFTables != nil {
		return Finding{"nftables", Fail, "not usable: " + h.NFTables.Error(), "security groups need it: modprobe nf_tables, and run as root"}
	}
	return Finding{"nftables", OK, "available", ""}
}

// firewalld names the firewall of that name, and its table.
const firewalld = "firewalld"

func firewall(h Host) Finding {
	switch h.Drops {
	case "":
		return Finding{"firewall", OK, "forwards what tasks send", ""}
	case firewalld:
		return Finding{"firewall", Warn, "firewalld may drop what tasks send, and image pulls with it",
			"firewall-cmd --permanent --zone=trusted --add-interface=ng-+ && firewall-cmd --reload"}
	}
	return Finding{"firewall", Warn, "nftables' " + h.Drops + " may drop what tasks send, and image pulls with it",
		`have it accept what comes from and goes to the devices "ng-*"`}
}

func ptrace(h Host) Finding {
	scope := strings.TrimSpace(h.read("proc/sys/kernel/yama/ptrace_scope"))
	if scope == "3" {
		return Finding{"gvisor", Fail, "kernel.yama.ptrace_scope is 3", "gVisor's systrap platform needs ptrace: sysctl kernel.yama.ptrace_scope=1 (after a reboot)"}
	}
	if !slices.Contains(strings.Fields(h.read("proc/sys/kernel/seccomp/actions_avail")), "trap") {
		return Finding{"gvisor", Fail, "the kernel has no seccomp trap", "gVisor's systrap platform needs a kernel with seccomp filters"}
	}
	return Finding{"gvisor", OK, "systrap can run", ""}
}

func memory(h Host) Finding {
	s := bufio.NewScanner(strings.NewReader(h.read("proc/meminfo")))
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) >= 2 && f[0] == "MemAvailable:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				break
			}
			detail := fmt.Sprintf("%.1f GiB available", float64(kib)/(1<<20))
			if kib<<10 < minMemory {
				return Finding{"memory", Warn, detail, "the daemon needs about 100 MiB and each task what it asks for: free at least 1 GiB"}
			}
			return Finding{"memory", OK, detail, ""}
		}
	}
	return Finding{"memory", Warn, "unknown", "/proc/meminfo cannot be read"}
}

func disk(h Host) Finding {
	detail := fmt.Sprintf("%.1f GiB free", float64(h.FreeBytes)/(1<<30))
	if h.FreeBytes < minDisk {
		return Finding{"disk", Warn, detail, "images and task storage live in the data directory: free at least 5 GiB or choose another with --data-dir"}
	}
	return Finding{"disk", OK, detail, ""}
}

func port(h Host) Finding {
	if h.Listen != nil {
		return Finding{"port", Fail, fmt.Sprintf("cannot listen on %s: %v", h.Address, h.Listen), "stop what uses the port, or choose another with --listen"}
	}
	return Finding{"port", OK, h.Address, ""}
}

func client(h Host) Finding {
	if h.LookPath("aws") != nil {
		return Finding{"aws cli", Warn, "the aws command is not installed", "install it to follow the tour: apt install awscli"}
	}
	return Finding{"aws cli", OK, "installed", ""}
}

// read returns a file's content, empty when it cannot be read.
func (h Host) read(name string) string {
	b, err := fs.ReadFile(h.Root, name)
	if err != nil {
		return ""
	}
	return string(b)
}
