package target

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
	"neargate/store/tables"
)

// Tasks is the AWS service that acts with the roles of tasks.
const Tasks = "ecs-tasks.amazonaws.com"

// ecsRules are those of Amazon ECS.
var ecsRules = rules{
	context: Input.ecsKeys,
	tags:    Input.ecsTags,
	also: func(in Input, _ string) []Target {
		var out []Target
		for _, role := range in.passedRoles() {
			pass := policy.Context{}
			pass.Set("iam:PassedToService", Tasks)
			out = append(out, Target{"iam:PassRole", []string{in.role(role)}, pass})
		}
		return out
	},
	resources: merge(
		each(func(in Input) []string { return in.ecsAll("cluster", in.text("ClusterName")) }, "CreateCluster"),
		each(func(in Input) []string { return in.ecsAll("cluster", in.cluster()) },
			"DeleteCluster", "UpdateCluster", "UpdateClusterSettings", "PutClusterCapacityProviders",
			"RegisterContainerInstance", "DeregisterContainerInstance"),
		each(func(in Input) []string { return in.ecsAll("cluster", in.list("Clusters")...) }, "DescribeClusters"),
		each(func(in Input) []string { return in.ecsAll("task-definition", in.text("TaskDefinition")) },
			"RunTask", "StartTask"),
		each(func(in Input) []string { return in.ecsAll("task-definition", in.list("TaskDefinitions")...) },
			"DeleteTaskDefinitions"),
		each(func(in Input) []string { return in.ecsIn("task", in.text("Task")) }, "StopTask"),
		each(func(in Input) []string { return in.ecsIn("task", in.list("Tasks")...) },
			"DescribeTasks", "GetTaskProtection", "UpdateTaskProtection"),
		each(func(in Input) []string { return in.ecsIn("service", in.text("ServiceName")+in.text("Service")) },
			"CreateService", "UpdateService", "DeleteService", "ListServiceDeployments"),
		each(func(in Input) []string { return in.ecsIn("service", in.list("Services")...) }, "DescribeServices"),
		each(func(in Input) []string { return in.ecsIn("container-instance", in.list("ContainerInstances")...) },
			"DescribeContainerInstances", "UpdateContainerInstancesState"),
		each(func(in Input) []string { return in.given("ResourceArn") },
			"TagResource", "UntagResource", "ListTagsForResource"),
	),
}

// passedRoles are the task and execution roles that a request names.
func (in Input) passedRoles() []string {
	var out []string
	for _, from := range []reflect.Value{in.Value, in.field(in.Value, "Overrides")} {
		for _, name := range []string{"TaskRoleArn", "ExecutionRoleArn"} {
			if v := asText(in.field(from, name)); v != "" && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// ecs is the ARN of a resource given by ARN or name.
func (in Input) ecs(kind, name string) string {
	if arn.Is(name) {
		return name
	}
	return arn.New("ecs", in.Caller.Region, in.Caller.Account, kind+"/"+name)
}

func (in Input) ecsAll(kind string, names ...string) []string {
	var out []string
	for _, n := range names {
		if n != "" {
			out = append(out, in.ecs(kind, n))
		}
	}
	return out
}

// ecsIn is ecsAll for what lives in the cluster of the request.
func (in Input) ecsIn(kind string, names ...string) []string {
	cluster := in.cluster()
	cluster = cluster[strings.LastIndexByte(cluster, '/')+1:]
	var out []string
	for _, n := range names {
		if n != "" && !arn.Is(n) {
			n = cluster + "/" + n
		}
		out = append(out, in.ecsAll(kind, n)...)
	}
	return out
}

func (in Input) cluster() string {
	if v := in.text("Cluster"); v != "" {
		return v
	}
	return "default"
}

// ecsKeys sets the condition keys of ECS that the request itself says.
func (in Input) ecsKeys(operation string, keys policy.Context) {
	for field, kind := range map[string]string{"Cluster": "cluster", "TaskDefinition": "task-definition"} {
		if v := in.text(field); v != "" {
			keys.Set("ecs:"+kind, in.ecs(kind, v))
		}
	}
	if v := in.text("Service"); v != "" && operation != "DescribeServices" {
		keys.Set("ecs:service", in.ecsIn("service", v)...)
	}
	for field, key := range map[string]string{"Cpu": "ecs:task-cpu", "Memory": "ecs:task-memory"} {
		if v := in.text(field); v != "" {
			keys.Set(key, v)
		}
	}
	keys.Set("ecs:compute-compatibility", in.list("RequiresCompatibilities")...)
	if v := in.field(in.Value, "EnableExecuteCommand"); v.Kind() == reflect.Bool {
		keys.Set("ecs:enable-execute-command", strconv.FormatBool(v.Bool()))
	}
	vpc := Input{in.field(in.field(in.Value, "NetworkConfiguration"), "AwsvpcConfiguration"), in.Caller, in.Tx}
	keys.Set("ecs:subnet", vpc.list("Subnets")...)
	if v := vpc.text("AssignPublicIp"); v != "" {
		keys.Set("ecs:auto-assign-public-ip", strconv.FormatBool(v == "ENABLED"))
	}
	var providers []string
	for _, item := range in.all("CapacityProviderStrategy") {
		providers = append(providers, asText(in.field(item, "CapacityProvider")))
	}
	keys.Set("ecs:capacity-provider", providers...)
}

// ecsTags are the tags of an ECS resource.
func (in Input) ecsTags(resource string) ([]identity.Tag, error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return nil, nil
	}
	switch p := a.Path(); {
	case p[0] == "cluster" && len(p) == 2:
		c, _, err := tables.Clusters.Find(in.Tx, a.Account, a.Region, p[1])
		return tagged.Of(c.Tags), err
	case p[0] == "service" && len(p) == 3:
		s, _, err := tables.Services.Find(in.Tx, a.Account, a.Region, p[1], p[2])
		return tagged.Of(s.Tags), err
	case p[0] == "task" && len(p) == 3:
		t, _, err := tables.Tasks.Find(in.Tx, a.Account, a.Region, p[1], p[2])
		return tagged.Of(t.Tags), err
	case p[0] == "container-instance" && len(p) == 3:
		i, _, err := tables.Instances.Find(in.Tx, a.Account, a.Region, p[1], p[2])
		return tagged.Of(i.Tags), err
	case p[0] == "task-definition" && len(p) == 2:
		family, number, _ := strings.Cut(p[1], ":")
		revision, err := strconv.Atoi(number)
		if err != nil {
			return nil, nil // a family alone has no tags
		}
		d, _, err := tables.TaskDefinitions.Find(in.Tx, a.Account, a.Region, family, tables.Number(revision))
		return tagged.Of(d.Tags), err
	}
	return nil, nil
}
