package ec2

import (
	"fmt"
	"slices"
	"testing"
	"time"

	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/store/tables/edges"
)

// available writes a gateway as the controller leaves it: all addresses that come are
// there, in the last octet from 100.
func (b bench) available(id string) edge.NatGateway {
	b.t.Helper()
	g := get(b, edges.NatGateways, testAccount, "us-east-1", id)
	g.State, g.Addresses = edge.Available, slices.Clone(g.Addresses)
	for i := range g.Addresses {
		a := &g.Addresses[i]
		if a.Status = ""; a.PrivateIP == "" {
			a.PrivateIP = fmt.Sprintf("172.31.0.%d", 100+i)
		}
		if a.ENI = "eni-1"; a.Allocation != "" {
			a.Association, a.PublicIP = fmt.Sprintf("eipassoc-%d", i), "198.18.1.1"
		}
	}
	put(b, edges.NatGateways, g)
	return g
}

func TestNatGatewayElasticAddresses(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	first, second, third := b.address(), b.address(), b.address()
	made := must(b, b.CreateNatGateway, wire.CreateNatGatewayInput{SubnetId: &f.Subnets[0].ID, AllocationId: first.AllocationId,
		SecondaryAllocationIds: []string{*second.AllocationId}, SecondaryPrivateIpAddresses: []string{"172.31.0.50"}}).NatGateway
	if a := made.NatGatewayAddresses; len(a) != 2 || *a[1].AllocationId != *second.AllocationId || *a[1].PrivateIp != "172.31.0.50" || *a[1].IsPrimary || *a[1].Status != "associating" {
		t.Errorf("made %+v", a)
	}
	id := made.NatGatewayId
	associate := wire.AssociateNatGatewayAddressInput{NatGatewayId: id, AllocationIds: []string{*third.AllocationId}}
	fails(b, b.AssociateNatGatewayAddress, associate, "IncorrectState", "")
	b.available(*id)
	fails(b, b.AssociateNatGatewayAddress, associate, "AddressLimitExceeded", "")
	fails(b, b.DisassociateNatGatewayAddress, wire.DisassociateNatGatewayAddressInput{NatGatewayId: id, AssociationIds: []string{"eipassoc-0"}}, "InvalidParameter", "")
	fails(b, b.DisassociateNatGatewayAddress, wire.DisassociateNatGatewayAddressInput{NatGatewayId: id, AssociationIds: []string{"eipassoc-1", "eipassoc-9"}},
		"InvalidAssociationID.NotFound", "The association ID 'eipassoc-9' does not exist")
	out := must(b, b.DisassociateNatGatewayAddress, wire.DisassociateNatGatewayAddressInput{NatGatewayId: id, AssociationIds: []string{"eipassoc-1"}, MaxDrainDurationSeconds: new(int32(60))})
	if a := out.NatGatewayAddresses; len(a) != 1 || *a[0].Status != "disassociating" || *a[0].AllocationId != *second.AllocationId || *out.NatGatewayId != *id {
		t.Errorf("disassociating %+v", a)
	}
	if g := get(b, edges.NatGateways, testAccount, "us-east-1", *id); !g.Addresses[1].Until.Equal(b.Deps.Now().Add(time.Minute)) {
		t.Errorf("until %v", g.Addresses[1].Until)
	}
	fails(b, b.AssociateNatGatewayAddress, associate, "OperationInProgress",
		"Service is currently DISASSOCIATING the following EIPs: ["+*second.AllocationId+"].")

	// The one that went leaves room.
	g := b.available(*id)
	g.Addresses = g.Addresses[:1]
	put(b, edges.NatGateways, g)
	more := must(b, b.AssociateNatGatewayAddress, associate).NatGatewayAddresses
	if len(more) != 1 || *more[0].AllocationId != *third.AllocationId || *more[0].Status != "associating" || *more[0].NetworkInterfaceId != "eni-1" || *more[0].IsPrimary {
		t.Errorf("associating %+v", more)
	}
	fails(b, b.AssociateNatGatewayAddress, wire.AssociateNatGatewayAddressInput{NatGatewayId: id, AllocationIds: []string{*second.AllocationId}}, "OperationInProgress",
		"Service is currently ASSOCIATING the following EIPs: ["+*third.AllocationId+"].")
	if shown := must(b, b.DescribeNatGateways, wire.DescribeNatGatewaysInput{NatGatewayIds: []string{*id}}).NatGateways[0].NatGatewayAddresses; len(shown) != 2 ||
		*shown[0].Status != "succeeded" || !*shown[0].IsPrimary || *shown[1].Status != "associating" {
		t.Errorf("shown %+v", shown)
	}
}

