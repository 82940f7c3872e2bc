package ec2

import (
	"fmt"
	"slices"
	"testing"
	"time"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
)

func (b bench) free(subnet string) int32 {
	return *must(b, b.DescribeSubnets, wire.DescribeSubnetsInput{SubnetIds: []string{subnet}}).Subnets[0].AvailableIpAddressCount
}

func (b bench) eni(id string) wire.NetworkInterface {
	b.t.Helper()
	return must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}}).NetworkInterfaces[0]
}

func TestNetworkInterface(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	subnet := f.Subnets[0].ID
	sg := b.group("web")
	out := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{
		SubnetId: &subnet, Description: new("first"), Groups: []string{sg}, PrivateIpAddress: new("172.31.0.10"),
		SecondaryPrivateIpAddressCount: new(int32(2)),
		TagSpecifications:              []wire.TagSpecification{{ResourceType: new("network-interface"), Tags: []wire.Tag{{Key: new("Name"), Value: new("x")}}}},
	})
	e := out.NetworkInterface
	if *e.Status != "pending" || *e.RequesterId != "AIDAEXAMPLE" || *e.PrivateIpAddress != "172.31.0.10" ||
		*e.PrivateDnsName != "ip-172-31-0-10.ec2.internal" || len(e.PrivateIpAddresses) != 3 || len(e.TagSet) != 1 ||
		*e.Groups[0].GroupName != "web" || *e.AvailabilityZoneId != "use1-az1" {
		t.Errorf("created %+v", e)
	}
	if n := b.free(subnet); n != 4088 {
		t.Errorf("%d addresses free", n)
	}
	got := b.eni(*e.NetworkInterfaceId)
	if *got.Status != "available" || got.Attachment != nil || *got.PublicDnsName != "" {
		t.Errorf("described %+v", got)
	}
	for _, filter := range [][]wire.Filter{
		where("group-id", sg), where("addresses.private-ip-address", "172.31.0.10"), where("tag:Name", "x"), where("group-name", "w?b"),
		{where("vpc-id", f.Vpc.ID)[0], where("status", "available")[0]},
	} {
		if n := len(must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{Filters: filter}).NetworkInterfaces); n != 1 {
			t.Errorf("filter %s finds %d", *filter[0].Name, n)
		}
	}
	fails(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &sg}, "DependencyViolation", "resource "+sg+" has a dependent object")
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId})
	if n := b.free(subnet); n != 4091 {
		t.Errorf("%d addresses free after deletion", n)
	}
	fails(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId}, "InvalidNetworkInterfaceID.NotFound", "")
	must(b, b.DeleteSecurityGroup, wire.DeleteSecurityGroupInput{GroupId: &sg})

	plain := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface
	if *plain.Groups[0].GroupId != f.SecurityGroup.ID {
		t.Errorf("groups %+v", plain.Groups)
	}
}

