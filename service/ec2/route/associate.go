package route

import (
	"context"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// associationPrefix begins the ids of associations.
const associationPrefix = "rtbassoc"

func associated() *wire.RouteTableAssociationState {
	return &wire.RouteTableAssociationState{State: new("associated")}
}

// AssociateRouteTable lets a route table decide for a subnet, in place of the
// VPC's main table.
func (s *Handler) AssociateRouteTable(ctx context.Context, in *wire.AssociateRouteTableInput) (*wire.AssociateRouteTableOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.RouteTableId == nil:
		return nil, call.Missing("routeTableId")
	case in.SubnetId == nil:
		return nil, call.Missing("subnetId")
	}
	id := s.Deps.IDs.EC2(associationPrefix)
	var out string
	err := s.Update(ctx, func(sc call.Scope) error {
		t, err := call.RouteTables.Get(sc, *in.RouteTableId)
		if err != nil {
			return err
		}
		r, err := call.Subnets.Get(sc, *in.SubnetId)
		if err != nil {
			return err
		}
		if r.Vpc != t.Vpc {
			return call.Invalid("Route table %s and subnet %s belong to different networks", t.ID, r.ID)
		}
		old, a, err := tableOf(sc, func(a network.RouteTableAssociation) bool { return a.Subnet == r.ID })
		switch {
		case err != nil:
			return err
		case old.ID == t.ID:
			out = a.ID
			return nil
		case old.ID != "":
			return shape.Errorf("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", t.ID)
		}
		out = id
		t.Associations = append(slices.Clone(t.Associations), network.RouteTableAssociation{ID: id, Subnet: r.ID})
		return tables.RouteTables.Put(sc.Tx, &t)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AssociateRouteTableOutput{AssociationId: &out, AssociationState: associated()}, nil
}

// tableOf finds the caller's route table with the association; none has no id.
func tableOf(sc call.Scope, match func(network.RouteTableAssociation) bool) (network.RouteTable, network.RouteTableAssociation, error) {
	account, region := sc.Tenant()
	for t, err := range tables.RouteTables.List(sc.Tx, account, region) {
		if err != nil {
			return t, network.RouteTableAssociation{}, err
		}
		if i := slices.IndexFunc(t.Associations, match); i >= 0 {
			return t, t.Associations[i], nil
		}
	}
	return network.RouteTable{}, network.RouteTableAssociation{}, nil
}

// associationByID finds the association with the id and its table.
func associationByID(sc call.Scope, id string) (network.RouteTable, network.RouteTableAssociation, error) {
	t, a, err := tableOf(sc, func(a network.RouteTableAssociation) bool { return a.ID == id })
	if err == nil && t.ID == "" {
		err = shape.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
	}
	return t, a, err
}

// without are the table's associations but the one with the id.
func without(t *network.RouteTable, id string) []network.RouteTableAssociation {
	return slices.DeleteFunc(slices.Clone(t.Associations), func(a network.RouteTableAssociation) bool { return a.ID == id })
}

// DisassociateRouteTable lets the VPC's main route table decide for a subnet
// again.
func (s *Handler) DisassociateRouteTable(ctx context.Context, in *wire.DisassociateRouteTableInput) (*wire.DisassociateRouteTableOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.AssociationId == nil {
		return nil, call.Missing("associationId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		t, a, err := associationByID(sc, *in.AssociationId)
		if err != nil {
			return err
		}
		if a.Main {
			return call.Invalid("cannot disassociate the main route table association %s", a.ID)
		}
		t.Associations = without(&t, a.ID)
		return tables.RouteTables.Put(sc.Tx, &t)
	})
	return &wire.DisassociateRouteTableOutput{}, err
}

// ReplaceRouteTableAssociation lets another route table decide for a subnet, or be
// the VPC's main one.
func (s *Handler) ReplaceRouteTableAssociation(ctx context.Context, in *wire.ReplaceRouteTableAssociationInput) (*wire.ReplaceRouteTableAssociationOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.AssociationId == nil:
		return nil, call.Missing("associationId")
	case in.RouteTableId == nil:
		return nil, call.Missing("routeTableId")
	}
	id := s.Deps.IDs.EC2(associationPrefix)
	err := s.Update(ctx, func(sc call.Scope) error {
		from, a, err := associationByID(sc, *in.AssociationId)
		if err != nil {
			return err
		}
		to, err := call.RouteTables.Get(sc, *in.RouteTableId)
		if err != nil {
			return err
		}
		if from.Vpc != to.Vpc {
			return call.Invalid("Route table %s and association %s belong to different networks", to.ID, a.ID)
		}
		from.Associations = without(&from, a.ID)
		if from.ID == to.ID {
			to.Associations = from.Associations
		} else if err := tables.RouteTables.Put(sc.Tx, &from); err != nil {
			return err
		}
		a.ID = id
		to.Associations = append(slices.Clone(to.Associations), a)
		return tables.RouteTables.Put(sc.Tx, &to)
	})
	if err != nil {
		return nil, err
	}
	return &wire.ReplaceRouteTableAssociationOutput{NewAssociationId: &id, AssociationState: associated()}, nil
}
