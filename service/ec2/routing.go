package ec2

import (
	"cmp"
	"context"
	"slices"

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
			DestinationCidrBlock: call.Optional(r.Destination), GatewayId: call.Optional(r.Gateway), Origin: new(r.Origin), State: &state,
		})
	}
	associations := []wire.RouteTableAssociation{}
	for _, a := range t.Associations {
		associations = append(associations, wire.RouteTableAssociation{
			AssociationState: &wire.RouteTableAssociationState{State: new("associated")},
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
func (s *Service) DescribeRouteTables(ctx context.Context, in *wire.DescribeRouteTablesInput) (*wire.DescribeRouteTablesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeRouteTables.Run(ctx, s.Env, call.Page(in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeRouteTablesOutput{RouteTables: out, NextToken: next}, err
}

// Protocol numbers with ports or types. Source: IANA protocol numbers.
const (
	protocolICMP = "1"
	protocolTCP  = "6"
	protocolUDP  = "17"
)

func renderAcl(_ call.Scope, a *network.NetworkAcl) (wire.NetworkAcl, error) {
	entries := []wire.NetworkAclEntry{}
	for _, e := range a.Entries {
		w := wire.NetworkAclEntry{
			CidrBlock: new(e.CIDR), Egress: new(e.Egress), Protocol: new(e.Protocol), RuleAction: new(e.Action),
			RuleNumber: new(int32(e.Number)),
		}
		switch e.Protocol {
		case protocolTCP, protocolUDP:
			w.PortRange = &wire.PortRange{From: new(int32(e.From)), To: new(int32(e.To))}
		case protocolICMP:
			w.IcmpTypeCode = &wire.IcmpTypeCode{Type: new(int32(e.From)), Code: new(int32(e.To))}
		}
		entries = append(entries, w)
	}
	associations := []wire.NetworkAclAssociation{}
	for _, x := range a.Associations {
		associations = append(associations, wire.NetworkAclAssociation{
			NetworkAclAssociationId: new(x.ID), NetworkAclId: &a.ID, SubnetId: new(x.Subnet),
		})
	}
	return wire.NetworkAcl{
		Associations: associations, Entries: entries, IsDefault: &a.Default, NetworkAclId: &a.ID,
		OwnerId: &a.Account, Tags: tag.Listed(a.Tags), VpcId: &a.Vpc,
	}, nil
}

// protocolNumbers are the protocols that a filter may name.
var protocolNumbers = map[string]string{"icmp": protocolICMP, "tcp": protocolTCP, "udp": protocolUDP}

// numbered returns the filters with protocols by number.
func numbered(filters []wire.Filter) []wire.Filter {
	out := slices.Clone(filters)
	for i, f := range out {
		if call.Val(f.Name) != "entry.protocol" {
			continue
		}
		out[i].Values = slices.Clone(f.Values)
		for j, v := range f.Values {
			out[i].Values[j] = cmp.Or(protocolNumbers[v], v)
		}
	}
	return out
}

var describeAcls = call.Listing[network.NetworkAcl, wire.NetworkAcl]{
	Op: "DescribeNetworkAcls", Kind: call.NetworkAcls, IDs: "NetworkAclIds", Render: renderAcl,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"association.association-id": "Associations.NetworkAclAssociationId",
			"association.network-acl-id": "Associations.NetworkAclId",
			"association.subnet-id":      "Associations.SubnetId",
			"default":                    "IsDefault",
			"entry.cidr":                 "Entries.CidrBlock",
			"entry.egress":               "Entries.Egress",
			"entry.icmp.code":            "Entries.IcmpTypeCode.Code",
			"entry.icmp.type":            "Entries.IcmpTypeCode.Type",
			"entry.ipv6-cidr":            "Entries.Ipv6CidrBlock",
			"entry.port-range.from":      "Entries.PortRange.From",
			"entry.port-range.to":        "Entries.PortRange.To",
			"entry.protocol":             "Entries.Protocol",
			"entry.rule-action":          "Entries.RuleAction",
			"entry.rule-number":          "Entries.RuleNumber",
			"network-acl-id":             "NetworkAclId",
			"owner-id":                   "OwnerId",
			"vpc-id":                     "VpcId",
		},
	},
}

// DescribeNetworkAcls lists network ACLs.
func (s *Service) DescribeNetworkAcls(ctx context.Context, in *wire.DescribeNetworkAclsInput) (*wire.DescribeNetworkAclsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeAcls.Run(ctx, s.Env, call.Page(in.NetworkAclIds, numbered(in.Filters), in.MaxResults, in.NextToken))
	return &wire.DescribeNetworkAclsOutput{NetworkAcls: out, NextToken: next}, err
}
