package account

import (
	"context"
	"net/http"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/look"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/identities"
	"neargate/wire/shape"
)

// errChanged refuses a change of what has changed meanwhile.
func errChanged() error {
	return api.ConcurrentModificationException("The request was rejected because multiple requests to change this object were submitted simultaneously.")
}

// policy is the password policy in effect.
func policy(tx store.Tx, account string) (identity.PasswordPolicy, error) {
	s, _, err := identities.Settings.Find(tx, account)
	if err != nil || s.Passwords == nil {
		return identity.DefaultPasswordPolicy(), err
	}
	return *s.Passwords, nil
}

// hash checks a new password of a user against the policy and hashes it. Hashing takes
// long, so it happens in no transaction.
func (h *Handler) hash(p *identity.PasswordPolicy, had *identity.Login, password string) (identity.Hashed, error) {
	if text := p.Violation(password); text != "" {
		return identity.Hashed{}, api.PasswordPolicyViolationException(text)
	}
	if had != nil && p.Reused(had, password) {
		return identity.Hashed{}, api.PasswordPolicyViolationException("Password cannot be one of the previous passwords")
	}
	return identity.HashPassword(password, h.env.IDs.Base62(22)), nil
}

// user reads a user with a password and the password policy.
func (h *Handler) user(ctx context.Context, name string) (u identity.User, p identity.PasswordPolicy, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		if u, err = look.User(ctx, tx, name); err != nil {
			return err
		}
		p, err = policy(tx, u.Account)
		return err
	})
	return u, p, err
}

func noLogin(user string) error {
	return api.NoSuchEntityException("Login Profile for User " + user + " cannot be found.")
}

func shown(u *identity.User) *api.LoginProfile {
	return &api.LoginProfile{UserName: &u.Name, CreateDate: &u.Login.CreatedAt, PasswordResetRequired: &u.Login.Reset}
}

// CreateLoginProfile gives a user a password.
func (h *Handler) CreateLoginProfile(ctx context.Context, in *api.CreateLoginProfileInput) (*api.CreateLoginProfileOutput, error) {
	_, rules, err := h.user(ctx, *in.UserName)
	if err != nil {
		return nil, err
	}
	hashed, err := h.hash(&rules, nil, *in.Password)
	if err != nil {
		return nil, err
	}
	now, out := h.env.Time(), &api.CreateLoginProfileOutput{}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, *in.UserName)
		if err != nil {
			return err
		}
		if u.Login != nil {
			return api.EntityAlreadyExistsException("Login Profile for user " + u.Name + " already exists.")
		}
		u.Login = &identity.Login{Hashed: hashed, CreatedAt: now, ChangedAt: now, Reset: call.Deref(in.PasswordResetRequired, false)}
		out.LoginProfile = shown(&u)
		return tables.Users.Put(tx, &u)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetLoginProfile says since when a user has a password.
func (h *Handler) GetLoginProfile(ctx context.Context, in *api.GetLoginProfileInput) (*api.GetLoginProfileOutput, error) {
	out := &api.GetLoginProfileOutput{}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		name := call.Deref(in.UserName, "")
		if name == "" {
			var err error
			if name, err = look.Self(ctx, tx); err != nil {
				return err
			}
		}
		u, err := look.User(ctx, tx, name)
		if err != nil {
			return err
		}
		if u.Login == nil {
			return noLogin(u.Name)
		}
		out.LoginProfile = shown(&u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// change replaces a user's login, which had to be what it still is.
func (h *Handler) login(ctx context.Context, had *identity.User, f func(*identity.Login)) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		u, err := look.User(ctx, tx, had.Name)
		if err != nil {
			return err
		}
		if u.Login == nil || u.Login.Salt != had.Login.Salt {
			return errChanged()
		}
		l := *u.Login
		f(&l)
		u.Login = &l
		return tables.Users.Put(tx, &u)
	})
}

// UpdateLoginProfile replaces a user's password.
func (h *Handler) UpdateLoginProfile(ctx context.Context, in *api.UpdateLoginProfileInput) (*api.UpdateLoginProfileOutput, error) {
	u, rules, err := h.user(ctx, *in.UserName)
	switch {
	case err != nil:
		return nil, err
	case u.Login == nil:
		return nil, noLogin(u.Name)
	}
	var hashed identity.Hashed
	if in.Password != nil {
		if hashed, err = h.hash(&rules, u.Login, *in.Password); err != nil {
			return nil, err
		}
	}
	now := h.env.Time()
	return &api.UpdateLoginProfileOutput{}, h.login(ctx, &u, func(l *identity.Login) {
		if in.Password != nil {
			l.Change(hashed, now)
		}
		l.Reset = call.Deref(in.PasswordResetRequired, l.Reset)
	})
}

// DeleteLoginProfile takes a user's password away.
func (h *Handler) DeleteLoginProfile(ctx context.Context, in *api.DeleteLoginProfileInput) (*api.DeleteLoginProfileOutput, error) {
	return &api.DeleteLoginProfileOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		name := call.Deref(in.UserName, "")
		if name == "" {
			var err error
			if name, err = look.Self(ctx, tx); err != nil {
				return err
			}
		}
		u, err := look.User(ctx, tx, name)
		if err != nil {
			return err
		}
		if u.Login == nil {
			return noLogin(u.Name)
		}
		u.Login = nil
		return tables.Users.Put(tx, &u)
	})
}

// ChangePassword lets a user choose another password.
func (h *Handler) ChangePassword(ctx context.Context, in *api.ChangePasswordInput) (*api.ChangePasswordOutput, error) {
	var name string
	err := h.env.Store.View(ctx, func(tx store.Tx) (err error) {
		name, err = look.Self(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, api.InvalidUserTypeException("Only IAM Users can change their own password")
	}
	u, rules, err := h.user(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case u.Login == nil:
		return nil, noLogin(u.Name)
	case !u.Login.Is(*in.OldPassword):
		return nil, shape.NewError("AccessDenied", http.StatusForbidden, "The old password was incorrect.")
	}
	hashed, err := h.hash(&rules, u.Login, *in.NewPassword)
	if err != nil {
		return nil, err
	}
	now := h.env.Time()
	return &api.ChangePasswordOutput{}, h.login(ctx, &u, func(l *identity.Login) {
		l.Change(hashed, now)
		l.Reset = false
	})
}
