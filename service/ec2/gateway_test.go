package ec2

import (
	"fmt"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// interfaceIn makes an interface in the subnet and returns its id.
func (b bench) interfaceIn(subnet string) string {
	b.t.Helper()
	return *must(b, b.CreateNetworkInterface, wire.CreateNetworkInterfaceInput{SubnetId: &subnet}).NetworkInterface.NetworkInterfaceId
}

func (b bench) address() *wire.AllocateAddressOutput {
	b.t.Helper()
	return must(b, b.AllocateAddress, wire.AllocateAddressInput{})
}

func TestElasticIP(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	first, second := b.address(), b.address()
	if *first.Domain != "vpc" || *first.PublicIpv4Pool != "amazon" || *first.NetworkBorderGroup != "us-east-1" || *first.PublicIp == *second.PublicIp {
		t.Errorf("allocated %+v, %+v", first, second)
	}
	one, two := b.interfaceIn(f.Subnets[0].ID), b.interfaceIn(f.Subnets[0].ID)
	on := func(allocation, eni *string, again *bool) *string {
		t.Helper()
		return must(b, b.AssociateAddress, wire.AssociateAddressInput{AllocationId: allocation, NetworkInterfaceId: eni, AllowReassociation: again}).AssociationId
	}
	association := on(first.AllocationId, &one, nil)
	if again := on(first.AllocationId, &one, new(false)); *again != *association {
		t.Errorf("associated %s, then %s", *association, *again)
	}
	e := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{Filters: where("association.allocation-id", *first.AllocationId)}).NetworkInterfaces
	if len(e) != 1 || *e[0].Association.PublicIp != *first.PublicIp || *e[0].Association.IpOwnerId != testAccount || *e[0].Association.AssociationId != *association {
		t.Errorf("interface %+v", e)
	}
	a := must(b, b.DescribeAddresses, wire.DescribeAddressesInput{PublicIps: []string{*first.PublicIp}, AllocationIds: []string{*first.AllocationId}}).Addresses
	if len(a) != 1 || *a[0].NetworkInterfaceId != one || *a[0].PrivateIpAddress != *e[0].PrivateIpAddress || *a[0].SubnetId != f.Subnets[0].ID {
		t.Errorf("addresses %+v", a)
	}
	fails(b, b.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: first.AllocationId}, "InvalidIPAddress.InUse", "")
	fails(b, b.AssociateAddress, wire.AssociateAddressInput{AllocationId: first.AllocationId, NetworkInterfaceId: &two, AllowReassociation: new(false)},
		"Resource.AlreadyAssociated", "")
	// It moves, and one that is free displaces it.
	on(first.AllocationId, &two, nil)
	fails(b, b.DisassociateAddress, wire.DisassociateAddressInput{AssociationId: association}, "InvalidAssociationID.NotFound", "")
	last := on(second.AllocationId, &two, new(false))
	if a := must(b, b.DescribeAddresses, wire.DescribeAddressesInput{Filters: where("network-interface-id", two)}).Addresses; len(a) != 1 || *a[0].AllocationId != *second.AllocationId {
		t.Errorf("addresses of the second interface %+v", a)
	}
	must(b, b.DisassociateAddress, wire.DisassociateAddressInput{AssociationId: last})
	fails(b, b.DisassociateAddress, wire.DisassociateAddressInput{AssociationId: last}, "InvalidAssociationID.NotFound", "")
	// A deleted interface lets its address go.
	on(first.AllocationId, &one, nil)
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &one})
	for _, id := range []*string{first.AllocationId, second.AllocationId} {
		must(b, b.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: id})
		fails(b, b.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: id}, "InvalidAllocationID.NotFound", fmt.Sprintf("The allocation ID '%s' does not exist", *id))
	}
}

