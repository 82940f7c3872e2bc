package ec2

import (
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

func TestPrefixListRules(t *testing.T) {
	b := newBench(t)
	web := b.group("web")
	list := edge.AmazonPrefixLists("us-east-1", network.PublicRange())[0].ID
	put(b, edges.PrefixLists, edge.PrefixList{Account: testAccount, Region: "us-east-1", ID: "pl-0123456789abcdef1", MaxEntries: 59})
	from := func(id string) wire.IpPermission {
		return wire.IpPermission{PrefixListIds: []wire.PrefixListId{{PrefixListId: &id, Description: new("a list")}}}
	}
	out := must(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &web, IpPermissions: tcp(443, from(list))}).SecurityGroupRules
	if *out[0].PrefixListId != list || *out[0].Description != "a list" {
		t.Errorf("%+v", out)
	}
	fails(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &web, IpPermissions: tcp(443, from(list))}, "InvalidPermission.Duplicate",
		`the specified rule "peer: `+list+`, TCP, from port: 443, to port: 443, ALLOW" already exists`)
	g := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{Filters: where("egress.ip-permission.prefix-list-id", list)}).SecurityGroups
	if len(g) != 1 || *g[0].IpPermissionsEgress[1].PrefixListIds[0].PrefixListId != list || len(g[0].IpPermissionsEgress[1].UserIdGroupPairs) != 0 {
		t.Errorf("%+v", g)
	}
	gone := must(b, b.RevokeSecurityGroupEgress, wire.RevokeSecurityGroupEgressInput{GroupId: &web, IpPermissions: tcp(443, from(list))}).RevokedSecurityGroupRules
	if *gone[0].PrefixListId != list || gone[0].ReferencedGroupId != nil {
		t.Errorf("%+v", gone)
	}
	in := func(id string) wire.AuthorizeSecurityGroupIngressInput {
		return wire.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: tcp(443, from(id))}
	}
	fails(b, b.AuthorizeSecurityGroupIngress, in("pl-0123456789abcdef9"), "InvalidPrefixListID.NotFound", "The prefix list ID 'pl-0123456789abcdef9' does not exist")
	must(b, b.AuthorizeSecurityGroupIngress, in("pl-0123456789abcdef1")) // counts as 59 rules
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: tcp(80, cidr("10.0.0.0/8"))})
	fails(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: tcp(81, cidr("10.0.0.0/8"))}, "RulesPerSecurityGroupLimitExceeded", "")
}

// TestPeeredGroups refers to a group in another VPC of another account, while the
// VPCs are peered and afterwards.
func TestPeeredGroups(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	const account, far = "210987654321", "sg-0123456789abcdef1"
	put(b, tables.SecurityGroups, network.SecurityGroup{Account: account, Region: "us-east-1", ID: far, Vpc: "vpc-far", Name: "far"})
	web := b.group("web")
	pair := wire.IpPermission{UserIdGroupPairs: []wire.UserIdGroupPair{{GroupId: new(far), UserId: new(account)}}}
	in := wire.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: tcp(80, pair)}
	fails(b, b.AuthorizeSecurityGroupIngress, in, "InvalidGroup.NotFound", "The security group '"+far+"' does not exist")
	p := edge.Peering{
		ID: "pcx-0123456789abcdef1", State: edge.PeeringActive, Requester: edge.PeeringSide{Account: testAccount, Region: "us-east-1", Vpc: f.Vpc.ID},
		Accepter: edge.PeeringSide{Account: account, Region: "us-east-1", Vpc: "vpc-far"},
	}
	put(b, edges.Peerings, p)
	out := must(b, b.AuthorizeSecurityGroupIngress, in).SecurityGroupRules[0]
	if *out.ReferencedGroupInfo.UserId != account || *out.ReferencedGroupInfo.GroupId != far {
		t.Errorf("%+v", out)
	}
	shown := func() wire.UserIdGroupPair {
		return must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{web}}).SecurityGroups[0].IpPermissions[0].UserIdGroupPairs[0]
	}
	if got := shown(); *got.UserId != account || *got.VpcId != "vpc-far" || *got.VpcPeeringConnectionId != p.ID || *got.PeeringStatus != "active" {
		t.Errorf("%+v", got)
	}
	stale := func() []wire.StaleSecurityGroup {
		return must(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: &f.Vpc.ID}).StaleSecurityGroupSet
	}
	if got := stale(); len(got) != 0 {
		t.Errorf("stale: %+v", got)
	}
	p.State = edge.PeeringDeleted
	put(b, edges.Peerings, p)
	if got := shown(); *got.PeeringStatus != "deleted" {
		t.Errorf("%+v", got)
	}
	got := stale()
	if len(got) != 1 || *got[0].GroupId != web || *got[0].StaleIpPermissions[0].UserIdGroupPairs[0].GroupId != far ||
		*got[0].StaleIpPermissions[0].FromPort != 80 || len(got[0].StaleIpPermissionsEgress) != 0 {
		t.Errorf("stale: %+v", got)
	}
	must(b, b.RevokeSecurityGroupIngress, wire.RevokeSecurityGroupIngressInput{GroupId: &web, IpPermissions: tcp(80, pair)})
	if got := stale(); len(got) != 0 {
		t.Errorf("stale: %+v", got)
	}
	fails(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{}, "MissingParameter", "")
	fails(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: new("vpc-0123456789abcdef0")}, "InvalidVpcID.NotFound", "")
	fails(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: &f.Vpc.ID, MaxResults: new(int32(4))}, "InvalidParameterValue", "")
	fails(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: &f.Vpc.ID, NextToken: new("x")}, "InvalidParameterValue", "")
}

