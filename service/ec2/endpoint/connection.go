package endpoint

import (
	"context"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/wire/shape"
)

// customerService is the kind of endpoint services of customers, of which there are
// none.
var customerService = call.Kind[struct{}]{
	Prefix: "vpce-svc", NotFound: "InvalidVpcEndpointServiceId.NotFound", Absent: "The VpcEndpointService Id '%s' does not exist",
}

// noConnections refuses a request about connections to an endpoint service.
func noConnections(service *string, endpoints []string) error {
	id := call.Val(service)
	switch {
	case id == "":
		return call.Missing("ServiceId")
	case len(endpoints) == 0:
		return call.Missing("VpcEndpointId")
	case !strings.HasPrefix(id, customerService.Prefix+"-"):
		return shape.Errorf("InvalidVpcEndpointServiceId.Malformed", "Invalid Id: '%s'", id)
	}
	for _, e := range endpoints {
		if err := call.Endpoints.Check(e); err != nil {
			return err
		}
	}
	return shape.Errorf(customerService.NotFound, customerService.Absent, id)
}

// AcceptVpcEndpointConnections refuses: there is no endpoint service of a customer to
// which anybody could have connected.
func (s *Handler) AcceptVpcEndpointConnections(_ context.Context, in *wire.AcceptVpcEndpointConnectionsInput) (*wire.AcceptVpcEndpointConnectionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	return nil, noConnections(in.ServiceId, in.VpcEndpointIds)
}

// RejectVpcEndpointConnections refuses as AcceptVpcEndpointConnections does.
func (s *Handler) RejectVpcEndpointConnections(_ context.Context, in *wire.RejectVpcEndpointConnectionsInput) (*wire.RejectVpcEndpointConnectionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	return nil, noConnections(in.ServiceId, in.VpcEndpointIds)
}

var connectionFilters = filter.Set{Fields: map[string]string{
	"ip-address-type":     "IpAddressType",
	"service-id":          "ServiceId",
	"vpc-endpoint-id":     "VpcEndpointId",
	"vpc-endpoint-owner":  "VpcEndpointOwner",
	"vpc-endpoint-region": "VpcEndpointRegion",
	"vpc-endpoint-state":  "VpcEndpointState",
}}

// DescribeVpcEndpointConnections lists the connections to the endpoint services of the
// caller, of which there are none.
func (s *Handler) DescribeVpcEndpointConnections(ctx context.Context, in *wire.DescribeVpcEndpointConnectionsInput) (*wire.DescribeVpcEndpointConnectionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if _, err := filter.Compile[wire.VpcEndpointConnection](connectionFilters, call.FiltersOf(in.Filters)); err != nil {
		return nil, err
	}
	if err := call.CheckPage("", call.Query{Max: in.MaxResults}); err != nil {
		return nil, err
	}
	out := &wire.DescribeVpcEndpointConnectionsOutput{}
	err := s.View(ctx, func(sc call.Scope) (err error) {
		out.VpcEndpointConnections, out.NextToken, err = call.Cut(s.Env, sc, "DescribeVpcEndpointConnections", in.MaxResults, in.NextToken,
			[]wire.VpcEndpointConnection{}, func(w *wire.VpcEndpointConnection) string { return *w.VpcEndpointConnectionId })
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
