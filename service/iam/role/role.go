package role

import (
	"context"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/tag"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// CreateRole makes a role.
func (h *Handler) CreateRole(ctx context.Context, in *api.CreateRoleInput) (*api.CreateRoleOutput, error) {
	account := auth.CallerFrom(ctx).Account
	role := identity.Role{
		Account: account, Path: "/", Name: *in.RoleName, ID: h.env.IDs.IAM("AROA"), CreatedAt: h.env.Time(),
		Trust: *in.AssumeRolePolicyDocument, MaxSession: identity.DefaultMaxSession,
	}
	if in.Path != nil {
		role.Path = *in.Path
	}
	if strings.HasPrefix(role.Path, "/aws-service-role/") {
		return nil, call.Invalid("Invalid path: %s is reserved for service-linked roles.", role.Path)
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
	if role.Tags, err = tag.Merge(nil, in.Tags, true); err != nil {
		return nil, err
	}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := tables.Roles.Find(tx, account, identity.Fold(role.Name)); ok || err != nil {
			return call.Either(err, api.EntityAlreadyExistsException("Role with name "+role.Name+" already exists."))
		}
		if tx.Count(store.Prefix(tables.Roles.Name, account)) >= maxRoles {
			return call.Quota("RolesPerAccount", maxRoles)
		}
		if err := checkPrincipals(tx, account, doc); err != nil {
			return err
		}
		if in.PermissionsBoundary != nil {
			if err := grant.Bound(ctx, tx, &role.Grants, *in.PermissionsBoundary); err != nil {
				return err
			}
		}
		return tables.Roles.Put(tx, &role)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateRoleOutput{Role: view.NewRole(&role)}, nil
}

// checkTrust checks a trust policy as far as it can be on its own.
func checkTrust(document string) (*policy.Document, error) {
	if call.Size(document) > maxTrustSize {
		return nil, call.Quota("ACLSizePerRole", maxTrustSize)
	}
	doc, err := policy.Check(document, policy.Trust)
	if err != nil {
		return nil, call.Malformed(err)
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
				return call.Malformed(policy.InvalidPrincipal(p))
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
func (h *Handler) GetRole(ctx context.Context, in *api.GetRoleInput) (out *api.GetRoleOutput, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		role, err := look.Role(ctx, tx, *in.RoleName)
		if err != nil {
			return err
		}
		use, ok, err := tables.RoleUses.Find(tx, role.Account, identity.Fold(role.Name))
		out = &api.GetRoleOutput{Role: view.FullRole(&role, &use)}
		if !ok {
			out.Role = view.FullRole(&role, nil)
		}
		return err
	})
	return out, err
}

// ListRoles lists roles by name.
func (h *Handler) ListRoles(ctx context.Context, in *api.ListRolesInput) (*api.ListRolesOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListRoles", prefix)
	if err != nil {
		return nil, err
	}
	roles, err := call.Listed(ctx, h.env, w, tables.Roles, prefix, func(r *identity.Role) string { return r.Path })
	if err != nil {
		return nil, err
	}
	out := &api.ListRolesOutput{Roles: []api.Role{}}
	roles, out.IsTruncated, out.Marker = call.Cut(h.env, w, roles, func(r identity.Role) string { return identity.Fold(r.Name) })
	for _, r := range roles {
		out.Roles = append(out.Roles, *view.ListedRole(&r))
	}
	return out, nil
}

// UpdateRole changes description and session duration; what is not given stays.
func (h *Handler) UpdateRole(ctx context.Context, in *api.UpdateRoleInput) (*api.UpdateRoleOutput, error) {
	err := h.env.Store.Update(ctx, func(tx store.Tx) error {
		role, err := look.Role(ctx, tx, *in.RoleName)
		if err != nil {
			return err
		}
		if in.MaxSessionDuration != nil {
			if role.LinkedTo != "" {
				return api.UnmodifiableEntityException(role.Name + " is an AWS service linked role, max session duration cannot be changed.")
			}
			role.MaxSession = *in.MaxSessionDuration
		}
		role.Description = call.Deref(in.Description, role.Description)
		return tables.Roles.Put(tx, &role)
	})
	return &api.UpdateRoleOutput{}, err
}

// UpdateRoleDescription changes a role's description.
func (h *Handler) UpdateRoleDescription(ctx context.Context, in *api.UpdateRoleDescriptionInput) (*api.UpdateRoleDescriptionOutput, error) {
	var role identity.Role
	err := h.env.Store.Update(ctx, func(tx store.Tx) (err error) {
		if role, err = look.Role(ctx, tx, *in.RoleName); err != nil {
			return err
		}
		role.Description = *in.Description
		return tables.Roles.Put(tx, &role)
	})
	if err != nil {
		return nil, err
	}
	v := view.BareRole(&role)
	view.DescribeRole(v, &role)
	return &api.UpdateRoleDescriptionOutput{Role: v}, nil
}

// UpdateAssumeRolePolicy replaces a role's trust policy.
func (h *Handler) UpdateAssumeRolePolicy(ctx context.Context, in *api.UpdateAssumeRolePolicyInput) (*api.UpdateAssumeRolePolicyOutput, error) {
	doc, err := checkTrust(*in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	err = h.change(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		r.Trust = *in.PolicyDocument
		return checkPrincipals(tx, r.Account, doc)
	})
	return &api.UpdateAssumeRolePolicyOutput{}, err
}

// DeleteRole deletes a role without policies.
func (h *Handler) DeleteRole(ctx context.Context, in *api.DeleteRoleInput) (*api.DeleteRoleOutput, error) {
	err := h.env.Store.Update(ctx, func(tx store.Tx) error {
		role, err := look.Role(ctx, tx, *in.RoleName)
		switch {
		case err != nil:
			return err
		case role.LinkedTo != "":
			return look.Protected(role.Name)
		}
		if identities.Profiles.CountBy(tx, identities.ProfilesByRole, role.Account, identity.Fold(role.Name)) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		if err := grant.Removable(&role.Grants); err != nil {
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
