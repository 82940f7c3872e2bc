package group

import (
	"context"

	api "neargate/aws/iam"
)

// PutGroupPolicy adds or replaces an inline policy.
func (h *Handler) PutGroupPolicy(ctx context.Context, in *api.PutGroupPolicyInput) (*api.PutGroupPolicyOutput, error) {
	return &api.PutGroupPolicyOutput{}, h.policies.Put(ctx, in.GroupName, in.PolicyName, in.PolicyDocument)
}

// GetGroupPolicy returns an inline policy, under the spelling asked for.
func (h *Handler) GetGroupPolicy(ctx context.Context, in *api.GetGroupPolicyInput) (*api.GetGroupPolicyOutput, error) {
	owner, document, err := h.policies.Get(ctx, in.GroupName, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetGroupPolicyOutput{GroupName: owner, PolicyName: in.PolicyName, PolicyDocument: document}, nil
}

// DeleteGroupPolicy deletes an inline policy.
func (h *Handler) DeleteGroupPolicy(ctx context.Context, in *api.DeleteGroupPolicyInput) (*api.DeleteGroupPolicyOutput, error) {
	return &api.DeleteGroupPolicyOutput{}, h.policies.Drop(ctx, in.GroupName, in.PolicyName)
}

// ListGroupPolicies lists the names of inline policies.
func (h *Handler) ListGroupPolicies(ctx context.Context, in *api.ListGroupPoliciesInput) (out *api.ListGroupPoliciesOutput, err error) {
	out = &api.ListGroupPoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker, err = h.policies.Names(ctx, "ListGroupPolicies", in.GroupName, in.Marker, in.MaxItems)
	return out, err
}

// AttachGroupPolicy attaches a managed policy.
func (h *Handler) AttachGroupPolicy(ctx context.Context, in *api.AttachGroupPolicyInput) (*api.AttachGroupPolicyOutput, error) {
	return &api.AttachGroupPolicyOutput{}, h.policies.Attach(ctx, in.GroupName, in.PolicyArn)
}

// DetachGroupPolicy detaches a managed policy.
func (h *Handler) DetachGroupPolicy(ctx context.Context, in *api.DetachGroupPolicyInput) (*api.DetachGroupPolicyOutput, error) {
	return &api.DetachGroupPolicyOutput{}, h.policies.Detach(ctx, in.GroupName, in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies attached to a group.
func (h *Handler) ListAttachedGroupPolicies(ctx context.Context, in *api.ListAttachedGroupPoliciesInput) (out *api.ListAttachedGroupPoliciesOutput, err error) {
	out = &api.ListAttachedGroupPoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = h.policies.Attached(ctx, "ListAttachedGroupPolicies", in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}
