package ec2

import (
	"slices"
	"testing"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/store/tables"
)

const otherAccount = "210987654321"

// other is another account's view of the same installation.
func (b bench) other() bench { return bench{b.Service, b.t, as(otherAccount, "us-east-1")} }

func (b bench) allow(eni, account, what string) string {
	b.t.Helper()
	return *must(b, b.CreateNetworkInterfacePermission, wire.CreateNetworkInterfacePermissionInput{
		NetworkInterfaceId: &eni, AwsAccountId: &account, Permission: &what,
	}).InterfacePermission.NetworkInterfacePermissionId
}

func (b bench) allowed(filters ...wire.Filter) (ids []string) {
	b.t.Helper()
	for _, p := range must(b, b.DescribeNetworkInterfacePermissions, wire.DescribeNetworkInterfacePermissionsInput{Filters: filters}).NetworkInterfacePermissions {
		ids = append(ids, *p.NetworkInterfacePermissionId)
	}
	return ids
}

func TestInterfacePermissions(t *testing.T) {
	b := newBench(t)
	subnet := b.defaults().Subnets[0].ID
	one, two := b.interfaceIn(subnet), b.interfaceIn(subnet)
	made := must(b, b.CreateNetworkInterfacePermission, wire.CreateNetworkInterfacePermissionInput{
		NetworkInterfaceId: &one, AwsAccountId: new(otherAccount), Permission: new("INSTANCE-ATTACH"),
	}).InterfacePermission
	if *made.PermissionState.State != "GRANTED" || *made.AwsAccountId != otherAccount || *made.NetworkInterfaceId != one ||
		*made.Permission != "INSTANCE-ATTACH" || made.AwsService != nil {
		t.Errorf("made %+v", made)
	}
	attach := *made.NetworkInterfacePermissionId
	associate, third := b.allow(one, otherAccount, "EIP-ASSOCIATE"), b.allow(two, "333333333333", "INSTANCE-ATTACH")
	fails(b, b.CreateNetworkInterfacePermission, wire.CreateNetworkInterfacePermissionInput{
		NetworkInterfaceId: &one, AwsAccountId: new(otherAccount), Permission: new("INSTANCE-ATTACH"),
	}, "InvalidPermission.Duplicate", "")

	const f = "network-interface-permission."
	for _, c := range []struct {
		name, value string
		want        []string
	}{
		{"network-interface-permission-id", third, []string{third}},
		{"network-interface-id", one, []string{attach, associate}},
		{"aws-account-id", "333333333333", []string{third}},
		{"aws-service", "*", nil},
		{"permission", "INSTANCE-*", []string{attach, third}},
	} {
		slices.Sort(c.want)
		if got := b.allowed(where(f+c.name, c.value)...); !slices.Equal(got, c.want) {
			t.Errorf("%s=%s: %v, want %v", c.name, c.value, got, c.want)
		}
	}
	if got := b.other().allowed(); got != nil {
		t.Errorf("another account sees %v", got)
	}

	// What the account may is seen when it tries: there are only no instances.
	plug := wire.AttachNetworkInterfaceInput{NetworkInterfaceId: &one, InstanceId: new("i-01234567890123456"), DeviceIndex: new(int32(1))}
	fails(b.other(), b.AttachNetworkInterface, plug, "InvalidInstanceID.NotFound", "")
	fails(bench{b.Service, t, as("333333333333", "us-east-1")}, b.AttachNetworkInterface, plug, "InvalidNetworkInterfaceID.NotFound", "")

	for _, force := range []*bool{nil, new(true)} {
		out := must(b, b.DeleteNetworkInterfacePermission, wire.DeleteNetworkInterfacePermissionInput{NetworkInterfacePermissionId: &attach, Force: force})
		if !*out.Return {
			t.Error("not deleted")
		}
		fails(b, b.DeleteNetworkInterfacePermission, wire.DeleteNetworkInterfacePermissionInput{NetworkInterfacePermissionId: &attach, Force: force}, "InvalidPermissionID.NotFound", "")
		fails(b.other(), b.AttachNetworkInterface, plug, "InvalidNetworkInterfaceID.NotFound", "")
		attach = b.allow(one, otherAccount, "INSTANCE-ATTACH")
	}

	// An interface takes its permissions along.
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &one})
	if got := b.allowed(); !slices.Equal(got, []string{third}) {
		t.Errorf("left %v", got)
	}
}

