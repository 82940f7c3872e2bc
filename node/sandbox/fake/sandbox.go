package fake

import (
	"context"
	"sync"
	"syscall"
	"time"

	"neargate/node/sandbox"
)

// Sandbox is a Host with a clock.
type Sandbox struct {
	mu      sync.Mutex
	host    *Host
	changed chan struct{} // closed and replaced at every change
}

var (
	_ sandbox.Sandbox   = (*Sandbox)(nil)
	_ sandbox.Restarter = (*Sandbox)(nil)
	_ sandbox.Meter     = (*Sandbox)(nil)
)

// New is a sandbox whose containers behave by the script; nil: they run until
// told to stop.
func New(script Script) *Sandbox {
	return &Sandbox{host: NewHost(script), changed: make(chan struct{})}
}

// do runs f on the host and wakes those who wait for a change.
func (s *Sandbox) do(ctx context.Context, f func(now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := f(time.Now())
	close(s.changed)
	s.changed = make(chan struct{})
	return err
}

// Open implements sandbox.Sandbox.
func (s *Sandbox) Open(ctx context.Context, spec sandbox.Spec) error {
	return s.do(ctx, func(time.Time) error { s.host.Open(spec.Task); return nil })
}

// Create implements sandbox.Sandbox.
func (s *Sandbox) Create(ctx context.Context, task string, c sandbox.Container) error {
	return s.do(ctx, func(time.Time) error { return s.host.Create(task, c) })
}

// Start implements sandbox.Sandbox.
func (s *Sandbox) Start(ctx context.Context, task, name string) error {
	s.mu.Lock()
	takes := s.host.StartTakes(task, name)
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.do(ctx, func(now time.Time) error { return s.host.Start(task, name, now) })
}

// Restart implements sandbox.Restarter.
func (s *Sandbox) Restart(ctx context.Context, task, name string, n int) error {
	return s.do(ctx, func(now time.Time) error { return s.host.Restart(task, name, n, now) })
}

// Stats implements sandbox.Meter.
func (s *Sandbox) Stats(ctx context.Context, task string) (st sandbox.Stats, err error) {
	err = s.do(ctx, func(now time.Time) error {
		st, err = s.host.Stats(task, now)
		return err
	})
	return st, err
}

// Wait implements sandbox.Sandbox.
func (s *Sandbox) Wait(ctx context.Context, task, name string) (sandbox.Exit, error) {
	for {
		s.mu.Lock()
		now := time.Now()
		exit, err := s.host.Exit(task, name, now)
		ends, changed := s.host.EndsAt(task, name), s.changed
		s.mu.Unlock()
		if err != nil {
			return sandbox.Exit{}, err
		}
		if exit != nil {
			return *exit, nil
		}
		var due <-chan time.Time
		if !ends.IsZero() {
			due = time.After(ends.Sub(now))
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
			return sandbox.Exit{}, ctx.Err()
		}
	}
}

// Signal implements sandbox.Sandbox.
func (s *Sandbox) Signal(ctx context.Context, task, name string, sig syscall.Signal) error {
	return s.do(ctx, func(now time.Time) error { return s.host.Signal(task, name, sig, now) })
}

// Exec implements sandbox.Sandbox.
func (s *Sandbox) Exec(ctx context.Context, task, name string, _ []string) (code int32, err error) {
	err = s.do(ctx, func(now time.Time) error {
		code, err = s.host.Exec(task, name, now)
		return err
	})
	return code, err
}

// Close implements sandbox.Sandbox.
func (s *Sandbox) Close(ctx context.Context, task string) error {
	return s.do(ctx, func(time.Time) error { s.host.Close(task); return nil })
}

// List implements sandbox.Sandbox.
func (s *Sandbox) List(ctx context.Context) (all []sandbox.Status, err error) {
	err = s.do(ctx, func(now time.Time) error { all = s.host.List(now); return nil })
	return all, err
}
