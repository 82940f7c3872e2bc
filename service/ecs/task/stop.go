package task

import (
	"context"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// byUser is the reason of a task stopped without one.
const byUser = "Task stopped by user"

var stopTaskHas = check.Required[ecs.StopTaskInput]()

// StopTask implements ecs.API.
func (s *Service) StopTask(ctx context.Context, in *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	_, tenant := call.From(ctx)
	if err := stopTaskHas(in); err != nil {
		return nil, err
	}
	now := s.Now()
	var out ecs.Task
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		id, err := tenant.Task(cluster.Name, value(in.Task))
		if err != nil {
			return err
		}
		t, ok, err := tables.Tasks.Find(tx, tenant.Account, tenant.Region, cluster.Name, id)
		switch {
		case err != nil:
			return err
		case !ok:
			return invalid("The referenced task was not found.")
		case t.State.Last == compute.Stopped:
			out = view.StoppedTask(&t)
			return nil
		}
		if t.Intent.Desired != compute.Stopped {
			t.Intent = compute.Intent{Desired: compute.Stopped, StopCode: compute.UserInitiated, StopReason: byUser, StoppingAt: now}
			if value(in.Reason) != "" {
				t.Intent.StopReason = *in.Reason
			}
			t.State.Version++
		}
		out = view.Task(&t, view.Detail{})
		return tables.Tasks.Put(tx, &t)
	})
	if err != nil {
		return nil, err
	}
	return &ecs.StopTaskOutput{Task: &out}, nil
}
