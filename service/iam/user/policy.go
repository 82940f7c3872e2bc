package user

import (
	"context"

	api "neargate/aws/iam"
)

// PutUserPolicy adds or replaces an inline policy.
func (h *Handler) PutUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (*api.PutUserPolicyOutput, error) {
	return &api.PutUserPolicyOutput{}, h.policies.Put(ctx, in.UserName, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy returns an inline policy, under the spelling asked for.
func (h *Handler) GetUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (*api.GetUserPolicyOutput, error) {
	owner, document, err := h.policies.Get(ctx, in.UserName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetUserPolicyOutput{UserName: owner, PolicyName: in.PolicyName, PolicyDocument: document}, nil
}

// DeleteUserPolicy deletes an inline policy.
func (h *Handler) DeleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (*api.DeleteUserPolicyOutput, error) {
	return &api.DeleteUserPolicyOutput{}, h.policies.Drop(ctx, in.UserName, in.PolicyName)
}

// ListUserPolicies lists the names of inline policies.
func (h *Handler) ListUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (out *api.ListUserPoliciesOutput, err error) {
	out = &api.ListUserPoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker, err = h.policies.Names(ctx, "ListUserPolicies", in.UserName, in.Marker, in.MaxItems)
	return out, err
}

// AttachUserPolicy attaches a managed policy.
func (h *Handler) AttachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (*api.AttachUserPolicyOutput, error) {
	return &api.AttachUserPolicyOutput{}, h.policies.Attach(ctx, in.UserName, in.PolicyArn)
}

// DetachUserPolicy detaches a managed policy.
func (h *Handler) DetachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (*api.DetachUserPolicyOutput, error) {
	return &api.DetachUserPolicyOutput{}, h.policies.Detach(ctx, in.UserName, in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies attached to a user.
func (h *Handler) ListAttachedUserPolicies(ctx context.Context, in *api.ListAttachedUserPoliciesInput) (out *api.ListAttachedUserPoliciesOutput, err error) {
	out = &api.ListAttachedUserPoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = h.policies.Attached(ctx, "ListAttachedUserPolicies", in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

// PutUserPermissionsBoundary sets a user's permissions boundary.
func (h *Handler) PutUserPermissionsBoundary(ctx context.Context, in *api.PutUserPermissionsBoundaryInput) (*api.PutUserPermissionsBoundaryOutput, error) {
	return &api.PutUserPermissionsBoundaryOutput{}, h.policies.Bound(ctx, in.UserName, in.PermissionsBoundary)
}

// DeleteUserPermissionsBoundary removes a user's permissions boundary.
func (h *Handler) DeleteUserPermissionsBoundary(ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return &api.DeleteUserPermissionsBoundaryOutput{}, h.policies.Unbound(ctx, in.UserName)
}
