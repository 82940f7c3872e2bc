package svc

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/ecstest"
	"neargate/store"
	"neargate/store/tables"
)

type world struct {
	*ecstest.World
	*Service
}

func newWorld(t *testing.T) *world {
	w := ecstest.New(t)
	w.Definition("web", nil)
	w.Definition("ec2", func(d *taskdef.Definition) { d.Compatibilities, d.NetworkMode = []string{"EXTERNAL", "EC2"}, nil })
	return &world{w, New(w.Env)}
}

func (w *world) network() *ecs.NetworkConfiguration {
	return &ecs.NetworkConfiguration{AwsvpcConfiguration: &ecs.AwsVpcConfiguration{Subnets: w.Subnets[:2], AssignPublicIp: new("ENABLED")}}
}

// request is a good CreateService request.
func (w *world) request() *ecs.CreateServiceInput {
	return &ecs.CreateServiceInput{
		Cluster: new("c"), ServiceName: new("web"), TaskDefinition: new("web"), DesiredCount: new(int32(2)),
		LaunchType: new("FARGATE"), NetworkConfiguration: w.network(),
	}
}

func (w *world) create(change func(*ecs.CreateServiceInput)) *ecs.Service {
	w.T.Helper()
	in := w.request()
	if change != nil {
		change(in)
	}
	out, err := w.CreateService(w.Ctx, in)
	if err != nil {
		w.T.Fatal(err)
	}
	return out.Service
}

func (w *world) update(in ecs.UpdateServiceInput) *ecs.Service {
	w.T.Helper()
	in.Cluster = new("c")
	if in.Service == nil {
		in.Service = new("web")
	}
	out, err := w.UpdateService(w.Ctx, &in)
	if err != nil {
		w.T.Fatal(err)
	}
	return out.Service
}

func (w *world) describe(include ...string) ecs.Service {
	w.T.Helper()
	out, err := w.DescribeServices(w.Ctx, &ecs.DescribeServicesInput{Cluster: new("c"), Services: []string{"web"}, Include: include})
	if err != nil || len(out.Services) != 1 {
		w.T.Fatalf("%+v, %v", out, err)
	}
	return out.Services[0]
}

// record changes the stored service.
func (w *world) record(change func(*compute.Service)) {
	w.T.Helper()
	w.Update(func(tx store.Tx) error {
		s, err := tables.Services.Get(tx, ecstest.Account, ecstest.Region, "c", "web")
		if err != nil {
			return err
		}
		s.Deployments = slices.Clone(s.Deployments)
		change(&s)
		return tables.Services.Put(tx, &s)
	})
}

