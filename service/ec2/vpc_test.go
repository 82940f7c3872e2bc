package ec2

import (
	"fmt"
	"slices"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// vpc builds a VPC with the range.
func (b bench) vpc(cidr string) string {
	b.t.Helper()
	return *must(b, b.CreateVpc, wire.CreateVpcInput{CidrBlock: &cidr}).Vpc.VpcId
}

func (b bench) subnet(vpc, cidr string) string {
	b.t.Helper()
	return *must(b, b.CreateSubnet, wire.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr}).Subnet.SubnetId
}

// gateway is an internet gateway attached to the VPC, or to none.
func (b bench) gateway(vpc string) string {
	b.t.Helper()
	id := must(b, b.CreateInternetGateway, wire.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	if vpc != "" {
		must(b, b.AttachInternetGateway, wire.AttachInternetGatewayInput{InternetGatewayId: id, VpcId: &vpc})
	}
	return *id
}

// plug makes an interface in the subnet.
func (b bench) plug(subnet string) string {
	b.t.Helper()
	return *must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface.NetworkInterfaceId
}

func specs(typ, key, value string) []wire.TagSpecification {
	return []wire.TagSpecification{{ResourceType: &typ, Tags: []wire.Tag{{Key: &key, Value: &value}}}}
}

func TestCreateVpc(t *testing.T) {
	b := newBench(t)
	v := must(b, b.CreateVpc, wire.CreateVpcInput{CidrBlock: new("10.237.19.7/20"), TagSpecifications: specs("vpc", "Name", "x")}).Vpc
	if *v.CidrBlock != "10.237.16.0/20" || *v.State != "pending" || *v.CidrBlockAssociationSet[0].CidrBlockState.State != "associated" ||
		v.Ipv6CidrBlockAssociationSet == nil || v.BlockPublicAccessStates != nil || *v.IsDefault || *v.InstanceTenancy != "default" ||
		*v.DhcpOptionsId != b.defaults().DhcpOptions.ID || len(v.Tags) != 1 {
		t.Errorf("answered %+v", v)
	}
	shown := must(b, b.DescribeVpcs, wire.DescribeVpcsInput{VpcIds: []string{*v.VpcId}}).Vpcs[0]
	if *shown.State != "available" || *shown.BlockPublicAccessStates.InternetGatewayBlockMode != "off" || shown.Ipv6CidrBlockAssociationSet != nil {
		t.Errorf("shown %+v", shown)
	}
	attribute := func(name string) *wire.DescribeVpcAttributeOutput {
		return must(b, b.DescribeVpcAttribute, wire.DescribeVpcAttributeInput{VpcId: v.VpcId, Attribute: &name})
	}
	if !*attribute("enableDnsSupport").EnableDnsSupport.Value || *attribute("enableDnsHostnames").EnableDnsHostnames.Value {
		t.Error("wrong DNS attributes")
	}
	in := where("vpc-id", *v.VpcId)
	g := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{Filters: in}).SecurityGroups
	if len(g) != 1 || *g[0].GroupName != "default" || *g[0].IpPermissions[0].UserIdGroupPairs[0].GroupId != *g[0].GroupId ||
		*g[0].IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" || g[0].Tags != nil {
		t.Errorf("groups %+v", g)
	}
	r := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: in}).RouteTables
	if len(r) != 1 || !*r[0].Associations[0].Main || len(r[0].Routes) != 1 || *r[0].Routes[0].GatewayId != "local" ||
		*r[0].Routes[0].DestinationCidrBlock != "10.237.16.0/20" || *r[0].Routes[0].Origin != "CreateRouteTable" {
		t.Errorf("route tables %+v", r)
	}
	a := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: in}).NetworkAcls
	if len(a) != 1 || !*a[0].IsDefault || len(a[0].Entries) != 4 || *a[0].Entries[0].RuleNumber != 100 || !*a[0].Entries[0].Egress {
		t.Errorf("ACLs %+v", a)
	}

	must(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: v.VpcId})
	fails(b, b.DescribeVpcs, wire.DescribeVpcsInput{VpcIds: []string{*v.VpcId}}, "InvalidVpcID.NotFound", "")
	fails(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{*g[0].GroupId}}, "InvalidGroup.NotFound", "")
	fails(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{*r[0].RouteTableId}}, "InvalidRouteTableID.NotFound", "")
	fails(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{NetworkAclIds: []string{*a[0].NetworkAclId}}, "InvalidNetworkAclID.NotFound", "")
	if n := len(must(b, b.DescribeSecurityGroupRules, wire.DescribeSecurityGroupRulesInput{Filters: where("group-id", *g[0].GroupId)}).SecurityGroupRules); n != 0 {
		t.Errorf("%d rules of a deleted group", n)
	}
	fails(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: v.VpcId}, "InvalidVpcID.NotFound", "The vpc ID '"+*v.VpcId+"' does not exist")
}

