package ec2

import (
	"fmt"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/store/tables"
)

func TestNetworkAcls(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	v := b.vpc("10.0.0.0/16")
	made := must(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v, ClientToken: new("once"), TagSpecifications: specs("network-acl", "Name", "x")})
	a := made.NetworkAcl
	if *made.ClientToken != "once" || *a.IsDefault || len(a.Entries) != 2 || !*a.Entries[0].Egress || *a.Entries[1].RuleNumber != 32767 ||
		*a.Entries[1].RuleAction != "deny" || a.Entries[0].PortRange == nil || a.Entries[0].IcmpTypeCode == nil || len(a.Tags) != 1 {
		t.Errorf("%+v", a)
	}
	id := *a.NetworkAclId
	if shown := b.acl(id); shown.Entries[0].PortRange != nil || shown.Entries[0].IcmpTypeCode != nil {
		t.Errorf("%+v", shown)
	}
	must(b, b.DeleteTags, wire.DeleteTagsInput{Resources: []string{id}})
	again := must(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v, ClientToken: new("once"), TagSpecifications: specs("network-acl", "Name", "x")})
	if *again.NetworkAcl.NetworkAclId != id || len(again.NetworkAcl.Tags) != 1 || len(b.acl(id).Tags) != 0 {
		t.Errorf("replayed %+v, now %+v", again.NetworkAcl, b.acl(id))
	}
	fails(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &f.Vpc.ID, ClientToken: new("once")}, "IdempotentParameterMismatch", "")
	fails(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{}, "MissingParameter", "")
	fails(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: new("vpc-0123456789abcdef0")}, "InvalidVpcID.NotFound", "")

	s := b.subnet(v, "10.0.0.0/24")
	first := must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{Filters: where("association.subnet-id", s)}).NetworkAcls[0]
	old := *first.Associations[0].NetworkAclAssociationId
	moved := *must(b, b.ReplaceNetworkAclAssociation, wire.ReplaceNetworkAclAssociationInput{AssociationId: &old, NetworkAclId: &id}).NewAssociationId
	if now := b.acl(id).Associations; len(now) != 1 || *now[0].SubnetId != s || *now[0].NetworkAclAssociationId != moved || moved == old {
		t.Errorf("%+v", now)
	}
	if now := b.acl(*first.NetworkAclId).Associations; len(now) != 0 {
		t.Errorf("the default ACL still filters: %+v", now)
	}
	same := *must(b, b.ReplaceNetworkAclAssociation, wire.ReplaceNetworkAclAssociationInput{AssociationId: &moved, NetworkAclId: &id}).NewAssociationId
	if now := b.acl(id).Associations; len(now) != 1 || *now[0].NetworkAclAssociationId != same {
		t.Errorf("%+v", now)
	}
	replace := func(association, acl string) wire.ReplaceNetworkAclAssociationInput {
		return wire.ReplaceNetworkAclAssociationInput{AssociationId: &association, NetworkAclId: &acl}
	}
	fails(b, b.ReplaceNetworkAclAssociation, replace(old, id), "InvalidAssociationID.NotFound", "The association ID '"+old+"' does not exist")
	fails(b, b.ReplaceNetworkAclAssociation, replace(same, f.NetworkAcl.ID), "InvalidParameterValue", "")
	fails(b, b.ReplaceNetworkAclAssociation, replace(same, "acl-0123456789abcdef0"), "InvalidNetworkAclID.NotFound", "")
	fails(b, b.ReplaceNetworkAclAssociation, wire.ReplaceNetworkAclAssociationInput{NetworkAclId: &id}, "MissingParameter", "")
	fails(b, b.ReplaceNetworkAclAssociation, wire.ReplaceNetworkAclAssociationInput{AssociationId: &same}, "MissingParameter", "")

	text := "The networkAcl '" + id + "' has dependencies and cannot be deleted."
	fails(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{NetworkAclId: &id}, "DependencyViolation", text)
	fails(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{NetworkAclId: first.NetworkAclId}, "DependencyViolation", "")
	must(b, b.ReplaceNetworkAclAssociation, replace(same, *first.NetworkAclId))
	must(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{NetworkAclId: &id})
	fails(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{NetworkAclId: &id}, "InvalidNetworkAclID.NotFound", "The networkAcl ID '"+id+"' does not exist")
	fails(b, b.DeleteNetworkAcl, wire.DeleteNetworkAclInput{}, "MissingParameter", "")

	var many []network.NetworkAcl
	for i := range 200 {
		many = append(many, network.NetworkAcl{Account: testAccount, Region: "us-east-1", ID: fmt.Sprintf("acl-%017x", i+1), Vpc: v})
	}
	put(b, tables.NetworkAcls, many...)
	fails(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v}, "NetworkAclLimitExceeded", "")
}

