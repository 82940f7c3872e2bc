package svc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/admit"
	"neargate/service/ecs/internal/call"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/trust"
	"neargate/service/ecs/internal/view"
	"neargate/store"
	"neargate/store/tables"
)

// CreateService implements ecs.API.
func (s *Service) CreateService(ctx context.Context, in *ecs.CreateServiceInput) (*ecs.CreateServiceOutput, error) {
	caller, tenant := call.From(ctx)
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	tags, err := admit.Tags(in.Tags)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	var out ecs.Service
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		cluster, err := lookup.Cluster(tx, tenant, in.Cluster)
		if err != nil {
			return err
		}
		old, ok, err := existing(tx, tenant, cluster.Name, in)
		if err != nil {
			return err
		}
		if ok {
			out, err = show(tx, &old)
			return err
		}
		rec, def, err := admitService(tx, caller, &cluster, in)
		if err != nil {
			return err
		}
		if err := trust.Pass(tx, caller, now, &def, nil); err != nil {
			return err
		}
		rec.CreatedAt, rec.CreatedBy, rec.Tags = now, caller.ARN, tags
		if err := s.deploy(tx, &rec, &def, now); err != nil {
			return err
		}
		if err := tables.Services.Put(tx, &rec); err != nil {
			return err
		}
		out, err = show(tx, &rec)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecs.CreateServiceOutput{Service: &out}, nil
}

func show(tx store.Tx, s *compute.Service) (ecs.Service, error) {
	a, err := around(tx, s)
	a.Tags = true
	return view.Service(s, a), err
}

// existing returns the service that the request created before. A service of the
// name that another request created, or that is still draining, is an error; an
// INACTIVE one is no more.
func existing(tx store.Tx, t ref.Tenant, cluster string, in *ecs.CreateServiceInput) (compute.Service, bool, error) {
	old, ok, err := tables.Services.Find(tx, t.Account, t.Region, cluster, value(in.ServiceName))
	switch {
	case err != nil || !ok || old.Status == compute.Inactive:
		return old, false, err
	case old.Status == compute.Draining:
		return old, false, invalid("Unable to Start a service that is still Draining.")
	case old.ClientToken == "" || old.ClientToken != value(in.ClientToken) || old.RequestHash != hash(in):
		return old, false, invalid("Creation of service was not idempotent.")
	}
	return old, true, nil
}