func TestElasticIPRefusals(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	a := b.address()
	eni := b.interfaceIn(f.Subnets[0].ID)
	fails(b, b.AllocateAddress, wire.AllocateAddressInput{Domain: new("standard")}, "InvalidParameterValue", "")
	fails(b, b.AllocateAddress, wire.AllocateAddressInput{NetworkBorderGroup: new("us-west-2")}, "InvalidParameterValue", "")
	fails(b, b.AllocateAddress, wire.AllocateAddressInput{PublicIpv4Pool: new("ipv4pool-1")}, "InvalidPublicIpv4PoolID.NotFound", "")
	fails(b, b.DescribeAddresses, wire.DescribeAddressesInput{PublicIps: []string{"x"}, DryRun: new(true)}, "InvalidParameterValue", "")
	fails(b, b.DescribeAddresses, wire.DescribeAddressesInput{PublicIps: []string{"9.9.9.9"}}, "InvalidAddress.NotFound", "Address '9.9.9.9' not found.")
	fails(b, b.DescribeAddresses, wire.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId, "eipalloc-1"}}, "InvalidAllocationID.NotFound", "")
	for _, c := range []struct {
		in   wire.AssociateAddressInput
		code string
	}{
		{wire.AssociateAddressInput{PublicIp: a.PublicIp, NetworkInterfaceId: &eni}, "InvalidParameterCombination"},
		{wire.AssociateAddressInput{PublicIp: a.PublicIp, AllocationId: a.AllocationId, NetworkInterfaceId: &eni}, "InvalidParameterCombination"},
		{wire.AssociateAddressInput{AllocationId: new("eipalloc-1"), NetworkInterfaceId: new("nonsense")}, "InvalidAllocationID.NotFound"},
		{wire.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: new("nonsense")}, "InvalidNetworkInterfaceId.Malformed"},
		{wire.AssociateAddressInput{AllocationId: a.AllocationId}, "MissingParameter"},
		{wire.AssociateAddressInput{AllocationId: a.AllocationId, InstanceId: new("i-1")}, "InvalidInstanceID.NotFound"},
		{wire.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: &eni, PrivateIpAddress: new("172.31.9.9")}, "InvalidParameterValue"},
	} {
		fails(b, b.AssociateAddress, c.in, c.code, "")
	}
	theirs := network.FargateInterface(&f.Subnets[0], "eni-01234567890123456", "eni-attach-1", "arn", nil, b.Deps.Now())
	put(b, tables.NetworkInterfaces, theirs)
	fails(b, b.AssociateAddress, wire.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: &theirs.ID}, "AuthFailure", "")
	gate := f.InternetGateway
	gate.Vpc = ""
	put(b, tables.InternetGateways, gate)
	fails(b, b.AssociateAddress, wire.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: &eni}, "Gateway.NotAttached",
		"Network "+f.Vpc.ID+" is not attached to any internet gateway")
	for range 4 {
		b.address()
	}
	fails(b, b.AllocateAddress, wire.AllocateAddressInput{}, "AddressLimitExceeded", "The maximum number of addresses has been reached.")
	if out := must(b, b.DescribeAddressesAttribute, wire.DescribeAddressesAttributeInput{AllocationIds: []string{*a.AllocationId}}); len(out.Addresses) != 1 || out.Addresses[0].PtrRecord != nil {
		t.Errorf("attributes %+v", out.Addresses)
	}
}

func TestNatGateway(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	ip := b.address()
	in := wire.CreateNatGatewayInput{
		SubnetId: &f.Subnets[0].ID, AllocationId: ip.AllocationId, ClientToken: new("once"),
		TagSpecifications: []wire.TagSpecification{{ResourceType: new("natgateway"), Tags: []wire.Tag{{Key: new("k"), Value: new("v")}}}},
	}
	made := must(b, b.CreateNatGateway, in)
	g := made.NatGateway
	if *g.State != "pending" || *g.ConnectivityType != "public" || *g.VpcId != f.Vpc.ID || *made.ClientToken != "once" ||
		*g.NatGatewayAddresses[0].AllocationId != *ip.AllocationId || *g.NatGatewayAddresses[0].Status != "associating" || *g.Tags[0].Key != "k" {
		t.Errorf("made %+v", g)
	}
	if again := must(b, b.CreateNatGateway, in).NatGateway; *again.NatGatewayId != *g.NatGatewayId {
		t.Errorf("made %s and %s", *g.NatGatewayId, *again.NatGatewayId)
	}
	other := in
	other.SubnetId = &f.Subnets[1].ID
	fails(b, b.CreateNatGateway, other, "IdempotentParameterMismatch", "")
	must(b, b.DeleteNatGateway, wire.DeleteNatGatewayInput{NatGatewayId: g.NatGatewayId})
	must(b, b.DeleteNatGateway, wire.DeleteNatGatewayInput{NatGatewayId: g.NatGatewayId})
	shown := must(b, b.DescribeNatGateways, wire.DescribeNatGatewaysInput{Filter: where("state", "deleting")}).NatGateways
	if len(shown) != 1 || shown[0].DeleteTime == nil {
		t.Errorf("deleting %+v", shown)
	}
	put(b, edges.NatGateways, edge.NatGateway{Account: testAccount, Region: "us-east-1", ID: *g.NatGatewayId, Subnet: f.Subnets[0].ID, State: edge.Deleted})
	fails(b, b.DeleteNatGateway, wire.DeleteNatGatewayInput{NatGatewayId: g.NatGatewayId}, "NatGatewayNotFound", "")

	// Pages, and as many as a zone may have.
	private := wire.CreateNatGatewayInput{SubnetId: &f.Subnets[0].ID, ConnectivityType: new("private")}
	for range 5 {
		must(b, b.CreateNatGateway, private)
	}
	fails(b, b.CreateNatGateway, private, "NatGatewayLimitExceeded", "Performing this operation would exceed the limit of 5 NAT gateways")
	private.SubnetId = &f.Subnets[1].ID
	must(b, b.CreateNatGateway, private)
	page := must(b, b.DescribeNatGateways, wire.DescribeNatGatewaysInput{MaxResults: new(int32(5))})
	if len(page.NatGateways) != 5 || page.NextToken == nil {
		t.Fatalf("%d on the first page", len(page.NatGateways))
	}
	page = must(b, b.DescribeNatGateways, wire.DescribeNatGatewaysInput{MaxResults: new(int32(5)), NextToken: page.NextToken})
	if len(page.NatGateways) != 2 || page.NextToken != nil {
		t.Errorf("%d on the last page", len(page.NatGateways))
	}
}

