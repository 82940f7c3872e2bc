// Package peering answers Amazon EC2's operations on VPC peering connections.
// Whether a request can become one, and when one has expired, package control/edge
// decides.
package peering

import (
	"cmp"
	"context"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// Quotas. Source: Amazon VPC quotas.
const (
	maxOutstanding = 25 // requests of an account in a region
	maxActive      = 50 // connections of a VPC
)

// Handler answers the operations.
type Handler struct{ *call.Env }

// New returns the handler.
func New(e *call.Env) *Handler { return &Handler{e} }

// CreateVpcPeeringConnection asks the owner of a VPC to connect it to one of the
// caller's.
func (s *Handler) CreateVpcPeeringConnection(ctx context.Context, in *wire.CreateVpcPeeringConnectionInput) (*wire.CreateVpcPeeringConnectionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case call.Val(in.VpcId) == "":
		return nil, call.Missing("VpcId")
	case call.Val(in.PeerVpcId) == "":
		return nil, call.Missing("peerVpcId")
	case in.PeerRegion != nil && !arn.KnownRegion(*in.PeerRegion):
		return nil, call.Invalid("Value (%s) for parameter PeerRegion is invalid.", *in.PeerRegion)
	case in.PeerOwnerId != nil && !arn.ValidAccount(*in.PeerOwnerId):
		return nil, call.Invalid("Value (%s) for parameter PeerOwnerId is invalid.", *in.PeerOwnerId)
	}
	tags, err := tag.Specified(in.TagSpecifications, "vpc-peering-connection")
	if err != nil {
		return nil, err
	}
	now, id := s.Deps.Now(), s.Deps.IDs.EC2("pcx")
	var out wire.VpcPeeringConnection
	err = s.Update(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		vpc, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		p := edge.Peering{
			ID: id, State: edge.PeeringInitiating, CreatedAt: now, ExpiresAt: now.Add(edge.AcceptWithin), Tags: tags,
			Requester: edge.PeeringSide{Account: account, Region: region, Vpc: vpc.ID},
			Accepter: edge.PeeringSide{
				Account: cmp.Or(call.Val(in.PeerOwnerId), account), Region: cmp.Or(call.Val(in.PeerRegion), region), Vpc: *in.PeerVpcId,
			},
		}
		p.Message = "Initiating Request to " + p.Accepter.Account
		old, found, err := standing(sc, &p)
		switch {
		case err != nil:
			return err
		case found:
			p = old
		default:
			if err := edges.Peerings.Put(sc.Tx, &p); err != nil {
				return err
			}
		}
		out, err = render(sc, &p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateVpcPeeringConnectionOutput{VpcPeeringConnection: &out}, nil
}

// standing finds a request for the same connection that still stands, and refuses
// another connection between the VPCs, or more than there may be.
func standing(sc call.Scope, p *edge.Peering) (old edge.Peering, found bool, err error) {
	outstanding := 0
	for o, err := range edges.Peerings.By(sc.Tx, edges.PeeringsBySide, p.Requester.Account, p.Requester.Region) {
		switch {
		case err != nil:
			return old, false, err
		case o.Over():
			continue
		case same(&o.Requester, &p.Requester) && same(&o.Accepter, &p.Accepter) && o.State != edge.PeeringActive:
			return o, true, nil
		case o.State == edge.PeeringActive && (same(&o.Requester, &p.Requester) && same(&o.Accepter, &p.Accepter) ||
			same(&o.Requester, &p.Accepter) && same(&o.Accepter, &p.Requester)):
			return old, false, shape.Errorf("VpcPeeringConnectionAlreadyExists", "A VPC peering connection between the VPCs already exists: %s", o.ID)
		}
		if o.State != edge.PeeringActive && sc.Of(&o.Requester) {
			outstanding++
		}
	}
	if outstanding >= maxOutstanding {
		return old, false, shape.Errorf("OutstandingVpcPeeringConnectionLimitExceeded",
			"You've reached the limit on the number of VPC peering connection requests that you can create.")
	}
	return old, false, nil
}

func same(a, b *edge.PeeringSide) bool {
	return a.Account == b.Account && a.Region == b.Region && a.Vpc == b.Vpc
}

// AcceptVpcPeeringConnection makes a request to the caller's VPC a connection.
func (s *Handler) AcceptVpcPeeringConnection(ctx context.Context, in *wire.AcceptVpcPeeringConnectionInput) (*wire.AcceptVpcPeeringConnectionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	var out wire.VpcPeeringConnection
	err := s.change(ctx, in.VpcPeeringConnectionId, func(sc call.Scope, p *edge.Peering) error {
		switch {
		case !sc.Of(&p.Accepter):
			return notYours(sc, "accept", p)
		case p.State != edge.PeeringPending || !s.Deps.Now().Before(p.ExpiresAt):
			return transition(p, "active")
		}
		for _, side := range []*edge.PeeringSide{&p.Requester, &p.Accepter} {
			vpc, found, err := tables.Vpcs.Find(sc.Tx, side.Account, side.Region, side.Vpc)
			switch {
			case err != nil:
				return err
			case !found:
				return transition(p, "active")
			}
			side.CIDRs = vpc.CIDRs()
			if err := room(sc.Tx, side); err != nil {
				return err
			}
		}
		if edge.Overlap(p.Requester.CIDRs, p.Accepter.CIDRs) {
			p.Requester.CIDRs, p.Accepter.CIDRs = nil, nil
			p.End(edge.Failed, edge.PeeringFailure, s.Deps.Now())
		} else {
			p.State, p.Message = edge.PeeringActive, "Active"
		}
		if err := edges.Peerings.Put(sc.Tx, p); err != nil {
			return err
		}
		var err error
		out, err = render(sc, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.AcceptVpcPeeringConnectionOutput{VpcPeeringConnection: &out}, nil
}

// room refuses more active connections than a VPC may have.
func room(tx store.Tx, side *edge.PeeringSide) error {
	n := 0
	for p, err := range edges.Peerings.By(tx, edges.PeeringsByVpc, side.Account, side.Region, side.Vpc) {
		if err != nil {
			return err
		}
		if p.State == edge.PeeringActive {
			n++
		}
	}
	if n >= maxActive {
		return shape.Errorf("ActiveVpcPeeringConnectionPerVpcLimitExceeded",
			"You've reached the limit on the number of active VPC peering connections you can have for the VPC %s.", side.Vpc)
	}
	return nil
}

// RejectVpcPeeringConnection refuses a request to the caller's VPC.
func (s *Handler) RejectVpcPeeringConnection(ctx context.Context, in *wire.RejectVpcPeeringConnectionInput) (*wire.RejectVpcPeeringConnectionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.change(ctx, in.VpcPeeringConnectionId, func(sc call.Scope, p *edge.Peering) error {
		switch {
		case !sc.Of(&p.Accepter):
			return notYours(sc, "reject", p)
		case p.State != edge.PeeringPending:
			return transition(p, "rejected")
		}
		p.End(edge.PeeringRejected, "Rejected by "+sc.Caller.Account, s.Deps.Now())
		return edges.Peerings.Put(sc.Tx, p)
	})
	if err != nil {
		return nil, err
	}
	return &wire.RejectVpcPeeringConnectionOutput{Return: new(true)}, nil
}

// DeleteVpcPeeringConnection ends a connection, or takes back the caller's own
// request.
func (s *Handler) DeleteVpcPeeringConnection(ctx context.Context, in *wire.DeleteVpcPeeringConnectionInput) (*wire.DeleteVpcPeeringConnectionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.change(ctx, in.VpcPeeringConnectionId, func(sc call.Scope, p *edge.Peering) error {
		switch {
		case p.Over():
			return transition(p, "deleting")
		case p.State != edge.PeeringActive && !sc.Of(&p.Requester):
			return notYours(sc, "delete", p)
		}
		p.End(edge.PeeringDeleted, "Deleted by "+sc.Caller.Account, s.Deps.Now())
		return edges.Peerings.Put(sc.Tx, p)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteVpcPeeringConnectionOutput{Return: new(true)}, nil
}

// change runs fn on a connection of which the caller has a side.
func (s *Handler) change(ctx context.Context, id *string, fn func(call.Scope, *edge.Peering) error) error {
	if id == nil {
		return call.Missing("VpcPeeringConnectionId")
	}
	return s.Update(ctx, func(sc call.Scope) error {
		p, err := call.Peering(sc, *id)
		if err != nil {
			return err
		}
		return fn(sc, &p)
	})
}

func notYours(sc call.Scope, verb string, p *edge.Peering) error {
	return shape.Errorf("OperationNotPermitted", "User %s cannot %s peering %s", sc.Caller.Account, verb, p.ID)
}

func transition(p *edge.Peering, to string) error {
	return shape.Errorf("InvalidStateTransition", "Invalid state transition for %s, attempted to transition from %s to %s", p.ID, p.State, to)
}

// ModifyVpcPeeringConnectionOptions says whether names of a side's VPC resolve to
// private addresses in the other one. A caller may change its own sides.
func (s *Handler) ModifyVpcPeeringConnectionOptions(ctx context.Context, in *wire.ModifyVpcPeeringConnectionOptionsInput) (*wire.ModifyVpcPeeringConnectionOptionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.RequesterPeeringConnectionOptions == nil && in.AccepterPeeringConnectionOptions == nil {
		return nil, shape.Errorf("InvalidParameterCombination", "No peering connection options specified.")
	}
	out := &wire.ModifyVpcPeeringConnectionOptionsOutput{}
	err := s.change(ctx, in.VpcPeeringConnectionId, func(sc call.Scope, p *edge.Peering) error {
		if p.State != edge.PeeringActive {
			return shape.Errorf("OperationNotPermitted", "Peering %s is not active. Peering options can be added only to active peerings.", p.ID)
		}
		for _, c := range []struct {
			side *edge.PeeringSide
			in   *wire.PeeringConnectionOptionsRequest
			out  **wire.PeeringConnectionOptions
		}{
			{&p.Requester, in.RequesterPeeringConnectionOptions, &out.RequesterPeeringConnectionOptions},
			{&p.Accepter, in.AccepterPeeringConnectionOptions, &out.AccepterPeeringConnectionOptions},
		} {
			switch {
			case c.in == nil:
				continue
			case !sc.Of(c.side):
				return notYours(sc, "modify the options of the other side of", p)
			case call.Val(c.in.AllowEgressFromLocalClassicLinkToRemoteVpc) || call.Val(c.in.AllowEgressFromLocalVpcToRemoteClassicLink):
				return shape.Errorf("UnsupportedOperation", "EC2-Classic is not supported.")
			}
			if c.in.AllowDnsResolutionFromRemoteVpc != nil {
				c.side.AllowRemoteDNS = *c.in.AllowDnsResolutionFromRemoteVpc
			}
			*c.out = &wire.PeeringConnectionOptions{
				AllowDnsResolutionFromRemoteVpc:            new(c.side.AllowRemoteDNS),
				AllowEgressFromLocalClassicLinkToRemoteVpc: new(false), AllowEgressFromLocalVpcToRemoteClassicLink: new(false),
			}
		}
		return edges.Peerings.Put(sc.Tx, p)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
