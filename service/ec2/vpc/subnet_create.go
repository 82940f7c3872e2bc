package vpc

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/ranges"
	"neargate/wire/shape"
)

// maxSubnets is how many subnets a VPC may have. Source: Amazon VPC quotas.
const maxSubnets = 200

// CreateSubnet makes a subnet, which the VPC's default network ACL filters and its
// main route table routes.
func (s *Handler) CreateSubnet(ctx context.Context, in *wire.CreateSubnetInput) (*wire.CreateSubnetOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.Subnets.Type)
	switch {
	case err != nil:
		return nil, err
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	case call.Val(in.Ipv6Native):
		return nil, admit.Unsupported("Ipv6Native")
	case in.CidrBlock == nil:
		return nil, shape.Errorf("MissingParameter", "Either 'ipv6CidrBlock' or 'cidrBlock' should be provided.")
	}
	cidr, err := cidrOf(in.CidrBlock)
	if err != nil {
		return nil, err
	}
	six, err := subnetRange(in.Ipv6CidrBlock)
	if err != nil {
		return nil, err
	}
	r := network.Subnet{ID: s.newID(call.Subnets.Prefix), CIDR: cidr.String(), Tags: tags}
	if six.IsValid() {
		r.IPv6 = []network.CIDRBlock{{Association: s.newID(subnetAssociation), CIDR: six.String()}}
	}
	association := s.newID("aclassoc")
	var out wire.Subnet
	err = s.Update(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		zone, err := zoneOf(v.Region, in.AvailabilityZone, in.AvailabilityZoneId)
		if err != nil {
			return err
		}
		if err := fits(sc, &v, cidr); err != nil {
			return err
		}
		if six.IsValid() {
			if err := fits6(sc, &v, six); err != nil {
				return err
			}
		}
		r.Account, r.Region, r.Vpc, r.Zone, r.ZoneID = v.Account, v.Region, v.ID, zone.Name, zone.ID
		out, err = putSubnet(sc, &r, association)
		for i := range out.Ipv6CidrBlockAssociationSet {
			out.Ipv6CidrBlockAssociationSet[i].Ipv6CidrBlockState.State = new("associating")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateSubnetOutput{Subnet: &out}, nil
}

// zoneOf is the availability zone that a request names by name or id; without
// either, the region's first.
func zoneOf(region string, name, id *string) (arn.Zone, error) {
	zones := arn.Zones(region)
	if name != nil && id != nil {
		return arn.Zone{}, shape.Errorf("InvalidParameterCombination", "The parameter availabilityZone cannot be used with the parameter availabilityZoneId")
	}
	var names, ids []string
	for _, z := range zones {
		if name == nil && id == nil || name != nil && *name == z.Name || id != nil && *id == z.ID {
			return z, nil
		}
		names, ids = append(names, z.Name), append(ids, z.ID)
	}
	const text = "Value (%s) for parameter %s is invalid. Subnets can currently only be created in the following availability zones: %s."
	if name != nil {
		return arn.Zone{}, call.Invalid(text, *name, "availabilityZone", strings.Join(names, ", "))
	}
	return arn.Zone{}, call.Invalid(text, call.Val(id), "availabilityZoneId", strings.Join(ids, ", "))
}

// fits refuses a range for a new subnet that is not part of the VPC's, or is taken.
func fits(sc call.Scope, v *network.Vpc, cidr netip.Prefix) error {
	ranges, err := prefixes(v.CIDRs())
	if err != nil {
		return err
	}
	within := slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return inside(cidr, p) })
	if !within || cidr.Bits() < minBits || cidr.Bits() > maxBits {
		return shape.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	n := 0
	for r, err := range tables.Subnets.By(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID) {
		if err != nil {
			return err
		}
		if p, err := netip.ParsePrefix(r.CIDR); err != nil {
			return err
		} else if p.Overlaps(cidr) {
			return shape.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
		n++
	}
	if n >= maxSubnets {
		return shape.Errorf("SubnetLimitExceeded", "The maximum number of subnets has been reached.")
	}
	return nil
}

// putSubnet stores a new subnet and lets its VPC's default network ACL filter it.
func putSubnet(sc call.Scope, r *network.Subnet, association string) (wire.Subnet, error) {
	for a, err := range tables.NetworkAcls.List(sc.Tx, r.Account, r.Region) {
		if err != nil {
			return wire.Subnet{}, err
		}
		if a.Vpc != r.Vpc || !a.Default {
			continue
		}
		a.Associations = append(slices.Clone(a.Associations), network.NetworkAclAssociation{ID: association, Subnet: r.ID})
		if err := tables.NetworkAcls.Put(sc.Tx, &a); err != nil {
			return wire.Subnet{}, err
		}
		break
	}
	if err := tables.Subnets.Put(sc.Tx, r); err != nil {
		return wire.Subnet{}, err
	}
	w, err := renderSubnet(sc, r)
	w.BlockPublicAccessStates = nil
	return w, err
}

// CreateDefaultSubnet makes a default subnet in a zone of the default VPC that has
// none.
func (s *Handler) CreateDefaultSubnet(ctx context.Context, in *wire.CreateDefaultSubnetInput) (*wire.CreateDefaultSubnetOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.AvailabilityZone == nil && in.AvailabilityZoneId == nil:
		return nil, call.Missing("availabilityZone")
	case call.Val(in.Ipv6Native):
		return nil, admit.Unsupported("Ipv6Native")
	}
	id, association := s.newID(call.Subnets.Prefix), s.newID("aclassoc")
	var out wire.Subnet
	err := s.Update(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		zone, err := zoneOf(region, in.AvailabilityZone, in.AvailabilityZoneId)
		if err != nil {
			return err
		}
		vpc, err := call.DefaultVpc(sc)
		if err != nil {
			return err
		}
		v, found, err := tables.Vpcs.Find(sc.Tx, account, region, vpc)
		if err != nil {
			return err
		}
		if !found {
			return shape.Errorf("DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.")
		}
		r, err := nextDefault(sc, &v, zone, id)
		if err != nil {
			return err
		}
		out, err = putSubnet(sc, &r, association)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateDefaultSubnetOutput{Subnet: &out}, nil
}

// nextDefault is a default subnet for the zone in the first free part of the
// default VPC.
func nextDefault(sc call.Scope, v *network.Vpc, zone arn.Zone, id string) (network.Subnet, error) {
	has, err := store.Collect(tables.Subnets.By(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID))
	if err != nil {
		return network.Subnet{}, err
	}
	for _, r := range has {
		if r.Zone == zone.Name && r.DefaultForAZ {
			return r, shape.Errorf("DefaultSubnetAlreadyExistsInAvailabilityZone", "'%s' is already the default subnet in %s.", r.ID, r.Zone)
		}
	}
	conflict := error(shape.Errorf("InvalidSubnet.Conflict", "The default VPC '%s' has no room for another default subnet", v.ID))
	for i := range network.DefaultSubnets {
		r := network.DefaultSubnet(v, zone, i, id)
		cidr, err := netip.ParsePrefix(r.CIDR)
		if err != nil {
			return r, err
		}
		if conflict = fits(sc, v, cidr); !shape.IsCode(conflict, "InvalidSubnet.Conflict") {
			return r, conflict
		}
	}
	return network.Subnet{}, conflict
}

// DeleteSubnet deletes a subnet in which there is no interface.
func (s *Handler) DeleteSubnet(ctx context.Context, in *wire.DeleteSubnetInput) (*wire.DeleteSubnetOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.SubnetId == nil {
		return nil, call.Missing("subnetId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		r, err := call.Subnets.Get(sc, *in.SubnetId)
		if err != nil {
			return err
		}
		if sc.Tx.Count(store.Prefix(tables.PrivateAddresses.Name, r.Account, r.Region, r.ID)) > 0 {
			return dependency("subnet", r.ID)
		}
		if sc.Tx.Count(store.Prefix(ranges.Addresses.Name, r.Account, r.Region, r.ID)) > 0 {
			return dependency("subnet", r.ID)
		}
		if err := forget(sc, &r); err != nil {
			return err
		}
		return tables.Subnets.Delete(sc.Tx, r.Account, r.Region, r.ID)
	})
	return &wire.DeleteSubnetOutput{}, err
}

// forget takes a subnet out of its route table and its network ACL.
func forget(sc call.Scope, r *network.Subnet) error {
	err := eachTable(sc, &network.Vpc{Account: r.Account, Region: r.Region, ID: r.Vpc}, func(t *network.RouteTable) {
		t.Associations = slices.DeleteFunc(t.Associations, func(a network.RouteTableAssociation) bool { return a.Subnet == r.ID })
	})
	if err != nil {
		return err
	}
	acls, err := store.Collect(tables.NetworkAcls.List(sc.Tx, r.Account, r.Region))
	if err != nil {
		return err
	}
	for _, a := range acls {
		i := slices.IndexFunc(a.Associations, func(x network.NetworkAclAssociation) bool { return x.Subnet == r.ID })
		if i < 0 {
			continue
		}
		a.Associations = slices.Delete(slices.Clone(a.Associations), i, i+1)
		if err := tables.NetworkAcls.Put(sc.Tx, &a); err != nil {
			return err
		}
	}
	return nil
}
