package role

import (
	"context"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/tag"
	"neargate/store"
	"neargate/store/tables"
)

// tags lets f change the tags of a role; service-linked roles may be tagged.
func (h *Handler) tags(ctx context.Context, name *string, f func([]identity.Tag) ([]identity.Tag, error)) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		r, err := look.Role(ctx, tx, *name)
		if err != nil {
			return err
		}
		if r.Tags, err = f(r.Tags); err != nil {
			return err
		}
		return tables.Roles.Put(tx, &r)
	})
}

// TagRole adds tags to a role.
func (h *Handler) TagRole(ctx context.Context, in *api.TagRoleInput) (*api.TagRoleOutput, error) {
	return &api.TagRoleOutput{}, h.tags(ctx, in.RoleName, func(tags []identity.Tag) ([]identity.Tag, error) {
		return tag.Add(tags, in.Tags, true)
	})
}

// UntagRole removes tags from a role.
func (h *Handler) UntagRole(ctx context.Context, in *api.UntagRoleInput) (*api.UntagRoleOutput, error) {
	return &api.UntagRoleOutput{}, h.tags(ctx, in.RoleName, func(tags []identity.Tag) ([]identity.Tag, error) {
		return tag.Drop(tags, in.TagKeys, true), nil
	})
}

// ListRoleTags lists the tags of a role.
func (h *Handler) ListRoleTags(ctx context.Context, in *api.ListRoleTagsInput) (*api.ListRoleTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListRoleTags", identity.Fold(*in.RoleName))
	if err != nil {
		return nil, err
	}
	role, err := h.view(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &api.ListRoleTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(role.Tags))
	return out, nil
}
