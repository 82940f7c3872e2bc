package sentry

import (
	_ "unsafe" // for go:linkname

	"gvisor.dev/gvisor/pkg/fd"
	"gvisor.dev/gvisor/pkg/sentry/limits"
	"gvisor.dev/gvisor/pkg/sentry/seccheck"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/urpc"
)

// processLimits is the variable in which gVisor keeps resource limits. Every first
// process of a container, and every command that is run in one, gets the same set,
// which gVisor writes the limits of the next into: they would share their limits for
// as long as they live. A test of sandboxes fails where it is not this any more.
//
//go:linkname processLimits gvisor.dev/gvisor/runsc/boot.defaults
var processLimits struct {
	mu  sync.Mutex
	set *limits.LimitSet
	err error
}

// newLimits lets those that have the set keep it, and the next have another.
func newLimits(map[string]any, *fd.FD) (seccheck.Sink, error) {
	processLimits.mu.Lock()
	defer processLimits.mu.Unlock()
	if processLimits.set != nil {
		processLimits.set = processLimits.set.GetCopy()
	}
	return sink{name: limitsSink}, nil
}

// SeparateLimits makes the limits of the next process that is started from outside, in
// the sandbox behind a control socket, its own.
func SeparateLimits(conn *urpc.Client) error {
	return tell(conn, seccheck.SinkConfig{Name: limitsSink})
}
