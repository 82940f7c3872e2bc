package role

import (
	"context"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/store"
)

// PutRolePolicy adds or replaces an inline policy.
func (h *Handler) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	if _, err := policy.Check(*in.PolicyDocument, policy.Inline); err != nil {
		return nil, call.Malformed(err)
	}
	return &api.PutRolePolicyOutput{}, h.change(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return grant.Roles.Put(&r.Grants, r.Name, *in.PolicyName, *in.PolicyDocument)
	})
}

// GetRolePolicy returns an inline policy, under the spelling asked for.
func (h *Handler) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	role, err := h.view(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := grant.Roles.Inline(&role.Grants, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetRolePolicyOutput{RoleName: &role.Name, PolicyName: in.PolicyName, PolicyDocument: call.Encode(p.Document)}, nil
}

// DeleteRolePolicy deletes an inline policy.
func (h *Handler) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	return &api.DeleteRolePolicyOutput{}, h.change(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return grant.Roles.Drop(&r.Grants, *in.PolicyName)
	})
}

// ListRolePolicies lists the names of inline policies.
func (h *Handler) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (*api.ListRolePoliciesOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListRolePolicies", identity.Fold(*in.RoleName))
	if err != nil {
		return nil, err
	}
	role, err := h.view(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &api.ListRolePoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker = call.Cut(h.env, w, grant.InlineNames(&role.Grants), identity.Fold)
	return out, nil
}

// AttachRolePolicy attaches a managed policy.
func (h *Handler) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	return &api.AttachRolePolicyOutput{}, h.change(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		return grant.Roles.Attach(ctx, tx, &r.Grants, *in.PolicyArn)
	})
}

// DetachRolePolicy detaches a managed policy.
func (h *Handler) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	return &api.DetachRolePolicyOutput{}, h.change(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return grant.Detach(&r.Grants, *in.PolicyArn)
	})
}

// ListAttachedRolePolicies lists the managed policies attached to a role.
func (h *Handler) ListAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (*api.ListAttachedRolePoliciesOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListAttachedRolePolicies", identity.Fold(*in.RoleName), prefix)
	if err != nil {
		return nil, err
	}
	role, err := h.view(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAttachedRolePoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker = call.Numbered(h.env, w, grant.AttachedUnder(&role.Grants, prefix))
	return out, nil
}

// PutRolePermissionsBoundary sets a role's permissions boundary.
func (h *Handler) PutRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	return &api.PutRolePermissionsBoundaryOutput{}, h.change(ctx, in.RoleName, func(tx store.Tx, r *identity.Role) error {
		return grant.Bound(ctx, tx, &r.Grants, *in.PermissionsBoundary)
	})
}

// DeleteRolePermissionsBoundary removes a role's permissions boundary.
func (h *Handler) DeleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return &api.DeleteRolePermissionsBoundaryOutput{}, h.change(ctx, in.RoleName, func(_ store.Tx, r *identity.Role) error {
		return grant.Roles.Unbound(&r.Grants, r.Name)
	})
}
