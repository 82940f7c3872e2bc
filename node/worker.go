package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"neargate/internal/pause"
	"neargate/node/container"
	"neargate/node/envfile"
	"neargate/node/image"
	"neargate/node/logdriver"
	"neargate/node/outlet"
	"neargate/node/sandbox"
	"neargate/node/secret"
	"neargate/node/task"
	"neargate/node/vpc"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/shim/api"
)

// Parts are what a Host works with. A host without a network, images or logs, as
// one that runs nothing, leaves those out.
type Parts struct {
	Sandbox sandbox.Sandbox
	Network *vpc.Keeper
	Images  Images
	// Access lets a task's request for an image into registries that ask who it is;
	// nil: into none.
	Access func(ctx context.Context, t *compute.Task, r *image.Request) error
	Logs   *logdriver.Driver
	// LogMode is the account's defaultLogDriverMode for a task; nil: non-blocking.
	LogMode func(ctx context.Context, t *compute.Task) (string, error)
	// Environment is what ECS sets for a container; nil: nothing.
	Environment func(t *compute.Task, container string) []string
	// Secrets are where definitions' secrets come from; nil: they have none.
	Secrets secret.Source
	// Files are where their environment files come from; nil: they have none.
	Files envfile.Source
	// Trust is a layer over those of an image, and variables, by which containers trust
	// this installation; nil: they do not.
	Trust func(image []string) (layer string, variables []string, err error)
	// TLS is how what a task needs from the network is asked for; nil: not through its
	// interface.
	TLS *tls.Config
	Log *slog.Logger
}

// Images makes images available and keeps those of tasks; an image.Library does.
type Images interface {
	Pull(ctx context.Context, req image.Request) (image.Image, error)
	Find(task, ref string) (image.Image, bool, error)
	Release(task string) error
	Retain(tasks []string) error
}

// Host is the Worker of a real host: it runs jobs in a sandbox, each in a
// goroutine of its own, and sends what comes of them.
type Host struct {
	ctx context.Context
	Parts
	reports chan Report

	mu    sync.Mutex
	lanes map[string]*lane // by task
}

// lane is what goes on for one task.
type lane struct {
	ctx    context.Context
	cancel context.CancelFunc
	jobs   sync.WaitGroup

	mu        sync.Mutex
	images    map[string]image.Image // by container name
	fetched   map[string]fetched     // by container name
	logs      map[string]api.Log     // by container name
	following map[string]bool        // by container name
	net       *container.Net         // of a sandbox that is still to be opened
	way       *outlet.Outlet         // through its interface; nil: none, or not any more

	opening sync.Mutex
}

// NewHost is a worker that uses the parts until ctx ends.
func NewHost(ctx context.Context, p Parts) *Host {
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	return &Host{ctx: ctx, Parts: p, reports: make(chan Report), lanes: map[string]*lane{}}
}

// Reports brings the answers to jobs.
func (h *Host) Reports() <-chan Report { return h.reports }

