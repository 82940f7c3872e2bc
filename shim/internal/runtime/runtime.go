// Package runtime runs the containers of one task: with gVisor, whose packages it
// calls in its own process, or with runc, which it executes.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"neargate/shim/api"
	"neargate/shim/internal/bundle"
	"neargate/shim/internal/cgroup"
	"neargate/shim/internal/disk"
)

// Runtime runs the containers of one task. Callers do not call Create, Start or
// Wait for one container from two goroutines.
type Runtime interface {
	// Open makes the sandbox, with its cgroup.
	Open() error
	// Create makes a container. Its standard input, output and error are held
	// open by the caller until the Start, or the failure.
	Create(c api.Container, stdio [3]*os.File) error
	// Start starts a container's process.
	Start(name string) error
	// Restart makes and starts a container that is over once more, in the file
	// system it left. Its standard files are as Create's.
	Restart(name string, stdio [3]*os.File) error
	// Wait returns how a started container's process ended.
	Wait(name string) Status
	// Signal sends a signal; nil if the process is over.
	Signal(name string, sig syscall.Signal) error
	// Exec runs a command and returns its exit code, 127 or 126 where it is not
	// found or cannot be run; the command is killed when ctx ends.
	Exec(ctx context.Context, name string, args []string) (int32, error)
	// Usage is what running containers use.
	Usage(names []string) (map[string]api.Usage, error)
	// Sandbox is the process whose end is the end of all, zero where there is
	// none.
	Sandbox() api.Process
	// Settle returns when nothing goes on that calls have left.
	Settle()
	// Process is a container's process 1, zero where the host does not see it.
	Process(name string) api.Process
}

// Status is how a process ended.
type Status struct {
	Code int32
	OOM  bool
}

// RunDir is where runtimes keep what is of use only as long as the shim and its
// sandbox live, under the task's directory. The shim mounts a file system in memory
// there, which nobody else sees.
const RunDir = "run"

// killed is what is reported of a process that ended with its sandbox.
const killed = 128 + int32(syscall.SIGKILL)

// New is the runtime a configuration asks for.
func New(cfg api.Config) (Runtime, error) {
	h := host{cfg: cfg, group: cgroup.At(cfg.Cgroup)}
	switch cfg.Runtime {
	case api.GVisor:
		return newGVisor(&h)
	case api.Runc:
		return &runc{host: &h, all: map[string]*runcContainer{}}, nil
	}
	return nil, errors.New("no runtime " + cfg.Runtime)
}

// host is what the runtimes need of the host.
type host struct {
	cfg   api.Config
	group cgroup.Group

	diskOnce   sync.Once
	diskErr    error
	filesOnce  sync.Once
	filesErr   error
	fileMounts []api.Mount
	volumes    sync.Mutex
	ids        atomic.Int32
}

// nextID is an id for a container, of the same length as the others.
func (h *host) nextID() string { return fmt.Sprintf("c%04d", h.ids.Add(1)) }

// limitCPU sets the task's quota: after a start, which it would slow down.
func (h *host) limitCPU() error {
	if h.cfg.Spec.CPU == 0 {
		return nil
	}
	return h.group.LimitCPU(h.cfg.Spec.CPU)
}

// netNS is the path of the task's network namespace.
func (h *host) netNS() string {
	if h.cfg.Spec.NetNS != "" {
		return h.cfg.Spec.NetNS
	}
	return "/proc/" + itoa(os.Getpid()) + "/ns/net"
}

// dir is a directory of the task.
func (h *host) dir(parts ...string) string {
	return filepath.Join(append([]string{h.cfg.Dir}, parts...)...)
}

// run is a directory of the task in memory, for what its end makes useless.
func (h *host) run(parts ...string) string {
	return h.dir(append([]string{RunDir}, parts...)...)
}

// disk is a directory under the task's quota.
func (h *host) disk() (string, error) {
	dir := h.dir("disk")
	h.diskOnce.Do(func() {
		if h.cfg.Spec.Disk == 0 {
			h.diskErr = os.MkdirAll(dir, 0o700)
			return
		}
		h.diskErr = disk.Mount(h.dir("disk.img"), dir, h.cfg.Spec.Disk, filepath.Dir(h.cfg.Dir))
	})
	return dir, h.diskErr
}

// volume finds the directory of a volume, and makes it at its first use; root is
// the image's root file system, whose content an empty volume gets.
func (h *host) volume(root string, m api.Mount) (string, error) {
	h.volumes.Lock()
	defer h.volumes.Unlock()
	on, err := h.disk()
	if err != nil {
		return "", err
	}
	if m.Volume != filepath.Base(m.Volume) || m.Volume == ".." {
		return "", errors.New("volume name " + m.Volume)
	}
	dir := filepath.Join(on, "volume", m.Volume)
	if err := os.MkdirAll(dir, 0o755); err != nil || !m.Copy {
		return dir, err
	}
	if used, err := os.ReadDir(dir); err != nil || len(used) > 0 {
		return dir, err
	}
	return dir, bundle.CopyContent(root, m.Target, dir)
}

func nofile() []api.Ulimit {
	return []api.Ulimit{{Name: "RLIMIT_NOFILE", Soft: 65535, Hard: 65535}} // Fargate's default
}
