package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"
	"gvisor.dev/gvisor/runsc/specutils"

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

// idle is the weight, in CPU units, of a sandbox that waits for a task, and of its
// making: others come first.
const idle = 100

// waits reports whether the sandbox has no task yet.
func (g *gvisor) waits() bool { return g.cfg.Spec.Task == "" }

// Adopt implements Adopter.
func (g *gvisor) Adopt(s api.Spec) error {
	g.cfg.Spec = s
	conf, err := g.config()
	if err != nil {
		return err
	}
	g.conf = conf
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
	admin := []string{"CAP_SYS_ADMIN"}
	caps, err := specutils.Capabilities(true, &specs.LinuxCapabilities{Bounding: admin, Effective: admin, Permitted: admin})
	if err != nil {
		return err
	}
	e := &control.ExecArgs{Argv: []string{bundle.HostnamePath, g.cfg.Spec.Hostname}, WorkingDirectory: "/", ContainerID: sandboxID, Capabilities: caps}
	code, err := g.exec(context.Background(), e)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		return fmt.Errorf("hostname %q: %w", g.cfg.Spec.Hostname, err)
	}
	return nil
}

// exec runs a command in the sandbox with nothing to read and nobody who hears it.
func (g *gvisor) exec(ctx context.Context, e *control.ExecArgs) (int32, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	e.FilePayload = control.NewFilePayload(map[int]*os.File{0: null, 1: null, 2: null}, nil)
	sandbox := g.root.Sandbox
	pid, err := sandbox.Execute(g.conf, e)
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { _ = sandbox.SignalProcess(e.ContainerID, pid, unix.SIGKILL, false) })
	defer stop()
	ws, err := sandbox.WaitPID(e.ContainerID, pid)
	return exitCode(ws), errors.Join(err, ctx.Err())
}
