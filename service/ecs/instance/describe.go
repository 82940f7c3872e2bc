package instance

import (
	"context"
	"strconv"
	"time"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/query"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/tag"
	"neargate/store"
	"neargate/store/tables"
)

// include says which parts of an instance an answer shows.
type include struct{ tags, health bool }

// counts are the tasks on an instance, and their groups.
type counts struct {
	running, pending int
	groups           []string
}

// view shows an instance as answers have it.
func view(i *compute.Instance, n counts, inc include) ecs.ContainerInstance {
	w := ecs.ContainerInstance{
		AgentConnected: &i.AgentConnected, Attachments: []ecs.Attachment{}, Attributes: []ecs.Attribute{},
		ContainerInstanceArn: new(i.ARN()), Ec2InstanceId: &i.EC2ID, Status: &i.Status, Version: &i.Version,
		RegisteredAt: &i.RegisteredAt, RegisteredResources: resources(i.Registered), RemainingResources: resources(i.Remaining),
		RunningTasksCount: new(int32(n.running)), PendingTasksCount: new(int32(n.pending)),
		VersionInfo: &ecs.VersionInfo{}, Tags: []ecs.Tag{},
	}
	for _, a := range i.Attributes {
		w.Attributes = append(w.Attributes, ecs.Attribute{Name: &a.Name, Value: a.Value})
	}
	for _, o := range []struct {
		to   **string
		from string
	}{
		{&w.StatusReason, i.StatusReason}, {&w.CapacityProviderName, i.CapacityProvider},
		{&w.VersionInfo.AgentVersion, i.AgentVersion}, {&w.VersionInfo.AgentHash, i.AgentHash},
		{&w.VersionInfo.DockerVersion, i.DockerVersion},
	} {
		if o.from != "" {
			*o.to = &o.from
		}
	}
	if inc.tags {
		w.Tags = tag.Show(i.Tags)
	}
	if inc.health {
		w.HealthStatus = &ecs.ContainerInstanceHealthStatus{
			Details: []ecs.InstanceHealthCheckResult{}, OverallStatus: new("INSUFFICIENT_DATA"),
		}
	}
	return w
}

func resources(amounts []compute.Amount) []ecs.Resource {
	out := make([]ecs.Resource, len(amounts))
	for i, a := range amounts {
		out[i] = ecs.Resource{
			Name: &a.Name, Type: &a.Type, IntegerValue: &a.Integer, LongValue: &a.Long, DoubleValue: &a.Double, StringSetValue: a.Set,
		}
	}
	return out
}

// tally counts the tasks of a cluster by instance.
func tally(tx store.Tx, c *compute.Cluster) (map[string]counts, error) {
	by := map[string]counts{}
	for _, launch := range []string{"EC2", "EXTERNAL"} {
		for t, err := range tables.Tasks.By(tx, tables.TasksByState, c.Account, c.Region, c.Name, launch) {
			if err != nil {
				return nil, err
			}
			n := by[t.Spec.Instance]
			switch compute.PhaseOf(&t) {
			case compute.PhaseStarting:
				n.pending++
			case compute.PhaseUnhealthy, compute.PhaseWarming, compute.PhaseRunning:
				n.running++
			}
			n.groups = append(n.groups, t.Spec.Group)
			by[t.Spec.Instance] = n
		}
	}
	return by, nil
}

// each runs f on every instance the references point at and shows them. Those that
// do not exist, and those for which f gives a reason, are failures.
func each(tx store.Tx, t ref.Tenant, cluster *string, references []string, inc include,
	f func(*compute.Instance) (reason string, err error)) ([]ecs.ContainerInstance, []ecs.Failure, error) {
	shown, failures := []ecs.ContainerInstance{}, []ecs.Failure{}
	c, err := lookup.Cluster(tx, t, cluster)
	if err != nil {
		return nil, nil, err
	}
	tasks, err := tally(tx, &c)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range references {
		id, err := t.Instance(c.Name, s)
		if err != nil {
			return nil, nil, err
		}
		i, ok, err := tables.Instances.Find(tx, t.Account, t.Region, c.Name, id)
		if err != nil {
			return nil, nil, err
		}
		reason := "MISSING"
		if ok {
			if reason, err = f(&i); err != nil {
				return nil, nil, err
			}
		}
		if reason != "" {
			gone := compute.Instance{Account: t.Account, Region: t.Region, Cluster: c.Name, ID: id}
			failures = append(failures, ecs.Failure{Arn: new(gone.ARN()), Reason: &reason})
			continue
		}
		shown = append(shown, view(&i, tasks[i.ID], inc))
	}
	return shown, failures, nil
}

