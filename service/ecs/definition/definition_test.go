package definition

import (
	"context"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/internal/convert"
	"neargate/resource/compute/taskdef"
	"neargate/service"
	"neargate/store/mem"
)

var ctx = auth.WithCaller(context.Background(), auth.Caller{
	Account: "123456789012", Region: "us-east-1", Partition: "aws", ARN: "arn:aws:iam::123456789012:root",
})

func newHandler(t *testing.T) *Handler {
	s := mem.New(mem.Paranoid())
	t.Cleanup(func() { s.Close() })
	return New(service.Deps{
		Store: s,
		Now:   func() time.Time { return time.Date(2026, 9, 16, 10, 0, 0, 123456789, time.UTC) },
		IDs:   arn.NewSource(rand.New(rand.NewSource(1))),
	})
}

// fargate is a minimal definition for Fargate, with changes.
func fargate(changes ...func(*ecs.RegisterTaskDefinitionInput)) *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{
		Family: new("web"), Cpu: new("256"), Memory: new("512"), NetworkMode: new("awsvpc"),
		RequiresCompatibilities: []string{"FARGATE"},
		ContainerDefinitions:    []ecs.ContainerDefinition{{Name: new("app"), Image: new("busybox:latest")}},
	}
	for _, c := range changes {
		c(in)
	}
	return in
}

// app changes the first container.
func app(change func(*ecs.ContainerDefinition)) func(*ecs.RegisterTaskDefinitionInput) {
	return func(in *ecs.RegisterTaskDefinitionInput) { change(&in.ContainerDefinitions[0]) }
}

func and(name string, change func(*ecs.ContainerDefinition)) func(*ecs.RegisterTaskDefinitionInput) {
	return func(in *ecs.RegisterTaskDefinitionInput) {
		c := ecs.ContainerDefinition{Name: &name, Image: new("busybox"), Essential: new(false)}
		change(&c)
		in.ContainerDefinitions = append(in.ContainerDefinitions, c)
	}
}

// Every member of a request and of an answer has a place in the stored form.
func TestNoMemberIsLost(t *testing.T) {
	if got := convert.Missing[taskdef.Definition, ecs.RegisterTaskDefinitionInput](); got != nil {
		t.Errorf("members of RegisterTaskDefinition without a place in the record: %v", got)
	}
	want := []string{"PreviousStatus", "TaskDefinitionArn"} // filled in by the operations
	if got := convert.Missing[taskdef.Definition, ecs.TaskDefinition](); !reflect.DeepEqual(got, want) {
		t.Errorf("members of TaskDefinition without a place in the record: %v", got)
	}
	want = []string{"Account", "Region", "Tags"} // answered beside the definition
	if got := convert.Missing[ecs.TaskDefinition, taskdef.Definition](); !reflect.DeepEqual(got, want) {
		t.Errorf("fields of the record that no answer shows: %v", got)
	}
}

func TestRegisterMaterialisesDefaults(t *testing.T) {
	h := newHandler(t)
	out, err := h.RegisterTaskDefinition(ctx, fargate(
		func(in *ecs.RegisterTaskDefinitionInput) { in.Cpu, in.Memory = new(".25 vCPU"), new("0.5 GB") },
		app(func(c *ecs.ContainerDefinition) {
			c.PortMappings = []ecs.PortMapping{{ContainerPort: new(int32(8080))}}
		}),
	))
	if err != nil {
		t.Fatal(err)
	}
	want := &ecs.TaskDefinition{
		TaskDefinitionArn: new("arn:aws:ecs:us-east-1:123456789012:task-definition/web:1"),
		Family:            new("web"), Revision: new(int32(1)), Status: new("ACTIVE"), Cpu: new("256"), Memory: new("512"),
		NetworkMode: new("awsvpc"), RequiresCompatibilities: []string{"FARGATE"},
		Compatibilities: []string{"EC2", "FARGATE", "MANAGED_INSTANCES"},
		RequiresAttributes: []ecs.Attribute{
			{Name: new("com.amazonaws.ecs.capability.docker-remote-api.1.18")}, {Name: new("ecs.capability.task-eni")},
		},
		Volumes: []ecs.Volume{}, PlacementConstraints: []ecs.TaskDefinitionPlacementConstraint{},
		RegisteredAt: new(time.Date(2026, 9, 16, 10, 0, 0, 123000000, time.UTC)), RegisteredBy: new("arn:aws:iam::123456789012:root"),
		ContainerDefinitions: []ecs.ContainerDefinition{{
			Name: new("app"), Image: new("busybox:latest"), Cpu: new(int32(0)), Essential: new(true),
			Environment: []ecs.KeyValuePair{}, MountPoints: []ecs.MountPoint{}, VolumesFrom: []ecs.VolumeFrom{},
			SystemControls: []ecs.SystemControl{},
			PortMappings:   []ecs.PortMapping{{ContainerPort: new(int32(8080)), HostPort: new(int32(8080)), Protocol: new("tcp")}},
		}},
	}
	if !reflect.DeepEqual(out.TaskDefinition, want) {
		t.Errorf("registered\n%+v\nwant\n%+v", out.TaskDefinition, want)
	}
	if out.Tags != nil {
		t.Errorf("tags are present without any: %v", out.Tags)
	}
	described, err := h.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("web")})
	if err != nil || !reflect.DeepEqual(described.TaskDefinition, want) || described.Tags == nil {
		t.Errorf("described %+v, %v", described, err)
	}
}

