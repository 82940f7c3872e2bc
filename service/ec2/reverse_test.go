package ec2

import (
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/zone"
	"neargate/store/tables/zones"
)

func (b bench) reverse(allocation *string, domain string) *wire.AddressAttribute {
	b.t.Helper()
	return must(b, b.ModifyAddressAttribute, wire.ModifyAddressAttributeInput{AllocationId: allocation, DomainName: &domain}).Address
}

// named are the reverse names of the addresses that have one.
func (b bench) named() (names []string) {
	b.t.Helper()
	for _, a := range must(b, b.DescribeAddressesAttribute, wire.DescribeAddressesAttributeInput{Attribute: new("domain-name")}).Addresses {
		names = append(names, *a.PtrRecord)
	}
	return names
}

func TestReverseNames(t *testing.T) {
	b := newBench(t)
	b.defaults()
	a, other := b.address(), b.address()
	put(b, zones.Zones, zone.Zone{Account: testAccount, ID: "Z1", Name: "example.com."},
		zone.Zone{Account: testAccount, ID: "Z2", Name: "example.net.", Private: true}, zone.Zone{Account: otherAccount, ID: "Z3", Name: "example.org."})
	for _, r := range []zone.RecordSet{
		{Account: testAccount, Zone: "Z1", Name: "mail.example.com.", Type: "A", Values: []string{"192.0.2.9", *a.PublicIp}},
		{Account: testAccount, Zone: "Z1", Name: "web.example.com.", Type: "A", Values: []string{*other.PublicIp}},
		{Account: testAccount, Zone: "Z2", Name: "mail.example.net.", Type: "A", Values: []string{*a.PublicIp}},
		{Account: otherAccount, Zone: "Z3", Name: "mail.example.org.", Type: "A", Values: []string{*a.PublicIp}},
	} {
		put(b, zones.RecordSets, r)
	}
	if out := b.reverse(a.AllocationId, "Mail.Example.COM"); out.PtrRecord != nil || *out.PtrRecordUpdate.Value != "mail.example.com." ||
		*out.PtrRecordUpdate.Status != "PENDING" || *out.PublicIp != *a.PublicIp || *out.AllocationId != *a.AllocationId {
		t.Errorf("changed %+v", out)
	}
	if out := b.reverse(a.AllocationId, "mail.example.com."); *out.PtrRecord != "mail.example.com." || out.PtrRecordUpdate != nil {
		t.Errorf("the same again %+v", out)
	}
	if names := b.named(); len(names) != 1 || names[0] != "mail.example.com." {
		t.Errorf("names %v", names)
	}
	shown := must(b, b.DescribeAddressesAttribute, wire.DescribeAddressesAttributeInput{AllocationIds: []string{*a.AllocationId, *other.AllocationId}}).Addresses
	if len(shown) != 2 || *shown[0].PtrRecord != "mail.example.com." || shown[0].PtrRecordUpdate != nil || shown[1].PtrRecord != nil {
		t.Errorf("shown %+v", shown)
	}

	own := network.PublicDNSName("us-east-1", *other.PublicIp)
	b.reverse(other.AllocationId, own)
	for _, c := range []struct {
		allocation, domain *string
		code               string
	}{
		{nil, new("mail.example.com"), "MissingParameter"},
		{a.AllocationId, nil, "MissingParameter"},
		{new("eipalloc-01234567890123456"), new("mail.example.com"), "InvalidAllocationID.NotFound"},
		{a.AllocationId, new(""), "InvalidParameterValue"},
		{a.AllocationId, new("localhost"), "InvalidParameterValue"},
		{a.AllocationId, new("*.example.com"), "InvalidParameterValue"},
		{a.AllocationId, new("a..example.com"), "InvalidParameterValue"},
		{a.AllocationId, new("absent.example.com"), "InvalidParameterValue"},
		{a.AllocationId, new("web.example.com"), "InvalidParameterValue"},  // another address
		{a.AllocationId, new("mail.example.net"), "InvalidParameterValue"}, // a private zone
		{a.AllocationId, new("mail.example.org"), "InvalidParameterValue"}, // another account
		{a.AllocationId, &own, "InvalidParameterValue"},
	} {
		fails(b, b.ModifyAddressAttribute, wire.ModifyAddressAttributeInput{AllocationId: c.allocation, DomainName: c.domain}, c.code, "")
	}
	fails(b, b.ModifyAddressAttribute, wire.ModifyAddressAttributeInput{AllocationId: a.AllocationId, DomainName: &own, DryRun: new(true)}, "DryRunOperation", "")
	if names := b.named(); len(names) != 2 {
		t.Errorf("refused requests left %v", names)
	}

	fails(b, b.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: a.AllocationId}, "InvalidAddress.PtrSet",
		"The address with allocation id ["+*a.AllocationId+"] cannot be released because it has a PTR record set.")
	reset := wire.ResetAddressAttributeInput{AllocationId: a.AllocationId, Attribute: new("domain-name")}
	for _, in := range []wire.ResetAddressAttributeInput{{Attribute: reset.Attribute}, {AllocationId: a.AllocationId}} {
		fails(b, b.ResetAddressAttribute, in, "MissingParameter", "")
	}
	fails(b, b.ResetAddressAttribute, wire.ResetAddressAttributeInput{AllocationId: a.AllocationId, Attribute: new("x")}, "InvalidParameterValue", "")
	if out := must(b, b.ResetAddressAttribute, reset).Address; *out.PtrRecord != "mail.example.com." || *out.PtrRecordUpdate.Status != "PENDING" || out.PtrRecordUpdate.Value != nil {
		t.Errorf("reset %+v", out)
	}
	if out := must(b, b.ResetAddressAttribute, reset).Address; out.PtrRecord != nil || out.PtrRecordUpdate != nil {
		t.Errorf("reset again %+v", out)
	}
	must(b, b.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: a.AllocationId})
}
