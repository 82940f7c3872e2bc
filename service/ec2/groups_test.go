package ec2

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/wire/shape"
)

func TestCreateSecurityGroup(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	other := f.Vpc
	other.ID, other.Default = "vpc-0123456789abcdef1", false
	put(b, tables.Vpcs, other)
	out := must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{
		GroupName: new("web "), Description: new("the web"),
		TagSpecifications: []wire.TagSpecification{{ResourceType: new("security-group"), Tags: []wire.Tag{{Key: new("a"), Value: new("1")}}}},
	})
	if len(out.Tags) != 1 || *out.SecurityGroupArn != "arn:aws:ec2:us-east-1:123456789012:security-group/"+*out.GroupId {
		t.Errorf("%+v", out)
	}
	g := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{*out.GroupId}}).SecurityGroups[0]
	if *g.GroupName != "web" || len(g.IpPermissions) != 0 || *g.IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" {
		t.Errorf("%+v", g)
	}
	must(b, b.CreateSecurityGroup, wire.CreateSecurityGroupInput{GroupName: new("web"), Description: new("x"), VpcId: &other.ID})
	for _, c := range []struct{ name, description, vpc, code, message string }{
		{"web", "x", "", "InvalidGroup.Duplicate", "The security group 'web' already exists for VPC '" + f.Vpc.ID + "'"},
		{"", "x", "", "MissingParameter", ""}, {"x", "", "", "MissingParameter", ""},
		{"sg-web", "x", "", "InvalidParameterValue", "Value (sg-web) for parameter GroupName is invalid. Group names may not be in the format sg-*."},
		{"default", "x", "", "InvalidParameterValue", "Cannot use reserved security group name: default"},
		{"x", "été", "", "InvalidParameterValue", ""}, {"x", "a|b", "", "InvalidParameterValue", ""},
		{strings.Repeat("x", 256), "x", "", "InvalidParameterValue", ""},
		{"x", "x", "vpc-invalid", "InvalidVpcID.NotFound", ""},
	} {
		in := wire.CreateSecurityGroupInput{GroupName: &c.name, Description: &c.description, VpcId: call.Optional(c.vpc)}
		fails(b, b.CreateSecurityGroup, in, c.code, c.message)
	}
}

func TestSecurityGroupIDs(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ id, code, message string }{
		{"sg-00000000000000000", "InvalidGroupId.Malformed", `Invalid id: "sg-00000000000000000"`},
		{"web", "InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`},
		{"sg-0123456789abcdef0", "InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"},
	} {
		fails(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{c.id}}, c.code, c.message)
	}
	fails(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupNames: []string{"nobody"}}, "InvalidGroup.NotFound", "")
}

func TestDeleteSecurityGroup(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	web, db := b.group("web"), b.group("db")
	own := must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &web, IpPermissions: tcp(80, peer(web))})
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &db, IpPermissions: tcp(5432, peer(web))})
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web}, "DependencyViolation", "resource "+web+" has a dependent object")
	must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupName: new("db")})
	if out := must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web}); *out.GroupId != web || !*out.Return {
		t.Errorf("%+v", out)
	}
	fails(b, b.DescribeSecurityGroupRules, wire.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{*own.SecurityGroupRules[0].SecurityGroupRuleId}},
		"InvalidSecurityGroupRuleId.NotFound", "")
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web}, "InvalidGroup.NotFound", "")
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &f.SecurityGroup.ID}, "CannotDelete", "")
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{}, "MissingParameter", "")
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &web, GroupName: new("web")}, "InvalidParameterCombination", "")
}

func tcp(port int32, p wire.IpPermission) []wire.IpPermission {
	p.IpProtocol, p.FromPort, p.ToPort = new("tcp"), &port, &port
	return []wire.IpPermission{p}
}

func cidr(s string) wire.IpPermission {
	return wire.IpPermission{IpRanges: []wire.IpRange{{CidrIp: &s}}}
}

func peer(group string) wire.IpPermission {
	return wire.IpPermission{UserIdGroupPairs: []wire.UserIdGroupPair{{GroupId: &group}}}
}

