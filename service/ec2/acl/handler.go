// Package acl manages network ACLs: numbered entries, and which ACL filters for which
// subnet.
package acl

import (
	"neargate/service/ec2/internal/call"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