func TestCreateNetworkInterfaceErrors(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	subnet := &f.Subnets[0].ID
	foreign := f.SecurityGroup
	foreign.ID, foreign.Vpc = "sg-0123456789abcdef1", "vpc-0123456789abcdef1"
	put(b, tables.SecurityGroups, foreign)
	tiny := f.Subnets[1]
	tiny.ID, tiny.CIDR = "subnet-0123456789abcdef1", "172.31.255.0/28"
	put(b, tables.Subnets, tiny)
	must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: subnet, PrivateIpAddress: new("172.31.0.10")})
	spec := func(ip string, primary bool) wire.PrivateIpAddressSpecification {
		return wire.PrivateIpAddressSpecification{PrivateIpAddress: &ip, Primary: &primary}
	}
	for _, c := range []struct {
		in            wire.CreateNetworkInterfaceInput
		code, message string
	}{
		{wire.CreateNetworkInterfaceInput{}, "MissingParameter", ""},
		{wire.CreateNetworkInterfaceInput{SubnetId: new("subnet-1")}, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist"},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddress: new("172.31.0.10")}, "InvalidIPAddress.InUse", "The specified address is already in use."},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddress: new("172.31.16.10")}, "InvalidParameterValue", "Address 172.31.16.10 does not fall within the subnet's address range"},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddress: new("172.31.0.3")}, "InvalidParameterValue", "Address 172.31.0.3 is in subnet's reserved address range"},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddress: new("nowhere")}, "InvalidParameterValue", ""},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddresses: []wire.PrivateIpAddressSpecification{spec("172.31.0.11", true), spec("172.31.0.12", true)}}, "InvalidParameterValue", ""},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddresses: []wire.PrivateIpAddressSpecification{spec("172.31.0.11", true), spec("172.31.0.11", false)}}, "InvalidParameterValue", ""},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddresses: []wire.PrivateIpAddressSpecification{spec("172.31.0.11", false)}, SecondaryPrivateIpAddressCount: new(int32(1))}, "InvalidParameterCombination", ""},
		{wire.CreateNetworkInterfaceInput{PrivateIpAddresses: []wire.PrivateIpAddressSpecification{{}}}, "MissingParameter", ""},
		{wire.CreateNetworkInterfaceInput{SecondaryPrivateIpAddressCount: new(int32(-1))}, "InvalidParameterValue", ""},
		{wire.CreateNetworkInterfaceInput{SecondaryPrivateIpAddressCount: new(int32(50))}, "PrivateIpAddressLimitExceeded", ""},
		{wire.CreateNetworkInterfaceInput{SubnetId: &tiny.ID, SecondaryPrivateIpAddressCount: new(int32(11))}, "InsufficientFreeAddressesInSubnet", ""},
		{wire.CreateNetworkInterfaceInput{Groups: []string{"sg-0123456789abcdef0"}}, "InvalidGroup.NotFound", ""},
		{wire.CreateNetworkInterfaceInput{Groups: []string{foreign.ID}}, "InvalidGroup.NotFound", "You have specified two resources that belong to different networks."},
		{wire.CreateNetworkInterfaceInput{Groups: []string{"1", "2", "3", "4", "5", "6"}}, "SecurityGroupsPerInterfaceLimitExceeded", ""},
		{wire.CreateNetworkInterfaceInput{ClientToken: new("")}, "InvalidParameterValue", "Value () for parameter clientToken is invalid"},
		{wire.CreateNetworkInterfaceInput{TagSpecifications: []wire.TagSpecification{{ResourceType: new("vpc")}}}, "InvalidParameterValue", "'vpc' is not a valid taggable resource type for this operation."},
		{wire.CreateNetworkInterfaceInput{TagSpecifications: []wire.TagSpecification{{}}}, "InvalidParameterValue", "Tag specification resource type must have a value"},
	} {
		if c.in.SubnetId == nil && c.code != "MissingParameter" || c.in.PrivateIpAddresses != nil {
			c.in.SubnetId = subnet
		}
		fails(b, b.CreateNetworkInterface, c.in, c.code, c.message)
	}
	if n := b.free(*subnet); n != 4090 {
		t.Errorf("failed requests took addresses: %d free", n)
	}
	if n := b.free(tiny.ID); n != 11 {
		t.Errorf("a failed request took addresses: %d free", n)
	}
	must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &tiny.ID, SecondaryPrivateIpAddressCount: new(int32(10))})
	if n := b.free(tiny.ID); n != 0 {
		t.Errorf("%d addresses free in a full subnet", n)
	}
}

