package auth

import (
	"reflect"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
)

// ecsRules are those of Amazon ECS.
var ecsRules = rules{
	context: func(in input, _ string, keys policy.Context) {
		if v := in.text("Cluster"); v != "" {
			keys.Set("ecs:cluster", in.ecs("cluster", v))
		}
	},
	also: func(in input, _ string) []target {
		var out []target
		for _, role := range in.passedRoles() {
			pass := policy.Context{}
			pass.Set("iam:PassedToService", TaskPrincipal)
			out = append(out, target{"iam:PassRole", []string{in.role(role)}, pass})
		}
		return out
	},
	resources: merge(
		each(func(in input) []string { return in.ecsAll("cluster", in.text("ClusterName")) }, "CreateCluster"),
		each(func(in input) []string { return in.ecsAll("cluster", in.cluster()) },
			"DeleteCluster", "UpdateCluster", "UpdateClusterSettings", "PutClusterCapacityProviders",
			"RegisterContainerInstance", "DeregisterContainerInstance"),
		each(func(in input) []string { return in.ecsAll("cluster", in.list("Clusters")...) }, "DescribeClusters"),
		each(func(in input) []string { return in.ecsAll("task-definition", in.text("TaskDefinition")) },
			"RunTask", "StartTask"),
		each(func(in input) []string { return in.ecsAll("task-definition", in.list("TaskDefinitions")...) },
			"DeleteTaskDefinitions"),
		each(func(in input) []string { return in.ecsIn("task", in.text("Task")) }, "StopTask"),
		each(func(in input) []string { return in.ecsIn("task", in.list("Tasks")...) },
			"DescribeTasks", "GetTaskProtection", "UpdateTaskProtection"),
		each(func(in input) []string { return in.ecsIn("service", in.text("ServiceName")+in.text("Service")) },
			"CreateService", "UpdateService", "DeleteService", "ListServiceDeployments"),
		each(func(in input) []string { return in.ecsIn("service", in.list("Services")...) }, "DescribeServices"),
		each(func(in input) []string { return in.ecsIn("container-instance", in.list("ContainerInstances")...) },
			"DescribeContainerInstances", "UpdateContainerInstancesState"),
		each(func(in input) []string { return in.given("ResourceArn") },
			"TagResource", "UntagResource", "ListTagsForResource"),
	),
}

// passedRoles are the task and execution roles that a request names.
func (in input) passedRoles() []string {
	var out []string
	for _, from := range []reflect.Value{in.value, in.field(in.value, "Overrides")} {
		for _, name := range []string{"TaskRoleArn", "ExecutionRoleArn"} {
			if v := asText(in.field(from, name)); v != "" && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// ecs is the ARN of a resource given by ARN or name.
func (in input) ecs(kind, name string) string {
	if arn.Is(name) {
		return name
	}
	return arn.New("ecs", in.caller.Region, in.caller.Account, kind+"/"+name)
}

func (in input) ecsAll(kind string, names ...string) []string {
	var out []string
	for _, n := range names {
		if n != "" {
			out = append(out, in.ecs(kind, n))
		}
	}
	return out
}

// ecsIn is ecsAll for what lives in the cluster of the request.
func (in input) ecsIn(kind string, names ...string) []string {
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

func (in input) cluster() string {
	if v := in.text("Cluster"); v != "" {
		return v
	}
	return "default"
}
