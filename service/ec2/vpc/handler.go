// Package vpc manages VPCs with their address ranges, subnets, DHCP options and internet
// gateways.
package vpc

import (
	"neargate/service/ec2/internal/call"
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
