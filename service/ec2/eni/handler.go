// Package eni manages elastic network interfaces.
package eni

import (
	"neargate/service/ec2/internal/call"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
