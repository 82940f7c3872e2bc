// Package user answers IAM's operations on users and their access keys.
package user

import (
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/grant"
)

// Quotas of an account, as AWS sets them by default.
const (
	maxUsers = 5000
	maxKeys  = 2
)

// Handler answers the operations.
type Handler struct {
	env      call.Env
	policies grant.Policies
}

// New makes the handler.
func New(e call.Env) *Handler {
	h := &Handler{env: e}
	h.policies = grant.Of(e, grant.Users, h.view, h.change, func(u *identity.User) (string, *identity.Grants) { return u.Name, &u.Grants })
	return h
}