func TestClientToken(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	sg := b.group("web")
	in := wire.CreateNetworkInterfaceInput{
		SubnetId: &f.Subnets[0].ID, ClientToken: new("token"), Groups: []string{sg, f.SecurityGroup.ID},
		TagSpecifications: []wire.TagSpecification{{ResourceType: new("network-interface"), Tags: []wire.Tag{{Key: new("a"), Value: new("1")}}}},
	}
	first := must(b, b.CreateNetworkInterface, in)
	id := *first.NetworkInterface.NetworkInterfaceId
	must(b, b.ModifyNetworkInterfaceAttribute, wire.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &id, Description: &wire.AttributeValue{Value: new("changed")},
	})
	must(b, b.DeleteTags, wire.DeleteTagsInput{Resources: []string{id}})
	in.Groups = []string{f.SecurityGroup.ID, sg}
	again := must(b, b.CreateNetworkInterface, in)
	e := again.NetworkInterface
	if *e.NetworkInterfaceId != id || *e.Description != "changed" || len(e.TagSet) != 1 || *again.ClientToken != "token" {
		t.Errorf("replay %+v", e)
	}
	typed := in
	typed.InterfaceType = new("interface") // the same interface, but not the same request
	fails(b, b.CreateNetworkInterface, typed, "IdempotentParameterMismatch", "")
	typed.InterfaceType = new("efa")
	fails(b, b.CreateNetworkInterface, typed, "UnsupportedOperation", "")
	in.Description = new("other")
	fails(b, b.CreateNetworkInterface, in, "IdempotentParameterMismatch",
		"Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	in.ClientToken = new("another")
	if *must(b, b.CreateNetworkInterface, in).NetworkInterface.NetworkInterfaceId == id {
		t.Error("another token gave the same interface")
	}
	explicit := wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID, ClientToken: new("explicit"), PrivateIpAddress: new("172.31.0.99")}
	must(b, b.CreateNetworkInterface, explicit)
	fails(b, b.CreateNetworkInterface, explicit, "InvalidIPAddress.InUse", "")
}

func TestTaskInterfacesBelongToFargate(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	e := network.FargateInterface(&f.Subnets[0], "eni-0123456789abcdef1", "eni-attach-0123456789abcdef1",
		"arn:aws:ecs:us-east-1:123456789012:attachment/1", []string{f.SecurityGroup.ID}, time.Unix(1_790_000_000, 0))
	err := b.Deps.Store.Update(b.ctx, func(tx store.Tx) error {
		private, err := address.Allocate(tx, &f.Subnets[0], e.ID)
		if err != nil {
			return err
		}
		public, err := address.AllocatePublic(tx, network.PublicPool(network.PublicRange()), e.Account, e.Region, e.ID)
		if err != nil {
			return err
		}
		e.Addresses, e.PublicIP = []string{private}, public
		return tables.NetworkInterfaces.Put(tx, &e)
	})
	if err != nil {
		t.Fatal(err)
	}
	w := b.eni(e.ID)
	if *w.Status != "in-use" || !*w.RequesterManaged || *w.RequesterId != *w.Attachment.InstanceOwnerId || *w.Attachment.DeviceIndex != 1 ||
		*w.Association.IpOwnerId != "amazon" || *w.Association.PublicDnsName != network.PublicDNSName("us-east-1", e.PublicIP) {
		t.Errorf("%+v", w)
	}
	fails(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &e.ID},
		"InvalidParameterValue", "Network interface '"+e.ID+"' is currently in use.")
	fails(b, b.ModifyNetworkInterfaceAttribute, wire.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &e.ID, Groups: []string{f.SecurityGroup.ID}},
		"AuthFailure", "You do not have permission to access the specified resource.")
	if got := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{Filters: where("attachment.instance-owner-id", network.FargateAccount)}); len(got.NetworkInterfaces) != 1 {
		t.Errorf("%d interfaces of Fargate", len(got.NetworkInterfaces))
	}
	attribute := must(b, b.DescribeNetworkInterfaceAttribute, wire.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: &e.ID, Attribute: new("associatePublicIpAddress")})
	if !*attribute.AssociatePublicIpAddress {
		t.Error("the public address is not shown")
	}
	if err := b.Deps.Store.Update(b.ctx, func(tx store.Tx) error { return address.DeleteInterface(tx, &e) }); err != nil {
		t.Fatal(err)
	}
	if n := b.free(f.Subnets[0].ID); n != 4091 {
		t.Errorf("%d addresses free", n)
	}
}

