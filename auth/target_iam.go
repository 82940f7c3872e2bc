package auth

import (
	"cmp"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store/tables"
)

// iamRules are those of AWS Identity and Access Management.
var iamRules = rules{
	context: func(in input, _ string, keys policy.Context) {
		for field, key := range map[string]string{
			"AWSServiceName": "iam:AWSServiceName", "PolicyArn": "iam:PolicyARN",
			"PermissionsBoundary": "iam:PermissionsBoundary",
		} {
			if v := in.text(field); v != "" {
				keys.Set(key, v)
			}
		}
	},
	resources: merge(
		each(func(in input) []string { return []string{in.role(in.text("RoleName"))} },
			"AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
			"DeleteServiceLinkedRole", "DetachRolePolicy", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies",
			"ListInstanceProfilesForRole", "ListRolePolicies", "ListRoleTags", "PutRolePermissionsBoundary",
			"PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"),
		each(func(in input) []string { return in.given("PolicyArn") },
			"CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "GetPolicy", "GetPolicyVersion",
			"ListEntitiesForPolicy", "ListPolicyTags", "ListPolicyVersions", "SetDefaultPolicyVersion",
			"TagPolicy", "UntagPolicy"),
		each(func(in input) []string { return []string{in.iam("policy" + in.path() + in.text("PolicyName"))} },
			"CreatePolicy"),
		each(func(in input) []string {
			service := in.text("AWSServiceName")
			return []string{in.iam("role/aws-service-role/" + service + "/*")}
		}, "CreateServiceLinkedRole"),
		each(func(in input) []string { return []string{in.iam("role/")} }, "ListRoles"),
		each(func(in input) []string { return []string{in.iam("user/")} }, "ListUsers"),
		each(func(in input) []string { return []string{in.user(in.text("UserName"))} },
			"AttachUserPolicy", "CreateAccessKey", "CreateUser", "DeleteAccessKey", "DeleteUser",
			"DeleteUserPermissionsBoundary", "DeleteUserPolicy", "DetachUserPolicy", "GetUser", "GetUserPolicy",
			"ListAccessKeys", "ListAttachedUserPolicies", "ListGroupsForUser", "ListUserPolicies", "ListUserTags",
			"PutUserPermissionsBoundary", "PutUserPolicy", "TagUser", "UntagUser", "UpdateAccessKey"),
		each(input.renamed, "UpdateUser"),
		each(input.keyOwner, "GetAccessKeyLastUsed"),
	),
}

func (in input) path() string {
	if p := in.text("Path"); p != "" {
		return p
	}
	return "/"
}

func (in input) iam(resource string) string {
	return arn.ARN{Partition: "aws", Service: "iam", Account: in.caller.Account, Resource: resource}.String()
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