func TestRules(t *testing.T) {
	b := newBench(t)
	id := b.group("web")
	p := cidr("10.237.17.9/24")
	p.IpRanges[0].Description = new("office")
	added := must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{
		GroupId: &id, IpPermissions: tcp(8080, p),
		TagSpecifications: []wire.TagSpecification{{ResourceType: new("security-group-rule"), Tags: []wire.Tag{{Key: new("a"), Value: new("1")}}}},
	})
	r := added.SecurityGroupRules[0]
	if !*added.Return || *r.CidrIpv4 != "10.237.17.0/24" || *r.Description != "office" || *r.GroupOwnerId != testAccount || len(r.Tags) != 1 || *r.IsEgress {
		t.Errorf("%+v", r)
	}
	fails(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(8080, cidr("10.237.17.0/24"))},
		"InvalidPermission.Duplicate", `the specified rule "peer: 10.237.17.0/24, TCP, from port: 8080, to port: 8080, ALLOW" already exists`)

	listed := must(b, b.DescribeSecurityGroupRules, wire.DescribeSecurityGroupRulesInput{Filters: where("group-id", id)}).SecurityGroupRules
	if len(listed) != 2 {
		t.Fatalf("%d rules", len(listed))
	}
	egress := listed[slices.IndexFunc(listed, func(r wire.SecurityGroupRule) bool { return *r.IsEgress })]
	if *egress.FromPort != -1 || *egress.ToPort != -1 || egress.Tags == nil || egress.Description != nil {
		t.Errorf("egress rule %+v", egress)
	}

	must(b, b.UpdateSecurityGroupRuleDescriptionsIngress, wire.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &id, SecurityGroupRuleDescriptions: []wire.SecurityGroupRuleDescription{{SecurityGroupRuleId: r.SecurityGroupRuleId, Description: new("home")}},
	})
	revoked := must(b, b.RevokeSecurityGroupIngress, wire.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(8080, cidr("10.237.17.0/24"))})
	if got := revoked.RevokedSecurityGroupRules; len(got) != 1 || *got[0].SecurityGroupRuleId != *r.SecurityGroupRuleId || *got[0].Description != "home" {
		t.Errorf("revoked %+v", got)
	}
	fails(b, b.RevokeSecurityGroupIngress, wire.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(8080, cidr("10.237.17.0/24"))},
		"InvalidPermission.NotFound", "The specified rule does not exist in this security group.")

	all := wire.IpPermission{IpProtocol: new("-1"), IpRanges: []wire.IpRange{{CidrIp: new("0.0.0.0/0"), Description: new("out")}}}
	must(b, b.UpdateSecurityGroupRuleDescriptionsEgress, wire.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupName: new("web"), IpPermissions: []wire.IpPermission{all}})
	must(b, b.RevokeSecurityGroupEgress, wire.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: []string{*egress.SecurityGroupRuleId}})
	fails(b, b.RevokeSecurityGroupEgress, wire.RevokeSecurityGroupEgressInput{GroupId: &id, SecurityGroupRuleIds: []string{*egress.SecurityGroupRuleId}},
		"InvalidSecurityGroupRuleId.NotFound", "")
	must(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []wire.IpPermission{all}})
	fails(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: []wire.IpPermission{all}},
		"InvalidPermission.Duplicate", `the specified rule "peer: 0.0.0.0/0, ALL, ALLOW" already exists`)
}