func TestCreateVpcErrors(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		in            wire.CreateVpcInput
		code, message string
	}{
		{wire.CreateVpcInput{}, "MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided."},
		{wire.CreateVpcInput{CidrBlock: new("10.0.0.0")}, "InvalidParameterValue", "Value (10.0.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block."},
		{wire.CreateVpcInput{CidrBlock: new("2001:db8::/56")}, "InvalidParameterValue", ""},
		{wire.CreateVpcInput{CidrBlock: new("10.0.0.0/8")}, "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."},
		{wire.CreateVpcInput{CidrBlock: new("10.0.0.0/29")}, "InvalidVpc.Range", ""},
		{wire.CreateVpcInput{CidrBlock: new("127.0.0.0/16")}, "InvalidVpc.Range", ""},
		{wire.CreateVpcInput{CidrBlock: new("169.254.0.0/16")}, "InvalidVpc.Range", ""},
		{wire.CreateVpcInput{CidrBlock: new("224.1.0.0/16")}, "InvalidVpc.Range", ""},
		{wire.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), InstanceTenancy: new("mine")}, "InvalidParameterValue", ""},
		{wire.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), TagSpecifications: specs("subnet", "a", "b")}, "InvalidParameterValue", ""},
		{wire.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), TagSpecifications: specs("vpc", "aws:a", "b")}, "InvalidParameterValue", ""},
	} {
		fails(b, b.CreateVpc, c.in, c.code, c.message)
	}
	if n := len(must(b, b.DescribeVpcs, wire.DescribeVpcsInput{}).Vpcs); n != 1 {
		t.Errorf("%d VPCs after bad requests", n)
	}
	b.vpc("10.0.0.0/16")
	b.vpc("10.0.0.0/16") // overlapping VPCs are fine
	b.vpc("10.0.0.0/28")
	must(b, b.CreateVpc, wire.CreateVpcInput{CidrBlock: new("192.168.0.0/16"), InstanceTenancy: new("dedicated"), AmazonProvidedIpv6CidrBlock: new(false)})
	fails(b, b.CreateVpc, wire.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}, "VpcLimitExceeded", "The maximum number of VPCs has been reached.")
}

func TestModifyVpc(t *testing.T) {
	b := newBench(t)
	id := b.vpc("10.0.0.0/16")
	on, off := &wire.AttributeBooleanValue{Value: new(true)}, &wire.AttributeBooleanValue{Value: new(false)}
	must(b, b.ModifyVpcAttribute, wire.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: on})
	must(b, b.ModifyVpcAttribute, wire.ModifyVpcAttributeInput{VpcId: &id, EnableNetworkAddressUsageMetrics: off})
	out := must(b, b.DescribeVpcAttribute, wire.DescribeVpcAttributeInput{VpcId: &id, Attribute: new("enableDnsHostnames")})
	if !*out.EnableDnsHostnames.Value {
		t.Error("DNS host names are still off")
	}
	must(b, b.ModifyVpcAttribute, wire.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: off})
	must(b, b.ModifyVpcAttribute, wire.ModifyVpcAttributeInput{VpcId: &id, EnableDnsSupport: off})
	for _, c := range []struct {
		in   wire.ModifyVpcAttributeInput
		code string
	}{
		{wire.ModifyVpcAttributeInput{VpcId: &id}, "InvalidParameterCombination"},
		{wire.ModifyVpcAttributeInput{EnableDnsSupport: on}, "MissingParameter"},
		{wire.ModifyVpcAttributeInput{VpcId: &id, EnableDnsSupport: on, EnableDnsHostnames: on}, "InvalidParameterCombination"},
		{wire.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: on}, "InvalidParameterValue"},
		{wire.ModifyVpcAttributeInput{VpcId: &id, EnableNetworkAddressUsageMetrics: on}, "UnsupportedOperation"},
		{wire.ModifyVpcAttributeInput{VpcId: new("vpc-0123456789abcdef0"), EnableDnsSupport: on}, "InvalidVpcID.NotFound"},
	} {
		fails(b, b.ModifyVpcAttribute, c.in, c.code, "")
	}

	hard := *must(b, b.CreateVpc, wire.CreateVpcInput{CidrBlock: new("10.0.0.0/16"), InstanceTenancy: new("dedicated")}).Vpc.VpcId
	if out := must(b, b.ModifyVpcTenancy, wire.ModifyVpcTenancyInput{VpcId: &hard, InstanceTenancy: new("default")}); !*out.ReturnValue {
		t.Errorf("%+v", out)
	}
	if v := must(b, b.DescribeVpcs, wire.DescribeVpcsInput{VpcIds: []string{hard}}).Vpcs[0]; *v.InstanceTenancy != "default" {
		t.Errorf("%+v", v)
	}
	fails(b, b.ModifyVpcTenancy, wire.ModifyVpcTenancyInput{VpcId: &hard, InstanceTenancy: new("dedicated")}, "InvalidParameterValue", "")
	fails(b, b.ModifyVpcTenancy, wire.ModifyVpcTenancyInput{VpcId: &hard}, "MissingParameter", "")
	fails(b, b.ModifyVpcTenancy, wire.ModifyVpcTenancyInput{InstanceTenancy: new("default")}, "MissingParameter", "")
}