func TestCompatibilities(t *testing.T) {
	ec2 := func(in *ecs.RegisterTaskDefinitionInput) {
		in.RequiresCompatibilities, in.NetworkMode, in.Cpu, in.Memory = nil, nil, nil, nil
		in.ContainerDefinitions[0].Memory = new(int32(64))
	}
	for name, c := range map[string]struct {
		in         *ecs.RegisterTaskDefinitionInput
		compatible []string
		attributes int
	}{
		"no network mode": {fargate(ec2), []string{"EXTERNAL", "EC2"}, 0},
		"windows": {fargate(func(in *ecs.RegisterTaskDefinitionInput) {
			in.Cpu, in.Memory = new("1024"), new("2048")
			in.RuntimePlatform = &ecs.RuntimePlatform{OperatingSystemFamily: new("WINDOWS_SERVER_2022_CORE"), CpuArchitecture: new("ARM64")}
		}), []string{"EC2", "FARGATE"}, 2},
		"32 vCPU": {fargate(func(in *ecs.RegisterTaskDefinitionInput) { in.Cpu, in.Memory = new("32 vCPU"), new("244 GB") }),
			[]string{"EC2", "FARGATE", "MANAGED_INSTANCES"}, 2},
		"stopTimeout 121 drops Fargate": {fargate(
			func(in *ecs.RegisterTaskDefinitionInput) { in.RequiresCompatibilities = nil },
			app(func(c *ecs.ContainerDefinition) { c.StopTimeout = new(int32(121)) }),
		), []string{"EC2", "MANAGED_INSTANCES"}, 3},
		"stopTimeout 120, startTimeout 121": {fargate(app(func(c *ecs.ContainerDefinition) {
			c.StopTimeout, c.StartTimeout = new(int32(120)), new(int32(121))
		})), []string{"EC2", "FARGATE", "MANAGED_INSTANCES"}, 3},
		"awslogs with a role": {fargate(
			func(in *ecs.RegisterTaskDefinitionInput) { in.ExecutionRoleArn = new("exec") },
			app(func(c *ecs.ContainerDefinition) {
				c.LogConfiguration = &ecs.LogConfiguration{LogDriver: new("awslogs"),
					Options: map[string]string{"awslogs-region": "us-east-1", "awslogs-group": "g", "awslogs-stream-prefix": "p"}}
			}),
		), []string{"EC2", "FARGATE", "MANAGED_INSTANCES"}, 5},
	} {
		out, err := newHandler(t).RegisterTaskDefinition(ctx, c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := out.TaskDefinition.Compatibilities; !slices.Equal(got, c.compatible) {
			t.Errorf("%s: compatibilities %v, want %v", name, got, c.compatible)
		}
		if got := out.TaskDefinition.RequiresAttributes; len(got) != c.attributes || c.attributes == 0 && got != nil {
			t.Errorf("%s: %d attributes: %v", name, len(got), got)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	type in = ecs.RegisterTaskDefinitionInput
	type cd = ecs.ContainerDefinition
	bridge := func(i *in) { i.NetworkMode = new("bridge") }
	logTo := func(options ...string) *in {
		all := map[string]string{"awslogs-region": "us-east-1", "awslogs-group": "g", "awslogs-stream-prefix": "p"}
		for i := 0; i < len(options); i += 2 {
			all[options[i]] = options[i+1]
		}
		return fargate(
			func(i *in) { i.ExecutionRoleArn = new("exec") },
			app(func(c *cd) { c.LogConfiguration = &ecs.LogConfiguration{LogDriver: new("awslogs"), Options: all} }))
	}
	for want, input := range map[string]*in{
		"InvalidParameterException: Invalid 'cpu' setting for task.": fargate(func(i *in) {
			i.Cpu = new("bad")
			i.NetworkMode = new("bridge")
			i.ContainerDefinitions[0].Essential = new(false)
		}),
		"InvalidParameterException: Invalid 'memory' setting for task.":                                                                                   fargate(func(i *in) { i.Memory = new("") }),
		"ClientException: No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon ECS documentation for the valid values.": fargate(func(i *in) { i.Memory = new("4 GB") }),
		"ClientException: Fargate only supports network mode ‘awsvpc’.":                                                                                   fargate(bridge),
		"ClientException: Fargate requires that 'cpu' be defined at the task level.":                                                                      fargate(func(i *in) { i.Cpu = nil }),
		"ClientException: Fargate requires that 'memory' be defined at the task level.":                                                                   fargate(func(i *in) { i.Memory = nil; i.ContainerDefinitions[0].Memory = new(int32(128)) }),
		"ClientException: Tasks using the Fargate launch type do not support ipcMode.":                                                                    fargate(func(i *in) { i.IpcMode = new("task") }),
		"ClientException: Family contains invalid characters.":                                                                                            fargate(func(i *in) { i.Family = new("a b") }),
		"InvalidParameterException: HardLimit can not be blank.":                                                                                          fargate(app(func(c *cd) { c.Ulimits = []ecs.Ulimit{{Name: new("nofile"), SoftLimit: new(int32(1))}} })),
		"ClientException: Family can not be blank.":                                                                                                       fargate(func(i *in) { i.Family = new("") }),
		"ClientException: Container list cannot be empty.":                                                                                                fargate(func(i *in) { i.ContainerDefinitions = nil }),
		"ClientException: Too many containers.": fargate(func(i *in) {
			for n := range 10 {
				i.ContainerDefinitions = append(i.ContainerDefinitions, cd{Name: new(fmt.Sprint("c", n)), Image: new("x")})
			}
		}),
		"ClientException: Container.name should not be null or empty.":              fargate(app(func(c *cd) { c.Name = nil })),
		"ClientException: Container.name contains invalid characters.":              fargate(app(func(c *cd) { c.Name = new("a.b") })),
		"ClientException: Container.image should not be null or empty.":             fargate(app(func(c *cd) { c.Image = nil })),
		"ClientException: Container names must be unique within a Task Definition.": fargate(and("app", func(*cd) {})),
		"ClientException: Task definition doesn't have any essential container.":    fargate(app(func(c *cd) { c.Essential = new(false) })),
		"ClientException: Cannot depend on container + 'missing' because it does not exist": fargate(app(func(c *cd) {
			c.DependsOn = []ecs.ContainerDependency{{ContainerName: new("missing"), Condition: new("START")}}
		})),
		"ClientException: Container dependsOn contains a cycle": fargate(
			app(func(c *cd) {
				c.DependsOn = []ecs.ContainerDependency{{ContainerName: new("b"), Condition: new("START")}}
			}),
			and("b", func(c *cd) {
				c.DependsOn = []ecs.ContainerDependency{{ContainerName: new("app"), Condition: new("START")}}
			})),
		"ClientException: A dependency container with HEALTHY condition must have health check configured": fargate(
			app(func(c *cd) {
				c.DependsOn = []ecs.ContainerDependency{{ContainerName: new("b"), Condition: new("HEALTHY")}}
			}), and("b", func(*cd) {})),
		"ClientException: A dependency container with SUCCESS or COMPLETE condition cannot be an essential container": fargate(
			and("b", func(c *cd) {
				c.DependsOn = []ecs.ContainerDependency{{ContainerName: new("app"), Condition: new("SUCCESS")}}
			})),
		"ClientException: Unknown volume 'data'.": fargate(app(func(c *cd) {
			c.MountPoints = []ecs.MountPoint{{SourceVolume: new("data"), ContainerPath: new("/data")}}
		})),
		"ClientException: Fargate compatible task definitions do not support sourcePath": fargate(func(i *in) {
			i.Volumes = []ecs.Volume{{Name: new("v"), Host: &ecs.HostVolumeProperties{SourcePath: new("/x")}}}
		}),
		"ClientException: When networkMode=awsvpc, the host ports and container ports in port mappings must match.": fargate(app(func(c *cd) {
			c.PortMappings = []ecs.PortMapping{{ContainerPort: new(int32(80)), HostPort: new(int32(8080))}}
		})),
		"ClientException: TCP host port '80' is mapped multiple times in task.": fargate(
			app(func(c *cd) { c.PortMappings = []ecs.PortMapping{{ContainerPort: new(int32(80))}} }),
			and("b", func(c *cd) { c.PortMappings = []ecs.PortMapping{{ContainerPort: new(int32(80))}} })),
		"ClientException: Invalid 'containerPort' setting for container 'app'.":                                             fargate(app(func(c *cd) { c.PortMappings = []ecs.PortMapping{{}} })),
		"ClientException: When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.": fargate(app(func(c *cd) { c.Secrets = []ecs.Secret{} })),
		"ClientException: The Systems Manager parameter name specified for secret S is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-,": fargate(
			func(i *ecs.RegisterTaskDefinitionInput) { i.ExecutionRoleArn = new("exec") },
			app(func(c *cd) { c.Secrets = []ecs.Secret{{Name: new("S"), ValueFrom: new("a b")}} })),
		"ClientException: Fargate requires task definition to have execution role ARN to support ECR images.": fargate(app(func(c *cd) {
			c.Image = new("123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1")
		})),
		"ClientException: Fargate requires task definition to have execution role ARN to support log driver awslogs.": fargate(app(func(c *cd) {
			c.LogConfiguration = &ecs.LogConfiguration{LogDriver: new("awslogs"), Options: map[string]string{"awslogs-region": "r", "awslogs-group": "g", "awslogs-stream-prefix": "p"}}
		})),
		"ClientException: Log driver awslogs requires options: awslogs-stream-prefix":                           logTo("awslogs-stream-prefix", ""),
		"ClientException: Log driver awslogs disallows options: awslogs-endpoint":                               logTo("awslogs-endpoint", "x"),
		"ClientException: Invalid 'logConfiguration.options.mode' setting for container 'app'.":                 logTo("mode", "sometimes"),
		"ClientException: Invalid 'logConfiguration.options.max-buffer-size' setting for container 'app'.":      logTo("max-buffer-size", "much"),
		"ClientException: Invalid 'logConfiguration.options.awslogs-create-group' setting for container 'app'.": logTo("awslogs-create-group", "maybe"),
		"ClientException: you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time": logTo(
			"awslogs-datetime-format", "%Y", "awslogs-multiline-pattern", "^x"),
		"ClientException: Log driver awslogs requires options: awslogs-region, awslogs-group": fargate(app(func(c *cd) { c.LogConfiguration = &ecs.LogConfiguration{LogDriver: new("awslogs")} })),
		"ClientException: Fargate compatible task definitions do not support privileged":      fargate(app(func(c *cd) { c.Privileged = new(true) })),
		"ClientException: Fargate compatible task definitions do not support tmpfs": fargate(app(func(c *cd) {
			c.LinuxParameters = &ecs.LinuxParameters{Tmpfs: []ecs.Tmpfs{{ContainerPath: new("/t"), Size: new(int32(1))}}}
		})),
		"ClientException: Links are not supported when networkMode=awsvpc.": fargate(app(func(c *cd) { c.Links = []string{"b"} })),
		"ClientException: Unrecognized ulimit name memory": fargate(app(func(c *cd) {
			c.Ulimits = []ecs.Ulimit{{Name: new("memory"), SoftLimit: new(int32(1)), HardLimit: new(int32(1))}}
		})),
		"ClientException: Invalid 'stopTimeout' setting for container 'app'.":  fargate(app(func(c *cd) { c.StopTimeout = new(int32(121)) })),
		"ClientException: Invalid 'startTimeout' setting for container 'app'.": fargate(app(func(c *cd) { c.StartTimeout = new(int32(1)) })),
		"ClientException: Invalid 'healthCheck.interval' setting for container 'app'.": fargate(app(func(c *cd) {
			c.HealthCheck = &ecs.HealthCheck{Command: []string{"CMD-SHELL", "true"}, Interval: new(int32(4))}
		})),
		"ClientException: The 'memory' setting for container 'app' is greater than for the task.": fargate(app(func(c *cd) { c.Memory = new(int32(1024)) })),
		"ClientException: The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.": fargate(
			app(func(c *cd) { c.Cpu = new(int32(200)) }), and("b", func(c *cd) { c.Cpu = new(int32(57)) })),
		"ClientException: Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.": fargate(func(i *in) {
			i.RequiresCompatibilities, i.Memory = nil, nil
		}),
		"ClientException: Role is not valid":                                                 fargate(func(i *in) { i.TaskRoleArn = new("") }),
		"ClientException: Invalid 'sizeInGiB' setting for ephemeralStorage.":                 fargate(func(i *in) { i.EphemeralStorage = &ecs.EphemeralStorage{SizeInGiB: new(int32(20))} }),
		"InvalidParameterException: network mode should be one of [bridge,host,awsvpc,none]": fargate(func(i *in) { i.NetworkMode = new("BOGUS") }),
		"InvalidParameterException: Invalid placement constraint expression": fargate(func(i *in) {
			i.PlacementConstraints = []ecs.TaskDefinitionPlacementConstraint{{Type: new("memberOf"), Expression: new("x ==")}}
		}),
		"ClientException: Tag value can not be null.":                          fargate(func(i *in) { i.Tags = []ecs.Tag{{Key: new("a")}} }),
		"ClientException: Actual length: '":                                    fargate(app(func(c *cd) { c.Command = []string{strings.Repeat("x", 65536)} })),
		"ClientException: The 'configuredAtLaunch' parameter is not supported": fargate(func(i *in) { i.Volumes = []ecs.Volume{{Name: new("v"), ConfiguredAtLaunch: new(true)}} }),
		"ClientException: The 'efsVolumeConfiguration' parameter is not supported": fargate(func(i *in) {
			i.Volumes = []ecs.Volume{{Name: new("v"), EfsVolumeConfiguration: &ecs.EFSVolumeConfiguration{FileSystemId: new("fs-1")}}}
		}),
	} {
		h := newHandler(t)
		if _, err := h.RegisterTaskDefinition(ctx, input); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if out, _ := h.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{}); len(out.TaskDefinitionArns) != 0 {
			t.Errorf("%s: a refused definition was stored", want)
		}
	}
}

// TestLongest registers definitions around the longest there may be, to which what ECS
// adds, tags among it, does not count.
func TestLongest(t *testing.T) {
	h := newHandler(t)
	register := func(n int) error {
		_, err := h.RegisterTaskDefinition(ctx, fargate(app(func(c *ecs.ContainerDefinition) { c.Command = []string{strings.Repeat("x", n)} }), func(i *ecs.RegisterTaskDefinitionInput) {
			i.Tags = []ecs.Tag{{Key: new("k"), Value: new(strings.Repeat("v", 200))}}
		}))
		return err
	}
	const text = "ClientException: Actual length: '%d'. Max allowed length is '65536' bytes."
	longest := 0
	for n := 60_000; longest == 0; {
		switch err := register(n); {
		case err == nil:
			n += 100
		default:
			var length int
			if _, e := fmt.Sscanf(err.Error(), text, &length); e != nil {
				t.Fatal(err)
			}
			longest = n - (length - 65536)
		}
	}
	if err := register(longest); err != nil {
		t.Errorf("the longest: %v", err)
	}
	if err := register(longest + 1); err == nil || err.Error() != fmt.Sprintf(text, 65537) {
		t.Errorf("one more: %v", err)
	}
}

func TestRevisionsLifeCycle(t *testing.T) {
	h := newHandler(t)
	for range 3 {
		if _, err := h.RegisterTaskDefinition(ctx, fargate(func(in *ecs.RegisterTaskDefinitionInput) { in.Tags = []ecs.Tag{{Key: new("k"), Value: new("v")}} })); err != nil {
			t.Fatal(err)
		}
	}
	latest := func() int32 {
		out, err := h.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("web"), Include: []string{"TAGS"}})
		if err != nil {
			return 0
		}
		if len(out.Tags) != 1 {
			t.Errorf("tags: %v", out.Tags)
		}
		return *out.TaskDefinition.Revision
	}
	deregister := func(id string) *ecs.TaskDefinition {
		out, err := h.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out.TaskDefinition
	}
	deregister("web:2")
	first := deregister("web:3")
	if *first.Status != "INACTIVE" || *first.PreviousStatus != "ACTIVE" || first.DeregisteredAt != nil {
		t.Errorf("first deregistration: %+v", first)
	}
	again := deregister("web:3")
	if *again.PreviousStatus != "INACTIVE" || again.DeregisteredAt == nil {
		t.Errorf("second deregistration: %+v", again)
	}
	if got := latest(); got != 1 {
		t.Errorf("latest after deregistering 2 and 3 is %d", got)
	}
	out, err := h.DeleteTaskDefinitions(ctx, &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{"web:3", "web:1", "web:9", "web", "a b:1"}})
	if err != nil || len(out.TaskDefinitions) != 1 || *out.TaskDefinitions[0].Status != "DELETE_IN_PROGRESS" ||
		*out.TaskDefinitions[0].PreviousStatus != "INACTIVE" || out.TaskDefinitions[0].DeregisteredAt == nil {
		t.Fatalf("deleted %+v, %v", out, err)
	}
	var failures []string
	for _, f := range out.Failures {
		failures = append(failures, *f.Arn+": "+*f.Reason)
	}
	if want := []string{"web:1: " + active, "web:9: " + missing, "web: " + invalid, "a b:1: " + invalid}; !slices.Equal(failures, want) {
		t.Errorf("failures %q", failures)
	}
	for op, want := range map[string]string{
		"web:3": "ClientException: The task definition could not be deregistered because it is in the process of being deleted.",
		"web":   "InvalidParameterException: Revision is missing",
		"web:9": "ClientException: " + missing,
	} {
		if _, err := h.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &op}); err == nil || err.Error() != want {
			t.Errorf("deregister %s: %v", op, err)
		}
	}
	deregister("web:1")
	if got := latest(); got != 0 {
		t.Errorf("latest of an inactive family is %d", got)
	}
	reg, err := h.RegisterTaskDefinition(ctx, fargate())
	if err != nil || *reg.TaskDefinition.Revision != 4 {
		t.Errorf("the next revision is %+v, %v", reg, err)
	}
	for in, want := range map[string]string{
		"none":    "ClientException: Unable to describe task definition.",
		"web:99":  "ClientException: Unable to describe task definition.",
		"web:bad": "InvalidParameterException: Invalid task definition: Invalid revision number.",
	} {
		if _, err := h.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &in}); err == nil || err.Error() != want {
			t.Errorf("describe %s: %v", in, err)
		}
	}
	_, err = h.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: new("none"), Include: []string{"BOGUS"}})
	if err == nil || err.Error() != "ClientException: BOGUS is not a valid value for include. The value must be one of [[TAGS]]" {
		t.Errorf("bogus include: %v", err)
	}
}

