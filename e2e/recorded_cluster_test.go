package e2e

import "testing"

func TestRecordedClusters(t *testing.T) {
	t.Parallel()
	newClient(t).run(t, "ecs", []row{
		{source: "CreateCluster with only a name", op: "CreateCluster", in: `{"clusterName":"web"}`, want: []string{
			`clusterCount = 1`, `cluster.status = "ACTIVE"`, `cluster.clusterArn = "${ECS}cluster/web"`,
			`cluster.registeredContainerInstancesCount = 0`, `cluster.runningTasksCount = 0`,
			`cluster.pendingTasksCount = 0`, `cluster.activeServicesCount = 0`, `cluster.statistics = []`, `cluster.tags = []`,
			`cluster.settings = [{"name":"containerInsights","value":"disabled"}]`, `cluster.capacityProviders = []`,
			`cluster.defaultCapacityProviderStrategy = []`, `!cluster.configuration`, `!cluster.attachments`,
			`raw ~ ^{"cluster":{"activeServicesCount":0,"capacityProviders":\[\],"clusterArn":`,
		}},
		{source: "an existing ACTIVE name again", op: "CreateCluster", in: `{"clusterName":"web"}`, want: []string{`cluster.status = "ACTIVE"`}},
		{source: "DescribeClusters without include", op: "DescribeClusters", in: `{"clusters":["web"]}`, want: []string{
			`clusters.0.settings = []`, `clusters.0.tags = []`, `clusters.0.statistics = []`, `failures = []`,
		}},
		{source: "include STATISTICS", op: "DescribeClusters", in: `{"clusters":["web"],"include":["STATISTICS"]}`, want: []string{`clusters.0.statistics = [
			{"name":"runningEC2TasksCount","value":"0"},{"name":"runningFargateTasksCount","value":"0"},
			{"name":"pendingEC2TasksCount","value":"0"},{"name":"pendingFargateTasksCount","value":"0"},
			{"name":"runningExternalTasksCount","value":"0"},{"name":"pendingExternalTasksCount","value":"0"},
			{"name":"runningManagedInstancesTasksCount","value":"0"},{"name":"pendingManagedInstancesTasksCount","value":"0"},
			{"name":"activeEC2ServiceCount","value":"0"},{"name":"activeFargateServiceCount","value":"0"},
			{"name":"drainingEC2ServiceCount","value":"0"},{"name":"drainingFargateServiceCount","value":"0"},
			{"name":"activeExternalServiceCount","value":"0"},{"name":"drainingExternalServiceCount","value":"0"},
			{"name":"activeManagedInstancesServiceCount","value":"0"},{"name":"drainingManagedInstancesServiceCount","value":"0"}]`}},
		{source: "missing name", op: "DescribeClusters", in: `{"clusters":["none"]}`, want: []string{
			`clusters = []`, `failures = [{"arn":"${ECS}cluster/none","reason":"MISSING"}]`}},
		{source: "invalid include, existing", op: "DescribeClusters", in: `{"clusters":["web"],"include":["BOGUS"]}`,
			fails: "InvalidParameterException: include should be one of [ATTACHMENTS,CONFIGURATIONS,SETTINGS,STATISTICS,TAGS]"},
		{source: "invalid include, missing", op: "DescribeClusters", in: `{"clusters":["none"],"include":["BOGUS"]}`, want: []string{`failures.0.reason = "MISSING"`}},
		{source: "missing cluster", op: "UpdateCluster", in: `{"cluster":"none"}`, fails: "ClusterNotFoundException: Cluster not found."},
		{source: "missing before invalid setting", op: "UpdateClusterSettings", in: `{"cluster":"none","settings":[{"name":"containerInsights","value":"bad"}]}`,
			fails: "ClusterNotFoundException: Cluster not found."},
		{source: "missing cluster", op: "DeleteCluster", in: `{"cluster":"none"}`, fails: "ClusterNotFoundException: Cluster not found."},
		{source: "containerInsights=bad", op: "UpdateClusterSettings", in: `{"cluster":"web","settings":[{"name":"containerInsights","value":"bad"}]}`,
			fails: "InvalidParameterException: Invalid setting 'value'"},
		{source: "tags and configuration kept", op: "CreateCluster", in: `{"clusterName":"old","tags":[{"key":"a","value":"1"}],
			"settings":[{"name":"containerInsights","value":"enabled"}],"configuration":{"executeCommandConfiguration":{"logging":"DEFAULT"}}}`,
			want: []string{`cluster.tags = [{"key":"a","value":"1"}]`, `clusterCount = 1`}},
		{source: "DeleteCluster", op: "DeleteCluster", in: `{"cluster":"old"}`, want: []string{
			`cluster.status = "INACTIVE"`, `cluster.settings = [{"name":"containerInsights","value":"enabled"}]`, `cluster.tags = []`, `clusterCount`}},
		{source: "a deleted cluster", op: "DescribeClusters", in: `{"clusters":["old"],"include":["TAGS","SETTINGS","CONFIGURATIONS"]}`, want: []string{
			`failures = []`, `clusters.0.status = "INACTIVE"`, `clusters.0.tags = [{"key":"a","value":"1"}]`,
			`clusters.0.settings.0.value = "enabled"`, `clusters.0.configuration.executeCommandConfiguration.logging = "DEFAULT"`}},
		{source: "delete again", op: "DeleteCluster", in: `{"cluster":"old"}`, fails: "ClusterNotFoundException: Cluster not found."},
		{source: "creating the name again", op: "CreateCluster", in: `{"clusterName":"old"}`, want: []string{`cluster.status = "ACTIVE"`, `cluster.tags = []`}},
		{source: "tag without value", op: "TagResource", in: `{"resourceArn":"${ECS}cluster/web","tags":[{"key":"a"}]}`, fails: "ClientException: Tag value can not be null."},
		{source: "TagResource merges", op: "TagResource", in: `{"resourceArn":"${ECS}cluster/web","tags":[{"key":"a","value":"1"}]}`, want: []string{`raw ~ ^{}$`}},
		{source: "TagResource merges", op: "TagResource", in: `{"resourceArn":"${ECS}cluster/web","tags":[{"key":"b","value":"2"}]}`},
		{source: "UntagResource ignores unknown keys", op: "UntagResource", in: `{"resourceArn":"${ECS}cluster/web","tagKeys":["b","zzz"]}`, want: []string{`raw ~ ^{}$`}},
		{source: "TagResource merges", op: "ListTagsForResource", in: `{"resourceArn":"${ECS}cluster/web"}`, want: []string{`tags = [{"key":"a","value":"1"}]`}},
	})
}

