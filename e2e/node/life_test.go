package node

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"neargate/e2e/story"
)

// TestTasks plays the stories of tasks on each runtime, all of a runtime on one
// neargate and at once.
func TestTasks(t *testing.T) {
	for _, runtime := range runtimes(gvisor, runc) {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, runtime)
			for _, s := range []struct {
				name string
				tell func(*testing.T, *tenant)
			}{
				{"ExitCodes", exitCodes}, {"FailedStarts", failedStarts}, {"ImageErrors", imageErrors}, {"Stops", stops}, {"StopOrder", stopOrder},
				{"Dependencies", dependencies}, {"Health", health}, {"Restarts", restarts}, {"Process", process}, {"Terminals", terminals}, {"Members", members}, {"Overrides", overrides},
				{"Volumes", volumes}, {"SharedTask", sharedTask},
				{"SecurityGroups", securityGroups}, {"GroupReference", groupReference}, {"Egress", egress}, {"DualStack", dualStack}, {"Names", names},
				{"RegistryPulls", registryPulls}, {"Logs", logLines}, {"LogOptions", logOptions}, {"LogFailures", logFailures}, {"Metadata", metadata}, {"Secrets", secrets},
			} {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					s.tell(t, w.tenant(t))
				})
			}
		})
	}
}

// exitCodes: how a container ends is what DescribeTasks says.
func exitCodes(t *testing.T, c *tenant) {
	type ending struct {
		name    string
		command []string
		code    int32
	}
	endings := []ending{
		{"zero", []string{"exit", "0"}, 0}, {"seven", []string{"exit", "7"}, 7}, {"high", []string{"exit", "255"}, 255},
		{"killed", []string{"signal", "KILL"}, 137}, {"ended", []string{"signal", "TERM"}, 143},
	}
	arns := map[string]string{}
	for _, e := range endings {
		k := guestContainer("main", e.command...)
		k.LinuxParameters = &types.LinuxParameters{InitProcessEnabled: aws.Bool(true)} // process 1 is deaf to its own signals
		arns[e.name] = c.guests(t, k)
	}
	for _, e := range endings {
		x := c.stopped(t, arns[e.name])
		k := container(t, x, "main")
		if x.StopCode != types.TaskStopCodeEssentialContainerExited || *x.StoppedReason != "Essential container in task exited" || !exited(t, x, "main", e.code) || k.Reason != nil {
			t.Errorf("%s: %s", e.name, told(x))
		}
		times := []*time.Time{x.CreatedAt, x.ConnectivityAt, x.PullStartedAt, x.PullStoppedAt, x.StartedAt, x.ExecutionStoppedAt, x.StoppedAt}
		for i, at := range times {
			if at == nil || i > 0 && times[i-1] != nil && at.Before(*times[i-1]) && i != 5 {
				t.Errorf("%s: time %d is %v after %v", e.name, i, at, times[max(0, i-1)])
			}
		}
		if k.ImageDigest == nil || !strings.HasPrefix(*k.ImageDigest, "sha256:") || k.RuntimeId == nil {
			t.Errorf("%s: image digest %v, runtime id %v", e.name, k.ImageDigest, k.RuntimeId)
		}
	}

	// A container that is not essential ends alone.
	arn := c.guests(t, guestContainer("main", "serve", ":80"), types.ContainerDefinition{Name: aws.String("side"),
		Image: aws.String("public.ecr.aws/neargate/guest:command"), Essential: aws.Bool(false)})
	x := c.until(t, arn, "without its side container", func(x types.Task) bool {
		return container(t, x, "side").ExitCode != nil && *x.LastStatus == "RUNNING" || *x.LastStatus == "STOPPED"
	})
	if side := container(t, x, "side"); *x.LastStatus != "RUNNING" || !exited(t, x, "side", 0) || *side.LastStatus != "STOPPED" {
		t.Error(told(x))
	}
}