func TestListPages(t *testing.T) {
	h := newHandler(t)
	for _, family := range []string{"b", "a", "a-x", "a"} {
		if _, err := h.RegisterTaskDefinition(ctx, fargate(func(in *ecs.RegisterTaskDefinitionInput) { in.Family = &family })); err != nil {
			t.Fatal(err)
		}
	}
	list := func(in ecs.ListTaskDefinitionsInput) (pages []string) {
		for {
			out, err := h.ListTaskDefinitions(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, a := range out.TaskDefinitionArns {
				names = append(names, a[strings.LastIndex(a, "/")+1:])
			}
			pages = append(pages, strings.Join(names, " "))
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return pages
			}
		}
	}
	for name, c := range map[string]struct {
		in   ecs.ListTaskDefinitionsInput
		want []string
	}{
		"all":               {ecs.ListTaskDefinitionsInput{}, []string{"a:1 a:2 a-x:1 b:1"}},
		"pages":             {ecs.ListTaskDefinitionsInput{MaxResults: new(int32(3))}, []string{"a:1 a:2 a-x:1", "b:1"}},
		"exact page":        {ecs.ListTaskDefinitionsInput{MaxResults: new(int32(4))}, []string{"a:1 a:2 a-x:1 b:1"}},
		"descending":        {ecs.ListTaskDefinitionsInput{Sort: new("DESC"), MaxResults: new(int32(2))}, []string{"b:1 a-x:1", "a:2 a:1"}},
		"one family":        {ecs.ListTaskDefinitionsInput{FamilyPrefix: new("a")}, []string{"a:1 a:2"}},
		"family descending": {ecs.ListTaskDefinitionsInput{FamilyPrefix: new("a"), Sort: new("DESC")}, []string{"a:2 a:1"}},
		"inactive":          {ecs.ListTaskDefinitionsInput{Status: new("INACTIVE")}, []string{""}},
	} {
		if got := list(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	out, err := h.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{MaxResults: new(int32(1))})
	if err != nil || *out.NextToken != "a::0000000001" {
		t.Errorf("token %v, %v", out.NextToken, err)
	}
	for _, tok := range []string{"a", "a::1", "a::000000000x", "::0000000001", "a b::0000000001", "a::-000000001"} {
		if _, err := h.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{NextToken: &tok}); err == nil {
			t.Errorf("token %q was accepted", tok)
		}
	}
	if _, err := h.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{MaxResults: new(int32(101))}); err == nil ||
		err.Error() != "InvalidParameterException: Max results can not be greater than 100" {
		t.Errorf("maxResults 101: %v", err)
	}
	other := auth.WithCaller(context.Background(), auth.Caller{Account: "999999999999", Region: "us-east-1"})
	if out, err := h.ListTaskDefinitions(other, &ecs.ListTaskDefinitionsInput{}); err != nil || len(out.TaskDefinitionArns) != 0 {
		t.Errorf("another account sees %v, %v", out.TaskDefinitionArns, err)
	}
}