func members(v any) []string {
	var out []string
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if !r.Field(i).IsNil() {
			name, _, _ := strings.Cut(r.Type().Field(i).Tag.Get("aws"), ",")
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func TestCreateServiceAnswersAsRecorded(t *testing.T) {
	w := newWorld(t)
	s := w.create(func(in *ecs.CreateServiceInput) { in.Tags = []ecs.Tag{{Key: new("a"), Value: new("1")}} })
	want := strings.Fields(`availabilityZoneRebalancing clusterArn createdAt createdBy currentServiceRevisions deploymentConfiguration
		deploymentController deployments desiredCount enableECSManagedTags enableExecuteCommand events extendDeploymentTimePeriod
		healthCheckGracePeriodSeconds launchType loadBalancers networkConfiguration pendingCount placementConstraints
		placementStrategy platformFamily platformVersion propagateTags resourceManagementType roleArn runningCount
		schedulingStrategy serviceArn serviceName serviceRegistries status tags taskDefinition version`)
	if got := members(*s); !slices.Equal(got, want) {
		t.Errorf("service members\n%v, want\n%v", got, want)
	}
	d := s.Deployments[0]
	want = strings.Fields(`createdAt desiredCount failedLaunchTaskCount failedTasks healthyTaskCount id launchType networkConfiguration
		pendingCount platformFamily platformVersion replacedTaskCount rolloutState rolloutStateReason runningCount scale
		stabilityStatus status taskDefinition totalFailedTasks updatedAt`)
	if got := members(d); !slices.Equal(got, want) {
		t.Errorf("deployment members\n%v, want\n%v", got, want)
	}
	if *s.PlatformVersion != "LATEST" || *d.PlatformVersion != "1.4.0" || *d.PlatformFamily != "Linux" || *d.Status != "PRIMARY" ||
		*d.RolloutState != "IN_PROGRESS" || *d.RolloutStateReason != "ECS deployment "+*d.Id+" in progress." || *d.DesiredCount != 0 ||
		*s.DesiredCount != 2 || *s.AvailabilityZoneRebalancing != "ENABLED" || *s.PropagateTags != "NONE" ||
		*s.RoleArn != "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS" || len(*d.Id) != len("ecs-svc/")+19 {
		b, _ := json.Marshal(s)
		t.Errorf("service %s", b)
	}
	c := s.DeploymentConfiguration
	if *c.MaximumPercent != 200 || *c.MinimumHealthyPercent != 100 || *c.Strategy != "ROLLING" || *c.BakeTimeInMinutes != 0 ||
		*c.DeploymentCircuitBreaker.Enable || !*c.DeploymentCircuitBreaker.ResetOnHealthyTask ||
		*c.DeploymentCircuitBreaker.ThresholdConfiguration.Type != "BOUNDED_PERCENT" || *c.DeploymentCircuitBreaker.ThresholdConfiguration.Value != 50 {
		t.Errorf("deployment configuration %+v", c)
	}
	if r := s.CurrentServiceRevisions; len(r) != 1 || *r[0].Arn != "arn:aws:ecs:us-east-1:123456789012:service-revision/c/web/"+strings.TrimPrefix(*d.Id, "ecs-svc/") {
		t.Errorf("revisions %+v", r)
	}
	if s := w.describe(); s.Tags != nil || s.CurrentServiceDeployment == nil || !strings.HasPrefix(*s.CurrentServiceDeployment, "arn:aws:ecs:us-east-1:123456789012:service-deployment/c/web/") {
		t.Errorf("described %v", members(s))
	}
	if s := w.describe("TAGS"); len(s.Tags) != 1 {
		t.Errorf("tags %v", s.Tags)
	}
	e := w.create(func(in *ecs.CreateServiceInput) {
		in.ServiceName, in.TaskDefinition, in.LaunchType, in.NetworkConfiguration = new("ec2"), new("ec2"), nil, nil
	})
	if *e.LaunchType != "EC2" || e.RoleArn != nil || e.PlatformVersion != nil || e.NetworkConfiguration != nil {
		t.Errorf("EC2 service %v", members(*e))
	}
	z := w.create(func(in *ecs.CreateServiceInput) {
		in.ServiceName, in.DeploymentConfiguration = new("max"), &ecs.DeploymentConfiguration{MaximumPercent: new(int32(100)), MinimumHealthyPercent: new(int32(0))}
	})
	if *z.AvailabilityZoneRebalancing != "DISABLED" {
		t.Errorf("rebalancing %s at maximum 100", *z.AvailabilityZoneRebalancing)
	}
}

func TestCreateServiceUsesDefaultStrategy(t *testing.T) {
	w := newWorld(t)
	w.Cluster(func(c *compute.Cluster) {
		c.DefaultStrategy = []compute.StrategyItem{{Provider: "FARGATE_SPOT", Weight: 1}}
	})
	s := w.create(func(in *ecs.CreateServiceInput) { in.LaunchType = nil })
	w.Cluster(func(c *compute.Cluster) { c.DefaultStrategy = []compute.StrategyItem{{Provider: "FARGATE"}} })
	in := w.request()
	in.LaunchType, in.ServiceName = nil, new("other")
	_, err := w.CreateService(w.Ctx, in)
	w.Fails(err, "InvalidParameterException: There are no capacity providers with a weight value greater than zero defined in the default capacity provider strategy.")
	if s.LaunchType != nil || *s.CapacityProviderStrategy[0].CapacityProvider != "FARGATE_SPOT" || *s.Deployments[0].CapacityProviderStrategy[0].Weight != 1 {
		t.Errorf("service %+v", s)
	}
}

func TestCreateServiceRefuses(t *testing.T) {
	w := newWorld(t)
	rolling := func(c ecs.DeploymentConfiguration) func(*ecs.CreateServiceInput) {
		return func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = &c }
	}
	threshold := func(kind string, n int32) func(*ecs.CreateServiceInput) {
		return rolling(ecs.DeploymentConfiguration{DeploymentCircuitBreaker: &ecs.DeploymentCircuitBreaker{Enable: new(false), Rollback: new(false),
			ThresholdConfiguration: &ecs.ThresholdConfiguration{Type: &kind, Value: &n}}})
	}
	metrics := func(resolution int32, names ...string) func(*ecs.CreateServiceInput) {
		return func(in *ecs.CreateServiceInput) {
			in.Monitoring = &ecs.MonitoringConfiguration{MetricConfigurations: []ecs.MetricConfiguration{{MetricNames: names, ResolutionSeconds: &resolution}}}
		}
	}
	const ipe = "InvalidParameterException: "
	tests := []struct {
		want   string
		change func(*ecs.CreateServiceInput)
	}{
		{"ClusterNotFoundException: Cluster not found.", func(in *ecs.CreateServiceInput) { in.Cluster = new("none") }},
		{ipe + "DesiredCount is missing", func(in *ecs.CreateServiceInput) { in.DesiredCount = nil }},
		{ipe + "DesiredCount can not be lesser than 0", func(in *ecs.CreateServiceInput) { in.DesiredCount = new(int32(-1)) }},
		{ipe + "Scheduling strategy should be one of [REPLICA,DAEMON]", func(in *ecs.CreateServiceInput) { in.SchedulingStrategy = new("BOGUS") }},
		{ipe + "maximumPercent must be at least 100", rolling(ecs.DeploymentConfiguration{MaximumPercent: new(int32(0))})},
		{ipe + "minimumHealthyPercent must be at most 100", rolling(ecs.DeploymentConfiguration{MinimumHealthyPercent: new(int32(101))})},
		{ipe + "Both maximumPercent and minimumHealthyPercent cannot be 100", rolling(ecs.DeploymentConfiguration{MaximumPercent: new(int32(100))})},
		{ipe + "Invalid deployment circuit breaker threshold value.", threshold("COUNT", 0)},
		{ipe + "Invalid deployment circuit breaker threshold value.", threshold("BOUNDED_PERCENT", 101)},
		{ipe + "Invalid deployment circuit breaker threshold type.", threshold("X", 1)},
		{"ClientException: TaskDefinition not found.", func(in *ecs.CreateServiceInput) { in.TaskDefinition = new("none") }},
		{ipe + "TaskDefinition can not be blank.", func(in *ecs.CreateServiceInput) { in.TaskDefinition = nil }},
		{ipe + "Network Configuration must be provided when networkMode 'awsvpc' is specified.", func(in *ecs.CreateServiceInput) {
			in.NetworkConfiguration, in.DesiredCount = nil, new(int32(0))
		}},
		{ipe + "Network Configuration must be provided", func(in *ecs.CreateServiceInput) {
			in.NetworkConfiguration, in.SchedulingStrategy = nil, new("DAEMON")
		}},
		{ipe + "The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again", func(in *ecs.CreateServiceInput) { in.SchedulingStrategy = new("DAEMON") }},
		{ipe + "The daemon scheduling strategy does not support the FARGATE launch type. Change the launch type and try again", func(in *ecs.CreateServiceInput) {
			in.SchedulingStrategy, in.DesiredCount = new("DAEMON"), nil
		}},
		{ipe + "idempotency token longer than 36.", func(in *ecs.CreateServiceInput) { in.ClientToken = new(strings.Repeat("x", 37)) }},
		{ipe + "Invalid service name", func(in *ecs.CreateServiceInput) { in.ServiceName = new("a b") }},
		{ipe + "Metric name must be one of [CPUUtilization, MemoryUtilization].", metrics(20, "X")},
		{ipe + "Metric name must be one of", metrics(60)},
		{ipe + "Resolution seconds", metrics(30, "CPUUtilization")},
		{ipe + "Duplicate metric names are not allowed across monitoring configuration.", metrics(20, "CPUUtilization", "CPUUtilization")},
		{ipe + "Health check grace period is only valid", func(in *ecs.CreateServiceInput) { in.HealthCheckGracePeriodSeconds = new(int32(5)) }},
		{ipe + "You cannot specify an IAM role", func(in *ecs.CreateServiceInput) { in.Role = new("r") }},
		{ipe + "propagateTags should be", func(in *ecs.CreateServiceInput) { in.PropagateTags = new("X") }},
		{ipe + "Placement strategies are not supported", func(in *ecs.CreateServiceInput) {
			in.PlacementStrategy = []ecs.PlacementStrategy{{Type: new("random")}}
		}},
		{ipe + "The service couldn't be created because Availability Zone Rebalancing does not support maximumPercent <= 100 %", func(in *ecs.CreateServiceInput) {
			in.AvailabilityZoneRebalancing = new("ENABLED")
			rolling(ecs.DeploymentConfiguration{MaximumPercent: new(int32(100)), MinimumHealthyPercent: new(int32(0))})(in)
		}},
		{"PlatformUnknownException: ", func(in *ecs.CreateServiceInput) { in.PlatformVersion = new("0.1") }},
		{ipe + "The number of tags", func(in *ecs.CreateServiceInput) { in.Tags = make([]ecs.Tag, 51) }},
		{"UnsupportedFeatureException: Elastic Load Balancing is not supported in this Region.", func(in *ecs.CreateServiceInput) { in.LoadBalancers = []ecs.LoadBalancer{{}} }},
		{"UnsupportedFeatureException: Service discovery", func(in *ecs.CreateServiceInput) { in.ServiceRegistries = []ecs.ServiceRegistry{{}} }},
		{"UnsupportedFeatureException: Amazon ECS Service Connect", func(in *ecs.CreateServiceInput) {
			in.ServiceConnectConfiguration = &ecs.ServiceConnectConfiguration{Enabled: new(true)}
		}},
		{"UnsupportedFeatureException: Amazon EBS", func(in *ecs.CreateServiceInput) { in.VolumeConfigurations = []ecs.ServiceVolumeConfiguration{{}} }},
		{"UnsupportedFeatureException: Amazon VPC Lattice", func(in *ecs.CreateServiceInput) { in.VpcLatticeConfigurations = []ecs.VpcLatticeConfiguration{{}} }},
		{"UnsupportedFeatureException: The gateway", func(in *ecs.CreateServiceInput) { in.GatewayConnectors = []ecs.GatewayConnector{{}} }},
		{"UnsupportedFeatureException: ECS Exec", func(in *ecs.CreateServiceInput) { in.EnableExecuteCommand = new(true) }},
		{"UnsupportedFeatureException: The deployment controller", func(in *ecs.CreateServiceInput) {
			in.DeploymentController = &ecs.DeploymentController{Type: new("CODE_DEPLOY")}
		}},
		{"UnsupportedFeatureException: The deployment strategy BLUE_GREEN", rolling(ecs.DeploymentConfiguration{Strategy: new("BLUE_GREEN")})},
		{"UnsupportedFeatureException: The deployment circuit breaker", rolling(ecs.DeploymentConfiguration{DeploymentCircuitBreaker: &ecs.DeploymentCircuitBreaker{Enable: new(true)}})},
		{"UnsupportedFeatureException: The deployment alarm", rolling(ecs.DeploymentConfiguration{Alarms: &ecs.DeploymentAlarms{Enable: new(true)}})},
		{"UnsupportedFeatureException: The deployment lifecycle hook", rolling(ecs.DeploymentConfiguration{LifecycleHooks: []ecs.DeploymentLifecycleHook{{}}})},
		{"UnsupportedFeatureException: The bake time", rolling(ecs.DeploymentConfiguration{BakeTimeInMinutes: new(int32(5))})},
		{"UnsupportedFeatureException: The canary", rolling(ecs.DeploymentConfiguration{CanaryConfiguration: &ecs.CanaryConfiguration{}})},
		{"UnsupportedFeatureException: The linear", rolling(ecs.DeploymentConfiguration{LinearConfiguration: &ecs.LinearConfiguration{}})},
		{"UnsupportedFeatureException: The early success", rolling(ecs.DeploymentConfiguration{EarlySuccessCriteria: &ecs.DeploymentEarlySuccessCriteria{Enable: new(true)}})},
	}
	for _, tt := range tests {
		in := w.request()
		tt.change(in)
		_, err := w.CreateService(w.Ctx, in)
		w.Fails(err, tt.want)
	}
}

// What says only what is so anyway is accepted.
func TestDefaultsMayBeSaid(t *testing.T) {
	w := newWorld(t)
	s := w.create(func(in *ecs.CreateServiceInput) {
		in.LoadBalancers, in.ServiceRegistries, in.VolumeConfigurations = []ecs.LoadBalancer{}, []ecs.ServiceRegistry{}, []ecs.ServiceVolumeConfiguration{}
		in.ServiceConnectConfiguration = &ecs.ServiceConnectConfiguration{Enabled: new(false)}
		in.EnableExecuteCommand, in.HealthCheckGracePeriodSeconds = new(false), new(int32(0))
		in.DeploymentController = &ecs.DeploymentController{Type: new("ECS")}
		in.Monitoring = &ecs.MonitoringConfiguration{}
		in.DeploymentConfiguration = &ecs.DeploymentConfiguration{Strategy: new("ROLLING"), BakeTimeInMinutes: new(int32(0)),
			DeploymentCircuitBreaker: &ecs.DeploymentCircuitBreaker{Enable: new(false), Rollback: new(true)},
			Alarms:                   &ecs.DeploymentAlarms{Enable: new(false), Rollback: new(false), AlarmNames: []string{}}}
	})
	if b := s.DeploymentConfiguration.DeploymentCircuitBreaker; !*b.Rollback || !*b.ResetOnHealthyTask {
		t.Errorf("breaker %+v", b)
	}
}

func TestCreateServiceIdempotency(t *testing.T) {
	w := newWorld(t)
	token := func(in *ecs.CreateServiceInput) {
		in.ClientToken, in.Tags = new("tok"), []ecs.Tag{{Key: new("a"), Value: new("1")}}
	}
	first := w.create(token)
	again := w.create(func(in *ecs.CreateServiceInput) { token(in); in.Tags = []ecs.Tag{{Key: new("b"), Value: new("2")}} })
	if *again.Deployments[0].Id != *first.Deployments[0].Id || *again.Tags[0].Key != "a" {
		t.Errorf("replayed %+v", again)
	}
	for _, change := range []func(*ecs.CreateServiceInput){
		func(in *ecs.CreateServiceInput) { in.ClientToken = nil },
		func(in *ecs.CreateServiceInput) { in.ClientToken = new("other") },
		func(in *ecs.CreateServiceInput) { in.DesiredCount = new(int32(3)) },
		func(in *ecs.CreateServiceInput) { in.TaskDefinition = new("web:1") },
	} {
		in := w.request()
		token(in)
		change(in)
		_, err := w.CreateService(w.Ctx, in)
		w.Fails(err, "InvalidParameterException: Creation of service was not idempotent.")
	}
	if other := w.create(func(in *ecs.CreateServiceInput) { token(in); in.ServiceName = new("second") }); *other.ServiceName != "second" {
		t.Errorf("another name with the token gave %s", *other.ServiceName)
	}
	w.record(func(s *compute.Service) { s.Status = compute.Draining })
	in := w.request()
	token(in)
	_, err := w.CreateService(w.Ctx, in)
	w.Fails(err, "InvalidParameterException: Unable to Start a service that is still Draining.")
	w.record(func(s *compute.Service) { s.Status = compute.Inactive })
	w.Now = w.Now.Add(time.Minute)
	if next := w.create(token); *next.ServiceArn != *first.ServiceArn || *next.Deployments[0].Id == *first.Deployments[0].Id || !next.CreatedAt.Equal(w.Now) {
		t.Errorf("recreated %+v", next)
	}
}

func TestUpdateServiceDeploysWhatTasksAreMadeFrom(t *testing.T) {
	w := newWorld(t)
	w.Definition("web", nil)
	w.create(func(in *ecs.CreateServiceInput) { in.TaskDefinition = new("web:1") })
	w.record(func(s *compute.Service) {
		s.Deployments[0].Rollout, s.SteadySince = compute.Completed, w.Now
		s.Backoff.Failures = 3
	})
	kept := []ecs.UpdateServiceInput{
		{}, {DesiredCount: new(int32(2))}, {TaskDefinition: new("web:1")}, {NetworkConfiguration: w.network()}, {PlatformVersion: new("LATEST")},
		{PropagateTags: new("SERVICE"), EnableECSManagedTags: new(true)}, {AvailabilityZoneRebalancing: new("DISABLED")},
		{DeploymentConfiguration: &ecs.DeploymentConfiguration{MaximumPercent: new(int32(150))}}, {LoadBalancers: []ecs.LoadBalancer{}},
	}
	for i, in := range kept {
		if s := w.update(in); len(s.Deployments) != 1 || s.RunStatus == nil || s.Tags != nil {
			t.Errorf("update %d: %d deployments, %v", i, len(s.Deployments), members(*s))
		}
	}
	s := w.update(ecs.UpdateServiceInput{DesiredCount: new(int32(5))})
	if len(s.Deployments) != 1 || *s.DesiredCount != 5 || s.RunStatus != nil || *s.PropagateTags != "SERVICE" || !*s.EnableECSManagedTags ||
		*s.AvailabilityZoneRebalancing != "DISABLED" || *s.DeploymentConfiguration.MaximumPercent != 150 || *s.DeploymentConfiguration.MinimumHealthyPercent != 100 {
		b, _ := json.Marshal(s)
		t.Errorf("service %s", b)
	}
	network := w.network()
	network.AwsvpcConfiguration.SecurityGroups = []string{w.Group}
	made := []ecs.UpdateServiceInput{
		{TaskDefinition: new("web")}, {NetworkConfiguration: network}, {PlatformVersion: new("1.4.0")}, {ForceNewDeployment: new(true)},
		{Monitoring: &ecs.MonitoringConfiguration{MetricConfigurations: []ecs.MetricConfiguration{{MetricNames: []string{"CPUUtilization"}, ResolutionSeconds: new(int32(20))}}}},
		{Monitoring: &ecs.MonitoringConfiguration{MetricConfigurations: []ecs.MetricConfiguration{}}},
		{CapacityProviderStrategy: []ecs.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE_SPOT"), Weight: new(int32(1))}}, ForceNewDeployment: new(true)},
	}
	for i, in := range made {
		s := w.update(in)
		if n := len(s.Deployments); n != i+2 || *s.Deployments[0].Status != "PRIMARY" || *s.Deployments[1].Status != "ACTIVE" || *s.Deployments[0].DesiredCount != 0 {
			t.Errorf("update %d: %d deployments", i, n)
		}
	}
	w.record(func(s *compute.Service) {
		if s.Backoff.Failures != 0 || s.LaunchType != "" || s.Strategy[0].Provider != "FARGATE_SPOT" || s.Definition != "arn:aws:ecs:us-east-1:123456789012:task-definition/web:2" {
			t.Errorf("record %+v", s)
		}
	})
	w.Update(func(tx store.Tx) error {
		records, err := store.Collect(tables.ServiceDeployments.By(tx, tables.ServiceDeploymentsByAge, ecstest.Account, ecstest.Region, "c", "web"))
		states := map[string]int{}
		for _, r := range records {
			states[r.Status]++
		}
		// The first one is left to the scheduler, which had completed it.
		if len(records) != 8 || states["PENDING"] != 2 || states["STOPPED"] != 6 {
			t.Errorf("deployment records %v", states)
		}
		return err
	})
}

func TestUpdateServiceRefuses(t *testing.T) {
	w := newWorld(t)
	w.create(nil)
	for _, tt := range []struct {
		want string
		in   ecs.UpdateServiceInput
	}{
		{"ServiceNotFoundException: Service not found.", ecs.UpdateServiceInput{Service: new("none")}},
		{"InvalidParameterException: Task count can not be lesser than 0", ecs.UpdateServiceInput{DesiredCount: new(int32(-1))}},
		{"ServerException: ", ecs.UpdateServiceInput{Monitoring: &ecs.MonitoringConfiguration{}}},
		{"ClientException: TaskDefinition not found.", ecs.UpdateServiceInput{TaskDefinition: new("none")}},
		{"InvalidParameterException: The service couldn't be updated because Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration. Update deployment configuration and try again.",
			ecs.UpdateServiceInput{DeploymentConfiguration: &ecs.DeploymentConfiguration{MaximumPercent: new(int32(100)), MinimumHealthyPercent: new(int32(0))}}},
		{"InvalidParameterException: When switching from launch type to capacity provider strategy on an existing service",
			ecs.UpdateServiceInput{CapacityProviderStrategy: []ecs.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE"), Weight: new(int32(1))}}}},
		{"InvalidParameterException: Error retrieving subnet information", ecs.UpdateServiceInput{NetworkConfiguration: &ecs.NetworkConfiguration{
			AwsvpcConfiguration: &ecs.AwsVpcConfiguration{Subnets: []string{"subnet-x"}}}}},
		{"InvalidParameterException: Network Configuration is not valid", ecs.UpdateServiceInput{TaskDefinition: new("ec2")}},
		{"UnsupportedFeatureException: ECS Exec", ecs.UpdateServiceInput{EnableExecuteCommand: new(true)}},
		{"UnsupportedFeatureException: Elastic Load Balancing", ecs.UpdateServiceInput{LoadBalancers: []ecs.LoadBalancer{{}}}},
		{"InvalidParameterException: Placement constraints", ecs.UpdateServiceInput{PlacementConstraints: []ecs.PlacementConstraint{{}}}},
	} {
		tt.in.Cluster = new("c")
		if tt.in.Service == nil {
			tt.in.Service = new("web")
		}
		_, err := w.UpdateService(w.Ctx, &tt.in)
		w.Fails(err, tt.want)
	}
	w.record(func(s *compute.Service) { s.Status = compute.Draining })
	_, err := w.UpdateService(w.Ctx, &ecs.UpdateServiceInput{Cluster: new("c"), Service: new("web")})
	w.Fails(err, "ServiceNotActiveException: Service was not ACTIVE.")
}

func TestDaemonService(t *testing.T) {
	w := newWorld(t)
	s := w.create(func(in *ecs.CreateServiceInput) {
		in.TaskDefinition, in.LaunchType, in.NetworkConfiguration = new("ec2"), new("EC2"), nil
		in.SchedulingStrategy, in.DesiredCount = new("DAEMON"), nil
	})
	if *s.SchedulingStrategy != "DAEMON" || *s.DeploymentConfiguration.MaximumPercent != 100 || *s.DeploymentConfiguration.MinimumHealthyPercent != 0 || *s.AvailabilityZoneRebalancing != "DISABLED" {
		t.Errorf("daemon %+v", s)
	}
	_, err := w.UpdateService(w.Ctx, &ecs.UpdateServiceInput{Cluster: new("c"), Service: new("web"), DesiredCount: new(int32(1))})
	w.Fails(err, "InvalidParameterException: The daemon scheduling strategy does not support a desired count")
}

func TestDeleteService(t *testing.T) {
	w := newWorld(t)
	w.create(nil)
	del := func(force *bool) (*ecs.DeleteServiceOutput, error) {
		return w.DeleteService(w.Ctx, &ecs.DeleteServiceInput{Cluster: new("c"), Service: new("web"), Force: force})
	}
	_, err := del(nil)
	w.Fails(err, "InvalidParameterException: The service cannot be stopped while it is scaled above 0.")
	for range 2 { // repeating it is fine
		out, err := del(new(true))
		if err != nil {
			t.Fatal(err)
		}
		b := out.Service.DeploymentConfiguration
		if *out.Service.Status != "DRAINING" || *out.Service.DesiredCount != 0 || out.Service.CurrentServiceRevisions != nil || out.Service.Tags != nil ||
			b.BakeTimeInMinutes != nil || b.DeploymentCircuitBreaker.ThresholdConfiguration != nil || b.DeploymentCircuitBreaker.Enable == nil {
			t.Errorf("deleted %v", members(*out.Service))
		}
	}
	if l, err := w.ListServices(w.Ctx, &ecs.ListServicesInput{Cluster: new("c")}); err != nil || len(l.ServiceArns) != 0 {
		t.Errorf("listed %v, %v", l, err)
	}
	if s := w.describe(); *s.Status != "DRAINING" {
		t.Errorf("described %s", *s.Status)
	}
	w.record(func(s *compute.Service) { s.Status = compute.Inactive })
	_, err = del(nil)
	w.Fails(err, "ServiceNotFoundException: ")
	_, err = w.DeleteService(w.Ctx, &ecs.DeleteServiceInput{Cluster: new("none"), Service: new("web")})
	w.Fails(err, "ClusterNotFoundException: Cluster not found.")
}

func TestDescribeServices(t *testing.T) {
	w := newWorld(t)
	w.create(nil)
	var deployment string
	w.record(func(s *compute.Service) { deployment = s.Deployments[0].ID })
	def := taskdef.Definition{Family: "web", Revision: 1, ContainerDefinitions: []taskdef.Container{{Name: "main"}}}
	w.Update(func(tx store.Tx) error {
		for i, last := range []compute.Status{compute.Running, compute.Running, compute.Pending, compute.Stopped} {
			task := launch.Task(launch.Order{Definition: &def, Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", ID: fmt.Sprint(i),
				ContainerIDs: []string{"x"}, Now: w.Now, Service: "web", Deployment: deployment})
			task.State.Last = last
			if err := tables.Tasks.Put(tx, &task); err != nil {
				return err
			}
		}
		for i := range 3 {
			e := compute.ServiceEvent{Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", Service: "web", ID: fmt.Sprint(i),
				At: w.Now.Add(time.Duration(i-1) * time.Second), Message: fmt.Sprint(i)}
			if err := tables.ServiceEvents.Put(tx, &e); err != nil {
				return err
			}
		}
		return nil
	})
	s := w.describe()
	if *s.RunningCount != 2 || *s.PendingCount != 1 || *s.Deployments[0].RunningCount != 2 || *s.CurrentServiceRevisions[0].PendingTaskCount != 1 {
		t.Errorf("counts %d, %d", *s.RunningCount, *s.PendingCount)
	}
	if e := s.Events; len(e) != 2 || *e[0].Message != "2" || *e[1].Message != "1" {
		t.Errorf("events %+v", e)
	}
	w.record(func(s *compute.Service) { s.Status = compute.Inactive })
	if s := w.describe(); s.Events == nil || len(s.Events) != 0 {
		t.Errorf("events of an INACTIVE service %+v", s.Events)
	}
	out, err := w.DescribeServices(w.Ctx, &ecs.DescribeServicesInput{Cluster: new("c"), Services: []string{"none"}})
	if err != nil || *out.Failures[0].Reason != "MISSING" || *out.Failures[0].Arn != "arn:aws:ecs:us-east-1:123456789012:service/c/none" {
		t.Errorf("missing %+v, %v", out, err)
	}
	for want, in := range map[string]*ecs.DescribeServicesInput{
		"InvalidParameterException: include should be one of [TAGS]": {Services: []string{"web"}, Include: []string{"BOGUS"}},
		"InvalidParameterException: Services cannot be empty.":       {},
		"InvalidParameterException: services can have at most 10":    {Services: make([]string, 11)},
	} {
		in.Cluster = new("c")
		_, err := w.DescribeServices(w.Ctx, in)
		w.Fails(err, want)
	}
}

func TestListServicesPages(t *testing.T) {
	w := newWorld(t)
	for i := range 13 {
		w.create(func(in *ecs.CreateServiceInput) {
			in.ServiceName = new(fmt.Sprintf("s%02d", i))
			if i%2 == 1 {
				in.TaskDefinition, in.LaunchType, in.NetworkConfiguration = new("ec2"), new("EC2"), nil
			}
		})
	}
	list := func(in ecs.ListServicesInput) (pages []int, all []string) {
		in.Cluster = new("c")
		for {
			out, err := w.ListServices(w.Ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			pages, all = append(pages, len(out.ServiceArns)), append(all, out.ServiceArns...)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return pages, slices.Compact(all)
			}
		}
	}
	for name, tt := range map[string]struct {
		in    ecs.ListServicesInput
		pages []int
	}{
		"ten by default": {ecs.ListServicesInput{}, []int{10, 3}},
		"five":           {ecs.ListServicesInput{MaxResults: new(int32(5))}, []int{5, 5, 3}},
		"EC2":            {ecs.ListServicesInput{LaunchType: new("EC2"), MaxResults: new(int32(4))}, []int{4, 2}},
		"daemons":        {ecs.ListServicesInput{SchedulingStrategy: new("DAEMON")}, []int{0}},
		"of ECS":         {ecs.ListServicesInput{ResourceManagementType: new("ECS")}, []int{0}},
	} {
		sum := 0
		for _, n := range tt.pages {
			sum += n
		}
		if pages, all := list(tt.in); !slices.Equal(pages, tt.pages) || len(all) != sum {
			t.Errorf("%s: pages %v of %d, want %v", name, pages, len(all), tt.pages)
		}
	}
	for want, in := range map[string]*ecs.ListServicesInput{
		"InvalidParameterException: launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]": {LaunchType: new("X")},
		"InvalidParameterException: Max results can not be greater than 100":                                   {MaxResults: new(int32(101))},
		"InvalidParameterException: Invalid token":                                                             {NextToken: new("x")},
		"InvalidParameterException: Scheduling strategy":                                                       {SchedulingStrategy: new("X")},
		"InvalidParameterException: resource management":                                                       {ResourceManagementType: new("X")},
	} {
		in.Cluster = new("c")
		_, err := w.ListServices(w.Ctx, in)
		w.Fails(err, want)
	}
}

func TestListServicesByNamespace(t *testing.T) {
	w := newWorld(t)
	_, err := w.ListServicesByNamespace(w.Ctx, &ecs.ListServicesByNamespaceInput{Namespace: new("ns")})
	w.Fails(err, "NamespaceNotFoundException: ")
	w.Cluster(func(c *compute.Cluster) { c.ServiceConnect = "ns" })
	out, err := w.ListServicesByNamespace(w.Ctx, &ecs.ListServicesByNamespaceInput{Namespace: new("ns"), MaxResults: new(int32(1))})
	if err != nil || out.ServiceArns == nil || len(out.ServiceArns) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = w.ListServicesByNamespace(w.Ctx, &ecs.ListServicesByNamespaceInput{Namespace: new("ns"), NextToken: new("x")})
	w.Fails(err, "InvalidParameterException: Invalid token")
}
