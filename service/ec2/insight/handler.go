// Package insight answers the operations of Reachability Analyzer: paths that are
// asked about, and analyses, which package path makes of what is stored.
package insight

import (
	"neargate/service/ec2/internal/call"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