func TestRuleErrors(t *testing.T) {
	b := newBench(t)
	id := b.group("web")
	foreign := network.SecurityGroup{Account: testAccount, Region: "us-east-1", ID: "sg-0123456789abcdef1", Vpc: "vpc-0123456789abcdef1", Name: "f"}
	put(b, tables.SecurityGroups, foreign)
	absent := "sg-0123456789abcdef0"
	for _, c := range []struct {
		permissions   []wire.IpPermission
		code, message string
	}{
		{nil, "MissingParameter", ""},
		{tcp(80, peer(foreign.ID)), "InvalidGroup.NotFound", "You have specified two resources that belong to different networks."},
		{tcp(80, peer(absent)), "InvalidGroup.NotFound", "The security group '" + absent + "' does not exist"},
		{tcp(80, peer("web")), "InvalidGroupId.Malformed", ""},
		{tcp(80, wire.IpPermission{UserIdGroupPairs: []wire.UserIdGroupPair{{GroupName: new("nobody")}}}), "InvalidGroup.NotFound", ""},
		{tcp(80, cidr("10.0.0.0")), "InvalidParameterValue", "CIDR block 10.0.0.0 is malformed"},
	} {
		fails(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: c.permissions}, c.code, c.message)
		fails(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: c.permissions}, c.code, c.message)
		fails(b, b.RevokeSecurityGroupEgress, wire.RevokeSecurityGroupEgressInput{GroupId: &id, IpPermissions: c.permissions}, c.code, c.message)
		fails(b, b.UpdateSecurityGroupRuleDescriptionsIngress, wire.UpdateSecurityGroupRuleDescriptionsIngressInput{GroupId: &id, IpPermissions: c.permissions}, c.code, c.message)
		fails(b, b.UpdateSecurityGroupRuleDescriptionsEgress, wire.UpdateSecurityGroupRuleDescriptionsEgressInput{GroupId: &id, IpPermissions: c.permissions}, c.code, c.message)
	}
	fails(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &absent, IpPermissions: tcp(80, cidr("10.0.0.0/8"))}, "InvalidGroup.NotFound", "")
}

func TestFlatPermissions(t *testing.T) {
	b := newBench(t)
	id := b.group("web")
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{
		GroupName: new("web"), IpProtocol: new("TCP"), FromPort: new(int32(80)), ToPort: new(int32(90)), CidrIp: new("0.0.0.0/0"),
	})
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, SourceSecurityGroupName: new("default"), SourceSecurityGroupOwnerId: new(testAccount)})
	g := must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{Filters: where("ip-permission.to-port", "90")}).SecurityGroups
	if len(g) != 1 || len(g[0].IpPermissions) != 4 {
		t.Fatalf("%+v", g)
	}
	must(b, b.RevokeSecurityGroupIngress, wire.RevokeSecurityGroupIngressInput{
		GroupId: &id, IpProtocol: new("6"), FromPort: new(int32(80)), ToPort: new(int32(90)), CidrIp: new("0.0.0.0/0"),
	})
	for _, c := range []struct {
		in   wire.AuthorizeSecurityGroupIngressInput
		code string
	}{
		{wire.AuthorizeSecurityGroupIngressInput{IpProtocol: new("tcp"), IpPermissions: tcp(1, cidr("10.0.0.0/8"))}, "InvalidParameterCombination"},
		{wire.AuthorizeSecurityGroupIngressInput{IpProtocol: new("tcp"), SourceSecurityGroupName: new("default")}, "InvalidParameterCombination"},
		{wire.AuthorizeSecurityGroupIngressInput{SourceSecurityGroupOwnerId: new(testAccount)}, "MissingParameter"},
		{wire.AuthorizeSecurityGroupIngressInput{SourceSecurityGroupName: new("default"), SourceSecurityGroupOwnerId: new("210987654321")}, "InvalidGroup.NotFound"},
		{wire.AuthorizeSecurityGroupIngressInput{CidrIp: new("10.0.0.0/8")}, "InvalidParameterValue"},
	} {
		c.in.GroupId = &id
		fails(b, b.AuthorizeSecurityGroupIngress, c.in, c.code, "")
	}
}

