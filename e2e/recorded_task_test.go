package e2e

import (
	"strings"
	"testing"
)

func TestRecordedRunTask(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.fargate(t)
	c.run(t, "ecs", []row{
		{source: "RunTask answer", op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE","startedBy":"me","tags":[{"key":"a","value":"1"}],$NETWORK}`, want: []string{
			`failures = []`, `tasks.# = 1`, `tasks.0.desiredStatus = "RUNNING"`, `tasks.0.lastStatus = "PROVISIONING"`, `tasks.0.version = 1`,
			`tasks.0.attributes = [{"name":"ecs.cpu-architecture","value":"x86_64"}]`, `tasks.0.availabilityZone ~ ^us-east-1[a-f]$$`,
			`tasks.0.clusterArn = "${ECS}cluster/web"`, `tasks.0.cpu = "256"`, `tasks.0.memory = "512"`, `tasks.0.createdAt`,
			`tasks.0.enableExecuteCommand = false`, `tasks.0.ephemeralStorage = {"sizeInGiB":20}`, `tasks.0.fargateEphemeralStorage = {"sizeInGiB":20}`,
			`tasks.0.group = "family:app"`, `tasks.0.launchType = "FARGATE"`, `tasks.0.platformFamily = "Linux"`, `tasks.0.platformVersion = "1.4.0"`,
			`tasks.0.startedBy = "me"`, `tasks.0.tags = [{"key":"a","value":"1"}]`, `tasks.0.taskDefinitionArn = "${ECS}task-definition/app:1"`,
			`tasks.0.overrides = {"containerOverrides":[{"name":"main"}],"inferenceAcceleratorOverrides":[]}`,
			`tasks.0.taskArn ~ ^${ECS}task/web/[0-9a-f]{32}$$`, `tasks.0.attachments.# = 1`, `tasks.0.attachments.0.id ~ ^[0-9a-f-]{36}$$`,
			`tasks.0.attachments.0.type = "ElasticNetworkInterface"`, `tasks.0.attachments.0.status = "PRECREATED"`,
			`tasks.0.attachments.0.details = [{"name":"subnetId","value":"$SUBNET"}]`,
			`!tasks.0.connectivity`, `!tasks.0.connectivityAt`, `!tasks.0.healthStatus`, `!tasks.0.pullStartedAt`, `!tasks.0.startedAt`, `!tasks.0.capacityProviderName`,
			`tasks.0.containers.0.lastStatus = "PENDING"`, `tasks.0.containers.0.networkInterfaces = []`, `tasks.0.containers.0.cpu = "0"`,
			`tasks.0.containers.0.image = "nginx"`, `tasks.0.containers.0.name = "main"`, `!tasks.0.containers.0.networkBindings`,
			`!tasks.0.containers.0.imageDigest`, `!tasks.0.containers.0.runtimeId`, `!tasks.0.containers.0.healthStatus`,
			`tasks.0.containers.0.containerArn ~ ^${ECS}container/web/[0-9a-f]{32}/[0-9a-f-]{36}$$`,
		}, keep: "TASK=tasks.0.taskArn"},
		{source: "attached details, running", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$TASK"]}`, await: true, want: []string{
			`tasks.0.lastStatus = "RUNNING"`, `tasks.0.version = 3`, `tasks.0.healthStatus = "UNKNOWN"`, `tasks.0.tags = []`, `tasks.0.connectivity = "CONNECTED"`,
			`tasks.0.connectivityAt`, `tasks.0.pullStartedAt`, `tasks.0.pullStoppedAt`, `tasks.0.startedAt`,
			`tasks.0.attachments.0.status = "ATTACHED"`, `tasks.0.attachments.0.details.0.name = "subnetId"`,
			`tasks.0.attachments.0.details.1.name = "networkInterfaceId"`, `tasks.0.attachments.0.details.2.name = "macAddress"`,
			`tasks.0.containers.0.healthStatus = "UNKNOWN"`, `tasks.0.containers.0.networkBindings = []`,
			`tasks.0.containers.0.runtimeId ~ ^[0-9a-f]{32}-3935363592$$`, `tasks.0.containers.0.taskArn = "$TASK"`,
			`tasks.0.containers.0.networkInterfaces.0.attachmentId`,
		}, keep: "ENI=tasks.0.attachments.0.details.1.value ATTACHMENT=tasks.0.attachments.0.id"},
		{source: "StopTask answer", op: "StopTask", in: `{"cluster":"web","task":"$TASK","reason":"as I say"}`, want: []string{
			`task.tags = []`, `task.stoppedReason = "as I say"`, `task.stopCode = "UserInitiated"`, `task.desiredStatus = "STOPPED"`, `task.lastStatus = "RUNNING"`, `task.stoppingAt`, `!task.healthStatus`, `!task.containers.0.healthStatus`}},
		{source: "tags kept after STOPPED, attachment deleted", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$TASK"],"include":["TAGS"]}`, await: true, want: []string{
			`tasks.0.lastStatus = "STOPPED"`, `tasks.0.tags = [{"key":"a","value":"1"}]`, `tasks.0.attachments.0.status = "DELETED"`,
			`tasks.0.attachments.0.details.1.value = "$ENI"`, `tasks.0.stoppedAt`, `tasks.0.executionStoppedAt`, `tasks.0.containers.0.lastStatus = "STOPPED"`}},
		{source: "StopTask on a STOPPED task is hollow", op: "StopTask", in: `{"cluster":"web","task":"$TASK","reason":"again"}`, want: []string{
			`task.attachments = []`, `task.containers = []`, `task.overrides.containerOverrides = []`, `task.tags = []`, `!task.attributes`, `task.lastStatus = "STOPPED"`}},
		{source: "the first reason stays", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$TASK"]}`, want: []string{`tasks.0.stoppedReason = "as I say"`, `tasks.0.containers.# = 1`}},
		{source: "tags of a stopped task", op: "ListTagsForResource", in: `{"resourceArn":"$TASK"}`,
			fails: "InvalidParameterException: The specified task is stopped. Specify a running task and try again."},
		{source: "override for an unknown container", op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE","overrides":{"containerOverrides":[{"name":"not-defined"}]},$NETWORK}`,
			fails: "InvalidParameterException: Override for container named not-defined is not a container in the TaskDefinition."},
		{source: "missing tasks", op: "DescribeTasks", in: `{"cluster":"web","tasks":["00000000000000000000000000000000"]}`, want: []string{
			`tasks = []`, `failures = [{"arn":"${ECS}task/web/00000000000000000000000000000000","reason":"MISSING"}]`}},
		{source: "ListTasks of what is desired", op: "ListTasks", in: `{"cluster":"web"}`, want: []string{`taskArns = []`, `!nextToken`}},
		{source: "stopped tasks stay visible", op: "ListTasks", in: `{"cluster":"web","desiredStatus":"STOPPED"}`, want: []string{`taskArns = ["$TASK"]`}},
		{source: "a Fargate task without network configuration", op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE"}`,
			fails: "InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified."},
		{source: "merged tags, the request's win", op: "RegisterTaskDefinition", in: `{"family":"tagged","networkMode":"awsvpc","cpu":"256","memory":"512","tags":[{"key":"a","value":"d"},{"key":"b","value":"d"}],"containerDefinitions":[{"name":"main","image":"a"}]}`},
		{source: "merged tags, the request's win", op: "RunTask", in: `{"cluster":"web","taskDefinition":"tagged","launchType":"FARGATE","propagateTags":"TASK_DEFINITION","tags":[{"key":"a","value":"r"},{"key":"c","value":"r"}],$NETWORK}`,
			want: []string{`tasks.0.tags.# = 3`, `raw ~ {"key":"a","value":"r"}`, `raw ~ {"key":"b","value":"d"}`, `raw ~ {"key":"c","value":"r"}`}, keep: "TAGGED=tasks.0.taskArn"},
		{source: "later tags of the definition do not reach the task", op: "TagResource", in: `{"resourceArn":"${ECS}task-definition/tagged:1","tags":[{"key":"z","value":"z"}]}`},
		{source: "later tags of the definition do not reach the task", op: "DescribeTasks", in: `{"cluster":"web","tasks":["$TAGGED"],"include":["TAGS"]}`, want: []string{`tasks.0.tags.# = 3`}},
	})
}

