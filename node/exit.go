package node

import (
	"context"
	"errors"
	"time"

	"neargate/node/sandbox"
	"neargate/node/task"
)

// exitReason is what ECS says of a container's end, "" of a plain one.
func exitReason(e *sandbox.Exit) string {
	if e.OOM {
		return "OutOfMemoryError: Container killed due to memory usage"
	}
	return ""
}

// startOf is when a container that a job follows was started: one that ran before
// the agent as its task's state says.
func startOf(j Job, name string) time.Time {
	if j.Action.Verb == task.Follow {
		for _, c := range j.Task.State.Containers {
			if c.Name == name && !c.StartedAt.IsZero() {
				return c.StartedAt
			}
		}
	}
	return time.Now()
}

// start starts a container, or for the n-th time again.
func (h *Host) start(ctx context.Context, id, name string, n int) error {
	if n == 0 {
		return h.Sandbox.Start(ctx, id, name)
	}
	r, ok := h.Sandbox.(sandbox.Restarter)
	if !ok {
		return errors.New("this sandbox starts no container twice")
	}
	return r.Restart(ctx, id, name, n)
}
