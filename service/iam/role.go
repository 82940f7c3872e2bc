package iam

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"neargate/arn"
	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// CreateRole makes a role.
func (s *Service) CreateRole(ctx context.Context, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	account := auth.CallerFrom(ctx).Account
	role := identity.Role{
		Account: account, Path: "/", Name: *in.RoleName, ID: s.deps.IDs.IAM("AROA"), CreatedAt: s.now(),
		Trust: *in.AssumeRolePolicyDocument, MaxSession: identity.DefaultMaxSession,
	}
	if in.Path != nil {
		role.Path = *in.Path
	}
	if strings.HasPrefix(role.Path, "/aws-service-role/") {
		return nil, invalid("Invalid path: %s is reserved for service-linked roles.", role.Path)
	}
	if in.Description != nil {
		role.Description = *in.Description
	}
	if in.MaxSessionDuration != nil {
		role.MaxSession = *in.MaxSessionDuration
	}
	doc, err := checkTrust(role.Trust)
	if err != nil {
		return nil, err
	}
	if role.Tags, err = mergeTags(nil, in.Tags, true); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := tables.Roles.Find(tx, account, identity.Fold(role.Name)); ok || err != nil {
			return either(err, api.EntityAlreadyExistsException("Role with name "+role.Name+" already exists."))
		}
		if tx.Count(store.Prefix(tables.Roles.Name, account)) >= maxRoles {
			return quota("RolesPerAccount", maxRoles)
		}
		if err := checkPrincipals(tx, account, doc); err != nil {
			return err
		}
		if in.PermissionsBoundary != nil {
			if err := bound(ctx, tx, &role.Grants, *in.PermissionsBoundary); err != nil {
				return err
			}
		}
		return tables.Roles.Put(tx, &role)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: newRole(&role)}, nil
}

// now is the time in whole seconds, as IAM keeps it.
func (s *Service) now() time.Time { return s.deps.Now().UTC().Truncate(time.Second) }

// either returns err, or otherwise when err is nil.
func either(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func quota(name string, limit int) error {
	return api.LimitExceededException(fmt.Sprintf("Cannot exceed quota for %s: %d", name, limit))
}

// size counts the characters of a document that count against quotas: all but
// white space.
func size(document string) int {
	n := utf8.RuneCountInString(document)
	for _, r := range document {
		if unicode.IsSpace(r) {
			n--
		}
	}
	return n
}

func malformed(err error) error { return api.MalformedPolicyDocumentException(err.Error()) }

// checkTrust checks a trust policy as far as it can be on its own.
func checkTrust(document string) (*policy.Document, error) {
	if size(document) > maxTrustSize {
		return nil, quota("ACLSizePerRole", maxTrustSize)
	}
	doc, err := policy.Check(document, policy.Trust)
	if err != nil {
		return nil, malformed(err)
	}
	return doc, nil
}

// checkPrincipals checks that the users, roles and accounts a trust policy names
// exist.
func checkPrincipals(tx store.Tx, account string, doc *policy.Document) error {
	for _, st := range doc.Statements {
		for _, p := range st.Principals {
			ok, err := principalExists(tx, account, p)
			if err != nil {
				return err
			}
			if !ok {
				return malformed(policy.InvalidPrincipal(p))
			}
		}
	}
	return nil
}

func principalExists(tx store.Tx, account string, p policy.Principal) (bool, error) {
	if p.Type != "AWS" || p.ID == "*" {
		return true, nil
	}
	a, err := arn.Parse(p.ID)
	if err != nil {
		a = arn.ARN{Account: p.ID, Resource: "root"} // a bare account id
	}
	parts := strings.Split(a.Resource, "/")
	switch name := identity.Fold(parts[len(parts)-1]); parts[0] {
	case "role":
		_, ok, err := tables.Roles.Find(tx, a.Account, name)
		return ok, err
	case "user":
		_, ok, err := tables.Users.Find(tx, a.Account, name)
		return ok, err
	case "assumed-role":
		_, ok, err := tables.Roles.Find(tx, a.Account, identity.Fold(parts[1]))
		return ok, err
	case "root":
		if a.Account == account {
			return true, nil
		}
		_, ok, err := tables.Accounts.Find(tx, a.Account)
		return ok, err
	}
	return false, nil
}

// GetRole describes a role.
func (s *Service) GetRole(ctx context.Context, in *api.GetRoleInput) (out *api.GetRoleOutput, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		role, err := findRole(ctx, tx, in.RoleName)
		if err != nil {
			return err
		}
		use, ok, err := tables.RoleUses.Find(tx, role.Account, identity.Fold(role.Name))
		out = &api.GetRoleOutput{Role: fullRole(&role, &use)}
		if !ok {
			out.Role = fullRole(&role, nil)
		}
		return err
	})
	return out, err
}

