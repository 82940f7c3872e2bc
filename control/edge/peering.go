package edge

import (
	"slices"
	"time"

	"neargate/control/loop"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// PeeringState is what a decision about a peering connection rests on.
type PeeringState struct {
	Peering             record.Peering
	Found               bool
	Requester, Accepter []string // ranges of the VPCs; nil: there is no such VPC
}

// PeeringAction is a decision about one peering connection: how it is to be, or
// that it is to be forgotten.
type PeeringAction struct {
	Peering record.Peering
	Forget  bool
}

// Peerings is the controller of peering connections.
func Peerings() loop.Runner {
	return loop.Controller[string, PeeringState, PeeringAction]{
		Name: "vpc-peerings",
		Inputs: []loop.Input[string]{
			{Prefix: store.Prefix(edges.Peerings.Name), Keys: func(_ store.Tx, e store.Event) ([]string, error) {
				if e.Val == nil {
					return nil, nil
				}
				_, s := store.Segments(e.Key)
				return s[:1], nil
			}},
			{Prefix: store.Prefix(tables.Vpcs.Name), Keys: ofVpc},
		},
		Outputs: edges.Peerings.Prefixes(),
		Load:    loadPeering,
		Plan:    PlanPeering,
		Write: func(tx store.Tx, a PeeringAction) error {
			if a.Forget {
				return edges.Peerings.Delete(tx, a.Peering.ID)
			}
			return edges.Peerings.Put(tx, &a.Peering)
		},
	}
}

// ofVpc are the peering connections of a VPC that changed or is gone.
func ofVpc(tx store.Tx, e store.Event) ([]string, error) {
	_, s := store.Segments(e.Key)
	var out []string
	for p, err := range edges.Peerings.By(tx, edges.PeeringsByVpc, s[0], s[1], s[2]) {
		if err != nil {
			return nil, err
		}
		out = append(out, p.ID)
	}
	return out, nil
}

func loadPeering(tx store.Tx, id string) (s PeeringState, err error) {
	if s.Peering, s.Found, err = edges.Peerings.Find(tx, id); err != nil || !s.Found {
		return s, err
	}
	if s.Requester, err = ranges(tx, &s.Peering.Requester); err != nil {
		return s, err
	}
	s.Accepter, err = ranges(tx, &s.Peering.Accepter)
	return s, err
}

func ranges(tx store.Tx, side *record.PeeringSide) ([]string, error) {
	vpc, ok, err := tables.Vpcs.Find(tx, side.Account, side.Region, side.Vpc)
	if err != nil || !ok {
		return nil, err
	}
	return vpc.CIDRs(), nil
}

// PlanPeering decides for one peering connection. Source: Amazon VPC Peering Guide,
// life cycle.
func PlanPeering(now time.Time, s PeeringState) ([]PeeringAction, time.Time) {
	p := s.Peering
	gone := s.Requester == nil || s.Accepter == nil
	switch {
	case !s.Found:
		return nil, time.Time{}
	case p.Over():
		if until := p.EndedAt.Add(record.EndedFor); now.Before(until) {
			return nil, until
		}
		return []PeeringAction{{Peering: p, Forget: true}}, time.Time{}
	case p.State == record.PeeringInitiating && (gone || record.Overlap(s.Requester, s.Accepter)):
		p.End(record.Failed, record.PeeringFailure, now)
	case p.State == record.PeeringInitiating:
		p.State, p.Message = record.PeeringPending, "Pending Acceptance by "+p.Accepter.Account
	case gone:
		owner := p.Accepter.Account
		if s.Requester == nil {
			owner = p.Requester.Account
		}
		p.End(record.PeeringDeleted, "Deleted by "+owner, now)
	case p.State == record.PeeringPending && now.Before(p.ExpiresAt):
		return nil, p.ExpiresAt
	case p.State == record.PeeringPending:
		p.End(record.PeeringExpired, "Expired", now)
	case slices.Equal(p.Requester.CIDRs, s.Requester) && slices.Equal(p.Accepter.CIDRs, s.Accepter):
		return nil, time.Time{}
	default:
		p.Requester.CIDRs, p.Accepter.CIDRs = s.Requester, s.Accepter
	}
	return []PeeringAction{{Peering: p}}, time.Time{}
}
