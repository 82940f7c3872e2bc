// Package ec2 answers the Amazon EC2 API as far as networking for Fargate needs
// it: VPCs and their parts are described; security groups, network interfaces and
// tags are managed here, what leads out of a VPC in packages of its own.
package ec2

import (
	wire "neargate/aws/ec2"
	"neargate/service"
	"neargate/service/ec2/endpoint"
	"neargate/service/ec2/gateway"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/peering"
	"neargate/service/ec2/prefixlist"
)

// Service answers the operations.
type Service struct {
	*call.Env
	*gateway.Gateways
	*endpoint.Endpoints
	*prefixlist.Lists
	*peering.Peerings
}

var _ wire.API = (*Service)(nil)

// New returns the service.
func New(deps service.Deps) *Service {
	env := call.New(deps)
	return &Service{env, gateway.New(env), endpoint.New(env), prefixlist.New(env), peering.New(env)}
}
