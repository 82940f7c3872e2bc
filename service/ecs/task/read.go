package task

import (
	"context"
	"slices"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/admit"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// maxDescribed is how many tasks DescribeTasks and GetTaskProtection take.
const maxDescribed = 100

// DescribeTasks implements ecs.API.
func (s *Service) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput) (*ecs.DescribeTasksOutput, error) {
	_, tenant := call.From(ctx)
	if err := checkList(in.Tasks, maxDescribed); err != nil {
		return nil, err
	}
	if err := check.Include(in.Include, "TAGS"); err != nil {
		return nil, err
	}
	detail := view.Detail{Health: true, Tags: slices.Contains(in.Include, "TAGS")}
	out := &ecs.DescribeTasksOutput{}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		out.Tasks, out.Failures = make([]ecs.Task, 0, len(in.Tasks)), []ecs.Failure{}
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		ids, err := identify(tenant, &cluster, in.Tasks)
		if err != nil {
			return err
		}
		for _, id := range ids {
			t, err := tables.Tasks.Shared(tx, tenant.Account, tenant.Region, cluster.Name, id)
			switch {
			case err != nil:
				return err
			case t != nil:
				out.Tasks = append(out.Tasks, s.shown.Show(t, detail))
			default:
				out.Failures = append(out.Failures, missing(absent(tenant, &cluster, id)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// identify returns the ids of the tasks the references point at.
func identify(t ref.Tenant, cluster *compute.Cluster, refs []string) ([]string, error) {
	ids := make([]string, len(refs))
	for i, r := range refs {
		id, err := t.Task(cluster.Name, r)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// absent is the key of a task that is not there.
func absent(t ref.Tenant, cluster *compute.Cluster, id string) *compute.Task {
	return &compute.Task{Account: t.Account, Region: t.Region, Cluster: cluster.Name, ID: id}
}

// find visits the tasks the references point at; of one that is not there it
// visits the key.
func find(tx store.Tx, t ref.Tenant, cluster *compute.Cluster, refs []string, visit func(t *compute.Task, found bool) error) error {
	ids, err := identify(t, cluster, refs)
	if err != nil {
		return err
	}
	for _, id := range ids {
		task, ok, err := tables.Tasks.Find(tx, t.Account, t.Region, cluster.Name, id)
		if err != nil {
			return err
		}
		if !ok {
			task = *absent(t, cluster, id)
		}
		if err := visit(&task, ok); err != nil {
			return err
		}
	}
	return nil
}

func checkList(tasks []string, limit int) error {
	if err := check.Given("Tasks", len(tasks)); err != nil {
		return err
	}
	return check.AtMost("tasks", len(tasks), limit)
}

// listing is a ListTasks call: the index to walk and what of it to leave out.
type listing struct {
	index    string
	segments []string
	keep     func(*compute.Task) bool
}

// ListTasks implements ecs.API.
func (s *Service) ListTasks(ctx context.Context, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
	_, tenant := call.From(ctx)
	size, err := check.PageSize(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	if err := checkFilters(in); err != nil {
		return nil, err
	}
	out := &ecs.ListTasksOutput{}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		out.TaskArns, out.NextToken = []string{}, nil
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		l, err := newListing(tx, tenant, &cluster, in)
		if err != nil || value(in.DesiredStatus) == string(compute.Pending) {
			return err
		}
		scope := append([]string{tenant.Account, tenant.Region, "ListTasks", l.index, value(in.LaunchType)}, l.segments...)
		after, err := check.Position(s.Pages, in.NextToken, scope...)
		if err != nil {
			return err
		}
		last := ""
		for t, err := range tables.Tasks.ByPage(tx, l.index, l.segments, after, 0) {
			if err != nil {
				return err
			}
			if !l.keep(&t) {
				continue
			}
			if len(out.TaskArns) == size {
				out.NextToken = new(s.Pages.Seal(last, scope...))
				return nil
			}
			out.TaskArns = append(out.TaskArns, t.ARN())
			last = store.Prefix(l.index, l.segments...) + store.Key(t.Account, t.Region, t.Cluster, t.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func checkFilters(in *ecs.ListTasksInput) error {
	if in.DaemonName != nil {
		return invalid("Daemon not found.")
	}
	if err := check.OneOf("desiredStatus", in.DesiredStatus, "RUNNING", "PENDING", "STOPPED"); err != nil {
		return err
	}
	return check.OneOf("launch type", in.LaunchType, admit.LaunchTypes()...)
}

// newListing chooses the index of the first filter and filters by the others.
func newListing(tx store.Tx, t ref.Tenant, cluster *compute.Cluster, in *ecs.ListTasksInput) (l listing, err error) {
	var service, instance string
	if in.ServiceName != nil {
		if service, err = t.Service(cluster.Name, *in.ServiceName); err != nil {
			return l, err
		}
		_, ok, err := tables.Services.Find(tx, t.Account, t.Region, cluster.Name, service)
		if err == nil && !ok {
			err = ecs.ServiceNotFoundException("Service not found.")
		}
		if err != nil {
			return l, err
		}
	}
	if in.ContainerInstance != nil {
		if instance, err = t.Instance(cluster.Name, *in.ContainerInstance); err != nil {
			return l, err
		}
	}
	status := string(compute.Running)
	if in.DesiredStatus != nil {
		status = *in.DesiredStatus
	}
	l = listing{tables.TasksByCluster, []string{t.Account, t.Region, cluster.Name, status}, nil}
	for _, f := range [][2]string{
		{tables.ByFamily, value(in.Family)}, {tables.ByService, service},
		{tables.ByInstance, instance}, {tables.ByStartedBy, value(in.StartedBy)},
	} {
		if f[1] != "" {
			l.index, l.segments = tables.TasksByOrigin, []string{t.Account, t.Region, cluster.Name, f[0], f[1], status}
		}
	}
	l.keep = func(task *compute.Task) bool {
		s := &task.Spec
		return (in.Family == nil || s.Family == *in.Family) && (in.StartedBy == nil || s.StartedBy == *in.StartedBy) &&
			(service == "" || s.Service == service) && (instance == "" || s.Instance == instance) &&
			(in.LaunchType == nil || s.LaunchType == *in.LaunchType)
	}
	return l, nil
}
