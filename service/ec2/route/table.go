package route

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables/edges"
)

func renderRouteTable(sc call.Scope, t *network.RouteTable) (wire.RouteTable, error) {
	routes := []wire.Route{}
	for _, r := range t.Routes {
		active, err := edges.Active(sc.Tx, t, &r)
		if err != nil {
			return wire.RouteTable{}, err
		}
		state := "active"
		if !active {
			state = "blackhole"
		}
		routes = append(routes, wire.Route{
			DestinationCidrBlock: call.Optional(r.Destination), DestinationIpv6CidrBlock: call.Optional(r.Destination6),
			DestinationPrefixListId: call.Optional(r.PrefixList), EgressOnlyInternetGatewayId: call.Optional(r.EgressOnly),
			GatewayId: call.Optional(r.Gateway), NatGatewayId: call.Optional(r.NatGateway), NetworkInterfaceId: call.Optional(r.Interface),
			VpcPeeringConnectionId: call.Optional(r.Peering), Origin: new(r.Origin), State: &state,
		})
	}
	associations := []wire.RouteTableAssociation{}
	for _, a := range t.Associations {
		associations = append(associations, wire.RouteTableAssociation{
			AssociationState: associated(),
			Main:             new(a.Main), RouteTableAssociationId: new(a.ID), RouteTableId: &t.ID, SubnetId: call.Optional(a.Subnet),
		})
	}
	return wire.RouteTable{
		Associations: associations, OwnerId: &t.Account, PropagatingVgws: []wire.PropagatingVgw{},
		RouteTableId: &t.ID, Routes: routes, Tags: tag.Listed(t.Tags), VpcId: &t.Vpc,
	}, nil
}

var describeRouteTables = call.Listing[network.RouteTable, wire.RouteTable]{
	Op: "DescribeRouteTables", Kind: call.RouteTables, IDs: "RouteTableIds", Render: renderRouteTable,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"association.gateway-id":                 "Associations.GatewayId",
			"association.main":                       "Associations.Main",
			"association.route-table-association-id": "Associations.RouteTableAssociationId",
			"association.route-table-id":             "Associations.RouteTableId",
			"association.subnet-id":                  "Associations.SubnetId",
			"owner-id":                               "OwnerId",
			"route-table-id":                         "RouteTableId",
			"route.destination-cidr-block":           "Routes.DestinationCidrBlock",
			"route.destination-ipv6-cidr-block":      "Routes.DestinationIpv6CidrBlock",
			"route.destination-prefix-list-id":       "Routes.DestinationPrefixListId",
			"route.egress-only-internet-gateway-id":  "Routes.EgressOnlyInternetGatewayId",
			"route.gateway-id":                       "Routes.GatewayId",
			"route.instance-id":                      "Routes.InstanceId",
			"route.nat-gateway-id":                   "Routes.NatGatewayId",
			"route.origin":                           "Routes.Origin",
			"route.state":                            "Routes.State",
			"route.transit-gateway-id":               "Routes.TransitGatewayId",
			"route.vpc-peering-connection-id":        "Routes.VpcPeeringConnectionId",
			"vpc-id":                                 "VpcId",
		},
	},
}

// DescribeRouteTables lists route tables.
func (s *Handler) DescribeRouteTables(ctx context.Context, in *wire.DescribeRouteTablesInput) (*wire.DescribeRouteTablesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeRouteTables.Run(ctx, s.Env, call.Page(in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeRouteTablesOutput{RouteTables: out, NextToken: next}, err
}
