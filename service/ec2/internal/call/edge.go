package call

import (
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// The kinds of resource that lead out of a VPC.
var (
	ElasticIPs = Kind[edge.ElasticIP]{
		Table: edges.ElasticIPs, Prefix: "eipalloc", Type: "elastic-ip",
		NotFound: "InvalidAllocationID.NotFound", Absent: "The allocation ID '%s' does not exist",
		ID:   func(r *edge.ElasticIP) string { return r.ID },
		Tags: func(r *edge.ElasticIP) *[]network.Tag { return &r.Tags },
	}
	NatGateways = Kind[edge.NatGateway]{
		Table: edges.NatGateways, Prefix: "nat", Type: "natgateway",
		NotFound: "NatGatewayNotFound", Absent: "The Nat gateway %s was not found",
		Malformed: "NatGatewayMalformed",
		ID:        func(r *edge.NatGateway) string { return r.ID },
		Tags:      func(r *edge.NatGateway) *[]network.Tag { return &r.Tags },
	}
	EgressOnlyGateways = Kind[edge.EgressOnlyGateway]{
		Table: edges.EgressOnlyGateways, Prefix: "eigw", Type: "egress-only-internet-gateway",
		NotFound: "InvalidGatewayID.NotFound", Absent: "The eigw ID '%s' does not exist",
		ID:   func(r *edge.EgressOnlyGateway) string { return r.ID },
		Tags: func(r *edge.EgressOnlyGateway) *[]network.Tag { return &r.Tags },
	}
	Endpoints = Kind[edge.Endpoint]{
		Table: edges.Endpoints, Prefix: "vpce", Type: "vpc-endpoint",
		NotFound: "InvalidVpcEndpointId.NotFound", Absent: "The Vpc Endpoint Id '%s' does not exist",
		Malformed: "InvalidVpcEndpointId.Malformed",
		ID:        func(r *edge.Endpoint) string { return r.ID },
		Tags:      func(r *edge.Endpoint) *[]network.Tag { return &r.Tags },
	}
	PrefixLists = Kind[edge.PrefixList]{
		Table: edges.PrefixLists, Prefix: "pl", Type: "prefix-list",
		NotFound: "InvalidPrefixListID.NotFound", Absent: "The prefix list ID '%s' does not exist",
		Malformed: "InvalidPrefixListId.Malformed",
		ID:        func(r *edge.PrefixList) string { return r.ID },
		Tags:      func(r *edge.PrefixList) *[]network.Tag { return &r.Tags },
	}
)

// FlowLogs are flow logs.
var FlowLogs = Kind[edge.FlowLog]{
	Table: edges.FlowLogs, Prefix: "fl", Type: "vpc-flow-log",
	NotFound: "InvalidFlowLogId.NotFound", Absent: "The flow log ID '%s' does not exist",
	ID:   func(r *edge.FlowLog) string { return r.ID },
	Tags: func(r *edge.FlowLog) *[]network.Tag { return &r.Tags },
}

// peeringIDs is the kind of peering connections as far as their ids go.
var peeringIDs = Kind[edge.Peering]{
	Prefix: "pcx", Type: "vpc-peering-connection",
	NotFound: "InvalidVpcPeeringConnectionID.NotFound", Absent: "The vpcPeeringConnection ID '%s' does not exist",
	Malformed: "InvalidVpcPeeringConnectionId.Malformed",
}

// Peering is the peering connection with the id, of which the caller's account and
// region have one side, or AWS's error.
func Peering(s Scope, id string) (edge.Peering, error) {
	if err := peeringIDs.Check(id); err != nil {
		return edge.Peering{}, err
	}
	p, found, err := edges.Peerings.Find(s.Tx, id)
	if err == nil && (!found || !s.Of(&p.Requester) && !s.Of(&p.Accepter)) {
		return edge.Peering{}, shape.Errorf(peeringIDs.NotFound, peeringIDs.Absent, id)
	}
	return p, err
}

// Of reports whether the side of a peering connection is the caller's.
func (s Scope) Of(side *edge.PeeringSide) bool {
	account, region := s.Tenant()
	return side.Account == account && side.Region == region
}

// peeringTags are those of the caller's side.
func (s Scope) peeringTags(p *edge.Peering) *[]network.Tag {
	if s.Of(&p.Requester) {
		return &p.Tags
	}
	return &p.AccepterTags
}

// peerings are peering connections for tagging: each side has tags of its own.
func peerings() Taggable {
	return Taggable{
		Prefix: peeringIDs.Prefix, Type: peeringIDs.Type,
		Edit: func(sc Scope, id string, change func([]network.Tag) ([]network.Tag, error)) error {
			p, err := Peering(sc, id)
			if err != nil {
				return err
			}
			tags, err := change(*sc.peeringTags(&p))
			if err != nil {
				return err
			}
			*sc.peeringTags(&p) = tags
			return edges.Peerings.Put(sc.Tx, &p)
		},
		List: func(sc Scope, visit func(string, []network.Tag)) error {
			account, region := sc.Tenant()
			for p, err := range edges.Peerings.By(sc.Tx, edges.PeeringsBySide, account, region) {
				if err != nil {
					return err
				}
				visit(p.ID, *sc.peeringTags(&p))
			}
			return nil
		},
	}
}
