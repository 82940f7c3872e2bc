package task

import (
	"slices"
	"time"
)

// Restart is when a container that has exited by itself is started again while its
// task goes on. The zero value is never. Source: Amazon ECS API reference,
// ContainerRestartPolicy.
type Restart struct {
	Enabled bool
	Ignored []int32       // exit codes that end the container
	Period  time.Duration // it must have run so long since it was last started
}

// DefaultRestartPeriod is ECS's restartAttemptPeriod where a policy has none.
const DefaultRestartPeriod = 300 * time.Second

// allows reports whether a container that exited with a code after it ran so long
// is started again. One that is gone without a code is not.
func (r *Restart) allows(code *int32, ran time.Duration) bool {
	return r.Enabled && code != nil && !slices.Contains(r.Ignored, *code) && ran >= r.Period
}

// restart takes an exit after which the container is started again, and reports
// whether it is one. ECS goes on showing the container as RUNNING.
func (m *machine) restart(e Event) bool {
	at := e.At
	if at.IsZero() {
		at = m.now
	}
	b, c := &m.s.Boxes[e.Container], &m.s.Reported.Containers[e.Container]
	policy := &m.spec.Containers[e.Container].Restart
	if m.stopping() || !policy.allows(e.ExitCode, at.Sub(c.StartedAt)) || !m.move(e.Container, restart) {
		return false
	}
	b.LastExit = e.ExitCode
	if c.Health != "" {
		c.Health = Unknown
	}
	m.do = append(m.do, Action{StartAgain, e.Container, c.Restarts + 1})
	return true
}
