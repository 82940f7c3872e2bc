package user

import (
	"context"
	"net/http"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/service/iam/internal/look"
	"neargate/service/iam/internal/tag"
	"neargate/service/iam/internal/view"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
	"neargate/wire/shape"
)

// view reads a user.
func (h *Handler) view(ctx context.Context, name *string) (u identity.User, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		u, err = look.User(ctx, tx, *name)
		return err
	})
	return u, err
}

// change lets f change a user and stores it.
func (h *Handler) change(ctx context.Context, name *string, f func(store.Tx, *identity.User) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, *name)
		if err != nil {
			return err
		}
		if err := f(tx, &u); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	})
}

// taken refuses a user name that is in use.
func taken(tx store.Tx, account, name string) error {
	_, ok, err := tables.Users.Find(tx, account, identity.Fold(name))
	if err == nil && ok {
		err = api.EntityAlreadyExistsException("User with name " + name + " already exists.")
	}
	return err
}

// CreateUser makes a user.
func (h *Handler) CreateUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	account := auth.CallerFrom(ctx).Account
	user := identity.User{
		Account: account, Path: call.Deref(in.Path, "/"), Name: *in.UserName, ID: h.env.IDs.IAM("AIDA"), CreatedAt: h.env.Time(),
	}
	var err error
	if user.Tags, err = tag.Merge(nil, in.Tags, true); err != nil {
		return nil, err
	}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if err := taken(tx, account, user.Name); err != nil {
			return err
		}
		if tx.Count(store.Prefix(tables.Users.Name, account)) >= maxUsers {
			return call.Quota("UsersPerAccount", maxUsers)
		}
		if in.PermissionsBoundary != nil {
			if err := grant.Bound(ctx, tx, &user.Grants, *in.PermissionsBoundary); err != nil {
				return err
			}
		}
		return tables.Users.Put(tx, &user)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{User: view.FullUser(&user)}, nil
}

// GetUser describes a user, or the caller when no name is given.
func (h *Handler) GetUser(ctx context.Context, in *api.GetUserInput) (*api.GetUserOutput, error) {
	caller, out := auth.CallerFrom(ctx), &api.GetUserOutput{}
	err := h.env.Store.View(ctx, func(tx store.Tx) (err error) {
		name := call.Deref(in.UserName, "")
		if name == "" {
			if name, err = look.Self(ctx, tx); err != nil {
				return err
			}
		}
		if name == "" {
			out.User, err = rootUser(tx, caller)
			return err
		}
		u, err := look.User(ctx, tx, name)
		out.User = view.FullUser(&u)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// rootUser describes the root user, who has neither name nor path.
func rootUser(tx store.Tx, c auth.Caller) (*api.User, error) {
	a, ok, err := tables.Accounts.Find(tx, c.Account)
	if err == nil && !ok {
		err = shape.NewError("ServiceFailure", http.StatusInternalServerError, "The account is not known.")
	}
	return &api.User{UserId: &c.Account, Arn: &c.ARN, CreateDate: &a.CreatedAt}, err
}

// ListUsers lists users by name.
func (h *Handler) ListUsers(ctx context.Context, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	prefix := call.Deref(in.PathPrefix, "/")
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListUsers", prefix)
	if err != nil {
		return nil, err
	}
	found, err := call.Listed(ctx, h.env, w, tables.Users, prefix, func(u *identity.User) string { return u.Path })
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{Users: []api.User{}}
	found, out.IsTruncated, out.Marker = call.Cut(h.env, w, found, func(u identity.User) string { return identity.Fold(u.Name) })
	for _, u := range found {
		out.Users = append(out.Users, *view.ListedUser(&u))
	}
	return out, nil
}

// UpdateUser gives a user another name or path. Its access keys and its id stay.
func (h *Handler) UpdateUser(ctx context.Context, in *api.UpdateUserInput) (*api.UpdateUserOutput, error) {
	return &api.UpdateUserOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		old := u
		u.Path, u.Name = call.Deref(in.NewPath, u.Path), call.Deref(in.NewUserName, u.Name)
		if identity.Fold(u.Name) != identity.Fold(old.Name) {
			if err := taken(tx, u.Account, u.Name); err != nil {
				return err
			}
			if err := tables.Users.Delete(tx, u.Account, identity.Fold(old.Name)); err != nil {
				return err
			}
		}
		if err := tables.Users.Put(tx, &u); err != nil {
			return err
		}
		devices, err := store.Collect(identities.Devices.By(tx, identities.DevicesByUser, u.Account, u.ID))
		if err != nil {
			return err
		}
		for _, d := range devices {
			d.User = u.Name
			if err := identities.Devices.Put(tx, &d); err != nil {
				return err
			}
		}
		keys, err := keysOf(tx, u.Account, old.Name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			k.User = u.Name
			if err := tables.AccessKeys.Put(tx, &k); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteUser deletes a user without policies and access keys.
func (h *Handler) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (*api.DeleteUserOutput, error) {
	return &api.DeleteUserOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		if err := grant.Removable(&u.Grants); err != nil {
			return err
		}
		switch {
		case u.Login != nil:
			return api.DeleteConflictException("Cannot delete entity, must delete login profile first.")
		case len(u.Groups) > 0:
			return api.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		if identities.Devices.CountBy(tx, identities.DevicesByUser, u.Account, u.ID) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must delete MFA device first.")
		}
		if tables.AccessKeys.CountBy(tx, tables.AccessKeysByUser, u.Account, identity.Fold(u.Name)) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must delete access keys first.")
		}
		return tables.Users.Delete(tx, u.Account, identity.Fold(u.Name))
	})
}
