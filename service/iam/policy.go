package iam

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

func checkManaged(document string) error {
	if _, err := policy.Check(document, policy.Managed); err != nil {
		return malformed(err)
	}
	if size(document) > maxManagedSize {
		return quota("PolicySize", maxManagedSize)
	}
	return nil
}

// CreatePolicy makes a customer managed policy with its first version.
func (s *Service) CreatePolicy(ctx context.Context, in *api.CreatePolicyInput) (*api.CreatePolicyOutput, error) {
	account, now := auth.CallerFrom(ctx).Account, s.now()
	p := identity.Policy{
		Account: account, Path: deref(in.Path, "/"), Name: *in.PolicyName, ID: s.deps.IDs.IAM("ANPA"),
		Description: deref(in.Description, ""), Default: "v1", Latest: 1, CreatedAt: now, UpdatedAt: now,
		Versions: []identity.Version{{ID: "v1", Document: *in.PolicyDocument, CreatedAt: now}},
	}
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	var err error
	if p.Tags, err = mergeTags(nil, in.Tags, false); err != nil {
		return nil, err
	}
	out := &api.CreatePolicyOutput{}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := tables.Policies.Find(tx, account, identity.Fold(p.Name)); ok || err != nil {
			return either(err, api.EntityAlreadyExistsException("A policy called "+p.Name+" already exists. Duplicate names are not allowed."))
		}
		if tx.Count(store.Prefix(tables.Policies.Name, account)) >= maxPolicies {
			return quota("PoliciesPerAccount", maxPolicies)
		}
		out.Policy = listedPolicy(tx, account, &p)
		out.Policy.Tags = tagList(p.Tags)
		return tables.Policies.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) viewPolicy(ctx context.Context, policyARN string) (p identity.Policy, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		p, err = findPolicy(ctx, tx, policyARN, notFound(policyARN))
		return err
	})
	return p, err
}

