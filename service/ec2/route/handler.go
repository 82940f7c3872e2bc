// Package route manages route tables: routes, and which table decides for which subnet.
package route

import (
	"neargate/service/ec2/internal/call"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
