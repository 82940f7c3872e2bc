package ec2

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/store/tables"
)

func (b bench) reserve(subnet, cidr, kind string) string {
	b.t.Helper()
	return *must(b, b.CreateSubnetCidrReservation, wire.CreateSubnetCidrReservationInput{
		SubnetId: &subnet, Cidr: &cidr, ReservationType: &kind,
	}).SubnetCidrReservation.SubnetCidrReservationId
}

// TestReservedAddresses gives no address of a reserved range to who names none.
func TestReservedAddresses(t *testing.T) {
	b := newBench(t)
	vpc, cidr := b.dual()
	subnet := b.dualSubnet(vpc, "10.0.0.0/27", netip.PrefixFrom(cidr.Addr(), 64).String())
	low := netip.PrefixFrom(cidr.Addr(), 65)
	before := b.free(subnet)
	upper := b.reserve(subnet, "10.0.0.19/28", "explicit")
	six := b.reserve(subnet, low.String(), "prefix")
	if n := b.free(subnet); n != before {
		t.Errorf("%d of %d addresses are free", n, before)
	}
	plug := wire.CreateNetworkInterfaceInput{SubnetId: &subnet, Ipv6AddressCount: new(int32(1))}
	for range 12 { // 4 to 15
		e := must(b, b.CreateNetworkInterface, plug).NetworkInterface
		if a := netip.MustParseAddr(*e.PrivateIpAddress); netip.MustParsePrefix("10.0.0.16/28").Contains(a) {
			t.Errorf("%s was chosen", a)
		}
		if a := netip.MustParseAddr(*e.Ipv6Addresses[0].Ipv6Address); low.Contains(a) {
			t.Errorf("%s was chosen", a)
		}
	}
	fails(b, b.CreateNetworkInterface, plug, "InsufficientFreeAddressesInSubnet", "")
	named := wire.CreateNetworkInterfaceInput{SubnetId: &subnet, PrivateIpAddress: new("10.0.0.20")}
	e := must(b, b.CreateNetworkInterface, named).NetworkInterface
	must(b, b.AssignIpv6Addresses, wire.AssignIpv6AddressesInput{
		NetworkInterfaceId: e.NetworkInterfaceId, Ipv6Addresses: []string{cidr.Addr().Next().Next().Next().Next().Next().String()},
	})
	fails(b, b.AssignPrivateIpAddresses, wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: e.NetworkInterfaceId, SecondaryPrivateIpAddressCount: new(int32(1))},
		"InsufficientFreeAddressesInSubnet", "")

	gone := must(b, b.DeleteSubnetCidrReservation, wire.DeleteSubnetCidrReservationInput{SubnetCidrReservationId: &upper}).DeletedSubnetCidrReservation
	if *gone.SubnetCidrReservationId != upper || *gone.Cidr != "10.0.0.16/28" {
		t.Errorf("deleted %+v", gone)
	}
	must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &subnet})
	left := must(b, b.GetSubnetCidrReservations, wire.GetSubnetCidrReservationsInput{SubnetId: &subnet})
	if len(left.SubnetIpv4CidrReservations) != 0 || *left.SubnetIpv6CidrReservations[0].SubnetCidrReservationId != six {
		t.Errorf("left %+v", left)
	}
}

func TestReservationErrors(t *testing.T) {
	b := newBench(t)
	vpc := b.vpc("10.0.0.0/16")
	subnet := b.subnet(vpc, "10.0.1.0/24")
	b.reserve(subnet, "10.0.1.32/28", "prefix")
	for _, c := range []struct {
		subnet, cidr, kind *string
		code               string
	}{
		{nil, new("10.0.1.0/28"), new("prefix"), "MissingParameter"},
		{&subnet, nil, new("prefix"), "MissingParameter"},
		{&subnet, new("10.0.1.0/28"), nil, "MissingParameter"},
		{&subnet, new("10.0.1.0/28"), new("private"), "InvalidParameterValue"},
		{&subnet, new("10.0.1.0"), new("prefix"), "InvalidParameterValue"},
		{&subnet, new("10.0.2.0/28"), new("prefix"), "InvalidParameterValue"},
		{&subnet, new("10.0.0.0/16"), new("prefix"), "InvalidParameterValue"},
		{&subnet, new("3fff::/64"), new("prefix"), "InvalidParameterValue"},
		{&subnet, new("10.0.1.40/30"), new("prefix"), "InvalidParameterValue"},
		{new("subnet-0123456789abcdef0"), new("10.0.1.0/28"), new("prefix"), "InvalidSubnetID.NotFound"},
	} {
		fails(b, b.CreateSubnetCidrReservation, wire.CreateSubnetCidrReservationInput{SubnetId: c.subnet, Cidr: c.cidr, ReservationType: c.kind}, c.code, "")
	}
	for id, code := range map[string]string{
		"": "MissingParameter", "scr-1": "InvalidSubnetCidrReservationID.Malformed", "scr-0123456789abcdef0": "InvalidSubnetCidrReservationID.NotFound",
	} {
		in := wire.DeleteSubnetCidrReservationInput{SubnetCidrReservationId: &id}
		if id == "" {
			in.SubnetCidrReservationId = nil
		}
		fails(b, b.DeleteSubnetCidrReservation, in, code, "")
	}
	fails(b, b.GetSubnetCidrReservations, wire.GetSubnetCidrReservationsInput{}, "MissingParameter", "")
	fails(b, b.GetSubnetCidrReservations, wire.GetSubnetCidrReservationsInput{SubnetId: &subnet, Filters: where("x", "y")}, "InvalidParameterValue", "")
}

func TestReservationPagesAndTags(t *testing.T) {
	b := newBench(t)
	vpc := b.vpc("10.0.0.0/16")
	subnet := b.subnet(vpc, "10.0.1.0/24")
	tags := []wire.TagSpecification{{ResourceType: new("subnet-cidr-reservation"), Tags: []wire.Tag{{Key: new("for"), Value: new("nodes")}}}}
	first := must(b, b.CreateSubnetCidrReservation, wire.CreateSubnetCidrReservationInput{
		SubnetId: &subnet, Cidr: new("10.0.1.0/28"), ReservationType: new("explicit"), Description: new("first"), TagSpecifications: tags,
	}).SubnetCidrReservation
	if *first.Description != "first" || *first.OwnerId != testAccount || *first.Tags[0].Value != "nodes" {
		t.Errorf("%+v", first)
	}
	for i := range 6 {
		b.reserve(subnet, fmt.Sprintf("10.0.1.%d/28", 16*(i+1)), "prefix")
	}
	seen := map[string]bool{}
	in := wire.GetSubnetCidrReservationsInput{SubnetId: &subnet, MaxResults: new(int32(5))}
	for range 2 {
		out := must(b, b.GetSubnetCidrReservations, in)
		for _, r := range out.SubnetIpv4CidrReservations {
			seen[*r.SubnetCidrReservationId] = true
		}
		in.NextToken = out.NextToken
	}
	if len(seen) != 7 || in.NextToken != nil {
		t.Errorf("%d reservations on two pages", len(seen))
	}
	one := func(f []wire.Filter) int {
		return len(must(b, b.GetSubnetCidrReservations, wire.GetSubnetCidrReservationsInput{SubnetId: &subnet, Filters: f}).SubnetIpv4CidrReservations)
	}
	must(b, b.CreateTags, wire.CreateTagsInput{Resources: []string{*first.SubnetCidrReservationId}, Tags: []wire.Tag{{Key: new("more"), Value: new("x")}}})
	if one(where("tag:more", "x")) != 1 || one(where("reservationType", "prefix")) != 6 || one(where("subnet-id", "subnet-x")) != 0 {
		t.Error("filters find the wrong ones")
	}
	if n := len(must(b, b.DescribeTags, wire.DescribeTagsInput{Filters: where("resource-type", "subnet-cidr-reservation")}).Tags); n != 2 {
		t.Errorf("%d tags", n)
	}
	fails(b, b.CreateTags, wire.CreateTagsInput{Resources: []string{"scr-0123456789abcdef0"}, Tags: []wire.Tag{{Key: new("k"), Value: new("v")}}},
		"InvalidSubnetCidrReservationID.NotFound", "")
}

// TestAttachments attaches interfaces to instances, which do not exist, and detaches
// them from services, which do that themselves.
func TestAttachments(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	eni := b.interfaceIn(f.Subnets[0].ID)
	attach := func(eni, instance string) wire.AttachNetworkInterfaceInput {
		return wire.AttachNetworkInterfaceInput{NetworkInterfaceId: &eni, InstanceId: &instance, DeviceIndex: new(int32(1))}
	}
	fails(b, b.AttachNetworkInterface, attach(eni, "i-0123456789abcdef0"), "InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist")
	fails(b, b.AttachNetworkInterface, attach(eni, "vm-1"), "InvalidInstanceID.Malformed", `Invalid id: "vm-1" (expecting "i-...")`)
	fails(b, b.AttachNetworkInterface, attach("eni-0123456789abcdef0", "i-0123456789abcdef0"), "InvalidNetworkInterfaceID.NotFound", "")
	fails(b, b.AttachNetworkInterface, wire.AttachNetworkInterfaceInput{NetworkInterfaceId: &eni, InstanceId: new("i-1")}, "MissingParameter", "")

	task := network.FargateInterface(&f.Subnets[0], "eni-0123456789abcdef1", "eni-attach-0123456789abcdef1", "arn", nil, time.Unix(0, 0))
	put(b, tables.NetworkInterfaces, task)
	for id, code := range map[string]string{
		task.Attachment.ID: "AuthFailure", "eni-attach-0123456789abcdef2": "InvalidAttachmentID.NotFound", "x": "InvalidAttachmentID.Malformed", "": "MissingParameter",
	} {
		fails(b, b.DetachNetworkInterface, wire.DetachNetworkInterfaceInput{AttachmentId: &id, Force: new(true)}, code, "")
	}
	fails(b, b.DetachNetworkInterface, wire.DetachNetworkInterfaceInput{AttachmentId: new("ela-attach-0123456789abcdef1")},
		"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")

	must(b, b.ModifyNetworkInterfaceAttribute, wire.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &eni, SourceDestCheck: &wire.AttributeBooleanValue{Value: new(false)},
	})
	must(b, b.ResetNetworkInterfaceAttribute, wire.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &eni, SourceDestCheck: new("true")})
	if got := b.eni(eni); !*got.SourceDestCheck {
		t.Errorf("%+v", got)
	}
	fails(b, b.ResetNetworkInterfaceAttribute, wire.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &task.ID, SourceDestCheck: new("")}, "AuthFailure", "")
	fails(b, b.ResetNetworkInterfaceAttribute, wire.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &eni}, "InvalidParameterCombination", "")
}