// TestVpcDependencies puts one thing after another into a VPC, which cannot be
// deleted while it is there.
func TestVpcDependencies(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	text := "The vpc '" + v + "' has dependencies and cannot be deleted."
	keep := func(what string, remove func()) {
		t.Helper()
		fails(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &v}, "DependencyViolation", text)
		remove()
		if t.Failed() {
			t.Fatalf("with %s", what)
		}
	}
	s := b.subnet(v, "10.0.0.0/24")
	keep("a subnet", func() { must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &s}) })
	g := b.gateway(v)
	keep("a gateway", func() {
		must(b, b.DetachInternetGateway, wire.DetachInternetGatewayInput{InternetGatewayId: &g, VpcId: &v})
	})
	r := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v}).RouteTable.RouteTableId
	keep("a route table", func() { must(b, b.DeleteRouteTable, wire.DeleteRouteTableInput{RouteTableId: r}) })
	a := must(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v}).NetworkAcl.NetworkAclId
	keep("an ACL", func() { must(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{NetworkAclId: a}) })
	sg := must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{VpcId: &v, GroupName: new("web"), Description: new("d")}).GroupId
	keep("a group", func() { must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: sg}) })
	e := edge.Endpoint{Account: testAccount, Region: "us-east-1", ID: "vpce-1", Vpc: v, Type: edge.GatewayEndpoint, State: edge.Available}
	put(b, edges.Endpoints, e)
	keep("an endpoint", func() { remove(b, edges.Endpoints, e) })
	p := edge.Peering{ID: "pcx-1", State: edge.PeeringPending, Accepter: edge.PeeringSide{Account: testAccount, Region: "us-east-1", Vpc: v}}
	put(b, edges.Peerings, p)
	keep("a peering connection", func() {
		p.State = edge.PeeringRejected
		put(b, edges.Peerings, p)
	})
	n := edge.NatGateway{Account: testAccount, Region: "us-east-1", ID: "nat-1", Vpc: v, State: edge.Deleting}
	put(b, edges.NatGateways, n)
	keep("a NAT gateway", func() {
		n.State = edge.Deleted
		put(b, edges.NatGateways, n)
	})
	must(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &v})
}