func TestRecordedRunTaskTokens(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.fargate(t)
	c.run(t, "ec2", []row{{source: "setup", op: "DescribeSecurityGroups", keep: "GROUP=securityGroupInfo.0.groupId"}})
	in := func(members string) string {
		return `{"cluster":"web","launchType":"FARGATE","clientToken":"t",` + members + `}`
	}
	const (
		network = `"networkConfiguration":{"awsvpcConfiguration":{"subnets":["$SUBNET"]}}`
		tags    = `"tags":[{"key":"a","value":"1"},{"key":"b","value":"2"}]`
		exact   = `"taskDefinition":"${ECS}task-definition/app:1",` + network + `,` + tags
	)
	rows := []row{
		{source: "first", op: "RunTask", in: in(exact), keep: "TASK=tasks.0.taskArn"},
		{source: "exact replay", op: "RunTask", in: in(exact), want: []string{`tasks.# = 1`, `tasks.0.taskArn = "$TASK"`, `failures = []`}},
		{source: "mutate the tags", op: "TagResource", in: `{"resourceArn":"$TASK","tags":[{"key":"a","value":"9"}]}`},
		{source: "replay shows current tags", op: "RunTask", in: in(exact), want: []string{`tasks.0.taskArn = "$TASK"`, `raw ~ {"key":"a","value":"9"}`}},
		{source: "current state", op: "RunTask", in: in(exact), await: true, want: []string{`tasks.0.lastStatus = "RUNNING"`}},
	}
	for source, members := range map[string]string{
		"omitted count vs 1":              exact + `,"count":1`,
		"count 2":                         exact + `,"count":2`,
		"family:rev":                      `"taskDefinition":"app:1",` + network + `,` + tags,
		"family":                          `"taskDefinition":"app",` + network + `,` + tags,
		"reversed tags":                   `"taskDefinition":"${ECS}task-definition/app:1",` + network + `,"tags":[{"key":"b","value":"2"},{"key":"a","value":"1"}]`,
		"overrides {} vs omitted":         exact + `,"overrides":{}`,
		"startedBy empty vs omitted":      exact + `,"startedBy":""`,
		"assignPublicIp omitted":          `"taskDefinition":"${ECS}task-definition/app:1","networkConfiguration":{"awsvpcConfiguration":{"subnets":["$SUBNET"],"assignPublicIp":"DISABLED"}},` + tags,
		"explicit default security group": `"taskDefinition":"${ECS}task-definition/app:1","networkConfiguration":{"awsvpcConfiguration":{"subnets":["$SUBNET"],"securityGroups":["$GROUP"]}},` + tags,
	} {
		rows = append(rows, row{source: source, op: "RunTask", in: in(members), with: `{"resourceIds":["$TASK"]}`,
			fails: "ConflictException: The RunTask request could not be processed due to conflicts. The provided clientToken is already in use with a different request."})
	}
	rows = append(rows, row{source: "cluster name vs ARN", op: "RunTask", in: `{"cluster":"${ECS}cluster/web","launchType":"FARGATE","clientToken":"t",` + exact + `}`, with: `{"resourceIds":["$TASK"]}`,
		fails: "ConflictException: The RunTask request could not be processed due to conflicts. The provided clientToken is already in use with a different request."})
	c.run(t, "ecs", append(rows, []row{
		{source: "no new task", op: "ListTasks", in: `{"cluster":"web"}`, want: []string{`taskArns = ["$TASK"]`}},
		{source: "another cluster", op: "CreateCluster", in: `{"clusterName":"other"}`},
		{source: "same token in another cluster", op: "RunTask", in: `{"cluster":"other","launchType":"FARGATE","clientToken":"t",` + exact + `}`, want: []string{`tasks.0.clusterArn = "${ECS}cluster/other"`}},
		{source: "stop it", op: "StopTask", in: `{"cluster":"web","task":"$TASK"}`},
		{source: "replay after STOPPED", op: "RunTask", in: in(exact), await: true, want: []string{`tasks.0.taskArn = "$TASK"`, `tasks.0.lastStatus = "STOPPED"`, `tasks.0.containers.# = 1`}},
		{source: "eligibility before replay", op: "DeregisterTaskDefinition", in: `{"taskDefinition":"app:1"}`},
		{source: "eligibility before replay", op: "RunTask", in: in(exact), fails: "InvalidParameterException: TaskDefinition is inactive"},
	}...))
}

