package svc

import (
	"testing"
	"time"

	"neargate/aws/ecs"
	"neargate/control/deploy"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/ecstest"
	"neargate/store"
	"neargate/store/tables"
)

// TestServiceLife takes a service through creation, steady state, an update and
// deletion, with the scheduler at work and tasks that start at once.
func TestServiceLife(t *testing.T) {
	w := newWorld(t)
	scheduler := deploy.New(func() time.Time { return w.Now }, w.World.Env.IDs).Stepper(1)
	schedule := func() {
		t.Helper()
		for range 40 {
			if err := scheduler.List(t.Context(), w.World.Env.Store); err != nil {
				t.Fatal(err)
			}
			_, pass := scheduler.Step(t.Context(), w.World.Env.Store, w.Now)
			if pass.Err != nil {
				t.Fatal(pass.Err)
			}
			w.Update(func(tx store.Tx) error {
				tasks, err := store.Collect(tables.Tasks.List(tx, ecstest.Account, ecstest.Region, "c"))
				for _, task := range tasks {
					switch {
					case task.State.Last == compute.Stopped:
						continue
					case task.Intent.Desired == compute.Stopped:
						task.State.Last, task.State.StoppedAt = compute.Stopped, w.Now
					case task.State.Last == compute.Provisioning:
						task.State.Last, task.State.StartedAt = compute.Running, w.Now
					}
					if err := tables.Tasks.Put(tx, &task); err != nil {
						return err
					}
				}
				return err
			})
			w.Now = w.Now.Add(5 * time.Second)
		}
	}
	w.create(nil)
	schedule()
	stable := func(running int32) ecs.Service {
		t.Helper()
		s := w.describe()
		if len(s.Deployments) != 1 || *s.RunningCount != running || *s.DesiredCount != running || *s.PendingCount != 0 ||
			*s.RunStatus != "SteadyState" || *s.Deployments[0].RolloutState != "COMPLETED" || s.CurrentServiceDeployment != nil ||
			*s.Deployments[0].StabilityStatus != "STEADY_STATE" {
			t.Fatalf("not stable: %d deployments, %d running, events %+v", len(s.Deployments), *s.RunningCount, s.Events)
		}
		return s
	}
	first := stable(2)
	if n := len(first.Events); n != 3 || *first.Events[0].Message != "(service web) has reached a steady state." {
		t.Errorf("events %+v", first.Events)
	}
	w.update(ecs.UpdateServiceInput{ForceNewDeployment: new(true), DesiredCount: new(int32(3))})
	if s := w.describe(); s.RunStatus != nil || s.CurrentServiceDeployment == nil || len(s.Deployments) != 2 {
		t.Errorf("during the update: %v", members(s))
	}
	schedule()
	if second := stable(3); *second.Deployments[0].Id == *first.Deployments[0].Id {
		t.Error("the update did not deploy")
	}
	if _, err := w.DeleteService(w.Ctx, &ecs.DeleteServiceInput{Cluster: new("c"), Service: new("web"), Force: new(true)}); err != nil {
		t.Fatal(err)
	}
	schedule()
	if s := w.describe(); *s.Status != "INACTIVE" || *s.RunningCount != 0 || len(s.Events) != 0 {
		t.Errorf("deleted: %s with %d running", *s.Status, *s.RunningCount)
	}
}
