// Package gateway answers Amazon EC2's operations on Elastic IP addresses, NAT
// gateways and egress-only internet gateways. What a NAT gateway needs and lets go
// of, its interface and addresses, package control/edge takes and returns.
package gateway

import "neargate/service/ec2/internal/call"

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }
