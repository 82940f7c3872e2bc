package task

import (
	"slices"
	"strings"
	"time"

	"neargate/resource/compute"
)

// Next is the state after an event, and what to do. Events that do not fit the
// state, such as a second exit, change nothing.
func Next(spec *Spec, s State, e Event, now time.Time) (State, []Action) {
	return apply(spec, s, []Event{e}, now)
}

// apply is Next for events known at the same time.
func apply(spec *Spec, s State, events []Event, now time.Time) (State, []Action) {
	m := machine{spec: spec, s: s, now: now}
	m.s.Boxes = slices.Clone(s.Boxes)
	m.s.Reported.Containers = slices.Clone(s.Reported.Containers)
	for _, e := range events {
		m.hear(e)
	}
	m.settle()
	if statusesDiffer(&s.Reported, &m.s.Reported) {
		m.s.Reported.Version++
	}
	return m.s, m.do
}

type machine struct {
	spec *Spec
	s    State
	now  time.Time
	do   []Action
}

// hear records what an event says.
func (m *machine) hear(e Event) {
	switch e.Kind {
	case Attached:
		if m.s.Link == Unlinked && !m.stopping() {
			m.s.Link = Linking
			m.act(Plug, 0)
		}
	case Plugged:
		if m.s.Link == Linking {
			m.s.Link = Linked
			m.s.ConnectedAt = m.now
		}
	case PlugFailed, AttachFailed:
		if m.s.Link == Linking || m.s.Link == Unlinked {
			m.stop(compute.TaskFailedToStart, e.Reason)
		}
	case Unplugged:
		if m.s.Link == Unlinking {
			m.s.Link = Gone
		}
	case Detached:
		m.s.Detached = true
	case StopWanted:
		if !m.stopping() {
			m.s.Intent = e.Intent
		}
	case Tick:
	default:
		m.hearContainer(e)
	}
}

func (m *machine) hearContainer(e Event) {
	if e.Container >= len(m.s.Boxes) || e.Kind == Exited && m.restart(e) {
		return
	}
	again := m.s.Boxes[e.Container].Stage == Restarting
	if !m.move(e.Container, e.Kind) {
		return
	}
	b, c := &m.s.Boxes[e.Container], &m.s.Reported.Containers[e.Container]
	essential := m.spec.Containers[e.Container].Essential
	switch e.Kind {
	case ImagePulled:
		b.Digest = e.Digest
		m.s.PullsTo = m.now
	case PullFailed:
		m.s.PullsTo = m.now
		m.stop(compute.TaskFailedToStart, e.Reason)
	case CreateFailed, StartFailed:
		if again {
			c.ExitCode, c.Reason = b.LastExit, e.Reason
			if essential {
				m.stop(compute.EssentialContainerExited, reasonExited)
			}
			return
		}
		if strings.HasPrefix(e.Reason, "ResourceInitializationError") {
			m.stop(compute.TaskFailedToStart, e.Reason)
			return
		}
		c.Reason = e.Reason
		if essential {
			m.stop(compute.TaskFailedToStart, reasonStartFailed)
		}
	case Started:
		c.Last, c.Started = compute.Running, true
		c.ImageDigest = b.Digest
		c.RuntimeID = RuntimeID(m.spec.ID, c.Name)
		c.StartedAt = m.now
		if again {
			c.Restarts++
		}
	case Exited:
		c.ExitCode, c.Reason = e.ExitCode, e.Reason
		if essential {
			m.stop(compute.EssentialContainerExited, reasonExited)
		}
	case HealthSeen:
		c.Health = e.Health
	}
}

// settle draws the conclusions: it starts and stops what can be, and moves the
// task on.
func (m *machine) settle() {
	if m.s.Link == Linked && !m.stopping() {
		m.advance(networked)
		m.startContainers()
	}
	if m.stopping() {
		m.stopContainers()
		m.remove()
	}
	m.s.Reported.Health = m.health()
}

// startContainers pulls every image at once and starts each container when its
// dependencies allow it. It may find that the task cannot start.
func (m *machine) startContainers() {
	for i := range m.s.Boxes {
		if m.move(i, pull) {
			if m.s.PullsFrom.IsZero() {
				m.s.PullsFrom, m.s.Reported.PullStartedAt = m.now, m.now
			}
			m.act(Pull, i)
		}
	}
	if slices.ContainsFunc(m.s.Boxes, func(b Box) bool { return b.Stage == Pulling }) {
		return
	}
	if m.s.Reported.PullStoppedAt.IsZero() {
		m.s.Reported.PullStoppedAt = m.s.PullsTo
	}
	// A container that ends without having started may end others: again until
	// nothing changes.
	for changed := true; changed && !m.stopping(); {
		changed = false
		for i := 0; i < len(m.s.Boxes) && !m.stopping(); i++ {
			changed = m.startContainer(i) || changed
		}
	}
	if !m.stopping() && m.allStarted() {
		if m.s.Reported.Last == compute.Pending || m.s.Reported.Last == compute.Activating {
			m.s.Reported.StartedAt = m.now
		}
		m.connect()
		m.advance(up)
	}
}

// startContainer takes container i as far as it can go and reports whether it
// ended.
func (m *machine) startContainer(i int) bool {
	ready, never := m.dependencies(i)
	switch stage := m.s.Boxes[i].Stage; {
	case never && stage < Creating:
		m.move(i, abort)
		if m.spec.Containers[i].Essential {
			m.stop(compute.TaskFailedToStart, reasonStartFailed)
		}
		return true
	case ready && m.move(i, create):
		m.act(Create, i)
	case m.move(i, start):
		m.act(Start, i)
	}
	return false
}

