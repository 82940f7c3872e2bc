package user

import (
	"context"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/tag"
	"neargate/store"
)

// TagUser adds tags to a user.
func (h *Handler) TagUser(ctx context.Context, in *api.TagUserInput) (*api.TagUserOutput, error) {
	return &api.TagUserOutput{}, h.change(ctx, in.UserName, func(_ store.Tx, u *identity.User) (err error) {
		u.Tags, err = tag.Add(u.Tags, in.Tags, true)
		return err
	})
}

// UntagUser removes tags from a user.
func (h *Handler) UntagUser(ctx context.Context, in *api.UntagUserInput) (*api.UntagUserOutput, error) {
	return &api.UntagUserOutput{}, h.change(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		u.Tags = tag.Drop(u.Tags, in.TagKeys, true)
		return nil
	})
}

// ListUserTags lists the tags of a user.
func (h *Handler) ListUserTags(ctx context.Context, in *api.ListUserTagsInput) (*api.ListUserTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListUserTags", identity.Fold(*in.UserName))
	if err != nil {
		return nil, err
	}
	user, err := h.view(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListUserTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(user.Tags))
	return out, nil
}
