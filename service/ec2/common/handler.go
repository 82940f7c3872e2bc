// Package common answers what concerns no kind of resource alone: regions, zones, the
// account, and tags.
package common

import (
	"neargate/service/ec2/internal/call"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
