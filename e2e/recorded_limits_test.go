package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// size is a task size of AWS Fargate: CPU units and the memory, in MiB, they go
// with.
type size struct {
	cpu    int
	memory []int
}

func steps(from, to, step int) (out []int) {
	for m := from; m <= to; m += step {
		out = append(out, m)
	}
	return out
}

// sizes are all of them. Source: Amazon ECS task definition parameters for Fargate.
func sizes() []size {
	return []size{
		{256, []int{512, 1024, 2048}}, {512, steps(1024, 4096, 1024)}, {1024, steps(2048, 8192, 1024)}, {2048, steps(4096, 16384, 1024)},
		{4096, steps(8192, 30720, 1024)}, {8192, steps(16384, 61440, 4096)}, {16384, steps(32768, 122880, 8192)}, {32768, []int{61440, 122880, 249856}},
	}
}

func TestRecordedFargateSizes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	register := func(cpu, memory string) answer {
		return c.call(t, "ecs", "RegisterTaskDefinition", `{"family":"f","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"`+cpu+`","memory":"`+memory+`","containerDefinitions":[{"name":"m","image":"a"}]}`, nil)
	}
	for _, s := range sizes() {
		fits := map[int]bool{}
		for _, m := range s.memory {
			fits[m] = true
		}
		least, most := s.memory[0], s.memory[len(s.memory)-1]
		for _, m := range append([]int{least / 2, least - 1, least + 1, most - 1, most + 1, most + 1024, most * 2, 1536}, s.memory...) {
			a := register(fmt.Sprint(s.cpu), fmt.Sprint(m))
			refused := fmt.Sprintf(`{"__type":"ClientException","message":"No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values."}`, s.cpu, m)
			if fits[m] != (a.status == 200) || !fits[m] && a.body != refused {
				t.Errorf("%d/%d: %s", s.cpu, m, a.body)
			}
		}
	}
	for _, f := range [][4]string{
		{"1 vCPU", "2 GB", "1024", "2048"}, {".25 vcpu", ".5 gb", "256", "512"}, {"1vCPU", "3GB", "1024", "3072"}, {"0.5 vCPU", "1 gb", "512", "1024"}, {"32 vCPU", "244 GB", "32768", "249856"},
	} {
		a := register(f[0], f[1])
		cpu, _ := at(a.value, "taskDefinition.cpu")
		memory, _ := at(a.value, "taskDefinition.memory")
		if cpu != f[2] || memory != f[3] {
			t.Errorf("%s/%s: %v", f[0], f[1], a.body)
		}
	}
}

