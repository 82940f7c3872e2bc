// Package bundle makes OCI bundles: what a container's process is and sees.
package bundle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"neargate/shim/api"
)

// InitPath is where a container finds its init.
const InitPath = "/sbin/neargate-init"

// defaultPath is the PATH of a container that says none, as Docker's.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// defaultCaps are Docker's default capabilities, which are Fargate's. Source:
// ECS API reference, KernelCapabilities.
var defaultCaps = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP",
}

// hidden and frozen are parts of /proc and /sys that tell of the host or change
// it; runc hides and freezes them.
var (
	hidden = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
	frozen = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// Options say what a runtime needs of a bundle.
type Options struct {
	Root       string // the root file system
	NetNS      string
	Hostname   string
	PIDNS      string // path; empty: a new one
	SharePID   bool   // no PID namespace of its own: that of the sandbox
	CgroupNS   bool   // a cgroup namespace of its own
	CgroupPath string
	InitBin    string
	Volume     func(m api.Mount) (dir string, err error)
	Rlimits    []api.Ulimit // unless the container says otherwise
	Processes  int          // the most of a user; 0: as many as the container says
	ClampLimit bool         // limits above the shim's own hard limit are lowered to it
}

// Spec is the OCI configuration of a container.
func Spec(c api.Container, o Options) (*specs.Spec, error) {
	mounts, err := mountsOf(c, o)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version:  "1.1.0",
		Process:  Process(c, o),
		Root:     &specs.Root{Path: o.Root, Readonly: c.ReadonlyRoot},
		Hostname: o.Hostname,
		Mounts:   mounts,
		Linux: &specs.Linux{
			Sysctl:      c.Sysctls,
			CgroupsPath: o.CgroupPath,
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.NetworkNamespace, Path: o.NetNS},
			},
			MaskedPaths:   hidden,
			ReadonlyPaths: frozen,
		},
	}
	if !o.SharePID {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace, Path: o.PIDNS})
	}
	if o.CgroupNS {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return s, nil
}

// Process is the first process of a container.
func Process(c api.Container, o Options) *specs.Process {
	caps := slices.Clone(defaultCaps)
	for _, add := range c.CapAdd {
		if !slices.Contains(caps, add) {
			caps = append(caps, add)
		}
	}
	caps = slices.DeleteFunc(caps, func(x string) bool {
		return slices.Contains(c.CapDrop, x) || slices.Contains(c.CapDrop, "ALL") && !slices.Contains(c.CapAdd, x)
	})
	have := caps
	if c.User.UID != 0 {
		have = nil // as execve(2) would leave it: only the bounding set
	}
	args := c.Args
	if c.Init {
		args = append([]string{InitPath, "--"}, args...)
	}
	env := c.Env
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		env = append([]string{defaultPath}, env...)
	}
	cwd := c.Cwd
	if cwd == "" {
		cwd = "/"
	}
	return &specs.Process{
		Args: args, Env: env, Cwd: cwd, Terminal: c.Terminal,
		User:         specs.User{UID: c.User.UID, GID: c.User.GID, AdditionalGids: c.User.Additional},
		Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: have, Permitted: have},
		Rlimits:      rlimits(c, o),
	}
}

func rlimits(c api.Container, o Options) []specs.POSIXRlimit {
	all := slices.Clone(c.Ulimits)
	for _, l := range o.Rlimits {
		if !slices.ContainsFunc(all, func(x api.Ulimit) bool { return x.Name == l.Name }) {
			all = append(all, l)
		}
	}
	if n := uint64(o.Processes); n > 0 {
		all = atMost(all, api.Ulimit{Name: "RLIMIT_NPROC", Soft: n, Hard: n})
	}
	var out []specs.POSIXRlimit
	for _, l := range all {
		if o.ClampLimit && l.Name == "RLIMIT_NOFILE" {
			var own unix.Rlimit
			if unix.Getrlimit(unix.RLIMIT_NOFILE, &own) == nil {
				l.Soft, l.Hard = min(l.Soft, own.Max), min(l.Hard, own.Max)
			}
		}
		out = append(out, specs.POSIXRlimit{Type: l.Name, Soft: l.Soft, Hard: l.Hard})
	}
	return out
}

// atMost adds a limit, or lowers the one there is to it.
func atMost(all []api.Ulimit, l api.Ulimit) []api.Ulimit {
	for i := range all {
		if x := &all[i]; x.Name == l.Name {
			x.Soft, x.Hard = min(x.Soft, l.Soft), min(x.Hard, l.Hard)
			return all
		}
	}
	return append(all, l)
}

func mountsOf(c api.Container, o Options) ([]specs.Mount, error) {
	all := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
	}
	given := c.Mounts
	if c.Init {
		given = append([]api.Mount{{Source: o.InitBin, Target: InitPath, ReadOnly: true}}, given...)
	}
	for _, m := range given {
		source := m.Source
		if m.Volume != "" {
			var err error
			if source, err = o.Volume(m); err != nil {
				return nil, err
			}
		}
		if !filepath.IsAbs(source) || !filepath.IsAbs(m.Target) {
			return nil, fmt.Errorf("mount of %q at %q: paths must be absolute", source, m.Target)
		}
		options := []string{"rbind", "rprivate"}
		if m.ReadOnly {
			options = append(options, "ro")
		}
		all = append(all, specs.Mount{Destination: m.Target, Type: "bind", Source: source, Options: options})
	}
	return all, nil
}

// Write writes a bundle's config.json.
func Write(dir string, s *specs.Spec) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), b, 0o600)
}