// GetPolicy describes a managed policy.
func (s *Service) GetPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	out := &api.GetPolicyOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		p, err := findPolicy(ctx, tx, *in.PolicyArn, notFound(*in.PolicyArn))
		if err != nil {
			return err
		}
		out.Policy = fullPolicy(tx, auth.CallerFrom(ctx).Account, &p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeletePolicy deletes a managed policy that is attached to nothing and has its
// default version only.
func (s *Service) DeletePolicy(ctx context.Context, in *api.DeletePolicyInput) (*api.DeletePolicyOutput, error) {
	caller := auth.CallerFrom(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		p, err := findPolicy(ctx, tx, *in.PolicyArn, notFound(*in.PolicyArn))
		switch {
		case err != nil:
			return err
		case p.Account != caller.Account:
			return awsOwned(caller, "DeletePolicy", *in.PolicyArn)
		case attachments(tx, p.Account, p.ARN())+boundaries(tx, p.Account, p.ARN()) > 0:
			return api.DeleteConflictException("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return api.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return tables.Policies.Delete(tx, p.Account, identity.Fold(p.Name))
	})
	return &api.DeletePolicyOutput{}, err
}

// CreatePolicyVersion adds a version to a managed policy.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *api.CreatePolicyVersionInput) (*api.CreatePolicyVersionOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	now, out := s.now(), &api.CreatePolicyVersionOutput{}
	err := s.changePolicy(ctx, "CreatePolicyVersion", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		if len(p.Versions) >= identity.MaxVersions {
			return api.LimitExceededException(fmt.Sprintf("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", identity.MaxVersions))
		}
		p.Latest++
		v := identity.Version{ID: "v" + strconv.Itoa(p.Latest), Document: *in.PolicyDocument, CreatedAt: now}
		p.Versions = append(slices.Clip(p.Versions), v)
		p.UpdatedAt = now
		if deref(in.SetAsDefault, false) {
			p.Default = v.ID
		}
		out.PolicyVersion = version(p, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func noVersion(policyARN, id string) error {
	return api.NoSuchEntityException("Policy " + policyARN + " version " + id + " does not exist or is not attachable.")
}

// GetPolicyVersion returns one version of a managed policy.
func (s *Service) GetPolicyVersion(ctx context.Context, in *api.GetPolicyVersionInput) (*api.GetPolicyVersionOutput, error) {
	p, err := s.viewPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, ok := p.Version(*in.VersionId)
	if !ok {
		return nil, noVersion(*in.PolicyArn, *in.VersionId)
	}
	out := &api.GetPolicyVersionOutput{PolicyVersion: version(&p, v)}
	out.PolicyVersion.Document = encode(v.Document)
	return out, nil
}

// ListPolicyVersions lists the versions of a managed policy, newest first.
func (s *Service) ListPolicyVersions(ctx context.Context, in *api.ListPolicyVersionsInput) (*api.ListPolicyVersionsOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListPolicyVersions", *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := s.viewPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var versions []api.PolicyVersion
	for _, v := range slices.Backward(p.Versions) {
		versions = append(versions, *version(&p, v))
	}
	out := &api.ListPolicyVersionsOutput{}
	out.Versions, out.IsTruncated, out.Marker = numbered(s, w, versions)
	return out, nil
}

// DeletePolicyVersion deletes a version that is not the default.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *api.DeletePolicyVersionInput) (*api.DeletePolicyVersionOutput, error) {
	err := s.changePolicy(ctx, "DeletePolicyVersion", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		if _, ok := p.Version(*in.VersionId); !ok {
			return noVersion(*in.PolicyArn, *in.VersionId)
		}
		if *in.VersionId == p.Default {
			return api.DeleteConflictException("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v identity.Version) bool { return v.ID == *in.VersionId })
		return nil
	})
	return &api.DeletePolicyVersionOutput{}, err
}

// SetDefaultPolicyVersion chooses the version in effect.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *api.SetDefaultPolicyVersionInput) (*api.SetDefaultPolicyVersionOutput, error) {
	now := s.now()
	err := s.changePolicy(ctx, "SetDefaultPolicyVersion", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		if _, ok := p.Version(*in.VersionId); !ok {
			return noVersion(*in.PolicyArn, *in.VersionId)
		}
		p.Default, p.UpdatedAt = *in.VersionId, now
		return nil
	})
	return &api.SetDefaultPolicyVersionOutput{}, err
}

// ListPolicies lists managed policies: the customer's, then AWS's, by name.
func (s *Service) ListPolicies(ctx context.Context, in *api.ListPoliciesInput) (*api.ListPoliciesOutput, error) {
	account, prefix, scope := auth.CallerFrom(ctx).Account, deref(in.PathPrefix, "/"), deref(in.Scope, "All")
	only, usage := deref(in.OnlyAttached, false), deref(in.PolicyUsageFilter, "")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListPolicies", prefix, scope, strconv.FormatBool(only), usage)
	if err != nil {
		return nil, err
	}
	out := &api.ListPoliciesOutput{Policies: []api.Policy{}}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		var all []identity.Policy
		if scope != "AWS" {
			if all, err = store.Collect(tables.Policies.List(tx, account)); err != nil {
				return err
			}
		}
		if scope != "Local" {
			all = append(all, identity.AWSPolicies()...)
		}
		all = slices.DeleteFunc(all, func(p identity.Policy) bool {
			return !strings.HasPrefix(p.Path, prefix) || !inUse(tx, account, p.ARN(), only, usage)
		})
		all, out.IsTruncated, out.Marker = cut(s, w, all, policyKey)
		for _, p := range all {
			out.Policies = append(out.Policies, *listedPolicy(tx, account, &p))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// policyKey orders the customer's policies before AWS's, each by name.
func policyKey(p identity.Policy) string {
	if p.Account == "aws" {
		return "1" + p.Name
	}
	return "0" + identity.Fold(p.Name)
}

// inUse reports whether a policy passes the usage filters of ListPolicies.
func inUse(tx store.Tx, account, policyARN string, only bool, usage string) bool {
	switch usage {
	case "PermissionsBoundary":
		return boundaries(tx, account, policyARN) > 0
	case "PermissionsPolicy":
		return !only || attachments(tx, account, policyARN) > 0
	}
	return !only || attachments(tx, account, policyARN)+boundaries(tx, account, policyARN) > 0
}

// entity is a user or a role a policy is attached to.
type entity struct {
	role           bool
	path, name, id string
}

func (e entity) key() string {
	if e.role {
		return "r" + identity.Fold(e.name)
	}
	return "u" + identity.Fold(e.name)
}

// ListEntitiesForPolicy lists the users and roles a managed policy is attached
// to or bounds.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *api.ListEntitiesForPolicyInput) (*api.ListEntitiesForPolicyOutput, error) {
	kind, usage, prefix := deref(in.EntityFilter, ""), deref(in.PolicyUsageFilter, ""), deref(in.PathPrefix, "/")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListEntitiesForPolicy", *in.PolicyArn, kind, usage, prefix)
	if err != nil {
		return nil, err
	}
	var found []entity
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		if _, err := findPolicy(ctx, tx, *in.PolicyArn, notFound(*in.PolicyArn)); err != nil {
			return err
		}
		found, err = entities(tx, auth.CallerFrom(ctx).Account, *in.PolicyArn, usage)
		return err
	})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e entity) bool {
		return !strings.HasPrefix(e.path, prefix) || kind != "" && (kind == "Role") != e.role || kind != "" && kind != "Role" && kind != "User"
	})
	out := &api.ListEntitiesForPolicyOutput{
		PolicyGroups: []api.PolicyGroup{}, PolicyUsers: []api.PolicyUser{}, PolicyRoles: []api.PolicyRole{},
	}
	found, out.IsTruncated, out.Marker = cut(s, w, found, entity.key)
	for _, e := range found {
		if e.role {
			out.PolicyRoles = append(out.PolicyRoles, api.PolicyRole{RoleName: &e.name, RoleId: &e.id})
		} else {
			out.PolicyUsers = append(out.PolicyUsers, api.PolicyUser{UserName: &e.name, UserId: &e.id})
		}
	}
	return out, nil
}

// entities finds who uses a policy, each once, ordered by key.
func entities(tx store.Tx, account, policyARN, usage string) ([]entity, error) {
	found := map[string]entity{}
	for _, by := range []struct{ usage, roles, users string }{
		{"PermissionsPolicy", tables.RolesByPolicy, tables.UsersByPolicy},
		{"PermissionsBoundary", tables.RolesByBoundary, tables.UsersByBoundary},
	} {
		if usage != "" && usage != by.usage {
			continue
		}
		for r, err := range tables.Roles.By(tx, by.roles, account, policyARN) {
			if err != nil {
				return nil, err
			}
			e := entity{true, r.Path, r.Name, r.ID}
			found[e.key()] = e
		}
		for u, err := range tables.Users.By(tx, by.users, account, policyARN) {
			if err != nil {
				return nil, err
			}
			e := entity{false, u.Path, u.Name, u.ID}
			found[e.key()] = e
		}
	}
	out := make([]entity, 0, len(found))
	for _, e := range found {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entity) int { return strings.Compare(a.key(), b.key()) })
	return out, nil
}
