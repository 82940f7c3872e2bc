package view

import (
	"neargate/arn"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/tag"
)

// Count is how many tasks of a deployment run and are on their way, as ECS shows it.
type Count struct{ Running, Pending int }

// Around is what an answer about a service needs beside its record.
type Around struct {
	Counts map[string]Count // by deployment id
	Events []compute.ServiceEvent
	Tags   bool
	// Current adds the ARN of the deployment in progress.
	Current bool
}

// Service shows a service.
func Service(s *compute.Service, a Around) ecs.Service {
	w := ecs.Service{
		AvailabilityZoneRebalancing:   Text(s.Rebalancing),
		CapacityProviderStrategy:      strategy(s.Strategy),
		ClusterArn:                    new(s.ClusterARN()),
		CreatedAt:                     Time(s.CreatedAt),
		CreatedBy:                     Text(s.CreatedBy),
		DeploymentConfiguration:       DeploymentConfiguration(s.Rolling, s.Breaker),
		DeploymentController:          &ecs.DeploymentController{Type: Text(s.Controller)},
		Deployments:                   []ecs.Deployment{},
		DesiredCount:                  number(s.Desired),
		EnableECSManagedTags:          new(s.ManagedTags),
		EnableExecuteCommand:          new(s.EnableExec),
		Events:                        []ecs.ServiceEvent{},
		ExtendDeploymentTimePeriod:    number(0),
		HealthCheckGracePeriodSeconds: number(s.GracePeriod),
		LaunchType:                    Text(s.LaunchType),
		LoadBalancers:                 []ecs.LoadBalancer{},
		NetworkConfiguration:          Network(s.Network),
		PlacementConstraints:          []ecs.PlacementConstraint{},
		PlacementStrategy:             []ecs.PlacementStrategy{},
		PlatformFamily:                Text(s.PlatformFamily),
		PlatformVersion:               Text(s.PlatformVersion),
		PropagateTags:                 Text(s.PropagateTags),
		ResourceManagementType:        new("CUSTOMER"),
		SchedulingStrategy:            Text(s.Scheduling),
		ServiceArn:                    new(s.ARN()),
		ServiceName:                   Text(s.Name),
		ServiceRegistries:             []ecs.ServiceRegistry{},
		Status:                        Text(s.Status),
		TaskDefinition:                Text(s.Definition),
		Version:                       number(0),
	}
	if s.Network != nil {
		w.RoleArn = new(arn.ARN{Partition: arn.Partition(s.Region), Service: "iam", Account: s.Account,
			Resource: "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"}.String())
	}
	if !s.SteadySince.IsZero() {
		w.RunStatus = new("SteadyState")
	}
	if a.Tags {
		w.Tags = tag.Show(s.Tags)
	}
	for _, p := range s.PlacementConstraints {
		w.PlacementConstraints = append(w.PlacementConstraints, ecs.PlacementConstraint{Type: Text(p.Type), Expression: Text(p.Expression)})
	}
	for _, p := range s.PlacementStrategy {
		w.PlacementStrategy = append(w.PlacementStrategy, ecs.PlacementStrategy{Type: Text(p.Type), Field: Text(p.Field)})
	}
	for _, e := range a.Events {
		w.Events = append(w.Events, ecs.ServiceEvent{CreatedAt: Time(e.At), Id: Text(e.ID), Message: Text(e.Message)})
	}
	deployments(&w, s, a)
	return w
}

// deployments adds what the answer says of the deployments, and the sums.
func deployments(w *ecs.Service, s *compute.Service, a Around) {
	sum := Count{}
	for i := range s.Deployments {
		d := &s.Deployments[i]
		n := a.Counts[d.ID]
		sum.Running += n.Running
		sum.Pending += n.Pending
		w.Deployments = append(w.Deployments, deployment(d, n, i == 0 && !s.SteadySince.IsZero()))
		w.CurrentServiceRevisions = append(w.CurrentServiceRevisions, ecs.ServiceCurrentRevisionSummary{
			Arn: new(s.RevisionARN(d.RevisionID())), RequestedTaskCount: number(d.Desired),
			RunningTaskCount: number(n.Running), PendingTaskCount: number(n.Pending),
		})
	}
	w.RunningCount, w.PendingCount = number(sum.Running), number(sum.Pending)
	if d := s.PrimaryDeployment(); a.Current && d != nil && d.Rollout == compute.InProgress && d.RecordID != "" {
		r := compute.ServiceDeployment{Account: s.Account, Region: s.Region, Cluster: s.Cluster, Service: s.Name, ID: d.RecordID}
		w.CurrentServiceDeployment = new(r.ARN())
	}
}