func TestSecondaryRanges(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.2.0.0/16")
	custom := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v}).RouteTable.RouteTableId
	g := b.gateway(v)
	must(b, b.CreateRoute, wire.CreateRouteInput{RouteTableId: custom, DestinationCidrBlock: new("10.9.1.0/24"), GatewayId: &g})
	peer := edge.Peering{
		ID: "pcx-1", State: edge.PeeringActive,
		Requester: edge.PeeringSide{Account: testAccount, Region: "us-east-1", Vpc: v, CIDRs: []string{"10.2.0.0/16"}},
		Accepter:  edge.PeeringSide{Account: "210987654321", Region: "us-east-1", Vpc: "vpc-2", CIDRs: []string{"10.8.0.0/16"}},
	}
	put(b, edges.Peerings, peer)
	ended := peer
	ended.ID, ended.State, ended.Accepter.CIDRs = "pcx-2", edge.PeeringDeleted, []string{"100.64.0.0/16"}
	put(b, edges.Peerings, ended)
	far := network.Vpc{Account: "210987654321", Region: "us-east-1", ID: "vpc-2", CIDR: "10.8.0.0/16", Secondary: []network.CIDRBlock{{CIDR: "10.7.0.0/16"}}}
	put(b, tables.Vpcs, far)
	add := func(cidr string) wire.AssociateVpcCidrBlockInput {
		return wire.AssociateVpcCidrBlockInput{VpcId: &v, CidrBlock: &cidr}
	}
	out := must(b, b.AssociateVpcCidrBlock, add("10.3.0.1/16"))
	if *out.VpcId != v || *out.CidrBlockAssociation.CidrBlock != "10.3.0.0/16" || *out.CidrBlockAssociation.CidrBlockState.State != "associating" {
		t.Errorf("%+v", out)
	}
	for _, c := range []struct{ cidr, code string }{
		{"10.3.128.0/20", "CidrConflict"}, {"10.2.0.0/16", "CidrConflict"}, {"10.9.0.0/16", "CidrConflict"}, {"10.8.4.0/24", "CidrConflict"}, {"10.7.4.0/24", "CidrConflict"},
		{"192.168.0.0/16", "InvalidVpc.Range"}, {"172.16.0.0/16", "InvalidVpc.Range"}, {"198.19.0.0/24", "InvalidVpc.Range"},
		{"10.4.0.0/15", "InvalidVpc.Range"}, {"10.4.0.0/29", "InvalidVpc.Range"}, {"nonsense", "InvalidParameterValue"},
	} {
		fails(b, b.AssociateVpcCidrBlock, add(c.cidr), c.code, "")
	}
	must(b, b.AssociateVpcCidrBlock, add("10.9.1.128/25")) // smaller than the route
	must(b, b.AssociateVpcCidrBlock, add("100.64.0.0/16"))
	must(b, b.AssociateVpcCidrBlock, add("203.0.113.0/24"))
	fails(b, b.AssociateVpcCidrBlock, add("10.5.0.0/16"), "CidrLimitExceeded", "This network '"+v+"' has met its maximum number of allowed CIDRs: 5")
	fails(b, b.AssociateVpcCidrBlock, wire.AssociateVpcCidrBlockInput{VpcId: &v}, "MissingParameter", "")
	fails(b, b.AssociateVpcCidrBlock, wire.AssociateVpcCidrBlockInput{CidrBlock: new("10.5.0.0/16")}, "MissingParameter", "")
	fails(b, b.AssociateVpcCidrBlock, wire.AssociateVpcCidrBlockInput{VpcId: &v, CidrBlock: new("10.5.0.0/16"), AmazonProvidedIpv6CidrBlock: new(true)}, "InvalidParameterCombination", "")

	shown := must(b, b.DescribeVpcs, wire.DescribeVpcsInput{VpcIds: []string{v}}).Vpcs[0]
	if len(shown.CidrBlockAssociationSet) != 5 || *shown.CidrBlock != "10.2.0.0/16" || *shown.CidrBlockAssociationSet[1].CidrBlock != "10.3.0.0/16" {
		t.Errorf("%+v", shown)
	}
	local := func(table string) []string {
		var out []string
		for _, r := range must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{table}}).RouteTables[0].Routes {
			if *r.GatewayId == "local" {
				out = append(out, *r.DestinationCidrBlock)
			}
		}
		return out
	}
	if got := local(*custom); !slices.Equal(got, []string{"10.2.0.0/16", "10.3.0.0/16", "10.9.1.128/25", "100.64.0.0/16", "203.0.113.0/24"}) {
		t.Errorf("local routes %v", got)
	}
	later := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v}).RouteTable.RouteTableId
	if n := len(local(*later)); n != 5 {
		t.Errorf("a new table has %d local routes", n)
	}

	s := b.subnet(v, "10.3.4.0/24")
	id := out.CidrBlockAssociation.AssociationId
	fails(b, b.DisassociateVpcCidrBlock, wire.DisassociateVpcCidrBlockInput{AssociationId: id}, "InvalidCidr.InUse", "")
	must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &s})
	gone := must(b, b.DisassociateVpcCidrBlock, wire.DisassociateVpcCidrBlockInput{AssociationId: id})
	if *gone.CidrBlockAssociation.CidrBlockState.State != "disassociating" || *gone.VpcId != v {
		t.Errorf("%+v", gone)
	}
	if slices.Contains(local(*custom), "10.3.0.0/16") || slices.Contains(local(*later), "10.3.0.0/16") {
		t.Error("a local route outlives its range")
	}
	fails(b, b.DisassociateVpcCidrBlock, wire.DisassociateVpcCidrBlockInput{AssociationId: id}, "InvalidVpcCidrBlockAssociationID.NotFound", "")
	fails(b, b.DisassociateVpcCidrBlock, wire.DisassociateVpcCidrBlockInput{AssociationId: shown.CidrBlockAssociationSet[0].AssociationId}, "OperationNotPermitted", "")
	fails(b, b.DisassociateVpcCidrBlock, wire.DisassociateVpcCidrBlockInput{}, "MissingParameter", "")
}

