package iam

import (
	"net/url"
	"strings"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// encode percent-encodes a policy document as IAM answers have it (RFC 3986;
// a blank is %20).
func encode(document string) *string {
	return new(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}

// newRole is a role as CreateRole answers it: without description, duration
// and use.
func newRole(r *identity.Role) *api.Role {
	v := bareRole(r)
	v.PermissionsBoundary = boundary(r.Boundary)
	v.Tags = tagList(r.Tags)
	return v
}

// fullRole is a role as GetRole answers it.
func fullRole(r *identity.Role, use *identity.RoleUse) *api.Role {
	v := newRole(r)
	describeRole(v, r)
	v.MaxSessionDuration = &r.MaxSession
	v.RoleLastUsed = &api.RoleLastUsed{}
	if use != nil {
		v.RoleLastUsed.LastUsedDate, v.RoleLastUsed.Region = &use.At, &use.Region
	}
	return v
}

// listedRole is a role as ListRoles answers it.
func listedRole(r *identity.Role) *api.Role {
	v := bareRole(r)
	describeRole(v, r)
	v.MaxSessionDuration = &r.MaxSession
	return v
}

func describeRole(v *api.Role, r *identity.Role) {
	if r.Description != "" {
		v.Description = &r.Description
	}
}

func bareRole(r *identity.Role) *api.Role {
	return &api.Role{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: new(r.ARN()),
		CreateDate: &r.CreatedAt, AssumeRolePolicyDocument: encode(r.Trust),
	}
}

// fullUser is a user as CreateUser and GetUser answer it.
func fullUser(u *identity.User) *api.User {
	v := listedUser(u)
	v.PermissionsBoundary, v.Tags = boundary(u.Boundary), tagList(u.Tags)
	return v
}

// listedUser is a user as ListUsers answers it: without boundary and tags.
func listedUser(u *identity.User) *api.User {
	return &api.User{Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: new(u.ARN()), CreateDate: &u.CreatedAt}
}

func boundary(policyARN string) *api.AttachedPermissionsBoundary {
	if policyARN == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{
		PermissionsBoundaryType: new("Policy"), PermissionsBoundaryArn: &policyARN,
	}
}

// tagList is nil without tags.
func tagList(tags []identity.Tag) []api.Tag {
	var out []api.Tag
	for _, t := range tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

// listedPolicy is a policy as ListPolicies and CreatePolicy answer it: without
// description and tags.
func listedPolicy(tx store.Tx, account string, p *identity.Policy) *api.Policy {
	arn := p.ARN()
	return &api.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &arn, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount:               new(int32(attachments(tx, account, arn))),
		PermissionsBoundaryUsageCount: new(int32(boundaries(tx, account, arn))),
		IsAttachable:                  new(true), CreateDate: &p.CreatedAt, UpdateDate: &p.UpdatedAt,
	}
}

// fullPolicy is a policy as GetPolicy answers it.
func fullPolicy(tx store.Tx, account string, p *identity.Policy) *api.Policy {
	v := listedPolicy(tx, account, p)
	if p.Description != "" {
		v.Description = &p.Description
	}
	v.Tags = append([]api.Tag{}, tagList(p.Tags)...)
	return v
}

// attachments counts the users and roles of an account a policy is attached to.
func attachments(tx store.Tx, account, policyARN string) int {
	return tables.Roles.CountBy(tx, tables.RolesByPolicy, account, policyARN) +
		tables.Users.CountBy(tx, tables.UsersByPolicy, account, policyARN)
}

// boundaries counts the users and roles of an account a policy bounds.
func boundaries(tx store.Tx, account, policyARN string) int {
	return tables.Roles.CountBy(tx, tables.RolesByBoundary, account, policyARN) +
		tables.Users.CountBy(tx, tables.UsersByBoundary, account, policyARN)
}

// version is a policy version; the document is left out of listings and of
// what creates one.
func version(p *identity.Policy, v identity.Version) *api.PolicyVersion {
	return &api.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: new(v.ID == p.Default), CreateDate: &v.CreatedAt}
}
