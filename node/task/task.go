// Package task is the life cycle of a task and its containers on a node, as a
// pure function: Next takes what is known of a task and an event, and says what
// is known then and what has to be done. It follows the recorded behaviour of
// Amazon ECS on Fargate.
//
// Every action is answered by an event: Plug by Plugged or PlugFailed, Pull by
// ImagePulled or PullFailed, Create by MadeReady or CreateFailed, Start and
// StartAgain by Started or StartFailed and later Exited, Signal and Kill by Exited,
// Unplug by Unplugged, Follow by Exited.
package task

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"neargate/resource/compute"
)

// Spec is what a life cycle depends on of a task's definition.
type Spec struct {
	ID         string // the task's id
	Containers []Container
}

// Container is what a life cycle depends on of a container's definition.
type Container struct {
	Name         string
	Essential    bool
	HealthCheck  bool
	DependsOn    []Dependency
	StartTimeout time.Duration // for those that depend on it; 0: no limit
	StopTimeout  time.Duration // from the stop signal to the kill
	Restart      Restart
}

// DefaultStopTimeout is ECS's stopTimeout where a definition has none.
const DefaultStopTimeout = 30 * time.Second

// Condition is what a container waits for in another one.
type Condition string

// The conditions of ECS.
const (
	OnStart    Condition = "START"
	OnComplete Condition = "COMPLETE"
	OnSuccess  Condition = "SUCCESS"
	OnHealthy  Condition = "HEALTHY"
)

// Dependency makes a container wait for another one, and be stopped before it.
type Dependency struct {
	Container int // index in Spec.Containers
	Condition Condition
}

// State is what the node knows of a task. The zero Stage values are a new task's.
type State struct {
	Reported    compute.TaskState // what DescribeTasks shows
	Intent      compute.Intent
	Boxes       []Box // as Spec.Containers
	Link        Link
	ConnectedAt time.Time
	Detached    bool // the task has no interface (any more)
	PullsFrom   time.Time
	PullsTo     time.Time
}

// Box is what the node knows of a container besides what it reports.
type Box struct {
	Stage    Stage
	Digest   string
	KillAt   time.Time // when Signalled
	LastExit *int32    // when Restarting: how it exited
}

// Link is the state of the task's sandbox and interface on the node.
type Link uint8

// The states of a link.
const (
	Unlinked Link = iota
	Linking
	Linked
	Unlinking
	Gone
)

// Event is something that happened.
type Event struct {
	Kind      Kind
	Container int // index, for a container's events
	Reason    string
	Digest    string
	ExitCode  *int32
	At        time.Time // when it exited; zero: now
	Health    string
	Intent    compute.Intent
}

// Verb is something to do.
type Verb uint8

// The verbs.
const (
	Plug       Verb = iota // make the sandbox and plug the interface into it
	Pull                   // pull the container's image
	Create                 // create the container
	Start                  // start its process
	Signal                 // send its stop signal
	Kill                   // kill it
	Unplug                 // remove everything of the task
	Follow                 // report the exit and the health of a container that runs already
	StartAgain             // start the process of a container that has exited, on the same file system
)

// Action is something to do for a task.
type Action struct {
	Verb      Verb
	Container int // index, for a container's actions
	Restart   int // for StartAgain: the how manieth it is of the container
}

// The texts of ECS.
const (
	reasonExited      = "Essential container in task exited"
	reasonStartFailed = "Task failed to start"
)

// The health of tasks and containers.
const (
	Healthy   = "HEALTHY"
	Unhealthy = "UNHEALTHY"
	Unknown   = "UNKNOWN"
)

// New is the state of a task the node has just been given. That it should stop
// already is for StopWanted to say.
func New(spec *Spec, reported compute.TaskState) State {
	if len(reported.Containers) != len(spec.Containers) {
		reported.Containers = make([]compute.ContainerState, len(spec.Containers))
		for i, c := range spec.Containers {
			reported.Containers[i] = compute.ContainerState{Name: c.Name, Last: compute.Pending, Health: Unknown}
		}
	}
	return State{Reported: reported, Intent: compute.Intent{Desired: compute.Running}, Boxes: make([]Box, len(spec.Containers))}
}