// TestSecondaryRangesByFamily tries ranges beside a first one. Source: Amazon VPC
// User Guide, IPv4 CIDR block association restrictions.
func TestSecondaryRangesByFamily(t *testing.T) {
	for _, c := range []struct {
		first, second string
		ok            bool
	}{
		{"10.2.0.0/16", "10.0.0.0/16", true}, {"10.1.0.0/16", "10.0.0.0/24", false}, {"10.1.0.0/16", "10.2.0.0/24", true},
		{"172.16.0.0/16", "172.20.0.0/16", true}, {"172.16.0.0/16", "172.31.0.0/24", false}, {"172.16.0.0/16", "10.4.0.0/16", false},
		{"192.168.0.0/24", "192.168.1.0/24", true}, {"192.168.0.0/24", "172.16.0.0/24", false},
		{"198.19.0.0/24", "198.19.1.0/24", true}, {"198.19.0.0/24", "10.4.0.0/16", false},
		{"100.64.0.0/16", "10.4.0.0/16", false}, {"100.64.0.0/16", "100.65.0.0/16", true}, {"203.0.113.0/24", "100.65.0.0/16", true},
	} {
		b := newBench(t)
		v := b.vpc(c.first)
		in := wire.AssociateVpcCidrBlockInput{VpcId: &v, CidrBlock: &c.second}
		if c.ok {
			must(b, b.AssociateVpcCidrBlock, in)
		} else {
			fails(b, b.AssociateVpcCidrBlock, in, "InvalidVpc.Range", "")
		}
	}
}

// TestDefaultVpcAnew deletes the default VPC, builds another, and fills it with
// subnets again.
func TestDefaultVpcAnew(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	fails(b, b.CreateDefaultVpc, wire.CreateDefaultVpcInput{}, "DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
	zone := f.Subnets[0].Zone
	fails(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{AvailabilityZone: &zone}, "DefaultSubnetAlreadyExistsInAvailabilityZone",
		"'"+f.Subnets[0].ID+"' is already the default subnet in "+zone+".")
	must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &f.Subnets[0].ID})
	must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &f.Subnets[2].ID})
	again := must(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{AvailabilityZone: &f.Subnets[2].Zone}).Subnet
	if *again.CidrBlock != "172.31.0.0/20" || !*again.DefaultForAz || !*again.MapPublicIpOnLaunch || *again.AvailabilityZone != f.Subnets[2].Zone {
		t.Errorf("%+v", again)
	}
	must(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{AvailabilityZoneId: &f.Subnets[0].ZoneID})
	fails(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{}, "MissingParameter", "")
	fails(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{AvailabilityZone: new("us-east-1z")}, "InvalidParameterValue", "")
	fails(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{AvailabilityZone: &zone, Ipv6Native: new(true)}, "UnsupportedOperation", "")

	for _, s := range must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{}).Subnets {
		must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: s.SubnetId})
	}
	must(b, b.DetachInternetGateway, wire.DetachInternetGatewayInput{InternetGatewayId: &f.InternetGateway.ID, VpcId: &f.Vpc.ID})
	must(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &f.Vpc.ID})
	if n := len(must(b, b.DescribeVpcs, wire.DescribeVpcsInput{}).Vpcs); n != 0 {
		t.Errorf("%d VPCs: the default one came back", n)
	}
	fails(b, b.CreateDefaultSubnet, wire.CreateDefaultSubnetInput{AvailabilityZone: &zone}, "DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.")
	fails(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{GroupName: new("x"), Description: new("x")}, "VPCIdNotSpecified", "")

	v := must(b, b.CreateDefaultVpc, wire.CreateDefaultVpcInput{}).Vpc
	if !*v.IsDefault || *v.CidrBlock != "172.31.0.0/16" || *v.VpcId == f.Vpc.ID {
		t.Errorf("%+v", v)
	}
	if n := len(must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{Filters: where("vpc-id", *v.VpcId)}).Subnets); n != 6 {
		t.Errorf("%d subnets", n)
	}
	r := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: where("vpc-id", *v.VpcId)}).RouteTables[0]
	if len(r.Routes) != 2 || *r.Routes[0].State != "active" {
		t.Errorf("%+v", r)
	}
	b.group("in the default VPC")
}

