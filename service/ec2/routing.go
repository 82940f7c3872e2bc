package ec2

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/filter"
)

func renderRouteTable(_ scope, t *network.RouteTable) (wire.RouteTable, error) {
	routes := []wire.Route{}
	for _, r := range t.Routes {
		state := "active"
		if r.Blackhole {
			state = "blackhole"
		}
		routes = append(routes, wire.Route{
			DestinationCidrBlock: new(r.Destination), GatewayId: new(r.Gateway), Origin: new(r.Origin), State: &state,
		})
	}
	associations := []wire.RouteTableAssociation{}
	for _, a := range t.Associations {
		associations = append(associations, wire.RouteTableAssociation{
			AssociationState: &wire.RouteTableAssociationState{State: new("associated")},
			Main:             new(a.Main), RouteTableAssociationId: new(a.ID), RouteTableId: &t.ID, SubnetId: optional(a.Subnet),
		})
	}
	return wire.RouteTable{
		Associations: associations, OwnerId: &t.Account, PropagatingVgws: []wire.PropagatingVgw{},
		RouteTableId: &t.ID, Routes: routes, Tags: listedTags(t.Tags), VpcId: &t.Vpc,
	}, nil
}

// ofRoutes is the filter on a member of a table's routes.
func ofRoutes(value func(*wire.Route) []string) func(*wire.RouteTable) []string {
	return func(t *wire.RouteTable) []string { return each(t.Routes, value) }
}

// ofTableAssociations is the filter on a member of a table's associations.
func ofTableAssociations(value func(*wire.RouteTableAssociation) []string) func(*wire.RouteTable) []string {
	return func(t *wire.RouteTable) []string { return each(t.Associations, value) }
}

var describeRouteTables = listing[network.RouteTable, wire.RouteTable]{
	op: "DescribeRouteTables", kind: routeTables, ids: "RouteTableIds", render: renderRouteTable,
	filters: filter.Set[wire.RouteTable]{
		Tags: tagsAs(func(t *wire.RouteTable) []wire.Tag { return t.Tags }),
		Fields: map[string]func(*wire.RouteTable) []string{
			"association.gateway-id": ofTableAssociations(func(a *wire.RouteTableAssociation) []string { return text(a.GatewayId) }),
			"association.route-table-association-id": ofTableAssociations(func(a *wire.RouteTableAssociation) []string {
				return text(a.RouteTableAssociationId)
			}),
			"association.route-table-id": ofTableAssociations(func(a *wire.RouteTableAssociation) []string { return text(a.RouteTableId) }),
			"association.subnet-id":      ofTableAssociations(func(a *wire.RouteTableAssociation) []string { return text(a.SubnetId) }),
			"association.main":           ofTableAssociations(func(a *wire.RouteTableAssociation) []string { return text(a.Main) }),
			"owner-id":                   func(t *wire.RouteTable) []string { return text(t.OwnerId) },
			"route-table-id":             func(t *wire.RouteTable) []string { return text(t.RouteTableId) },
			"route.destination-cidr-block": ofRoutes(func(r *wire.Route) []string {
				return text(r.DestinationCidrBlock)
			}),
			"route.destination-ipv6-cidr-block":     none[wire.RouteTable],
			"route.destination-prefix-list-id":      none[wire.RouteTable],
			"route.egress-only-internet-gateway-id": none[wire.RouteTable],
			"route.gateway-id":                      ofRoutes(func(r *wire.Route) []string { return text(r.GatewayId) }),
			"route.instance-id":                     none[wire.RouteTable],
			"route.nat-gateway-id":                  none[wire.RouteTable],
			"route.transit-gateway-id":              none[wire.RouteTable],
			"route.origin":                          ofRoutes(func(r *wire.Route) []string { return text(r.Origin) }),
			"route.state":                           ofRoutes(func(r *wire.Route) []string { return text(r.State) }),
			"route.vpc-peering-connection-id":       none[wire.RouteTable],
			"vpc-id":                                func(t *wire.RouteTable) []string { return text(t.VpcId) },
		},
	},
}

// DescribeRouteTables lists route tables.
func (s *Service) DescribeRouteTables(ctx context.Context, in *wire.DescribeRouteTablesInput) (*wire.DescribeRouteTablesOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	out, next, err := describeRouteTables.run(ctx, s, query{in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken})
	return &wire.DescribeRouteTablesOutput{RouteTables: out, NextToken: next}, err
}