func TestInterfacePermissionErrors(t *testing.T) {
	b := newBench(t)
	f := b.defaults()
	eni, gone := b.interfaceIn(f.Subnets[0].ID), "eni-01234567890123456"
	theirs := network.FargateInterface(&f.Subnets[0], "eni-0aaaaaaaaaaaaaaaa", "eni-attach-1", "arn", nil, b.Deps.Now())
	put(b, tables.NetworkInterfaces, theirs)
	account, attach := new(otherAccount), new("INSTANCE-ATTACH")
	for _, c := range []struct {
		in   wire.CreateNetworkInterfacePermissionInput
		code string
	}{
		{wire.CreateNetworkInterfacePermissionInput{AwsAccountId: account, Permission: attach}, "MissingParameter"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &eni, Permission: attach}, "MissingParameter"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &eni, AwsAccountId: account}, "MissingParameter"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &eni, AwsAccountId: account, Permission: new("ANY")}, "InvalidParameterValue"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &eni, AwsAccountId: new("12345"), Permission: attach}, "InvalidParameterValue"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &eni, AwsService: new("x"), Permission: attach}, "UnsupportedOperation"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &gone, AwsAccountId: account, Permission: attach}, "InvalidNetworkInterfaceID.NotFound"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: new("x"), AwsAccountId: account, Permission: attach}, "InvalidNetworkInterfaceId.Malformed"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &theirs.ID, AwsAccountId: account, Permission: attach}, "AuthFailure"},
		{wire.CreateNetworkInterfacePermissionInput{NetworkInterfaceId: &eni, AwsAccountId: account, Permission: attach, DryRun: new(true)}, "DryRunOperation"},
	} {
		fails(b, b.CreateNetworkInterfacePermission, c.in, c.code, "")
	}
	if got := b.allowed(); got != nil {
		t.Errorf("refused requests left %v", got)
	}
	id := b.allow(eni, otherAccount, "EIP-ASSOCIATE")
	fails(b.other(), b.DeleteNetworkInterfacePermission, wire.DeleteNetworkInterfacePermissionInput{NetworkInterfacePermissionId: &id}, "InvalidPermissionID.NotFound", "")
	fails(b, b.DeleteNetworkInterfacePermission, wire.DeleteNetworkInterfacePermissionInput{}, "MissingParameter", "")
	fails(b, b.DeleteNetworkInterfacePermission, wire.DeleteNetworkInterfacePermissionInput{NetworkInterfacePermissionId: &eni}, "InvalidPermissionID.Malformed", "")
	for _, c := range []struct {
		in   wire.DescribeNetworkInterfacePermissionsInput
		code string
	}{
		{wire.DescribeNetworkInterfacePermissionsInput{Filters: where("permission", "x")}, "InvalidParameterValue"},
		{wire.DescribeNetworkInterfacePermissionsInput{MaxResults: new(int32(4))}, "InvalidParameterValue"},
		{wire.DescribeNetworkInterfacePermissionsInput{MaxResults: new(int32(256))}, "InvalidParameterValue"},
		{wire.DescribeNetworkInterfacePermissionsInput{NextToken: new("x")}, "InvalidParameterValue"},
		{wire.DescribeNetworkInterfacePermissionsInput{NetworkInterfacePermissionIds: []string{id}, MaxResults: new(int32(5))}, "InvalidParameterCombination"},
		{wire.DescribeNetworkInterfacePermissionsInput{NetworkInterfacePermissionIds: []string{"eni-perm-01234567890123456"}}, "InvalidPermissionID.NotFound"},
		{wire.DescribeNetworkInterfacePermissionsInput{NetworkInterfacePermissionIds: []string{eni}}, "InvalidPermissionID.Malformed"},
	} {
		fails(b, b.DescribeNetworkInterfacePermissions, c.in, c.code, "")
	}
}