// TestRecordedFargateParameters holds which parameters a definition for Fargate
// may have. Source: Amazon ECS task definition differences for Fargate.
func TestRecordedFargateParameters(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	try := func(task, container string, ok bool) {
		t.Helper()
		in := `{"family":"f","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"1024","memory":"2048",` + task + `"containerDefinitions":[{"name":"m","image":"a"` + container + `}]}`
		if a := c.call(t, "ecs", "RegisterTaskDefinition", in, nil); (a.status == 200) != ok || a.status == 500 {
			t.Errorf("%s %s: %s", task, container, a.body)
		}
	}
	linux := func(p string) string { return `,"linuxParameters":{` + p + `}` }
	health := func(p string) string { return `,"healthCheck":{"command":["CMD","x"]` + p + `}` }
	for _, p := range []string{
		`,"disableNetworking":true`, `,"dnsSearchDomains":["a"]`, `,"dnsServers":["1.1.1.1"]`, `,"dockerSecurityOptions":["a"]`, `,"extraHosts":[{"hostname":"a","ipAddress":"1.1.1.1"}]`,
		`,"resourceRequirements":[{"type":"GPU","value":"1"}]`, `,"links":["a"]`, `,"privileged":true`, linux(`"maxSwap":1`), linux(`"swappiness":1`), linux(`"sharedMemorySize":1`),
		linux(`"devices":[{"hostPath":"/dev/a"}]`), linux(`"tmpfs":[{"containerPath":"/a","size":1}]`), linux(`"capabilities":{"add":["NET_ADMIN"]}`),
		`,"portMappings":[{"containerPort":80,"hostPort":81}]`, `,"logConfiguration":{"logDriver":"json-file"}`,
		`,"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"us-east-1"}}`, `,"ulimits":[{"name":"nofile","softLimit":1,"hardLimit":1048577}]`,
		`,"secrets":[]`, `,"cpu":1025`, `,"memory":2049`, `,"memory":3`, `,"stopTimeout":121`,
		health(`,"interval":4`), health(`,"interval":301`), health(`,"timeout":1`), health(`,"timeout":61`), health(`,"retries":0`), health(`,"retries":11`), health(`,"startPeriod":-1`), health(`,"startPeriod":301`),
		`,"restartPolicy":{"enabled":true,"restartAttemptPeriod":59}`, `,"restartPolicy":{"enabled":true,"restartAttemptPeriod":1801}`, `,"restartPolicy":{"enabled":true,"ignoredExitCodes":[` + strings.TrimSuffix(strings.Repeat("1,", 51), ",") + `]}`,
	} {
		try("", p, false)
	}
	for _, p := range []string{
		linux(`"capabilities":{"add":["SYS_PTRACE"],"drop":["NET_RAW"]}`), linux(`"initProcessEnabled":true`), `,"portMappings":[{"containerPort":80,"hostPort":80}]`, `,"systemControls":[{"namespace":"net.core.somaxconn","value":"1024"}]`,
		`,"ulimits":[{"name":"nofile","softLimit":1,"hardLimit":1048576}]`, `,"cpu":1024`, `,"memory":2048`, `,"stopTimeout":120`, `,"readonlyRootFilesystem":true`, `,"user":"1:1"`,
		health(`,"interval":5,"timeout":2,"retries":1,"startPeriod":0`), health(`,"interval":300,"timeout":60,"retries":10,"startPeriod":300`),
		`,"restartPolicy":{"enabled":true,"restartAttemptPeriod":60}`, `,"restartPolicy":{"enabled":true,"restartAttemptPeriod":1800,"ignoredExitCodes":[0]}`,
	} {
		try("", p, true)
	}
	for _, p := range []string{
		`"ipcMode":"task",`, `"pidMode":"host",`, `"placementConstraints":[{"type":"memberOf","expression":"attribute:ecs.os-type == linux"}],`, `"volumes":[{"name":"v","host":{"sourcePath":"/a"}}],`,
		`"volumes":[{"name":"v","dockerVolumeConfiguration":{"scope":"task"}}],`, `"ephemeralStorage":{"sizeInGiB":20},`, `"ephemeralStorage":{"sizeInGiB":201},`,
	} {
		try(p, "", false)
	}
	for _, p := range []string{`"pidMode":"task",`, `"volumes":[{"name":"v"}],`, `"ephemeralStorage":{"sizeInGiB":21},`, `"ephemeralStorage":{"sizeInGiB":200},`} {
		try(p, "", true)
	}
}