func TestNatGatewayRefusals(t *testing.T) {
	b := newBench(t)
	subnet := &b.defaults().Subnets[0].ID
	for _, c := range []struct {
		in   wire.CreateNatGatewayInput
		code string
	}{
		{wire.CreateNatGatewayInput{AllocationId: new("eipalloc-1")}, "MissingParameter"},
		{wire.CreateNatGatewayInput{SubnetId: subnet}, "MissingParameter"},
		{wire.CreateNatGatewayInput{SubnetId: subnet, ConnectivityType: new("odd")}, "InvalidParameterValue"},
		{wire.CreateNatGatewayInput{SubnetId: subnet, ConnectivityType: new("private"), AllocationId: new("eipalloc-1")}, "InvalidParameterCombination"},
		{wire.CreateNatGatewayInput{SubnetId: new("subnet-01234567890123456"), ConnectivityType: new("private")}, "InvalidSubnetID.NotFound"},
		{wire.CreateNatGatewayInput{SubnetId: subnet, ConnectivityType: new("private"), PrivateIpAddress: new("10.0.0.1")}, "InvalidParameterValue"},
		{wire.CreateNatGatewayInput{SubnetId: subnet, ConnectivityType: new("private"), PrivateIpAddress: new("172.31.0.1")}, "InvalidParameterValue"},
		{wire.CreateNatGatewayInput{SubnetId: subnet, AvailabilityMode: new("regional"), AllocationId: new("eipalloc-1")}, "UnsupportedOperation"},
	} {
		fails(b, b.CreateNatGateway, c.in, c.code, "")
	}
	fails(b, b.DeleteNatGateway, wire.DeleteNatGatewayInput{NatGatewayId: new("nat-01234567890123456")}, "NatGatewayNotFound", "The Nat gateway nat-01234567890123456 was not found")
	fails(b, b.DescribeNatGateways, wire.DescribeNatGatewaysInput{NatGatewayIds: []string{"x"}}, "NatGatewayMalformed", "")
	if out := must(b, b.DescribeEgressOnlyInternetGateways, wire.DescribeEgressOnlyInternetGatewaysInput{}); out.EgressOnlyInternetGateways == nil {
		t.Error("no list of egress-only gateways")
	}
}

func TestAssignPrivateAddresses(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	one, two := b.interfaceIn(f.Subnets[0].ID), b.interfaceIn(f.Subnets[0].ID)
	free := b.free(f.Subnets[0].ID)
	out := must(b, b.AssignPrivateIpAddresses, wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one, SecondaryPrivateIpAddressCount: new(int32(2))})
	if len(out.AssignedPrivateIpAddresses) != 2 {
		t.Errorf("assigned %+v", out.AssignedPrivateIpAddresses)
	}
	named := wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{"172.31.0.40"}}
	must(b, b.AssignPrivateIpAddresses, named)
	must(b, b.AssignPrivateIpAddresses, named)
	named.NetworkInterfaceId = &two
	fails(b, b.AssignPrivateIpAddresses, named, "InvalidIPAddress.InUse", "")
	named.AllowReassignment = new(true)
	must(b, b.AssignPrivateIpAddresses, named)
	e := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{one, two}}).NetworkInterfaces
	if len(e[0].PrivateIpAddresses) != 3 || len(e[1].PrivateIpAddresses) != 2 || *e[1].PrivateIpAddresses[1].PrivateIpAddress != "172.31.0.40" {
		t.Errorf("interfaces %+v, %+v", e[0].PrivateIpAddresses, e[1].PrivateIpAddresses)
	}
	primary := *e[0].PrivateIpAddress
	for _, c := range []struct {
		in   wire.AssignPrivateIpAddressesInput
		code string
	}{
		{wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one}, "MissingParameter"},
		{wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{"x"}}, "InvalidParameterValue"},
		{wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{"10.0.0.9"}}, "InvalidParameterValue"},
		{wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one, SecondaryPrivateIpAddressCount: new(int32(48))}, "PrivateIpAddressLimitExceeded"},
		{wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &two, PrivateIpAddresses: []string{primary}, AllowReassignment: new(true)}, "InvalidIPAddress.InUse"},
	} {
		fails(b, b.AssignPrivateIpAddresses, c.in, c.code, "")
	}
	if n := b.free(f.Subnets[0].ID); n != free-3 {
		t.Errorf("%d addresses free of %d", n, free)
	}
	fails(b, b.UnassignPrivateIpAddresses, wire.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{primary}}, "InvalidParameterValue", "")
	fails(b, b.UnassignPrivateIpAddresses, wire.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{"172.31.0.40"}}, "InvalidParameterValue", "")
	for _, a := range out.AssignedPrivateIpAddresses {
		must(b, b.UnassignPrivateIpAddresses, wire.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{*a.PrivateIpAddress}})
	}
	if n := b.free(f.Subnets[0].ID); n != free-1 {
		t.Errorf("%d addresses free of %d", n, free)
	}
}
