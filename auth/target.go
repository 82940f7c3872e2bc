package auth

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// target is one action on some resources that a call needs permission for.
type target struct {
	action    string
	resources []string
	context   policy.Context
}

// targets are the permissions a call needs: the operation itself, and
// iam:PassRole for each role it hands to a service.
// Source: AWS Service Authorization Reference.
func targets(tx store.Tx, c Caller, call Call) []target {
	in := input{reflect.Indirect(reflect.ValueOf(call.Input)), c, tx}
	keys := policy.Context{}
	in.tagKeys(keys)
	if f, ok := contexts[call.Service]; ok {
		f(in, keys)
	}
	var resources []string
	if f, ok := resourcesOf[call.Service+":"+call.Operation]; ok {
		resources = f(in)
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	out := []target{{call.Service + ":" + call.Operation, resources, keys}}
	if call.Service == "ecs" {
		for _, role := range in.passedRoles() {
			pass := policy.Context{}
			pass.Set("iam:PassedToService", "ecs-tasks.amazonaws.com")
			out = append(out, target{"iam:PassRole", []string{in.role(role)}, pass})
		}
	}
	return out
}

// contexts set the condition keys of a service.
var contexts = map[string]func(input, policy.Context){
	"ecs": func(in input, keys policy.Context) {
		if v := in.text("Cluster"); v != "" {
			keys.Set("ecs:cluster", in.ecs("cluster", v))
		}
	},
	"iam": func(in input, keys policy.Context) {
		for field, key := range map[string]string{
			"AWSServiceName": "iam:AWSServiceName", "PolicyArn": "iam:PolicyARN",
			"PermissionsBoundary": "iam:PermissionsBoundary",
		} {
			if v := in.text(field); v != "" {
				keys.Set(key, v)
			}
		}
	},
}

// resourcesOf gives the resources of an operation; operations left out, and
// those whose function finds none, are about "*".
var resourcesOf = merge(
	ecrResources(),
	each("ecs", func(in input) []string { return in.ecsAll("cluster", in.text("ClusterName")) }, "CreateCluster"),
	each("ecs", func(in input) []string { return in.ecsAll("cluster", in.cluster()) },
		"DeleteCluster", "UpdateCluster", "UpdateClusterSettings", "PutClusterCapacityProviders",
		"RegisterContainerInstance", "DeregisterContainerInstance"),
	each("ecs", func(in input) []string { return in.ecsAll("cluster", in.list("Clusters")...) }, "DescribeClusters"),
	each("ecs", func(in input) []string { return in.ecsAll("task-definition", in.text("TaskDefinition")) },
		"RunTask", "StartTask"),
	each("ecs", func(in input) []string { return in.ecsAll("task-definition", in.list("TaskDefinitions")...) },
		"DeleteTaskDefinitions"),
	each("ecs", func(in input) []string { return in.ecsIn("task", in.text("Task")) }, "StopTask"),
	each("ecs", func(in input) []string { return in.ecsIn("task", in.list("Tasks")...) },
		"DescribeTasks", "GetTaskProtection", "UpdateTaskProtection"),
	each("ecs", func(in input) []string { return in.ecsIn("service", in.text("ServiceName")+in.text("Service")) },
		"CreateService", "UpdateService", "DeleteService", "ListServiceDeployments"),
	each("ecs", func(in input) []string { return in.ecsIn("service", in.list("Services")...) }, "DescribeServices"),
	each("ecs", func(in input) []string { return in.ecsIn("container-instance", in.list("ContainerInstances")...) },
		"DescribeContainerInstances", "UpdateContainerInstancesState"),
	each("ecs", func(in input) []string { return in.given("ResourceArn") },
		"TagResource", "UntagResource", "ListTagsForResource"),
	each("iam", func(in input) []string { return []string{in.role(in.text("RoleName"))} },
		"AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
		"DeleteServiceLinkedRole", "DetachRolePolicy", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies",
		"ListInstanceProfilesForRole", "ListRolePolicies", "ListRoleTags", "PutRolePermissionsBoundary",
		"PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"),
	each("iam", func(in input) []string { return in.given("PolicyArn") },
		"CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "GetPolicy", "GetPolicyVersion",
		"ListEntitiesForPolicy", "ListPolicyTags", "ListPolicyVersions", "SetDefaultPolicyVersion",
		"TagPolicy", "UntagPolicy"),
	each("iam", func(in input) []string { return []string{in.iam("policy" + in.path() + in.text("PolicyName"))} },
		"CreatePolicy"),
	each("iam", func(in input) []string {
		service := in.text("AWSServiceName")
		return []string{in.iam("role/aws-service-role/" + service + "/*")}
	}, "CreateServiceLinkedRole"),
	each("iam", func(in input) []string { return []string{in.iam("role/")} }, "ListRoles"),
	each("iam", func(in input) []string { return []string{in.iam("user/")} }, "ListUsers"),
	each("iam", func(in input) []string { return []string{in.user(in.text("UserName"))} },
		"AttachUserPolicy", "CreateAccessKey", "CreateUser", "DeleteAccessKey", "DeleteUser",
		"DeleteUserPermissionsBoundary", "DeleteUserPolicy", "DetachUserPolicy", "GetUser", "GetUserPolicy",
		"ListAccessKeys", "ListAttachedUserPolicies", "ListGroupsForUser", "ListUserPolicies", "ListUserTags",
		"PutUserPermissionsBoundary", "PutUserPolicy", "TagUser", "UntagUser", "UpdateAccessKey"),
	each("iam", input.renamed, "UpdateUser"),
	each("iam", input.keyOwner, "GetAccessKeyLastUsed"),
	each("logs", func(in input) []string { return []string{in.group("")} }, "CreateLogGroup",
		"TagLogGroup", "UntagLogGroup", "ListTagsLogGroup"),
	each("logs", func(in input) []string { return []string{in.group(":log-stream:")} },
		"DeleteLogGroup", "DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents", "PutRetentionPolicy", "DeleteRetentionPolicy",
		"PutMetricFilter", "DescribeMetricFilters", "DeleteMetricFilter", "PutSubscriptionFilter", "DescribeSubscriptionFilters",
		"DeleteSubscriptionFilter", "GetLogGroupFields", "CreateExportTask"),
	each("logs", input.groups, "StartQuery", "StartLiveTail"),
	each("logs", func(in input) []string { return []string{in.group(":log-stream:" + in.text("LogStreamName"))} },
		"CreateLogStream", "DeleteLogStream", "PutLogEvents", "GetLogEvents"),
	each("logs", func(in input) []string { return in.given("ResourceArn") },
		"TagResource", "UntagResource", "ListTagsForResource"),
	each("ec2", func(in input) []string { return in.ec2("security-group", in.list("GroupIds"), in.text("GroupId")) },
		"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress",
		"RevokeSecurityGroupIngress", "DeleteSecurityGroup", "ModifySecurityGroupRules",
		"UpdateSecurityGroupRuleDescriptionsEgress", "UpdateSecurityGroupRuleDescriptionsIngress"),
	each("ec2", func(in input) []string {
		return append(in.ec2("security-group", nil, "*"), in.ec2("vpc", nil, in.text("VpcId"))...)
	}, "CreateSecurityGroup"),
	each("ec2", func(in input) []string { return in.ec2("network-interface", nil, in.text("NetworkInterfaceId")) },
		"DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute"),
	each("ec2", func(in input) []string {
		return append(in.ec2("network-interface", nil, "*"), in.ec2("subnet", nil, in.text("SubnetId"))...)
	}, "CreateNetworkInterface"),
	each("ec2", func(in input) []string {
		var out []string
		for _, id := range in.list("Resources") {
			out = append(out, arn.New("ec2", in.caller.Region, in.caller.Account, ec2Type(id)+"/"+id))
		}
		return out
	}, "CreateTags", "DeleteTags"),
)

func each(service string, f func(input) []string, operations ...string) map[string]func(input) []string {
	m := map[string]func(input) []string{}
	for _, op := range operations {
		m[service+":"+op] = f
	}
	return m
}

func merge(parts ...map[string]func(input) []string) map[string]func(input) []string {
	all := map[string]func(input) []string{}
	for _, p := range parts {
		for k, f := range p {
			all[k] = f
		}
	}
	return all
}

// ec2Type is the resource type in the ARN of an EC2 id.
func ec2Type(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	if t, ok := map[string]string{
		"sg": "security-group", "sgr": "security-group-rule", "eni": "network-interface", "rtb": "route-table",
		"igw": "internet-gateway", "acl": "network-acl", "dopt": "dhcp-options", "vpc": "vpc", "subnet": "subnet",
	}[prefix]; ok {
		return t
	}
	return "*"
}

// input reads an operation's input by member name.
type input struct {
	value  reflect.Value
	caller Caller
	tx     store.Tx
}

// field is the named member; the zero Value when there is none or it is nil.
func (in input) field(v reflect.Value, name string) reflect.Value {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return reflect.Indirect(v.FieldByName(name))
}

func (in input) text(name string) string { return asText(in.field(in.value, name)) }

func asText(v reflect.Value) string {
	if v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

func (in input) list(name string) []string {
	v := in.field(in.value, name)
	if v.Kind() != reflect.Slice {
		return nil
	}
	var out []string
	for i := range v.Len() {
		out = append(out, asText(reflect.Indirect(v.Index(i))))
	}
	return out
}

func (in input) given(name string) []string {
	if v := in.text(name); v != "" {
		return []string{v}
	}
	return nil
}

// tagKeys sets aws:TagKeys and aws:RequestTag from the tags of the request.
func (in input) tagKeys(keys policy.Context) {
	names := in.list("TagKeys")
	add := func(key, value string) {
		names = append(names, key)
		keys.Set("aws:RequestTag/"+key, value)
	}
	switch tags := in.field(in.value, "Tags"); tags.Kind() {
	case reflect.Map:
		for _, k := range tags.MapKeys() {
			add(k.String(), tags.MapIndex(k).String())
		}
	case reflect.Slice:
		for i := range tags.Len() {
			if t := tags.Index(i); t.Kind() == reflect.Struct {
				add(asText(in.field(t, "Key")), asText(in.field(t, "Value")))
			}
		}
	}
	slices.Sort(names)
	keys.Set("aws:TagKeys", names...)
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

func (in input) iam(resource string) string {
	return arn.ARN{Partition: "aws", Service: "iam", Account: in.caller.Account, Resource: resource}.String()
}

func (in input) path() string {
	if p := in.text("Path"); p != "" {
		return p
	}
	return "/"
}

// role is the ARN of a role given by ARN or name, with the stored path and
// spelling when there is such a role.
func (in input) role(name string) string {
	if arn.Is(name) {
		return name
	}
	if r, ok, err := tables.Roles.Find(in.tx, in.caller.Account, identity.Fold(name)); err == nil && ok {
		return r.ARN()
	}
	return in.iam("role" + in.path() + name)
}

// user is the ARN of a user given by name, with the stored path and spelling when
// there is such a user; the caller when the name is empty.
func (in input) user(name string) string {
	if u, ok, err := tables.Users.Find(in.tx, in.caller.Account, identity.Fold(name)); err == nil && ok {
		return u.ARN()
	}
	if name == "" {
		return in.caller.ARN
	}
	return in.iam("user" + in.path() + name)
}

// renamed is a user under its old name and under the one it is to get.
func (in input) renamed() []string {
	out := []string{in.user(in.text("UserName"))}
	name, path := in.text("NewUserName"), in.text("NewPath")
	if name == "" && path == "" {
		return out
	}
	u, ok, err := tables.Users.Find(in.tx, in.caller.Account, identity.Fold(in.text("UserName")))
	if err != nil || !ok {
		return out
	}
	u.Name, u.Path = cmp.Or(name, u.Name), cmp.Or(path, u.Path)
	return append(out, u.ARN())
}

// keyOwner is the user whom the access key of the request belongs to.
func (in input) keyOwner() []string {
	k, ok, err := tables.AccessKeys.Find(in.tx, in.text("AccessKeyId"))
	if err != nil || !ok || k.Account != in.caller.Account || k.User == "" {
		return nil
	}
	return []string{in.user(k.User)}
}

// groups are the ARNs of all log groups that a request names.
func (in input) groups() []string {
	names := append(in.list("LogGroupNames"), in.list("LogGroupIdentifiers")...)
	if name := in.text("LogGroupName"); name != "" {
		names = append(names, name)
	}
	for i, name := range names {
		names[i] = in.logGroup(name, ":log-stream:")
	}
	return names
}

// group is the ARN of the request's log group, with a suffix.
func (in input) group(suffix string) string {
	name := in.text("LogGroupName")
	if name == "" {
		name = in.text("LogGroupIdentifier")
	}
	return in.logGroup(name, suffix)
}

// logGroup is the ARN of a log group given by name or ARN, with a suffix. An ARN
// that is not of the caller's account and region finds no group.
func (in input) logGroup(name, suffix string) string {
	if _, given, ok := strings.Cut(name, ":log-group:"); ok {
		name = strings.TrimSuffix(given, ":*")
	}
	return arn.New("logs", in.caller.Region, in.caller.Account, "log-group:"+name+suffix)
}

func (in input) ec2(kind string, ids []string, id string) []string {
	if id != "" {
		ids = append(ids, id)
	}
	var out []string
	for _, id := range ids {
		out = append(out, arn.New("ec2", in.caller.Region, in.caller.Account, kind+"/"+id))
	}
	return out
}