// TestRecordedBounds holds the bounds of requests. Source: Amazon ECS API Reference.
func TestRecordedBounds(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	list := func(item string, n int) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	run := func(members string) string {
		return `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE",` + members + `,$NETWORK}`
	}
	vpc := func(subnets, groups int) string {
		return `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE","networkConfiguration":{"awsvpcConfiguration":{"subnets":[` + list(`"$SUBNET"`, subnets) + `],"securityGroups":[` + list(`"sg-1"`, groups) + `]}}}`
	}
	strategy := func(items string) string {
		return `{"cluster":"web","taskDefinition":"app","capacityProviderStrategy":[` + items + `],$NETWORK}`
	}
	item := func(provider string, base, weight int) string {
		return fmt.Sprintf(`{"capacityProvider":"%s","base":%d,"weight":%d}`, provider, base, weight)
	}
	c.run(t, "ecs", []row{{op: "PutClusterCapacityProviders", in: `{"cluster":"web","capacityProviders":["FARGATE","FARGATE_SPOT"],"defaultCapacityProviderStrategy":[]}`}})
	for _, tt := range []struct {
		op, in string
		status int
	}{
		{"RunTask", run(`"count":10`), 200}, {"RunTask", run(`"count":11`), 400}, {"RunTask", run(`"count":0`), 400}, {"RunTask", run(`"count":-1`), 400},
		{"RunTask", run(`"startedBy":"` + strings.Repeat("a", 128) + `"`), 200}, {"RunTask", run(`"startedBy":"` + strings.Repeat("a", 129) + `"`), 400},
		{"RunTask", run(`"clientToken":"` + strings.Repeat("~", 64) + `"`), 200}, {"RunTask", run(`"clientToken":"` + strings.Repeat("a", 65) + `"`), 400}, {"RunTask", run(`"clientToken":"a b"`), 400},
		{"RunTask", run(`"overrides":{"containerOverrides":[{"name":"main","environment":[{"name":"A","value":"` + strings.Repeat("a", 8300) + `"}]}]}`), 400},
		{"RunTask", run(`"overrides":{"ephemeralStorage":{"sizeInGiB":20}}`), 400}, {"RunTask", run(`"overrides":{"ephemeralStorage":{"sizeInGiB":201}}`), 400}, {"RunTask", run(`"overrides":{"ephemeralStorage":{"sizeInGiB":200}}`), 200},
		{"RunTask", run(`"platformVersion":"9.9.9"`), 400}, {"RunTask", run(`"placementConstraints":[{"type":"distinctInstance"}]`), 400}, {"RunTask", run(`"placementStrategy":[{"type":"random"}]`), 400},
		{"RunTask", vpc(16, 0), 200}, {"RunTask", vpc(17, 0), 400}, {"RunTask", vpc(0, 0), 400}, {"RunTask", vpc(1, 6), 400},
		{"RunTask", strategy(item("FARGATE", 0, 1) + "," + item("FARGATE_SPOT", 100000, 1000)), 200}, {"RunTask", strategy(item("FARGATE", 1, 1) + "," + item("FARGATE_SPOT", 1, 1)), 400},
		{"RunTask", strategy(item("FARGATE", 100001, 1)), 400}, {"RunTask", strategy(item("FARGATE", -1, 1)), 400}, {"RunTask", strategy(item("FARGATE", 0, 1001)), 400}, {"RunTask", strategy(item("FARGATE", 0, -1)), 400},
		{"RunTask", strategy(item("FARGATE", 0, 0) + "," + item("FARGATE_SPOT", 0, 0)), 400}, {"RunTask", strategy(item("FARGATE", 0, 1) + "," + item("FARGATE", 0, 1)), 400}, {"RunTask", strategy(item("other", 0, 1)), 400},
		{"RunTask", `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE","capacityProviderStrategy":[` + item("FARGATE", 0, 1) + `],$NETWORK}`, 400},
		{"DescribeClusters", `{"clusters":[` + list(`"web"`, 100) + `]}`, 200}, {"DescribeClusters", `{"clusters":[` + list(`"web"`, 101) + `]}`, 400},
		{"DescribeTasks", `{"cluster":"web","tasks":[` + list(`"00000000000000000000000000000000"`, 100) + `]}`, 200}, {"DescribeTasks", `{"cluster":"web","tasks":[` + list(`"00000000000000000000000000000000"`, 101) + `]}`, 400},
		{"DescribeTasks", `{"cluster":"web","tasks":[]}`, 400}, {"DescribeTasks", `{"cluster":"web"}`, 400},
		{"DescribeServices", `{"cluster":"web","services":[` + list(`"s"`, 10) + `]}`, 200}, {"DescribeServices", `{"cluster":"web","services":[` + list(`"s"`, 11) + `]}`, 400}, {"DescribeServices", `{"cluster":"web"}`, 400},
		{"DescribeContainerInstances", `{"cluster":"web","containerInstances":[` + list(`"00000000000000000000000000000000"`, 101) + `]}`, 400},
		{"DescribeServiceRevisions", `{"serviceRevisionArns":[` + list(`"${ECS}service-revision/web/s/1"`, 21) + `]}`, 400}, {"DescribeServiceDeployments", `{"serviceDeploymentArns":[` + list(`"${ECS}service-deployment/web/s/1"`, 21) + `]}`, 400},
		{"DeleteTaskDefinitions", `{"taskDefinitions":[` + list(`"x:1"`, 10) + `]}`, 200}, {"DeleteTaskDefinitions", `{"taskDefinitions":[` + list(`"x:1"`, 11) + `]}`, 400}, {"DeleteTaskDefinitions", `{"taskDefinitions":[]}`, 400},
		{"UpdateTaskProtection", `{"cluster":"web","protectionEnabled":true,"tasks":[` + list(`"00000000000000000000000000000000"`, 11) + `]}`, 400},
		{"UpdateTaskProtection", `{"cluster":"web","protectionEnabled":true,"expiresInMinutes":2881,"tasks":["00000000000000000000000000000000"]}`, 400}, {"UpdateTaskProtection", `{"cluster":"web","protectionEnabled":true,"expiresInMinutes":0,"tasks":["00000000000000000000000000000000"]}`, 400},
		{"UpdateTaskProtection", `{"cluster":"web","protectionEnabled":true,"expiresInMinutes":2880,"tasks":["00000000000000000000000000000000"]}`, 200}, {"UpdateTaskProtection", `{"cluster":"web","tasks":["00000000000000000000000000000000"]}`, 400},
		{"StartTask", `{"cluster":"web","taskDefinition":"ec2","containerInstances":[` + list(`"00000000000000000000000000000000"`, 11) + `]}`, 400}, {"StartTask", `{"cluster":"web","taskDefinition":"ec2","containerInstances":[]}`, 400},
		{"StartTask", `{"cluster":"web","taskDefinition":"ec2","startedBy":"` + strings.Repeat("a", 37) + `","containerInstances":["00000000000000000000000000000000"]}`, 400},
		{"CreateService", `{"cluster":"web","serviceName":"x","taskDefinition":"ec2","desiredCount":0,"placementConstraints":[` + list(`{"type":"distinctInstance"}`, 11) + `]}`, 400},
		{"CreateService", `{"cluster":"web","serviceName":"x","taskDefinition":"ec2","desiredCount":0,"placementStrategy":[` + list(`{"type":"random"}`, 6) + `]}`, 400},
		{"CreateService", `{"cluster":"web","serviceName":"x","taskDefinition":"ec2","desiredCount":0,"placementConstraints":[{"type":"memberOf","expression":"` + strings.Repeat("a", 2001) + `"}]}`, 400},
		{"RegisterTaskDefinition", `{"family":"x","containerDefinitions":[` + list(`{"name":"a","image":"a","memory":64}`, 2) + `]}`, 400}, {"RegisterTaskDefinition", `{"family":"x","containerDefinitions":[]}`, 400},
		{"RegisterTaskDefinition", `{"family":"x","containerDefinitions":[{"name":"a","image":"a","memory":64,"environment":[{"name":"A","value":"` + strings.Repeat("a", 64<<10) + `"}]}]}`, 400},
		{"RegisterTaskDefinition", `{"family":"x","cpu":"127","containerDefinitions":[{"name":"a","image":"a","memory":64}]}`, 400}, {"RegisterTaskDefinition", `{"family":"x","cpu":"196608","containerDefinitions":[{"name":"a","image":"a","memory":64}]}`, 200},
		{"TagResource", `{"resourceArn":"${ECS}cluster/web","tags":[` + list(`{"key":"a","value":"1"}`, 51) + `]}`, 400}, {"TagResource", `{"resourceArn":"${ECS}cluster/web","tags":[{"key":"aws:x","value":"1"}]}`, 400},
	} {
		if a := c.call(t, "ecs", tt.op, c.expand(tt.in), nil); a.status != tt.status {
			t.Errorf("%s %.300s: %d %s", tt.op, tt.in, a.status, a.body)
		}
	}
	zero := item("FARGATE", 0, 0) + "," + item("FARGATE_SPOT", 0, 0)
	c.run(t, "ecs", []row{
		{source: "all weights zero", op: "PutClusterCapacityProviders", in: `{"cluster":"web","capacityProviders":["FARGATE","FARGATE_SPOT"],"defaultCapacityProviderStrategy":[` + zero + `]}`},
		{source: "unknown definition before a bad override", op: "RunTask", in: `{"cluster":"web","taskDefinition":"none","launchType":"FARGATE","overrides":{"containerOverrides":[{"name":"bad"}]},$NETWORK}`, fails: "ClientException: TaskDefinition not found."},
	})
	if a := c.call(t, "ecs", "RunTask", c.expand(`{"cluster":"web","taskDefinition":"app",$NETWORK}`), nil); a.status != 400 {
		t.Errorf("all weights zero: %s", a.body)
	}
}

