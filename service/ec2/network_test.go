package ec2

import (
	"reflect"
	"slices"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/store/tables"
)

func where(name string, values ...string) []wire.Filter {
	return []wire.Filter{{Name: &name, Values: values}}
}

func TestDefaultNetwork(t *testing.T) {
	b := newBench(t)
	v := must(b, b.DescribeVpcs, wire.DescribeVpcsInput{Filters: where("is-default", "true")}).Vpcs
	if len(v) != 1 || *v[0].CidrBlock != "172.31.0.0/16" || *v[0].State != "available" || v[0].Tags != nil {
		t.Fatalf("VPCs %+v", v)
	}
	subnets := must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{Filters: where("default-for-az", "true")}).Subnets
	if len(subnets) != 6 {
		t.Fatalf("%d subnets", len(subnets))
	}
	for _, s := range subnets {
		if *s.VpcId != *v[0].VpcId || *s.AvailableIpAddressCount != 4091 || !*s.MapPublicIpOnLaunch {
			t.Errorf("subnet %+v", s)
		}
	}
	g := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupNames: []string{"default"}}).SecurityGroups[0]
	in, out := g.IpPermissions, g.IpPermissionsEgress
	if len(in) != 1 || *in[0].IpProtocol != "-1" || in[0].FromPort != nil || *in[0].UserIdGroupPairs[0].GroupId != *g.GroupId {
		t.Errorf("ingress %+v", in)
	}
	if len(out) != 1 || *out[0].IpRanges[0].CidrIp != "0.0.0.0/0" || in[0].IpRanges == nil || out[0].PrefixListIds == nil {
		t.Errorf("egress %+v", out)
	}
	rtb := must(b, b.DescribeRouteTables, wire.DescribeRouteTablesInput{Filters: where("association.main", "true")}).RouteTables[0]
	if *rtb.Routes[0].DestinationCidrBlock != "0.0.0.0/0" || *rtb.Routes[1].GatewayId != "local" || rtb.Associations[0].SubnetId != nil || rtb.Tags == nil {
		t.Errorf("route table %+v", rtb)
	}
	igw := must(b, b.DescribeInternetGateways, wire.DescribeInternetGatewaysInput{Filters: where("attachment.state", "available")}).InternetGateways
	if len(igw) != 1 || *igw[0].Attachments[0].VpcId != *v[0].VpcId {
		t.Errorf("gateways %+v", igw)
	}
	acl := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: where("default", "true")}).NetworkAcls[0]
	if len(acl.Entries) != 4 || !*acl.Entries[0].Egress || *acl.Entries[3].RuleNumber != 32767 || len(acl.Associations) != 6 {
		t.Errorf("ACL %+v", acl)
	}
	dopt := must(b, b.DescribeDhcpOptions, wire.DescribeDhcpOptionsInput{Filters: where("value", "AmazonProvidedDNS")}).DhcpOptions
	if len(dopt) != 1 || *dopt[0].DhcpOptionsId != *v[0].DhcpOptionsId {
		t.Errorf("DHCP options %+v", dopt)
	}
}

func TestTenantsAreApart(t *testing.T) {
	b := newBench(t)
	id := b.group("mine")
	other := b
	other.ctx = as("210987654321", "us-east-1")
	fails(other, other.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{id}}, "InvalidGroup.NotFound", "")
	if n := len(must(other, other.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{}).SecurityGroups); n != 1 {
		t.Errorf("another account sees %d groups", n)
	}
	if reflect.DeepEqual(b.defaults(), other.defaults()) {
		t.Error("two accounts have the same default network")
	}
}

func TestVpcAttribute(t *testing.T) {
	b := newBench(t)
	id := b.defaults().Vpc.ID
	get := func(name string) *wire.DescribeVpcAttributeOutput {
		return must(b, b.DescribeVpcAttribute, wire.DescribeVpcAttributeInput{VpcId: &id, Attribute: &name})
	}
	if !*get("enableDnsSupport").EnableDnsSupport.Value || !*get("enableDnsHostnames").EnableDnsHostnames.Value ||
		*get("enableNetworkAddressUsageMetrics").EnableNetworkAddressUsageMetrics.Value {
		t.Error("wrong attributes of the default VPC")
	}
	fails(b, b.DescribeVpcAttribute, wire.DescribeVpcAttributeInput{VpcId: &id, Attribute: new("colour")}, "InvalidParameterValue", "")
	fails(b, b.DescribeVpcAttribute, wire.DescribeVpcAttributeInput{VpcId: &id}, "MissingParameter", "")
	fails(b, b.DescribeVpcAttribute, wire.DescribeVpcAttributeInput{VpcId: new("vpc-invalid"), Attribute: new("enableDnsSupport")},
		"InvalidVpcID.NotFound", "The vpc ID 'vpc-invalid' does not exist")
}

