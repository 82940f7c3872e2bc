package role

import (
	"context"

	api "neargate/aws/iam"
)

// PutRolePolicy adds or replaces an inline policy.
func (h *Handler) PutRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	return &api.PutRolePolicyOutput{}, h.policies.Put(ctx, in.RoleName, in.PolicyName, in.PolicyDocument)
}

// GetRolePolicy returns an inline policy, under the spelling asked for.
func (h *Handler) GetRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	owner, document, err := h.policies.Get(ctx, in.RoleName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetRolePolicyOutput{RoleName: owner, PolicyName: in.PolicyName, PolicyDocument: document}, nil
}

// DeleteRolePolicy deletes an inline policy.
func (h *Handler) DeleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	return &api.DeleteRolePolicyOutput{}, h.policies.Drop(ctx, in.RoleName, in.PolicyName)
}

// ListRolePolicies lists the names of inline policies.
func (h *Handler) ListRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (out *api.ListRolePoliciesOutput, err error) {
	out = &api.ListRolePoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker, err = h.policies.Names(ctx, "ListRolePolicies", in.RoleName, in.Marker, in.MaxItems)
	return out, err
}

// AttachRolePolicy attaches a managed policy.
func (h *Handler) AttachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	return &api.AttachRolePolicyOutput{}, h.policies.Attach(ctx, in.RoleName, in.PolicyArn)
}

// DetachRolePolicy detaches a managed policy.
func (h *Handler) DetachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	return &api.DetachRolePolicyOutput{}, h.policies.Detach(ctx, in.RoleName, in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies attached to a role.
func (h *Handler) ListAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (out *api.ListAttachedRolePoliciesOutput, err error) {
	out = &api.ListAttachedRolePoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = h.policies.Attached(ctx, "ListAttachedRolePolicies", in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

// PutRolePermissionsBoundary sets a role's permissions boundary.
func (h *Handler) PutRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	return &api.PutRolePermissionsBoundaryOutput{}, h.policies.Bound(ctx, in.RoleName, in.PermissionsBoundary)
}

// DeleteRolePermissionsBoundary removes a role's permissions boundary.
func (h *Handler) DeleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return &api.DeleteRolePermissionsBoundaryOutput{}, h.policies.Unbound(ctx, in.RoleName)
}