func TestListFamilies(t *testing.T) {
	h := newHandler(t)
	for _, family := range []string{"web", "web-2", "worker"} {
		if _, err := h.RegisterTaskDefinition(ctx, fargate(func(in *ecs.RegisterTaskDefinitionInput) { in.Family = &family })); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: new("web:1")}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   ecs.ListTaskDefinitionFamiliesInput
		want []string
	}{
		"default":  {ecs.ListTaskDefinitionFamiliesInput{}, []string{"web", "web-2", "worker"}},
		"prefix":   {ecs.ListTaskDefinitionFamiliesInput{FamilyPrefix: new("web")}, []string{"web", "web-2"}},
		"active":   {ecs.ListTaskDefinitionFamiliesInput{Status: new("ACTIVE")}, []string{"web-2", "worker"}},
		"inactive": {ecs.ListTaskDefinitionFamiliesInput{Status: new("INACTIVE"), FamilyPrefix: new("w")}, []string{"web"}},
		"none":     {ecs.ListTaskDefinitionFamiliesInput{FamilyPrefix: new("zzz")}, []string{}},
	} {
		var got []string = []string{}
		c.in.MaxResults = new(int32(1))
		for page := 0; ; page++ {
			out, err := h.ListTaskDefinitionFamilies(ctx, &c.in)
			if err != nil || page > 5 {
				t.Fatalf("%s: page %d: %v", name, page, err)
			}
			got = append(got, out.Families...)
			if c.in.NextToken = out.NextToken; out.NextToken == nil {
				break
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	out, err := h.ListTaskDefinitionFamilies(ctx, &ecs.ListTaskDefinitionFamiliesInput{MaxResults: new(int32(1))})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.ListTaskDefinitionFamilies(ctx, &ecs.ListTaskDefinitionFamiliesInput{NextToken: out.NextToken, FamilyPrefix: new("web")})
	if err == nil {
		t.Error("a token was accepted for another listing")
	}
}
