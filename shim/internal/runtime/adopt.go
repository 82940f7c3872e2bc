package runtime

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"

	"neargate/shim/api"
	"neargate/shim/internal/bundle"
	"neargate/shim/internal/sentry"
)

// Adopter is a runtime whose open sandbox can wait for its task.
type Adopter interface {
	// Adopt makes the sandbox that of a task, as if it had been opened for it, with
	// the links that are in its network namespace by now. After an error it is of no
	// use, and the namespace is as it was.
	Adopt(api.Spec) error
}

// idleWeight is the weight, in CPU units, of a sandbox that waits for a task, and of its
// making: others come first.
const idleWeight = 100

// waits reports whether the sandbox has no task yet.
func (g *gvisor) waits() bool { return g.cfg.Spec.Task == "" }

// Adopt implements Adopter.
func (g *gvisor) Adopt(s api.Spec) error {
	had := g.cfg.Spec.Disk
	g.cfg.Spec = s
	if err := g.resizeDisk(had); err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make([]error, 3)
	all.Go(func() { errs[0] = errors.Join(g.group.Create(g.limits()), g.group.Weigh(1024)) })
	all.Go(func() { errs[1] = errors.Join(g.tellMemory(), g.tellHostname()) })
	links := &links{}
	all.Go(func() { errs[2] = links.attach(g.control(), g.conf) })
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return links.release()
}

// resizeDisk begins to make another disk where the one that was made in advance
// has the wrong size. Nothing is on it yet.
func (g *gvisor) resizeDisk(had int) error {
	if had == g.cfg.Spec.Disk {
		return nil
	}
	dir, err := g.disk() // it was begun with the sandbox
	if had > 0 && err == nil {
		err = unix.Unmount(dir, unix.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("disk of the sandbox: %w", err)
	}
	g.diskOnce = sync.Once{}
	g.makeDisk()
	return nil
}

// control is the path of the sandbox's control socket.
func (g *gvisor) control() string { return g.root.Sandbox.GetControlSocketPath() }

// tellMemory makes the memory limit what /proc/meminfo and the sandbox's own
// cgroups show, which containers inherit.
func (g *gvisor) tellMemory() error {
	if g.cfg.Spec.Memory == 0 {
		return nil
	}
	conn, err := client.ConnectTo(g.control())
	if err != nil {
		return err
	}
	defer conn.Close()
	bytes := uint64(g.cfg.Spec.Memory) << 20
	if err := sentry.SetMemory(conn, bytes); err != nil {
		return fmt.Errorf("memory of the sandbox: %w", err)
	}
	return g.root.Sandbox.CgroupsWriteControlFile(
		control.CgroupControlFile{Controller: "memory", Path: "/", Name: "memory.limit_in_bytes"}, strconv.FormatUint(bytes, 10))
}

// tellHostname names the sandbox, whose containers share its UTS namespace: there
// is no other way to than a process inside.
func (g *gvisor) tellHostname() error {
	if g.cfg.Spec.Hostname == "" {
		return nil
	}
	code, err := g.runInRoot([]string{bundle.HostnamePath, g.cfg.Spec.Hostname}, "CAP_SYS_ADMIN")
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		return fmt.Errorf("hostname %q: %w", g.cfg.Spec.Hostname, err)
	}
	return nil
}
