package svc

import (
	"encoding/json"
	"fmt"

	"neargate/arn"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/admit"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/ref"
)

// feature is a part of a request that needs a component this installation lacks.
type feature struct {
	name string
	used bool
}

// features are those parts, each used unless it is absent or says what is so anyway.
func features(in *ecs.CreateServiceInput) []feature {
	d := in.DeploymentConfiguration
	if d == nil {
		d = &ecs.DeploymentConfiguration{}
	}
	strategy := value(d.Strategy)
	return []feature{
		{"Elastic Load Balancing", len(in.LoadBalancers) > 0},
		{"Service discovery", len(in.ServiceRegistries) > 0},
		{"Amazon ECS Service Connect", in.ServiceConnectConfiguration != nil && value(in.ServiceConnectConfiguration.Enabled)},
		{"Amazon EBS", len(in.VolumeConfigurations) > 0},
		{"Amazon VPC Lattice", len(in.VpcLatticeConfigurations) > 0},
		{"The gateway connector", len(in.GatewayConnectors) > 0},
		{"ECS Exec", value(in.EnableExecuteCommand)},
		{"The deployment controller", in.DeploymentController != nil && value(in.DeploymentController.Type) != "ECS"},
		{"The deployment strategy " + strategy, strategy != "" && strategy != "ROLLING"},
		{"The deployment circuit breaker", d.DeploymentCircuitBreaker != nil && value(d.DeploymentCircuitBreaker.Enable)},
		{"The deployment alarm", d.Alarms != nil && (value(d.Alarms.Enable) || value(d.Alarms.Rollback) || len(d.Alarms.AlarmNames) > 0)},
		{"The deployment lifecycle hook", len(d.LifecycleHooks) > 0},
		{"The bake time", value(d.BakeTimeInMinutes) != 0},
		{"The canary deployment", d.CanaryConfiguration != nil},
		{"The linear deployment", d.LinearConfiguration != nil},
		{"The early success criterion", d.EarlySuccessCriteria != nil && value(d.EarlySuccessCriteria.Enable)},
	}
}

// checkOptions checks what CreateService and UpdateService say alike, as far as
// the request alone tells.
func checkOptions(in *ecs.CreateServiceInput) error {
	for _, f := range features(in) {
		if f.used {
			return admit.Unsupported(f.name)
		}
	}
	if value(in.HealthCheckGracePeriodSeconds) != 0 {
		return invalid("Health check grace period is only valid for services configured to use load balancers")
	}
	if err := check.OneOf("availabilityZoneRebalancing", in.AvailabilityZoneRebalancing, enabled, disabled); err != nil {
		return err
	}
	if err := check.OneOf("propagateTags", in.PropagateTags, "TASK_DEFINITION", "SERVICE", "NONE"); err != nil {
		return err
	}
	if _, err := monitoring(in.Monitoring); err != nil {
		return err
	}
	return checkRolling(in.DeploymentConfiguration)
}

func checkRolling(d *ecs.DeploymentConfiguration) error {
	if d == nil {
		return nil
	}
	switch {
	case d.MaximumPercent != nil && *d.MaximumPercent < 100:
		return invalid("maximumPercent must be at least 100")
	case value(d.MinimumHealthyPercent) > 100:
		return invalid("minimumHealthyPercent must be at most 100")
	case value(d.MinimumHealthyPercent) < 0:
		return invalid("minimumHealthyPercent must be at least 0")
	}
	if b := d.DeploymentCircuitBreaker; b != nil && b.ThresholdConfiguration != nil {
		return checkThreshold(b.ThresholdConfiguration)
	}
	return nil
}

func checkThreshold(t *ecs.ThresholdConfiguration) error {
	n, limit := value(t.Value), int32(0)
	switch value(t.Type) {
	case "BOUNDED_PERCENT":
		limit = 100
	case "COUNT", "UNBOUNDED_PERCENT":
		limit = 1 << 30
	default:
		return invalid("Invalid deployment circuit breaker threshold type.")
	}
	if n < 1 || n > limit {
		return invalid("Invalid deployment circuit breaker threshold value.")
	}
	return nil
}

// defaultRolling is the deployment configuration of a service that says nothing.
func defaultRolling(scheduling string) (compute.Rolling, compute.Breaker) {
	r := compute.Rolling{MaximumPercent: 200, MinimumHealthyPercent: 100}
	if scheduling == daemon {
		r = compute.Rolling{MaximumPercent: 100}
	}
	return r, compute.Breaker{ResetOnHealthyTask: true, ThresholdType: "BOUNDED_PERCENT", Threshold: 50}
}

