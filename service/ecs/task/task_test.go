package task

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/resource/identity"
	"neargate/resource/node"
	"neargate/service/ecs/internal/ecstest"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

type world struct {
	*ecstest.World
	*Service
}

func newWorld(t *testing.T) *world {
	w := ecstest.New(t)
	w.Definition("web", nil)
	return &world{w, New(w.Env, FargateRate())}
}

// request is a good RunTask request.
func (w *world) request() *ecs.RunTaskInput {
	return &ecs.RunTaskInput{
		Cluster: new("c"), TaskDefinition: new("web"), LaunchType: new("FARGATE"),
		NetworkConfiguration: &ecs.NetworkConfiguration{AwsvpcConfiguration: &ecs.AwsVpcConfiguration{Subnets: w.Subnets[:2]}},
	}
}

func (w *world) run(change func(*ecs.RunTaskInput)) []ecs.Task {
	w.T.Helper()
	in := w.request()
	if change != nil {
		change(in)
	}
	out, err := w.RunTask(w.Ctx, in)
	if err != nil {
		w.T.Fatal(err)
	}
	return out.Tasks
}

func id(t ecs.Task) string { return (*t.TaskArn)[strings.LastIndexByte(*t.TaskArn, '/')+1:] }

// members lists what an answer has, as "name" or "name=value" for plain text.
func members(v any) []string {
	var out []string
	r := reflect.ValueOf(v)
	for i := range r.NumField() {
		if f := r.Field(i); !f.IsNil() {
			name, _, _ := strings.Cut(r.Type().Field(i).Tag.Get("aws"), ",")
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func TestRunTaskAnswersAsRecorded(t *testing.T) {
	w := newWorld(t)
	task := w.run(func(in *ecs.RunTaskInput) { in.StartedBy = new("me") })[0]
	want := strings.Fields(`attachments attributes availabilityZone clusterArn containers cpu createdAt desiredStatus
		enableExecuteCommand ephemeralStorage fargateEphemeralStorage group lastStatus launchType memory overrides
		platformFamily platformVersion startedBy tags taskArn taskDefinitionArn version`)
	if got := members(task); !slices.Equal(got, want) {
		t.Errorf("task members\n%v, want\n%v", got, want)
	}
	c := task.Containers[0]
	if got, want := members(c), strings.Fields("containerArn cpu image lastStatus name networkInterfaces taskArn"); !slices.Equal(got, want) {
		t.Errorf("container members %v, want %v", got, want)
	}
	if *task.Group != "family:web" || *task.LastStatus != "PROVISIONING" || *task.Version != 1 || *task.PlatformVersion != "1.4.0" ||
		*c.Cpu != "0" || *task.Cpu != "256" || *task.EphemeralStorage.SizeInGiB != 20 || *c.LastStatus != "PENDING" {
		b, _ := json.Marshal(task)
		t.Errorf("task %s", b)
	}
	a := task.Attachments[0]
	if *a.Status != "PRECREATED" || *a.Type != "ElasticNetworkInterface" || len(a.Details) != 1 || *a.Details[0].Name != "subnetId" {
		t.Errorf("attachment %+v", a)
	}
	if o := task.Overrides; len(o.ContainerOverrides) != 1 || *o.ContainerOverrides[0].Name != "main" || o.InferenceAcceleratorOverrides == nil || o.Cpu != nil {
		t.Errorf("overrides %+v", o)
	}
	out, err := w.DescribeTasks(w.Ctx, &ecs.DescribeTasksInput{Cluster: new("c"), Tasks: []string{*task.TaskArn, strings.Repeat("0", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Tasks[0].HealthStatus != "UNKNOWN" || *out.Tasks[0].Containers[0].HealthStatus != "UNKNOWN" || out.Tasks[0].Tags == nil {
		t.Errorf("described %+v", out.Tasks[0])
	}
	if f := out.Failures; len(f) != 1 || *f[0].Reason != "MISSING" || *f[0].Arn != "arn:aws:ecs:us-east-1:123456789012:task/c/"+strings.Repeat("0", 32) {
		t.Errorf("failures %+v", f)
	}
}

func TestRunTaskSpreads(t *testing.T) {
	w := newWorld(t)
	zones := map[string]int{}
	for _, task := range w.run(func(in *ecs.RunTaskInput) { in.Count = new(int32(4)) }) {
		zones[*task.AvailabilityZone]++
	}
	if len(zones) != 2 {
		t.Errorf("zones %v", zones)
	}
	// Only zone b has room.
	w.Update(func(tx store.Tx) error {
		return errors.Join(
			tables.Nodes.Put(tx, &node.Node{Name: "n", Architecture: "x86_64", Zones: []string{"b"}, CPU: 4096, Memory: 8192}),
			tables.Allocations.Put(tx, &node.Allocation{Name: "n"}))
	})
	for _, task := range w.run(func(in *ecs.RunTaskInput) { in.Count = new(int32(3)) }) {
		if *task.AvailabilityZone != "us-east-1b" {
			t.Errorf("task in %s", *task.AvailabilityZone)
		}
	}
	providers := map[string]int{}
	for _, task := range w.run(func(in *ecs.RunTaskInput) {
		in.LaunchType, in.Count = nil, new(int32(10))
		in.CapacityProviderStrategy = []ecs.CapacityProviderStrategyItem{
			{CapacityProvider: new("FARGATE"), Base: new(int32(1)), Weight: new(int32(1))}, {CapacityProvider: new("FARGATE_SPOT"), Weight: new(int32(2))}}
	}) {
		providers[*task.CapacityProviderName]++
		if *task.LaunchType != "FARGATE" {
			t.Errorf("launch type %s", *task.LaunchType)
		}
	}
	if providers["FARGATE"] != 4 || providers["FARGATE_SPOT"] != 6 {
		t.Errorf("providers %v", providers)
	}
}

func TestRunTaskRefuses(t *testing.T) {
	w := newWorld(t)
	w.Definition("old", func(d *taskdef.Definition) { d.Status = compute.Inactive })
	w.Definition("gone", func(d *taskdef.Definition) { d.Status = taskdef.DeleteInProgress })
	w.Definition("ec2", func(d *taskdef.Definition) { d.Compatibilities, d.NetworkMode = []string{"EXTERNAL", "EC2"}, nil })
	w.Definition("role", func(d *taskdef.Definition) { d.TaskRoleArn = new("arn:aws:iam::123456789012:role/nobody") })
	w.Definition("efs", func(d *taskdef.Definition) {
		d.Volumes = []taskdef.Volume{{Name: "v", EfsVolumeConfiguration: &taskdef.EFSVolume{FileSystemId: "fs-1"}}}
	})
	w.Definition("secret", func(d *taskdef.Definition) {
		d.ContainerDefinitions[0].Secrets = []taskdef.Secret{{Name: "PASSWORD", ValueFrom: "/app/password"}}
	})
	w.Definition("windows", func(d *taskdef.Definition) {
		d.RuntimePlatform = &taskdef.RuntimePlatform{OperatingSystemFamily: new("WINDOWS_SERVER_2022_CORE")}
	})
	override := func(c ecs.ContainerOverride) func(*ecs.RunTaskInput) {
		return func(in *ecs.RunTaskInput) {
			in.Overrides = &ecs.TaskOverride{ContainerOverrides: []ecs.ContainerOverride{c}}
		}
	}
	tests := []struct {
		want   string
		change func(*ecs.RunTaskInput)
	}{
		{"ClusterNotFoundException: Cluster not found.", func(in *ecs.RunTaskInput) { in.Cluster = new("none") }},
		{"ClientException: TaskDefinition not found.", func(in *ecs.RunTaskInput) {
			in.TaskDefinition = new("none")
			override(ecs.ContainerOverride{Name: new("x")})(in)
		}},
		{"InvalidParameterException: TaskDefinition is inactive", func(in *ecs.RunTaskInput) { in.TaskDefinition = new("old:1") }},
		{"InvalidParameterException: TaskDefinition is being deleted", func(in *ecs.RunTaskInput) { in.TaskDefinition = new("gone:1") }},
		{"InvalidParameterException: count should be", func(in *ecs.RunTaskInput) { in.Count = new(int32(11)) }},
		{"InvalidParameterException: count should be", func(in *ecs.RunTaskInput) { in.Count = new(int32(0)) }},
		{"InvalidParameterException: Override for container named not-defined is not a container in the TaskDefinition.", override(ecs.ContainerOverride{Name: new("not-defined")})},
		{"InvalidParameterException: Override for container named null", override(ecs.ContainerOverride{})},
		{"InvalidParameterException: The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'PASSWORD'.", func(in *ecs.RunTaskInput) {
			in.TaskDefinition = new("secret")
			override(ecs.ContainerOverride{Name: new("main"), Environment: []ecs.KeyValuePair{{Name: new("PASSWORD"), Value: new("x")}}})(in)
		}},
		{"InvalidParameterException: 'memory' setting for container 'main' is greater than for task.", override(ecs.ContainerOverride{Name: new("main"), Memory: new(int32(1024))})},
		{"InvalidParameterException: The sum of all container 'cpu'", override(ecs.ContainerOverride{Name: new("main"), Cpu: new(int32(512))})},
		{"UnsupportedFeatureException: Resource requirements", override(ecs.ContainerOverride{Name: new("main"), ResourceRequirements: []ecs.ResourceRequirement{{Type: new("GPU"), Value: new("1")}}})},
		{"InvalidParameterException: Container Overrides length", override(ecs.ContainerOverride{Name: new("main"), Command: []string{strings.Repeat("x", 8200)}})},
		{"InvalidParameterException: Invalid 'cpu' setting for task.", func(in *ecs.RunTaskInput) { in.Overrides = &ecs.TaskOverride{Cpu: new("bad")} }},
		{"ClientException: No Fargate configuration exists for given values: 256 CPU, 4096 memory.", func(in *ecs.RunTaskInput) { in.Overrides = &ecs.TaskOverride{Memory: new("4 GB")} }},
		{"InvalidParameterException: The ephemeral storage size", func(in *ecs.RunTaskInput) {
			in.Overrides = &ecs.TaskOverride{EphemeralStorage: &ecs.EphemeralStorage{SizeInGiB: new(int32(201))}}
		}},
		{"UnsupportedFeatureException: Elastic Inference", func(in *ecs.RunTaskInput) {
			in.Overrides = &ecs.TaskOverride{InferenceAcceleratorOverrides: []ecs.InferenceAcceleratorOverride{{}}}
		}},
		{"InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified.", func(in *ecs.RunTaskInput) { in.NetworkConfiguration = nil }},
		{"InvalidParameterException: Error retrieving subnet information for [subnet-x]: The subnet ID 'subnet-x' does not exist (ErrorCode: InvalidSubnetID.NotFound)", func(in *ecs.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{"subnet-x"}
		}},
		{"InvalidParameterException: Error retrieving security group information for [sg-x]", func(in *ecs.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups = []string{w.Group, "sg-x"}
		}},
		{"InvalidParameterException: subnets can have at most 16 items.", func(in *ecs.RunTaskInput) { in.NetworkConfiguration.AwsvpcConfiguration.Subnets = make([]string, 17) }},
		{"InvalidParameterException: securityGroups can have at most 5 items.", func(in *ecs.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups = make([]string, 6)
		}},
		{"InvalidParameterException: subnets can not be empty.", func(in *ecs.RunTaskInput) { in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{} }},
		{"InvalidParameterException: Specifying both a launch type and capacity provider strategy", func(in *ecs.RunTaskInput) {
			in.CapacityProviderStrategy = []ecs.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE")}}
		}},
		{"InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider that is not associated", func(in *ecs.RunTaskInput) {
			in.LaunchType, in.CapacityProviderStrategy = nil, []ecs.CapacityProviderStrategyItem{{CapacityProvider: new("other")}}
		}},
		{"InvalidParameterException: There are no capacity providers in the capacity provider strategy with a weight value greater than zero.", func(in *ecs.RunTaskInput) {
			in.LaunchType, in.CapacityProviderStrategy = nil, []ecs.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE")}, {CapacityProvider: new("FARGATE_SPOT")}}
		}},
		{"InvalidParameterException: Task definition does not support launch_type FARGATE.", func(in *ecs.RunTaskInput) { in.TaskDefinition, in.NetworkConfiguration = new("ec2"), nil }},
		{"InvalidParameterException: No Container Instances were found in your cluster.", func(in *ecs.RunTaskInput) { in.LaunchType = nil }},
		{"InvalidParameterException: The platform version must be null", func(in *ecs.RunTaskInput) { in.LaunchType, in.PlatformVersion = new("EC2"), new("1.4.0") }},
		{"UnsupportedFeatureException: The MANAGED_INSTANCES launch type", func(in *ecs.RunTaskInput) { in.LaunchType = new("MANAGED_INSTANCES") }},
		{"PlatformUnknownException: The specified platform does not exist.", func(in *ecs.RunTaskInput) { in.PlatformVersion = new("9.9.9") }},
		{"PlatformTaskDefinitionIncompatibilityException: ", func(in *ecs.RunTaskInput) { in.TaskDefinition = new("windows") }},
		{"InvalidParameterException: Placement constraints are not supported with FARGATE launch type.", func(in *ecs.RunTaskInput) {
			in.PlacementConstraints = []ecs.PlacementConstraint{{Type: new("distinctInstance")}}
		}},
		{"InvalidParameterException: Placement strategies are not supported with FARGATE launch type.", func(in *ecs.RunTaskInput) { in.PlacementStrategy = []ecs.PlacementStrategy{{Type: new("random")}} }},
		{"ClientException: ECS was unable to assume the role 'arn:aws:iam::123456789012:role/nobody' that was provided for this task. Please verify", func(in *ecs.RunTaskInput) { in.TaskDefinition = new("role") }},
		{"UnsupportedFeatureException: Amazon EFS", func(in *ecs.RunTaskInput) { in.TaskDefinition = new("efs") }},
		{"UnsupportedFeatureException: Amazon EBS", func(in *ecs.RunTaskInput) { in.VolumeConfigurations = []ecs.TaskVolumeConfiguration{{Name: new("v")}} }},
		{"UnsupportedFeatureException: ECS Exec", func(in *ecs.RunTaskInput) { in.EnableExecuteCommand = new(true) }},
		{"InvalidParameterException: Invalid namespace for group.", func(in *ecs.RunTaskInput) { in.Group = new("service:x") }},
		{"InvalidParameterException: TaskDefinition can not be blank.", func(in *ecs.RunTaskInput) { in.TaskDefinition = nil }},
		{"InvalidParameterException: launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]", func(in *ecs.RunTaskInput) { in.LaunchType = new("BOGUS") }},
		{"InvalidParameterException: assignPublicIp should be", func(in *ecs.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp = new("BOGUS")
		}},
		{"InvalidParameterException: propagateTags should be", func(in *ecs.RunTaskInput) { in.PropagateTags = new("BOGUS") }},
		{"InvalidParameterException: startedBy", func(in *ecs.RunTaskInput) { in.StartedBy = new(strings.Repeat("x", 129)) }},
		{"InvalidParameterException: referenceId", func(in *ecs.RunTaskInput) { in.ReferenceId = new(strings.Repeat("x", 1025)) }},
		{"InvalidParameterException: clientToken", func(in *ecs.RunTaskInput) { in.ClientToken = new("a b") }},
		{"InvalidParameterException: The propagateTags value SERVICE", func(in *ecs.RunTaskInput) { in.PropagateTags = new("SERVICE") }},
		{"ClientException: Tag value can not be null.", func(in *ecs.RunTaskInput) { in.Tags = []ecs.Tag{{Key: new("k")}} }},
	}
	for _, tt := range tests {
		in := w.request()
		tt.change(in)
		_, err := w.RunTask(w.Ctx, in)
		w.Fails(err, tt.want)
	}
	if n := len(w.list(nil)); n != 0 {
		t.Errorf("%d tasks run by refused requests", n)
	}
}

func TestRunTaskAssumesRoles(t *testing.T) {
	w := newWorld(t)
	trust := func(condition string) {
		w.Update(func(tx store.Tx) error {
			return tables.Roles.Put(tx, &identity.Role{Account: ecstest.Account, Path: "/", Name: "app", Trust: `{"Version":"2012-10-17","Statement":[{
				"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"` + condition + `}]}`})
		})
	}
	run := func() error {
		in := w.request()
		in.Overrides = &ecs.TaskOverride{TaskRoleArn: new("arn:aws:iam::123456789012:role/app")}
		_, err := w.RunTask(w.Ctx, in)
		return err
	}
	for _, tt := range []struct {
		source string
		ok     bool
	}{
		{"arn:aws:ecs:us-east-1:123456789012:*", true}, {"arn:aws:ecs:us-east-1:123456789012:task/*", true},
		{"arn:aws:ecs:us-east-1:123456789012:cluster/*", false}, {"arn:aws:ecs:us-east-1:123456789012:task/c/*", false},
		{"arn:aws:ecs:us-east-1:123456789012:task/*/*", false},
	} {
		trust(`,"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":"` + tt.source + `"}}`)
		if err := run(); (err == nil) != tt.ok {
			t.Errorf("source %s: %v", tt.source, err)
		}
	}
	trust("")
	if err := run(); err != nil {
		t.Error(err)
	}
}

func TestClientToken(t *testing.T) {
	w := newWorld(t)
	base := func(in *ecs.RunTaskInput) {
		in.ClientToken = new("tok")
		in.Tags = []ecs.Tag{{Key: new("a"), Value: new("1")}, {Key: new("b"), Value: new("2")}}
	}
	first := w.run(base)[0]
	w.Task(id(first), func(task *compute.Task) {
		task.State.Last, task.Intent.Desired = compute.Stopped, compute.Stopped
		task.Tags = []compute.Tag{{Key: "c", Value: "3"}}
	})
	again := w.run(base)[0]
	if *again.TaskArn != *first.TaskArn || *again.LastStatus != "STOPPED" || len(again.Tags) != 1 || *again.Tags[0].Key != "c" || again.HealthStatus != nil {
		t.Errorf("replayed %+v", again)
	}
	for name, change := range map[string]func(*ecs.RunTaskInput){
		"count":      func(in *ecs.RunTaskInput) { in.Count = new(int32(1)) },
		"revision":   func(in *ecs.RunTaskInput) { in.TaskDefinition = new("web:1") },
		"tag order":  func(in *ecs.RunTaskInput) { slices.Reverse(in.Tags) },
		"overrides":  func(in *ecs.RunTaskInput) { in.Overrides = &ecs.TaskOverride{} },
		"started by": func(in *ecs.RunTaskInput) { in.StartedBy = new("") },
		"public IP": func(in *ecs.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp = new("DISABLED")
		},
		"groups": func(in *ecs.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups = []string{w.Group}
		},
		"cluster ARN": func(in *ecs.RunTaskInput) { in.Cluster = new("arn:aws:ecs:us-east-1:123456789012:cluster/c") },
	} {
		in := w.request()
		base(in)
		change(in)
		_, err := w.RunTask(w.Ctx, in)
		w.Fails(err, "ConflictException: The RunTask request could not be processed due to conflicts. The provided clientToken is already in use with a different request.")
		var e *shape.Error
		if errors.As(err, &e) && !reflect.DeepEqual(e.Fields, []shape.Field{{Name: "resourceIds", Value: []string{*first.TaskArn}}}) {
			t.Errorf("%s: fields %+v", name, e.Fields)
		}
	}
	w.Update(func(tx store.Tx) error {
		return tables.Clusters.Put(tx, &compute.Cluster{Account: ecstest.Account, Region: ecstest.Region, Name: "d", Status: compute.Active})
	})
	if other := w.run(func(in *ecs.RunTaskInput) { base(in); in.Cluster = new("d") })[0]; *other.TaskArn == *first.TaskArn {
		t.Error("a token of another cluster was replayed")
	}
	w.Now = w.Now.Add(tokenLife)
	if next := w.run(base)[0]; *next.TaskArn == *first.TaskArn {
		t.Error("an expired token was replayed")
	}
	w.Update(func(tx store.Tx) error {
		if n := tx.Count(store.Prefix(tables.RunTokens.Name)); n != 1 {
			t.Errorf("%d tokens kept", n)
		}
		return nil
	})
}

func TestLaunchRate(t *testing.T) {
	w := newWorld(t)
	ten := func(in *ecs.RunTaskInput) { in.Count = new(int32(10)) }
	for range 10 {
		w.run(ten)
	}
	in := w.request()
	_, err := w.RunTask(w.Ctx, in)
	w.Fails(err, "ThrottlingException: Rate exceeded")
	spot := func(in *ecs.RunTaskInput) {
		ten(in)
		in.LaunchType, in.CapacityProviderStrategy = nil, []ecs.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE_SPOT"), Weight: new(int32(1))}}
	}
	w.run(spot)
	w.Now = w.Now.Add(time.Second / 2)
	w.run(ten)
	_, err = w.RunTask(w.Ctx, in)
	w.Fails(err, "ThrottlingException: Rate exceeded")
	w.Service = New(w.World.Env, Rate{})
	w.run(nil)
}

func TestTagsAndOverridesReachTheTask(t *testing.T) {
	w := newWorld(t)
	w.Definition("web", func(d *taskdef.Definition) {
		d.Tags = []compute.Tag{{Key: "a", Value: "def"}, {Key: "b", Value: "def"}}
	})
	task := w.run(func(in *ecs.RunTaskInput) {
		in.PropagateTags, in.EnableECSManagedTags = new("TASK_DEFINITION"), new(true)
		in.Tags = []ecs.Tag{{Key: new("b"), Value: new("req")}}
		in.Overrides = &ecs.TaskOverride{Cpu: new(".5 vCPU"), Memory: new("1 GB"), EphemeralStorage: &ecs.EphemeralStorage{SizeInGiB: new(int32(30))},
			ContainerOverrides: []ecs.ContainerOverride{{Name: new("main"), Command: []string{}, Cpu: new(int32(64)),
				Environment: []ecs.KeyValuePair{{Name: new("K"), Value: new("V")}}}}}
	})[0]
	got := map[string]string{}
	for _, tag := range task.Tags {
		got[*tag.Key] = *tag.Value
	}
	if want := map[string]string{"a": "def", "b": "req", "aws:ecs:clusterName": "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("tags %v", got)
	}
	o := task.Overrides
	if *task.Cpu != "512" || *task.Memory != "1024" || *task.EphemeralStorage.SizeInGiB != 30 || *task.Containers[0].Cpu != "64" ||
		*o.Cpu != ".5 vCPU" || o.ContainerOverrides[0].Command == nil || *o.ContainerOverrides[0].Environment[0].Value != "V" {
		b, _ := json.Marshal(task)
		t.Errorf("task %s", b)
	}
}

func TestStopTask(t *testing.T) {
	w := newWorld(t)
	task := w.run(func(in *ecs.RunTaskInput) { in.Tags = []ecs.Tag{{Key: new("a"), Value: new("1")}} })[0]
	stop := func(reason *string) *ecs.Task {
		t.Helper()
		out, err := w.StopTask(w.Ctx, &ecs.StopTaskInput{Cluster: new("c"), Task: task.TaskArn, Reason: reason})
		if err != nil {
			t.Fatal(err)
		}
		return out.Task
	}
	s := stop(new("enough"))
	if *s.DesiredStatus != "STOPPED" || *s.LastStatus != "PROVISIONING" || *s.Version != 2 || !s.StoppingAt.Equal(w.Now) ||
		*s.StopCode != "UserInitiated" || *s.StoppedReason != "enough" || s.Tags == nil || len(s.Tags) != 0 || s.HealthStatus != nil {
		t.Errorf("stopped %+v", s)
	}
	if s = stop(new("again")); *s.StoppedReason != "enough" || *s.Version != 2 {
		t.Errorf("stopped twice %+v", s)
	}
	w.Task(id(task), func(task *compute.Task) { task.State.Last, task.State.StoppedAt = compute.Stopped, w.Now })
	s = stop(nil)
	if s.Attachments == nil || len(s.Attachments) != 0 || s.Containers == nil || len(s.Containers) != 0 || s.Attributes != nil || len(s.Overrides.ContainerOverrides) != 0 {
		t.Errorf("a stopped task is answered as %+v", s)
	}
	out, err := w.DescribeTasks(w.Ctx, &ecs.DescribeTasksInput{Cluster: new("c"), Tasks: []string{id(task)}, Include: []string{"TAGS"}})
	if err != nil || len(out.Tasks[0].Tags) != 1 || len(out.Tasks[0].Containers) != 1 {
		t.Errorf("described %+v, %v", out, err)
	}
	_, err = w.StopTask(w.Ctx, &ecs.StopTaskInput{Cluster: new("c"), Task: new(strings.Repeat("0", 32))})
	w.Fails(err, "InvalidParameterException: The referenced task was not found.")
	_, err = w.StopTask(w.Ctx, &ecs.StopTaskInput{Cluster: new("c"), Task: new("x")})
	w.Fails(err, "InvalidParameterException: taskId length should be one of [32,36]")
}

// list pages through ListTasks and returns the ids.
func (w *world) list(in *ecs.ListTasksInput) []string {
	w.T.Helper()
	if in == nil {
		in = &ecs.ListTasksInput{}
	}
	in.Cluster = new("c")
	var ids []string
	for {
		out, err := w.ListTasks(w.Ctx, in)
		if err != nil {
			w.T.Fatal(err)
		}
		for _, a := range out.TaskArns {
			ids = append(ids, a[strings.LastIndexByte(a, '/')+1:])
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			slices.Sort(ids)
			return ids
		}
		if in.MaxResults != nil && len(out.TaskArns) != int(*in.MaxResults) {
			w.T.Fatalf("a page of %d", len(out.TaskArns))
		}
	}
}

func TestListTasks(t *testing.T) {
	w := newWorld(t)
	w.Definition("job", nil)
	var web, mine []string
	for i := range 7 {
		task := w.run(func(in *ecs.RunTaskInput) {
			if i%2 == 1 {
				in.StartedBy = new("me")
			}
		})[0]
		web = append(web, id(task))
		if i%2 == 1 {
			mine = append(mine, id(task))
		}
	}
	job := id(w.run(func(in *ecs.RunTaskInput) { in.TaskDefinition, in.StartedBy = new("job"), new("me") })[0])
	slices.Sort(web)
	slices.Sort(mine)
	stopped := web[0]
	w.Task(stopped, func(task *compute.Task) { task.Intent.Desired = compute.Stopped })
	w.Task(job, func(task *compute.Task) { task.Spec.Service = "svc" })
	w.Update(func(tx store.Tx) error {
		return tables.Services.Put(tx, &compute.Service{Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", Name: "svc", Status: compute.Active})
	})
	without := func(ids []string, drop string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(s string) bool { return s == drop })
	}
	sorted := func(ids ...string) []string { slices.Sort(ids); return ids }
	for name, tt := range map[string]struct {
		in   ecs.ListTasksInput
		want []string
	}{
		"all":             {ecs.ListTasksInput{MaxResults: new(int32(3))}, sorted(append(without(web, stopped), job)...)},
		"family":          {ecs.ListTasksInput{Family: new("web"), MaxResults: new(int32(2))}, without(web, stopped)},
		"stopped":         {ecs.ListTasksInput{DesiredStatus: new("STOPPED")}, []string{stopped}},
		"pending":         {ecs.ListTasksInput{DesiredStatus: new("PENDING")}, nil},
		"started by":      {ecs.ListTasksInput{StartedBy: new("me"), MaxResults: new(int32(1))}, sorted(append(without(mine, stopped), job)...)},
		"service":         {ecs.ListTasksInput{ServiceName: new("svc")}, []string{job}},
		"service, family": {ecs.ListTasksInput{ServiceName: new("arn:aws:ecs:us-east-1:123456789012:service/c/svc"), Family: new("web")}, nil},
		"EC2":             {ecs.ListTasksInput{LaunchType: new("EC2")}, nil},
		"instance":        {ecs.ListTasksInput{ContainerInstance: new(strings.Repeat("0", 32))}, nil},
	} {
		if got := w.list(&tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	for want, in := range map[string]*ecs.ListTasksInput{
		"ServiceNotFoundException: Service not found.":      {ServiceName: new("none")},
		"InvalidParameterException: Max results":            {MaxResults: new(int32(101))},
		"InvalidParameterException: launch type should be":  {LaunchType: new("X")},
		"InvalidParameterException: desiredStatus":          {DesiredStatus: new("X")},
		"InvalidParameterException: Invalid token":          {NextToken: new("made up")},
		"InvalidParameterException: Daemon":                 {DaemonName: new("d")},
		"InvalidParameterException: Container instance len": {ContainerInstance: new("x")},
	} {
		in.Cluster = new("c")
		_, err := w.ListTasks(w.Ctx, in)
		w.Fails(err, want)
	}
	_, err := w.ListTasks(w.Ctx, &ecs.ListTasksInput{})
	w.Fails(err, "ClusterNotFoundException: ")
}

func TestDescribeTasksRefuses(t *testing.T) {
	w := newWorld(t)
	for want, in := range map[string]*ecs.DescribeTasksInput{
		"InvalidParameterException: Tasks cannot be empty.":             {},
		"InvalidParameterException: tasks can have at most 100 items.":  {Tasks: make([]string, 101)},
		"InvalidParameterException: include should be one of [TAGS]":    {Tasks: []string{strings.Repeat("0", 32)}, Include: []string{"X"}},
		"InvalidParameterException: taskId length should be one of [32": {Tasks: []string{"x"}},
	} {
		in.Cluster = new("c")
		_, err := w.DescribeTasks(w.Ctx, in)
		w.Fails(err, want)
	}
}

func TestTaskProtection(t *testing.T) {
	w := newWorld(t)
	alone, member := w.run(nil)[0], w.run(nil)[0]
	w.Task(id(member), func(task *compute.Task) { task.Spec.Service = "svc" })
	out, err := w.UpdateTaskProtection(w.Ctx, &ecs.UpdateTaskProtectionInput{Cluster: new("c"), ProtectionEnabled: new(true),
		Tasks: []string{*member.TaskArn, id(alone), strings.Repeat("0", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	if p := out.ProtectedTasks; len(p) != 1 || !*p[0].ProtectionEnabled || !p[0].ExpirationDate.Equal(w.Now.Add(2*time.Hour)) {
		t.Errorf("protected %+v", p)
	}
	if f := out.Failures; len(f) != 2 || *f[0].Reason != "TASK_NOT_VALID" || *f[0].Arn != *alone.TaskArn || *f[1].Reason != "MISSING" {
		t.Errorf("failures %+v", f)
	}
	w.Now = w.Now.Add(2 * time.Hour)
	got, err := w.GetTaskProtection(w.Ctx, &ecs.GetTaskProtectionInput{Cluster: new("c"), Tasks: []string{id(member)}})
	if err != nil || *got.ProtectedTasks[0].ProtectionEnabled || got.ProtectedTasks[0].ExpirationDate != nil {
		t.Errorf("after expiry %+v, %v", got, err)
	}
	for want, in := range map[string]*ecs.UpdateTaskProtectionInput{
		"InvalidParameterException: expiresInMinutes must be":  {Tasks: []string{id(member)}, ProtectionEnabled: new(true), ExpiresInMinutes: new(int32(2881))},
		"InvalidParameterException: tasks can have at most 10": {Tasks: make([]string, 11), ProtectionEnabled: new(true)},
		"InvalidParameterException: ProtectionEnabled can not": {Tasks: []string{id(member)}},
		"InvalidParameterException: Tasks cannot be empty.":    {ProtectionEnabled: new(true)},
	} {
		in.Cluster = new("c")
		_, err := w.UpdateTaskProtection(w.Ctx, in)
		w.Fails(err, want)
	}
}

func TestContainerInstances(t *testing.T) {
	w := newWorld(t)
	w.Definition("ec2", func(d *taskdef.Definition) { d.Compatibilities, d.NetworkMode = []string{"EXTERNAL", "EC2"}, nil })
	instance := func(n string, change func(*compute.Instance)) string {
		in := compute.Instance{Account: ecstest.Account, Region: ecstest.Region, Cluster: "c", ID: strings.Repeat(n, 32), Status: compute.Active}
		change(&in)
		w.Update(func(tx store.Tx) error { return tables.Instances.Put(tx, &in) })
		return in.ID
	}
	off := instance("1", func(*compute.Instance) {})
	gone := instance("2", func(in *compute.Instance) { in.Status = compute.Inactive })
	ec2 := func(in *ecs.RunTaskInput) {
		in.TaskDefinition, in.LaunchType, in.NetworkConfiguration = new("ec2"), nil, nil
	}
	in := w.request()
	ec2(in)
	out, err := w.RunTask(w.Ctx, in)
	if err != nil || len(out.Tasks) != 0 || len(out.Failures) != 1 || *out.Failures[0].Reason != "AGENT" || !strings.HasSuffix(*out.Failures[0].Arn, off) {
		t.Errorf("without a connected agent: %+v, %v", out, err)
	}
	on := instance("3", func(in *compute.Instance) { in.AgentConnected = true })
	if task := w.run(ec2)[0]; *task.LaunchType != "EC2" || !strings.HasSuffix(*task.ContainerInstanceArn, on) || task.PlatformVersion != nil {
		t.Errorf("task %+v", task)
	}
	started, err := w.StartTask(w.Ctx, &ecs.StartTaskInput{Cluster: new("c"), TaskDefinition: new("ec2"),
		ContainerInstances: []string{on, off, gone, strings.Repeat("9", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, f := range started.Failures {
		reasons = append(reasons, *f.Reason)
	}
	if len(started.Tasks) != 1 || !slices.Equal(reasons, []string{"AGENT", "INACTIVE", "MISSING"}) {
		t.Errorf("%d tasks, failures %v", len(started.Tasks), reasons)
	}
	if ids := w.list(&ecs.ListTasksInput{ContainerInstance: &on}); len(ids) != 2 {
		t.Errorf("tasks on the instance: %v", ids)
	}
	for want, in := range map[string]*ecs.StartTaskInput{
		"InvalidParameterException: Container instance cannot be empty.":    {TaskDefinition: new("ec2")},
		"InvalidParameterException: containerInstances can have at most 10": {TaskDefinition: new("ec2"), ContainerInstances: make([]string, 11)},
		"ClientException: TaskDefinition not found.":                        {TaskDefinition: new("none"), ContainerInstances: []string{on}},
		"InvalidParameterException: startedBy":                              {TaskDefinition: new("ec2"), ContainerInstances: []string{on}, StartedBy: new(strings.Repeat("x", 37))},
		"UnsupportedFeatureException: ECS Exec":                             {TaskDefinition: new("ec2"), ContainerInstances: []string{on}, EnableExecuteCommand: new(true)},
	} {
		in.Cluster = new("c")
		_, err := w.StartTask(w.Ctx, in)
		w.Fails(err, want)
	}
}