// TestInterfacePermissionPages walks pages of the usual size and of one asked for.
func TestInterfacePermissionPages(t *testing.T) {
	b := newBench(t)
	eni := b.interfaceIn(b.defaults().Subnets[0].ID)
	want := map[string]bool{}
	for i := range 60 {
		want[b.allow(eni, "3000000000"+string([]byte{byte('0' + i/10), byte('0' + i%10)}), "INSTANCE-ATTACH")] = true
	}
	for _, size := range []int32{0, 25} {
		seen, pages := map[string]bool{}, 0
		in := wire.DescribeNetworkInterfacePermissionsInput{}
		if size > 0 {
			in.MaxResults = &size
		}
		for {
			out := must(b, b.DescribeNetworkInterfacePermissions, in)
			pages++
			for _, p := range out.NetworkInterfacePermissions {
				seen[*p.NetworkInterfacePermissionId] = true
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if wantPages := map[int32]int{0: 2, 25: 3}[size]; pages != wantPages || len(seen) != len(want) {
			t.Errorf("pages of %d: %d pages with %d permissions", size, pages, len(seen))
		}
	}
}

// TestForeignElasticIP gives an interface the address of an account that may do so.
func TestForeignElasticIP(t *testing.T) {
	b := newBench(t)
	o := b.other()
	eni := b.interfaceIn(b.defaults().Subnets[0].ID)
	o.defaults()
	address := func() *wire.AllocateAddressOutput { return must(o, o.AllocateAddress, wire.AllocateAddressInput{}) }
	a, again := address(), address()
	on := wire.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: &eni}
	fails(o, o.AssociateAddress, on, "InvalidNetworkInterfaceID.NotFound", "")
	b.allow(eni, otherAccount, "INSTANCE-ATTACH")
	fails(o, o.AssociateAddress, on, "InvalidNetworkInterfaceID.NotFound", "")
	id := b.allow(eni, otherAccount, "EIP-ASSOCIATE")
	association := must(o, o.AssociateAddress, on).AssociationId

	shown := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{eni}}).NetworkInterfaces[0].Association
	if *shown.IpOwnerId != otherAccount || *shown.PublicIp != *a.PublicIp || *shown.AssociationId != *association || *shown.AllocationId != *a.AllocationId {
		t.Errorf("the interface has %+v", shown)
	}
	held := must(o, o.DescribeAddresses, wire.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}}).Addresses[0]
	if *held.NetworkInterfaceId != eni || *held.NetworkInterfaceOwnerId != testAccount || held.SubnetId == nil {
		t.Errorf("the address is of %+v", held)
	}
	fails(o, o.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: a.AllocationId}, "InvalidIPAddress.InUse", "")
	fails(b, b.DisassociateAddress, wire.DisassociateAddressInput{AssociationId: association}, "InvalidAssociationID.NotFound", "")

	// Another address takes its place; either way out gives it back to its owner.
	second := must(o, o.AssociateAddress, wire.AssociateAddressInput{AllocationId: again.AllocationId, NetworkInterfaceId: &eni}).AssociationId
	must(o, o.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: a.AllocationId})
	must(b, b.DeleteNetworkInterfacePermission, wire.DeleteNetworkInterfacePermissionInput{NetworkInterfacePermissionId: &id})
	must(o, o.DisassociateAddress, wire.DisassociateAddressInput{AssociationId: second})
	if e := must(b, b.DescribeNetworkInterfaces, wire.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{eni}}).NetworkInterfaces[0]; e.Association != nil {
		t.Errorf("the interface still has %+v", e.Association)
	}
	on.AllocationId = again.AllocationId
	fails(o, o.AssociateAddress, on, "InvalidNetworkInterfaceID.NotFound", "")
	b.allow(eni, otherAccount, "EIP-ASSOCIATE")
	must(o, o.AssociateAddress, on)

	// The owner's own address displaces it, and a deleted interface lets it go.
	own := b.address()
	must(b, b.AssociateAddress, wire.AssociateAddressInput{AllocationId: own.AllocationId, NetworkInterfaceId: &eni})
	free := func() bool {
		return must(o, o.DescribeAddresses, wire.DescribeAddressesInput{}).Addresses[0].NetworkInterfaceId == nil
	}
	if !free() {
		t.Error("a displaced address is still associated")
	}
	must(o, o.AssociateAddress, on)
	if shown := must(b, b.DescribeAddresses, wire.DescribeAddressesInput{}).Addresses[0]; shown.NetworkInterfaceId != nil {
		t.Errorf("the displaced address is of %+v", shown)
	}
	must(b, b.DeleteNetworkInterface, wire.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni})
	if !free() {
		t.Error("a deleted interface keeps the address")
	}
	must(o, o.ReleaseAddress, wire.ReleaseAddressInput{AllocationId: again.AllocationId})
}
