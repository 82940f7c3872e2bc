package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"neargate/node/container"
	"neargate/node/sandbox"
	"neargate/node/task"
	"neargate/resource/compute/taskdef"
)

// Host is the Worker of a real host: it runs jobs in a sandbox, each in a
// goroutine of its own, and sends what comes of them.
type Host struct {
	ctx     context.Context
	sandbox sandbox.Sandbox
	pull    func(ctx context.Context, image string) (digest string, err error)
	reports chan Report

	mu    sync.Mutex
	lanes map[string]*lane // by task
}

// lane is what goes on for one task.
type lane struct {
	ctx       context.Context
	cancel    context.CancelFunc
	jobs      sync.WaitGroup
	following map[string]bool // by container name
}

// NewHost is a worker that uses the sandbox until ctx ends. pull makes an image
// available and returns its digest; its error is the text ECS shows.
func NewHost(ctx context.Context, s sandbox.Sandbox, pull func(ctx context.Context, image string) (string, error)) *Host {
	return &Host{ctx: ctx, sandbox: s, pull: pull, reports: make(chan Report), lanes: map[string]*lane{}}
}

// Reports brings the answers to jobs.
func (h *Host) Reports() <-chan Report { return h.reports }

// Found implements Worker.
func (h *Host) Found(ctx context.Context) (map[string]map[string]task.Found, error) {
	all, err := h.sandbox.List(ctx)
	found := map[string]map[string]task.Found{}
	for _, s := range all {
		found[s.Task] = map[string]task.Found{}
		for _, c := range s.Containers {
			if !c.Started {
				continue
			}
			f := task.Found{Running: c.Exit == nil}
			if c.Exit != nil {
				f.ExitCode, f.ExitedAt, f.Reason = &c.Exit.Code, c.Exit.At, exitReason(c.Exit)
			}
			found[s.Task][c.Name] = f
		}
	}
	return found, err
}

// Do implements Worker.
func (h *Host) Do(j Job) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := j.Task.ID
	l := h.lanes[id]
	if l == nil {
		l = &lane{following: map[string]bool{}}
		l.ctx, l.cancel = context.WithCancel(h.ctx)
		h.lanes[id] = l
	}
	if j.Action.Verb == task.Unplug {
		delete(h.lanes, id)
		go h.unplug(l, j)
		return
	}
	l.jobs.Go(func() { h.perform(l, j) })
}

// unplug ends everything else that goes on for the task first.
func (h *Host) unplug(l *lane, j Job) {
	l.cancel()
	l.jobs.Wait()
	for failures := 0; h.sandbox.Close(h.ctx, j.Task.ID) != nil; failures++ {
		if !pause(h.ctx, min(time.Second<<failures, time.Minute)) {
			return
		}
	}
	h.report(h.ctx, j, task.Event{Kind: task.Unplugged})
}

// report sends an answer, unless the job was cancelled.
func (h *Host) report(ctx context.Context, j Job, e task.Event) {
	e.Container = j.Action.Container
	select {
	case h.reports <- Report{j.Task.ID, e}:
	case <-ctx.Done():
	}
}

