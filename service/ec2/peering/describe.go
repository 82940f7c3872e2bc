package peering

import (
	"context"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

func render(sc call.Scope, p *edge.Peering) (wire.VpcPeeringConnection, error) {
	w := wire.VpcPeeringConnection{
		Status: &wire.VpcPeeringConnectionStateReason{Code: &p.State, Message: &p.Message}, VpcPeeringConnectionId: &p.ID,
	}
	tags := p.AccepterTags
	if sc.Of(&p.Requester) {
		tags = p.Tags
	}
	w.Tags = tag.Listed(tags)
	if p.State == edge.PeeringInitiating || p.State == edge.PeeringPending {
		w.ExpirationTime = &p.ExpiresAt
	}
	var err error
	if w.RequesterVpcInfo, err = side(sc, p, &p.Requester, true); err != nil {
		return w, err
	}
	// What the accepter has is shown once it accepted.
	w.AccepterVpcInfo, err = side(sc, p, &p.Accepter, p.State == edge.PeeringActive)
	return w, err
}

// side shows a VPC of a connection, with its ranges if they are to be known.
func side(sc call.Scope, p *edge.Peering, s *edge.PeeringSide, known bool) (*wire.VpcPeeringConnectionVpcInfo, error) {
	w := &wire.VpcPeeringConnectionVpcInfo{OwnerId: &s.Account, Region: &s.Region, VpcId: &s.Vpc}
	if p.State == edge.PeeringActive {
		w.PeeringOptions = &wire.VpcPeeringConnectionOptionsDescription{
			AllowDnsResolutionFromRemoteVpc:            &s.AllowRemoteDNS,
			AllowEgressFromLocalClassicLinkToRemoteVpc: new(false), AllowEgressFromLocalVpcToRemoteClassicLink: new(false),
		}
	}
	if !known {
		return w, nil
	}
	vpc, found, err := tables.Vpcs.Find(sc.Tx, s.Account, s.Region, s.Vpc)
	cidrs := s.CIDRs
	if found {
		cidrs = vpc.CIDRs()
	}
	for i, c := range cidrs {
		if i == 0 {
			w.CidrBlock = new(c)
		}
		w.CidrBlockSet = append(w.CidrBlockSet, wire.CidrBlock{CidrBlock: new(c)})
	}
	return w, err
}

var filters = filter.Set{Tags: "Tags", Fields: map[string]string{
	"accepter-vpc-info.cidr-block":  "AccepterVpcInfo.CidrBlockSet.CidrBlock",
	"accepter-vpc-info.owner-id":    "AccepterVpcInfo.OwnerId",
	"accepter-vpc-info.vpc-id":      "AccepterVpcInfo.VpcId",
	"expiration-time":               "ExpirationTime",
	"requester-vpc-info.cidr-block": "RequesterVpcInfo.CidrBlockSet.CidrBlock",
	"requester-vpc-info.owner-id":   "RequesterVpcInfo.OwnerId",
	"requester-vpc-info.vpc-id":     "RequesterVpcInfo.VpcId",
	"status-code":                   "Status.Code",
	"status-message":                "Status.Message",
	"vpc-peering-connection-id":     "VpcPeeringConnectionId",
}}

// DescribeVpcPeeringConnections lists the connections of which the caller's account
// and region have a side.
func (s *Handler) DescribeVpcPeeringConnections(ctx context.Context, in *wire.DescribeVpcPeeringConnectionsInput) (*wire.DescribeVpcPeeringConnectionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.VpcPeeringConnection](filters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := call.CheckPage("VpcPeeringConnectionIds", call.Page(in.VpcPeeringConnectionIds, nil, in.MaxResults, in.NextToken)); err != nil {
		return nil, err
	}
	out := &wire.DescribeVpcPeeringConnectionsOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		all, err := chosen(sc, in.VpcPeeringConnectionIds)
		if err != nil {
			return err
		}
		shown := []wire.VpcPeeringConnection{}
		for _, p := range all {
			w, err := render(sc, &p)
			if err != nil {
				return err
			}
			if match(&w) {
				shown = append(shown, w)
			}
		}
		out.VpcPeeringConnections, out.NextToken, err = call.Cut(s.Env, sc, "DescribeVpcPeeringConnections", in.MaxResults, in.NextToken, shown,
			func(w *wire.VpcPeeringConnection) string { return *w.VpcPeeringConnectionId })
		return err
	})
	return out, err
}

// chosen are the connections with the ids, or all of the caller's, in order of id.
func chosen(sc call.Scope, ids []string) ([]edge.Peering, error) {
	account, region := sc.Tenant()
	if len(ids) == 0 {
		all, err := store.Collect(edges.Peerings.By(sc.Tx, edges.PeeringsBySide, account, region))
		slices.SortFunc(all, func(a, b edge.Peering) int { return strings.Compare(a.ID, b.ID) })
		return all, err
	}
	var all []edge.Peering
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		p, err := call.Peering(sc, id)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
