// Package managed answers IAM's operations on managed policies.
package managed

import (
	"context"
	"net/http"

	"neargate/auth"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Quotas of an account, as AWS sets them by default.
const (
	maxPolicies    = 1500
	maxManagedSize = 6144
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }

// change lets f change a customer managed policy and stores it.
func (h *Handler) change(ctx context.Context, action, policyARN string, f func(store.Tx, *identity.Policy) error) error {
	caller := auth.CallerFrom(ctx)
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := grant.FindPolicy(ctx, tx, policyARN, grant.NotFound(policyARN))
		if err != nil {
			return err
		}
		if p.Account != caller.Account {
			return awsOwned(caller, action, policyARN)
		}
		if err := f(tx, &p); err != nil {
			return err
		}
		return tables.Policies.Put(tx, &p)
	})
}

// awsOwned refuses to change an AWS managed policy.
func awsOwned(c auth.Caller, action, policyARN string) error {
	return shape.NewError("AccessDenied", http.StatusForbidden, (&auth.Denied{
		Caller: c.ARN, Action: "iam:" + action, Resource: "policy " + policyARN,
		Reason: "because no resource-based policy allows the iam:" + action + " action",
	}).Error())
}
