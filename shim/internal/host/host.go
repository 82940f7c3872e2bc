// Package host is what a task has of the host, whatever runs its containers: its
// cgroup, its disk, its files and volumes.
package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"neargate/shim/api"
	"neargate/shim/internal/bundle"
	"neargate/shim/internal/cgroup"
	"neargate/shim/internal/disk"
)

// RunDir is where runtimes keep what is of use only as long as the shim and its
// sandbox live, under the task's directory. The shim mounts a file system in memory
// there, which nobody else sees.
const RunDir = "run"

// New is the host of a shim's configuration.
func New(cfg api.Config) *Host { return &Host{Cfg: cfg, Group: cgroup.At(cfg.Cgroup)} }

// Host is what runtimes need of the host.
type Host struct {
	Cfg   api.Config
	Group cgroup.Group

	diskOnce   sync.Once
	diskErr    error
	filesOnce  sync.Once
	filesErr   error
	fileMounts []api.Mount
	volumes    sync.Mutex
	ids        atomic.Int32
}

// NextID is an id for a container, of the same length as the others.
func (h *Host) NextID() string { return fmt.Sprintf("c%04d", h.ids.Add(1)) }

// LimitCPU sets the task's quota: after a start, which it would slow down.
func (h *Host) LimitCPU() error {
	if h.Cfg.Spec.CPU == 0 {
		return nil
	}
	return h.Group.LimitCPU(h.Cfg.Spec.CPU)
}

// NetNS is the path of the task's network namespace.
func (h *Host) NetNS() string {
	if h.Cfg.Spec.NetNS != "" {
		return h.Cfg.Spec.NetNS
	}
	return "/proc/" + strconv.Itoa(os.Getpid()) + "/ns/net"
}

// Dir is a directory of the task.
func (h *Host) Dir(parts ...string) string {
	return filepath.Join(append([]string{h.Cfg.Dir}, parts...)...)
}

// Run is a directory of the task in memory, for what its end makes useless.
func (h *Host) Run(parts ...string) string {
	return h.Dir(append([]string{RunDir}, parts...)...)
}

// Disk is a directory under the task's quota.
func (h *Host) Disk() (string, error) {
	dir := h.Dir("disk")
	h.diskOnce.Do(func() {
		if h.Cfg.Spec.Disk == 0 {
			h.diskErr = os.MkdirAll(dir, 0o700)
			return
		}
		h.diskErr = disk.Mount(h.Dir("disk.img"), dir, h.Cfg.Spec.Disk, filepath.Dir(h.Cfg.Dir))
	})
	return dir, h.diskErr
}

// ForgetDisk makes the next Disk make another one. Nothing may use the last.
func (h *Host) ForgetDisk() { h.diskOnce = sync.Once{} }

// Volume finds the directory of a volume, and makes it at its first use; root is
// the image's root file system, whose content an empty volume gets.
func (h *Host) Volume(root string, m api.Mount) (string, error) {
	h.volumes.Lock()
	defer h.volumes.Unlock()
	on, err := h.Disk()
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

// Nofile is the limit of open files that Fargate gives containers.
func Nofile() []api.Ulimit {
	return []api.Ulimit{{Name: "RLIMIT_NOFILE", Soft: 65535, Hard: 65535}}
}
