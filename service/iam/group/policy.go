package group

import (
	"context"

	"neargate/auth/policy"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/store"
)

// PutGroupPolicy adds or replaces an inline policy.
func (h *Handler) PutGroupPolicy(ctx context.Context, in *api.PutGroupPolicyInput) (*api.PutGroupPolicyOutput, error) {
	if _, err := policy.Check(*in.PolicyDocument, policy.Inline); err != nil {
		return nil, call.Malformed(err)
	}
	return &api.PutGroupPolicyOutput{}, h.change(ctx, in.GroupName, func(_ store.Tx, g *identity.Group) error {
		return grant.Groups.Put(&g.Grants, g.Name, *in.PolicyName, *in.PolicyDocument)
	})
}

// GetGroupPolicy returns an inline policy, under the spelling asked for.
func (h *Handler) GetGroupPolicy(ctx context.Context, in *api.GetGroupPolicyInput) (*api.GetGroupPolicyOutput, error) {
	group, err := h.view(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	p, err := grant.Groups.Inline(&group.Grants, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &api.GetGroupPolicyOutput{GroupName: &group.Name, PolicyName: in.PolicyName, PolicyDocument: call.Encode(p.Document)}, nil
}

// DeleteGroupPolicy deletes an inline policy.
func (h *Handler) DeleteGroupPolicy(ctx context.Context, in *api.DeleteGroupPolicyInput) (*api.DeleteGroupPolicyOutput, error) {
	return &api.DeleteGroupPolicyOutput{}, h.change(ctx, in.GroupName, func(_ store.Tx, g *identity.Group) error {
		return grant.Groups.Drop(&g.Grants, *in.PolicyName)
	})
}

// ListGroupPolicies lists the names of inline policies.
func (h *Handler) ListGroupPolicies(ctx context.Context, in *api.ListGroupPoliciesInput) (*api.ListGroupPoliciesOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListGroupPolicies", identity.Fold(*in.GroupName))
	if err != nil {
		return nil, err
	}
	group, err := h.view(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupPoliciesOutput{}
	out.PolicyNames, out.IsTruncated, out.Marker = call.Cut(h.env, w, grant.InlineNames(&group.Grants), identity.Fold)
	return out, nil
}

// AttachGroupPolicy attaches a managed policy.
func (h *Handler) AttachGroupPolicy(ctx context.Context, in *api.AttachGroupPolicyInput) (*api.AttachGroupPolicyOutput, error) {
	return &api.AttachGroupPolicyOutput{}, h.change(ctx, in.GroupName, func(tx store.Tx, g *identity.Group) error {
		return grant.Groups.Attach(ctx, tx, &g.Grants, *in.PolicyArn)
	})
}

// DetachGroupPolicy detaches a managed policy.
func (h *Handler) DetachGroupPolicy(ctx context.Context, in *api.DetachGroupPolicyInput) (*api.DetachGroupPolicyOutput, error) {
	return &api.DetachGroupPolicyOutput{}, h.change(ctx, in.GroupName, func(_ store.Tx, g *identity.Group) error {
		return grant.Detach(&g.Grants, *in.PolicyArn)
	})
}

// ListAttachedGroupPolicies lists the managed policies attached to a group.
func (h *Handler) ListAttachedGroupPolicies(ctx context.Context, in *api.ListAttachedGroupPoliciesInput) (*api.ListAttachedGroupPoliciesOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListAttachedGroupPolicies", identity.Fold(*in.GroupName), prefix)
	if err != nil {
		return nil, err
	}
	group, err := h.view(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	out := &api.ListAttachedGroupPoliciesOutput{}
	out.AttachedPolicies, out.IsTruncated, out.Marker = call.Numbered(h.env, w, grant.AttachedUnder(&group.Grants, prefix))
	return out, nil
}
