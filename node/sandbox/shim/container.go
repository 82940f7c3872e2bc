package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"neargate/node/sandbox"
	"neargate/shim/api"
)

// Create implements sandbox.Sandbox.
func (s *Sandbox) Create(ctx context.Context, task string, c sandbox.Container) error {
	_, err := s.ask(ctx, task, api.Request{Op: api.OpCreate, Container: &c})
	return err
}

// Start implements sandbox.Sandbox.
func (s *Sandbox) Start(ctx context.Context, task, container string) error {
	defer s.gate.join()()
	_, err := s.ask(ctx, task, api.Request{Op: api.OpStart, Name: container})
	return err
}

// Restart implements sandbox.Restarter.
func (s *Sandbox) Restart(ctx context.Context, task, container string, n int) error {
	if n < 1 {
		return fmt.Errorf("sandbox: start %d again", n)
	}
	_, err := s.ask(ctx, task, api.Request{Op: api.OpStart, Name: container, Run: n})
	if errors.Is(err, api.ErrGone) {
		return sandbox.ErrNotRunning
	}
	return err
}

// Stats implements sandbox.Meter.
func (s *Sandbox) Stats(ctx context.Context, task string) (sandbox.Stats, error) {
	a, err := s.ask(ctx, task, api.Request{Op: api.OpStats})
	if errors.Is(err, api.ErrGone) {
		return sandbox.Stats{}, sandbox.ErrNotRunning
	}
	if err != nil {
		return sandbox.Stats{}, err
	}
	return *a.Stats, nil
}

// Wait implements sandbox.Sandbox. Where the shim is dead the state file tells.
func (s *Sandbox) Wait(ctx context.Context, task, container string) (sandbox.Exit, error) {
	a, err := s.ask(ctx, task, api.Request{Op: api.OpWait, Name: container})
	if errors.Is(err, api.ErrGone) {
		c, err := s.left(task, container)
		if err != nil {
			return sandbox.Exit{}, err
		}
		if c.Exit == nil {
			return sandbox.Exit{}, sandbox.ErrNotRunning
		}
		return *c.Exit, nil
	}
	if err != nil {
		return sandbox.Exit{}, err
	}
	return *a.Exit, nil
}

// left is what a dead shim's state file says of a container.
func (s *Sandbox) left(task, container string) (api.ContainerState, error) {
	st, err := s.remains(task)
	if err != nil {
		return api.ContainerState{}, err
	}
	for _, c := range st.Containers {
		if c.Container.Name == container {
			return c, nil
		}
	}
	return api.ContainerState{}, sandbox.ErrNotFound
}

// Signal implements sandbox.Sandbox.
func (s *Sandbox) Signal(ctx context.Context, task, container string, sig syscall.Signal) error {
	_, err := s.ask(ctx, task, api.Request{Op: api.OpSignal, Name: container, Signal: sig})
	if errors.Is(err, api.ErrGone) {
		c, err := s.left(task, container)
		if err == nil && c.StartedAt.IsZero() {
			return sandbox.ErrNotRunning
		}
		return err
	}
	return err
}

// Exec implements sandbox.Sandbox.
func (s *Sandbox) Exec(ctx context.Context, task, container string, command []string) (int32, error) {
	a, err := s.ask(ctx, task, api.Request{Op: api.OpExec, Name: container, Args: command})
	if errors.Is(err, api.ErrGone) {
		return 0, sandbox.ErrNotRunning
	}
	return a.Code, err
}

// List implements sandbox.Sandbox. What a start that was cut short has left is
// removed.
func (s *Sandbox) List(ctx context.Context) ([]sandbox.Status, error) {
	entries, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []sandbox.Status
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		st, err := s.look(ctx, e.Name())
		if errors.Is(err, sandbox.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if st.Spec.Task == "" {
			continue // reserved and not open
		}
		all = append(all, statusOf(e.Name(), st))
	}
	return all, nil
}

// look asks a task's shim for its state, or reads what it left.
func (s *Sandbox) look(ctx context.Context, task string) (api.State, error) {
	ask, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := s.ask(ask, task, api.Request{Op: api.OpState})
	if err == nil {
		return *a.State, nil
	}
	hangs := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if !hangs && !errors.Is(err, api.ErrGone) {
		return api.State{}, err
	}
	st, err := s.remains(task)
	if errors.Is(err, sandbox.ErrNotFound) {
		return st, errors.Join(err, s.Close(ctx, task))
	}
	return st, err
}

// remains is the state file of a task that was ended. A container that ran when
// its shim died was killed with it, if a full disk kept the file from saying so.
func (s *Sandbox) remains(task string) (api.State, error) {
	st, err := s.state(task)
	for i := range st.Containers {
		if c := &st.Containers[i]; !c.StartedAt.IsZero() && c.Exit == nil {
			c.Exit = &api.Exit{Code: 128 + int32(syscall.SIGKILL), At: time.Now()}
		}
	}
	return st, err
}

func statusOf(task string, st api.State) sandbox.Status {
	status := sandbox.Status{Task: task}
	for _, c := range st.Containers {
		status.Containers = append(status.Containers, sandbox.ContainerStatus{
			Name: c.Container.Name, Started: !c.StartedAt.IsZero(), Restarts: c.Restarts, Exit: c.Exit,
		})
	}
	return status
}