func TestRegionsAndZones(t *testing.T) {
	b := newBench(t)
	all := must(b, b.DescribeRegions, wire.DescribeRegionsInput{}).Regions
	if len(all) < 30 {
		t.Errorf("%d regions", len(all))
	}
	one := must(b, b.DescribeRegions, wire.DescribeRegionsInput{RegionNames: []string{"af-south-1"}}).Regions
	if len(one) != 1 || *one[0].Endpoint != "ec2.af-south-1.amazonaws.com" || *one[0].OptInStatus != "opted-in" {
		t.Errorf("regions %+v", one)
	}
	if n := len(must(b, b.DescribeRegions, wire.DescribeRegionsInput{Filters: where("region-name", "us-*")}).Regions); n != 4 {
		t.Errorf("%d regions match us-*", n)
	}
	fails(b, b.DescribeRegions, wire.DescribeRegionsInput{RegionNames: []string{"cn-north-1"}}, "InvalidParameterValue", "")
	fails(b, b.DescribeRegions, wire.DescribeRegionsInput{Filters: where("colour", "x")}, "InvalidParameterValue", "")

	zones := must(b, b.DescribeAvailabilityZones, wire.DescribeAvailabilityZonesInput{}).AvailabilityZones
	if len(zones) != 6 || *zones[0].ZoneName != "us-east-1a" || *zones[0].ZoneId != "use1-az1" || *zones[0].State != "available" {
		t.Errorf("zones %+v", zones)
	}
	some := must(b, b.DescribeAvailabilityZones, wire.DescribeAvailabilityZonesInput{ZoneNames: []string{"us-east-1b"}, ZoneIds: []string{"use1-az3"}}).AvailabilityZones
	if len(some) != 2 {
		t.Errorf("zones %+v", some)
	}
	fails(b, b.DescribeAvailabilityZones, wire.DescribeAvailabilityZonesInput{ZoneNames: []string{"us-east-1z"}},
		"InvalidParameterValue", "Invalid availability zone: [us-east-1z]")
	fails(b, b.DescribeAvailabilityZones, wire.DescribeAvailabilityZonesInput{ZoneIds: []string{"x"}}, "InvalidParameterValue", "")
	fails(b, b.DescribeAvailabilityZones, wire.DescribeAvailabilityZonesInput{Filters: where("colour", "x")}, "InvalidParameterValue", "")
}

func TestAccountAttributes(t *testing.T) {
	b := newBench(t)
	out := must(b, b.DescribeAccountAttributes, wire.DescribeAccountAttributesInput{AttributeNames: []string{"default-vpc"}})
	if got := *out.AccountAttributes[0].AttributeValues[0].AttributeValue; got != b.defaults().Vpc.ID {
		t.Errorf("default VPC %s", got)
	}
	if n := len(must(b, b.DescribeAccountAttributes, wire.DescribeAccountAttributesInput{}).AccountAttributes); n != 6 {
		t.Errorf("%d attributes", n)
	}
	fails(b, b.DescribeAccountAttributes, wire.DescribeAccountAttributesInput{AttributeNames: []string{"colour"}}, "InvalidParameterValue", "")
}

func TestAclFilters(t *testing.T) {
	b := newBench(t)
	a := b.defaults().NetworkAcl
	a.ID = "acl-00000000000000001"
	a.Entries = []network.NetworkAclEntry{
		{Number: 1, Protocol: "6", Action: "allow", CIDR: "10.0.0.0/8", From: 80, To: 81},
		{Number: 2, Protocol: "1", Action: "deny", CIDR: "10.0.0.0/8", From: 8, To: -1},
	}
	put(b, tables.NetworkAcls, a)
	for _, f := range [][]wire.Filter{
		where("entry.protocol", "tcp"), where("entry.protocol", "6"), where("entry.port-range.to", "81"),
		where("entry.icmp.type", "8"), where("entry.rule-number", "2"), where("network-acl-id", "acl-0000*1"),
	} {
		out := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: f}).NetworkAcls
		if len(out) != 1 || *out[0].NetworkAclId != a.ID {
			t.Errorf("%v %v: %d ACLs", *f[0].Name, f[0].Values, len(out))
		}
	}
}

