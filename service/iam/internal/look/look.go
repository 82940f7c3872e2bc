// Package look finds the caller's records by name, in any case, with IAM's errors
// for those that are not there.
package look

import (
	"context"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
)

// Role returns the caller's role with the name, in any case.
func Role(ctx context.Context, tx store.Tx, name string) (identity.Role, error) {
	r, ok, err := tables.Roles.Find(tx, auth.CallerFrom(ctx).Account, identity.Fold(name))
	if err == nil && !ok {
		err = api.NoSuchEntityException("The role with name " + name + " cannot be found.")
	}
	return r, err
}

// User returns the caller's user with the name, in any case.
func User(ctx context.Context, tx store.Tx, name string) (identity.User, error) {
	u, ok, err := tables.Users.Find(tx, auth.CallerFrom(ctx).Account, identity.Fold(name))
	if err == nil && !ok {
		err = api.NoSuchEntityException("The user with name " + name + " cannot be found.")
	}
	return u, err
}

// Group returns the caller's group with the name, in any case.
func Group(ctx context.Context, tx store.Tx, name string) (identity.Group, error) {
	g, ok, err := identities.Groups.Find(tx, auth.CallerFrom(ctx).Account, identity.Fold(name))
	if err == nil && !ok {
		err = api.NoSuchEntityException("The group with name " + name + " cannot be found.")
	}
	return g, err
}

// Profile returns the caller's instance profile with the name, in any case.
func Profile(ctx context.Context, tx store.Tx, name string) (identity.Profile, error) {
	p, ok, err := identities.Profiles.Find(tx, auth.CallerFrom(ctx).Account, identity.Fold(name))
	if err == nil && !ok {
		err = api.NoSuchEntityException("Instance Profile " + name + " cannot be found.")
	}
	return p, err
}

// Groups returns the groups of a user, by name.
func Groups(tx store.Tx, u *identity.User) ([]identity.Group, error) {
	var out []identity.Group
	for _, id := range u.Groups {
		g, ok, err := identities.FindGroup(tx, u.Account, id)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b identity.Group) int { return strings.Compare(identity.Fold(a.Name), identity.Fold(b.Name)) })
	return out, nil
}

// Protected refuses to change a service-linked role.
func Protected(role string) error {
	return api.UnmodifiableEntityException("Cannot perform the operation on the protected role '" + role +
		"' - this role is only modifiable by AWS")
}

// Self is the name of the user who calls, "" for the root user. Callers who are
// neither have to name one.
func Self(ctx context.Context, tx store.Tx) (string, error) {
	c := auth.CallerFrom(ctx)
	if c.Root() {
		return "", nil
	}
	key, ok, err := tables.AccessKeys.Find(tx, c.AccessKeyID)
	if err == nil && !ok {
		err = call.Invalid("Must specify userName when calling with non-User credentials")
	}
	return key.User, err
}