// TestRecordedPageDefaults holds how many items a list answers unless asked
// otherwise. Source: Amazon ECS API Reference.
func TestRecordedPageDefaults(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	c.services(t)
	for i := range 101 {
		rows := []row{
			{op: "CreateCluster", in: fmt.Sprintf(`{"clusterName":"c%d"}`, i)},
			{op: "RegisterTaskDefinition", in: fmt.Sprintf(`{"family":"f%d","containerDefinitions":[{"name":"a","image":"a","memory":64}]}`, i)},
			{op: "RunTask", in: `{"cluster":"web","taskDefinition":"app","launchType":"FARGATE",$NETWORK}`},
		}
		if i < 11 {
			rows = append(rows, row{op: "CreateService", in: fmt.Sprintf(`{"cluster":"c0","serviceName":"s%d","taskDefinition":"ec2","desiredCount":0}`, i)})
		}
		if i > 0 && i < 22 {
			rows = append(rows, row{op: "UpdateService", in: `{"cluster":"c0","service":"s0","forceNewDeployment":true}`})
		}
		c.run(t, "ecs", rows)
	}
	for op, tt := range map[string]struct {
		in, list string
		size     int
	}{
		"ListClusters":               {"", "clusterArns", 100},
		"ListTaskDefinitions":        {"", "taskDefinitionArns", 100},
		"ListTaskDefinitionFamilies": {"", "families", 100},
		"ListTasks":                  {`{"cluster":"web"}`, "taskArns", 100},
		"ListServices":               {`{"cluster":"c0"}`, "serviceArns", 10},
		"ListServiceDeployments":     {`{"cluster":"c0","service":"s0"}`, "serviceDeployments", 20},
		"ListAccountSettings":        {`{"effectiveSettings":true}`, "settings", 10},
	} {
		a := c.call(t, "ecs", op, tt.in, nil)
		_, more := at(a.value, "nextToken")
		if n, _ := at(a.value, tt.list+".#"); fmt.Sprint(n) != fmt.Sprint(tt.size) || !more {
			t.Errorf("%s: %v items, more: %v", op, n, more)
		}
	}
}
