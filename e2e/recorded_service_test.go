package e2e

import "testing"

// rolling is the deployment configuration of a service that asks for none.
const rolling = `{"bakeTimeInMinutes":0,"deploymentCircuitBreaker":{"enable":false,"resetOnHealthyTask":true,"rollback":false,
	"thresholdConfiguration":{"type":"BOUNDED_PERCENT","value":50}},"maximumPercent":200,"minimumHealthyPercent":100,"strategy":"ROLLING"}`

// services gives the account what fargate does, and a task definition ec2:1
// without network interfaces of its own.
func (c *client) services(t *testing.T) {
	t.Helper()
	c.fargate(t)
	c.run(t, "ecs", []row{{source: "setup", op: "RegisterTaskDefinition", in: `{"family":"ec2","containerDefinitions":[{"name":"main","image":"a","memory":64}]}`}})
}

func TestRecordedCreateService(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	c.run(t, "ecs", []row{
		{source: "Fargate defaults", op: "CreateService", in: `{"cluster":"web","serviceName":"api","taskDefinition":"app","desiredCount":1,"launchType":"FARGATE","tags":[{"key":"a","value":"1"}],$NETWORK}`, want: []string{
			`service.deploymentConfiguration = ` + rolling, `service.schedulingStrategy = "REPLICA"`, `service.deploymentController = {"type":"ECS"}`,
			`service.healthCheckGracePeriodSeconds = 0`, `service.propagateTags = "NONE"`, `service.enableECSManagedTags = false`,
			`service.enableExecuteCommand = false`, `service.availabilityZoneRebalancing = "ENABLED"`, `service.resourceManagementType = "CUSTOMER"`,
			`service.loadBalancers = []`, `service.serviceRegistries = []`, `service.placementConstraints = []`, `service.placementStrategy = []`,
			`service.events = []`, `service.launchType = "FARGATE"`, `service.platformVersion = "LATEST"`, `service.platformFamily = "Linux"`,
			`service.roleArn = "arn:aws:iam::$ACCOUNT:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"`,
			`service.version = 0`, `service.extendDeploymentTimePeriod = 0`, `!service.runStatus`, `service.tags = [{"key":"a","value":"1"}]`,
			`service.desiredCount = 1`, `service.runningCount = 0`, `service.pendingCount = 0`, `service.createdBy = "arn:aws:iam::$ACCOUNT:root"`,
			`service.networkConfiguration = {"awsvpcConfiguration":{"assignPublicIp":"DISABLED","securityGroups":[],"subnets":["$SUBNET"]}}`,
			`service.deployments.# = 1`, `service.deployments.0.id ~ ^ecs-svc/[0-9]{19}$$`, `service.deployments.0.status = "PRIMARY"`,
			`service.deployments.0.rolloutState = "IN_PROGRESS"`, `service.deployments.0.rolloutStateReason ~ ^ECS deployment ecs-svc/[0-9]{19} in progress.$$`,
			`service.deployments.0.desiredCount = 0`, `service.deployments.0.failedTasks = 0`, `service.deployments.0.platformVersion = "1.4.0"`,
			`service.deployments.0.platformFamily = "Linux"`, `service.deployments.0.failedLaunchTaskCount = 0`, `service.deployments.0.healthyTaskCount = 0`,
			`service.deployments.0.replacedTaskCount = 0`, `service.deployments.0.totalFailedTasks = 0`, `service.deployments.0.scale ~ unit:PERCENT`,
			`service.deployments.0.stabilityStatus = "STABILIZING"`, `raw ~ "scale":{"unit":"PERCENT","value":(0|100)\.0}`,
			`service.currentServiceRevisions.# = 1`, `service.currentServiceRevisions.0.requestedTaskCount = 0`,
			`service.currentServiceRevisions.0.arn ~ ^${ECS}service-revision/web/api/[0-9]{19}$$`, `!service.currentServiceDeployment`,
		}, keep: "DEPLOYMENT=service.deployments.0.id REVISION=service.currentServiceRevisions.0.arn"},
		{source: "tags only with include", op: "DescribeServices", in: `{"cluster":"web","services":["api","none"]}`, want: []string{
			`!services.0.tags`, `failures = [{"arn":"${ECS}service/web/none","reason":"MISSING"}]`}},
		{source: "omitted launch type is EC2", op: "CreateService", in: `{"cluster":"web","serviceName":"ec2","taskDefinition":"ec2","desiredCount":1}`, want: []string{
			`service.launchType = "EC2"`, `!service.roleArn`, `!service.platformVersion`, `!service.networkConfiguration`, `!service.deployments.0.platformVersion`, `service.tags = []`}},
		{source: "current deployment in describe", op: "DescribeServices", in: `{"cluster":"web","services":["ec2","api"],"include":["TAGS"]}`, want: []string{
			`services.0.currentServiceDeployment ~ ^${ECS}service-deployment/web/ec2/[0-9A-Za-z_-]{21}$$`, `services.1.tags = [{"key":"a","value":"1"}]`}},
		{source: "maximumPercent 100 turns rebalancing off", op: "CreateService", in: `{"cluster":"web","serviceName":"narrow","taskDefinition":"ec2","desiredCount":0,"deploymentConfiguration":{"maximumPercent":100,"minimumHealthyPercent":0}}`,
			want: []string{`service.availabilityZoneRebalancing = "DISABLED"`, `service.deploymentConfiguration.maximumPercent = 100`}},
		{source: "tasks of a service", op: "ListTasks", in: `{"cluster":"web","serviceName":"api"}`, await: true, want: []string{`taskArns.# = 1`}, keep: "TASK=taskArns.0"},
		{source: "tasks of a service", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$TASK"],"include":["TAGS"]}`, want: []string{
			`tasks.0.startedBy = "$DEPLOYMENT"`, `tasks.0.group = "service:api"`, `tasks.0.tags = []`}},
		{source: "the started event", op: "DescribeServices", in: `{"cluster":"web","services":["api"]}`, await: true, want: []string{
			`raw ~ "\(service api\) has started 1 tasks: \(task [0-9a-f]{32}\)\."`, `services.0.events.0.id ~ ^[0-9a-f-]{36}$$`,
			`services.0.deployments.0.desiredCount = 1`}},
		{source: "UpdateService answers before anything moved", op: "UpdateService", in: `{"cluster":"web","service":"api","desiredCount":2}`, want: []string{
			`service.desiredCount = 2`, `service.deployments.0.desiredCount = 1`, `service.deployments.# = 1`, `!service.tags`, `service.deployments.0.id = "$DEPLOYMENT"`}},
		{source: "a changed definition makes a new PRIMARY", op: "UpdateService", in: `{"cluster":"web","service":"api","taskDefinition":"app:1","forceNewDeployment":true}`, want: []string{
			`service.deployments.# = 2`, `service.deployments.0.status = "PRIMARY"`, `service.deployments.1.status = "ACTIVE"`, `service.deployments.1.id = "$DEPLOYMENT"`}},
		{source: "scaled above 0, no force", op: "DeleteService", in: `{"cluster":"web","service":"api"}`, fails: "InvalidParameterException: The service cannot be stopped while it is scaled above 0."},
		{source: "DeleteService answer", op: "DeleteService", in: `{"cluster":"web","service":"api","force":true}`, want: []string{
			`service.status = "DRAINING"`, `service.desiredCount = 0`, `!service.tags`, `!service.currentServiceRevisions`,
			`service.deploymentConfiguration = {"deploymentCircuitBreaker":{"enable":false,"rollback":false},"maximumPercent":200,"minimumHealthyPercent":100,"strategy":"ROLLING"}`}},
		{source: "gone from ListServices at once", op: "ListServices", in: `{"cluster":"web"}`, want: []string{`serviceArns = ["${ECS}service/web/ec2","${ECS}service/web/narrow"]`}},
		{source: "INACTIVE later", op: "DescribeServices", in: `{"cluster":"web","services":["api"]}`, await: true, want: []string{`services.0.status = "INACTIVE"`, `services.0.events = []`, `failures = []`}},
		{source: "update of an INACTIVE service", op: "UpdateService", in: `{"cluster":"web","service":"api","desiredCount":1}`, fails: "ServiceNotActiveException: Service was not ACTIVE."},
		{source: "revisions of an INACTIVE service", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["$REVISION"]}`,
			fails: "InvalidParameterException: Cannot call DescribeServiceRevisions for a service that is INACTIVE"},
		{source: "the name again", op: "CreateService", in: `{"cluster":"web","serviceName":"api","taskDefinition":"app","desiredCount":0,"launchType":"FARGATE",$NETWORK}`, want: []string{
			`service.serviceArn = "${ECS}service/web/api"`, `service.deployments.# = 1`, `service.tags = []`, `service.events = []`}},
	})
}