var describeContainerInstancesHas = check.Required[ecs.DescribeContainerInstancesInput]()

// DescribeContainerInstances describes instances of any status.
func (h *Handler) DescribeContainerInstances(ctx context.Context, in *ecs.DescribeContainerInstancesInput) (*ecs.DescribeContainerInstancesOutput, error) {
	if err := describeContainerInstancesHas(in); err != nil {
		return nil, err
	}
	if err := check.Given("Container instances", len(in.ContainerInstances)); err != nil {
		return nil, err
	}
	if err := check.AtMost("instanceIds", len(in.ContainerInstances), 100); err != nil {
		return nil, err
	}
	if err := check.Include(in.Include, "CONTAINER_INSTANCE_HEALTH", "TAGS"); err != nil {
		return nil, err
	}
	var inc include
	for _, word := range in.Include {
		inc.tags = inc.tags || word == "TAGS"
		inc.health = inc.health || word == "CONTAINER_INSTANCE_HEALTH"
	}
	t := ref.Of(auth.CallerFrom(ctx))
	out := &ecs.DescribeContainerInstancesOutput{}
	err := h.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		out.ContainerInstances, out.Failures, err = each(tx, t, in.Cluster, in.ContainerInstances, inc,
			func(*compute.Instance) (string, error) { return "", nil })
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListContainerInstances lists the ARNs of a cluster's instances by id: those with
// a status, all but the INACTIVE ones without it, that satisfy the filter.
func (h *Handler) ListContainerInstances(ctx context.Context, in *ecs.ListContainerInstancesInput) (*ecs.ListContainerInstancesOutput, error) {
	size, err := check.PageSize(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	err = check.OneOf("status", in.Status, compute.Active, compute.Draining, "REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED")
	if err != nil {
		return nil, err
	}
	match := func(query.Values) bool { return true }
	if in.Filter != nil {
		e, err := query.Parse(*in.Filter)
		if err != nil {
			return nil, ecs.InvalidParameterException("Invalid filter: " + err.Error())
		}
		match = e.Match
	}
	t := ref.Of(auth.CallerFrom(ctx))
	scope := []string{t.Account, t.Region, "ListContainerInstances", deref(in.Cluster), deref(in.Status), deref(in.Filter)}
	last, err := check.Position(h.seal, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	var found []compute.Instance
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		found = nil
		c, err := lookup.Cluster(tx, t, in.Cluster)
		if err != nil {
			return err
		}
		tasks, err := tally(tx, &c)
		if err != nil {
			return err
		}
		var after []string
		if last != "" {
			after = []string{t.Account, t.Region, c.Name, last}
		}
		for i, err := range tables.Instances.Page(tx, []string{t.Account, t.Region, c.Name}, after, 0) {
			if err != nil {
				return err
			}
			listed := i.Status != compute.Inactive
			if in.Status != nil {
				listed = i.Status == *in.Status
			}
			if listed && match(values(&i, tasks[i.ID])) {
				found = append(found, i)
			}
			if len(found) > size {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown, end := check.Page(found, size)
	out := &ecs.ListContainerInstancesOutput{ContainerInstanceArns: []string{}}
	for i := range shown {
		out.ContainerInstanceArns = append(out.ContainerInstanceArns, shown[i].ARN())
	}
	if end != nil {
		out.NextToken = new(h.seal.Seal(end.ID, scope...))
	}
	return out, nil
}

// values is what an instance has for the subjects of the cluster query language.
func values(i *compute.Instance, n counts) query.Values {
	return func(subject string) []string {
		switch subject {
		case "agentConnected":
			return []string{strconv.FormatBool(i.AgentConnected)}
		case "agentVersion":
			return []string{i.AgentVersion}
		case "ec2InstanceId":
			return []string{i.EC2ID}
		case "registeredAt":
			return []string{i.RegisteredAt.UTC().Format(time.RFC3339)}
		case "runningTasksCount":
			return []string{strconv.Itoa(n.running)}
		case "task:group":
			return n.groups
		}
		for _, a := range i.Attributes {
			if "attribute:"+a.Name == subject {
				return []string{deref(a.Value)}
			}
		}
		return nil
	}
}