// failedStarts: what cannot be started says why and never ran.
func failedStarts(t *testing.T, c *tenant) {
	absent := guestContainer("main")
	absent.EntryPoint = []string{"/absent"}
	nobody := guestContainer("main", "forever")
	nobody.User = aws.String("nosuchuser")
	empty := guestContainer("main")
	empty.Image = aws.String("public.ecr.aws/neargate/guest:empty")
	beside := guestContainer("beside", "forever")
	for _, s := range []struct {
		name, reason string
		k            types.ContainerDefinition
	}{
		{"absent", `/absent`, absent}, {"nobody", `unable to find user nosuchuser`, nobody}, {"empty", `no command specified`, empty},
	} {
		x := c.stopped(t, c.guests(t, s.k, beside))
		k := container(t, x, "main")
		reason := aws.ToString(k.Reason)
		if x.StopCode != types.TaskStopCodeTaskFailedToStart || k.ExitCode != nil && *k.ExitCode == 0 || x.StartedAt != nil ||
			!strings.Contains(reason, s.reason) || !strings.HasPrefix(reason, "Cannot") {
			t.Errorf("%s: %s", s.name, told(x))
		}
	}
}

// imageErrors: images that are not there, or not for this machine.
func imageErrors(t *testing.T, c *tenant) {
	for _, s := range []struct{ image, reason string }{
		{"public.ecr.aws/neargate/guest:nosuch", "public.ecr.aws/neargate/guest:nosuch: not found"},
		{"neargate/none", "docker.io/neargate/none:latest"},
		{"public.ecr.aws/neargate/guest:abroad", "image Manifest does not contain descriptor matching platform 'linux/"},
		{"public.ecr.aws/neargate/guest:foreign", "image Manifest does not contain descriptor matching platform 'linux/"},
		{"public.ecr.aws/neargate/guest@sha256:" + strings.Repeat("0", 64), "not found"},
	} {
		x := c.stopped(t, c.guests(t, types.ContainerDefinition{Name: aws.String("main"), Image: aws.String(s.image)}))
		text := aws.ToString(x.StoppedReason)
		if x.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(text, "CannotPullContainerError: ") || !strings.Contains(text, s.reason) {
			t.Errorf("%s: %s", s.image, told(x))
		}
		if k := container(t, x, "main"); k.ExitCode != nil || x.StartedAt != nil || *k.LastStatus != "STOPPED" {
			t.Errorf("%s: %s", s.image, told(x))
		}
	}
}

// stops: StopTask sends the image's signal, waits as long as it was told, and kills.
func stops(t *testing.T, c *tenant) {
	group := c.logged(t)
	quit := types.ContainerDefinition{Name: aws.String("quit"), Image: aws.String("public.ecr.aws/neargate/guest:quit"), LogConfiguration: c.awslogs(t, group, nil)}
	polite := guestContainer("polite", "trap", "3", "TERM")
	deaf := guestContainer("deaf", "deaf", "TERM")
	deaf.StopTimeout = aws.Int32(2)
	polite.LogConfiguration, deaf.LogConfiguration = quit.LogConfiguration, quit.LogConfiguration
	arn := c.run(t, definition{ContainerDefinitions: []types.ContainerDefinition{quit, polite, deaf}, ExecutionRoleArn: aws.String(c.role)})
	c.running(t, arn)
	for _, name := range []string{"quit", "polite", "deaf"} {
		eventually(t, name+" listens", func() bool { return len(c.events(t, group, name, arn)) > 0 })
	}
	begin := time.Now()
	x := c.stop(t, arn)
	if took := time.Since(begin); took < 2*time.Second || took > 25*time.Second {
		t.Errorf("stopped after %v", took)
	}
	if x.StopCode != types.TaskStopCodeUserInitiated || *x.StoppedReason != "the story" {
		t.Error(told(x))
	}
	for name, code := range map[string]int32{"quit": 0, "polite": 3, "deaf": 137} {
		if !exited(t, x, name, code) {
			t.Errorf("%s: %s", name, told(x))
		}
	}
	eventually(t, "the log", func() bool { return len(c.events(t, group, "quit", arn)) >= 2 })
	if said := c.events(t, group, "quit", arn); !slices.Equal(said, []string{"waiting for TERM QUIT", "got SIGQUIT"}) {
		t.Errorf("%q", said)
	}
}