func (h *Host) perform(l *lane, j Job) {
	id, name, image := j.Task.ID, "", ""
	if i := j.Action.Container; i < len(j.Task.Spec.Containers) {
		c := j.Task.Spec.Containers[i]
		name, image = c.Name, c.Image
	}
	done := func(ok, failed task.Kind, name string, err error) {
		if err != nil {
			h.report(l.ctx, j, task.Event{Kind: failed, Reason: reason(name, err)})
			return
		}
		h.report(l.ctx, j, task.Event{Kind: ok})
	}
	switch j.Action.Verb {
	case task.Plug:
		err := h.sandbox.Open(l.ctx, sandbox.Spec{Task: id, CPU: j.Task.Spec.CPU, Memory: j.Task.Spec.Memory})
		done(task.Plugged, task.PlugFailed, "ResourceInitializationError", err)
	case task.Pull:
		digest, err := h.pull(l.ctx, image)
		if err != nil {
			done(0, task.PullFailed, "CannotPullContainerError", err)
			return
		}
		h.report(l.ctx, j, task.Event{Kind: task.ImagePulled, Digest: digest})
	case task.Create:
		err := h.sandbox.Create(l.ctx, id, containerOf(&j.Definition, name, image))
		done(task.MadeReady, task.CreateFailed, "CannotCreateContainerError", err)
	case task.Start, task.StartAgain:
		err := h.start(l.ctx, id, name, j.Action.Restart)
		done(task.Started, task.StartFailed, "CannotStartContainerError", err)
		if err == nil {
			h.follow(l, j, name)
		}
	case task.Follow:
		h.follow(l, j, name)
	case task.Signal:
		h.signal(l, id, name, syscall.SIGTERM)
	case task.Kill:
		h.signal(l, id, name, syscall.SIGKILL)
	}
}

// signal signals a container. One that cannot be signalled is killed later, or
// removed with its task.
func (h *Host) signal(l *lane, id, name string, sig syscall.Signal) {
	for h.sandbox.Signal(l.ctx, id, name, sig) != nil && sig == syscall.SIGKILL && pause(l.ctx, retryAfter) {
	}
}

// follow reports a container's health while it runs, and its exit.
func (h *Host) follow(l *lane, j Job, name string) {
	h.mu.Lock()
	twice := l.following[name]
	l.following[name] = true
	h.mu.Unlock()
	if twice {
		return
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	if d := j.Definition.Container(name); d != nil && container.HealthCommand(d.HealthCheck) != nil {
		l.jobs.Go(func() { h.watchHealth(ctx, j, name, d.HealthCheck) })
	}
	exit, err := h.sandbox.Wait(l.ctx, j.Task.ID, name)
	cancel()
	h.mu.Lock()
	delete(l.following, name) // it may be started again
	h.mu.Unlock()
	e := task.Event{Kind: task.Exited, ExitCode: &exit.Code, At: exit.At, Reason: exitReason(&exit)}
	switch {
	case err != nil && l.ctx.Err() != nil:
		return
	case err != nil:
		e = task.Event{Kind: task.Exited, Reason: reason("ContainerVanishedError", err)}
	}
	h.report(l.ctx, j, e)
}

// watchHealth runs a container's health check until ctx ends and reports each
// change.
func (h *Host) watchHealth(ctx context.Context, j Job, name string, check *taskdef.HealthCheck) {
	health := newHealth(check)
	begin := startOf(j, name)
	for pause(ctx, health.interval) {
		attempt, cancel := context.WithTimeout(ctx, health.timeout)
		code, err := h.sandbox.Exec(attempt, j.Task.ID, name, container.HealthCommand(check))
		cancel()
		if ctx.Err() != nil {
			return
		}
		if changed := health.seen(err == nil && code == 0, time.Since(begin)); changed {
			h.report(ctx, j, task.Event{Kind: task.HealthSeen, Health: health.status})
		}
	}
}

func containerOf(def *taskdef.Definition, name, image string) sandbox.Container {
	c := sandbox.Container{Name: name, Image: image}
	d := def.Container(name)
	if d == nil {
		return c
	}
	c.Args = append(append([]string{}, d.EntryPoint...), d.Command...)
	for _, v := range d.Environment {
		if v.Value != nil {
			c.Env = append(c.Env, v.Name+"="+*v.Value)
		}
	}
	return c
}

// named is an error that brings its own ECS error name.
type named interface {
	error
	ECSName() string
}

// reason is the text ECS shows for an error: its name, a colon, and the message.
func reason(name string, err error) string {
	if n, ok := errors.AsType[named](err); ok {
		name = n.ECSName()
	}
	return fmt.Sprintf("%s: %v", name, err)
}