func TestRecordedTaskRoles(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.fargate(t)
	// What RunTask evaluates is the literal ARN with a star for the task.
	statement := func(effect, condition string) string {
		return `%7B%22Effect%22%3A%22` + effect + `%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ecs-tasks.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22` + condition + `%7D`
	}
	on := func(effect, pattern string) string {
		return statement(effect, `%2C%22Condition%22%3A%7B%22ArnLike%22%3A%7B%22aws%3ASourceArn%22%3A%22${ECS}`+pattern+`%22%7D%7D`)
	}
	source := func(pattern string) string { return on("Allow", pattern) }
	deny := func(pattern string) string { return "%2C" + on("Deny", pattern) }
	run := `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE","overrides":{"taskRoleArn":"$ROLE"},$NETWORK}`
	refused := "ClientException: ECS was unable to assume the role '$ROLE' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
	for name, tt := range map[string]struct {
		trust string
		fails string
	}{
		"plain":           {statement("Allow", ""), ""},
		"all":             {source("*"), ""},
		"task":            {source("task/*"), ""},
		"any-cluster":     {source("cluster/*"), refused},
		"cluster":         {source("cluster/web"), refused},
		"definition":      {source("task-definition/*"), refused},
		"task-of-cluster": {source("task/web/*"), refused},
		"task-of-any":     {source("task/*/*"), refused},
		"literal-star":    {strings.Replace(source("task/*"), "ArnLike", "StringEquals", 1), ""},
		"deny-two":        {source("task/*") + deny("task/%3F%3F*"), ""},
		"deny-of-any":     {source("task/*") + deny("task/*/*"), ""},
		"deny-all":        {source("task/*") + deny("task/*"), refused},
	} {
		c.run(t, "iam", []row{{source: "trust " + name, op: "CreateRole", in: "RoleName=" + name + "&AssumeRolePolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B" + tt.trust + "%5D%7D", keep: "ROLE=Role.Arn"}})
		c.run(t, "ecs", []row{{source: "trust " + name, op: "RunTask", in: run, fails: tt.fails}})
	}
	c.vars["ROLE"] = "arn:aws:iam::" + c.vars["ACCOUNT"] + ":role/none"
	c.run(t, "ecs", []row{{source: "a role that does not exist", op: "RunTask", in: run, fails: refused}})
}
