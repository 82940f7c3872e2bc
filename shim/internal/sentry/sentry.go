// Package sentry is what this program adds to gVisor's kernel, which is the same
// program: a running sandbox can be told how much memory it has, and to keep the
// limits of processes apart.
package sentry

import (
	"fmt"
	"strconv"

	"gvisor.dev/gvisor/pkg/fd"
	"gvisor.dev/gvisor/pkg/sentry/seccheck"
	"gvisor.dev/gvisor/pkg/sentry/usage"
	"gvisor.dev/gvisor/pkg/urpc"
	"gvisor.dev/gvisor/runsc/boot"
)

// The names of the sinks by which a sandbox is told. Sinks are the part of gVisor that
// programs may add to, and that the control socket configures.
const memorySink, limitsSink = "neargate-memory", "neargate-limits"

// total is the memory sink's only parameter: bytes, in decimal.
const total = "total"

// Register makes the sandbox able to listen. Called once, first in main.
func Register() {
	seccheck.RegisterSink(seccheck.SinkDesc{Name: memorySink, New: newMemory})
	seccheck.RegisterSink(seccheck.SinkDesc{Name: limitsSink, New: newLimits})
}

// sink observes nothing: all is done when it is made.
type sink struct {
	seccheck.SinkDefaults
	name string
}

// Name implements seccheck.Sink.
func (s sink) Name() string { return s.name }

// newMemory sets what the kernel says of its memory. gVisor sets it before anything
// runs, too, and reads it as a whole word.
func newMemory(config map[string]any, _ *fd.FD) (seccheck.Sink, error) {
	text, _ := config[total].(string)
	bytes, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("total memory: %w", err)
	}
	usage.MinimumTotalMemoryBytes, usage.MaximumTotalMemoryBytes = bytes, bytes
	return sink{name: memorySink}, nil
}

// SetMemory tells the sandbox behind a control socket how much memory it has, as
// its containers see it from their next look.
func SetMemory(conn *urpc.Client, bytes uint64) error {
	return tell(conn, seccheck.SinkConfig{Name: memorySink, Config: map[string]any{total: strconv.FormatUint(bytes, 10)}})
}

func tell(conn *urpc.Client, what seccheck.SinkConfig) error {
	name := seccheck.DefaultSessionName
	args := boot.CreateTraceSessionArgs{Force: true, Config: seccheck.SessionConfig{Name: name, Sinks: []seccheck.SinkConfig{what}}}
	if err := conn.Call(boot.ContMgrCreateTraceSession, &args, nil); err != nil {
		return err
	}
	return conn.Call(boot.ContMgrDeleteTraceSession, &name, nil)
}