func TestModifySecurityGroupRules(t *testing.T) {
	b := newBench(t)
	id, other := b.group("web"), b.group("other")
	var ids []string
	for _, port := range []int32{80, 81} {
		out := must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(port, cidr("10.0.0.0/8"))})
		ids = append(ids, *out.SecurityGroupRules[0].SecurityGroupRuleId)
	}
	modify := func(group, rule string, r *wire.SecurityGroupRuleRequest) wire.ModifySecurityGroupRulesInput {
		return wire.ModifySecurityGroupRulesInput{GroupId: &group, SecurityGroupRules: []wire.SecurityGroupRuleUpdate{{SecurityGroupRuleId: &rule, SecurityGroupRule: r}}}
	}
	to := func(port int32, set func(*wire.SecurityGroupRuleRequest)) *wire.SecurityGroupRuleRequest {
		r := &wire.SecurityGroupRuleRequest{IpProtocol: new("tcp"), FromPort: &port, ToPort: &port, CidrIpv4: new("10.0.0.0/8")}
		set(r)
		return r
	}
	same := func(*wire.SecurityGroupRuleRequest) {}
	swap := modify(id, ids[0], to(81, func(r *wire.SecurityGroupRuleRequest) { r.Description = new("was 80") }))
	swap.SecurityGroupRules = append(swap.SecurityGroupRules, modify(id, ids[1], to(80, same)).SecurityGroupRules...)
	must(b, b.ModifySecurityGroupRules, swap)
	r := must(b, b.DescribeSecurityGroupRules, wire.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: ids[:1]}).SecurityGroupRules[0]
	if *r.FromPort != 81 || *r.Description != "was 80" {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		in   wire.ModifySecurityGroupRulesInput
		code string
	}{
		{modify(id, ids[0], to(80, same)), "InvalidPermission.Duplicate"},
		{modify(other, ids[0], to(82, same)), "InvalidSecurityGroupRuleId.NotFound"},
		{modify(id, "sgr-0123456789abcdef0", to(82, same)), "InvalidSecurityGroupRuleId.NotFound"},
		{modify(id, "rule", to(82, same)), "InvalidSecurityGroupRuleId.Malformed"},
		{modify(id, ids[0], nil), "MissingParameter"},
		{wire.ModifySecurityGroupRulesInput{GroupId: &id}, "MissingParameter"},
		{modify(id, ids[0], to(82, func(r *wire.SecurityGroupRuleRequest) { r.CidrIpv4, r.ReferencedGroupId = nil, &other })), "InvalidParameterValue"},
		{modify(id, ids[0], to(82, func(r *wire.SecurityGroupRuleRequest) { r.CidrIpv6 = new("::/0") })), "InvalidParameterCombination"},
		{modify(id, ids[0], to(82, func(r *wire.SecurityGroupRuleRequest) { r.PrefixListId = new("pl-1") })), "InvalidParameterCombination"},
		{modify(id, ids[0], to(82, func(r *wire.SecurityGroupRuleRequest) { r.CidrIpv4, r.PrefixListId = nil, new("pl-1") })), "InvalidPrefixListID.NotFound"},
		{modify(id, ids[0], to(82, func(r *wire.SecurityGroupRuleRequest) { r.IpProtocol = nil })), "InvalidParameterValue"},
	} {
		fails(b, b.ModifySecurityGroupRules, c.in, c.code, "")
	}
}

func TestRuleQuota(t *testing.T) {
	b := newBench(t)
	id := b.group("web")
	var sixty wire.IpPermission
	for i := range 60 {
		sixty.IpRanges = append(sixty.IpRanges, wire.IpRange{CidrIp: new(fmt.Sprintf("10.0.%d.0/24", i))})
	}
	must(b, b.AuthorizeSecurityGroupIngress, wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(80, sixty)})
	more := func(p wire.IpPermission) wire.AuthorizeSecurityGroupIngressInput {
		return wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(80, p)}
	}
	fails(b, b.AuthorizeSecurityGroupIngress, more(cidr("10.1.0.0/16")), "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	fails(b, b.AuthorizeSecurityGroupIngress, more(peer(id)), "RulesPerSecurityGroupLimitExceeded", "")
	must(b, b.AuthorizeSecurityGroupIngress, more(wire.IpPermission{Ipv6Ranges: []wire.Ipv6Range{{CidrIpv6: new("2001:db8::/32")}}}))
	must(b, b.AuthorizeSecurityGroupEgress, wire.AuthorizeSecurityGroupEgressInput{GroupId: &id, IpPermissions: tcp(80, cidr("10.1.0.0/16"))})
}

