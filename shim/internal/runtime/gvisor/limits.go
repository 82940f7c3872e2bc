package gvisor

import (
	"math"

	"neargate/shim/api"
	"neargate/shim/internal/host"
)

// allLimits are all resource limits of a container that says nothing. Those that are
// left out would be those of the container before: gVisor keeps one set for its
// sandbox and writes what a container says into it.
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