func TestTags(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	eni := *must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID}).NetworkInterface.NetworkInterfaceId
	ids := []string{
		f.Vpc.ID, f.Subnets[0].ID, f.InternetGateway.ID, f.RouteTable.ID, f.NetworkAcl.ID, f.DhcpOptions.ID,
		f.SecurityGroup.ID, f.Rules[0].ID, eni,
	}
	tag := func(k, v string) wire.Tag { return wire.Tag{Key: &k, Value: &v} }
	must(b, b.CreateTags, wire.CreateTagsInput{Resources: ids, Tags: []wire.Tag{tag("Stage", "dev"), tag("Name", "x")}})
	must(b, b.CreateTags, wire.CreateTagsInput{Resources: ids[:1], Tags: []wire.Tag{tag("Stage", "prod"), tag("Empty", "")}})

	all := must(b, b.DescribeTags, wire.DescribeTagsInput{}).Tags
	if len(all) != 2*len(ids)+1 || *all[0].Key != "Empty" || *all[1].Key != "Name" {
		t.Errorf("%d tags, first %s", len(all), *all[0].Key)
	}
	var paged []wire.TagDescription
	var next *string
	for range len(all) {
		out := must(b, b.DescribeTags, wire.DescribeTagsInput{MaxResults: new(int32(5)), NextToken: next})
		paged = append(paged, out.Tags...)
		if next = out.NextToken; next == nil {
			break
		}
	}
	if !reflect.DeepEqual(paged, all) {
		t.Errorf("pages hold %d tags, not %d", len(paged), len(all))
	}
	for _, c := range []struct {
		f    []wire.Filter
		want int
	}{
		{where("resource-type", "network-interface"), 2}, {where("key", "Stage"), len(ids)}, {where("tag:Stage", "prod"), 1},
		{where("value", ""), 1}, {where("resource-id", ids[1]), 2},
	} {
		if n := len(must(b, b.DescribeTags, wire.DescribeTagsInput{Filters: c.f}).Tags); n != c.want {
			t.Errorf("%s %v: %d tags, want %d", *c.f[0].Name, c.f[0].Values, n, c.want)
		}
	}
	if v := must(b, b.DescribeVpcs, wire.DescribeVpcsInput{Filters: where("tag:Stage", "prod")}).Vpcs; len(v) != 1 || len(v[0].Tags) != 3 {
		t.Errorf("VPCs by tag: %+v", v)
	}

	must(b, b.DeleteTags, wire.DeleteTagsInput{Resources: ids[:2], Tags: []wire.Tag{tag("Stage", "dev")}})
	left := func(id string) []string {
		return idsOf(must(b, b.DescribeTags, wire.DescribeTagsInput{Filters: where("resource-id", id)}).Tags,
			func(t wire.TagDescription) string { return *t.Key })
	}
	if got := left(ids[0]); !slices.Equal(got, []string{"Empty", "Name", "Stage"}) {
		t.Errorf("a tag with another value was deleted: %v", got)
	}
	if got := left(ids[1]); !slices.Equal(got, []string{"Name"}) {
		t.Errorf("left %v", got)
	}
	must(b, b.DeleteTags, wire.DeleteTagsInput{Resources: ids[:1], Tags: []wire.Tag{{Key: new("Stage")}}})
	must(b, b.DeleteTags, wire.DeleteTagsInput{Resources: ids[1:]})
	if got := left("*"); !slices.Equal(got, []string{"Empty", "Name"}) {
		t.Errorf("left %v", got)
	}
}

func TestTagErrors(t *testing.T) {
	b := newBench(t)
	id := b.group("tagged")
	ids := []string{id}
	long := func(n int) *string {
		s := string(slices.Repeat([]byte("k"), n))
		return &s
	}
	var many []wire.Tag
	for i := range 50 {
		many = append(many, wire.Tag{Key: long(i + 1), Value: new("")})
	}
	must(b, b.CreateTags, wire.CreateTagsInput{Resources: ids, Tags: many})
	for _, c := range []struct {
		ids  []string
		tags []wire.Tag
		code string
	}{
		{ids, []wire.Tag{{Key: new("one too many"), Value: new("")}}, "TagLimitExceeded"},
		{ids, []wire.Tag{{Key: new("aws:x"), Value: new("")}}, "InvalidParameterValue"},
		{ids, []wire.Tag{{Key: new("AWS:x"), Value: new("")}}, "InvalidParameterValue"},
		{ids, []wire.Tag{{Key: new("a")}, {Key: new("a")}}, "InvalidParameterValue"},
		{ids, []wire.Tag{{Key: new("")}}, "InvalidParameterValue"},
		{ids, []wire.Tag{{Key: long(129)}}, "InvalidParameterValue"},
		{ids, []wire.Tag{{Key: new("k"), Value: long(257)}}, "InvalidParameterValue"},
		{ids, nil, "MissingParameter"},
		{nil, many[:1], "MissingParameter"},
		{[]string{"thing-1"}, many[:1], "InvalidID"},
		{[]string{id, "sg-0123456789abcdef0"}, many[:1], "InvalidGroup.NotFound"},
		{[]string{"sg-xyz"}, many[:1], "InvalidGroupId.Malformed"},
	} {
		fails(b, b.CreateTags, wire.CreateTagsInput{Resources: c.ids, Tags: c.tags}, c.code, "")
	}
	fails(b, b.DeleteTags, wire.DeleteTagsInput{Resources: ids, Tags: []wire.Tag{{Key: new("aws:x")}}}, "InvalidParameterValue", "")
	fails(b, b.DeleteTags, wire.DeleteTagsInput{Resources: []string{"vpc-1"}}, "InvalidVpcID.NotFound", "")
	fails(b, b.DescribeTags, wire.DescribeTagsInput{Filters: where("colour", "x")}, "InvalidParameterValue", "")
	fails(b, b.DescribeTags, wire.DescribeTagsInput{NextToken: new("x")}, "InvalidParameterValue", "")
	fails(b, b.DescribeTags, wire.DescribeTagsInput{MaxResults: new(int32(1))}, "InvalidParameterValue", "")
}