// TestRulesAreASet authorizes and revokes at random and compares with a set.
func TestRulesAreASet(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newBench(t)
		id, db := b.group("web"), b.group("db")
		want := map[string]bool{}
		for range 120 {
			port := int32(random.IntN(3))
			peers := []wire.IpPermission{cidr("10.0.0.0/8"), cidr("10.1.2.3/8"), cidr("10.0.0.0/16"), peer(db), peer(id)}
			p := peers[random.IntN(len(peers))]
			name := fmt.Sprint(port, " 10.0.0.0/8")
			switch {
			case len(p.UserIdGroupPairs) > 0:
				name = fmt.Sprint(port, " ", *p.UserIdGroupPairs[0].GroupId)
			case strings.HasSuffix(*p.IpRanges[0].CidrIp, "/16"):
				name = fmt.Sprint(port, " 10.0.0.0/16")
			}
			var err error
			code := ""
			if random.IntN(2) == 0 {
				if want[name] {
					code = "InvalidPermission.Duplicate"
				}
				want[name] = true
				_, err = b.AuthorizeSecurityGroupIngress(b.ctx, &wire.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(port, p)})
			} else {
				if !want[name] {
					code = "InvalidPermission.NotFound"
				}
				delete(want, name)
				_, err = b.RevokeSecurityGroupIngress(b.ctx, &wire.RevokeSecurityGroupIngressInput{GroupId: &id, IpPermissions: tcp(port, p)})
			}
			if code == "" && err != nil || code != "" && !shape.IsCode(err, code) {
				t.Fatalf("seed %d: %s: %v, want %q", seed, name, err, code)
			}
			compareRules(t, b, seed, id, want)
		}
	}
}

func compareRules(t *testing.T, b bench, seed uint64, id string, want map[string]bool) {
	t.Helper()
	byRule, byGroup := map[string]bool{}, map[string]bool{}
	for _, r := range must(b, b.DescribeSecurityGroupRules, wire.DescribeSecurityGroupRulesInput{Filters: where("group-id", id)}).SecurityGroupRules {
		if *r.IsEgress {
			continue
		}
		name := fmt.Sprint(*r.FromPort, " ", call.Val(r.CidrIpv4))
		if r.ReferencedGroupInfo != nil {
			name = fmt.Sprint(*r.FromPort, " ", *r.ReferencedGroupInfo.GroupId)
		}
		byRule[name] = true
	}
	for _, p := range must(b, b.DescribeSecurityGroups, wire.DescribeSecurityGroupsInput{GroupIds: []string{id}}).SecurityGroups[0].IpPermissions {
		for _, r := range p.IpRanges {
			byGroup[fmt.Sprint(*p.FromPort, " ", *r.CidrIp)] = true
		}
		for _, u := range p.UserIdGroupPairs {
			byGroup[fmt.Sprint(*p.FromPort, " ", *u.GroupId)] = true
		}
	}
	if !maps.Equal(byRule, want) || !maps.Equal(byGroup, want) {
		t.Fatalf("seed %d: rules %v, permissions %v, want %v", seed, byRule, byGroup, want)
	}
}

// TestGroupPagesTrail holds that all pages of groups after the first have a token,
// up to an empty one, as recorded of seven groups in pages of five.
func TestGroupPagesTrail(t *testing.T) {
	b := newBench(t)
	for i := range 6 {
		b.group(fmt.Sprint("group-", i))
	}
	in := wire.DescribeSecurityGroupsInput{MaxResults: new(int32(5))}
	for _, want := range []int{5, 2, 0} {
		out := must(b, b.DescribeSecurityGroups, in)
		if len(out.SecurityGroups) != want || (out.NextToken == nil) != (want == 0) {
			t.Fatalf("%d groups, token %v; want %d", len(out.SecurityGroups), out.NextToken, want)
		}
		in.NextToken = out.NextToken
	}
}
