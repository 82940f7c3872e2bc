package ec2

import (
	"net/netip"
	"slices"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/ipv6"
	"neargate/store"
	"neargate/store/tables/ranges"
)

// dual builds a VPC with IPv6, and says its range.
func (b bench) dual() (vpc string, cidr netip.Prefix) {
	b.t.Helper()
	v := must(b, b.CreateVpc, wire.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true)}).Vpc
	if n := len(v.Ipv6CidrBlockAssociationSet); n != 1 || *v.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlockState.State != "associating" {
		b.t.Fatalf("IPv6 of a new VPC: %+v", v.Ipv6CidrBlockAssociationSet)
	}
	return *v.VpcId, netip.MustParsePrefix(*v.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock)
}

// part is the i-th /64 of a VPC's range.
func part(p netip.Prefix, i byte) string {
	a := p.Addr().As16()
	a[7] = i
	return netip.PrefixFrom(netip.AddrFrom16(a), 64).String()
}

func (b bench) dualSubnet(vpc, cidr, six string) string {
	b.t.Helper()
	return *must(b, b.CreateSubnet, wire.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr, Ipv6CidrBlock: &six}).Subnet.SubnetId
}

func TestVpcIPv6(t *testing.T) {
	b := newBench(t)
	v, p := b.dual()
	if p.Bits() != 56 || !ipv6.Range(network.PublicRange()).Contains(p.Addr()) {
		t.Errorf("range %s", p)
	}
	shown := must(b, b.DescribeVpcs, wire.DescribeVpcsInput{Filters: where("ipv6-cidr-block-association.ipv6-cidr-block", p.String())}).Vpcs
	if len(shown) != 1 || *shown[0].VpcId != v {
		t.Fatalf("found by its range: %+v", shown)
	}
	a := shown[0].Ipv6CidrBlockAssociationSet[0]
	if *a.Ipv6CidrBlockState.State != "associated" || *a.Ipv6Pool != "Amazon" || *a.NetworkBorderGroup != "us-east-1" {
		t.Errorf("association %+v", a)
	}
	in := where("vpc-id", v)
	routes := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: in}).RouteTables[0].Routes
	if len(routes) != 2 || *routes[1].DestinationIpv6CidrBlock != p.String() || *routes[1].GatewayId != "local" {
		t.Errorf("routes %+v", routes)
	}
	var numbers []int32
	for _, e := range must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: in}).NetworkAcls[0].Entries {
		numbers = append(numbers, *e.RuleNumber)
		if (e.CidrBlock == nil) == (e.Ipv6CidrBlock == nil) {
			t.Errorf("entry %+v", e)
		}
	}
	if want := []int32{100, 101, 32767, 32768, 100, 101, 32767, 32768}; !slices.Equal(numbers, want) {
		t.Errorf("entries %v", numbers)
	}
	g := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{Filters: in}).SecurityGroups[0]
	if e := g.IpPermissionsEgress; len(e) != 1 || len(e[0].IpRanges) != 1 || len(e[0].Ipv6Ranges) != 1 || *e[0].Ipv6Ranges[0].CidrIpv6 != "::/0" {
		t.Errorf("egress %+v", e)
	}
	own := must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{VpcId: &v, GroupName: new("own"), Description: new("own")})
	g = must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{*own.GroupId}}).SecurityGroups[0]
	if len(g.IpPermissionsEgress[0].Ipv6Ranges) != 1 {
		t.Errorf("egress of a new group %+v", g.IpPermissionsEgress)
	}
	acl := must(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v}).NetworkAcl
	if len(acl.Entries) != 4 || *acl.Entries[1].Ipv6CidrBlock != "::/0" || *acl.Entries[1].RuleAction != "deny" {
		t.Errorf("entries of a new ACL %+v", acl.Entries)
	}

	must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: own.GroupId})
	must(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{NetworkAclId: acl.NetworkAclId})
	must(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &v})
	b.blocks(0)
}