func TestDhcpOptions(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	option := func(key string, values ...string) wire.NewDhcpConfiguration {
		return wire.NewDhcpConfiguration{Key: &key, Values: values}
	}
	d := must(b, b.CreateDhcpOptions, wire.CreateDhcpOptionsInput{
		DhcpConfigurations: []wire.NewDhcpConfiguration{
			option("domain-name", "example.com"), option("domain-name-servers", "10.0.0.2", "AmazonProvidedDNS"), option("netbios-node-type", "2"),
		},
		TagSpecifications: specs("dhcp-options", "Name", "own"),
	}).DhcpOptions
	if len(d.DhcpConfigurations) != 3 || *d.DhcpConfigurations[1].Values[0].Value != "10.0.0.2" || len(d.Tags) != 1 {
		t.Errorf("%+v", d)
	}
	for _, c := range [][]wire.NewDhcpConfiguration{
		{option("colour", "red")}, {option("domain-name-servers", "1.2.3")}, {option("domain-name")}, {option("netbios-node-type", "3")},
		{option("ntp-servers", "1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5")}, {option("domain-name", "a"), option("domain-name", "b")},
		{option("netbios-name-servers", "::1")}, {option("ipv6-address-preferred-lease-time", "1")},
	} {
		fails(b, b.CreateDhcpOptions, wire.CreateDhcpOptionsInput{DhcpConfigurations: c}, "InvalidParameterValue", "")
	}
	fails(b, b.CreateDhcpOptions, wire.CreateDhcpOptionsInput{}, "MissingParameter", "")

	v := b.vpc("10.0.0.0/16")
	must(b, b.AssociateDhcpOptions, wire.AssociateDhcpOptionsInput{VpcId: &v, DhcpOptionsId: d.DhcpOptionsId})
	of := func() string {
		return *must(b, b.DescribeVpcs, wire.DescribeVpcsInput{VpcIds: []string{v}}).Vpcs[0].DhcpOptionsId
	}
	if of() != *d.DhcpOptionsId {
		t.Errorf("VPC has %s", of())
	}
	fails(b, b.DeleteDhcpOptions, wire.DeleteDhcpOptionsInput{DhcpOptionsId: d.DhcpOptionsId}, "DependencyViolation",
		"The dhcpOptions '"+*d.DhcpOptionsId+"' has dependencies and cannot be deleted.")
	must(b, b.AssociateDhcpOptions, wire.AssociateDhcpOptionsInput{VpcId: &v, DhcpOptionsId: new("default")})
	if of() != "default" {
		t.Errorf("VPC has %s", of())
	}
	must(b, b.DeleteDhcpOptions, wire.DeleteDhcpOptionsInput{DhcpOptionsId: d.DhcpOptionsId})
	fails(b, b.DeleteDhcpOptions, wire.DeleteDhcpOptionsInput{DhcpOptionsId: d.DhcpOptionsId}, "InvalidDhcpOptionID.NotFound", "")
	fails(b, b.DeleteDhcpOptions, wire.DeleteDhcpOptionsInput{}, "MissingParameter", "")
	fails(b, b.AssociateDhcpOptions, wire.AssociateDhcpOptionsInput{VpcId: &v, DhcpOptionsId: d.DhcpOptionsId}, "InvalidDhcpOptionID.NotFound", "")
	fails(b, b.AssociateDhcpOptions, wire.AssociateDhcpOptionsInput{VpcId: &v}, "MissingParameter", "")
	fails(b, b.AssociateDhcpOptions, wire.AssociateDhcpOptionsInput{DhcpOptionsId: new("default")}, "MissingParameter", "")

	// The set that AWS gives every VPC comes back with the next VPC.
	must(b, b.AssociateDhcpOptions, wire.AssociateDhcpOptionsInput{VpcId: &f.Vpc.ID, DhcpOptionsId: new("default")})
	must(b, b.DeleteDhcpOptions, wire.DeleteDhcpOptionsInput{DhcpOptionsId: &f.DhcpOptions.ID})
	v = b.vpc("10.0.0.0/16")
	if got := must(b, b.DescribeDhcpOptions, wire.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{of()}}).DhcpOptions; len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestInternetGateways(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	g := must(b, b.CreateInternetGateway, wire.CreateInternetGatewayInput{TagSpecifications: specs("internet-gateway", "Name", "x")}).InternetGateway
	if len(g.Attachments) != 0 || g.Attachments == nil || len(g.Tags) != 1 {
		t.Errorf("%+v", g)
	}
	id, v := *g.InternetGatewayId, b.vpc("10.0.0.0/16")
	attach := func(g, v string) wire.AttachInternetGatewayInput {
		return wire.AttachInternetGatewayInput{InternetGatewayId: &g, VpcId: &v}
	}
	detach := func(g, v string) wire.DetachInternetGatewayInput {
		return wire.DetachInternetGatewayInput{InternetGatewayId: &g, VpcId: &v}
	}
	fails(b, b.AttachInternetGateway, attach(id, f.Vpc.ID), "InvalidParameterValue", "Network "+f.Vpc.ID+" already has an internet gateway attached")
	fails(b, b.DetachInternetGateway, detach(id, v), "Gateway.NotAttached", "resource "+id+" is not attached to network "+v)
	must(b, b.AttachInternetGateway, attach(id, v))
	fails(b, b.AttachInternetGateway, attach(id, v), "Resource.AlreadyAssociated", "resource "+id+" is already attached to network "+v)
	fails(b, b.AttachInternetGateway, attach(id, f.Vpc.ID), "Resource.AlreadyAssociated", "")
	fails(b, b.DeleteInternetGateway, wire.DeleteInternetGatewayInput{InternetGatewayId: &id}, "DependencyViolation",
		"The internetGateway '"+id+"' has dependencies and cannot be deleted.")
	fails(b, b.DetachInternetGateway, detach(id, f.Vpc.ID), "Gateway.NotAttached", "")

	e := b.plug(b.subnet(v, "10.0.0.0/24"))
	record := get(b, tables.NetworkInterfaces, testAccount, "us-east-1", e)
	record.PublicIP = "198.18.7.7"
	put(b, tables.NetworkInterfaces, record)
	fails(b, b.DetachInternetGateway, detach(id, v), "DependencyViolation",
		"Network "+v+" has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.")
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &e})
	must(b, b.DetachInternetGateway, detach(id, v))
	must(b, b.DeleteInternetGateway, wire.DeleteInternetGatewayInput{InternetGatewayId: &id})
	fails(b, b.DeleteInternetGateway, wire.DeleteInternetGatewayInput{InternetGatewayId: &id}, "InvalidInternetGatewayID.NotFound", "")
	fails(b, b.DeleteInternetGateway, wire.DeleteInternetGatewayInput{}, "MissingParameter", "")
	fails(b, b.AttachInternetGateway, attach(id, v), "InvalidInternetGatewayID.NotFound", "")
	fails(b, b.AttachInternetGateway, wire.AttachInternetGatewayInput{VpcId: &v}, "MissingParameter", "")
	fails(b, b.AttachInternetGateway, wire.AttachInternetGatewayInput{InternetGatewayId: &id}, "MissingParameter", "")

	for range 4 {
		b.gateway("")
	}
	fails(b, b.CreateInternetGateway, wire.CreateInternetGatewayInput{}, "InternetGatewayLimitExceeded", "")
}