// TestPeeredGroupsOfOneAccount deletes a group that another VPC's group refers to.
func TestPeeredGroupsOfOneAccount(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	v := b.vpc("10.0.0.0/16")
	far := *must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{VpcId: &v, GroupName: new("far"), Description: new("d")}).GroupId
	var groups []string
	side := func(vpc string) edge.PeeringSide {
		return edge.PeeringSide{Account: testAccount, Region: "us-east-1", Vpc: vpc}
	}
	put(b, edges.Peerings, edge.Peering{ID: "pcx-0123456789abcdef1", State: edge.PeeringActive, Requester: side(v), Accepter: side(f.Vpc.ID)})
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		id := b.group(name)
		groups = append(groups, id)
		must(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: tcp(80, peer(far))})
	}
	must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &far})
	first := must(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: &f.Vpc.ID, MaxResults: new(int32(5))})
	second := must(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: &f.Vpc.ID, MaxResults: new(int32(5)), NextToken: first.NextToken})
	if len(first.StaleSecurityGroupSet) != 5 || len(second.StaleSecurityGroupSet) != 2 || second.NextToken != nil {
		t.Errorf("pages of %d and %d", len(first.StaleSecurityGroupSet), len(second.StaleSecurityGroupSet))
	}
	must(b, b.RevokeSecurityGroupEgress, wire.RevokeSecurityGroupEgressInput{GroupId: &groups[0], IpPermissions: tcp(80, peer(far))})
	if n := len(must(b, b.DescribeStaleSecurityGroups, wire.DescribeStaleSecurityGroupsInput{VpcId: &f.Vpc.ID}).StaleSecurityGroupSet); n != 6 {
		t.Errorf("%d stale groups", n)
	}

	page := must(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{VpcId: &f.Vpc.ID, MaxResults: new(int32(5))})
	rest := must(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{VpcId: &f.Vpc.ID, NextToken: page.NextToken})
	if len(page.SecurityGroupForVpcs) != 5 || len(rest.SecurityGroupForVpcs) != 3 || rest.NextToken != nil {
		t.Errorf("pages of %d and %d groups", len(page.SecurityGroupForVpcs), len(rest.SecurityGroupForVpcs))
	}
	one := must(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{VpcId: &v}).SecurityGroupForVpcs
	if len(one) != 1 || *one[0].GroupName != "default" || *one[0].PrimaryVpcId != v {
		t.Errorf("%+v", one)
	}
	fails(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{}, "MissingParameter", "")
	fails(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{VpcId: new("vpc-0123456789abcdef0")}, "InvalidVpcID.NotFound", "")
	fails(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{VpcId: &v, Filters: where("colour", "x")}, "InvalidParameterValue", "")
}
