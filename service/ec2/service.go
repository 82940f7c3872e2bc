// Package ec2 answers the Amazon EC2 API as far as networking for Fargate needs
// it: the handlers of its parts put together. Each part is a package of its own;
// what they share is in internal.
package ec2

import (
	wire "neargate/aws/ec2"
	"neargate/service"
	"neargate/service/ec2/acl"
	"neargate/service/ec2/common"
	"neargate/service/ec2/endpoint"
	"neargate/service/ec2/eni"
	"neargate/service/ec2/flow"
	"neargate/service/ec2/gateway"
	"neargate/service/ec2/group"
	"neargate/service/ec2/insight"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/peering"
	"neargate/service/ec2/prefixlist"
	"neargate/service/ec2/route"
	"neargate/service/ec2/vpc"
)

// Names under which the handlers are embedded.
type (
	acls       = acl.Handler
	commons    = common.Handler
	groups     = group.Handler
	endpoints  = endpoint.Handler
	flows      = flow.Handler
	gateways   = gateway.Handler
	analyzers  = insight.Handler
	interfaces = eni.Handler
	lists      = prefixlist.Handler
	peerings   = peering.Handler
	routes     = route.Handler
	vpcs       = vpc.Handler
)

// Service answers every operation by the handler that has it.
type Service struct {
	*call.Env
	*acls
	*commons
	*groups
	*endpoints
	*flows
	*gateways
	*analyzers
	*interfaces
	*lists
	*peerings
	*routes
	*vpcs
}

var _ wire.API = (*Service)(nil)

// New returns the service.
func New(deps service.Deps) *Service {
	e := call.New(deps)
	return &Service{
		e, acl.New(e), common.New(e), group.New(e), endpoint.New(e), flow.New(e), gateway.New(e), insight.New(e), eni.New(e), prefixlist.New(e), peering.New(e),
		route.New(e), vpc.New(e),
	}
}
