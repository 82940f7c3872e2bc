package gvisor

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"

	"neargate/shim/api"
	"neargate/shim/internal/bundle"
	"neargate/shim/internal/sentry"
)

// idleWeight is the weight, in CPU units, of a sandbox that waits for a task, and of its
// making: others come first.
const idleWeight = 100

// waits reports whether the sandbox has no task yet.
func (g *gvisor) waits() bool { return g.Cfg.Spec.Task == "" }

// Prepare implements runtime.Adopter.
func (g *gvisor) Prepare(s api.Spec, whole bool) error {
	if g.whole { // Adopt looks whether it is the same
		return nil
	}
	_, _ = g.Disk() // nobody else looks at the spec then; a container will ask how it went
	if g.prepared && sameSize(s, g.Cfg.Spec) {
		if g.whole = whole; whole {
			g.Cfg.Spec = s
		}
		return nil
	}
	if err := g.started(); err != nil {
		return err
	}
	had := g.Cfg.Spec.Disk
	g.Cfg.Spec, g.prepared = s, false
	if err := g.resizeDisk(had); err != nil {
		return err
	}
	var all sync.WaitGroup
	errs := make([]error, 2)
	all.Go(func() { errs[0] = errors.Join(g.Group.Create(g.limits()), g.Group.Weigh(1024)) })
	all.Go(func() { errs[1] = errors.Join(g.tellMemory(), g.tellHostname()) })
	all.Wait()
	err := errors.Join(errs...)
	g.prepared, g.whole = err == nil, err == nil && whole
	return err
}

// sameSize reports whether nothing that Prepare does tells two specs apart.
func sameSize(a, b api.Spec) bool {
	return a.CPU == b.CPU && a.Memory == b.Memory && a.Processes == b.Processes && a.Disk == b.Disk && a.Hostname == b.Hostname
}

// Adopt implements runtime.Adopter.
func (g *gvisor) Adopt(s api.Spec) error {
	if err := g.started(); err != nil {
		return err
	}
	if g.whole && !reflect.DeepEqual(s, g.Cfg.Spec) {
		return errors.New("the sandbox was prepared for another task")
	}
	var all sync.WaitGroup
	errs := make([]error, 2)
	links := &links{}
	all.Go(func() { errs[0] = g.Prepare(s, false) })
	all.Go(func() { errs[1] = links.attach(g.control(), g.conf) })
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if !g.whole {
		g.Cfg.Spec = s // with what Prepare does not look at
	}
	return links.release()
}

// resizeDisk begins to make another disk where the one that was made in advance
// has the wrong size. Nothing is on it yet.
func (g *gvisor) resizeDisk(had int) error {
	if had == g.Cfg.Spec.Disk {
		return nil
	}
	dir, err := g.Disk() // it was begun with the sandbox
	if had > 0 && err == nil {
		err = unix.Unmount(dir, unix.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("disk of the sandbox: %w", err)
	}
	g.ForgetDisk()
	g.makeDisk()
	return nil
}

// control is the path of the sandbox's control socket.
func (g *gvisor) control() string { return g.root.Sandbox.GetControlSocketPath() }

// tellMemory makes the memory limit what /proc/meminfo and the sandbox's own
// cgroups show, which containers inherit.
func (g *gvisor) tellMemory() error {
	if g.Cfg.Spec.Memory == 0 {
		return nil
	}
	conn, err := client.ConnectTo(g.control())
	if err != nil {
		return err
	}
	defer conn.Close()
	bytes := uint64(g.Cfg.Spec.Memory) << 20
	if err := sentry.SetMemory(conn, bytes); err != nil {
		return fmt.Errorf("memory of the sandbox: %w", err)
	}
	return g.root.Sandbox.CgroupsWriteControlFile(
		control.CgroupControlFile{Controller: "memory", Path: "/", Name: "memory.limit_in_bytes"}, strconv.FormatUint(bytes, 10))
}

// tellHostname names the sandbox, whose containers share its UTS namespace: there
// is no other way to than a process inside.
func (g *gvisor) tellHostname() error {
	if g.Cfg.Spec.Hostname == "" {
		return nil
	}
	code, err := g.runInRoot([]string{bundle.HostnamePath, g.Cfg.Spec.Hostname}, "CAP_SYS_ADMIN")
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		return fmt.Errorf("hostname %q: %w", g.Cfg.Spec.Hostname, err)
	}
	return nil
}
