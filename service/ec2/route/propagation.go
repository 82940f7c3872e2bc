package route

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/wire/shape"
)

// vpnGateways is the kind of virtual private gateways, of which there are none.
var vpnGateways = call.Kind[struct{}]{
	Prefix: "vgw", NotFound: "InvalidVpnGatewayID.NotFound", Absent: "The vpnGateway ID '%s' does not exist",
	Malformed: "InvalidVpnGatewayID.Malformed",
}

// noVpnGateway refuses the id of a virtual private gateway.
func noVpnGateway(id string) error {
	if err := vpnGateways.Check(id); err != nil {
		return err
	}
	return shape.Errorf(vpnGateways.NotFound, vpnGateways.Absent, id)
}

var vpnGatewayFilters = filter.Set{Tags: "Tags", Fields: map[string]string{
	"amazon-side-asn":   "AmazonSideAsn",
	"attachment.state":  "VpcAttachments.State",
	"attachment.vpc-id": "VpcAttachments.VpcId",
	"availability-zone": "AvailabilityZone",
	"state":             "State",
	"type":              "Type",
	"vpn-gateway-id":    "VpnGatewayId",
}}

// DescribeVpnGateways lists virtual private gateways, of which there are none.
func (s *Handler) DescribeVpnGateways(_ context.Context, in *wire.DescribeVpnGatewaysInput) (*wire.DescribeVpnGatewaysOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if _, err := filter.Compile[wire.VpnGateway](vpnGatewayFilters, call.FiltersOf(in.Filters)); err != nil {
		return nil, err
	}
	for _, id := range in.VpnGatewayIds {
		if err := vpnGateways.Check(id); err != nil {
			return nil, err
		}
	}
	if len(in.VpnGatewayIds) > 0 {
		return nil, noVpnGateway(in.VpnGatewayIds[0])
	}
	return &wire.DescribeVpnGatewaysOutput{VpnGateways: []wire.VpnGateway{}}, nil
}

// propagate refuses to let a virtual private gateway write routes into a table.
func (s *Handler) propagate(ctx context.Context, table, gateway *string) error {
	switch {
	case table == nil:
		return call.Missing("routeTableId")
	case gateway == nil:
		return call.Missing("gatewayId")
	}
	return s.View(ctx, func(sc call.Scope) error {
		if _, err := call.RouteTables.Get(sc, *table); err != nil {
			return err
		}
		return noVpnGateway(*gateway)
	})
}

// EnableVgwRoutePropagation refuses: there is no virtual private gateway.
func (s *Handler) EnableVgwRoutePropagation(ctx context.Context, in *wire.EnableVgwRoutePropagationInput) (*wire.EnableVgwRoutePropagationOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	return nil, s.propagate(ctx, in.RouteTableId, in.GatewayId)
}

// DisableVgwRoutePropagation refuses: there is no virtual private gateway.
func (s *Handler) DisableVgwRoutePropagation(ctx context.Context, in *wire.DisableVgwRoutePropagationInput) (*wire.DisableVgwRoutePropagationOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	return nil, s.propagate(ctx, in.RouteTableId, in.GatewayId)
}