// blocks checks how many IPv6 ranges are taken.
func (b bench) blocks(want int) {
	b.t.Helper()
	err := b.Deps.Store.View(b.ctx, func(tx store.Tx) error {
		if n := tx.Count(store.Prefix(ranges.Blocks.Name)); n != want {
			b.t.Errorf("%d IPv6 ranges are taken, want %d", n, want)
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestAssociateIPv6 gives a VPC IPv6 later: rules that a customer changed stay as
// they are.
func TestAssociateIPv6(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	in := where("vpc-id", v)
	acl := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: in}).NetworkAcls[0].NetworkAclId
	must(b, b.CreateNetworkAclEntry, wire.CreateNetworkAclEntryInput{NetworkAclId: acl, Egress: new(false), RuleNumber: new(int32(50)),
		Protocol: new("6"), RuleAction: new("deny"), CidrBlock: new("0.0.0.0/0"), PortRange: &wire.PortRange{From: new(int32(22)), To: new(int32(22))}})
	narrow := must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{VpcId: &v, GroupName: new("narrow"), Description: new("x")}).GroupId
	must(b, b.RevokeSecurityGroupEgress, wire.RevokeSecurityGroupEgressInput{GroupId: narrow, IpPermissions: []wire.IpPermission{
		{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("0.0.0.0/0")}}}}})
	out := must(b, b.AssociateVpcCidrBlock, wire.AssociateVpcCidrBlockInput{VpcId: &v, AmazonProvidedIpv6CidrBlock: new(true)})
	p := netip.MustParsePrefix(*out.Ipv6CidrBlockAssociation.Ipv6CidrBlock)
	var ingress, egress []int32
	for _, e := range must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: in}).NetworkAcls[0].Entries {
		if *e.Egress {
			egress = append(egress, *e.RuleNumber)
		} else {
			ingress = append(ingress, *e.RuleNumber)
		}
	}
	if !slices.Equal(egress, []int32{100, 101, 32767, 32768}) || !slices.Equal(ingress, []int32{50, 100, 32767, 32768}) {
		t.Errorf("entries out %v, in %v", egress, ingress)
	}
	for _, g := range must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{Filters: in}).SecurityGroups {
		if plain := *g.GroupName == "default"; plain != (len(g.IpPermissionsEgress) == 1 && len(g.IpPermissionsEgress[0].Ipv6Ranges) == 1) {
			t.Errorf("egress of %s: %+v", *g.GroupName, g.IpPermissionsEgress)
		}
	}
	for range 4 {
		must(b, b.AssociateVpcCidrBlock, wire.AssociateVpcCidrBlockInput{VpcId: &v, AmazonProvidedIpv6CidrBlock: new(true)})
	}
	fails(b, b.AssociateVpcCidrBlock, wire.AssociateVpcCidrBlockInput{VpcId: &v, AmazonProvidedIpv6CidrBlock: new(true)}, "CidrLimitExceeded", "")
	b.blocks(5)

	s := b.dualSubnet(v, "10.0.1.0/24", part(p, 1))
	gone := wire.DisassociateVpcCidrBlockInput{AssociationId: out.Ipv6CidrBlockAssociation.AssociationId}
	fails(b, b.DisassociateVpcCidrBlock, gone, "InvalidCidr.InUse", "")
	must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &s})
	if x := must(b, b.DisassociateVpcCidrBlock, gone).Ipv6CidrBlockAssociation; *x.Ipv6CidrBlockState.State != "disassociating" {
		t.Errorf("%+v", x)
	}
	fails(b, b.DisassociateVpcCidrBlock, gone, "InvalidVpcCidrBlockAssociationID.NotFound", "")
	b.blocks(4)
	for _, r := range must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: in}).RouteTables[0].Routes {
		if r.DestinationIpv6CidrBlock != nil && *r.DestinationIpv6CidrBlock == p.String() {
			t.Error("a local route outlives its range")
		}
	}
}

