// Package role answers IAM's operations on roles.
package role

import (
	"context"

	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/service/iam/internal/look"
	"neargate/store"
	"neargate/store/tables"
)

// Quotas of an account, as AWS sets them by default.
const (
	maxRoles     = 1000
	maxTrustSize = 2048
)

// Handler answers the operations.
type Handler struct {
	env      call.Env
	policies grant.Policies
}

// New makes the handler.
func New(e call.Env) *Handler {
	h := &Handler{env: e}
	h.policies = grant.Of(e, grant.Roles, h.view, h.change, func(r *identity.Role) (string, *identity.Grants) { return r.Name, &r.Grants })
	return h
}

// view reads a role.
func (h *Handler) view(ctx context.Context, name *string) (r identity.Role, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		r, err = look.Role(ctx, tx, *name)
		return err
	})
	return r, err
}

// change lets f change a role that is the customer's to change, and stores it.
func (h *Handler) change(ctx context.Context, name *string, f func(store.Tx, *identity.Role) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		r, err := look.Role(ctx, tx, *name)
		if err != nil {
			return err
		}
		if r.LinkedTo != "" {
			return look.Protected(r.Name)
		}
		if err := f(tx, &r); err != nil {
			return err
		}
		return tables.Roles.Put(tx, &r)
	})
}