// Found implements Worker. Images are kept for what is found.
func (h *Host) Found(ctx context.Context) (map[string]map[string]task.Found, error) {
	all, err := h.Sandbox.List(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]map[string]task.Found{}
	var ids []string
	for _, s := range all {
		ids = append(ids, s.Task)
		found[s.Task] = map[string]task.Found{}
		for _, c := range s.Containers {
			if !c.Started {
				continue
			}
			f := task.Found{Running: c.Exit == nil, Restarts: c.Restarts}
			if c.Exit != nil {
				f.ExitCode, f.ExitedAt, f.Reason = &c.Exit.Code, c.Exit.At, exitReason(c.Exit)
			}
			found[s.Task][c.Name] = f
		}
	}
	if h.Images != nil {
		err = h.Images.Retain(ids)
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
		l = &lane{images: map[string]image.Image{}, fetched: map[string]fetched{}, logs: map[string]api.Log{}, following: map[string]bool{}}
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

// unplug ends everything else that goes on for the task first. What its containers
// wrote is kept before their files go.
func (h *Host) unplug(l *lane, j Job) {
	l.cancel()
	l.jobs.Wait()
	if l.way != nil {
		l.way.Close()
	}
	for failures := 0; ; failures++ {
		err := h.clear(&j.Task)
		if err == nil {
			break
		}
		h.Log.Warn("removing a task", "task", j.Task.ID, "error", err)
		if !pause.For(h.ctx, min(time.Second<<failures, time.Minute)) {
			return
		}
	}
	h.report(h.ctx, j, task.Event{Kind: task.Unplugged})
}

// finishWithin bounds how long a task's removal waits for its output to be stored.
const finishWithin = time.Minute

// clear removes everything of a task.
func (h *Host) clear(t *compute.Task) error {
	if h.Logs != nil {
		ctx, cancel := context.WithTimeout(h.ctx, finishWithin)
		defer cancel()
		h.kill(ctx, t)
		if err := h.Logs.Finish(ctx, t.ID); err != nil {
			h.Log.Error("the output of a task is not stored", "task", t.ID, "error", err)
		}
	}
	if err := h.Sandbox.Close(h.ctx, t.ID); err != nil {
		return err
	}
	if h.Images != nil {
		return h.Images.Release(t.ID)
	}
	return nil
}

// kill ends the containers that still run, as those of a task that another host
// has taken over.
func (h *Host) kill(ctx context.Context, t *compute.Task) {
	for _, c := range t.Spec.Containers {
		if h.Sandbox.Signal(ctx, t.ID, c.Name, syscall.SIGKILL) == nil {
			_, _ = h.Sandbox.Wait(ctx, t.ID, c.Name)
		}
	}
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
	name := ""
	if i := j.Action.Container; i < len(j.Task.Spec.Containers) {
		name = j.Task.Spec.Containers[i].Name
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
		done(task.Plugged, task.PlugFailed, "ResourceInitializationError", h.plug(l, &j))
	case task.Pull:
		digest, err := h.pull(l, &j, name)
		if err != nil {
			done(0, task.PullFailed, "CannotPullContainerError", err)
			return
		}
		h.report(l.ctx, j, task.Event{Kind: task.ImagePulled, Digest: digest})
	case task.Create:
		done(task.MadeReady, task.CreateFailed, "CannotCreateContainerError", h.create(l, &j, name))
	case task.Start, task.StartAgain:
		err := h.start(l.ctx, j.Task.ID, name, j.Action.Restart)
		if err != nil {
			done(0, task.StartFailed, "CannotStartContainerError", container.Failure(h.described(l, &j, name), err))
			return
		}
		h.report(l.ctx, j, task.Event{Kind: task.Started})
		h.follow(l, j, name)
	case task.Follow:
		h.follow(l, j, name)
	case task.Signal:
		h.signal(l, &j, name, false)
	case task.Kill:
		h.signal(l, &j, name, true)
	}
}

// follow reports a container's health while it runs, and its exit.
func (h *Host) follow(l *lane, j Job, name string) {
	l.mu.Lock()
	twice := l.following[name]
	l.following[name] = true
	l.mu.Unlock()
	if twice {
		return
	}
	d := j.Definition.Container(name)
	if h.Logs != nil {
		if err := h.Logs.Follow(j.Task.ID, name); err != nil {
			h.Log.Error("following a log", "task", j.Task.ID, "container", name, "error", err)
		}
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	if d != nil && container.HealthCommand(d.HealthCheck) != nil {
		l.jobs.Go(func() { h.watchHealth(ctx, j, name, d.HealthCheck) })
	}
	exit, err := h.Sandbox.Wait(l.ctx, j.Task.ID, name)
	cancel()
	l.mu.Lock()
	delete(l.following, name) // it may be started again
	l.mu.Unlock()
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
	for pause.For(ctx, health.interval) {
		attempt, cancel := context.WithTimeout(ctx, health.timeout)
		code, err := h.Sandbox.Exec(attempt, j.Task.ID, name, container.HealthCommand(check))
		cancel()
		if ctx.Err() != nil {
			return
		}
		if changed := health.seen(err == nil && code == 0, time.Since(begin)); changed {
			h.report(ctx, j, task.Event{Kind: task.HealthSeen, Health: health.status})
		}
	}
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
