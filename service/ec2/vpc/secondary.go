package vpc

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// maxRanges is how many IPv4 ranges a VPC may have. Source: Amazon VPC quotas.
const maxRanges = 5

// AssociateVpcCidrBlock gives a VPC a further range of addresses, and each of its
// route tables a local route for it.
func (s *Handler) AssociateVpcCidrBlock(ctx context.Context, in *wire.AssociateVpcCidrBlockInput) (*wire.AssociateVpcCidrBlockOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	case call.Val(in.AmazonProvidedIpv6CidrBlock) && in.CidrBlock != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "The parameter amazonProvidedIpv6CidrBlock cannot be used with the parameter cidrBlock")
	case call.Val(in.AmazonProvidedIpv6CidrBlock):
		return s.associate6(ctx, *in.VpcId)
	case in.CidrBlock == nil:
		return nil, call.Missing("cidrBlock")
	}
	cidr, err := vpcRange(in.CidrBlock)
	if err != nil {
		return nil, err
	}
	added := network.CIDRBlock{Association: s.newID("vpc-cidr-assoc"), CIDR: cidr.String()}
	err = s.Update(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		if err := mayAdd(sc, &v, cidr); err != nil {
			return err
		}
		v.Secondary = append(slices.Clone(v.Secondary), added)
		err = eachTable(sc, &v, func(t *network.RouteTable) {
			t.Routes = append(t.Routes, network.Route{
				Destination: added.CIDR, Gateway: network.LocalGateway, Origin: network.OriginCreateRouteTable,
			})
		})
		if err != nil {
			return err
		}
		return tables.Vpcs.Put(sc.Tx, &v)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AssociateVpcCidrBlockOutput{
		CidrBlockAssociation: new(association(added.Association, added.CIDR, "associating")), VpcId: in.VpcId,
	}, nil
}

// mayAdd refuses a range that the VPC may not have besides its own.
func mayAdd(sc call.Scope, v *network.Vpc, cidr netip.Prefix) error {
	has, err := prefixes(v.CIDRs())
	switch {
	case err != nil:
		return err
	case overlaps(cidr, has...):
		return shape.Errorf("CidrConflict", "The CIDR '%s' conflicts with another CIDR of the VPC '%s'", cidr, v.ID)
	case restricted(has, cidr):
		return shape.Errorf("InvalidVpc.Range", "The CIDR '%s' is restricted. Use a CIDR from the same private address range as the current VPC CIDR, "+
			"or use a publicly-routable CIDR. For additional restrictions, see https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Subnets.html#vpc-resize.", cidr)
	case len(has) >= maxRanges:
		return shape.Errorf("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", v.ID, maxRanges)
	}
	var conflict error
	err = eachTable(sc, v, func(t *network.RouteTable) {
		for _, r := range t.Routes {
			if d, err := netip.ParsePrefix(r.Destination); err == nil && inside(d, cidr) {
				conflict = shape.Errorf("CidrConflict", "The CIDR '%s' conflicts with the route to %s in route table %s", cidr, d, t.ID)
			}
		}
	})
	if conflict != nil || err != nil {
		return cmp.Or(err, conflict)
	}
	return apartFromPeers(sc, v, cidr)
}

// apartFromPeers refuses a range that overlaps with one of a VPC that is peered.
func apartFromPeers(sc call.Scope, v *network.Vpc, cidr netip.Prefix) error {
	for p, err := range edges.Peerings.By(sc.Tx, edges.PeeringsByVpc, v.Account, v.Region, v.ID) {
		if err != nil {
			return err
		}
		if p.State != edge.PeeringActive {
			continue
		}
		side := p.Accepter
		if side.Account == v.Account && side.Region == v.Region && side.Vpc == v.ID {
			side = p.Requester
		}
		cidrs := side.CIDRs
		if other, found, err := tables.Vpcs.Find(sc.Tx, side.Account, side.Region, side.Vpc); err != nil {
			return err
		} else if found {
			cidrs = other.CIDRs()
		}
		ranges, err := prefixes(cidrs)
		if err != nil {
			return err
		}
		if overlaps(cidr, ranges...) {
			return shape.Errorf("CidrConflict", "The CIDR '%s' conflicts with a CIDR of the VPC peering connection %s", cidr, p.ID)
		}
	}
	return nil
}