// hash is the same for requests that differ in nothing but their tags.
func hash(in *ecs.CreateServiceInput) string {
	untagged := *in
	untagged.Tags = nil
	b, err := json.Marshal(untagged)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// admitService checks the request against the records and makes the service.
func admitService(tx store.Tx, caller auth.Caller, cluster *compute.Cluster, in *ecs.CreateServiceInput) (compute.Service, taskdef.Definition, error) {
	t := ref.Of(caller)
	s := compute.Service{
		Account: t.Account, Region: t.Region, Cluster: cluster.Name, Name: value(in.ServiceName), Status: compute.Active,
		ClientToken: value(in.ClientToken), Scheduling: replica, Desired: int(value(in.DesiredCount)),
		Controller: "ECS", ManagedTags: value(in.EnableECSManagedTags), PropagateTags: "NONE", Rebalancing: enabled,
	}
	if s.ClientToken != "" {
		s.RequestHash = hash(in)
	}
	if in.SchedulingStrategy != nil {
		s.Scheduling = *in.SchedulingStrategy
	}
	if in.PropagateTags != nil {
		s.PropagateTags = *in.PropagateTags
	}
	s.Monitoring, _ = monitoring(in.Monitoring)
	s.Rolling, s.Breaker = defaultRolling(s.Scheduling)
	merge(&s, in.DeploymentConfiguration)
	switch {
	case in.AvailabilityZoneRebalancing != nil:
		s.Rebalancing = *in.AvailabilityZoneRebalancing
	case s.Rolling.MaximumPercent <= 100 || s.Scheduling == daemon:
		s.Rebalancing = disabled
	}
	def, err := admit.Definition(tx, t, value(in.TaskDefinition))
	if err != nil {
		return s, def, err
	}
	c, err := admit.Choose(cluster, in.LaunchType, in.CapacityProviderStrategy)
	if err != nil {
		return s, def, err
	}
	if s.Network, err = c.Network(&def, in.NetworkConfiguration); err != nil {
		return s, def, err
	}
	if err := checkCount(in, s.Scheduling, c); err != nil {
		return s, def, err
	}
	if err := c.Runs(&def); err != nil {
		return s, def, err
	}
	if s.PlatformVersion, err = c.Platform(in.PlatformVersion); err != nil {
		return s, def, err
	}
	if s.PlacementConstraints, s.PlacementStrategy, err = c.Placement(in.PlacementConstraints, in.PlacementStrategy); err != nil {
		return s, def, err
	}
	if err := checkDeployable(&s, "created"); err != nil {
		return s, def, err
	}
	s.LaunchType, s.Strategy = c.LaunchType, c.Strategy
	if err := admit.DualStack(tx, t, caller.ARN, s.Network); err != nil {
		return s, def, err
	}
	_, err = admit.Subnets(tx, t, s.Network)
	return s, def, err
}

// deploy makes a new primary deployment of what the service wants, with its
// revision and its record. The service is written by the caller.
func (s *Service) deploy(tx store.Tx, svc *compute.Service, def *taskdef.Definition, now time.Time) error {
	fargate := admit.Capacity{LaunchType: svc.LaunchType, Strategy: svc.Strategy}.Fargate()
	svc.Definition, svc.PlatformFamily = def.ARN(), ""
	d := compute.Deployment{
		ID: "ecs-svc/" + s.IDs.Digits(19), Status: compute.Primary, Rollout: compute.InProgress,
		Definition: svc.Definition, Checked: def.HealthChecked(), LaunchType: svc.LaunchType, Strategy: svc.Strategy,
		Network: svc.Network, CreatedAt: now, UpdatedAt: now, RecordID: s.IDs.Base62(21),
	}
	d.RolloutReason = "ECS deployment " + d.ID + " in progress."
	if fargate {
		d.PlatformVersion, d.PlatformFamily = launch.Platform(svc.PlatformVersion), launch.Family(def)
		svc.PlatformFamily = d.PlatformFamily
	}
	record := compute.ServiceDeployment{
		Account: svc.Account, Region: svc.Region, Cluster: svc.Cluster, Service: svc.Name, ID: d.RecordID,
		DeploymentID: d.ID, Status: "PENDING", CreatedAt: now, UpdatedAt: now, Rolling: svc.Rolling, Breaker: svc.Breaker,
	}
	for _, old := range svc.Deployments {
		record.Source = append(record.Source, old.RevisionID())
	}
	if err := s.supersede(tx, svc, now); err != nil {
		return err
	}
	revision := compute.ServiceRevision{
		Account: svc.Account, Region: svc.Region, Cluster: svc.Cluster, Service: svc.Name, ID: d.RevisionID(), CreatedAt: now,
		Definition: d.Definition, LaunchType: d.LaunchType, Strategy: d.Strategy, PlatformVersion: d.PlatformVersion,
		PlatformFamily: d.PlatformFamily, Network: d.Network, Monitoring: svc.Monitoring, First: len(svc.Deployments) == 0,
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		revision.Images = append(revision.Images, compute.ContainerSpec{Name: c.Name, Image: c.Image})
	}
	svc.Deployments = append([]compute.Deployment{d}, svc.Deployments...)
	svc.Backoff, svc.NextStart, svc.SteadySince = compute.Backoff{}, time.Time{}, time.Time{}
	if err := tables.ServiceRevisions.Put(tx, &revision); err != nil {
		return err
	}
	return tables.ServiceDeployments.Put(tx, &record)
}

// supersede makes the present deployments old ones and stops the rollout of the
// one that was primary.
func (s *Service) supersede(tx store.Tx, svc *compute.Service, now time.Time) error {
	old := append([]compute.Deployment{}, svc.Deployments...)
	for i := range old {
		if old[i].Status == compute.Primary && old[i].Rollout == compute.InProgress {
			r, ok, err := tables.ServiceDeployments.Find(tx, svc.Account, svc.Region, svc.Cluster, svc.Name, old[i].RecordID)
			if err != nil {
				return err
			}
			if ok {
				r.Status, r.Reason = "STOPPED", "A new service deployment was started."
				r.FinishedAt, r.UpdatedAt = now, now
				if err := tables.ServiceDeployments.Put(tx, &r); err != nil {
					return err
				}
			}
		}
		old[i].Status, old[i].UpdatedAt = compute.Active, now
	}
	svc.Deployments = old
	return nil
}
