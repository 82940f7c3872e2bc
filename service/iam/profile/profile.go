// Package profile answers IAM's operations on instance profiles.
package profile

import (
	"context"
	"errors"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/tag"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Quotas, as AWS sets them.
const (
	maxProfiles = 1000
	maxRoles    = 1
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }

// change lets f change an instance profile and stores it.
func (h *Handler) change(ctx context.Context, name *string, f func(store.Tx, *identity.Profile) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := look.Profile(ctx, tx, *name)
		if err != nil {
			return err
		}
		if err := f(tx, &p); err != nil {
			return err
		}
		return identities.Profiles.Put(tx, &p)
	})
}

// shown is an instance profile with its role.
func shown(tx store.Tx, p *identity.Profile) (*api.InstanceProfile, error) {
	if p.Role == "" {
		return view.Profile(p, nil), nil
	}
	r, ok, err := tables.Roles.Find(tx, p.Account, identity.Fold(p.Role))
	if err != nil || !ok {
		return view.Profile(p, nil), err
	}
	return view.Profile(p, &r), nil
}

// CreateInstanceProfile makes an instance profile without a role.
func (h *Handler) CreateInstanceProfile(ctx context.Context, in *api.CreateInstanceProfileInput) (*api.CreateInstanceProfileOutput, error) {
	p := identity.Profile{
		Account: auth.CallerFrom(ctx).Account, Path: call.Deref(in.Path, "/"), Name: *in.InstanceProfileName,
		ID: h.env.IDs.IAM("AIPA"), CreatedAt: h.env.Time(),
	}
	var err error
	if p.Tags, err = tag.Merge(nil, in.Tags, true); err != nil {
		return nil, err
	}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := identities.Profiles.Find(tx, p.Account, identity.Fold(p.Name)); ok || err != nil {
			return call.Either(err, api.EntityAlreadyExistsException("Instance Profile "+p.Name+" already exists."))
		}
		if tx.Count(store.Prefix(identities.Profiles.Name, p.Account)) >= maxProfiles {
			return call.Quota("InstanceProfilesPerAccount", maxProfiles)
		}
		return identities.Profiles.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	v := view.Profile(&p, nil)
	v.Tags = tag.List(p.Tags)
	return &api.CreateInstanceProfileOutput{InstanceProfile: v}, nil
}