func TestSubnetIPv6(t *testing.T) {
	b := newBench(t)
	v, p := b.dual()
	create := func(cidr, six string) wire.CreateSubnetInput {
		return wire.CreateSubnetInput{VpcId: &v, CidrBlock: &cidr, Ipv6CidrBlock: &six}
	}
	s := must(b, b.CreateSubnet, create("10.0.1.0/24", part(p, 1))).Subnet
	if a := s.Ipv6CidrBlockAssociationSet; len(a) != 1 || *a[0].Ipv6CidrBlock != part(p, 1) || *a[0].Ipv6CidrBlockState.State != "associating" {
		t.Errorf("%+v", a)
	}
	for _, c := range []struct{ six, code string }{
		{part(p, 1), "InvalidSubnet.Conflict"}, {p.String(), "InvalidSubnet.Conflict"}, {"3fff:fff::/64", "InvalidSubnet.Range"},
		{p.Addr().String() + "/65", "InvalidSubnet.Range"}, {p.Addr().String() + "/62", "InvalidSubnet.Range"},
		{"10.0.0.0/24", "InvalidParameterValue"}, {"x", "InvalidParameterValue"},
	} {
		fails(b, b.CreateSubnet, create("10.0.2.0/24", c.six), c.code, "")
	}
	plain := b.subnet(v, "10.0.3.0/24")
	on := &wire.AttributeBooleanValue{Value: new(true)}
	fails(b, b.ModifySubnetAttribute, wire.ModifySubnetAttributeInput{SubnetId: &plain, AssignIpv6AddressOnCreation: on}, "InvalidParameterValue", "")
	fails(b, b.AssociateSubnetCidrBlock, wire.AssociateSubnetCidrBlockInput{SubnetId: &plain, Ipv6CidrBlock: new(part(p, 1))}, "InvalidSubnet.Conflict", "")
	a := must(b, b.AssociateSubnetCidrBlock, wire.AssociateSubnetCidrBlockInput{SubnetId: &plain, Ipv6CidrBlock: new(part(p, 3))}).Ipv6CidrBlockAssociation
	fails(b, b.AssociateSubnetCidrBlock, wire.AssociateSubnetCidrBlockInput{SubnetId: &plain, Ipv6CidrBlock: new(part(p, 4))}, "CidrLimitExceeded", "")
	must(b, b.ModifySubnetAttribute, wire.ModifySubnetAttributeInput{SubnetId: &plain, AssignIpv6AddressOnCreation: on})

	e := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &plain}).NetworkInterface
	if len(e.Ipv6Addresses) != 1 || !netip.MustParsePrefix(part(p, 3)).Contains(netip.MustParseAddr(*e.Ipv6Addresses[0].Ipv6Address)) {
		t.Errorf("addresses of an interface %+v", e.Ipv6Addresses)
	}
	gone := wire.DisassociateSubnetCidrBlockInput{AssociationId: a.AssociationId}
	fails(b, b.DisassociateSubnetCidrBlock, gone, "InvalidCidr.InUse", "")
	fails(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &plain}, "DependencyViolation", "")
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId})
	must(b, b.DisassociateSubnetCidrBlock, gone)
	fails(b, b.DisassociateSubnetCidrBlock, gone, "InvalidSubnetCidrBlockAssociationID.NotFound", "")
	shown := must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{SubnetIds: []string{plain}}).Subnets[0]
	if len(shown.Ipv6CidrBlockAssociationSet) != 0 || *shown.AssignIpv6AddressOnCreation {
		t.Errorf("a subnet that lost its range %+v", shown)
	}
}

