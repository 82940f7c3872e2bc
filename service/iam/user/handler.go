// Package user answers IAM's operations on users and their access keys.
package user

import "neargate/service/iam/internal/call"

// Quotas of an account, as AWS sets them by default.
const (
	maxUsers = 5000
	maxKeys  = 2
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }
