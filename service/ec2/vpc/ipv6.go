package vpc

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/ipv6"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/ranges"
	"neargate/wire/shape"
)

// maxBlocks is how many IPv6 ranges a VPC may have. Source: Amazon VPC quotas.
const maxBlocks = 5

// Prefixes of the ids of associations of ranges.
const (
	vpcAssociation    = "vpc-cidr-assoc"
	subnetAssociation = "subnet-cidr-assoc"
)

// amazonPool is the pool that Amazon's own IPv6 ranges come from.
const amazonPool = "Amazon"

// association6 shows an IPv6 range of a VPC.
func association6(region string, b network.CIDRBlock, state string) wire.VpcIpv6CidrBlockAssociation {
	return wire.VpcIpv6CidrBlockAssociation{
		AssociationId: &b.Association, Ipv6CidrBlock: &b.CIDR, Ipv6CidrBlockState: &wire.VpcCidrBlockState{State: &state},
		Ipv6Pool: new(amazonPool), NetworkBorderGroup: &region, IpSource: new("amazon"), Ipv6AddressAttribute: new("public"),
	}
}

// subnetRanges shows the IPv6 range of a subnet, if it has one.
func subnetRanges(r *network.Subnet) []wire.SubnetIpv6CidrBlockAssociation {
	out := []wire.SubnetIpv6CidrBlockAssociation{}
	for _, b := range r.IPv6 {
		out = append(out, subnetRangeAs(b, "associated"))
	}
	return out
}

func subnetRangeAs(b network.CIDRBlock, state string) wire.SubnetIpv6CidrBlockAssociation {
	return wire.SubnetIpv6CidrBlockAssociation{
		AssociationId: &b.Association, Ipv6CidrBlock: &b.CIDR, Ipv6CidrBlockState: &wire.SubnetCidrBlockState{State: &state},
		IpSource: new("amazon"), Ipv6AddressAttribute: new("public"),
	}
}

func indexOf(blocks []network.CIDRBlock, association string) int {
	return slices.IndexFunc(blocks, func(b network.CIDRBlock) bool { return b.Association == association })
}

// provided is the IPv6 range that a new VPC is to have, still without addresses; nil:
// none.
func (s *Handler) provided(asked *bool) *network.CIDRBlock {
	if !call.Val(asked) {
		return nil
	}
	return &network.CIDRBlock{Association: s.newID(vpcAssociation)}
}

// provide gives the VPC a block of the installation's IPv6 range.
func (s *Handler) provide(sc call.Scope, v *network.Vpc, b network.CIDRBlock) (err error) {
	if b.CIDR, err = ranges.TakeBlock(sc.Tx, ipv6.Range(s.PublicRange()), v, b.Association); err != nil {
		if errors.Is(err, address.ErrExhausted) {
			err = shape.Errorf("InsufficientCidrBlocks", "There are no free IPv6 CIDR blocks of the size requested.")
		}
		return err
	}
	v.IPv6 = append(slices.Clone(v.IPv6), b)
	return nil
}

// furnish makes the parts that the new VPC is born with fit for IPv6. rule is the id of
// a rule more.
func furnish(v *network.Vpc, p *network.VpcParts, rule string) {
	p.RouteTable.Routes = v.LocalRoutes()
	ipv6.Guard(&p.NetworkAcl)
	p.Rules = append(slices.Clone(p.Rules), network.SecurityGroupRule{
		Account: v.Account, Region: v.Region, ID: rule, Group: p.SecurityGroup.ID, Permission: ipv6.LetOut(),
	})
}

// associate6 gives a VPC an IPv6 range, each of its route tables a local route for it,
// and its network ACLs and security groups what they have in VPCs with IPv6.
func (s *Handler) associate6(ctx context.Context, vpc string) (*wire.AssociateVpcCidrBlockOutput, error) {
	added := network.CIDRBlock{Association: s.newID(vpcAssociation)}
	var out wire.VpcIpv6CidrBlockAssociation
	err := s.Update(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, vpc)
		if err != nil {
			return err
		}
		if len(v.IPv6) >= maxBlocks {
			return shape.Errorf("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", v.ID, maxBlocks)
		}
		first := len(v.IPv6) == 0
		if err := s.provide(sc, &v, added); err != nil {
			return err
		}
		b := v.IPv6[len(v.IPv6)-1]
		out = association6(v.Region, b, "associating")
		err = eachTable(sc, &v, func(t *network.RouteTable) {
			t.Routes = append(t.Routes, network.Route{
				Destination6: b.CIDR, Gateway: network.LocalGateway, Origin: network.OriginCreateRouteTable,
			})
		})
		if err != nil {
			return err
		}
		if first {
			if err := s.open(sc, &v); err != nil {
				return err
			}
		}
		return tables.Vpcs.Put(sc.Tx, &v)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AssociateVpcCidrBlockOutput{Ipv6CidrBlockAssociation: &out, VpcId: &vpc}, nil
}

// open gives the network ACLs of a VPC, and its security groups that let everything out
// as when they were made, their entries and rules for IPv6.
func (s *Handler) open(sc call.Scope, v *network.Vpc) error {
	acls, err := store.Collect(tables.NetworkAcls.List(sc.Tx, v.Account, v.Region))
	if err != nil {
		return err
	}
	for _, a := range acls {
		if a.Vpc != v.ID {
			continue
		}
		ipv6.Guard(&a)
		if err := tables.NetworkAcls.Put(sc.Tx, &a); err != nil {
			return err
		}
	}
	groups, err := store.Collect(tables.SecurityGroups.By(sc.Tx, tables.GroupsByName, v.Account, v.Region, v.ID))
	if err != nil {
		return err
	}
	for _, g := range groups {
		rules, err := store.Collect(tables.SecurityGroupRules.By(sc.Tx, tables.RulesByGroup, v.Account, v.Region, g.ID))
		if err != nil {
			return err
		}
		if !ipv6.Unchanged(rules) {
			continue
		}
		r := network.SecurityGroupRule{
			Account: v.Account, Region: v.Region, ID: s.newID(call.Rules.Prefix), Group: g.ID, Permission: ipv6.LetOut(),
		}
		if err := tables.SecurityGroupRules.Put(sc.Tx, &r); err != nil {
			return err
		}
	}
	return nil
}

// dissociate6 takes the i-th IPv6 range from a VPC that has no subnet there.
func dissociate6(sc call.Scope, v *network.Vpc, i int) error {
	gone := v.IPv6[i]
	outer, err := netip.ParsePrefix(gone.CIDR)
	if err != nil {
		return err
	}
	for r, err := range tables.Subnets.By(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID) {
		if err != nil {
			return err
		}
		for _, b := range r.IPv6 {
			if p, err := netip.ParsePrefix(b.CIDR); err != nil {
				return err
			} else if inside(p, outer) {
				return shape.Errorf("InvalidCidr.InUse", "The vpc CIDR block with association ID %s may not be disassociated. "+
					"The CIDR block is in use.", gone.Association)
			}
		}
	}
	v.IPv6 = slices.Delete(slices.Clone(v.IPv6), i, i+1)
	err = eachTable(sc, v, func(t *network.RouteTable) {
		t.Routes = slices.DeleteFunc(t.Routes, func(r network.Route) bool {
			return r.Gateway == network.LocalGateway && r.Destination6 == gone.CIDR
		})
	})
	if err != nil {
		return err
	}
	if err := ranges.Blocks.Delete(sc.Tx, gone.CIDR); err != nil {
		return err
	}
	return tables.Vpcs.Put(sc.Tx, v)
}

// subnetRange reads the IPv6 range of a subnet; invalid without one.
func subnetRange(s *string) (p netip.Prefix, err error) {
	if s == nil {
		return p, nil
	}
	p, ok := network.Canonical(*s, 6)
	if !ok {
		return p, call.Invalid("Value (%s) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.", *s)
	}
	return p, nil
}

