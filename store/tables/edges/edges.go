// Package edges names the tables of what leads out of a VPC, of what is found out about
// it and of what other accounts may do with its interfaces, and says whether a route
// leads anywhere.
package edges

import (
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
)

// ElasticIPs keeps Elastic IP addresses by account, region, allocation.
var ElasticIPs = store.Table[edge.ElasticIP]{
	Name: "ec2/eip",
	Key:  func(e *edge.ElasticIP) []string { return []string{e.Account, e.Region, e.ID} },
}

// NatGatewaysByVpc indexes NAT gateways by account, region, VPC.
const NatGatewaysByVpc = "ec2/nat@vpc"

// NatGateways keeps NAT gateways by account, region, id.
var NatGateways = store.Table[edge.NatGateway]{
	Name: "ec2/nat",
	Key:  func(g *edge.NatGateway) []string { return []string{g.Account, g.Region, g.ID} },
	Indexes: []store.Index[edge.NatGateway]{
		{Name: NatGatewaysByVpc, Keys: func(g *edge.NatGateway) [][]string {
			return [][]string{{g.Account, g.Region, g.Vpc}}
		}},
	},
}

// EgressOnlyGateways keeps egress-only internet gateways by account, region, id.
var EgressOnlyGateways = store.Table[edge.EgressOnlyGateway]{
	Name: "ec2/eigw",
	Key:  func(g *edge.EgressOnlyGateway) []string { return []string{g.Account, g.Region, g.ID} },
}

// EndpointsByVpc indexes VPC endpoints by account, region, VPC.
const EndpointsByVpc = "ec2/vpce@vpc"

// Endpoints keeps VPC endpoints by account, region, id.
var Endpoints = store.Table[edge.Endpoint]{
	Name: "ec2/vpce",
	Key:  func(e *edge.Endpoint) []string { return []string{e.Account, e.Region, e.ID} },
	Indexes: []store.Index[edge.Endpoint]{
		{Name: EndpointsByVpc, Keys: func(e *edge.Endpoint) [][]string {
			return [][]string{{e.Account, e.Region, e.Vpc}}
		}},
	},
}

// PrefixLists keeps managed prefix lists by account, region, id.
var PrefixLists = store.Table[edge.PrefixList]{
	Name: "ec2/pl",
	Key:  func(l *edge.PrefixList) []string { return []string{l.Account, l.Region, l.ID} },
}

// PeeringsBySide indexes peering connections by account, region, id for both sides,
// and PeeringsByVpc by account, region, VPC.
const (
	PeeringsBySide = "ec2/pcx@side"
	PeeringsByVpc  = "ec2/pcx@vpc"
)

// Peerings keeps peering connections by id.
var Peerings = store.Table[edge.Peering]{
	Name: "ec2/pcx",
	Key:  func(p *edge.Peering) []string { return []string{p.ID} },
	Indexes: []store.Index[edge.Peering]{
		{Name: PeeringsBySide, Keys: func(p *edge.Peering) [][]string {
			a, b := p.Requester, p.Accepter
			keys := [][]string{{a.Account, a.Region, p.ID}}
			if a.Account != b.Account || a.Region != b.Region {
				keys = append(keys, []string{b.Account, b.Region, p.ID})
			}
			return keys
		}},
		{Name: PeeringsByVpc, Keys: func(p *edge.Peering) [][]string {
			a, b := p.Requester, p.Accepter
			return [][]string{{a.Account, a.Region, a.Vpc}, {b.Account, b.Region, b.Vpc}}
		}},
	},
}

// FlowLogsByResource indexes flow logs by account, region, id of what they record.
const FlowLogsByResource = "ec2/flow@resource"

// FlowLogs keeps flow logs by account, region, id.
var FlowLogs = store.Table[edge.FlowLog]{
	Name: "ec2/flow",
	Key:  func(f *edge.FlowLog) []string { return []string{f.Account, f.Region, f.ID} },
	Indexes: []store.Index[edge.FlowLog]{
		{Name: FlowLogsByResource, Keys: func(f *edge.FlowLog) [][]string {
			return [][]string{{f.Account, f.Region, f.Resource}}
		}},
	},
}

// Active reports whether the route of the table leads somewhere; one that does not
// is a black hole.
func Active(tx store.Tx, t *network.RouteTable, r *network.Route) (bool, error) {
	switch {
	case r.Gateway == network.LocalGateway:
		return true, nil
	case r.NatGateway != "":
		g, ok, err := NatGateways.Find(tx, t.Account, t.Region, r.NatGateway)
		return ok && (g.State == edge.Pending || g.State == edge.Available), err
	case r.Peering != "":
		p, ok, err := Peerings.Find(tx, r.Peering)
		return ok && p.State == edge.PeeringActive, err
	case r.Interface != "":
		e, ok, err := tables.NetworkInterfaces.Find(tx, t.Account, t.Region, r.Interface)
		return ok && e.Status() == "in-use", err
	case r.EgressOnly != "":
		g, ok, err := EgressOnlyGateways.Find(tx, t.Account, t.Region, r.EgressOnly)
		return ok && g.Vpc == t.Vpc, err
	}
	if g, ok, err := tables.InternetGateways.Find(tx, t.Account, t.Region, r.Gateway); ok || err != nil {
		return g.Vpc == t.Vpc, err
	}
	e, ok, err := Endpoints.Find(tx, t.Account, t.Region, r.Gateway)
	return ok && e.Vpc == t.Vpc && (e.State == edge.Pending || e.State == edge.Available), err
}