func (b bench) acl(id string) wire.NetworkAcl {
	b.t.Helper()
	return must(b, b.DescribeNetworkAcls, wire.DescribeNetworkAclsInput{NetworkAclIds: []string{id}}).NetworkAcls[0]
}

func TestAclEntries(t *testing.T) {
	b := newBench(t)
	v := b.vpc("10.0.0.0/16")
	id := *must(b, b.CreateNetworkAcl, wire.CreateNetworkAclInput{VpcId: &v}).NetworkAcl.NetworkAclId
	entry := func(number int32, protocol string, set func(*wire.CreateNetworkAclEntryInput)) wire.CreateNetworkAclEntryInput {
		in := wire.CreateNetworkAclEntryInput{
			NetworkAclId: &id, RuleNumber: &number, Protocol: &protocol, RuleAction: new("allow"), Egress: new(false), CidrBlock: new("10.1.2.3/8"),
		}
		set(&in)
		return in
	}
	ports := func(from, to int32) func(*wire.CreateNetworkAclEntryInput) {
		return func(in *wire.CreateNetworkAclEntryInput) { in.PortRange = &wire.PortRange{From: &from, To: &to} }
	}
	icmp := func(typ, code int32) func(*wire.CreateNetworkAclEntryInput) {
		return func(in *wire.CreateNetworkAclEntryInput) {
			in.IcmpTypeCode = &wire.IcmpTypeCode{Type: &typ, Code: &code}
		}
	}
	none := func(*wire.CreateNetworkAclEntryInput) {}
	must(b, b.CreateNetworkAclEntry, entry(200, "tcp", ports(80, 443)))
	must(b, b.CreateNetworkAclEntry, entry(200, "6", ports(80, 443))) // the same once more
	must(b, b.CreateNetworkAclEntry, entry(100, "1", icmp(8, -1)))
	must(b, b.CreateNetworkAclEntry, entry(32766, "-1", none))
	must(b, b.CreateNetworkAclEntry, entry(1, "50", ports(7, 8))) // protocols without ports ignore them
	must(b, b.CreateNetworkAclEntry, entry(200, "udp", func(in *wire.CreateNetworkAclEntryInput) {
		ports(53, 53)(in)
		in.Egress, in.RuleAction = new(true), new("deny")
	}))
	shown := func() []string {
		var out []string
		for _, e := range b.acl(id).Entries {
			line := fmt.Sprint(*e.Egress, *e.RuleNumber, " ", *e.Protocol, " ", *e.RuleAction, " ", *e.CidrBlock)
			if e.PortRange != nil {
				line += fmt.Sprint(" ports ", *e.PortRange.From, *e.PortRange.To)
			}
			if e.IcmpTypeCode != nil {
				line += fmt.Sprint(" icmp ", *e.IcmpTypeCode.Type, *e.IcmpTypeCode.Code)
			}
			out = append(out, line)
		}
		return out
	}
	want := []string{
		"true 200 17 deny 10.0.0.0/8 ports 53 53", "true 32767 -1 deny 0.0.0.0/0",
		"false 1 50 allow 10.0.0.0/8", "false 100 1 allow 10.0.0.0/8 icmp 8 -1", "false 200 6 allow 10.0.0.0/8 ports 80 443",
		"false 32766 -1 allow 10.0.0.0/8", "false 32767 -1 deny 0.0.0.0/0",
	}
	if got := shown(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("entries %q, want %q", got, want)
	}
	with := func(set func(*wire.CreateNetworkAclEntryInput)) wire.CreateNetworkAclEntryInput {
		return entry(300, "-1", set)
	}
	for _, c := range []struct {
		in            wire.CreateNetworkAclEntryInput
		code, message string
	}{
		{entry(200, "tcp", ports(80, 80)), "NetworkAclEntryAlreadyExists", "The network acl entry identified by 200 already exists."},
		{entry(0, "-1", none), "InvalidParameterValue", ""}, {entry(32767, "-1", none), "InvalidParameterValue", ""},
		{entry(300, "tcp", none), "MissingParameter", ""}, {entry(300, "icmp", none), "MissingParameter", ""},
		{entry(300, "tcp", ports(80, 79)), "InvalidParameterValue", ""}, {entry(300, "udp", ports(-1, 79)), "InvalidParameterValue", ""},
		{entry(300, "tcp", ports(1, 65536)), "InvalidParameterValue", ""}, {entry(300, "icmp", icmp(-1, 0)), "InvalidParameterValue", ""},
		{entry(300, "icmp", icmp(256, 0)), "InvalidParameterValue", ""}, {entry(300, "256", none), "InvalidParameterValue", ""},
		{entry(300, "tpc", none), "InvalidParameterValue", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.RuleAction = new("drop") }), "InvalidParameterValue", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.CidrBlock = new("10.0.0.0") }), "InvalidParameterValue", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.CidrBlock = nil }), "MissingParameter", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.RuleNumber = nil }), "MissingParameter", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.Egress = nil }), "MissingParameter", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.Protocol = nil }), "MissingParameter", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.RuleAction = nil }), "MissingParameter", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.NetworkAclId = nil }), "MissingParameter", ""},
		{with(func(in *wire.CreateNetworkAclEntryInput) { in.NetworkAclId = new("acl-0123456789abcdef0") }), "InvalidNetworkAclID.NotFound", ""},
	} {
		fails(b, b.CreateNetworkAclEntry, c.in, c.code, c.message)
	}

	must(b, b.ReplaceNetworkAclEntry, wire.ReplaceNetworkAclEntryInput(entry(200, "tcp", ports(22, 22))))
	fails(b, b.ReplaceNetworkAclEntry, wire.ReplaceNetworkAclEntryInput(entry(201, "tcp", ports(22, 22))), "InvalidNetworkAclEntry.NotFound", "no ingress entry with number 201 in network ACL "+id)
	fails(b, b.ReplaceNetworkAclEntry, wire.ReplaceNetworkAclEntryInput(entry(200, "tcp", none)), "MissingParameter", "")
	drop := func(number int32, egress bool) wire.DeleteNetworkAclEntryInput {
		return wire.DeleteNetworkAclEntryInput{NetworkAclId: &id, RuleNumber: &number, Egress: &egress}
	}
	must(b, b.DeleteNetworkAclEntry, drop(100, false))
	must(b, b.DeleteNetworkAclEntry, drop(200, true))
	fails(b, b.DeleteNetworkAclEntry, drop(100, false), "InvalidNetworkAclEntry.NotFound", "no ingress entry with number 100 in network ACL "+id)
	fails(b, b.DeleteNetworkAclEntry, drop(200, true), "InvalidNetworkAclEntry.NotFound", "no egress entry with number 200 in network ACL "+id)
	fails(b, b.DeleteNetworkAclEntry, drop(32767, true), "InvalidParameterValue", "")
	fails(b, b.DeleteNetworkAclEntry, wire.DeleteNetworkAclEntryInput{NetworkAclId: &id, Egress: new(true)}, "MissingParameter", "")
	fails(b, b.DeleteNetworkAclEntry, wire.DeleteNetworkAclEntryInput{NetworkAclId: &id, RuleNumber: new(int32(1))}, "MissingParameter", "")
	want = []string{
		"true 32767 -1 deny 0.0.0.0/0", "false 1 50 allow 10.0.0.0/8", "false 200 6 allow 10.0.0.0/8 ports 22 22",
		"false 32766 -1 allow 10.0.0.0/8", "false 32767 -1 deny 0.0.0.0/0",
	}
	if got := shown(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("entries %q, want %q", got, want)
	}
	for i := range int32(16) {
		must(b, b.CreateNetworkAclEntry, entry(1000+i, "-1", none))
	}
	fails(b, b.CreateNetworkAclEntry, entry(2000, "-1", none), "NetworkAclEntryLimitExceeded", "")
}
