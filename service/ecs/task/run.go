package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/admit"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/trust"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxCount is how many tasks one call starts.
const maxCount = 10

// run is one RunTask or StartTask call.
type run struct {
	*Service
	caller auth.Caller
	tenant ref.Tenant
	order  launch.Order // what all tasks of the call share
	count  int
}

// RunTask implements ecs.API.
func (s *Service) RunTask(ctx context.Context, in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
	r, err := s.newRun(ctx, checkRun(in), in.Tags)
	if err != nil {
		return nil, err
	}
	r.count = int(value(in.Count))
	if in.Count == nil {
		r.count = 1
	}
	r.share(in.Group, in.StartedBy, in.PropagateTags, in.EnableECSManagedTags)
	full := s.room(ctx, r.tenant, in)
	out := &ecs.RunTaskOutput{}
	throttle := r.throttle()
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		out.Tasks, out.Failures = []ecs.Task{}, []ecs.Failure{}
		tasks, failures, err := r.run(tx, in, full, throttle)
		for i := range tasks {
			out.Tasks = append(out.Tasks, view.Task(&tasks[i], view.Detail{Tags: true}))
		}
		out.Failures = append(out.Failures, failures...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) newRun(ctx context.Context, err error, tags []ecs.Tag) (*run, error) {
	if err != nil {
		return nil, err
	}
	r := &run{Service: s}
	r.caller, r.tenant = call.From(ctx)
	r.order = launch.Order{Account: r.tenant.Account, Region: r.tenant.Region, CreatedBy: r.caller.ARN, Now: s.Now()}
	r.order.Tags, err = admit.Tags(tags)
	return r, err
}

// share takes what RunTask and StartTask say alike into the order.
func (r *run) share(group, startedBy, propagate *string, managed *bool) {
	r.order.Group, r.order.StartedBy = value(group), value(startedBy)
	r.order.PropagateTags, r.order.ManagedTags = value(propagate), value(managed)
}

// run admits the request and makes its tasks, or returns those of the request it
// repeats.
func (r *run) run(tx store.Tx, in *ecs.RunTaskInput, full func(string) bool, throttle func([]compute.Task) error) ([]compute.Task, []ecs.Failure, error) {
	cluster, err := lookup.Cluster(tx, r.tenant, in.Cluster)
	if err != nil {
		return nil, nil, err
	}
	def, err := admit.Definition(tx, r.tenant, value(in.TaskDefinition))
	if err != nil {
		return nil, nil, err
	}
	r.order.Cluster, r.order.Definition = cluster.Name, &def
	if in.ClientToken != nil {
		tasks, err := r.replay(tx, *in.ClientToken, hash(in))
		if err != nil || tasks != nil {
			return tasks, nil, err
		}
	}
	capacity, err := admit.Choose(&cluster, in.LaunchType, in.CapacityProviderStrategy)
	if err != nil {
		return nil, nil, err
	}
	subnets, err := r.admit(tx, capacity, in)
	if err != nil {
		return nil, nil, err
	}
	tasks, failures, err := r.make(tx, capacity, subnets, full)
	if err == nil {
		err = throttle(tasks)
	}
	if err != nil {
		return nil, nil, err
	}
	if in.ClientToken != nil && len(tasks) > 0 {
		err = r.remember(tx, *in.ClientToken, hash(in), tasks)
	}
	return tasks, failures, err
}

// admit checks everything about the tasks to be and completes the order.
func (r *run) admit(tx store.Tx, c admit.Capacity, in *ecs.RunTaskInput) ([]launch.Subnet, error) {
	d := r.order.Definition
	if err := c.Runs(d); err != nil {
		return nil, err
	}
	if _, _, err := c.Placement(in.PlacementConstraints, in.PlacementStrategy); err != nil {
		return nil, err
	}
	version, err := c.Platform(in.PlatformVersion)
	if err != nil {
		return nil, err
	}
	r.order.LaunchType, r.order.PlatformVersion = c.LaunchType, version
	return r.admitParts(tx, c, in.Overrides, in.NetworkConfiguration)
}

func (r *run) admitParts(tx store.Tx, c admit.Capacity, overrides *ecs.TaskOverride, network *ecs.NetworkConfiguration) ([]launch.Subnet, error) {
	d := r.order.Definition
	var err error
	if r.order.Overrides, err = c.Override(d, overrides); err != nil {
		return nil, err
	}
	if err := trust.Pass(tx, r.caller, r.order.Now, d, r.order.Overrides); err != nil {
		return nil, err
	}
	if r.order.Network, err = c.Network(d, network); err != nil {
		return nil, err
	}
	if err := checkGroup(r.order.Group, d.Family); err != nil {
		return nil, err
	}
	if err := admit.DualStack(tx, r.tenant, r.caller.ARN, r.order.Network); err != nil {
		return nil, err
	}
	subnets, err := admit.Subnets(tx, r.tenant, r.order.Network)
	if err != nil {
		return nil, err
	}
	return subnets, trust.Roles(tx, r.tenant, d, r.order.Overrides)
}

// make writes the tasks.
func (r *run) make(tx store.Tx, c admit.Capacity, subnets []launch.Subnet, full func(string) bool) (tasks []compute.Task, failures []ecs.Failure, err error) {
	if !c.Fargate() {
		return r.onInstances(tx, c.LaunchType, subnets)
	}
	providers, zones := map[string]int{}, map[string]int{}
	// The first task's id decides where among equal subnets the call begins.
	turn := int(r.IDs.Hex(2)[0])
	for len(subnets) > 0 && turn%len(subnets) != 0 {
		subnets = append(subnets[1:], subnets[0])
		turn--
	}
	for i := range r.count {
		provider := compute.NextProvider(c.Strategy, providers)
		providers[provider]++
		at := launch.Pick(subnets, zones, full, i)
		zones[at.Zone]++
		r.order.CapacityProvider, r.order.Zone, r.order.Subnet = provider, at.Zone, at.ID
		t, err := r.put(tx)
		if err != nil {
			return nil, nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil, nil
}

// put writes one task with fresh ids.
func (r *run) put(tx store.Tx) (compute.Task, error) {
	o := r.order
	o.ID, o.AttachmentID = r.IDs.Hex(32), r.IDs.UUID()
	for range o.Definition.ContainerDefinitions {
		o.ContainerIDs = append(o.ContainerIDs, r.IDs.UUID())
	}
	t := launch.Task(o)
	return t, tables.Tasks.Put(tx, &t)
}

// throttle returns a function that charges the launch rate once for the tasks,
// however often the transaction runs.
func (r *run) throttle() func([]compute.Task) error {
	charged := false
	return func(tasks []compute.Task) error {
		onDemand, spot := 0, 0
		for i := range tasks {
			switch {
			case tasks[i].Spec.CapacityProvider == compute.FargateSpot:
				spot++
			case tasks[i].Spec.LaunchType == compute.Fargate:
				onDemand++
			}
		}
		if !charged && !r.launches.take(r.tenant.Account, r.tenant.Region, onDemand, spot, r.order.Now) {
			return shape.Errorf("ThrottlingException", "Rate exceeded")
		}
		charged = true
		return nil
	}
}

// room tells where no node has room for the request's tasks. It is a hint, so
// what is wrong with the request is left to be found later.
func (s *Service) room(ctx context.Context, t ref.Tenant, in *ecs.RunTaskInput) func(string) bool {
	full := func(string) bool { return false }
	_ = s.Store.View(ctx, func(tx store.Tx) error {
		d, err := admit.Definition(tx, t, value(in.TaskDefinition))
		if err != nil {
			return err
		}
		o := &taskdef.Override{}
		if in.Overrides != nil {
			o.Cpu, o.Memory = in.Overrides.Cpu, in.Overrides.Memory
		}
		cpu, memory := launch.Size(&d, o)
		f, err := admit.Room(tx, launch.Architecture(&d), cpu, memory)
		if err == nil {
			full = f
		}
		return err
	})
	return full
}

var runTaskHas = check.Required[ecs.RunTaskInput]()

// checkRun checks what a request says by itself.
func checkRun(in *ecs.RunTaskInput) error {
	switch {
	case in.Count != nil && (*in.Count < 1 || *in.Count > maxCount):
		return invalid("count should be between 1 and 10.")
	case len(value(in.StartedBy)) > 128:
		return invalid("startedBy can have at most 128 characters.")
	case in.ClientToken != nil && (len(*in.ClientToken) > 64 || strings.ContainsFunc(*in.ClientToken, func(c rune) bool { return c < 33 || c > 126 })):
		return invalid("clientToken must be up to 64 ASCII characters in the range of 33-126.")
	}
	if err := checkCommon(in.ReferenceId, in.EnableExecuteCommand, in.VolumeConfigurations, in.PropagateTags); err != nil {
		return err
	}
	return runTaskHas(in)
}

func checkCommon(reference *string, exec *bool, volumes []ecs.TaskVolumeConfiguration, propagate *string) error {
	switch {
	case len(value(reference)) > 1024:
		return invalid("referenceId can have at most 1024 characters.")
	case value(exec):
		return admit.Unsupported("ECS Exec")
	case len(volumes) > 0:
		return admit.Unsupported("Amazon EBS")
	case value(propagate) == "SERVICE":
		return invalid("The propagateTags value SERVICE is not supported for tasks that are not part of a service.")
	}
	return check.OneOf("propagateTags", propagate, "TASK_DEFINITION", "SERVICE", "NONE")
}

// checkGroup keeps the names of services and of other families to ECS.
func checkGroup(group, family string) error {
	if strings.HasPrefix(group, "service:") || strings.HasPrefix(group, "family:") && group != "family:"+family {
		return invalid("Invalid namespace for group.")
	}
	return nil
}

// hash is the same for equal requests only: what is left out differs from what
// is given and empty.
func hash(in *ecs.RunTaskInput) string {
	b, err := json.Marshal(in)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// replay returns the tasks of the request that used the token before, nil when
// none did.
func (r *run) replay(tx store.Tx, token, hash string) ([]compute.Task, error) {
	seen, ok, err := tables.RunTokens.Find(tx, r.tenant.Account, r.tenant.Region, r.order.Cluster, token)
	if err != nil || !ok || r.order.Now.Sub(seen.At) >= tokenLife {
		return nil, err
	}
	var tasks []compute.Task
	var arns []string
	for _, id := range seen.Tasks {
		t, ok, err := tables.Tasks.Find(tx, r.tenant.Account, r.tenant.Region, r.order.Cluster, id)
		if err != nil {
			return nil, err
		}
		if ok {
			tasks, arns = append(tasks, t), append(arns, t.ARN())
		}
	}
	if tasks != nil && seen.Hash != hash {
		return nil, ecs.ConflictException("The RunTask request could not be processed due to conflicts. "+
			"The provided clientToken is already in use with a different request.").With("resourceIds", arns)
	}
	return tasks, nil
}

// remember keeps the token, and forgets a few that are too old to matter, so that
// there are never many of those.
func (r *run) remember(tx store.Tx, token, hash string, tasks []compute.Task) error {
	for old, err := range tables.RunTokens.ByPage(tx, tables.RunTokensByAge, []string{r.tenant.Account, r.tenant.Region}, "", 2) {
		if err != nil {
			return err
		}
		if r.order.Now.Sub(old.At) < tokenLife {
			break
		}
		if err := tables.RunTokens.Delete(tx, tables.RunTokens.Key(&old)...); err != nil {
			return err
		}
	}
	rec := compute.RunToken{Account: r.tenant.Account, Region: r.tenant.Region, Cluster: r.order.Cluster, Token: token, Hash: hash, At: r.order.Now}
	for i := range tasks {
		rec.Tasks = append(rec.Tasks, tasks[i].ID)
	}
	return tables.RunTokens.Put(tx, &rec)
}
