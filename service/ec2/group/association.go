package group

import (
	"context"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// States of an association of a group with a VPC. Here either change is done when it
// is answered.
const (
	associating    = "associating"
	associated     = "associated"
	disassociating = "disassociating"
)

// pair finds the group and the VPC that a request names.
func pair(sc call.Scope, group, vpc *string) (g network.SecurityGroup, v network.Vpc, err error) {
	if g, err = call.Groups.Get(sc, call.Val(group)); err != nil {
		return g, v, err
	}
	v, err = call.Vpcs.Get(sc, call.Val(vpc))
	return g, v, err
}

// checkPair refuses a request that names too little.
func checkPair(group, vpc *string) error {
	switch {
	case group == nil:
		return call.Missing("groupId")
	case vpc == nil:
		return call.Missing("vpcId")
	}
	return nil
}

// AssociateSecurityGroupVpc lets interfaces of another VPC of the region carry a group.
func (s *Handler) AssociateSecurityGroupVpc(ctx context.Context, in *wire.AssociateSecurityGroupVpcInput) (*wire.AssociateSecurityGroupVpcOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if err := checkPair(in.GroupId, in.VpcId); err != nil {
		return nil, err
	}
	state := associating
	err := s.Update(ctx, func(sc call.Scope) error {
		g, v, err := pair(sc, in.GroupId, in.VpcId)
		switch {
		case err != nil:
			return err
		case g.Name == network.DefaultGroup:
			return call.Invalid("The default security group '%s' cannot be associated with a VPC.", g.ID)
		case v.Default:
			return call.Invalid("Security groups cannot be associated with the default VPC '%s'.", v.ID)
		case g.Vpc == v.ID:
			return call.Invalid("The security group '%s' was created in VPC '%s'.", g.ID, v.ID)
		case g.In(v.ID):
			state = associated
			return nil
		}
		state = associating
		g.Associated = append(slices.Clone(g.Associated), v.ID)
		slices.Sort(g.Associated)
		return tables.SecurityGroups.Put(sc.Tx, &g)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AssociateSecurityGroupVpcOutput{State: &state}, nil
}

// DisassociateSecurityGroupVpc takes back that interfaces of a VPC may carry a group,
// when none does.
func (s *Handler) DisassociateSecurityGroupVpc(ctx context.Context, in *wire.DisassociateSecurityGroupVpcInput) (*wire.DisassociateSecurityGroupVpcOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if err := checkPair(in.GroupId, in.VpcId); err != nil {
		return nil, err
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, v, err := pair(sc, in.GroupId, in.VpcId)
		if err != nil {
			return err
		}
		i, found := slices.BinarySearch(g.Associated, v.ID)
		if !found {
			return shape.Errorf(call.Groups.NotFound, "The security group '%s' is not associated with VPC '%s'", g.ID, v.ID)
		}
		for e, err := range tables.NetworkInterfaces.By(sc.Tx, tables.InterfacesByGroup, g.Account, g.Region, g.ID) {
			if err != nil {
				return err
			}
			if e.Vpc == v.ID {
				return shape.Errorf("DependencyViolation", "resource %s has a dependent object", g.ID)
			}
		}
		g.Associated = slices.Delete(slices.Clone(g.Associated), i, i+1)
		return tables.SecurityGroups.Put(sc.Tx, &g)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DisassociateSecurityGroupVpcOutput{State: new(disassociating)}, nil
}

var associationFilters = filter.Set{Fields: map[string]string{
	"group-id": "GroupId", "group-owner-id": "GroupOwnerId", "state": "State", "vpc-id": "VpcId", "vpc-owner-id": "VpcOwnerId",
}}

// DescribeSecurityGroupVpcAssociations lists with which VPCs groups are associated.
func (s *Handler) DescribeSecurityGroupVpcAssociations(ctx context.Context, in *wire.DescribeSecurityGroupVpcAssociationsInput) (*wire.DescribeSecurityGroupVpcAssociationsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.SecurityGroupVpcAssociation](associationFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := call.CheckPage("", call.Query{Max: in.MaxResults}); err != nil {
		return nil, err
	}
	out := &wire.DescribeSecurityGroupVpcAssociationsOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		all := []wire.SecurityGroupVpcAssociation{}
		for g, err := range tables.SecurityGroups.List(sc.Tx, account, region) {
			if err != nil {
				return err
			}
			for _, vpc := range g.Associated {
				w := wire.SecurityGroupVpcAssociation{
					GroupId: new(g.ID), GroupOwnerId: new(g.Account), State: new(associated), VpcId: new(vpc), VpcOwnerId: new(g.Account),
				}
				if match(&w) {
					all = append(all, w)
				}
			}
		}
		out.SecurityGroupVpcAssociations, out.NextToken, err = call.Cut(s.Env, sc, "DescribeSecurityGroupVpcAssociations", in.MaxResults, in.NextToken, all,
			func(w *wire.SecurityGroupVpcAssociation) string { return *w.GroupId + "/" + *w.VpcId })
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DescribeSecurityGroupReferences lists the VPCs on the other side of active peering
// connections that have rules for the groups.
func (s *Handler) DescribeSecurityGroupReferences(ctx context.Context, in *wire.DescribeSecurityGroupReferencesInput) (*wire.DescribeSecurityGroupReferencesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if len(in.GroupId) == 0 {
		return nil, call.Missing("groupId")
	}
	var out []wire.SecurityGroupReference
	err := s.View(ctx, func(sc call.Scope) error {
		out = []wire.SecurityGroupReference{}
		for i, id := range in.GroupId {
			if slices.Contains(in.GroupId[:i], id) {
				continue
			}
			g, err := call.Groups.Get(sc, id)
			if err != nil {
				return err
			}
			more, err := references(sc, &g)
			if err != nil {
				return err
			}
			out = append(out, more...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &wire.DescribeSecurityGroupReferencesOutput{SecurityGroupReferenceSet: out}, nil
}

// references are the peered VPCs with groups that have rules for g.
func references(sc call.Scope, g *network.SecurityGroup) (out []wire.SecurityGroupReference, err error) {
	sides, err := peersOf(sc, g)
	if err != nil {
		return nil, err
	}
	for _, side := range sides {
		refers, err := refers(sc, g, side)
		if err != nil {
			return nil, err
		}
		if refers {
			out = append(out, wire.SecurityGroupReference{
				GroupId: new(g.ID), ReferencingVpcId: new(side.Vpc), VpcPeeringConnectionId: new(side.connection),
			})
		}
	}
	return out, nil
}

// refers reports whether a group of the VPC on that side has a rule for g.
func refers(sc call.Scope, g *network.SecurityGroup, side peerSide) (bool, error) {
	rules, err := store.Collect(tables.SecurityGroupRules.By(sc.Tx, tables.RulesByPeer, side.Account, side.Region, g.ID))
	if err != nil {
		return false, err
	}
	for _, r := range rules {
		o, found, err := tables.SecurityGroups.Find(sc.Tx, r.Account, r.Region, r.Group)
		if err != nil || found && o.Vpc == side.Vpc {
			return found, err
		}
	}
	return false, nil
}
