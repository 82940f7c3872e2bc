package target

import (
	"cmp"
	"strings"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// iamRules are those of AWS Identity and Access Management.
var iamRules = rules{
	tags: Input.iamTags,
	context: func(in Input, operation string, keys policy.Context) {
		if v := in.bounds(operation); v != "" {
			keys.Set("iam:PermissionsBoundary", v)
		}
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
		each(func(in Input) []string { return []string{in.role(in.text("RoleName"))} },
			"AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
			"DeleteServiceLinkedRole", "DetachRolePolicy", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies",
			"ListInstanceProfilesForRole", "ListRolePolicies", "ListRoleTags", "PutRolePermissionsBoundary",
			"PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"),
		each(func(in Input) []string { return in.given("PolicyArn") },
			"CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "GetPolicy", "GetPolicyVersion",
			"ListEntitiesForPolicy", "ListPolicyTags", "ListPolicyVersions", "SetDefaultPolicyVersion",
			"TagPolicy", "UntagPolicy"),
		each(func(in Input) []string { return []string{in.iam("policy" + in.path() + in.text("PolicyName"))} },
			"CreatePolicy"),
		each(func(in Input) []string {
			service := in.text("AWSServiceName")
			return []string{in.iam("role/aws-service-role/" + service + "/*")}
		}, "CreateServiceLinkedRole"),
		each(func(in Input) []string { return []string{in.iam("role/")} }, "ListRoles"),
		each(func(in Input) []string { return []string{in.iam("user/")} }, "ListUsers"),
		each(func(in Input) []string { return []string{in.user(in.text("UserName"))} },
			"AttachUserPolicy", "CreateAccessKey", "CreateUser", "DeleteAccessKey", "DeleteUser",
			"DeleteUserPermissionsBoundary", "DeleteUserPolicy", "DetachUserPolicy", "GetUser", "GetUserPolicy",
			"ListAccessKeys", "ListAttachedUserPolicies", "ListGroupsForUser", "ListUserPolicies", "ListUserTags",
			"PutUserPermissionsBoundary", "PutUserPolicy", "TagUser", "UntagUser", "UpdateAccessKey"),
		each(Input.renamed, "UpdateUser"),
		each(Input.keyOwner, "GetAccessKeyLastUsed"),
		each(func(in Input) []string { return []string{in.groupARN()} },
			"AddUserToGroup", "AttachGroupPolicy", "CreateGroup", "DeleteGroup", "DeleteGroupPolicy", "DetachGroupPolicy", "GetGroup",
			"GetGroupPolicy", "ListAttachedGroupPolicies", "ListGroupPolicies", "PutGroupPolicy", "RemoveUserFromGroup", "UpdateGroup"),
		each(func(in Input) []string { return []string{in.iam("group/")} }, "ListGroups"),
		each(func(in Input) []string { return []string{in.profileARN()} },
			"AddRoleToInstanceProfile", "CreateInstanceProfile", "DeleteInstanceProfile", "GetInstanceProfile",
			"ListInstanceProfileTags", "RemoveRoleFromInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile"),
		each(func(in Input) []string { return []string{in.iam("instance-profile/")} }, "ListInstanceProfiles"),
		each(func(in Input) []string {
			return []string{in.iam("oidc-provider/" + strings.TrimPrefix(in.text("Url"), "https://"))}
		}, "CreateOpenIDConnectProvider"),
		each(func(in Input) []string { return in.given("OpenIDConnectProviderArn") },
			"AddClientIDToOpenIDConnectProvider", "DeleteOpenIDConnectProvider", "GetOpenIDConnectProvider",
			"ListOpenIDConnectProviderTags", "RemoveClientIDFromOpenIDConnectProvider", "TagOpenIDConnectProvider",
			"UntagOpenIDConnectProvider", "UpdateOpenIDConnectProviderThumbprint"),
		each(func(in Input) []string { return []string{in.iam("saml-provider/" + in.text("Name"))} }, "CreateSAMLProvider"),
		each(func(in Input) []string { return in.given("SAMLProviderArn") },
			"DeleteSAMLProvider", "GetSAMLProvider", "ListSAMLProviderTags", "TagSAMLProvider", "UntagSAMLProvider", "UpdateSAMLProvider"),
		each(func(in Input) []string { return []string{in.user(in.text("UserName"))} },
			"ChangePassword", "CreateLoginProfile", "DeleteLoginProfile", "GetLoginProfile", "UpdateLoginProfile",
			"DeactivateMFADevice", "EnableMFADevice", "ListMFADevices", "ResyncMFADevice", "ListSSHPublicKeys", "ListServiceSpecificCredentials", "ListSigningCertificates"),
		each(func(in Input) []string { return []string{in.iam("mfa" + in.path() + in.text("VirtualMFADeviceName"))} }, "CreateVirtualMFADevice"),
		each(func(in Input) []string { return in.given("SerialNumber") },
			"DeleteVirtualMFADevice", "GetMFADevice", "ListMFADeviceTags", "TagMFADevice", "UntagMFADevice"),
		each(func(in Input) []string { return []string{in.iam("mfa/*")} }, "ListVirtualMFADevices"),
		each(func(in Input) []string { return in.given("PolicySourceArn") },
			"GetContextKeysForPrincipalPolicy", "SimulatePrincipalPolicy"),
	),
}

func (in Input) path() string {
	if p := in.text("Path"); p != "" {
		return p
	}
	return "/"
}

func (in Input) iam(resource string) string {
	return arn.ARN{Partition: "aws", Service: "iam", Account: in.Caller.Account, Resource: resource}.String()
}

// Role is the ARN of a role given by ARN or name.
func Role(in Input, name string) string { return in.role(name) }

// role is the ARN of a role given by ARN or name, with the stored path and
// spelling when there is such a role.
func (in Input) role(name string) string {
	if arn.Is(name) {
		return name
	}
	if r, ok, err := tables.Roles.Find(in.Tx, in.Caller.Account, identity.Fold(name)); err == nil && ok {
		return r.ARN()
	}
	return in.iam("role" + in.path() + name)
}

// user is the ARN of a user given by name, with the stored path and spelling when
// there is such a user; the caller when the name is empty.
func (in Input) user(name string) string {
	if u, ok, err := tables.Users.Find(in.Tx, in.Caller.Account, identity.Fold(name)); err == nil && ok {
		return u.ARN()
	}
	if name == "" {
		return in.Caller.ARN
	}
	return in.iam("user" + in.path() + name)
}

// renamed is a user under its old name and under the one it is to get.
func (in Input) renamed() []string {
	out := []string{in.user(in.text("UserName"))}
	name, path := in.text("NewUserName"), in.text("NewPath")
	if name == "" && path == "" {
		return out
	}
	u, ok, err := tables.Users.Find(in.Tx, in.Caller.Account, identity.Fold(in.text("UserName")))
	if err != nil || !ok {
		return out
	}
	u.Name, u.Path = cmp.Or(name, u.Name), cmp.Or(path, u.Path)
	return append(out, u.ARN())
}

// keyOwner is the user whom the access key of the request belongs to.
func (in Input) keyOwner() []string {
	k, ok, err := tables.AccessKeys.Find(in.Tx, in.text("AccessKeyId"))
	if err != nil || !ok || k.Account != in.Caller.Account || k.User == "" {
		return nil
	}
	return []string{in.user(k.User)}
}

// groupARN is the ARN of the group of the request, with the stored path and spelling
// when there is such a group.
func (in Input) groupARN() string {
	name := in.text("GroupName")
	if g, ok, err := identities.Groups.Find(in.Tx, in.Caller.Account, identity.Fold(name)); err == nil && ok {
		return g.ARN()
	}
	return in.iam("group" + in.path() + name)
}

// profileARN is the ARN of the instance profile of the request likewise.
func (in Input) profileARN() string {
	name := in.text("InstanceProfileName")
	if p, ok, err := identities.Profiles.Find(in.Tx, in.Caller.Account, identity.Fold(name)); err == nil && ok {
		return p.ARN()
	}
	return in.iam("instance-profile" + in.path() + name)
}

// bounds is the boundary of the user or role that an operation changes the policies
// of, "" for none.
func (in Input) bounds(operation string) string {
	switch operation {
	case "AttachUserPolicy", "DetachUserPolicy", "PutUserPolicy", "DeleteUserPolicy", "DeleteUserPermissionsBoundary":
		u, _, err := tables.Users.Find(in.Tx, in.Caller.Account, identity.Fold(in.text("UserName")))
		if err == nil {
			return u.Boundary
		}
	case "AttachRolePolicy", "DetachRolePolicy", "PutRolePolicy", "DeleteRolePolicy", "DeleteRolePermissionsBoundary":
		r, _, err := tables.Roles.Find(in.Tx, in.Caller.Account, identity.Fold(in.text("RoleName")))
		if err == nil {
			return r.Boundary
		}
	}
	return ""
}

// iamTags are the tags of an IAM resource.
func (in Input) iamTags(resource string) ([]identity.Tag, error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return nil, nil
	}
	kind, path, _ := strings.Cut(a.Resource, "/")
	name := identity.Fold(path[strings.LastIndexByte(path, '/')+1:])
	switch kind {
	case "user":
		u, _, err := tables.Users.Find(in.Tx, a.Account, name)
		return u.Tags, err
	case "role":
		r, _, err := tables.Roles.Find(in.Tx, a.Account, name)
		return r.Tags, err
	case "policy":
		p, _, err := tables.FindPolicy(in.Tx, resource)
		return p.Tags, err
	case "instance-profile":
		p, _, err := identities.Profiles.Find(in.Tx, a.Account, name)
		return p.Tags, err
	case "oidc-provider":
		p, _, err := identities.OIDCProviders.Find(in.Tx, a.Account, path)
		return p.Tags, err
	case "saml-provider":
		p, _, err := identities.SAMLProviders.Find(in.Tx, a.Account, path)
		return p.Tags, err
	}
	return nil, nil
}