func TestAssignIPv6(t *testing.T) {
	b := newBench(t)
	v, p := b.dual()
	s := b.dualSubnet(v, "10.0.1.0/24", part(p, 1))
	addr := func(last string) string {
		return netip.MustParsePrefix(part(p, 1)).Addr().Next().String()[:len(netip.MustParsePrefix(part(p, 1)).Addr().Next().String())-1] + last
	}
	e := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &s, Ipv6Addresses: []wire.InstanceIpv6Address{{Ipv6Address: new(addr("A"))}}}).NetworkInterface
	if len(e.Ipv6Addresses) != 1 || *e.Ipv6Addresses[0].Ipv6Address != addr("a") || *e.Ipv6Address != addr("a") {
		t.Fatalf("%+v", e.Ipv6Addresses)
	}
	id := e.NetworkInterfaceId
	other := b.plug(s)
	assign := func(eni string, addrs ...string) wire.AssignIpv6AddressesInput {
		return wire.AssignIpv6AddressesInput{NetworkInterfaceId: &eni, Ipv6Addresses: addrs}
	}
	for _, c := range []struct {
		in   wire.AssignIpv6AddressesInput
		code string
	}{
		{assign(other, addr("a")), "InvalidIPAddress.InUse"}, {assign(other, addr("3")), "InvalidParameterValue"},
		{assign(other, part(p, 2)[:len(part(p, 2))-3]+"9"), "InvalidParameterValue"}, {assign(other, "10.0.1.9"), "InvalidParameterValue"},
		{assign(other, addr("b"), addr("B")), "InvalidParameterValue"}, {assign(other), "MissingParameter"},
		{wire.AssignIpv6AddressesInput{NetworkInterfaceId: &other, Ipv6AddressCount: new(int32(51))}, "PrivateIpAddressLimitExceeded"},
		{wire.AssignIpv6AddressesInput{NetworkInterfaceId: &other, Ipv6AddressCount: new(int32(1)), Ipv6Addresses: []string{addr("b")}}, "InvalidParameterCombination"},
		{assign(b.plug(b.subnet(v, "10.0.9.0/24")), addr("b")), "InvalidParameterValue"},
	} {
		fails(b, b.AssignIpv6Addresses, c.in, c.code, "")
	}
	got := must(b, b.AssignIpv6Addresses, wire.AssignIpv6AddressesInput{NetworkInterfaceId: &other, Ipv6AddressCount: new(int32(3))}).AssignedIpv6Addresses
	if len(got) != 3 || got[0] == got[1] {
		t.Errorf("assigned %v", got)
	}
	found := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{Filters: where("ipv6-addresses.ipv6-address", got[2])}).NetworkInterfaces
	if len(found) != 1 || *found[0].NetworkInterfaceId != other {
		t.Errorf("found by address: %+v", found)
	}
	gone := wire.UnassignIpv6AddressesInput{NetworkInterfaceId: &other, Ipv6Addresses: got[:1]}
	must(b, b.UnassignIpv6Addresses, gone)
	fails(b, b.UnassignIpv6Addresses, gone, "InvalidParameterValue", "")
	must(b, b.AssignIpv6Addresses, assign(*id, got[0]))
	free := must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{SubnetIds: []string{s}}).Subnets[0].AvailableIpAddressCount
	if *free != 249 {
		t.Errorf("%d IPv4 addresses are free", *free)
	}
}

