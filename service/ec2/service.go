// Package ec2 answers the Amazon EC2 API as far as networking for Fargate needs
// it: VPCs and their parts are described, security groups, network interfaces and
// tags are managed.
package ec2

import (
	wire "neargate/aws/ec2"
	"neargate/service"
	"neargate/service/ec2/internal/call"
)

// Service answers the operations.
type Service struct{ *call.Env }

var _ wire.API = (*Service)(nil)

// New returns the service.
func New(deps service.Deps) *Service {
	return &Service{call.New(deps)}
}
