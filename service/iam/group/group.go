// Package group answers IAM's operations on groups and their members.
package group

import (
	"context"
	"slices"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Quotas of an account, as AWS sets them by default.
const (
	maxGroups = 300
	maxJoined = 10
)

// Handler answers the operations.
type Handler struct {
	env      call.Env
	policies grant.Policies
}

// New makes the handler.
func New(e call.Env) *Handler {
	h := &Handler{env: e}
	h.policies = grant.Of(e, grant.Groups, h.view, h.change, func(g *identity.Group) (string, *identity.Grants) { return g.Name, &g.Grants })
	return h
}

// change lets f change a group and stores it.
func (h *Handler) change(ctx context.Context, name *string, f func(store.Tx, *identity.Group) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		g, err := look.Group(ctx, tx, *name)
		if err != nil {
			return err
		}
		if err := f(tx, &g); err != nil {
			return err
		}
		return identities.Groups.Put(tx, &g)
	})
}

// view reads a group.
func (h *Handler) view(ctx context.Context, name *string) (g identity.Group, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		g, err = look.Group(ctx, tx, *name)
		return err
	})
	return g, err
}

// taken refuses a group name that is in use.
func taken(tx store.Tx, account, name string) error {
	_, ok, err := identities.Groups.Find(tx, account, identity.Fold(name))
	if err == nil && ok {
		err = api.EntityAlreadyExistsException("Group with name " + name + " already exists.")
	}
	return err
}

// CreateGroup makes a group.
func (h *Handler) CreateGroup(ctx context.Context, in *api.CreateGroupInput) (*api.CreateGroupOutput, error) {
	g := identity.Group{
		Account: auth.CallerFrom(ctx).Account, Path: call.Deref(in.Path, "/"), Name: *in.GroupName,
		ID: h.env.IDs.IAM("AGPA"), CreatedAt: h.env.Time(),
	}
	err := h.env.Store.Update(ctx, func(tx store.Tx) error {
		if err := taken(tx, g.Account, g.Name); err != nil {
			return err
		}
		if tx.Count(store.Prefix(identities.Groups.Name, g.Account)) >= maxGroups {
			return call.Quota("GroupsPerAccount", maxGroups)
		}
		return identities.Groups.Put(tx, &g)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateGroupOutput{Group: view.Group(&g)}, nil
}

// GetGroup describes a group and lists its members by name.
func (h *Handler) GetGroup(ctx context.Context, in *api.GetGroupInput) (*api.GetGroupOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "GetGroup", identity.Fold(*in.GroupName))
	if err != nil {
		return nil, err
	}
	out := &api.GetGroupOutput{Users: []api.User{}}
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		g, err := look.Group(ctx, tx, *in.GroupName)
		if err != nil {
			return err
		}
		members, err := store.Collect(tables.Users.By(tx, tables.UsersByGroup, g.Account, g.ID))
		if err != nil {
			return err
		}
		out.Group = view.Group(&g)
		members, out.IsTruncated, out.Marker = call.Cut(h.env, w, members, func(u identity.User) string { return identity.Fold(u.Name) })
		for _, u := range members {
			out.Users = append(out.Users, *view.ListedUser(&u))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListGroups lists groups by name.
func (h *Handler) ListGroups(ctx context.Context, in *api.ListGroupsInput) (*api.ListGroupsOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListGroups", prefix)
	if err != nil {
		return nil, err
	}
	found, err := call.Listed(ctx, h.env, w, identities.Groups, prefix, func(g *identity.Group) string { return g.Path })
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsOutput{Groups: []api.Group{}}
	found, out.IsTruncated, out.Marker = call.Cut(h.env, w, found, func(g identity.Group) string { return identity.Fold(g.Name) })
	for _, g := range found {
		out.Groups = append(out.Groups, *view.Group(&g))
	}
	return out, nil
}

// UpdateGroup gives a group another name or path. Its id and its members stay.
func (h *Handler) UpdateGroup(ctx context.Context, in *api.UpdateGroupInput) (*api.UpdateGroupOutput, error) {
	return &api.UpdateGroupOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		g, err := look.Group(ctx, tx, *in.GroupName)
		if err != nil {
			return err
		}
		old := identity.Fold(g.Name)
		g.Path, g.Name = call.Deref(in.NewPath, g.Path), call.Deref(in.NewGroupName, g.Name)
		if identity.Fold(g.Name) != old {
			if err := taken(tx, g.Account, g.Name); err != nil {
				return err
			}
			if err := identities.Groups.Delete(tx, g.Account, old); err != nil {
				return err
			}
		}
		return identities.Groups.Put(tx, &g)
	})
}

// DeleteGroup deletes a group without members and policies.
func (h *Handler) DeleteGroup(ctx context.Context, in *api.DeleteGroupInput) (*api.DeleteGroupOutput, error) {
	return &api.DeleteGroupOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		g, err := look.Group(ctx, tx, *in.GroupName)
		if err != nil {
			return err
		}
		if tables.Users.CountBy(tx, tables.UsersByGroup, g.Account, g.ID) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		if err := grant.Removable(&g.Grants); err != nil {
			return err
		}
		return identities.Groups.Delete(tx, g.Account, identity.Fold(g.Name))
	})
}

// AddUserToGroup makes a user a member; a member stays one.
func (h *Handler) AddUserToGroup(ctx context.Context, in *api.AddUserToGroupInput) (*api.AddUserToGroupOutput, error) {
	return &api.AddUserToGroupOutput{}, h.members(ctx, in.GroupName, in.UserName, func(g *identity.Group, u *identity.User) error {
		switch {
		case slices.Contains(u.Groups, g.ID):
			return nil
		case len(u.Groups) >= maxJoined:
			return call.Quota("GroupsPerUser", maxJoined)
		}
		u.Groups = append(slices.Clip(u.Groups), g.ID)
		return nil
	})
}

// RemoveUserFromGroup ends a membership.
func (h *Handler) RemoveUserFromGroup(ctx context.Context, in *api.RemoveUserFromGroupInput) (*api.RemoveUserFromGroupOutput, error) {
	return &api.RemoveUserFromGroupOutput{}, h.members(ctx, in.GroupName, in.UserName, func(g *identity.Group, u *identity.User) error {
		i := slices.Index(u.Groups, g.ID)
		if i < 0 {
			return api.NoSuchEntityException("User " + u.Name + " not in group " + g.Name)
		}
		u.Groups = slices.Delete(slices.Clone(u.Groups), i, i+1)
		return nil
	})
}

// members lets f change the groups of a user and stores the user.
func (h *Handler) members(ctx context.Context, group, user *string, f func(*identity.Group, *identity.User) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		g, err := look.Group(ctx, tx, *group)
		if err != nil {
			return err
		}
		u, err := look.User(ctx, tx, *user)
		if err != nil {
			return err
		}
		if err := f(&g, &u); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	})
}

// ListGroupsForUser lists the groups of a user by name.
func (h *Handler) ListGroupsForUser(ctx context.Context, in *api.ListGroupsForUserInput) (*api.ListGroupsForUserOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListGroupsForUser", identity.Fold(*in.UserName))
	if err != nil {
		return nil, err
	}
	var found []identity.Group
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		found, err = look.Groups(tx, &u)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsForUserOutput{Groups: []api.Group{}}
	found, out.IsTruncated, out.Marker = call.Cut(h.env, w, found, func(g identity.Group) string { return identity.Fold(g.Name) })
	for _, g := range found {
		out.Groups = append(out.Groups, *view.Group(&g))
	}
	return out, nil
}
