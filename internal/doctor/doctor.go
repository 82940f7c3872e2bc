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
	Listen    error              // why the front door cannot listen; nil if it can or does
	Address   string             // of the front door
	LookPath  func(string) error // whether a program is installed
}

// Needs of the host.
const (
	minKernelMajor, minKernelMinor = 5, 10
	minMemory                      = 1 << 30
	minDisk                        = 5 << 30
)

// Examine runs every check, in the order in which one would mend things.
func Examine(h Host) []Finding {
	checks := []func(Host) Finding{user, kernel, cgroups, overlay, namespaces, nftables, ptrace, memory, disk, port, client}
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
	for line := range strings.Lines(h.read("proc/filesystems")) {
		if strings.TrimSpace(strings.TrimPrefix(line, "nodev")) == "overlay" {
			return Finding{"overlayfs", OK, "available", ""}
		}
	}
	return Finding{"overlayfs", Fail, "the kernel offers no overlay file system", "image layers need it: modprobe overlay"}
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