// Protocol numbers with ports or types. Source: IANA protocol numbers.
const (
	protocolICMP = "1"
	protocolTCP  = "6"
	protocolUDP  = "17"
)

func renderAcl(_ scope, a *network.NetworkAcl) (wire.NetworkAcl, error) {
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
		OwnerId: &a.Account, Tags: listedTags(a.Tags), VpcId: &a.Vpc,
	}, nil
}

// ofEntries is the filter on a member of an ACL's entries.
func ofEntries(value func(*wire.NetworkAclEntry) []string) func(*wire.NetworkAcl) []string {
	return func(a *wire.NetworkAcl) []string { return each(a.Entries, value) }
}

// ofAclAssociations is the filter on a member of an ACL's associations.
func ofAclAssociations(value func(*wire.NetworkAclAssociation) []string) func(*wire.NetworkAcl) []string {
	return func(a *wire.NetworkAcl) []string { return each(a.Associations, value) }
}

// protocolNames are the names by which a protocol number may be filtered.
var protocolNames = map[string]string{protocolICMP: "icmp", protocolTCP: "tcp", protocolUDP: "udp"}

var describeAcls = listing[network.NetworkAcl, wire.NetworkAcl]{
	op: "DescribeNetworkAcls", kind: acls, ids: "NetworkAclIds", render: renderAcl,
	filters: filter.Set[wire.NetworkAcl]{
		Tags: tagsAs(func(a *wire.NetworkAcl) []wire.Tag { return a.Tags }),
		Fields: map[string]func(*wire.NetworkAcl) []string{
			"association.association-id": ofAclAssociations(func(x *wire.NetworkAclAssociation) []string {
				return text(x.NetworkAclAssociationId)
			}),
			"association.network-acl-id": ofAclAssociations(func(x *wire.NetworkAclAssociation) []string { return text(x.NetworkAclId) }),
			"association.subnet-id":      ofAclAssociations(func(x *wire.NetworkAclAssociation) []string { return text(x.SubnetId) }),
			"default":                    func(a *wire.NetworkAcl) []string { return text(a.IsDefault) },
			"entry.cidr":                 ofEntries(func(e *wire.NetworkAclEntry) []string { return text(e.CidrBlock) }),
			"entry.egress":               ofEntries(func(e *wire.NetworkAclEntry) []string { return text(e.Egress) }),
			"entry.icmp.code": ofEntries(func(e *wire.NetworkAclEntry) []string {
				return within(e.IcmpTypeCode, func(t *wire.IcmpTypeCode) []string { return text(t.Code) })
			}),
			"entry.icmp.type": ofEntries(func(e *wire.NetworkAclEntry) []string {
				return within(e.IcmpTypeCode, func(t *wire.IcmpTypeCode) []string { return text(t.Type) })
			}),
			"entry.ipv6-cidr": none[wire.NetworkAcl],
			"entry.port-range.from": ofEntries(func(e *wire.NetworkAclEntry) []string {
				return within(e.PortRange, func(p *wire.PortRange) []string { return text(p.From) })
			}),
			"entry.port-range.to": ofEntries(func(e *wire.NetworkAclEntry) []string {
				return within(e.PortRange, func(p *wire.PortRange) []string { return text(p.To) })
			}),
			"entry.protocol": ofEntries(func(e *wire.NetworkAclEntry) []string {
				return []string{val(e.Protocol), protocolNames[val(e.Protocol)]}
			}),
			"entry.rule-action": ofEntries(func(e *wire.NetworkAclEntry) []string { return text(e.RuleAction) }),
			"entry.rule-number": ofEntries(func(e *wire.NetworkAclEntry) []string { return text(e.RuleNumber) }),
			"network-acl-id":    func(a *wire.NetworkAcl) []string { return text(a.NetworkAclId) },
			"owner-id":          func(a *wire.NetworkAcl) []string { return text(a.OwnerId) },
			"vpc-id":            func(a *wire.NetworkAcl) []string { return text(a.VpcId) },
		},
	},
}

// DescribeNetworkAcls lists network ACLs.
func (s *Service) DescribeNetworkAcls(ctx context.Context, in *wire.DescribeNetworkAclsInput) (*wire.DescribeNetworkAclsOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	out, next, err := describeAcls.run(ctx, s, query{in.NetworkAclIds, in.Filters, in.MaxResults, in.NextToken})
	return &wire.DescribeNetworkAclsOutput{NetworkAcls: out, NextToken: next}, err
}
