package ec2

import (
	"slices"
	"strings"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

const (
	ecrAPI = "com.amazonaws.us-east-1.ecr.api"
	s3     = "com.amazonaws.us-east-1.s3"
)

func (b bench) endpoint(in wire.CreateVpcEndpointInput) *wire.VpcEndpoint {
	b.t.Helper()
	in.VpcId = new(b.defaults().Vpc.ID)
	return must(b, b.CreateVpcEndpoint, in).VpcEndpoint
}

func (b bench) shown(id *string) wire.VpcEndpoint {
	b.t.Helper()
	return must(b, b.DescribeVpcEndpoints, wire.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*id}}).VpcEndpoints[0]
}

func TestInterfaceEndpoint(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	free := b.free(f.Subnets[0].ID)
	e := b.endpoint(wire.CreateVpcEndpointInput{
		ServiceName: new(ecrAPI), VpcEndpointType: new("Interface"), SubnetIds: []string{f.Subnets[0].ID},
		SubnetConfigurations: []wire.SubnetConfiguration{{SubnetId: &f.Subnets[1].ID, Ipv4: new("172.31.16.9")}},
	})
	if *e.State != "pending" || len(e.NetworkInterfaceIds) != 2 || *e.Groups[0].GroupName != "default" || !*e.PrivateDnsEnabled || !strings.Contains(*e.PolicyDocument, `"Action": "*"`) {
		t.Errorf("made %+v", e)
	}
	var names []string
	for _, d := range e.DnsEntries {
		names = append(names, *d.DnsName)
	}
	label, _, _ := strings.Cut(names[0], ".")
	if want := []string{
		label + ".api.ecr.us-east-1.vpce.amazonaws.com", label + "-us-east-1a.api.ecr.us-east-1.vpce.amazonaws.com",
		label + "-us-east-1b.api.ecr.us-east-1.vpce.amazonaws.com", "api.ecr.us-east-1.amazonaws.com",
	}; !slices.Equal(names, want) || !strings.HasPrefix(label, *e.VpcEndpointId+"-") {
		t.Errorf("names %q", names)
	}
	enis := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{Filters: where("interface-type", "vpc_endpoint")}).NetworkInterfaces
	if len(enis) != 2 || *enis[0].Description != "VPC Endpoint Interface "+*e.VpcEndpointId || !*enis[0].RequesterManaged || *enis[0].Attachment.InstanceOwnerId != "amazon-aws" {
		t.Errorf("interfaces %+v", enis)
	}
	fails(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &e.NetworkInterfaceIds[0]}, "InvalidParameterValue", "")
	fails(b, b.CreateVpcEndpoint, wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(ecrAPI), VpcEndpointType: new("Interface")}, "InvalidParameter",
		"private-dns-enabled cannot be set because there is already a conflicting DNS domain for api.ecr.us-east-1.amazonaws.com in the VPC "+f.Vpc.ID)

	sg := b.group("endpoints")
	modify := func(in wire.ModifyVpcEndpointInput) wire.VpcEndpoint {
		t.Helper()
		in.VpcEndpointId = e.VpcEndpointId
		if out := must(b, b.ModifyVpcEndpoint, in); !*out.Return {
			t.Error("did not return true")
		}
		return b.shown(e.VpcEndpointId)
	}
	got := modify(wire.ModifyVpcEndpointInput{
		AddSecurityGroupIds: []string{sg}, RemoveSecurityGroupIds: []string{f.SecurityGroup.ID}, RemoveSubnetIds: []string{f.Subnets[0].ID},
		AddSubnetIds: []string{f.Subnets[2].ID}, PrivateDnsEnabled: new(false),
	})
	if *got.Groups[0].GroupId != sg || *got.PrivateDnsEnabled || !slices.Equal(got.SubnetIds, []string{f.Subnets[1].ID, f.Subnets[2].ID}) || len(got.DnsEntries) != 3 {
		t.Errorf("changed %+v", got)
	}
	if n := b.free(f.Subnets[0].ID); n != free {
		t.Errorf("%d addresses free of %d", n, free)
	}
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &sg}, "DependencyViolation", "")
	const policy = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}]}`
	if got := modify(wire.ModifyVpcEndpointInput{PolicyDocument: new(policy)}); *got.PolicyDocument != policy {
		t.Errorf("policy %s", *got.PolicyDocument)
	}
	if got := modify(wire.ModifyVpcEndpointInput{ResetPolicy: new(true)}); *got.PolicyDocument != *e.PolicyDocument {
		t.Errorf("policy %s", *got.PolicyDocument)
	}
	out := must(b, b.DeleteVpcEndpoints, wire.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId, "vpce-01234567890123456"}})
	if len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].Error.Code != "InvalidVpcEndpointId.NotFound" ||
		*out.Unsuccessful[0].Error.Message != "The Vpc Endpoint Id 'vpce-01234567890123456' does not exist" {
		t.Errorf("unsuccessful %+v", out.Unsuccessful)
	}
	if got := b.shown(e.VpcEndpointId); *got.State != "deleting" {
		t.Errorf("state %s", *got.State)
	}
	fails(b, b.ModifyVpcEndpoint, wire.ModifyVpcEndpointInput{VpcEndpointId: e.VpcEndpointId, ResetPolicy: new(true)}, "IncorrectState", "")
}

func TestGatewayEndpoint(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	other := network.RouteTable{Account: testAccount, Region: "us-east-1", ID: "rtb-01234567890123456", Vpc: f.Vpc.ID}
	put(b, tables.RouteTables, other)
	in := wire.CreateVpcEndpointInput{ServiceName: new(s3), RouteTableIds: []string{f.RouteTable.ID}, ClientToken: new("once"), VpcId: &f.Vpc.ID}
	e := b.endpoint(in)
	if *e.State != "available" || *e.VpcEndpointType != "Gateway" || len(e.DnsEntries) > 0 ||
		*e.PolicyDocument != `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}` {
		t.Errorf("made %+v", e)
	}
	if again := b.endpoint(in); *again.VpcEndpointId != *e.VpcEndpointId {
		t.Errorf("made %s and %s", *e.VpcEndpointId, *again.VpcEndpointId)
	}
	list := edge.AmazonPrefixLists("us-east-1", network.PublicRange())[0].ID
	routes := func(id string) []wire.Route {
		t.Helper()
		return must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{RouteTableIds: []string{id}}).RouteTables[0].Routes
	}
	if r := routes(f.RouteTable.ID)[0]; *r.DestinationPrefixListId != list || *r.GatewayId != *e.VpcEndpointId || *r.State != "active" {
		t.Errorf("route %+v", r)
	}
	in.ClientToken = nil
	fails(b, b.CreateVpcEndpoint, in, "RouteAlreadyExists", "route table "+f.RouteTable.ID+" already has a route with destination-prefix-list-id "+list)
	must(b, b.ModifyVpcEndpoint, wire.ModifyVpcEndpointInput{
		VpcEndpointId: e.VpcEndpointId, AddRouteTableIds: []string{other.ID}, RemoveRouteTableIds: []string{f.RouteTable.ID},
	})
	if got := b.shown(e.VpcEndpointId); !slices.Equal(got.RouteTableIds, []string{other.ID}) || len(routes(f.RouteTable.ID)) != len(f.RouteTable.Routes) {
		t.Errorf("changed %+v", got)
	}
	must(b, b.DeleteVpcEndpoints, wire.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId}})
	if r := routes(other.ID); len(r) != 0 {
		t.Errorf("routes %+v", r)
	}
}

func TestEndpointRefusals(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	sameZone := f.Subnets[0]
	sameZone.ID, sameZone.CIDR = "subnet-0aaaaaaaaaaaaaaaa", "172.31.128.0/20"
	put(b, tables.Subnets, sameZone)
	foreign := network.RouteTable{Account: testAccount, Region: "us-east-1", ID: "rtb-0aaaaaaaaaaaaaaaa", Vpc: "vpc-other"}
	put(b, tables.RouteTables, foreign)
	face := func(change func(*wire.CreateVpcEndpointInput)) wire.CreateVpcEndpointInput {
		in := wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(ecrAPI), VpcEndpointType: new("Interface")}
		change(&in)
		return in
	}
	for _, c := range []struct {
		in            wire.CreateVpcEndpointInput
		code, message string
	}{
		{wire.CreateVpcEndpointInput{ServiceName: new(s3)}, "MissingParameter", ""},
		{wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID}, "MissingParameter", ""},
		{wire.CreateVpcEndpointInput{VpcId: new("vpc-01234567890123456"), ServiceName: new(s3)}, "InvalidVpcID.NotFound", ""},
		{wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new("com.amazonaws.us-east-1.sqs")}, "InvalidServiceName",
			"The Vpc Endpoint Service 'com.amazonaws.us-east-1.sqs' does not exist"},
		{wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(ecrAPI)}, "InvalidParameter",
			"Endpoint type (Gateway) does not match available service types ([Interface])."},
		{wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(s3), SubnetIds: []string{sameZone.ID}}, "InvalidParameter", ""},
		{wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(s3), RouteTableIds: []string{foreign.ID}}, "InvalidParameter", ""},
		{wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(s3), PolicyDocument: new("{")}, "InvalidPolicyDocument", ""},
		{face(func(in *wire.CreateVpcEndpointInput) { in.RouteTableIds = []string{f.RouteTable.ID} }), "InvalidParameter", ""},
		{face(func(in *wire.CreateVpcEndpointInput) { in.SubnetIds = []string{f.Subnets[0].ID, sameZone.ID} }), "DuplicateSubnetsInSameZone",
			"Found another VPC endpoint subnet in the availability zone of " + sameZone.ID},
		{face(func(in *wire.CreateVpcEndpointInput) { in.SecurityGroupIds = []string{"sg-01234567890123456"} }), "InvalidGroup.NotFound", ""},
		{face(func(in *wire.CreateVpcEndpointInput) { in.IpAddressType = new("dualstack") }), "UnsupportedOperation", ""},
		{face(func(in *wire.CreateVpcEndpointInput) {
			in.SubnetConfigurations = []wire.SubnetConfiguration{{SubnetId: &sameZone.ID, Ipv4: new("10.0.0.1")}}
		}), "InvalidParameterValue", ""},
	} {
		fails(b, b.CreateVpcEndpoint, c.in, c.code, c.message)
	}
	if out := must(b, b.DescribeVpcEndpoints, wire.DescribeVpcEndpointsInput{}); len(out.VpcEndpoints) != 0 {
		t.Errorf("refused requests left %+v", out.VpcEndpoints)
	}
	if out := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{}); len(out.NetworkInterfaces) != 0 {
		t.Errorf("refused requests left %+v", out.NetworkInterfaces)
	}
	vpc := f.Vpc
	vpc.DNSHostnames = false
	put(b, tables.Vpcs, vpc)
	fails(b, b.CreateVpcEndpoint, face(func(*wire.CreateVpcEndpointInput) {}), "InvalidParameter",
		"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "+vpc.ID)
	fails(b, b.DeleteVpcEndpoints, wire.DeleteVpcEndpointsInput{}, "MissingParameter", "")
	fails(b, b.ModifyVpcEndpoint, wire.ModifyVpcEndpointInput{VpcEndpointId: new("vpce-x")}, "InvalidVpcEndpointId.Malformed", "")
}

func TestEndpointServices(t *testing.T) {
	b := newBench(t)
	all := must(b, b.DescribeVpcEndpointServices, wire.DescribeVpcEndpointServicesInput{})
	if len(all.ServiceDetails) != len(edge.Services("us-east-1")) || len(all.ServiceNames) != len(all.ServiceDetails)-1 || !slices.IsSorted(all.ServiceNames) {
		t.Fatalf("services %q", all.ServiceNames)
	}
	var paged []string
	var token *string
	for {
		out := must(b, b.DescribeVpcEndpointServices, wire.DescribeVpcEndpointServicesInput{MaxResults: new(int32(5)), NextToken: token})
		for _, d := range out.ServiceDetails {
			paged = append(paged, *d.ServiceId)
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	if len(paged) != len(all.ServiceDetails) {
		t.Errorf("%d services on pages, %d in all", len(paged), len(all.ServiceDetails))
	}
	two := must(b, b.DescribeVpcEndpointServices, wire.DescribeVpcEndpointServicesInput{ServiceNames: []string{s3}})
	if len(two.ServiceDetails) != 2 || len(two.ServiceNames) != 1 {
		t.Errorf("services %+v", two.ServiceDetails)
	}
	one := must(b, b.DescribeVpcEndpointServices, wire.DescribeVpcEndpointServicesInput{ServiceNames: []string{s3}, Filters: where("service-type", "Gateway")})
	if len(one.ServiceDetails) != 1 || one.ServiceDetails[0].PrivateDnsName != nil || *one.ServiceDetails[0].Owner != "amazon" {
		t.Errorf("service %+v", one.ServiceDetails)
	}
	fails(b, b.DescribeVpcEndpointServices, wire.DescribeVpcEndpointServicesInput{ServiceNames: []string{"x"}}, "InvalidServiceName", "The Vpc Endpoint Service 'x' does not exist")
	lists := must(b, b.DescribePrefixLists, wire.DescribePrefixListsInput{}).PrefixLists
	if len(lists) != 1 || *lists[0].PrefixListName != s3 || lists[0].Cidrs[0] != network.ObjectRange(network.PublicRange()).String() {
		t.Errorf("prefix lists %+v", lists)
	}
	fails(b, b.DescribePrefixLists, wire.DescribePrefixListsInput{PrefixListIds: []string{"pl-01234567890123456"}}, "InvalidPrefixListID.NotFound", "")
}

func TestEndpointQuotas(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	for i := range 50 {
		put(b, edges.Endpoints, edge.Endpoint{Account: testAccount, Region: "us-east-1", ID: b.Deps.IDs.EC2("vpce"), Vpc: f.Vpc.ID, Type: edge.InterfaceEndpoint, Service: ecrAPI})
		if i < 20 {
			put(b, edges.Endpoints, edge.Endpoint{Account: testAccount, Region: "us-east-1", ID: b.Deps.IDs.EC2("vpce"), Vpc: f.Vpc.ID, Type: edge.GatewayEndpoint, Service: s3})
		}
	}
	fails(b, b.CreateVpcEndpoint, wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(s3)}, "VpcEndpointLimitExceeded", "")
	fails(b, b.CreateVpcEndpoint, wire.CreateVpcEndpointInput{VpcId: &f.Vpc.ID, ServiceName: new(ecrAPI), VpcEndpointType: new("Interface")}, "VpcEndpointLimitExceeded", "")
	page := must(b, b.DescribeVpcEndpoints, wire.DescribeVpcEndpointsInput{MaxResults: new(int32(40))})
	rest := must(b, b.DescribeVpcEndpoints, wire.DescribeVpcEndpointsInput{NextToken: page.NextToken})
	if len(page.VpcEndpoints) != 40 || len(rest.VpcEndpoints) != 30 || rest.NextToken != nil {
		t.Errorf("pages of %d and %d", len(page.VpcEndpoints), len(rest.VpcEndpoints))
	}
}