// merge takes what the request says into a deployment configuration.
func merge(s *compute.Service, d *ecs.DeploymentConfiguration) {
	if d == nil {
		return
	}
	if d.MaximumPercent != nil {
		s.Rolling.MaximumPercent = int(*d.MaximumPercent)
	}
	if d.MinimumHealthyPercent != nil {
		s.Rolling.MinimumHealthyPercent = int(*d.MinimumHealthyPercent)
	}
	if b := d.DeploymentCircuitBreaker; b != nil {
		_, s.Breaker = defaultRolling(s.Scheduling)
		s.Breaker.Rollback = value(b.Rollback)
		if b.ResetOnHealthyTask != nil {
			s.Breaker.ResetOnHealthyTask = *b.ResetOnHealthyTask
		}
		if t := b.ThresholdConfiguration; t != nil {
			s.Breaker.ThresholdType, s.Breaker.Threshold = value(t.Type), int(value(t.Value))
		}
	}
}

// monitoring checks a monitoring configuration and returns it as it is stored:
// nil when it configures nothing.
func monitoring(m *ecs.MonitoringConfiguration) ([]byte, error) {
	if m == nil || len(m.MetricConfigurations) == 0 {
		return nil, nil
	}
	seen := map[string]bool{}
	for _, c := range m.MetricConfigurations {
		if r := value(c.ResolutionSeconds); r != 20 && r != 60 {
			return nil, invalid("Resolution seconds must be one of [20, 60].")
		}
		if len(c.MetricNames) == 0 {
			return nil, invalid("Metric name must be one of [CPUUtilization, MemoryUtilization].")
		}
		for _, n := range c.MetricNames {
			if n != "CPUUtilization" && n != "MemoryUtilization" {
				return nil, invalid("Metric name must be one of [CPUUtilization, MemoryUtilization].")
			}
			if seen[n] {
				return nil, invalid("Duplicate metric names are not allowed across monitoring configuration.")
			}
			seen[n] = true
		}
	}
	return json.Marshal(m)
}

var createServiceHas = check.Required[ecs.CreateServiceInput]()

// checkCreate checks what a CreateService request says by itself.
func checkCreate(in *ecs.CreateServiceInput) error {
	if len(value(in.ClientToken)) > 36 {
		return invalid("idempotency token longer than 36.")
	}
	if name := value(in.ServiceName); arn.Is(name) || !ref.ValidName(name) {
		return invalid(fmt.Sprintf("Invalid service name: %s", name))
	}
	if err := check.OneOf("Scheduling strategy", in.SchedulingStrategy, replica, daemon); err != nil {
		return err
	}
	switch {
	case value(in.DesiredCount) < 0:
		return invalid("DesiredCount can not be lesser than 0")
	case value(in.TaskDefinition) == "":
		return invalid("TaskDefinition can not be blank.")
	case value(in.Role) != "":
		return invalid("You cannot specify an IAM role for services that require a service linked role.")
	}
	if err := checkOptions(in); err != nil {
		return err
	}
	return createServiceHas(in)
}

// checkCount checks the desired count against the scheduling strategy and the
// capacity of a service to be created.
func checkCount(in *ecs.CreateServiceInput, scheduling string, c admit.Capacity) error {
	switch {
	case scheduling == replica && in.DesiredCount == nil:
		return invalid("DesiredCount is missing")
	case scheduling == daemon && in.DesiredCount != nil:
		return invalid(daemonCount)
	case scheduling == daemon && len(c.Strategy) > 0:
		return invalid("The daemon scheduling strategy does not support capacity provider strategies. Remove the capacity provider strategy and try again")
	case scheduling == daemon && c.Fargate():
		return invalid("The daemon scheduling strategy does not support the FARGATE launch type. Change the launch type and try again")
	case scheduling == daemon && len(in.PlacementStrategy) > 0:
		return invalid("The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again")
	}
	return nil
}

const daemonCount = "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again"

// checkDeployable refuses configurations under which nothing can move.
func checkDeployable(s *compute.Service, verb string) error {
	switch {
	case s.Rebalancing == enabled && s.Rolling.MaximumPercent <= 100:
		return invalid("The service couldn't be " + verb + " because Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration. Update deployment configuration and try again.")
	case s.Rebalancing == enabled && s.Scheduling == daemon:
		return invalid("The service couldn't be " + verb + " because Availability Zone Rebalancing does not support the DAEMON scheduling strategy. Update the scheduling strategy and try again.")
	case s.Rolling.MaximumPercent == 100 && s.Rolling.MinimumHealthyPercent == 100:
		return invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
	}
	return nil
}
