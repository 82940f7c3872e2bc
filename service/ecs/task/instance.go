package task

import (
	"context"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/service/ecs/internal/admit"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// agentGone is the failure of a container instance whose agent is not connected.
const agentGone = "AGENT"

// onInstances starts the tasks on container instances in turn.
func (r *run) onInstances(tx store.Tx, launchType string, subnets []launch.Subnet) (tasks []compute.Task, failures []ecs.Failure, err error) {
	var ready []compute.Instance
	for in, err := range tables.Instances.List(tx, r.tenant.Account, r.tenant.Region, r.order.Cluster) {
		switch {
		case err != nil:
			return nil, nil, err
		case in.Status != compute.Active || in.External != (launchType == "EXTERNAL"):
		case !in.AgentConnected:
			failures = append(failures, failure(in.ARN(), agentGone))
		default:
			ready = append(ready, in)
		}
	}
	if len(ready) == 0 && len(failures) == 0 {
		return nil, nil, invalid("No Container Instances were found in your cluster.")
	}
	if len(ready) == 0 {
		return nil, failures, nil
	}
	for i := range r.count {
		r.order.Instance = ready[i%len(ready)].ID
		t, err := r.put(tx)
		if err != nil {
			return nil, nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil, nil
}

// StartTask implements ecs.API.
func (s *Service) StartTask(ctx context.Context, in *ecs.StartTaskInput) (*ecs.StartTaskOutput, error) {
	r, err := s.newRun(ctx, checkStart(in), in.Tags)
	if err != nil {
		return nil, err
	}
	r.share(in.Group, in.StartedBy, in.PropagateTags, in.EnableECSManagedTags)
	out := &ecs.StartTaskOutput{}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		out.Tasks, out.Failures = []ecs.Task{}, []ecs.Failure{}
		return r.start(tx, in, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *run) start(tx store.Tx, in *ecs.StartTaskInput, out *ecs.StartTaskOutput) error {
	cluster, err := lookup.Cluster(tx, r.tenant, in.Cluster)
	if err != nil {
		return err
	}
	def, err := admit.Definition(tx, r.tenant, value(in.TaskDefinition))
	if err != nil {
		return err
	}
	r.order.Cluster, r.order.Definition = cluster.Name, &def
	c := admit.Capacity{LaunchType: "EC2"}
	if err := c.Runs(&def); err != nil {
		return err
	}
	if _, err := r.admitParts(tx, c, in.Overrides, in.NetworkConfiguration); err != nil {
		return err
	}
	for _, name := range in.ContainerInstances {
		id, err := r.tenant.Instance(cluster.Name, name)
		if err != nil {
			return err
		}
		instance, ok, err := tables.Instances.Find(tx, r.tenant.Account, r.tenant.Region, cluster.Name, id)
		if err != nil {
			return err
		}
		if !ok {
			instance = compute.Instance{Account: r.tenant.Account, Region: r.tenant.Region, Cluster: cluster.Name, ID: id}
		}
		if reason := unready(&instance, ok); reason != "" {
			out.Failures = append(out.Failures, failure(instance.ARN(), reason))
			continue
		}
		r.order.Instance, r.order.LaunchType = id, "EC2"
		if instance.External {
			r.order.LaunchType = "EXTERNAL"
		}
		t, err := r.put(tx)
		if err != nil {
			return err
		}
		out.Tasks = append(out.Tasks, view.Task(&t, view.Detail{Tags: true}))
	}
	return nil
}

// unready says why an instance takes no task, "" when it does.
func unready(in *compute.Instance, found bool) string {
	switch {
	case !found:
		return "MISSING"
	case in.Status != compute.Active && in.Status != compute.Draining:
		return "INACTIVE"
	case !in.AgentConnected:
		return agentGone
	}
	return ""
}

var startTaskHas = check.Required[ecs.StartTaskInput]()

func checkStart(in *ecs.StartTaskInput) error {
	switch n := len(in.ContainerInstances); {
	case n == 0:
		return invalid("Container instance cannot be empty.")
	case n > maxCount:
		return invalid("containerInstances can have at most 10 items.")
	case len(value(in.StartedBy)) > 36:
		return invalid("startedBy can have at most 36 characters.")
	}
	if err := checkCommon(in.ReferenceId, in.EnableExecuteCommand, in.VolumeConfigurations, in.PropagateTags); err != nil {
		return err
	}
	return startTaskHas(in)
}