func TestSubnets(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.237.16.0/20")
	in := func(cidr string) wire.CreateSubnetInput { return wire.CreateSubnetInput{VpcId: &v, CidrBlock: &cidr} }
	named := in("10.237.16.77/24")
	named.AvailabilityZone, named.TagSpecifications = new("us-east-1c"), specs("subnet", "Name", "x")
	s := must(b, b.CreateSubnet, named).Subnet
	if *s.CidrBlock != "10.237.16.0/24" || *s.AvailabilityZoneId != "use1-az3" || *s.AvailableIpAddressCount != 251 || *s.State != "available" ||
		s.Ipv6CidrBlockAssociationSet == nil || *s.PrivateDnsNameOptionsOnLaunch.HostnameType != "ip-name" || *s.DefaultForAz || *s.MapPublicIpOnLaunch ||
		s.BlockPublicAccessStates != nil || len(s.Tags) != 1 {
		t.Errorf("%+v", s)
	}
	byID := in("10.237.17.0/28")
	byID.AvailabilityZoneId = new("use1-az2")
	if s := must(b, b.CreateSubnet, byID).Subnet; *s.AvailabilityZone != "us-east-1b" || *s.AvailableIpAddressCount != 11 {
		t.Errorf("%+v", s)
	}
	both, wrong, wrongID, native := in("10.237.18.0/24"), in("10.237.18.0/24"), in("10.237.18.0/24"), in("10.237.18.0/24")
	both.AvailabilityZone, both.AvailabilityZoneId = new("us-east-1a"), new("use1-az1")
	wrong.AvailabilityZone, wrongID.AvailabilityZoneId, native.Ipv6Native = new("us-east-1z"), new("use1-az9"), new(true)
	for _, c := range []struct {
		in            wire.CreateSubnetInput
		code, message string
	}{
		{in("10.237.16.8/28"), "InvalidSubnet.Conflict", "The CIDR '10.237.16.0/28' conflicts with another subnet"},
		{in("10.237.16.0/20"), "InvalidSubnet.Conflict", ""},
		{in("10.238.0.0/24"), "InvalidSubnet.Range", "The CIDR '10.238.0.0/24' is invalid."},
		{in("10.237.18.0/29"), "InvalidSubnet.Range", "The CIDR '10.237.18.0/29' is invalid."},
		{in("10.237.0.0/16"), "InvalidSubnet.Range", ""}, {in("x"), "InvalidParameterValue", ""},
		{wire.CreateSubnetInput{VpcId: &v}, "MissingParameter", "Either 'ipv6CidrBlock' or 'cidrBlock' should be provided."},
		{wire.CreateSubnetInput{CidrBlock: new("10.237.18.0/24")}, "MissingParameter", ""},
		{wire.CreateSubnetInput{VpcId: new("vpc-0123456789abcdef0"), CidrBlock: new("10.237.18.0/24")}, "InvalidVpcID.NotFound", ""},
		{wrong, "InvalidParameterValue", "Value (us-east-1z) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f."},
		{wrongID, "InvalidParameterValue", ""}, {both, "InvalidParameterCombination", ""}, {native, "UnsupportedOperation", ""},
	} {
		fails(b, b.CreateSubnet, c.in, c.code, c.message)
	}
	acl := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: where("vpc-id", v)}).NetworkAcls[0]
	if len(acl.Associations) != 2 || *acl.Associations[0].SubnetId != *s.SubnetId {
		t.Errorf("%+v", acl.Associations)
	}

	e := b.plug(*s.SubnetId)
	fails(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: s.SubnetId}, "DependencyViolation", "The subnet '"+*s.SubnetId+"' has dependencies and cannot be deleted.")
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &e})
	r := must(b, b.CreateRouteTable, wire.CreateRouteTableInput{VpcId: &v}).RouteTable.RouteTableId
	must(b, b.AssociateRouteTable, wire.AssociateRouteTableInput{RouteTableId: r, SubnetId: s.SubnetId})
	must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: s.SubnetId})
	if got := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{*r}}).RouteTables[0].Associations; len(got) != 0 {
		t.Errorf("a route table decides for a deleted subnet: %+v", got)
	}
	if got := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: where("vpc-id", v)}).NetworkAcls[0].Associations; len(got) != 1 {
		t.Errorf("an ACL filters for a deleted subnet: %+v", got)
	}
	fails(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: s.SubnetId}, "InvalidSubnetID.NotFound", "")
	fails(b, b.DeleteSubnet, wire.DeleteSubnetInput{}, "MissingParameter", "")
}