func TestRecordedServiceErrors(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	create := func(source, members, fails string) row {
		return row{source: source, op: "CreateService", in: `{"cluster":"web","serviceName":"x",` + members + `}`, fails: fails}
	}
	const (
		clusterGone = "ClusterNotFoundException: Cluster not found."
		vpc         = "InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified."
		breaker     = "InvalidParameterException: Invalid deployment circuit breaker threshold "
		metric      = "InvalidParameterException: Metric name must be one of [CPUUtilization, MemoryUtilization]."
		ec2         = `"taskDefinition":"ec2","desiredCount":0`
		daemon      = `"taskDefinition":"app","launchType":"FARGATE","schedulingStrategy":"DAEMON"`
	)
	threshold := func(kind, value string) string {
		return ec2 + `,"deploymentConfiguration":{"deploymentCircuitBreaker":{"enable":false,"rollback":false,"thresholdConfiguration":{"type":"` + kind + `","value":` + value + `}}}`
	}
	monitoring := func(configurations string) string {
		return ec2 + `,"monitoring":{"metricConfigurations":[` + configurations + `]}`
	}
	c.run(t, "ecs", []row{
		{source: "missing cluster", op: "CreateService", in: `{"cluster":"none","serviceName":"x","taskDefinition":"ec2","desiredCount":0}`, fails: clusterGone},
		{source: "missing cluster", op: "UpdateService", in: `{"cluster":"none","service":"x"}`, fails: clusterGone},
		{source: "missing cluster", op: "DeleteService", in: `{"cluster":"none","service":"x"}`, fails: clusterGone},
		{source: "missing cluster", op: "DescribeServices", in: `{"cluster":"none","services":["x"]}`, fails: clusterGone},
		{source: "missing cluster", op: "ListServices", in: `{"cluster":"none"}`, fails: clusterGone},
		{source: "missing service", op: "UpdateService", in: `{"cluster":"web","service":"none"}`, fails: "ServiceNotFoundException: Service not found."},
		{source: "missing service, no message", op: "DeleteService", in: `{"cluster":"web","service":"none"}`, fails: "ServiceNotFoundException"},
		{source: "missing service", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["${ECS}service-revision/web/none/1111111111111111111"]}`, fails: "ServiceNotFoundException: Service not found."},
		create("no desiredCount", `"taskDefinition":"ec2"`, "InvalidParameterException: DesiredCount is missing"),
		create("desiredCount -1", `"taskDefinition":"ec2","desiredCount":-1`, "InvalidParameterException: DesiredCount can not be lesser than 0"),
		create("strategy BOGUS", ec2+`,"schedulingStrategy":"BOGUS"`, "InvalidParameterException: Scheduling strategy should be one of [REPLICA,DAEMON]"),
		create("maximumPercent 0", ec2+`,"deploymentConfiguration":{"maximumPercent":0}`, "InvalidParameterException: maximumPercent must be at least 100"),
		create("minimumHealthyPercent 101", ec2+`,"deploymentConfiguration":{"minimumHealthyPercent":101}`, "InvalidParameterException: minimumHealthyPercent must be at most 100"),
		create("unknown definition", `"taskDefinition":"none","desiredCount":0`, "ClientException: TaskDefinition not found."),
		create("no network at count 0", `"taskDefinition":"app","desiredCount":0,"launchType":"FARGATE"`, vpc),
		create("Fargate DAEMON with count, no network", daemon+`,"desiredCount":1`, vpc),
		create("Fargate DAEMON with count", daemon+`,"desiredCount":1,$NETWORK`, "InvalidParameterException: The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again"),
		create("Fargate DAEMON", daemon+`,$NETWORK`, "InvalidParameterException: The daemon scheduling strategy does not support the FARGATE launch type. Change the launch type and try again"),
		create("token of 37", ec2+`,"clientToken":"1234567890123456789012345678901234567"`, "InvalidParameterException: idempotency token longer than 36."),
		create("COUNT=0", threshold("COUNT", "0"), breaker+"value."),
		create("BOUNDED_PERCENT=101", threshold("BOUNDED_PERCENT", "101"), breaker+"value."),
		create("unknown type", threshold("BOGUS", "1"), breaker+"type."),
		create("missing metric names", monitoring(`{"resolutionSeconds":60}`), metric),
		create("unknown metric names", monitoring(`{"metricNames":["BOGUS"],"resolutionSeconds":60}`), metric),
		create("duplicate metric names", monitoring(`{"metricNames":["CPUUtilization"],"resolutionSeconds":60},{"metricNames":["CPUUtilization"],"resolutionSeconds":20}`),
			"InvalidParameterException: Duplicate metric names are not allowed across monitoring configuration."),
		{source: "include BOGUS", op: "DescribeServices", in: `{"cluster":"web","services":["x"],"include":["BOGUS"]}`, fails: "InvalidParameterException: include should be one of [TAGS]"},
		{source: "bad launchType", op: "ListServices", in: `{"cluster":"web","launchType":"BOGUS"}`, fails: "InvalidParameterException: launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]"},
		{source: "maxResults 101", op: "ListServices", in: `{"cluster":"web","maxResults":101}`, fails: "InvalidParameterException: Max results can not be greater than 100"},
		{source: "setup", op: "CreateService", in: `{"cluster":"web","serviceName":"s",` + ec2 + `}`},
		{source: "desiredCount -1", op: "UpdateService", in: `{"cluster":"web","service":"s","desiredCount":-1}`, fails: "InvalidParameterException: Task count can not be lesser than 0"},
		{source: "maximumPercent 100 with rebalancing", op: "UpdateService", in: `{"cluster":"web","service":"s","deploymentConfiguration":{"maximumPercent":100}}`,
			fails: "InvalidParameterException: The service couldn't be updated because Availability Zone Rebalancing does not support maximumPercent <= 100 % as deployment configuration. Update deployment configuration and try again."},
		{source: "monitoring {} in an update", op: "UpdateService", in: `{"cluster":"web","service":"s","monitoring":{}}`, code: 500, fails: "ServerException: Service Unavailable. Please try again later."},
		create("monitoring {}", ec2+`,"monitoring":{}`, ""),
	})
	for _, resolution := range []string{"0", "19", "21", "30", "61"} {
		in := `{"cluster":"web","serviceName":"y",` + monitoring(`{"metricNames":["CPUUtilization"],"resolutionSeconds":`+resolution+`}`) + `}`
		if a := c.call(t, "ecs", "CreateService", c.expand(in), nil); a.status != 400 {
			t.Errorf("resolution %s: %s", resolution, a.body)
		}
	}
}

func TestRecordedServiceTokens(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	const (
		spoiled = "InvalidParameterException: Creation of service was not idempotent."
		request = `"taskDefinition":"ec2","tags":[{"key":"a","value":"1"}]`
	)
	c.run(t, "ecs", []row{
		{source: "first", op: "CreateService", in: `{"cluster":"web","serviceName":"s","clientToken":"t","desiredCount":0,` + request + `}`, keep: "DEPLOYMENT=service.deployments.0.id"},
		{source: "same request", op: "CreateService", in: `{"cluster":"web","serviceName":"s","clientToken":"t","desiredCount":0,` + request + `}`, want: []string{`service.deployments.0.id = "$DEPLOYMENT"`}},
		{source: "changed tags", op: "CreateService", in: `{"cluster":"web","serviceName":"s","clientToken":"t","desiredCount":0,"taskDefinition":"ec2","tags":[{"key":"a","value":"2"}]}`, want: []string{
			`service.tags = [{"key":"a","value":"1"}]`, `service.deployments.0.id = "$DEPLOYMENT"`}},
		{source: "another token", op: "CreateService", in: `{"cluster":"web","serviceName":"s","clientToken":"u","desiredCount":0,` + request + `}`, fails: spoiled},
		{source: "no token", op: "CreateService", in: `{"cluster":"web","serviceName":"s","desiredCount":0,` + request + `}`, fails: spoiled},
		{source: "changed count", op: "CreateService", in: `{"cluster":"web","serviceName":"s","clientToken":"t","desiredCount":1,` + request + `}`, fails: spoiled},
		{source: "setup", op: "RegisterTaskDefinition", in: `{"family":"ec2","containerDefinitions":[{"name":"main","image":"b","memory":64}]}`},
		{source: "changed definition", op: "CreateService", in: `{"cluster":"web","serviceName":"s","clientToken":"t","desiredCount":0,"taskDefinition":"ec2:2"}`, fails: spoiled},
		{source: "another name", op: "CreateService", in: `{"cluster":"web","serviceName":"other","clientToken":"t","desiredCount":0,` + request + `}`, want: []string{`service.serviceName = "other"`}},
		{source: "state unchanged", op: "DescribeServices", in: `{"cluster":"web","services":["s"]}`, want: []string{`services.0.desiredCount = 0`, `services.0.taskDefinition = "${ECS}task-definition/ec2:1"`}},
	})
}

func TestRecordedServiceRevisions(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	const bad = "InvalidParameterException: The ServiceRevision ARN is invalid."
	c.run(t, "ecs", []row{
		{source: "setup", op: "CreateService", in: `{"cluster":"web","serviceName":"s","taskDefinition":"ec2","desiredCount":0,"monitoring":{"metricConfigurations":[{"metricNames":["CPUUtilization"],"resolutionSeconds":20}]}}`,
			want: []string{`!service.monitoring`}, keep: "REVISION=service.currentServiceRevisions.0.arn DEPLOYMENT=service.deployments.0.id"},
		{source: "setup", op: "CreateService", in: `{"cluster":"web","serviceName":"u","taskDefinition":"ec2","desiredCount":0}`, keep: "OTHER=service.currentServiceRevisions.0.arn"},
		{source: "the first revision", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["$REVISION"]}`, want: []string{
			`failures = []`, `serviceRevisions.0.containerImages = [{"containerName":"main","image":"a"}]`, `serviceRevisions.0.guardDutyEnabled = false`,
			`serviceRevisions.0.createdAt`, `!serviceRevisions.0.loadBalancers`, `!serviceRevisions.0.serviceRegistries`,
			`serviceRevisions.0.monitoring = {"metricConfigurations":[{"metricNames":["CPUUtilization"],"resolutionSeconds":20}]}`}},
		{source: "monitoring only if set", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["$OTHER"]}`, want: []string{`!serviceRevisions.0.monitoring`}},
		{source: "unknown number, repeated per duplicate", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["${ECS}service-revision/web/s/1","${ECS}service-revision/web/s/1"]}`, want: []string{
			`serviceRevisions = []`, `failures = [{"arn":"${ECS}service-revision/web/s/1","reason":"MISSING"},{"arn":"${ECS}service-revision/web/s/1","reason":"MISSING"}]`}},
		{source: "wrong region", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["arn:aws:ecs:eu-west-1:$ACCOUNT:service-revision/web/s/1"]}`, fails: bad},
		{source: "wrong account", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["arn:aws:ecs:us-east-1:999999999999:service-revision/web/s/1"]}`, fails: bad},
		{source: "non-numeric", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["${ECS}service-revision/web/s/x"]}`, fails: bad},
		{source: "two services", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["$REVISION","$OTHER"]}`,
			fails: "InvalidParameterException: Cross service requests are not allowed. All requested service revisions must be for a single service"},
		{source: "the same existing ARN twice", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["$REVISION","$REVISION"]}`, code: 500, fails: "ServerException: Service Unavailable. Please try again later."},
		{source: "unchanged monitoring", op: "UpdateService", in: `{"cluster":"web","service":"s","monitoring":{"metricConfigurations":[{"metricNames":["CPUUtilization"],"resolutionSeconds":20}]}}`, want: []string{`service.deployments.0.id = "$DEPLOYMENT"`}},
		{source: "monitoring []", op: "UpdateService", in: `{"cluster":"web","service":"s","monitoring":{"metricConfigurations":[]}}`, want: []string{`service.deployments.0.status = "PRIMARY"`}, keep: "NEXT=service.currentServiceRevisions.0.arn"},
		{source: "a later revision", op: "DescribeServiceRevisions", in: `{"serviceRevisionArns":["$NEXT"]}`, want: []string{`serviceRevisions.0.loadBalancers = []`, `serviceRevisions.0.serviceRegistries = []`}},
		{source: "a deployment of no tasks completes", op: "DescribeServices", in: `{"cluster":"web","services":["u"]}`, await: true, want: []string{
			`services.0.deployments.0.rolloutState = "COMPLETED"`, `services.0.runStatus = "SteadyState"`, `services.0.deployments.0.stabilityStatus = "STEADY_STATE"`,
			`services.0.deployments.0.rolloutStateReason ~ ^ECS deployment ecs-svc/[0-9]{19} completed.$$`, `!services.0.currentServiceDeployment`,
			`services.0.events.0.message = "(service u) has reached a steady state."`, `services.0.events.1.message ~ ^\(service u\) \(deployment ecs-svc/[0-9]{19}\) deployment completed.$$`}},
		{source: "two tasks", op: "CreateService", in: `{"cluster":"web","serviceName":"two","taskDefinition":"app","desiredCount":2,"launchType":"FARGATE",$NETWORK}`, keep: "TWO=service.deployments.0.id"},
		{source: "two tasks", op: "DescribeServices", in: `{"cluster":"web","services":["two"]}`, await: true, want: []string{`services.0.runningCount = 2`,
			`raw ~ "\(service two\) has started 2 tasks: \(task [0-9a-f]{32}\) \(task [0-9a-f]{32}\)\."`}},
		{source: "scale in", op: "ListTasks", in: `{"cluster":"web","serviceName":"two"}`, keep: "ONE=taskArns.0"},
		{source: "scale in", op: "UpdateService", in: `{"cluster":"web","service":"two","desiredCount":0}`},
		{source: "scale in", op: "DescribeServices", in: `{"cluster":"web","services":["two"]}`, await: true, want: []string{`services.0.runningCount = 0`,
			`raw ~ "\(service two\) has stopped 2 running tasks: \(task [0-9a-f]{32}\) \(task [0-9a-f]{32}\)\."`}},
		{source: "scale in", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$ONE"]}`, await: true, want: []string{
			`tasks.0.stopCode = "ServiceSchedulerInitiated"`, `tasks.0.stoppedReason = "Scaling activity initiated by (deployment $TWO)"`}},
		{source: "force at count 0", op: "UpdateService", in: `{"cluster":"web","service":"s","forceNewDeployment":true}`, want: []string{`service.deployments.0.status = "PRIMARY"`, `service.deployments.1.status = "ACTIVE"`}},
	})
}
