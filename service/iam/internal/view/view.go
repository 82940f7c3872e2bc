// Package view shows stored identities as IAM's answers have them.
package view

import (
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// NewRole is a role as CreateRole answers it: without description, duration
// and use.
func NewRole(r *identity.Role) *api.Role {
	v := BareRole(r)
	v.PermissionsBoundary = Boundary(r.Boundary)
	v.Tags = tag.List(r.Tags)
	return v
}

// FullRole is a role as GetRole answers it.
func FullRole(r *identity.Role, use *identity.RoleUse) *api.Role {
	v := NewRole(r)
	DescribeRole(v, r)
	v.MaxSessionDuration = &r.MaxSession
	v.RoleLastUsed = &api.RoleLastUsed{}
	if use != nil {
		v.RoleLastUsed.LastUsedDate, v.RoleLastUsed.Region = &use.At, &use.Region
	}
	return v
}

// ListedRole is a role as ListRoles answers it.
func ListedRole(r *identity.Role) *api.Role {
	v := BareRole(r)
	DescribeRole(v, r)
	v.MaxSessionDuration = &r.MaxSession
	return v
}

// DescribeRole sets a role's description.
func DescribeRole(v *api.Role, r *identity.Role) {
	if r.Description != "" {
		v.Description = &r.Description
	}
}

// BareRole is what every answer says of a role.
func BareRole(r *identity.Role) *api.Role {
	return &api.Role{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: new(r.ARN()),
		CreateDate: &r.CreatedAt, AssumeRolePolicyDocument: call.Encode(r.Trust),
	}
}

// FullUser is a user as CreateUser and GetUser answer it.
func FullUser(u *identity.User) *api.User {
	v := ListedUser(u)
	v.PermissionsBoundary, v.Tags = Boundary(u.Boundary), tag.List(u.Tags)
	return v
}

// ListedUser is a user as ListUsers answers it: without Boundary and tags.
func ListedUser(u *identity.User) *api.User {
	return &api.User{Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: new(u.ARN()), CreateDate: &u.CreatedAt}
}

// Boundary is a permissions boundary as answers have it; nil without one.
func Boundary(policyARN string) *api.AttachedPermissionsBoundary {
	if policyARN == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{
		PermissionsBoundaryType: new("Policy"), PermissionsBoundaryArn: &policyARN,
	}
}

// ListedPolicy is a policy as ListPolicies and CreatePolicy answer it: without
// description and tags.
func ListedPolicy(tx store.Tx, account string, p *identity.Policy) *api.Policy {
	arn := p.ARN()
	return &api.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &arn, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount:               new(int32(Attachments(tx, account, arn))),
		PermissionsBoundaryUsageCount: new(int32(Boundaries(tx, account, arn))),
		IsAttachable:                  new(true), CreateDate: &p.CreatedAt, UpdateDate: &p.UpdatedAt,
	}
}

// FullPolicy is a policy as GetPolicy answers it.
func FullPolicy(tx store.Tx, account string, p *identity.Policy) *api.Policy {
	v := ListedPolicy(tx, account, p)
	if p.Description != "" {
		v.Description = &p.Description
	}
	v.Tags = append([]api.Tag{}, tag.List(p.Tags)...)
	return v
}

// Attachments counts the users, groups and roles of an account a policy is attached to.
func Attachments(tx store.Tx, account, policyARN string) int {
	return tables.Roles.CountBy(tx, tables.RolesByPolicy, account, policyARN) +
		tables.Users.CountBy(tx, tables.UsersByPolicy, account, policyARN) +
		identities.Groups.CountBy(tx, identities.GroupsByPolicy, account, policyARN)
}

// Boundaries counts the users and roles of an account a policy bounds.
func Boundaries(tx store.Tx, account, policyARN string) int {
	return tables.Roles.CountBy(tx, tables.RolesByBoundary, account, policyARN) +
		tables.Users.CountBy(tx, tables.UsersByBoundary, account, policyARN)
}

// Version is a policy version; the document is left out of listings and of
// what creates one.
func Version(p *identity.Policy, v identity.Version) *api.PolicyVersion {
	return &api.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: new(v.ID == p.Default), CreateDate: &v.CreatedAt}
}

// Group is a group as every answer has it.
func Group(g *identity.Group) *api.Group {
	return &api.Group{Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: new(g.ARN()), CreateDate: &g.CreatedAt}
}

// Profile is an instance profile with its role, nil for none.
func Profile(p *identity.Profile, role *identity.Role) *api.InstanceProfile {
	v := &api.InstanceProfile{
		Path: &p.Path, InstanceProfileName: &p.Name, InstanceProfileId: &p.ID, Arn: new(p.ARN()),
		CreateDate: &p.CreatedAt, Roles: []api.Role{},
	}
	if role != nil {
		v.Roles = append(v.Roles, *BareRole(role))
	}
	return v
}
