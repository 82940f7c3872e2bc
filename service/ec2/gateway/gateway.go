// Package gateway answers Amazon EC2's operations on Elastic IP addresses, NAT
// gateways and egress-only internet gateways. What a NAT gateway needs and lets go
// of, its interface and addresses, package control/edge takes and returns.
package gateway

import "neargate/service/ec2/internal/call"

// Gateways answers the operations.
type Gateways struct{ *call.Env }

// New returns the operations.
func New(env *call.Env) *Gateways { return &Gateways{env} }