func TestRecordedClusterInUse(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.fargate(t)
	c.run(t, "ecs", []row{
		{source: "a service", op: "CreateService", in: `{"cluster":"web","serviceName":"idle","taskDefinition":"app","desiredCount":0,"launchType":"FARGATE",$NETWORK}`},
		{source: "ACTIVE service, even with desiredCount 0", op: "DeleteCluster", in: `{"cluster":"web"}`,
			fails: "ClusterContainsServicesException: The Cluster cannot be deleted while Services are active."},
		{source: "a task", op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE",$NETWORK}`, keep: "TASK=tasks.0.taskArn"},
		{source: "delete the service", op: "DeleteService", in: `{"cluster":"web","service":"idle"}`},
		{source: "a task alive", op: "DeleteCluster", in: `{"cluster":"web"}`,
			fails: "ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active."},
		{source: "stop the task", op: "StopTask", in: `{"cluster":"web","task":"$TASK"}`},
		{source: "only DRAINING services and no tasks", op: "DeleteCluster", in: `{"cluster":"web"}`, await: true, want: []string{`cluster.status = "INACTIVE"`}},
	})
}

// fargate gives the account a cluster web, a task definition app:1 for Fargate,
// and keeps NETWORK, the networkConfiguration member for its default subnet SUBNET.
func (c *client) fargate(t *testing.T) {
	t.Helper()
	c.run(t, "ec2", []row{{source: "setup", op: "DescribeSubnets", keep: "SUBNET=subnetSet.0.subnetId VPC=subnetSet.0.vpcId"}})
	c.vars["NETWORK"] = `"networkConfiguration":{"awsvpcConfiguration":{"subnets":["` + c.vars["SUBNET"] + `"]}}`
	c.run(t, "ecs", []row{
		{source: "setup", op: "CreateCluster", in: `{"clusterName":"web"}`},
		{source: "setup", op: "RegisterTaskDefinition", in: `{"family":"app","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512",
			"containerDefinitions":[{"name":"main","image":"nginx"}]}`},
	})
}

func TestRecordedDefinitions(t *testing.T) {
	t.Parallel()
	newClient(t).run(t, "ecs", []row{
		{source: "container defaults, EC2", op: "RegisterTaskDefinition", in: `{"family":"ec2","containerDefinitions":[{"name":"main","image":"nginx:1","memory":64}]}`, want: []string{
			`taskDefinition.containerDefinitions = [{"name":"main","image":"nginx:1","memory":64,"cpu":0,"portMappings":[],"essential":true,"environment":[],"mountPoints":[],"volumesFrom":[],"systemControls":[]}]`,
			`taskDefinition.volumes = []`, `taskDefinition.placementConstraints = []`, `taskDefinition.status = "ACTIVE"`, `taskDefinition.registeredAt`,
			`taskDefinition.registeredBy = "arn:aws:iam::$ACCOUNT:root"`, `!taskDefinition.networkMode`, `!taskDefinition.requiresCompatibilities`,
			`!taskDefinition.runtimePlatform`, `!taskDefinition.cpu`, `!taskDefinition.memory`, `!taskDefinition.requiresAttributes`, `!tags`,
			`!taskDefinition.previousStatus`, `!taskDefinition.deregisteredAt`, `taskDefinition.compatibilities = ["EXTERNAL","EC2"]`,
		}},
		{source: "awsvpc on Fargate", op: "RegisterTaskDefinition", in: `{"family":"app","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512",
			"tags":[{"key":"a","value":"1"}],"containerDefinitions":[{"name":"main","image":"nginx:1","portMappings":[{"containerPort":8080}]}]}`, want: []string{
			`taskDefinition.containerDefinitions.0.portMappings = [{"containerPort":8080,"hostPort":8080,"protocol":"tcp"}]`,
			`!taskDefinition.containerDefinitions.0.memory`, `!taskDefinition.containerDefinitions.0.stopTimeout`,
			`!taskDefinition.containerDefinitions.0.startTimeout`, `!taskDefinition.containerDefinitions.0.dependsOn`,
			`taskDefinition.requiresAttributes = [{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.18"},{"name":"ecs.capability.task-eni"}]`,
			`taskDefinition.compatibilities ~ ^\[EC2 FARGATE MANAGED_INSTANCES\]$$`, `tags = [{"key":"a","value":"1"}]`,
		}},
		{source: "requiresAttributes of a digest", op: "RegisterTaskDefinition", in: `{"family":"digest","containerDefinitions":[{"name":"main","memory":64,
			"image":"nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000"}]}`,
			want: []string{`taskDefinition.requiresAttributes = [{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.21"}]`}},
		{source: "requiresAttributes of timeouts", op: "RegisterTaskDefinition", in: `{"family":"order","containerDefinitions":[{"name":"main","image":"a","memory":64,"stopTimeout":2}]}`,
			want: []string{`taskDefinition.requiresAttributes = [{"name":"ecs.capability.container-ordering"}]`}},
		{source: "requiresAttributes of awslogs", op: "RegisterTaskDefinition", in: `{"family":"log","executionRoleArn":"arn:aws:iam::$ACCOUNT:role/x","containerDefinitions":[{"name":"main","image":"a","memory":64,
			"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"us-east-1"}}}]}`, want: []string{
			`taskDefinition.requiresAttributes = [{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.19"},{"name":"com.amazonaws.ecs.capability.logging-driver.awslogs"},{"name":"ecs.capability.execution-role-awslogs"}]`}},
		{source: "ARM64 Windows is accepted", op: "RegisterTaskDefinition", in: `{"family":"arm","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"1024","memory":"2048",
			"runtimePlatform":{"cpuArchitecture":"ARM64","operatingSystemFamily":"WINDOWS_SERVER_2022_CORE"},"containerDefinitions":[{"name":"main","image":"a"}]}`, want: []string{
			`taskDefinition.compatibilities = ["EC2","FARGATE"]`}},
		{source: "stopTimeout 121 drops FARGATE", op: "RegisterTaskDefinition", in: `{"family":"stop","networkMode":"awsvpc","cpu":"256","memory":"512","containerDefinitions":[{"name":"main","image":"a","stopTimeout":121}]}`,
			want: []string{`taskDefinition.compatibilities ~ ^\[EC2 MANAGED_INSTANCES\]$$`}},
		{source: "a new revision inherits no tags", op: "RegisterTaskDefinition", in: `{"family":"app","networkMode":"awsvpc","cpu":"256","memory":"512","containerDefinitions":[{"name":"main","image":"a"}]}`,
			want: []string{`!tags`, `taskDefinition.revision = 2`}},
		{source: "latest ACTIVE revision; tags always present", op: "DescribeTaskDefinition", in: `{"taskDefinition":"app"}`, want: []string{`taskDefinition.revision = 2`, `tags = []`}},
		{source: "include TAGS", op: "DescribeTaskDefinition", in: `{"taskDefinition":"app:1","include":["TAGS"]}`, want: []string{`tags = [{"key":"a","value":"1"}]`}},
		{source: "missing family", op: "DescribeTaskDefinition", in: `{"taskDefinition":"none"}`, fails: "ClientException: Unable to describe task definition."},
		{source: "missing revision", op: "DescribeTaskDefinition", in: `{"taskDefinition":"app:9"}`, fails: "ClientException: Unable to describe task definition."},
		{source: "malformed revision", op: "DescribeTaskDefinition", in: `{"taskDefinition":"app:bad"}`, fails: "InvalidParameterException: Invalid task definition: Invalid revision number."},
		{source: "include before existence", op: "DescribeTaskDefinition", in: `{"taskDefinition":"none","include":["BOGUS"]}`,
			fails: "ClientException: BOGUS is not a valid value for include. The value must be one of [[TAGS]]"},
		{source: "plain text token", op: "ListTaskDefinitions", in: `{"familyPrefix":"app","maxResults":1}`, want: []string{`nextToken = "app::0000000001"`, `taskDefinitionArns = ["${ECS}task-definition/app:1"]`}},
		{source: "plain text token", op: "ListTaskDefinitions", in: `{"familyPrefix":"app","maxResults":1,"nextToken":"app::0000000001"}`, want: []string{`!nextToken`, `taskDefinitionArns = ["${ECS}task-definition/app:2"]`}},
		{source: "DESC reverses", op: "ListTaskDefinitions", in: `{"familyPrefix":"app","sort":"DESC"}`, want: []string{`taskDefinitionArns = ["${ECS}task-definition/app:2","${ECS}task-definition/app:1"]`}},
	})
}

func TestRecordedDefinitionEnds(t *testing.T) {
	t.Parallel()
	const again = `{"family":"app","containerDefinitions":[{"name":"main","image":"a","memory":64}]}`
	newClient(t).run(t, "ecs", []row{
		{source: "setup", op: "RegisterTaskDefinition", in: again},
		{source: "setup", op: "RegisterTaskDefinition", in: again},
		{source: "deregister", op: "DeregisterTaskDefinition", in: `{"taskDefinition":"app:2"}`, want: []string{
			`taskDefinition.status = "INACTIVE"`, `taskDefinition.previousStatus = "ACTIVE"`, `!taskDefinition.deregisteredAt`}},
		{source: "deregister again", op: "DeregisterTaskDefinition", in: `{"taskDefinition":"app:2"}`, want: []string{
			`taskDefinition.status = "INACTIVE"`, `taskDefinition.previousStatus = "INACTIVE"`, `taskDefinition.deregisteredAt`}},
		{source: "next lower ACTIVE", op: "DescribeTaskDefinition", in: `{"taskDefinition":"app"}`, want: []string{`taskDefinition.revision = 1`, `!taskDefinition.previousStatus`}},
		{source: "family without revision", op: "DeregisterTaskDefinition", in: `{"taskDefinition":"app"}`, fails: "InvalidParameterException: Revision is missing"},
		{source: "delete", op: "DeleteTaskDefinitions", in: `{"taskDefinitions":["app:1","app:9","app","app:2"]}`, want: []string{
			`failures = [{"arn":"app:1","reason":"The specified task definition is still in ACTIVE status. Please deregister the target and try again."},
				{"arn":"app:9","reason":"The specified task definition does not exist. Specify a valid account, family, revision and try again."},
				{"arn":"app","reason":"The specified task definition identifier is invalid. Specify a valid name or ARN and try again."}]`,
			`taskDefinitions.# = 1`, `taskDefinitions.0.status = "DELETE_IN_PROGRESS"`, `taskDefinitions.0.deregisteredAt`,
			`taskDefinitions.0.previousStatus = "INACTIVE"`, `taskDefinitions.0.containerDefinitions.0.essential = true`}},
		{source: "DELETE_IN_PROGRESS", op: "DeregisterTaskDefinition", in: `{"taskDefinition":"app:2"}`,
			fails: "ClientException: The task definition could not be deregistered because it is in the process of being deleted."},
		{source: "still describable", op: "DescribeTaskDefinition", in: `{"taskDefinition":"app:2"}`, want: []string{`taskDefinition.status = "DELETE_IN_PROGRESS"`}},
		{source: "numbers are not reused", op: "RegisterTaskDefinition", in: again, want: []string{`taskDefinition.revision = 3`}},
		{source: "being deleted", op: "RunTask", in: `{"taskDefinition":"app:2","launchType":"EC2"}`, fails: "ClusterNotFoundException: Cluster not found."},
		{source: "setup", op: "CreateCluster", in: `{}`, want: []string{`cluster.clusterName = "default"`}},
		{source: "being deleted", op: "RunTask", in: `{"taskDefinition":"app:2","launchType":"EC2"}`, fails: "InvalidParameterException: TaskDefinition is being deleted"},
		{source: "setup", op: "DeregisterTaskDefinition", in: `{"taskDefinition":"app:1"}`},
		{source: "inactive", op: "RunTask", in: `{"taskDefinition":"app:1","launchType":"EC2"}`, fails: "InvalidParameterException: TaskDefinition is inactive"},
		{source: "unknown definition", op: "RunTask", in: `{"taskDefinition":"none","launchType":"FARGATE"}`, fails: "ClientException: TaskDefinition not found."},
		{source: "unknown definition", op: "StartTask", in: `{"taskDefinition":"none","containerInstances":["11111111111111111111111111111111"]}`, fails: "ClientException: TaskDefinition not found."},
		{source: "unknown definition", op: "CreateService", in: `{"serviceName":"x","desiredCount":1,"taskDefinition":"none","launchType":"FARGATE"}`, fails: "ClientException: TaskDefinition not found."},
	})
}

func TestRecordedDefinitionErrors(t *testing.T) {
	t.Parallel()
	fargate := func(members, containers string) string {
		return `{"family":"app","requiresCompatibilities":["FARGATE"],` + members + `,"containerDefinitions":[` + containers + `]}`
	}
	const (
		fits = `"networkMode":"awsvpc","cpu":"256","memory":"512"`
		main = `{"name":"main","image":"a"}`
		cpu  = "InvalidParameterException: Invalid 'cpu' setting for task."
	)
	timeout := func(compatible, member, value string) string {
		return `{"family":"t","requiresCompatibilities":[` + compatible + `],` + fits + `,"containerDefinitions":[{"name":"main","image":"a","` + member + `":` + value + `}]}`
	}
	rows := []row{
		{source: "empty cpu", in: fargate(`"networkMode":"awsvpc","cpu":"","memory":"512"`, main), fails: cpu},
		{source: "bad cpu", in: fargate(`"networkMode":"awsvpc","cpu":"bad","memory":"512"`, main), fails: cpu},
		{source: "bad cpu before network mode", in: fargate(`"networkMode":"bridge","cpu":"bad","memory":"512"`, main), fails: cpu},
		{source: "bad cpu before essential", in: fargate(`"networkMode":"awsvpc","cpu":"bad","memory":"512"`, `{"name":"main","image":"a","essential":false}`), fails: cpu},
		{source: "256/4096", in: fargate(`"networkMode":"awsvpc","cpu":"256","memory":"4096"`, main),
			fails: "ClientException: No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon ECS documentation for the valid values."},
		{source: "bridge", in: fargate(`"networkMode":"bridge","cpu":"256","memory":"512"`, main), fails: "ClientException: Fargate only supports network mode ‘awsvpc’."},
		{source: "dependsOn unknown container", in: fargate(fits, `{"name":"main","image":"a","dependsOn":[{"containerName":"missing","condition":"START"}]}`),
			fails: "ClientException: Cannot depend on container + 'missing' because it does not exist"},
		{source: "self-dependency", in: fargate(fits, `{"name":"main","image":"a","dependsOn":[{"containerName":"main","condition":"START"}]}`),
			fails: "ClientException: Container dependsOn contains a cycle"},
		{source: "cycle", in: fargate(fits, `{"name":"a","image":"a","dependsOn":[{"containerName":"b","condition":"START"}]},{"name":"b","image":"a","dependsOn":[{"containerName":"a","condition":"START"}]}`),
			fails: "ClientException: Container dependsOn contains a cycle"},
		{source: "HEALTHY without health check", in: fargate(fits, `{"name":"main","image":"a","dependsOn":[{"containerName":"b","condition":"HEALTHY"}]},{"name":"b","image":"a"}`),
			fails: "ClientException: A dependency container with HEALTHY condition must have health check configured"},
		{source: "Fargate stopTimeout 120", in: timeout(`"FARGATE"`, "stopTimeout", "120")},
		{source: "Fargate startTimeout 121", in: timeout(`"FARGATE"`, "startTimeout", "121")},
		{source: "EC2 stopTimeout 121", in: timeout(`"EC2"`, "stopTimeout", "121")},
		{source: "stopTimeout 2", in: timeout(`"FARGATE"`, "stopTimeout", "2")},
		{source: "startTimeout 2", in: timeout(`"FARGATE"`, "startTimeout", "2")},
	}
	c := newClient(t)
	for i := range rows {
		rows[i].op = "RegisterTaskDefinition"
	}
	c.run(t, "ecs", rows)
	for _, in := range []string{
		timeout(`"FARGATE"`, "stopTimeout", "121"), timeout(`"EC2","FARGATE"`, "stopTimeout", "121"),
		timeout(`"EC2"`, "stopTimeout", "-1"), timeout(`"EC2"`, "stopTimeout", "0"), timeout(`"EC2"`, "stopTimeout", "1"),
		timeout(`"EC2"`, "startTimeout", "-1"), timeout(`"EC2"`, "startTimeout", "0"), timeout(`"EC2"`, "startTimeout", "1"),
	} {
		if code, _ := at(c.call(t, "ecs", "RegisterTaskDefinition", in, nil).value, "__type"); code != "ClientException" {
			t.Errorf("%s: %v", in, code)
		}
	}
}
