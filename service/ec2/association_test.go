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

// associations are the group's, as VPC ids.
func (b bench) associations(group string) (ids []string) {
	b.t.Helper()
	out := must(b, b.DescribeSecurityGroupVpcAssociations, wire.DescribeSecurityGroupVpcAssociationsInput{Filters: where("group-id", group)})
	for _, a := range out.SecurityGroupVpcAssociations {
		if *a.State != "associated" || *a.GroupOwnerId != testAccount || *a.VpcOwnerId != testAccount {
			b.t.Errorf("%+v", a)
		}
		ids = append(ids, *a.VpcId)
	}
	return ids
}

func TestGroupInAnotherVpc(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	first, second := b.vpc("10.1.0.0/16"), b.vpc("10.2.0.0/16")
	subnet := b.subnet(second, "10.2.0.0/24")
	in := func(vpc string) string {
		return *must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{VpcId: &vpc, GroupName: new("web"), Description: new("d")}).GroupId
	}
	web, own := in(first), in(second)
	plug := wire.CreateNetworkInterfaceInput{SubnetId: &subnet, Groups: []string{web}}
	const apart = "You have specified two resources that belong to different networks."
	fails(b, b.CreateNetworkInterface, plug, "InvalidGroup.NotFound", apart)
	refer := wire.AuthorizeSecurityGroupIngressInput{GroupId: &own, IpPermissions: tcp(80, peer(web))}
	fails(b, b.AuthorizeSecurityGroupIngress, refer, "InvalidGroup.NotFound", apart)

	pair := wire.AssociateSecurityGroupVpcInput{GroupId: &web, VpcId: &second}
	for range 2 {
		must(b, b.AssociateSecurityGroupVpc, pair)
	}
	if got := b.associations(web); !slices.Equal(got, []string{second}) {
		t.Errorf("associated with %v", got)
	}
	usable := func(vpc string) (ids []string) {
		for _, g := range must(b, b.GetSecurityGroupsForVpc, wire.GetSecurityGroupsForVpcInput{VpcId: &vpc}).SecurityGroupForVpcs {
			ids = append(ids, *g.GroupId)
		}
		return ids
	}
	if ids := usable(second); len(ids) != 3 || !slices.Contains(ids, web) || slices.Contains(usable(first), own) {
		t.Errorf("usable in the second VPC: %v", ids)
	}
	eni := *must(b, b.CreateNetworkInterface, plug).NetworkInterface.NetworkInterfaceId
	if got := b.eni(eni); *got.Groups[0].GroupId != web || *got.Groups[0].GroupName != "web" {
		t.Errorf("%+v", got.Groups)
	}
	must(b, b.AuthorizeSecurityGroupIngress, refer)
	shown := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{own}}).SecurityGroups[0].IpPermissions[0].UserIdGroupPairs[0]
	if *shown.GroupId != web || shown.PeeringStatus != nil {
		t.Errorf("the reference is shown as %+v", shown)
	}

	needed := "resource " + web + " has a dependent object"
	part := wire.DisassociateSecurityGroupVpcInput{GroupId: &web, VpcId: &second}
	fails(b, b.DisassociateSecurityGroupVpc, part, "DependencyViolation", needed)
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web}, "DependencyViolation", needed)
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni})
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web}, "DependencyViolation", needed)
	must(b, b.RevokeSecurityGroupIngress, wire.RevokeSecurityGroupIngressInput{GroupId: &own, IpPermissions: refer.IpPermissions})
	must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &own})
	must(b, b.DeleteSubnet, wire.DeleteSubnetInput{SubnetId: &subnet})
	fails(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &second}, "DependencyViolation", "")
	if got := must(b, b.DisassociateSecurityGroupVpc, part); *got.State != "disassociating" {
		t.Errorf("%+v", got)
	}
	fails(b, b.DisassociateSecurityGroupVpc, part, "InvalidGroup.NotFound", "")
	if got := b.associations(web); got != nil {
		t.Errorf("still associated with %v", got)
	}
	must(b, b.DeleteVpc, wire.DeleteVpcInput{VpcId: &second})
	must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web})

	other := b.group("other")
	fixed := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{Filters: where("vpc-id", first)}).SecurityGroups[0].GroupId
	for _, c := range []struct {
		group, vpc *string
		code       string
	}{
		{nil, &first, "MissingParameter"}, {&other, nil, "MissingParameter"}, {new("sg-1"), &first, "InvalidGroupId.Malformed"},
		{new("sg-0123456789abcdef0"), &first, "InvalidGroup.NotFound"}, {&other, &second, "InvalidVpcID.NotFound"},
		{fixed, &first, "InvalidParameterValue"}, {&other, &f.Vpc.ID, "InvalidParameterValue"},
	} {
		fails(b, b.AssociateSecurityGroupVpc, wire.AssociateSecurityGroupVpcInput{GroupId: c.group, VpcId: c.vpc}, c.code, "")
	}
}