// DisassociateVpcCidrBlock takes a further range from a VPC that has no subnet
// there.
func (s *Handler) DisassociateVpcCidrBlock(ctx context.Context, in *wire.DisassociateVpcCidrBlockInput) (*wire.DisassociateVpcCidrBlockOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.AssociationId == nil {
		return nil, call.Missing("associationId")
	}
	id := *in.AssociationId
	var v network.Vpc
	var gone network.CIDRBlock
	var six bool
	err := s.Update(ctx, func(sc call.Scope) error {
		var err error
		if v, err = vpcWithRange(sc, id); err != nil {
			return err
		}
		if i := indexOf(v.IPv6, id); i >= 0 {
			gone, six = v.IPv6[i], true
			return dissociate6(sc, &v, i)
		}
		if v.CIDRAssociation == id {
			return shape.Errorf("OperationNotPermitted", "The vpc CIDR block with association ID %s may not be disassociated. "+
				"It is the primary IPv4 CIDR block of the VPC", id)
		}
		i := indexOf(v.Secondary, id)
		gone = v.Secondary[i]
		if used, err := hasSubnetIn(sc, &v, gone.CIDR); err != nil {
			return err
		} else if used {
			return shape.Errorf("InvalidCidr.InUse", "The vpc CIDR block with association ID %s may not be disassociated. The CIDR block is in use.", id)
		}
		v.Secondary = slices.Delete(slices.Clone(v.Secondary), i, i+1)
		err = eachTable(sc, &v, func(t *network.RouteTable) {
			t.Routes = slices.DeleteFunc(t.Routes, func(r network.Route) bool {
				return r.Gateway == network.LocalGateway && r.Destination == gone.CIDR
			})
		})
		if err != nil {
			return err
		}
		return tables.Vpcs.Put(sc.Tx, &v)
	})
	if err != nil {
		return nil, err
	}
	if six {
		return &wire.DisassociateVpcCidrBlockOutput{
			Ipv6CidrBlockAssociation: new(association6(v.Region, gone, "disassociating")), VpcId: &v.ID,
		}, nil
	}
	return &wire.DisassociateVpcCidrBlockOutput{
		CidrBlockAssociation: new(association(gone.Association, gone.CIDR, "disassociating")), VpcId: &v.ID,
	}, nil
}

// vpcWithRange finds the VPC that has a range by that association.
func vpcWithRange(sc call.Scope, association string) (network.Vpc, error) {
	account, region := sc.Tenant()
	for v, err := range tables.Vpcs.List(sc.Tx, account, region) {
		if err != nil {
			return v, err
		}
		if v.CIDRAssociation == association || indexOf(v.Secondary, association) >= 0 || indexOf(v.IPv6, association) >= 0 {
			return v, nil
		}
	}
	return network.Vpc{}, shape.Errorf("InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist", association)
}

// hasSubnetIn reports whether the VPC has a subnet in the range.
func hasSubnetIn(sc call.Scope, v *network.Vpc, cidr string) (bool, error) {
	outer, err := netip.ParsePrefix(cidr)
	if err != nil {
		return false, err
	}
	for r, err := range tables.Subnets.By(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID) {
		if err != nil {
			return false, err
		}
		if p, err := netip.ParsePrefix(r.CIDR); err != nil || inside(p, outer) {
			return true, err
		}
	}
	return false, nil
}

// eachTable changes the route tables of the VPC; those left as they are are not
// written.
func eachTable(sc call.Scope, v *network.Vpc, change func(*network.RouteTable)) error {
	all, err := store.Collect(tables.RouteTables.List(sc.Tx, v.Account, v.Region))
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Vpc != v.ID {
			continue
		}
		routes, associations := t.Routes, t.Associations
		t.Routes, t.Associations = slices.Clone(routes), slices.Clone(associations)
		change(&t)
		if slices.Equal(routes, t.Routes) && slices.Equal(associations, t.Associations) {
			continue
		}
		if err := tables.RouteTables.Put(sc.Tx, &t); err != nil {
			return err
		}
	}
	return nil
}
