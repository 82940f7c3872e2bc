// Package fake runs tasks in memory, for simulations and tests. Host is the model,
// without clock or goroutine; Sandbox puts a clock to it.
package fake

import (
	"cmp"
	"fmt"
	"slices"
	"syscall"
	"time"

	"neargate/node/sandbox"
)

// Behaviour is what a container does. The zero value starts at once, runs until it
// is told to stop, and exits with code 0 then.
type Behaviour struct {
	CreateError, StartError error
	StartTakes              time.Duration
	Life                    time.Duration // exits by itself this long after its start; 0: never
	Code                    int32         // exit code of its own accord
	OOM                     bool          // it ends for want of memory, with code 137
	StopTakes               time.Duration // from SIGTERM to the exit
	StopCode                int32         // exit code after SIGTERM
	Deaf                    bool          // ignores SIGTERM
	Reads                   bool          // exits with Code when its standard input ends
	Sick                    bool          // Exec returns 1
}

// Script tells how a container behaves.
type Script func(task string, c sandbox.Container) Behaviour

// Host is the model of a node's sandboxes. It is not safe for concurrent use;
// every call says what time it is, and time does not go back.
type Host struct {
	script Script
	boxes  map[string][]*container // by task, in the order of creation
}

type container struct {
	task     string
	spec     sandbox.Container
	does     Behaviour
	started  bool
	restarts int
	endsAt   time.Time // zero: not known
	endCode  int32
	over     bool
	oom      bool
}

// NewHost is an empty host. A nil script gives every container the zero
// Behaviour.
func NewHost(script Script) *Host {
	if script == nil {
		script = func(string, sandbox.Container) Behaviour { return Behaviour{} }
	}
	return &Host{script: script, boxes: map[string][]*container{}}
}

// Open makes a task's sandbox.
func (h *Host) Open(task string) {
	if _, ok := h.boxes[task]; !ok {
		h.boxes[task] = nil
	}
}

// Create makes a container.
func (h *Host) Create(task string, c sandbox.Container) error {
	if _, ok := h.boxes[task]; !ok {
		return sandbox.ErrNotFound
	}
	if h.find(task, c.Name) != nil {
		return nil
	}
	does := h.script(task, c)
	if does.CreateError != nil {
		return does.CreateError
	}
	h.boxes[task] = append(h.boxes[task], &container{task: task, spec: c, does: does})
	return nil
}

// StartTakes is how long starting the container takes.
func (h *Host) StartTakes(task, name string) time.Duration {
	if c := h.find(task, name); c != nil && !c.started {
		return c.does.StartTakes
	}
	return 0
}

// Start starts a container.
func (h *Host) Start(task, name string, now time.Time) error {
	c := h.find(task, name)
	switch {
	case c == nil:
		return sandbox.ErrNotFound
	case c.started:
		return nil
	case c.does.StartError != nil:
		return c.does.StartError
	}
	c.start(now)
	return nil
}

// Restart starts a container that has ended for the n-th time again.
func (h *Host) Restart(task, name string, n int, now time.Time) error {
	c := h.find(task, name)
	switch {
	case c == nil:
		return sandbox.ErrNotFound
	case !c.started:
		return sandbox.ErrNotRunning
	case c.restarts == n && n > 0:
		return nil
	case c.restarts != n-1 || c.exit(now) == nil:
		return fmt.Errorf("fake: start %d again of a container that runs, or was started %d times again", n, c.restarts)
	case c.does.StartError != nil:
		return c.does.StartError
	}
	c.restarts, c.over, c.oom, c.endsAt, c.endCode = n, false, false, time.Time{}, 0
	c.start(now)
	return nil
}

// start begins a container's life.
func (c *container) start(now time.Time) {
	c.started = true
	if c.does.Reads && !c.spec.Interactive && !c.spec.Terminal {
		c.endsAt, c.endCode = now, c.does.Code
		return
	}
	if c.does.Life > 0 || c.does.OOM {
		c.endsAt, c.endCode = now.Add(c.does.Life), c.does.Code
		if c.does.OOM {
			c.endCode, c.oom = 137, true
		}
	}
}

// Signal sends a signal.
func (h *Host) Signal(task, name string, sig syscall.Signal, now time.Time) error {
	c := h.find(task, name)
	switch {
	case c == nil:
		return sandbox.ErrNotFound
	case !c.started:
		return sandbox.ErrNotRunning
	case c.over || !c.endsAt.IsZero() && !now.Before(c.endsAt):
	case sig == syscall.SIGKILL:
		c.endsAt, c.endCode, c.oom = now, 137, false
	case sig == syscall.SIGTERM && !c.does.Deaf:
		if at := now.Add(c.does.StopTakes); c.endsAt.IsZero() || at.Before(c.endsAt) {
			c.endsAt, c.endCode, c.oom = at, c.does.StopCode, false
		}
	}
	return nil
}

// Exec runs a command.
func (h *Host) Exec(task, name string, now time.Time) (int32, error) {
	c := h.find(task, name)
	switch {
	case c == nil:
		return 0, sandbox.ErrNotFound
	case c.exit(now) != nil || !c.started:
		return 0, sandbox.ErrNotRunning
	case c.does.Sick:
		return 1, nil
	}
	return 0, nil
}

// Stats tells of a process in each running container, that uses nothing.
func (h *Host) Stats(task string, now time.Time) (sandbox.Stats, error) {
	all, ok := h.boxes[task]
	if !ok {
		return sandbox.Stats{}, sandbox.ErrNotFound
	}
	st := sandbox.Stats{At: now, Containers: map[string]sandbox.Usage{}}
	for _, c := range all {
		if c.started && c.exit(now) == nil {
			st.Containers[c.spec.Name] = sandbox.Usage{Processes: 1, MemoryLimit: uint64(c.spec.Memory) << 20}
			st.Task.Processes++
		}
	}
	return st, nil
}

// Close removes a task's sandbox.
func (h *Host) Close(task string) { delete(h.boxes, task) }

// Exit tells how a container ended, nil if it has not.
func (h *Host) Exit(task, name string, now time.Time) (*sandbox.Exit, error) {
	c := h.find(task, name)
	if c == nil {
		return nil, sandbox.ErrNotFound
	}
	return c.exit(now), nil
}

// EndsAt is when a container will end as things are, zero when not known.
func (h *Host) EndsAt(task, name string) time.Time {
	if c := h.find(task, name); c != nil {
		return c.endsAt
	}
	return time.Time{}
}

// List tells of every sandbox.
func (h *Host) List(now time.Time) []sandbox.Status {
	var all []sandbox.Status
	for task, cs := range h.boxes {
		s := sandbox.Status{Task: task}
		for _, c := range cs {
			s.Containers = append(s.Containers, sandbox.ContainerStatus{Name: c.spec.Name, Started: c.started, Restarts: c.restarts, Exit: c.exit(now)})
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sandbox.Status) int { return cmp.Compare(a.Task, b.Task) })
	return all
}

func (h *Host) find(task, name string) *container {
	for _, c := range h.boxes[task] {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

func (c *container) exit(now time.Time) *sandbox.Exit {
	if c.endsAt.IsZero() || now.Before(c.endsAt) {
		return nil
	}
	c.over = true
	return &sandbox.Exit{Code: c.endCode, OOM: c.oom, At: c.endsAt}
}