// ListRoles lists roles by name.
func (s *Service) ListRoles(ctx context.Context, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	prefix := deref(in.PathPrefix, "/")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListRoles", prefix)
	if err != nil {
		return nil, err
	}
	roles, err := listed(ctx, s, w, tables.Roles, prefix, func(r *identity.Role) string { return r.Path })
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{Roles: []api.Role{}}
	roles, out.IsTruncated, out.Marker = cut(s, w, roles, func(r identity.Role) string { return identity.Fold(r.Name) })
	for _, r := range roles {
		out.Roles = append(out.Roles, *listedRole(&r))
	}
	return out, nil
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// UpdateRole changes description and session duration; what is not given stays.
func (s *Service) UpdateRole(ctx context.Context, in *api.UpdateRoleInput) (*api.UpdateRoleOutput, error) {
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		role, err := findRole(ctx, tx, in.RoleName)
		if err != nil {
			return err
		}
		if in.MaxSessionDuration != nil {
			if role.LinkedTo != "" {
				return api.UnmodifiableEntityException(role.Name + " is an AWS service linked role, max session duration cannot be changed.")
			}
			role.MaxSession = *in.MaxSessionDuration
		}
		role.Description = deref(in.Description, role.Description)
		return tables.Roles.Put(tx, &role)
	})
	return &api.UpdateRoleOutput{}, err
}

// UpdateRoleDescription changes a role's description.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *api.UpdateRoleDescriptionInput) (*api.UpdateRoleDescriptionOutput, error) {
	var role identity.Role
	err := s.deps.Store.Update(ctx, func(tx store.Tx) (err error) {
		if role, err = findRole(ctx, tx, in.RoleName); err != nil {
			return err
		}
		role.Description = *in.Description
		return tables.Roles.Put(tx, &role)
	})
	if err != nil {
		return nil, err
	}
	v := bareRole(&role)
	describeRole(v, &role)
	return &api.UpdateRoleDescriptionOutput{Role: v}, nil
}

// UpdateAssumeRolePolicy replaces a role's trust policy.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *api.UpdateAssumeRolePolicyInput) (*api.UpdateAssumeRolePolicyOutput, error) {
	doc, err := checkTrust(*in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	err = s.changeRole(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		r.Trust = *in.PolicyDocument
		return checkPrincipals(tx, r.Account, doc)
	})
	return &api.UpdateAssumeRolePolicyOutput{}, err
}

// DeleteRole deletes a role without policies.
func (s *Service) DeleteRole(ctx context.Context, in *api.DeleteRoleInput) (*api.DeleteRoleOutput, error) {
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		role, err := findRole(ctx, tx, in.RoleName)
		switch {
		case err != nil:
			return err
		case role.LinkedTo != "":
			return protected(role.Name)
		}
		if err := removable(&role.Grants); err != nil {
			return err
		}
		return removeRole(tx, &role)
	})
	return &api.DeleteRoleOutput{}, err
}

// removeRole deletes a role and what is kept about it.
func removeRole(tx store.Tx, r *identity.Role) error {
	if err := tables.RoleUses.Delete(tx, r.Account, identity.Fold(r.Name)); err != nil {
		return err
	}
	return tables.Roles.Delete(tx, r.Account, identity.Fold(r.Name))
}

// ListInstanceProfilesForRole lists the instance profiles of a role. There is
// no operation that makes one, so no role has any.
func (s *Service) ListInstanceProfilesForRole(ctx context.Context, in *api.ListInstanceProfilesForRoleInput) (*api.ListInstanceProfilesForRoleOutput, error) {
	if _, err := s.window(ctx, in.Marker, in.MaxItems, "ListInstanceProfilesForRole"); err != nil {
		return nil, err
	}
	if _, err := s.viewRole(ctx, in.RoleName); err != nil {
		return nil, err
	}
	return &api.ListInstanceProfilesForRoleOutput{InstanceProfiles: []api.InstanceProfile{}, IsTruncated: new(false)}, nil
}
