package svc

import (
	"bytes"
	"context"
	"reflect"
	"time"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/internal/convert"
	"neargate/resource/compute"
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
)

// find returns the service that name points at in the cluster, in whatever state.
func find(tx store.Tx, t ref.Tenant, cluster, name *string) (compute.Service, bool, error) {
	c, err := lookup.Cluster(tx, t, cluster)
	if err != nil {
		return compute.Service{}, false, err
	}
	id, err := t.Service(c.Name, value(name))
	if err != nil {
		return compute.Service{}, false, err
	}
	return tables.Services.Find(tx, t.Account, t.Region, c.Name, id)
}

// UpdateService implements ecs.API.
func (s *Service) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput) (*ecs.UpdateServiceOutput, error) {
	caller, tenant := call.From(ctx)
	if err := checkUpdate(in); err != nil {
		return nil, err
	}
	now := s.Now()
	var out ecs.Service
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		svc, ok, err := find(tx, tenant, in.Cluster, in.Service)
		switch {
		case err != nil:
			return err
		case !ok:
			return ecs.ServiceNotFoundException("Service not found.")
		case svc.Status != compute.Active:
			return ecs.ServiceNotActiveException("Service was not ACTIVE.")
		}
		if err := s.change(tx, caller, &svc, in, now); err != nil {
			return err
		}
		if err := tables.Services.Put(tx, &svc); err != nil {
			return err
		}
		a, err := around(tx, &svc)
		out = view.Service(&svc, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecs.UpdateServiceOutput{Service: &out}, nil
}

// fromInput sees an UpdateService request as the CreateService request that says
// the same.
var fromInput = convert.Func[ecs.CreateServiceInput, ecs.UpdateServiceInput]()

var updateServiceHas = check.Required[ecs.UpdateServiceInput]()

// checkUpdate checks what an UpdateService request says by itself.
func checkUpdate(in *ecs.UpdateServiceInput) error {
	if value(in.DesiredCount) < 0 {
		return invalid("Task count can not be lesser than 0")
	}
	if m := in.Monitoring; m != nil && m.MetricConfigurations == nil {
		return ecs.ServerException("Service Unavailable. Please try again later.") // as recorded
	}
	options := fromInput(in)
	if err := checkOptions(&options); err != nil {
		return err
	}
	return updateServiceHas(in)
}

// change takes the request into the service, with a new deployment where what
// tasks are made from changes.
func (s *Service) change(tx store.Tx, c auth.Caller, svc *compute.Service, in *ecs.UpdateServiceInput, now time.Time) error {
	was := *svc
	if in.DesiredCount != nil {
		if svc.Scheduling == daemon {
			return invalid(daemonCount)
		}
		svc.Desired = int(*in.DesiredCount)
	}
	if in.EnableECSManagedTags != nil {
		svc.ManagedTags = *in.EnableECSManagedTags
	}
	if in.PropagateTags != nil {
		svc.PropagateTags = *in.PropagateTags
	}
	if in.AvailabilityZoneRebalancing != nil {
		svc.Rebalancing = *in.AvailabilityZoneRebalancing
	}
	merge(svc, in.DeploymentConfiguration)
	if in.AvailabilityZoneRebalancing != nil || in.DeploymentConfiguration != nil {
		if err := checkDeployable(svc, "updated"); err != nil {
			return err
		}
	}
	if in.Monitoring != nil {
		svc.Monitoring, _ = monitoring(in.Monitoring)
	}
	def, err := s.rework(tx, c, svc, in)
	if err != nil {
		return err
	}
	if svc.Desired != was.Desired {
		svc.SteadySince = time.Time{}
	}
	if value(in.ForceNewDeployment) || redeploys(&was, svc) || in.Monitoring != nil && svc.Monitoring == nil {
		if err := trust.Pass(tx, c, now, &def, nil); err != nil {
			return err
		}
		return s.deploy(tx, svc, &def, now)
	}
	return nil
}

// redeploys reports whether tasks of the two forms of a service differ.
func redeploys(a, b *compute.Service) bool {
	return a.Definition != b.Definition || a.PlatformVersion != b.PlatformVersion || a.LaunchType != b.LaunchType ||
		!reflect.DeepEqual(a.Strategy, b.Strategy) || !reflect.DeepEqual(a.Network, b.Network) || !bytes.Equal(a.Monitoring, b.Monitoring)
}

// rework takes the definition, capacity, network and placement of the request
// into the service, and checks that they go together. It returns the definition
// the service has afterwards.
func (s *Service) rework(tx store.Tx, caller auth.Caller, svc *compute.Service, in *ecs.UpdateServiceInput) (def taskdef.Definition, err error) {
	t := ref.Of(caller)
	if def, err = definition(tx, t, svc, in); err != nil {
		return def, err
	}
	svc.Definition = def.ARN()
	c, err := capacity(tx, svc, in)
	if err != nil {
		return def, err
	}
	network := in.NetworkConfiguration
	if network == nil {
		network = view.Network(svc.Network)
	}
	n, err := c.Network(&def, network)
	if err != nil {
		return def, err
	}
	if err := c.Runs(&def); err != nil {
		return def, err
	}
	if in.PlatformVersion != nil || c.Fargate() != (svc.PlatformVersion != "") {
		if svc.PlatformVersion, err = c.Platform(in.PlatformVersion); err != nil {
			return def, err
		}
	}
	cs, ss, err := c.Placement(in.PlacementConstraints, in.PlacementStrategy)
	if err != nil {
		return def, err
	}
	if in.PlacementConstraints != nil {
		svc.PlacementConstraints = cs
	}
	if in.PlacementStrategy != nil {
		svc.PlacementStrategy = ss
	}
	svc.LaunchType, svc.Strategy = c.LaunchType, c.Strategy
	if in.NetworkConfiguration == nil {
		return def, nil
	}
	if err := admit.DualStack(tx, t, caller.ARN, n); err != nil {
		return def, err
	}
	if !sameNetwork(svc.Network, n) {
		svc.Network = n
	}
	_, err = admit.Subnets(tx, t, n)
	return def, err
}

// sameNetwork compares as the API shows: absent lists are empty ones.
func sameNetwork(a, b *compute.Network) bool {
	return reflect.DeepEqual(view.Network(a), view.Network(b)) && (a != nil && a.DualStack) == (b != nil && b.DualStack)
}

func definition(tx store.Tx, t ref.Tenant, svc *compute.Service, in *ecs.UpdateServiceInput) (taskdef.Definition, error) {
	if in.TaskDefinition != nil {
		return admit.Definition(tx, t, *in.TaskDefinition)
	}
	r, err := t.Definition(svc.Definition)
	if err != nil {
		return taskdef.Definition{}, err
	}
	d, ok, err := lookup.Definition(tx, t, r)
	if err == nil && !ok {
		err = ecs.ClientException("TaskDefinition not found.")
	}
	return d, err
}

// capacity is what the service runs on after the request.
func capacity(tx store.Tx, svc *compute.Service, in *ecs.UpdateServiceInput) (admit.Capacity, error) {
	now := admit.Capacity{LaunchType: svc.LaunchType, Strategy: svc.Strategy}
	if in.CapacityProviderStrategy == nil {
		return now, nil
	}
	cluster, err := tables.Clusters.Get(tx, svc.Account, svc.Region, svc.Cluster)
	if err != nil {
		return now, err
	}
	next, err := admit.Choose(&cluster, nil, in.CapacityProviderStrategy)
	if err != nil {
		return now, err
	}
	if len(next.Strategy) == 0 && now.Fargate() {
		next.LaunchType = compute.Fargate // without any strategy the service stays where it is
	}
	if svc.Scheduling == daemon && len(next.Strategy) > 0 {
		return now, invalid("The daemon scheduling strategy does not support capacity provider strategies. Remove the capacity provider strategy and try again")
	}
	if !reflect.DeepEqual(now, next) && !value(in.ForceNewDeployment) {
		return now, invalid("When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.")
	}
	return next, nil
}

var deleteServiceHas = check.Required[ecs.DeleteServiceInput]()

// DeleteService implements ecs.API.
func (s *Service) DeleteService(ctx context.Context, in *ecs.DeleteServiceInput) (*ecs.DeleteServiceOutput, error) {
	_, tenant := call.From(ctx)
	if err := deleteServiceHas(in); err != nil {
		return nil, err
	}
	var out ecs.Service
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		svc, ok, err := find(tx, tenant, in.Cluster, in.Service)
		switch {
		case err != nil:
			return err
		case !ok || svc.Status == compute.Inactive:
			return ecs.ServiceNotFoundException("").WithoutMessage()
		case svc.Status == compute.Active && svc.Scheduling == replica && svc.Desired > 0 && !value(in.Force):
			return invalid("The service cannot be stopped while it is scaled above 0.")
		}
		svc.Status, svc.Desired, svc.SteadySince = compute.Draining, 0, time.Time{}
		if err := tables.Services.Put(tx, &svc); err != nil {
			return err
		}
		a, err := around(tx, &svc)
		out = view.DeletedService(&svc, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecs.DeleteServiceOutput{Service: &out}, nil
}