func TestNatGatewayPrivateAddresses(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	made := must(b, b.CreateNatGateway, wire.CreateNatGatewayInput{SubnetId: &f.Subnets[0].ID, ConnectivityType: new("private"),
		SecondaryPrivateIpAddressCount: new(int32(2))}).NatGateway
	id := made.NatGatewayId
	if len(made.NatGatewayAddresses) != 3 {
		t.Errorf("made %+v", made.NatGatewayAddresses)
	}
	b.available(*id)
	assign := wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddresses: []string{"172.31.0.50", "172.31.0.51"}}
	if a := must(b, b.AssignPrivateNatGatewayAddress, assign).NatGatewayAddresses; len(a) != 2 || *a[0].Status != "assigning" || *a[1].PrivateIp != "172.31.0.51" {
		t.Errorf("assigning %+v", a)
	}
	fails(b, b.AssignPrivateNatGatewayAddress, assign, "OperationInProgress", "")
	b.available(*id)
	fails(b, b.AssignPrivateNatGatewayAddress, assign, "InvalidParameterValue", "")
	taken := b.interfaceIn(f.Subnets[0].ID)
	ip := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{taken}}).NetworkInterfaces[0].PrivateIpAddress
	for _, c := range []struct {
		in   wire.AssignPrivateNatGatewayAddressInput
		code string
	}{
		{wire.AssignPrivateNatGatewayAddressInput{PrivateIpAddresses: []string{*ip}}, "MissingParameter"},
		{wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddresses: []string{*ip}}, "InvalidIPAddress.InUse"},
		{wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddresses: []string{"10.0.0.1"}}, "InvalidParameterValue"},
		{wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddresses: []string{"172.31.0.9"}, PrivateIpAddressCount: new(int32(1))}, "InvalidParameterCombination"},
		{wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddressCount: new(int32(0))}, "InvalidParameterValue"},
		{wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddressCount: new(int32(4))}, "PrivateIpAddressLimitExceeded"},
		{wire.AssignPrivateNatGatewayAddressInput{NatGatewayId: new("nat-01234567890123456")}, "NatGatewayNotFound"},
	} {
		fails(b, b.AssignPrivateNatGatewayAddress, c.in, c.code, "")
	}
	fails(b, b.AssociateNatGatewayAddress, wire.AssociateNatGatewayAddressInput{NatGatewayId: id, AllocationIds: []string{"eipalloc-1"}}, "InvalidParameter", "")
	for _, c := range []struct {
		ips   []string
		drain *int32
		code  string
	}{
		{nil, nil, "MissingParameter"},
		{[]string{"172.31.0.99"}, nil, "InvalidParameterValue"},
		{[]string{"172.31.0.100"}, nil, "InvalidParameter"}, // the primary one
		{[]string{"172.31.0.50"}, new(int32(0)), "InvalidParameterValue"},
	} {
		fails(b, b.UnassignPrivateNatGatewayAddress, wire.UnassignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddresses: c.ips, MaxDrainDurationSeconds: c.drain}, c.code, "")
	}
	out := must(b, b.UnassignPrivateNatGatewayAddress, wire.UnassignPrivateNatGatewayAddressInput{NatGatewayId: id, PrivateIpAddresses: []string{"172.31.0.50", "172.31.0.51"}})
	if a := out.NatGatewayAddresses; len(a) != 2 || *a[0].Status != "unassigning" || *a[0].PrivateIp != "172.31.0.50" {
		t.Errorf("unassigning %+v", a)
	}
	if g := get(b, edges.NatGateways, testAccount, "us-east-1", *id); !g.Addresses[3].Until.Equal(b.Deps.Now().Add(350 * time.Second)) {
		t.Errorf("until %v", g.Addresses[3].Until)
	}
}

