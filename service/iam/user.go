package iam

import (
	"context"
	"net/http"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// findUser returns the caller's user with the name, in any case.
func findUser(ctx context.Context, tx store.Tx, name string) (identity.User, error) {
	u, ok, err := tables.Users.Find(tx, auth.CallerFrom(ctx).Account, identity.Fold(name))
	if err == nil && !ok {
		err = api.NoSuchEntityException("The user with name " + name + " cannot be found.")
	}
	return u, err
}

// viewUser reads a user.
func (s *Service) viewUser(ctx context.Context, name *string) (u identity.User, err error) {
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		u, err = findUser(ctx, tx, *name)
		return err
	})
	return u, err
}

// changeUser lets f change a user and stores it.
func (s *Service) changeUser(ctx context.Context, name *string, f func(store.Tx, *identity.User) error) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		u, err := findUser(ctx, tx, *name)
		if err != nil {
			return err
		}
		if err := f(tx, &u); err != nil {
			return err
		}
		return tables.Users.Put(tx, &u)
	})
}

// selfName is the name of the user who calls, "" for the root user. Callers who
// are neither have to name one.
func selfName(tx store.Tx, c auth.Caller) (string, error) {
	if c.Root() {
		return "", nil
	}
	key, ok, err := tables.AccessKeys.Find(tx, c.AccessKeyID)
	if err == nil && !ok {
		err = invalid("Must specify userName when calling with non-User credentials")
	}
	return key.User, err
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
func (s *Service) CreateUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	account := auth.CallerFrom(ctx).Account
	user := identity.User{
		Account: account, Path: deref(in.Path, "/"), Name: *in.UserName, ID: s.deps.IDs.IAM("AIDA"), CreatedAt: s.now(),
	}
	var err error
	if user.Tags, err = mergeTags(nil, in.Tags, true); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if err := taken(tx, account, user.Name); err != nil {
			return err
		}
		if tx.Count(store.Prefix(tables.Users.Name, account)) >= maxUsers {
			return quota("UsersPerAccount", maxUsers)
		}
		if in.PermissionsBoundary != nil {
			if err := bound(ctx, tx, &user.Grants, *in.PermissionsBoundary); err != nil {
				return err
			}
		}
		return tables.Users.Put(tx, &user)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{User: fullUser(&user)}, nil
}

// GetUser describes a user, or the caller when no name is given.
func (s *Service) GetUser(ctx context.Context, in *api.GetUserInput) (*api.GetUserOutput, error) {
	caller, out := auth.CallerFrom(ctx), &api.GetUserOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		name := deref(in.UserName, "")
		if name == "" {
			if name, err = selfName(tx, caller); err != nil {
				return err
			}
		}
		if name == "" {
			out.User, err = rootUser(tx, caller)
			return err
		}
		u, err := findUser(ctx, tx, name)
		out.User = fullUser(&u)
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
func (s *Service) ListUsers(ctx context.Context, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	prefix := deref(in.PathPrefix, "/")
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListUsers", prefix)
	if err != nil {
		return nil, err
	}
	found, err := listed(ctx, s, w, tables.Users, prefix, func(u *identity.User) string { return u.Path })
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{Users: []api.User{}}
	found, out.IsTruncated, out.Marker = cut(s, w, found, func(u identity.User) string { return identity.Fold(u.Name) })
	for _, u := range found {
		out.Users = append(out.Users, *listedUser(&u))
	}
	return out, nil
}

// UpdateUser gives a user another name or path. Its access keys and its id stay.
func (s *Service) UpdateUser(ctx context.Context, in *api.UpdateUserInput) (*api.UpdateUserOutput, error) {
	return &api.UpdateUserOutput{}, s.deps.Store.Update(ctx, func(tx store.Tx) error {
		u, err := findUser(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		old := u
		u.Path, u.Name = deref(in.NewPath, u.Path), deref(in.NewUserName, u.Name)
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
func (s *Service) DeleteUser(ctx context.Context, in *api.DeleteUserInput) (*api.DeleteUserOutput, error) {
	return &api.DeleteUserOutput{}, s.deps.Store.Update(ctx, func(tx store.Tx) error {
		u, err := findUser(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		if err := removable(&u.Grants); err != nil {
			return err
		}
		if tables.AccessKeys.CountBy(tx, tables.AccessKeysByUser, u.Account, identity.Fold(u.Name)) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must delete access keys first.")
		}
		return tables.Users.Delete(tx, u.Account, identity.Fold(u.Name))
	})
}

// ListGroupsForUser lists the groups of a user. There is no operation that makes
// a group, so no user is in any.
func (s *Service) ListGroupsForUser(ctx context.Context, in *api.ListGroupsForUserInput) (*api.ListGroupsForUserOutput, error) {
	if _, err := s.window(ctx, in.Marker, in.MaxItems, "ListGroupsForUser"); err != nil {
		return nil, err
	}
	if _, err := s.viewUser(ctx, in.UserName); err != nil {
		return nil, err
	}
	return &api.ListGroupsForUserOutput{Groups: []api.Group{}, IsTruncated: new(false)}, nil
}