// stopOrder: containers stop in the reverse order of their dependencies.
func stopOrder(t *testing.T, c *tenant) {
	group := c.logged(t)
	chain := []string{"first", "second", "third"}
	var all []types.ContainerDefinition
	for i, name := range chain {
		k := guestContainer(name, "trap", "0", "TERM")
		k.LogConfiguration = c.awslogs(t, group, nil)
		if i > 0 {
			k.DependsOn = []types.ContainerDependency{{ContainerName: aws.String(chain[i-1]), Condition: types.ContainerConditionStart}}
		}
		all = append(all, k)
	}
	arn := c.run(t, definition{ContainerDefinitions: all, ExecutionRoleArn: aws.String(c.role)})
	c.running(t, arn)
	for _, name := range chain {
		eventually(t, name+" listens", func() bool { return len(c.events(t, group, name, arn)) > 0 })
	}
	c.stop(t, arn)
	var order []string
	id := arn[strings.LastIndex(arn, "/")+1:]
	eventually(t, "all said so", func() bool {
		order = order[:0]
		for _, e := range c.filtered(t, group, "got") {
			order = append(order, strings.TrimSuffix(strings.TrimPrefix(*e.LogStreamName, "s/"), "/"+id))
		}
		return len(order) == 3
	})
	if !slices.Equal(order, []string{"third", "second", "first"}) {
		t.Errorf("stopped in the order %v", order)
	}
}

// dependencies: the four conditions hold containers back and let them go.
func dependencies(t *testing.T, c *tenant) {
	mount := []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/v")}}
	after := func(name string, condition types.ContainerCondition) []types.ContainerDependency {
		return []types.ContainerDependency{{ContainerName: aws.String(name), Condition: condition}}
	}
	step := func(name string, command ...string) types.ContainerDefinition {
		k := guestContainer(name, command...)
		k.MountPoints = mount
		return k
	}
	// complete ends badly and success well, before healthy starts; main comes last.
	complete := step("complete", "sleep", "300ms", "then", "append", "/v/order", "complete", "then", "exit", "4")
	success := step("success", "append", "/v/order", "success")
	success.DependsOn = after("complete", types.ContainerConditionComplete)
	healthy := step("healthy", "append", "/v/order", "healthy", "then", "sleep", "1s", "then", "write", "/v/ready", "", "then", "forever")
	healthy.DependsOn = after("success", types.ContainerConditionSuccess)
	healthy.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/guest", "read", "/v/ready"}, Interval: aws.Int32(5), Retries: aws.Int32(5)}
	main := step("main", "append", "/v/order", "main", "then", "serve", ":80")
	main.DependsOn = append(after("healthy", types.ContainerConditionHealthy), after("success", types.ContainerConditionStart)...)
	complete.Essential, success.Essential = aws.Bool(false), aws.Bool(false)
	_, _, public := c.server(t, definition{Volumes: []types.Volume{{Name: aws.String("v")}}, ContainerDefinitions: []types.ContainerDefinition{main, healthy, success, complete}})
	if got := ask(t, public, "read", "/v/order"); got != "complete\nsuccess\nhealthy\nmain" {
		t.Errorf("order:\n%s", got)
	}

	// A condition that cannot come true any more fails the task.
	bad := guestContainer("bad", "exit", "7")
	bad.Essential = aws.Bool(false)
	never := guestContainer("never", "forever")
	never.DependsOn = after("bad", types.ContainerConditionSuccess)
	x := c.stopped(t, c.guests(t, bad, never))
	if k := container(t, x, "never"); x.StopCode != types.TaskStopCodeTaskFailedToStart || *x.StoppedReason != "Task failed to start" || k.ExitCode != nil || k.Reason != nil {
		t.Error(told(x))
	}
	if !exited(t, x, "bad", 7) {
		t.Error(told(x))
	}
}