// Found is what is found of a container on a node whose agent starts again. What is
// not known of it is zero.
type Found struct {
	Running   bool
	ExitCode  *int32 // of one that is over
	ExitedAt  time.Time
	Reason    string // of one that is over, if it was no plain exit
	Digest    string
	StartedAt time.Time // last
	Restarts  int
}

// Adopt is the state of a task after a restart of the agent. found is by
// container name, of those that were ever started. A task that had not started
// any container starts anew; a container that ran and is gone counts as exited
// without a code.
func Adopt(spec *Spec, reported compute.TaskState, intent compute.Intent, found map[string]Found, now time.Time) (State, []Action) {
	s := New(spec, reported)
	s.Intent = intent
	over := s.Reported.Last == compute.Deprovisioning
	if over {
		s.Link = Gone
	} else if len(found) > 0 || anyStarted(reported) || s.Intent.Desired == compute.Stopped {
		s.Link = Linked // or was: what is left is cleared by Unplug
	}
	s.PullsFrom, s.PullsTo = reported.PullStartedAt, reported.PullStoppedAt
	s.ConnectedAt = s.Reported.ConnectivityAt
	s.Reported.Containers = slices.Clone(s.Reported.Containers)
	var events []Event
	var follow []Action
	for i := range spec.Containers {
		c := &s.Reported.Containers[i]
		f, ok := found[c.Name]
		switch {
		case over, c.Last == compute.Stopped:
			s.Boxes[i].Stage = Ended
		case ok, c.Last == compute.Running:
			s.Boxes[i] = Box{Stage: Running, Digest: f.Digest}
			recall(c, f, now)
			if f.Running {
				follow = append(follow, Action{Verb: Follow, Container: i})
			} else {
				events = append(events, Event{Kind: Exited, Container: i, ExitCode: f.ExitCode, Reason: f.Reason, At: f.ExitedAt})
			}
		}
	}
	s, do := apply(spec, s, append(events, Event{Kind: Tick}), now)
	return s, append(follow, do...)
}

// recall is what was reported of a container that was started, and what is found of
// it: the report may be a start behind.
func recall(c *compute.ContainerState, f Found, now time.Time) {
	c.Last, c.Started = compute.Running, true
	c.Restarts = max(c.Restarts, f.Restarts)
	switch {
	case !f.StartedAt.IsZero():
		c.StartedAt = f.StartedAt
	case c.StartedAt.IsZero():
		c.StartedAt = now
	}
}

func anyStarted(r compute.TaskState) bool {
	return slices.ContainsFunc(r.Containers, func(c compute.ContainerState) bool { return c.Started })
}

// RuntimeID is the runtime id of a container of a task: the task's id and, as
// recorded from ECS, the 32-bit FNV-1a hash of the container's name.
func RuntimeID(task, container string) string {
	h := fnv.New32a()
	h.Write([]byte(container))
	return fmt.Sprintf("%s-%010d", task, h.Sum32())
}

// Deadline is when Next must be told of a Tick; zero: never.
func Deadline(spec *Spec, s State) time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for i := range s.Boxes {
		if s.Boxes[i].Stage == Signalled {
			earlier(s.Boxes[i].KillAt)
		}
		if s.Boxes[i].Stage >= Creating {
			continue
		}
		for _, d := range spec.Containers[i].DependsOn {
			if !s.met(d) {
				earlier(s.giveUpAt(spec, d.Container))
			}
		}
	}
	return at
}

// giveUpAt is when those that wait for container i stop waiting.
func (s *State) giveUpAt(spec *Spec, i int) time.Time {
	limit, started := spec.Containers[i].StartTimeout, s.Reported.Containers[i].StartedAt
	if limit == 0 || started.IsZero() {
		return time.Time{}
	}
	return started.Add(limit)
}

// met reports whether a dependency is satisfied.
func (s *State) met(d Dependency) bool {
	ended, c := s.Boxes[d.Container].Stage == Ended, &s.Reported.Containers[d.Container]
	switch d.Condition {
	case OnComplete:
		return ended && c.Started
	case OnSuccess:
		return ended && c.ExitCode != nil && *c.ExitCode == 0
	case OnHealthy:
		return !ended && c.Health == Healthy
	}
	return c.Started
}
