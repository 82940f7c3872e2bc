package view

import (
	"encoding/json"

	"neargate/aws/ecs"
	"neargate/resource/compute"
)

// Brief shows a deployment record as ListServiceDeployments does.
func Brief(s *compute.Service, d *compute.ServiceDeployment) ecs.ServiceDeploymentBrief {
	return ecs.ServiceDeploymentBrief{
		ClusterArn: new(s.ClusterARN()), CreatedAt: Time(d.CreatedAt), FinishedAt: Time(d.FinishedAt),
		ServiceArn: new(s.ARN()), ServiceDeploymentArn: new(d.ARN()), StartedAt: Time(d.StartedAt),
		Status: Text(d.Status), StatusReason: Text(d.Reason), TargetServiceRevisionArn: new(s.RevisionARN(d.TargetID())),
	}
}

// ServiceDeployment shows a deployment record. The counts are those of the
// service's present deployments.
func ServiceDeployment(s *compute.Service, d *compute.ServiceDeployment, counts map[string]Count) ecs.ServiceDeployment {
	summary := func(revision string) ecs.ServiceRevisionSummary {
		id := "ecs-svc/" + revision
		n, requested := counts[id], 0
		for i := range s.Deployments {
			if s.Deployments[i].ID == id {
				requested = s.Deployments[i].Desired
			}
		}
		return ecs.ServiceRevisionSummary{
			Arn: new(s.RevisionARN(revision)), RequestedTaskCount: number(requested),
			RunningTaskCount: number(n.Running), PendingTaskCount: number(n.Pending),
		}
	}
	w := ecs.ServiceDeployment{
		ClusterArn: new(s.ClusterARN()), CreatedAt: Time(d.CreatedAt), FinishedAt: Time(d.FinishedAt),
		DeploymentCircuitBreaker: &ecs.ServiceDeploymentCircuitBreaker{
			Status: new("DISABLED"), FailureCount: number(0), Threshold: number(0),
		},
		DeploymentConfiguration: DeploymentConfiguration(d.Rolling, d.Breaker),
		ServiceArn:              new(s.ARN()), ServiceDeploymentArn: new(d.ARN()), StartedAt: Time(d.StartedAt),
		SourceServiceRevisions: []ecs.ServiceRevisionSummary{},
		Status:                 Text(d.Status), StatusReason: Text(d.Reason), UpdatedAt: Time(d.UpdatedAt),
		TargetServiceRevision: new(summary(d.TargetID())),
	}
	if d.Status == "STOPPED" {
		w.StoppedAt = Time(d.FinishedAt)
	}
	for _, id := range d.Source {
		w.SourceServiceRevisions = append(w.SourceServiceRevisions, summary(id))
	}
	return w
}

// Revision shows a service revision.
func Revision(s *compute.Service, r *compute.ServiceRevision) ecs.ServiceRevision {
	w := ecs.ServiceRevision{
		CapacityProviderStrategy: strategy(r.Strategy), ClusterArn: new(s.ClusterARN()),
		ContainerImages: []ecs.ContainerImage{}, CreatedAt: Time(r.CreatedAt), GuardDutyEnabled: new(false),
		LaunchType: Text(r.LaunchType), NetworkConfiguration: Network(r.Network),
		PlatformFamily: Text(r.PlatformFamily), PlatformVersion: Text(r.PlatformVersion),
		ServiceArn: new(s.ARN()), ServiceRevisionArn: new(s.RevisionARN(r.ID)), TaskDefinition: Text(r.Definition),
	}
	if !r.First {
		w.LoadBalancers, w.ServiceRegistries = []ecs.LoadBalancer{}, []ecs.ServiceRegistry{}
	}
	for _, c := range r.Images {
		w.ContainerImages = append(w.ContainerImages, ecs.ContainerImage{ContainerName: Text(c.Name), Image: Text(c.Image)})
	}
	if r.Monitoring != nil {
		w.Monitoring = &ecs.MonitoringConfiguration{}
		if err := json.Unmarshal(r.Monitoring, w.Monitoring); err != nil {
			panic(err) // CreateService and UpdateService wrote it
		}
	}
	return w
}