// health: the health of essential containers is the task's; a task of its own is
// not stopped for it.
func health(t *testing.T, c *tenant) {
	main := guestContainer("main", "write", "/tmp/well", "", "then", "serve", ":80")
	main.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/guest", "read", "/tmp/well"}, Interval: aws.Int32(5), Retries: aws.Int32(1), Timeout: aws.Int32(2)}
	other := guestContainer("other", "forever")
	arn, _, public := c.server(t, definition{ContainerDefinitions: []types.ContainerDefinition{main, other}})
	x := c.until(t, arn, "healthy", func(x types.Task) bool { return x.HealthStatus == types.HealthStatusHealthy })
	if h := container(t, x, "other").HealthStatus; h != types.HealthStatusUnknown {
		t.Errorf("the other container is %s", h)
	}
	ask(t, public, "remove", "/tmp/well")
	x = c.until(t, arn, "unhealthy", func(x types.Task) bool { return x.HealthStatus == types.HealthStatusUnhealthy })
	if *x.LastStatus != "RUNNING" || container(t, x, "main").HealthStatus != types.HealthStatusUnhealthy {
		t.Error(told(x))
	}
	ask(t, public, "write", "/tmp/well", "")
	c.until(t, arn, "healthy again", func(x types.Task) bool { return x.HealthStatus == types.HealthStatusHealthy })
}

