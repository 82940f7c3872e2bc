package managed

import (
	"context"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/tag"
	"neargate/store"
)

// TagPolicy adds tags to a customer managed policy.
func (h *Handler) TagPolicy(ctx context.Context, in *api.TagPolicyInput) (*api.TagPolicyOutput, error) {
	return &api.TagPolicyOutput{}, h.change(ctx, "TagPolicy", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) (err error) {
		p.Tags, err = tag.Add(p.Tags, in.Tags, false)
		return err
	})
}

// UntagPolicy removes tags from a customer managed policy.
func (h *Handler) UntagPolicy(ctx context.Context, in *api.UntagPolicyInput) (*api.UntagPolicyOutput, error) {
	return &api.UntagPolicyOutput{}, h.change(ctx, "UntagPolicy", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		p.Tags = tag.Drop(p.Tags, in.TagKeys, false)
		return nil
	})
}

// ListPolicyTags lists the tags of a managed policy.
func (h *Handler) ListPolicyTags(ctx context.Context, in *api.ListPolicyTagsInput) (*api.ListPolicyTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListPolicyTags", *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := h.view(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListPolicyTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(p.Tags))
	return out, nil
}