func TestNatGatewayAddressRefusals(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	subnet, a, c := &f.Subnets[0].ID, b.address().AllocationId, b.address().AllocationId
	for _, x := range []struct {
		in   wire.CreateNatGatewayInput
		code string
	}{
		{wire.CreateNatGatewayInput{AllocationId: a, SecondaryAllocationIds: []string{*a}}, "InvalidParameterValue"},
		{wire.CreateNatGatewayInput{AllocationId: a, SecondaryAllocationIds: []string{*c, "eipalloc-3"}}, "AddressLimitExceeded"},
		{wire.CreateNatGatewayInput{AllocationId: a, SecondaryAllocationIds: []string{*c}, SecondaryPrivateIpAddresses: []string{"172.31.0.5", "172.31.0.6"}}, "InvalidParameterCombination"},
		{wire.CreateNatGatewayInput{AllocationId: a, SecondaryPrivateIpAddressCount: new(int32(1))}, "InvalidParameterCombination"},
		{wire.CreateNatGatewayInput{ConnectivityType: new("private"), SecondaryAllocationIds: []string{*c}}, "InvalidParameterCombination"},
		{wire.CreateNatGatewayInput{ConnectivityType: new("private"), SecondaryPrivateIpAddressCount: new(int32(8))}, "PrivateIpAddressLimitExceeded"},
		{wire.CreateNatGatewayInput{ConnectivityType: new("private"), PrivateIpAddress: new("172.31.0.5"), SecondaryPrivateIpAddresses: []string{"172.31.0.5"}}, "InvalidParameterValue"},
		{wire.CreateNatGatewayInput{ConnectivityType: new("private"), SecondaryPrivateIpAddresses: []string{"172.31.0.1"}}, "InvalidParameterValue"},
	} {
		x.in.SubnetId = subnet
		fails(b, b.CreateNatGateway, x.in, x.code, "")
	}
}

// TestSecondaryAddressWithElasticIP gives an interface's second address an Elastic IP
// address, moves it, and takes the address away.
func TestSecondaryAddressWithElasticIP(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	one, a := b.interfaceIn(f.Subnets[0].ID), b.address()
	must(b, b.AssignPrivateIpAddresses, wire.AssignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{"172.31.0.40"}})
	on := wire.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: &one, PrivateIpAddress: new("172.31.0.40")}
	association := must(b, b.AssociateAddress, on).AssociationId
	if again := must(b, b.AssociateAddress, on).AssociationId; *again != *association {
		t.Errorf("associated %s, then %s", *association, *again)
	}
	shown := func() wire.NetworkInterface {
		t.Helper()
		return must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{one}}).NetworkInterfaces[0]
	}
	if e := shown(); e.Association != nil || *e.PrivateIpAddresses[1].Association.AssociationId != *association || *e.PrivateIpAddresses[1].Association.PublicIp != *a.PublicIp {
		t.Errorf("interface %+v", e)
	}
	on.PrivateIpAddress, on.AllowReassociation = nil, new(false)
	fails(b, b.AssociateAddress, on, "Resource.AlreadyAssociated", "")
	on.AllowReassociation = nil
	must(b, b.AssociateAddress, on)
	if e := shown(); e.Association == nil || e.PrivateIpAddresses[1].Association != nil {
		t.Errorf("interface %+v", e)
	}
	on.PrivateIpAddress = new("172.31.0.40")
	must(b, b.AssociateAddress, on)
	must(b, b.UnassignPrivateIpAddresses, wire.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &one, PrivateIpAddresses: []string{"172.31.0.40"}})
	if shown := must(b, b.DescribeAddresses, wire.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}}).Addresses[0]; shown.AssociationId != nil || shown.NetworkInterfaceId != nil {
		t.Errorf("address %+v", shown)
	}
	must(b, b.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: a.AllocationId})
}