func TestNetworkInterfaceAttributes(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	sg := b.group("web")
	id := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID}).NetworkInterface.NetworkInterfaceId
	modify := func(in wire.ModifyNetworkInterfaceAttributeInput) wire.ModifyNetworkInterfaceAttributeInput {
		in.NetworkInterfaceId = id
		return in
	}
	must(b, b.ModifyNetworkInterfaceAttribute, modify(wire.ModifyNetworkInterfaceAttributeInput{Description: &wire.AttributeValue{Value: new("new")}}))
	must(b, b.ModifyNetworkInterfaceAttribute, modify(wire.ModifyNetworkInterfaceAttributeInput{SourceDestCheck: &wire.AttributeBooleanValue{Value: new(false)}}))
	must(b, b.ModifyNetworkInterfaceAttribute, modify(wire.ModifyNetworkInterfaceAttributeInput{Groups: []string{sg}}))
	get := func(name string) *wire.DescribeNetworkInterfaceAttributeOutput {
		return must(b, b.DescribeNetworkInterfaceAttribute, wire.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: id, Attribute: &name})
	}
	if *get("description").Description.Value != "new" || *get("sourceDestCheck").SourceDestCheck.Value ||
		*get("groupSet").Groups[0].GroupId != sg || get("attachment").Attachment != nil {
		t.Error("attributes did not change")
	}
	for _, c := range []struct {
		in   wire.ModifyNetworkInterfaceAttributeInput
		code string
	}{
		{wire.ModifyNetworkInterfaceAttributeInput{}, "InvalidParameterCombination"},
		{wire.ModifyNetworkInterfaceAttributeInput{Groups: []string{sg}, Description: &wire.AttributeValue{}}, "InvalidParameterCombination"},
		{wire.ModifyNetworkInterfaceAttributeInput{Groups: []string{"sg-0123456789abcdef0"}}, "InvalidGroup.NotFound"},
		{wire.ModifyNetworkInterfaceAttributeInput{Groups: slices.Repeat([]string{sg}, 6)}, "SecurityGroupsPerInterfaceLimitExceeded"},
		{wire.ModifyNetworkInterfaceAttributeInput{Attachment: &wire.NetworkInterfaceAttachmentChanges{AttachmentId: new("eni-attach-1"), DeleteOnTermination: new(true)}}, "InvalidAttachmentID.NotFound"},
		{wire.ModifyNetworkInterfaceAttributeInput{Attachment: &wire.NetworkInterfaceAttachmentChanges{}}, "MissingParameter"},
	} {
		fails(b, b.ModifyNetworkInterfaceAttribute, modify(c.in), c.code, "")
	}
	fails(b, b.DescribeNetworkInterfaceAttribute, wire.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: id}, "MissingParameter", "")
	fails(b, b.DescribeNetworkInterfaceAttribute, wire.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: id, Attribute: new("colour")}, "InvalidParameterValue", "")
	fails(b, b.DescribeNetworkInterfaceAttribute, wire.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: new("to-set"), Attribute: new("description")},
		"InvalidNetworkInterfaceId.Malformed", `Invalid id: "to-set" (expecting "eni-...")`)
}

func TestNoNamesWithoutDNSHostnames(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	f.Vpc.DNSHostnames = false
	put(b, tables.Vpcs, f.Vpc)
	e := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID, SecondaryPrivateIpAddressCount: new(int32(1))}).NetworkInterface
	if e.PrivateDnsName != nil || e.PrivateIpAddresses[0].PrivateDnsName != nil || *e.PrivateIpAddresses[1].PrivateDnsName != "" {
		t.Errorf("%+v", e.PrivateIpAddresses)
	}
}

func TestExplicitSecondaryAddresses(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	var specs []wire.PrivateIpAddressSpecification
	for i := range 3 {
		specs = append(specs, wire.PrivateIpAddressSpecification{PrivateIpAddress: new(fmt.Sprint("172.31.0.", 20+i)), Primary: new(i == 1)})
	}
	e := must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID, PrivateIpAddresses: specs}).NetworkInterface
	if *e.PrivateIpAddress != "172.31.0.21" || len(e.PrivateIpAddresses) != 3 {
		t.Errorf("%+v", e.PrivateIpAddresses)
	}
	e = must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &f.Subnets[0].ID,
		PrivateIpAddresses: []wire.PrivateIpAddressSpecification{{PrivateIpAddress: new("172.31.0.30")}}}).NetworkInterface
	if len(e.PrivateIpAddresses) != 2 || *e.PrivateIpAddresses[1].PrivateIpAddress != "172.31.0.30" || !*e.PrivateIpAddresses[0].Primary {
		t.Errorf("%+v", e.PrivateIpAddresses)
	}
}