func TestAssociationPages(t *testing.T) {
	b := newBench(t)
	var all []string
	for i := range 7 {
		g, v := b.group(fmt.Sprint("g", i)), fmt.Sprintf("vpc-%017x", i+1)
		put(b, tables.Vpcs, network.Vpc{Account: testAccount, Region: "us-east-1", ID: v, CIDR: "10.0.0.0/16"})
		must(b, b.AssociateSecurityGroupVpc, wire.AssociateSecurityGroupVpcInput{GroupId: &g, VpcId: &v})
		all = append(all, g)
	}
	slices.Sort(all)
	var paged []string
	in := wire.DescribeSecurityGroupVpcAssociationsInput{MaxResults: new(int32(5))}
	for range 2 {
		out := must(b, b.DescribeSecurityGroupVpcAssociations, in)
		for _, a := range out.SecurityGroupVpcAssociations {
			paged = append(paged, *a.GroupId)
		}
		in.NextToken = out.NextToken
	}
	if !slices.Equal(paged, all) || in.NextToken != nil {
		t.Errorf("pages hold %v of %v", paged, all)
	}
	fails(b, b.DescribeSecurityGroupVpcAssociations, wire.DescribeSecurityGroupVpcAssociationsInput{NextToken: new("x")}, "InvalidParameterValue", "")
	fails(b, b.DescribeSecurityGroupVpcAssociations, wire.DescribeSecurityGroupVpcAssociationsInput{MaxResults: new(int32(1))}, "InvalidParameterValue", "")
	fails(b, b.DescribeSecurityGroupVpcAssociations, wire.DescribeSecurityGroupVpcAssociationsInput{Filters: where("colour", "x")}, "InvalidParameterValue", "")
	if out := must(b, b.DescribeSecurityGroupVpcAssociations, wire.DescribeSecurityGroupVpcAssociationsInput{Filters: where("state", "disassociated")}); len(out.SecurityGroupVpcAssociations) != 0 {
		t.Errorf("%+v", out)
	}
}

// TestSecurityGroupReferences asks which peered VPCs refer to a group: of the same
// account and of another one.
func TestSecurityGroupReferences(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	near := b.vpc("10.0.0.0/16")
	const account = "210987654321"
	side := func(account, vpc string) edge.PeeringSide {
		return edge.PeeringSide{Account: account, Region: "us-east-1", Vpc: vpc}
	}
	web, quiet := b.group("web"), b.group("quiet")
	one := edge.Peering{ID: "pcx-0123456789abcdef1", State: edge.PeeringActive, Requester: side(testAccount, near), Accepter: side(testAccount, f.Vpc.ID)}
	put(b, edges.Peerings, one,
		edge.Peering{ID: "pcx-0123456789abcdef2", State: edge.PeeringActive, Requester: side(testAccount, f.Vpc.ID), Accepter: side(account, "vpc-far")})
	put(b, tables.SecurityGroups, network.SecurityGroup{Account: account, Region: "us-east-1", ID: "sg-0123456789abcdef1", Vpc: "vpc-far", Name: "far"})
	put(b, tables.SecurityGroupRules, network.SecurityGroupRule{
		Account: account, Region: "us-east-1", ID: "sgr-0123456789abcdef1", Group: "sg-0123456789abcdef1",
		Permission: network.Permission{Protocol: network.AllProtocols, From: -1, To: -1, Peer: web, PeerOwner: testAccount},
	})
	refer := *must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{VpcId: &near, GroupName: new("refers"), Description: new("d")}).GroupId
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &refer, IpPermissions: tcp(80, peer(web))})
	// A rule of its own VPC is no reference from another.
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &quiet, IpPermissions: tcp(80, peer(web))})

	ask := func() (found []string) {
		for _, r := range must(b, b.DescribeSecurityGroupReferences, wire.DescribeSecurityGroupReferencesInput{GroupId: []string{web, quiet, web}}).SecurityGroupReferenceSet {
			found = append(found, *r.GroupId+" "+*r.ReferencingVpcId+" "+*r.VpcPeeringConnectionId)
		}
		slices.Sort(found)
		return found
	}
	want := []string{web + " " + near + " " + one.ID, web + " vpc-far pcx-0123456789abcdef2"}
	slices.Sort(want)
	if got := ask(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	one.State = edge.PeeringDeleted
	put(b, edges.Peerings, one)
	if got := ask(); !slices.Equal(got, []string{web + " vpc-far pcx-0123456789abcdef2"}) {
		t.Errorf("after the connection: %v", got)
	}
	fails(b, b.DescribeSecurityGroupReferences, wire.DescribeSecurityGroupReferencesInput{}, "MissingParameter", "")
	fails(b, b.DescribeSecurityGroupReferences, wire.DescribeSecurityGroupReferencesInput{GroupId: []string{"sg-0123456789abcdef0"}}, "InvalidGroup.NotFound", "")
}
