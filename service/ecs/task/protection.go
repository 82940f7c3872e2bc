package task

import (
	"context"
	"time"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// Limits of task protection. Source: Amazon ECS API Reference, UpdateTaskProtection.
const (
	maxProtected      = 10
	defaultProtection = 120  // minutes
	maxProtection     = 2880 // minutes
)

// notValid is the failure of a task that has no scale-in protection: one outside
// services, or one that is ending.
const notValid = "TASK_NOT_VALID"

var getTaskProtectionHas = check.Required[ecs.GetTaskProtectionInput]()

// GetTaskProtection implements ecs.API.
func (s *Service) GetTaskProtection(ctx context.Context, in *ecs.GetTaskProtectionInput) (*ecs.GetTaskProtectionOutput, error) {
	_, tenant := call.From(ctx)
	if err := checkList(in.Tasks, maxDescribed); err != nil {
		return nil, err
	}
	if err := getTaskProtectionHas(in); err != nil {
		return nil, err
	}
	now := s.Now()
	out := &ecs.GetTaskProtectionOutput{}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		out.ProtectedTasks, out.Failures = []ecs.ProtectedTask{}, []ecs.Failure{}
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		return find(tx, tenant, &cluster, in.Tasks, func(t *compute.Task, found bool) error {
			if f, ok := unprotectable(t, found); ok {
				out.Failures = append(out.Failures, f)
			} else {
				out.ProtectedTasks = append(out.ProtectedTasks, protectedTask(t, now))
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateTaskProtection implements ecs.API.
func (s *Service) UpdateTaskProtection(ctx context.Context, in *ecs.UpdateTaskProtectionInput) (*ecs.UpdateTaskProtectionOutput, error) {
	_, tenant := call.From(ctx)
	if err := checkList(in.Tasks, maxProtected); err != nil {
		return nil, err
	}
	now := s.Now()
	protection, err := protect(in, now)
	if err != nil {
		return nil, err
	}
	out := &ecs.UpdateTaskProtectionOutput{}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		out.ProtectedTasks, out.Failures = []ecs.ProtectedTask{}, []ecs.Failure{}
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		return find(tx, tenant, &cluster, in.Tasks, func(t *compute.Task, found bool) error {
			if f, ok := unprotectable(t, found); ok {
				out.Failures = append(out.Failures, f)
				return nil
			}
			t.Protection = protection
			out.ProtectedTasks = append(out.ProtectedTasks, protectedTask(t, now))
			return tables.Tasks.Put(tx, t)
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var updateTaskProtectionHas = check.Required[ecs.UpdateTaskProtectionInput]()

func protect(in *ecs.UpdateTaskProtectionInput, now time.Time) (compute.Protection, error) {
	if err := updateTaskProtectionHas(in); err != nil {
		return compute.Protection{}, err
	}
	minutes := defaultProtection
	if in.ExpiresInMinutes != nil {
		minutes = int(*in.ExpiresInMinutes)
	}
	switch {
	case minutes < 1 || minutes > maxProtection:
		return compute.Protection{}, invalid("expiresInMinutes must be between 1 and 2880.")
	case !*in.ProtectionEnabled:
		return compute.Protection{}, nil
	}
	return compute.Protection{Enabled: true, Until: now.Add(time.Duration(minutes) * time.Minute)}, nil
}

func unprotectable(t *compute.Task, found bool) (ecs.Failure, bool) {
	switch {
	case !found:
		return missing(t), true
	case t.Spec.Service == "" || t.Intent.Desired == compute.Stopped:
		return failure(t.ARN(), notValid), true
	}
	return ecs.Failure{}, false
}

func protectedTask(t *compute.Task, now time.Time) ecs.ProtectedTask {
	w := ecs.ProtectedTask{TaskArn: new(t.ARN()), ProtectionEnabled: new(t.Protection.Holds(now))}
	if *w.ProtectionEnabled {
		w.ExpirationDate = view.Time(t.Protection.Until)
	}
	return w
}