// dependencies tells whether all that container i waits for has come, and
// whether some of it never will.
func (m *machine) dependencies(i int) (ready, never bool) {
	ready = true
	for _, d := range m.spec.Containers[i].DependsOn {
		if m.s.met(d) {
			continue
		}
		ready = false
		giveUp := m.s.giveUpAt(m.spec, d.Container)
		never = never || m.s.Boxes[d.Container].Stage == Ended || !giveUp.IsZero() && !m.now.Before(giveUp)
	}
	return ready, never
}

// allStarted reports whether no container has still to start, and one runs.
func (m *machine) allStarted() bool {
	running := false
	for _, b := range m.s.Boxes {
		if b.Stage < Running {
			return false
		}
		running = running || b.Stage != Ended
	}
	return running
}

// stopContainers stops the containers in reverse order of their dependencies:
// each gets its stop signal when all that depend on it have ended.
func (m *machine) stopContainers() {
	for changed := true; changed; {
		changed = false
		for i := range m.s.Boxes {
			b := &m.s.Boxes[i]
			if next[b.Stage][abort] != none {
				m.move(i, abort)
				changed = true
			}
			if m.dependentsEnded(i) && m.move(i, signal) {
				b.KillAt = m.now.Add(m.spec.Containers[i].StopTimeout)
				m.act(Signal, i)
			}
			if b.Stage == Signalled && !m.now.Before(b.KillAt) && m.move(i, kill) {
				m.act(Kill, i)
			}
		}
	}
}

func (m *machine) dependentsEnded(i int) bool {
	for j := range m.s.Boxes {
		waits := slices.ContainsFunc(m.spec.Containers[j].DependsOn, func(d Dependency) bool { return d.Container == i })
		if waits && m.s.Boxes[j].Stage != Ended {
			return false
		}
	}
	return true
}

// remove clears the node of a task whose containers have all ended.
func (m *machine) remove() {
	r := &m.s.Reported
	if slices.ContainsFunc(m.s.Boxes, func(b Box) bool { return b.Stage != Ended }) {
		return
	}
	switch m.s.Link {
	case Unlinked:
		m.s.Link = Gone
	case Linking, Linked:
		m.s.Link = Unlinking
		if r.ExecutionStoppedAt.IsZero() && !r.PullStartedAt.IsZero() {
			r.ExecutionStoppedAt = m.now
		}
		m.act(Unplug, 0)
	}
	if m.s.Link != Gone {
		return
	}
	if r.Last != compute.Deprovisioning {
		m.connect()
		if r.PullStoppedAt.IsZero() {
			r.PullStoppedAt = m.s.PullsTo
		}
		m.advance(over)
		if r.PullStartedAt.IsZero() {
			r.StoppedAt = m.now // as recorded for tasks stopped while provisioning
		}
		return
	}
	if m.s.Detached {
		if r.StoppedAt.IsZero() {
			r.StoppedAt = m.now
		}
		m.advance(released)
	}
}

// connect shows what ECS keeps back while a task is PENDING: its connectivity and
// the containers' runtime ids.
func (m *machine) connect() {
	r := &m.s.Reported
	if m.s.ConnectedAt.IsZero() || r.Connectivity != "" {
		return
	}
	r.Connectivity, r.ConnectivityAt = "CONNECTED", m.s.ConnectedAt
	for i := range r.Containers {
		r.Containers[i].RuntimeID = RuntimeID(m.spec.ID, r.Containers[i].Name)
		r.Containers[i].ImageDigest = m.s.Boxes[i].Digest
	}
}

// health is the task's: that of its essential containers with a health check.
func (m *machine) health() string {
	checked, healthy := 0, 0
	for i, c := range m.spec.Containers {
		if !c.Essential || !c.HealthCheck {
			continue
		}
		checked++
		switch m.s.Reported.Containers[i].Health {
		case Unhealthy:
			return Unhealthy
		case Healthy:
			healthy++
		}
	}
	if checked > 0 && healthy == checked {
		return Healthy
	}
	return Unknown
}

func (m *machine) stopping() bool { return m.s.Intent.Desired == compute.Stopped }

// stop decides that the task ends; the first reason stays.
func (m *machine) stop(code compute.StopCode, reason string) {
	if !m.stopping() {
		m.s.Intent = compute.Intent{Desired: compute.Stopped, StopCode: code, StopReason: reason, StoppingAt: m.now}
	}
}

// move applies an event to container i and reports whether its stage knows it.
func (m *machine) move(i int, k Kind) bool {
	to := next[m.s.Boxes[i].Stage][k]
	if to == none {
		return false
	}
	m.s.Boxes[i].Stage = to
	if to == Ended {
		m.s.Reported.Containers[i].Last = compute.Stopped
	}
	return true
}

func (m *machine) act(v Verb, container int) {
	m.do = append(m.do, Action{Verb: v, Container: container})
}

// advance moves the task's lastStatus if its life cycle knows the step.
func (m *machine) advance(st step) {
	if to := lastStatus[m.s.Reported.Last][st]; to != "" {
		m.s.Reported.Last = to
	}
}

// statusesDiffer reports whether the difference between two states is one that
// ECS counts in the task's version: that of a status.
func statusesDiffer(a, b *compute.TaskState) bool {
	return a.Last != b.Last || !slices.EqualFunc(a.Containers, b.Containers,
		func(x, y compute.ContainerState) bool { return x.Last == y.Last })
}