func deployment(d *compute.Deployment, n Count, steady bool) ecs.Deployment {
	w := ecs.Deployment{
		CapacityProviderStrategy: strategy(d.Strategy),
		CreatedAt:                Time(d.CreatedAt),
		DesiredCount:             number(d.Desired),
		FailedLaunchTaskCount:    number(d.Failed),
		FailedTasks:              number(d.Failed),
		HealthyTaskCount:         number(n.Running),
		Id:                       Text(d.ID),
		LaunchType:               Text(d.LaunchType),
		NetworkConfiguration:     Network(d.Network),
		PendingCount:             number(n.Pending),
		PlatformFamily:           Text(d.PlatformFamily),
		PlatformVersion:          Text(d.PlatformVersion),
		ReplacedTaskCount:        number(0),
		RolloutState:             Text(d.Rollout),
		RolloutStateReason:       Text(d.RolloutReason),
		RunningCount:             number(n.Running),
		Scale:                    &ecs.Scale{Unit: new("PERCENT"), Value: new(0.0)},
		StabilityStatus:          new("STABILIZING"),
		Status:                   Text(d.Status),
		TaskDefinition:           Text(d.Definition),
		TotalFailedTasks:         number(d.Failed),
		UpdatedAt:                Time(d.UpdatedAt),
	}
	if d.Status == compute.Primary {
		w.Scale.Value = new(100.0)
	}
	if steady {
		w.StabilityStatus = new("STEADY_STATE")
	}
	return w
}

// DeletedService shows a service as DeleteService answers it: with less than the
// other operations.
func DeletedService(s *compute.Service, a Around) ecs.Service {
	w := Service(s, a)
	w.CurrentServiceRevisions = nil
	w.DeploymentConfiguration.BakeTimeInMinutes = nil
	b := w.DeploymentConfiguration.DeploymentCircuitBreaker
	b.ResetOnHealthyTask, b.ThresholdConfiguration = nil, nil
	return w
}

// DeploymentConfiguration shows the deployment configuration of a rolling update.
func DeploymentConfiguration(r compute.Rolling, b compute.Breaker) *ecs.DeploymentConfiguration {
	return &ecs.DeploymentConfiguration{
		BakeTimeInMinutes: number(r.BakeMinutes),
		DeploymentCircuitBreaker: &ecs.DeploymentCircuitBreaker{
			Enable: new(false), Rollback: new(b.Rollback), ResetOnHealthyTask: new(b.ResetOnHealthyTask),
			ThresholdConfiguration: &ecs.ThresholdConfiguration{Type: Text(b.ThresholdType), Value: number(b.Threshold)},
		},
		MaximumPercent:        number(r.MaximumPercent),
		MinimumHealthyPercent: number(r.MinimumHealthyPercent),
		Strategy:              new("ROLLING"),
	}
}

// Network shows a network configuration, nil when there is none.
func Network(n *compute.Network) *ecs.NetworkConfiguration {
	if n == nil {
		return nil
	}
	return &ecs.NetworkConfiguration{AwsvpcConfiguration: &ecs.AwsVpcConfiguration{
		Subnets:        append([]string{}, n.Subnets...),
		SecurityGroups: append([]string{}, n.SecurityGroups...),
		AssignPublicIp: Text(n.AssignPublicIP),
	}}
}

func strategy(items []compute.StrategyItem) []ecs.CapacityProviderStrategyItem {
	var out []ecs.CapacityProviderStrategyItem
	for _, i := range items {
		out = append(out, ecs.CapacityProviderStrategyItem{CapacityProvider: new(i.Provider), Base: number(i.Base), Weight: number(i.Weight)})
	}
	return out
}

func number(n int) *int32 { return new(int32(n)) }
