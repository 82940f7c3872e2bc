package node

import (
	"time"

	"neargate/node/task"
	"neargate/resource/compute/taskdef"
)

// health follows the attempts of one container's health check. Source: Amazon ECS
// API reference, HealthCheck.
type health struct {
	interval, timeout, startPeriod time.Duration
	retries                        int
	failures                       int // in a row
	status                         string
}

func newHealth(c *taskdef.HealthCheck) *health {
	h := &health{
		interval:    seconds(c.Interval, 30*time.Second),
		timeout:     seconds(c.Timeout, 5*time.Second),
		startPeriod: seconds(c.StartPeriod, 0),
		retries:     3,
		status:      task.Unknown,
	}
	if c.Retries != nil {
		h.retries = int(*c.Retries)
	}
	return h
}

// seen takes the outcome of an attempt made so long after the container's start
// and reports whether the status changed. Failures during the start period do not
// count until an attempt has succeeded.
func (h *health) seen(ok bool, age time.Duration) (changed bool) {
	was := h.status
	switch {
	case ok:
		h.failures, h.status = 0, task.Healthy
	case h.status == task.Unknown && age < h.startPeriod:
	default:
		if h.failures++; h.failures >= h.retries {
			h.status = task.Unhealthy
		}
	}
	return h.status != was
}