func TestModifySubnet(t *testing.T) {
	b := newBench(t)
	id := b.subnet(b.vpc("10.0.0.0/16"), "10.0.0.0/24")
	on, off := &wire.AttributeBooleanValue{Value: new(true)}, &wire.AttributeBooleanValue{Value: new(false)}
	for _, in := range []wire.ModifySubnetAttributeInput{
		{MapPublicIpOnLaunch: on}, {PrivateDnsHostnameTypeOnLaunch: new("resource-name")}, {EnableResourceNameDnsARecordOnLaunch: on},
		{AssignIpv6AddressOnCreation: off}, {EnableDns64: off}, {EnableResourceNameDnsAAAARecordOnLaunch: off},
	} {
		in.SubnetId = &id
		must(b, b.ModifySubnetAttribute, in)
	}
	s := must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{SubnetIds: []string{id}}).Subnets[0]
	if !*s.MapPublicIpOnLaunch || *s.PrivateDnsNameOptionsOnLaunch.HostnameType != "resource-name" || !*s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord {
		t.Errorf("%+v", s)
	}
	for _, c := range []struct {
		in   wire.ModifySubnetAttributeInput
		code string
	}{
		{wire.ModifySubnetAttributeInput{SubnetId: &id}, "InvalidParameterCombination"},
		{wire.ModifySubnetAttributeInput{MapPublicIpOnLaunch: on}, "MissingParameter"},
		{wire.ModifySubnetAttributeInput{SubnetId: &id, MapPublicIpOnLaunch: on, EnableDns64: off}, "InvalidParameterCombination"},
		{wire.ModifySubnetAttributeInput{SubnetId: &id, AssignIpv6AddressOnCreation: on}, "InvalidParameterValue"},
		{wire.ModifySubnetAttributeInput{SubnetId: &id, EnableDns64: on}, "UnsupportedOperation"},
		{wire.ModifySubnetAttributeInput{SubnetId: &id, PrivateDnsHostnameTypeOnLaunch: new("mine")}, "InvalidParameterValue"},
		{wire.ModifySubnetAttributeInput{SubnetId: new("subnet-0123456789abcdef0"), MapPublicIpOnLaunch: on}, "InvalidSubnetID.NotFound"},
	} {
		fails(b, b.ModifySubnetAttribute, c.in, c.code, "")
	}
}

func TestSubnetQuota(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	record := network.Subnet{Account: testAccount, Region: "us-east-1", Vpc: v, Zone: "us-east-1a"}
	var all []network.Subnet
	for i := range 200 {
		record.ID, record.CIDR = fmt.Sprintf("subnet-%017x", i+1), fmt.Sprintf("10.0.%d.0/24", i)
		all = append(all, record)
	}
	put(b, tables.Subnets, all...)
	fails(b, b.CreateSubnet, wire.CreateSubnetInput{VpcId: &v, CidrBlock: new("10.0.250.0/24")}, "SubnetLimitExceeded", "")
}
