package iam

import (
	"context"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
)

// PutRolePolicy adds or replaces an inline policy.
func (s *Service) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	if _, err := policy.Check(*in.PolicyDocument, policy.Inline); err != nil {
		return nil, malformed(err)
	}
	return &api.PutRolePolicyOutput{}, s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return roles.put(&r.Grants, r.Name, *in.PolicyName, *in.PolicyDocument)
	})
}

// GetRolePolicy returns an inline policy, under the spelling asked for.
func (s *Service) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := roles.inline(&role.Grants, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetRolePolicyOutput{RoleName: &role.Name, PolicyName: in.PolicyName, PolicyDocument: encode(p.Document)}, nil
}

// DeleteRolePolicy deletes an inline policy.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	return &api.DeleteRolePolicyOutput{}, s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return roles.drop(&r.Grants, *in.PolicyName)
	})
}

// ListRolePolicies lists the names of inline policies.
func (s *Service) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (*api.ListRolePoliciesOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListRolePolicies", identity.Fold(*in.RoleName))
	if err != nil {
		return nil, err
	}
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolePoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker = cut(s, w, inlineNames(&role.Grants), identity.Fold)
	return out, nil
}

// AttachRolePolicy attaches a managed policy.
func (s *Service) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	return &api.AttachRolePolicyOutput{}, s.changeRole(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		return roles.attach(ctx, tx, &r.Grants, *in.PolicyArn)
	})
}

// DetachRolePolicy detaches a managed policy.
func (s *Service) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	return &api.DetachRolePolicyOutput{}, s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return detach(&r.Grants, *in.PolicyArn)
	})
}

// ListAttachedRolePolicies lists the managed policies attached to a role.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (*api.ListAttachedRolePoliciesOutput, error) {
	prefix := deref(in.PathPrefix, "/")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListAttachedRolePolicies", identity.Fold(*in.RoleName), prefix)
	if err != nil {
		return nil, err
	}
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAttachedRolePoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker = numbered(s, w, attachedUnder(&role.Grants, prefix))
	return out, nil
}

// PutRolePermissionsBoundary sets a role's permissions boundary.
func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	return &api.PutRolePermissionsBoundaryOutput{}, s.changeRole(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		return bound(ctx, tx, &r.Grants, *in.PermissionsBoundary)
	})
}

// DeleteRolePermissionsBoundary removes a role's permissions boundary.
func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return &api.DeleteRolePermissionsBoundaryOutput{}, s.changeRole(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return roles.unbound(&r.Grants, r.Name)
	})
}