// restarts: a container with a restart policy starts again in its own file system,
// unless its exit code is ignored or it ran too short.
func restarts(t *testing.T, c *tenant) {
	group := c.logged(t)
	policy := func(name string, ignored []int32, command ...string) types.ContainerDefinition {
		k := guestContainer(name, command...)
		k.Essential, k.LogConfiguration = aws.Bool(false), c.awslogs(t, group, nil)
		k.RestartPolicy = &types.ContainerRestartPolicy{Enabled: aws.Bool(true), RestartAttemptPeriod: aws.Int32(60), IgnoredExitCodes: ignored}
		return k
	}
	long := []string{"append", "/runs", "run", "then", "read", "/runs", "then", "sleep", "61s", "then", "exit", "5"}
	arn := c.run(t, definition{ExecutionRoleArn: aws.String(c.role), ContainerDefinitions: []types.ContainerDefinition{
		guestContainer("main", "forever"), policy("again", nil, long...), policy("ignored", []int32{5}, long...), policy("short", nil, "print", "run", "then", "exit", "5"),
	}})
	c.running(t, arn)
	eventually(t, "the container starts again", func() bool { return len(c.events(t, group, "again", arn)) >= 3 })
	if got := c.events(t, group, "again", arn); !slices.Equal(got, []string{"run", "run", "run"}) {
		t.Errorf("again: %q", got)
	}
	x := c.until(t, arn, "without the ignored one", func(x types.Task) bool { return container(t, x, "ignored").ExitCode != nil })
	if *x.LastStatus != "RUNNING" || *container(t, x, "again").LastStatus != "RUNNING" || *container(t, x, "short").LastStatus != "STOPPED" {
		t.Error(told(x))
	}
	for _, name := range []string{"ignored", "short"} {
		if got := c.events(t, group, name, arn); !slices.Equal(got, []string{"run"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// process: what a container's process is and sees.
func process(t *testing.T, c *tenant) {
	plain := guestContainer("main", "serve", ":80")
	_, private, public := c.server(t, definition{ContainerDefinitions: []types.ContainerDefinition{plain}})
	f := factsOf(t, ask(t, public, "facts"))
	if f.UID != 0 || f.GID != 0 || f.Cwd != "/" || f.Capabilities != "00000000a80425fb" || !f.RootWritable {
		t.Errorf("uid %d, gid %d, cwd %s, capabilities %s, root writable %v", f.UID, f.GID, f.Cwd, f.Capabilities, f.RootWritable)
	}
	if l := f.Limits["nofile"][1]; l != 65535 && (c.runtime == gvisor || l != hostFiles(t)) {
		t.Errorf("nofile %v", l)
	}
	if want := "ip-" + strings.ReplaceAll(private, ".", "-") + ".ec2.internal"; f.Hostname != want {
		t.Errorf("hostname %s, want %s", f.Hostname, want)
	}
	for _, name := range []string{"ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI", "AWS_EXECUTION_ENV", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		if f.Env[name] == "" {
			t.Errorf("%s is not set: %v", name, f.Env)
		}
	}
	if f.Env["AWS_EXECUTION_ENV"] != "AWS_ECS_FARGATE" {
		t.Errorf("AWS_EXECUTION_ENV=%s", f.Env["AWS_EXECUTION_ENV"])
	}

	// The definition's words come before the image's.
	k := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String("public.ecr.aws/neargate/guest:user"), User: aws.String("0:2000"),
		Command: []string{"serve", ":80"}, WorkingDirectory: aws.String("/tmp"), ReadonlyRootFilesystem: aws.Bool(true),
		Environment:     []types.KeyValuePair{{Name: aws.String("FROM"), Value: aws.String("definition")}, {Name: aws.String("EMPTY"), Value: aws.String("")}},
		Ulimits:         []types.Ulimit{{Name: types.UlimitNameNofile, SoftLimit: 1000, HardLimit: 2000}, {Name: types.UlimitNameCore, SoftLimit: 0, HardLimit: 0}},
		LinuxParameters: &types.LinuxParameters{InitProcessEnabled: aws.Bool(true), Capabilities: &types.KernelCapabilities{Drop: []string{"CHOWN", "NET_RAW"}, Add: []string{"SYS_PTRACE"}}},
	}
	_, _, public = c.server(t, definition{ContainerDefinitions: []types.ContainerDefinition{k}})
	f = factsOf(t, ask(t, public, "facts"))
	if f.UID != 0 || f.GID != 2000 || f.Cwd != "/tmp" || f.RootWritable || f.Env["FROM"] != "definition" || f.Env["KEPT"] != "image" {
		t.Errorf("%+v", f)
	}
	if v, ok := f.Env["EMPTY"]; !ok || v != "" {
		t.Errorf("EMPTY is %q, %v", v, ok)
	}
	if f.Limits["nofile"][1] != 2000 || f.Limits["core"] != [2]uint64{0, 0} {
		t.Errorf("limits %v", f.Limits)
	}
	if f.Capabilities != "00000000a80cc5fa" && f.Capabilities != "00000000a80c05fa" {
		t.Errorf("capabilities %s", f.Capabilities)
	}
	if one := ask(t, public, "read", "/proc/1/comm"); one == "guest" {
		t.Error("the guest is process 1 in spite of initProcessEnabled")
	}

	// A Go program changes its own soft limit; a shell tells.
	shell := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String("busybox"), Ulimits: k.Ulimits,
		Command: []string{"sh", "-c", `test "$(ulimit -Sn) $(ulimit -Hn)" = "1000 2000"`}}
	if x := c.stopped(t, c.guests(t, shell)); !exited(t, x, "main", 0) {
		t.Error("the soft limit is another:", told(x))
	}
}

// hostFiles is the most files a process of this host may open.
func hostFiles(t *testing.T) uint64 {
	t.Helper()
	var l syscall.Rlimit
	ok(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l))
	return l.Max
}

// overrides: RunTask changes the command, the environment and the size.
func overrides(t *testing.T, c *tenant) {
	group := c.logged(t)
	k := types.ContainerDefinition{Name: aws.String("main"), Image: aws.String("public.ecr.aws/neargate/guest:user"), LogConfiguration: c.awslogs(t, group, nil),
		Environment: []types.KeyValuePair{{Name: aws.String("FROM"), Value: aws.String("definition")}, {Name: aws.String("ONE"), Value: aws.String("1")}}}
	def := c.define(t, definition{ContainerDefinitions: []types.ContainerDefinition{k}, ExecutionRoleArn: aws.String(c.role)})
	arn := c.start(t, ecs.RunTaskInput{TaskDefinition: aws.String(def), Overrides: &types.TaskOverride{Cpu: aws.String("512"), Memory: aws.String("1024"),
		ContainerOverrides: []types.ContainerOverride{{Name: aws.String("main"), Command: []string{"print", "overridden", "then", "facts"},
			Environment: []types.KeyValuePair{{Name: aws.String("FROM"), Value: aws.String("override")}, {Name: aws.String("TWO"), Value: aws.String("2")}}}}}})
	x := c.stopped(t, arn)
	if *x.Cpu != "512" || *x.Memory != "1024" || !exited(t, x, "main", 0) {
		t.Error(told(x), *x.Cpu, *x.Memory)
	}
	eventually(t, "two lines", func() bool { return len(c.events(t, group, "main", arn)) == 2 })
	said := c.events(t, group, "main", arn)
	f := factsOf(t, said[1])
	if said[0] != "overridden" || f.UID != 1000 || f.Cwd != "/home/app" || f.Env["FROM"] != "override" || f.Env["ONE"] != "1" || f.Env["TWO"] != "2" {
		t.Errorf("%q", said)
	}
}

// volumes: bind volumes are shared, begin with the image's content, may be
// read-only, and come from other containers.
func volumes(t *testing.T, c *tenant) {
	at := func(path string, readOnly bool) []types.MountPoint {
		return []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String(path), ReadOnly: aws.Bool(readOnly)}}
	}
	writer := types.ContainerDefinition{Name: aws.String("writer"), Image: aws.String("public.ecr.aws/neargate/guest:volume"),
		Command: []string{"serve", ":80"}, MountPoints: at("/data", false)}
	reader := guestContainer("reader", "serve", ":81")
	reader.MountPoints = at("/elsewhere", true)
	from := guestContainer("from", "serve", ":82")
	from.VolumesFrom = []types.VolumeFrom{{SourceContainer: aws.String("writer")}}
	_, _, public := c.server(t, definition{Volumes: []types.Volume{{Name: aws.String("v")}}, ContainerDefinitions: []types.ContainerDefinition{writer, reader, from}})
	answers(t, public+":81")
	answers(t, public+":82")
	if got := ask(t, public, "read", "/data/greeting"); got != "from the image" {
		t.Errorf("the volume begins with %q", got)
	}
	ask(t, public, "write", "/data/note", "to all")
	if got := ask(t, public+":81", "read", "/elsewhere/note") + ask(t, public+":82", "read", "/data/note"); got != "to allto all" {
		t.Errorf("the others read %q", got)
	}
	if got, err := story.Ask(public+":81", "write", "/elsewhere/note", "changed"); err == nil || !strings.Contains(got+err.Error(), "read-only") {
		t.Errorf("a read-only mount was written to: %s %v", got, err)
	}
	// Root file systems are each container's own.
	ask(t, public, "write", "/tmp/mine", "x")
	if _, err := story.Ask(public+":82", "read", "/tmp/mine"); err == nil {
		t.Error("two containers share a root file system")
	}
	// What upper layers removed is not there, what replaced it is.
	if _, err := story.Ask(public, "read", "/etc/removed"); err == nil {
		t.Error("/etc/removed is there")
	}
	if got := ask(t, public, "list", "/old"); len(lines(got)) != 1 || !strings.HasSuffix(got, " kept") {
		t.Errorf("/old holds %q", got)
	}
}

// sharedTask: containers of a task share the network and, if asked, processes.
func sharedTask(t *testing.T, c *tenant) {
	pair := []types.ContainerDefinition{guestContainer("main", "serve", ":80"), guestContainer("side", "serve", ":81", "from", "the", "side")}
	_, _, apart := c.server(t, definition{ContainerDefinitions: pair})
	_, _, together := c.server(t, definition{ContainerDefinitions: pair, PidMode: types.PidModeTask})
	answers(t, apart+":81")
	answers(t, together+":81")
	if got := ask(t, apart, "get", "http://127.0.0.1:81/"); got != "200\nfrom the side" {
		t.Errorf("over localhost: %q", got)
	}
	a, b := factsOf(t, ask(t, apart, "facts")), factsOf(t, ask(t, together, "facts"))
	if a.Processes != 2 || b.Processes < 3 {
		t.Errorf("%d processes apart, %d together", a.Processes, b.Processes)
	}
}