func TestEgressOnlyGateway(t *testing.T) {
	b := newBench(t)
	v, _ := b.dual()
	create := wire.CreateEgressOnlyInternetGatewayInput{VpcId: &v, ClientToken: new("once")}
	g := must(b, b.CreateEgressOnlyInternetGateway, create).EgressOnlyInternetGateway
	if *g.Attachments[0].State != "attached" || *g.Attachments[0].VpcId != v {
		t.Errorf("%+v", g)
	}
	if again := must(b, b.CreateEgressOnlyInternetGateway, create).EgressOnlyInternetGateway; *again.EgressOnlyInternetGatewayId != *g.EgressOnlyInternetGatewayId {
		t.Error("the same request made another gateway")
	}
	fails(b, b.CreateEgressOnlyInternetGateway, wire.CreateEgressOnlyInternetGatewayInput{VpcId: &v}, "InvalidParameterValue", "")
	id := g.EgressOnlyInternetGatewayId
	table := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v}).RouteTable.RouteTableId
	fails(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: new("0.0.0.0/0"), EgressOnlyInternetGatewayId: id}, "InvalidParameterValue", "")
	fails(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: new("0.0.0.0/0"), DestinationIpv6CidrBlock: new("::/0"), EgressOnlyInternetGatewayId: id}, "InvalidParameterCombination", "")
	fails(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("0.0.0.0/0"), EgressOnlyInternetGatewayId: id}, "InvalidParameterValue", "")
	fails(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("fe80::/64"), EgressOnlyInternetGatewayId: id}, "InvalidParameterValue", "")
	must(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("::/0"), EgressOnlyInternetGatewayId: id})
	state := func() string {
		r := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: where("route.egress-only-internet-gateway-id", *id)}).RouteTables[0].Routes[0]
		if *r.DestinationIpv6CidrBlock != "::/0" {
			t.Errorf("route %+v", r)
		}
		return *r.State
	}
	if s := state(); s != "active" {
		t.Errorf("route is %s", s)
	}
	igw := b.gateway(v)
	fails(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("::/0"), GatewayId: &igw}, "RouteAlreadyExists", "The route identified by ::/0 already exists.")
	must(b, b.ReplaceRoute, wire.ReplaceRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("::/0"), GatewayId: &igw})
	must(b, b.ReplaceRoute, wire.ReplaceRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("::/0"), EgressOnlyInternetGatewayId: id})
	fails(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &v}, "DependencyViolation", "")
	must(b, b.DeleteEgressOnlyInternetGateway, wire.DeleteEgressOnlyInternetGatewayInput{EgressOnlyInternetGatewayId: id})
	if s := state(); s != "blackhole" {
		t.Errorf("route to a deleted gateway is %s", s)
	}
	fails(b, b.DeleteEgressOnlyInternetGateway, wire.DeleteEgressOnlyInternetGatewayInput{EgressOnlyInternetGatewayId: id}, "InvalidGatewayID.NotFound", "")
	must(b, b.DeleteRoute, wire.DeleteRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("::/0")})
	fails(b, b.DeleteRoute, wire.DeleteRouteInput{RouteTableId: table, DestinationIpv6CidrBlock: new("::/0")}, "InvalidRoute.NotFound", "no route with destination-ipv6-cidr-block ::/0 in route table "+*table)
}

func TestAclIPv6(t *testing.T) {
	b := newBench(t)
	v, _ := b.dual()
	acl := must(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v}).NetworkAcl.NetworkAclId
	entry := wire.CreateNetworkAclEntryInput{NetworkAclId: acl, Egress: new(true), RuleNumber: new(int32(7)), Protocol: new("58"),
		RuleAction: new("allow"), Ipv6CidrBlock: new("2001:db8::1/32"), IcmpTypeCode: &wire.IcmpTypeCode{Type: new(int32(128)), Code: new(int32(-1))}}
	both := entry
	both.CidrBlock = new("0.0.0.0/0")
	fails(b, b.CreateNetworkAclEntry, both, "InvalidParameterCombination", "")
	wrong := entry
	wrong.Ipv6CidrBlock = new("10.0.0.0/8")
	fails(b, b.CreateNetworkAclEntry, wrong, "InvalidParameterValue", "Value (10.0.0.0/8) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.")
	must(b, b.CreateNetworkAclEntry, entry)
	e := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: where("entry.ipv6-cidr", "2001:db8::/32")}).NetworkAcls[0].Entries[0]
	if *e.RuleNumber != 7 || e.CidrBlock != nil || *e.Protocol != "58" || *e.IcmpTypeCode.Type != 128 {
		t.Errorf("entry %+v", e)
	}
	must(b, b.DeleteNetworkAclEntry, wire.DeleteNetworkAclEntryInput{NetworkAclId: acl, Egress: new(true), RuleNumber: new(int32(7))})
}
