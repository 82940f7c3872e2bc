package gvisor

import (
	"fmt"
	"math"

	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/sentry/control"

	"neargate/shim/api"
	"neargate/shim/internal/host"
	"neargate/shim/internal/sentry"
)

// allLimits are all resource limits of a container that says nothing. Those that are
// left out would be those of the container before: gVisor writes what a container
// says into what it has.
func allLimits() []api.Ulimit {
	all := append(host.Nofile(),
		api.Ulimit{Name: "RLIMIT_MEMLOCK", Soft: 64 << 10, Hard: 64 << 10},
		api.Ulimit{Name: "RLIMIT_MSGQUEUE", Soft: 800 << 10, Hard: 800 << 10},
		api.Ulimit{Name: "RLIMIT_NICE"}, api.Ulimit{Name: "RLIMIT_RTPRIO"}, api.Ulimit{Name: "RLIMIT_SIGPENDING"},
		api.Ulimit{Name: "RLIMIT_STACK", Soft: 8 << 20, Hard: math.MaxUint64})
	for _, name := range []string{"AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "NPROC", "RSS", "RTTIME"} {
		all = append(all, api.Ulimit{Name: "RLIMIT_" + name, Soft: math.MaxUint64, Hard: math.MaxUint64})
	}
	return all
}

// apart starts a process whose limits are its own.
func (g *gvisor) apart(start func() error) error {
	g.entering.Lock()
	defer g.entering.Unlock()
	conn, err := client.ConnectTo(g.control())
	if err != nil {
		return err
	}
	err = sentry.SeparateLimits(conn)
	conn.Close()
	if err != nil {
		return fmt.Errorf("limits of the sandbox: %w", err)
	}
	return start()
}

// execute starts a command.
func (g *gvisor) execute(args *control.ExecArgs) (pid int32, err error) {
	err = g.apart(func() error {
		pid, err = g.root.Sandbox.Execute(g.conf, args)
		return err
	})
	return pid, err
}