// GetInstanceProfile describes an instance profile.
func (h *Handler) GetInstanceProfile(ctx context.Context, in *api.GetInstanceProfileInput) (*api.GetInstanceProfileOutput, error) {
	out := &api.GetInstanceProfileOutput{}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		p, err := look.Profile(ctx, tx, *in.InstanceProfileName)
		if err != nil {
			return err
		}
		if out.InstanceProfile, err = shown(tx, &p); err == nil {
			out.InstanceProfile.Tags = tag.List(p.Tags)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteInstanceProfile deletes an instance profile without a role.
func (h *Handler) DeleteInstanceProfile(ctx context.Context, in *api.DeleteInstanceProfileInput) (*api.DeleteInstanceProfileOutput, error) {
	return &api.DeleteInstanceProfileOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := look.Profile(ctx, tx, *in.InstanceProfileName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		return identities.Profiles.Delete(tx, p.Account, identity.Fold(p.Name))
	})
}

// AddRoleToInstanceProfile gives an instance profile its role.
func (h *Handler) AddRoleToInstanceProfile(ctx context.Context, in *api.AddRoleToInstanceProfileInput) (*api.AddRoleToInstanceProfileOutput, error) {
	return &api.AddRoleToInstanceProfileOutput{}, h.change(ctx, in.InstanceProfileName, func(tx store.Tx, p *identity.Profile) error {
		r, err := look.Role(ctx, tx, *in.RoleName)
		switch {
		case err != nil:
			return err
		case r.LinkedTo != "":
			return look.Protected(r.Name)
		case p.Role != "":
			return call.Quota("InstanceSessionsPerInstanceProfile", maxRoles)
		}
		err = auth.MayPass(tx, auth.CallerFrom(ctx), h.env.Now(), r.ARN(), "ec2.amazonaws.com")
		if denied, ok := errors.AsType[*auth.Denied](err); ok {
			return call.Denied(denied)
		}
		p.Role = r.Name
		return err
	})
}

// RemoveRoleFromInstanceProfile takes the role from an instance profile.
func (h *Handler) RemoveRoleFromInstanceProfile(ctx context.Context, in *api.RemoveRoleFromInstanceProfileInput) (*api.RemoveRoleFromInstanceProfileOutput, error) {
	return &api.RemoveRoleFromInstanceProfileOutput{}, h.change(ctx, in.InstanceProfileName, func(_ store.Tx, p *identity.Profile) error {
		if identity.Fold(p.Role) != identity.Fold(*in.RoleName) {
			return api.NoSuchEntityException("The role with name " + *in.RoleName + " cannot be found.")
		}
		p.Role = ""
		return nil
	})
}

// ListInstanceProfiles lists instance profiles by name.
func (h *Handler) ListInstanceProfiles(ctx context.Context, in *api.ListInstanceProfilesInput) (*api.ListInstanceProfilesOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListInstanceProfiles", prefix)
	if err != nil {
		return nil, err
	}
	found, err := call.Listed(ctx, h.env, w, identities.Profiles, prefix, func(p *identity.Profile) string { return p.Path })
	if err != nil {
		return nil, err
	}
	out := &api.ListInstanceProfilesOutput{}
	found, out.IsTruncated, out.Marker = call.Cut(h.env, w, found, byName)
	out.InstanceProfiles, err = h.all(ctx, found)
	return out, err
}

// ListInstanceProfilesForRole lists the instance profiles with a role by name.
func (h *Handler) ListInstanceProfilesForRole(ctx context.Context, in *api.ListInstanceProfilesForRoleInput) (*api.ListInstanceProfilesForRoleOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListInstanceProfilesForRole", identity.Fold(*in.RoleName))
	if err != nil {
		return nil, err
	}
	var found []identity.Profile
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		r, err := look.Role(ctx, tx, *in.RoleName)
		if err != nil {
			return err
		}
		found, err = store.Collect(identities.Profiles.By(tx, identities.ProfilesByRole, r.Account, identity.Fold(r.Name)))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListInstanceProfilesForRoleOutput{}
	found, out.IsTruncated, out.Marker = call.Cut(h.env, w, found, byName)
	out.InstanceProfiles, err = h.all(ctx, found)
	return out, err
}

func byName(p identity.Profile) string { return identity.Fold(p.Name) }

// all are instance profiles with their roles.
func (h *Handler) all(ctx context.Context, profiles []identity.Profile) (out []api.InstanceProfile, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		out = []api.InstanceProfile{}
		for _, p := range profiles {
			v, err := shown(tx, &p)
			if err != nil {
				return err
			}
			out = append(out, *v)
		}
		return nil
	})
	return out, err
}

// TagInstanceProfile adds tags to an instance profile.
func (h *Handler) TagInstanceProfile(ctx context.Context, in *api.TagInstanceProfileInput) (*api.TagInstanceProfileOutput, error) {
	return &api.TagInstanceProfileOutput{}, h.change(ctx, in.InstanceProfileName, func(_ store.Tx, p *identity.Profile) (err error) {
		p.Tags, err = tag.Add(p.Tags, in.Tags, true)
		return err
	})
}

// UntagInstanceProfile removes tags from an instance profile.
func (h *Handler) UntagInstanceProfile(ctx context.Context, in *api.UntagInstanceProfileInput) (*api.UntagInstanceProfileOutput, error) {
	return &api.UntagInstanceProfileOutput{}, h.change(ctx, in.InstanceProfileName, func(_ store.Tx, p *identity.Profile) error {
		p.Tags = tag.Drop(p.Tags, in.TagKeys, true)
		return nil
	})
}

// ListInstanceProfileTags lists the tags of an instance profile.
func (h *Handler) ListInstanceProfileTags(ctx context.Context, in *api.ListInstanceProfileTagsInput) (*api.ListInstanceProfileTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListInstanceProfileTags", identity.Fold(*in.InstanceProfileName))
	if err != nil {
		return nil, err
	}
	out := &api.ListInstanceProfileTagsOutput{}
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		p, err := look.Profile(ctx, tx, *in.InstanceProfileName)
		if err == nil {
			out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(p.Tags))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
