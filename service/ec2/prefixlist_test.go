package ec2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

func entries(cidrs ...string) []wire.AddPrefixListEntry {
	var out []wire.AddPrefixListEntry
	for _, c := range cidrs {
		out = append(out, wire.AddPrefixListEntry{Cidr: &c, Description: new("to " + c)})
	}
	return out
}

func (b bench) list(size int32, cidrs ...string) *wire.ManagedPrefixList {
	b.t.Helper()
	return must(b, b.CreateManagedPrefixList, wire.CreateManagedPrefixListInput{
		PrefixListName: new("office"), AddressFamily: new("IPv4"), MaxEntries: &size, Entries: entries(cidrs...),
	}).PrefixList
}

// cidrs are the entries of a version of a list, 0 being the current one.
func (b bench) cidrs(id *string, version int64) string {
	b.t.Helper()
	in := wire.GetManagedPrefixListEntriesInput{PrefixListId: id}
	if version > 0 {
		in.TargetVersion = &version
	}
	var all []string
	for _, e := range must(b, b.GetManagedPrefixListEntries, in).Entries {
		all = append(all, *e.Cidr)
	}
	return strings.Join(all, " ")
}

func TestPrefixListVersions(t *testing.T) {
	b := newBench(t)
	l := b.list(3, "10.1.2.3/16", "10.0.0.0/16")
	if *l.Version != 1 || *l.MaxEntries != 3 || *l.OwnerId != testAccount || *l.State != "create-complete" ||
		*l.PrefixListArn != "arn:aws:ec2:us-east-1:123456789012:prefix-list/"+*l.PrefixListId {
		t.Errorf("made %+v", l)
	}
	id := l.PrefixListId
	if got := b.cidrs(id, 0); got != "10.0.0.0/16 10.1.0.0/16" {
		t.Errorf("entries %s", got)
	}
	change := wire.ModifyManagedPrefixListInput{
		PrefixListId: id, CurrentVersion: new(int64(1)), PrefixListName: new("home"), AddEntries: entries("10.2.0.0/16"),
		RemoveEntries: []wire.RemovePrefixListEntry{{Cidr: new("10.0.0.0/16")}},
	}
	if got := must(b, b.ModifyManagedPrefixList, change).PrefixList; *got.Version != 2 || *got.PrefixListName != "home" || *got.State != "modify-complete" {
		t.Errorf("changed %+v", got)
	}
	fails(b, b.ModifyManagedPrefixList, change, "PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
	if now, before := b.cidrs(id, 0), b.cidrs(id, 1); now != "10.1.0.0/16 10.2.0.0/16" || before != "10.0.0.0/16 10.1.0.0/16" {
		t.Errorf("entries %s, before %s", now, before)
	}
	restore := wire.RestoreManagedPrefixListVersionInput{PrefixListId: id, PreviousVersion: new(int64(1)), CurrentVersion: new(int64(2))}
	if got := must(b, b.RestoreManagedPrefixListVersion, restore).PrefixList; *got.Version != 3 || b.cidrs(id, 0) != b.cidrs(id, 1) {
		t.Errorf("restored %+v", got)
	}
	fails(b, b.RestoreManagedPrefixListVersion, wire.RestoreManagedPrefixListVersionInput{PrefixListId: id, PreviousVersion: new(int64(9)), CurrentVersion: new(int64(3))},
		"PrefixListVersionNotFound", "")
	must(b, b.ModifyManagedPrefixList, wire.ModifyManagedPrefixListInput{PrefixListId: id, MaxEntries: new(int32(2))})
	for _, c := range []struct {
		in   wire.ModifyManagedPrefixListInput
		code string
	}{
		{wire.ModifyManagedPrefixListInput{AddEntries: entries("10.3.0.0/16")}, "MissingParameter"},
		{wire.ModifyManagedPrefixListInput{AddEntries: entries("10.3.0.0/16"), CurrentVersion: new(int64(3))}, "PrefixListMaxEntriesExceeded"},
		{wire.ModifyManagedPrefixListInput{AddEntries: entries("10.1.0.0/16"), CurrentVersion: new(int64(3))}, "InvalidRequest"},
		{wire.ModifyManagedPrefixListInput{AddEntries: entries("2001:db8::/32"), CurrentVersion: new(int64(3))}, "InvalidParameterValue"},
		{wire.ModifyManagedPrefixListInput{RemoveEntries: []wire.RemovePrefixListEntry{{Cidr: new("10.9.0.0/16")}}, CurrentVersion: new(int64(3))}, "InvalidRequest"},
		{wire.ModifyManagedPrefixListInput{AddEntries: entries("10.1.0.0/16"), RemoveEntries: []wire.RemovePrefixListEntry{{Cidr: new("10.1.0.0/16")}}, CurrentVersion: new(int64(3))}, "InvalidParameterValue"},
		{wire.ModifyManagedPrefixListInput{AddEntries: entries("10.3.0.0/16"), CurrentVersion: new(int64(3)), MaxEntries: new(int32(9))}, "InvalidParameterCombination"},
		{wire.ModifyManagedPrefixListInput{MaxEntries: new(int32(1))}, "PrefixListMaxEntriesExceeded"},
		{wire.ModifyManagedPrefixListInput{MaxEntries: new(int32(1001))}, "InvalidParameterValue"},
		{wire.ModifyManagedPrefixListInput{PrefixListName: new("com.amazonaws.mine")}, "InvalidParameterValue"},
	} {
		c.in.PrefixListId = id
		fails(b, b.ModifyManagedPrefixList, c.in, c.code, "")
	}
	if got := must(b, b.DescribeManagedPrefixLists, wire.DescribeManagedPrefixListsInput{PrefixListIds: []string{*id}}).PrefixLists[0]; *got.Version != 3 || *got.PrefixListName != "home" {
		t.Errorf("refused requests left %+v", got)
	}
}

func TestPrefixListReferences(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	l := b.list(2)
	table := f.RouteTable
	table.Routes = append([]network.Route{{PrefixList: *l.PrefixListId, NatGateway: "nat-1"}}, table.Routes...)
	put(b, tables.RouteTables, table)
	rule := network.SecurityGroupRule{Account: testAccount, Region: "us-east-1", ID: "sgr-1", Group: f.SecurityGroup.ID}
	rule.PrefixList = *l.PrefixListId
	put(b, tables.SecurityGroupRules, rule)
	out := must(b, b.GetManagedPrefixListAssociations, wire.GetManagedPrefixListAssociationsInput{PrefixListId: l.PrefixListId})
	if len(out.PrefixListAssociations) != 2 || *out.PrefixListAssociations[0].ResourceId != table.ID || *out.PrefixListAssociations[1].ResourceId != rule.Group {
		t.Errorf("associations %+v", out.PrefixListAssociations)
	}
	fails(b, b.DeleteManagedPrefixList, wire.DeleteManagedPrefixListInput{PrefixListId: l.PrefixListId}, "DependencyViolation", "")
	put(b, tables.RouteTables, f.RouteTable)
	rule.PrefixList = ""
	put(b, tables.SecurityGroupRules, rule)
	if got := must(b, b.DeleteManagedPrefixList, wire.DeleteManagedPrefixListInput{PrefixListId: l.PrefixListId}).PrefixList; *got.State != "delete-complete" {
		t.Errorf("deleted %+v", got)
	}
	fails(b, b.DeleteManagedPrefixList, wire.DeleteManagedPrefixListInput{PrefixListId: l.PrefixListId}, "InvalidPrefixListID.NotFound",
		fmt.Sprintf("The prefix list ID '%s' does not exist", *l.PrefixListId))
}

func TestPrefixListsOfAWS(t *testing.T) {
	b := newBench(t)
	aws := edge.AmazonPrefixLists("us-east-1", network.PublicRange())[0]
	got := must(b, b.DescribeManagedPrefixLists, wire.DescribeManagedPrefixListsInput{Filters: where("owner-id", "AWS")}).PrefixLists
	if len(got) != 1 || *got[0].PrefixListName != aws.Name || got[0].Version != nil || *got[0].PrefixListArn != "arn:aws:ec2:us-east-1:aws:prefix-list/"+aws.ID {
		t.Fatalf("lists %+v", got)
	}
	if c := b.cidrs(&aws.ID, 0); c != aws.Entries[0].CIDR {
		t.Errorf("entries %s", c)
	}
	fails(b, b.DeleteManagedPrefixList, wire.DeleteManagedPrefixListInput{PrefixListId: &aws.ID}, "OperationNotPermitted", "")
	fails(b, b.ModifyManagedPrefixList, wire.ModifyManagedPrefixListInput{PrefixListId: &aws.ID, PrefixListName: new("mine")}, "OperationNotPermitted", "")
}

func TestPrefixListCreation(t *testing.T) {
	b := newBench(t)
	create := func(change func(*wire.CreateManagedPrefixListInput)) wire.CreateManagedPrefixListInput {
		in := wire.CreateManagedPrefixListInput{PrefixListName: new("l"), AddressFamily: new("IPv4"), MaxEntries: new(int32(5)), ClientToken: new("once")}
		change(&in)
		return in
	}
	first := must(b, b.CreateManagedPrefixList, create(func(*wire.CreateManagedPrefixListInput) {})).PrefixList
	again := must(b, b.CreateManagedPrefixList, create(func(*wire.CreateManagedPrefixListInput) {})).PrefixList
	if *first.PrefixListId != *again.PrefixListId {
		t.Errorf("made %s and %s", *first.PrefixListId, *again.PrefixListId)
	}
	for _, c := range []struct {
		change func(*wire.CreateManagedPrefixListInput)
		code   string
	}{
		{func(in *wire.CreateManagedPrefixListInput) { in.MaxEntries = new(int32(6)) }, "IdempotentParameterMismatch"},
		{func(in *wire.CreateManagedPrefixListInput) { in.MaxEntries = nil }, "MissingParameter"},
		{func(in *wire.CreateManagedPrefixListInput) { in.MaxEntries = new(int32(0)) }, "InvalidParameterValue"},
		{func(in *wire.CreateManagedPrefixListInput) { in.AddressFamily = new("ipv4") }, "InvalidParameterValue"},
		{func(in *wire.CreateManagedPrefixListInput) { in.PrefixListName = nil }, "MissingParameter"},
		{func(in *wire.CreateManagedPrefixListInput) { in.Entries = entries("10.0.0.0/8", "10.0.0.1/8") }, "InvalidRequest"},
		{func(in *wire.CreateManagedPrefixListInput) { in.Entries = entries("ten") }, "InvalidParameterValue"},
	} {
		fails(b, b.CreateManagedPrefixList, create(c.change), c.code, "")
	}
	for i := range 99 {
		put(b, edges.PrefixLists, edge.PrefixList{Account: testAccount, Region: "us-east-1", ID: fmt.Sprintf("pl-%017d", i), Name: "n"})
	}
	fails(b, b.CreateManagedPrefixList, create(func(in *wire.CreateManagedPrefixListInput) { in.ClientToken = nil }), "PrefixListLimitExceeded", "")
	var ids []string
	var token *string
	for {
		out := must(b, b.DescribeManagedPrefixLists, wire.DescribeManagedPrefixListsInput{MaxResults: new(int32(40)), NextToken: token})
		for _, l := range out.PrefixLists {
			ids = append(ids, *l.PrefixListId)
		}
		if token = out.NextToken; token == nil {
			break
		}
	}
	if len(ids) != 101 || !slices.IsSorted(ids) {
		t.Errorf("%d lists on pages", len(ids))
	}
}