// fits6 refuses an IPv6 range for a subnet that is not part of the VPC's, or is taken.
func fits6(sc call.Scope, v *network.Vpc, cidr netip.Prefix) error {
	within := slices.ContainsFunc(v.IPv6, func(b network.CIDRBlock) bool {
		p, err := netip.ParsePrefix(b.CIDR)
		return err == nil && inside(cidr, p)
	})
	if !within || !ipv6.SubnetLength(cidr.Bits()) {
		return shape.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	for r, err := range tables.Subnets.By(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID) {
		if err != nil {
			return err
		}
		for _, b := range r.IPv6 {
			if p, err := netip.ParsePrefix(b.CIDR); err != nil {
				return err
			} else if p.Overlaps(cidr) {
				return shape.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
			}
		}
	}
	return nil
}

// AssociateSubnetCidrBlock gives a subnet an IPv6 range.
func (s *Handler) AssociateSubnetCidrBlock(ctx context.Context, in *wire.AssociateSubnetCidrBlockInput) (*wire.AssociateSubnetCidrBlockOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.SubnetId == nil:
		return nil, call.Missing("subnetId")
	case in.Ipv6CidrBlock == nil:
		return nil, call.Missing("ipv6CidrBlock")
	}
	cidr, err := subnetRange(in.Ipv6CidrBlock)
	if err != nil {
		return nil, err
	}
	b := network.CIDRBlock{Association: s.newID(subnetAssociation), CIDR: cidr.String()}
	err = s.Update(ctx, func(sc call.Scope) error {
		r, err := call.Subnets.Get(sc, *in.SubnetId)
		if err != nil {
			return err
		}
		if len(r.IPv6) > 0 {
			return shape.Errorf("CidrLimitExceeded", "The subnet '%s' has met its maximum number of allowed IPv6 CIDRs: 1", r.ID)
		}
		v, err := tables.Vpcs.Get(sc.Tx, r.Account, r.Region, r.Vpc)
		if err != nil {
			return err
		}
		if err := fits6(sc, &v, cidr); err != nil {
			return err
		}
		r.IPv6 = []network.CIDRBlock{b}
		return tables.Subnets.Put(sc.Tx, &r)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AssociateSubnetCidrBlockOutput{
		Ipv6CidrBlockAssociation: new(subnetRangeAs(b, "associating")), SubnetId: in.SubnetId,
	}, nil
}

// DisassociateSubnetCidrBlock takes the IPv6 range from a subnet in which no interface
// has an address of it.
func (s *Handler) DisassociateSubnetCidrBlock(ctx context.Context, in *wire.DisassociateSubnetCidrBlockInput) (*wire.DisassociateSubnetCidrBlockOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.AssociationId == nil {
		return nil, call.Missing("associationId")
	}
	var r network.Subnet
	var gone network.CIDRBlock
	err := s.Update(ctx, func(sc call.Scope) error {
		var err error
		if r, err = subnetWithRange(sc, *in.AssociationId); err != nil {
			return err
		}
		gone = r.IPv6[0]
		reserved := slices.ContainsFunc(r.Reservations, func(x network.Reserved) bool { return strings.Contains(x.CIDR, ":") })
		if reserved || sc.Tx.Count(store.Prefix(ranges.Addresses.Name, r.Account, r.Region, r.ID)) > 0 {
			return shape.Errorf("InvalidCidr.InUse", "The subnet CIDR block with association ID %s may not be disassociated. "+
				"The CIDR block is in use.", gone.Association)
		}
		r.IPv6, r.AssignIPv6, r.HostnameAAAA = nil, false, false
		return tables.Subnets.Put(sc.Tx, &r)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DisassociateSubnetCidrBlockOutput{
		Ipv6CidrBlockAssociation: new(subnetRangeAs(gone, "disassociating")), SubnetId: &r.ID,
	}, nil
}

// subnetWithRange finds the subnet that has a range by that association.
func subnetWithRange(sc call.Scope, association string) (network.Subnet, error) {
	account, region := sc.Tenant()
	for r, err := range tables.Subnets.List(sc.Tx, account, region) {
		if err != nil || indexOf(r.IPv6, association) >= 0 {
			return r, err
		}
	}
	return network.Subnet{}, shape.Errorf("InvalidSubnetCidrBlockAssociationID.NotFound",
		"The subnet CIDR block association ID '%s' does not exist", association)
}
