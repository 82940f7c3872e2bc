package call

import (
	"regexp"
	"strings"

	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Kind is a kind of resource: how its ids look and what AWS says about a wrong
// one.
type Kind[R any] struct {
	Table     store.Table[R]
	Prefix    string // of ids, without the dash
	NotFound  string // error code
	Absent    string // error text, %s is the id
	Malformed string // error code; "" where a malformed id is merely not found
	Type      string // resource type in tags
	ID        func(*R) string
	Tags      func(*R) *[]network.Tag
}

// The kinds of resource.
var (
	Vpcs = Kind[network.Vpc]{
		Table: tables.Vpcs, Prefix: "vpc", Type: "vpc",
		NotFound: "InvalidVpcID.NotFound", Absent: "The vpc ID '%s' does not exist",
		ID:   func(r *network.Vpc) string { return r.ID },
		Tags: func(r *network.Vpc) *[]network.Tag { return &r.Tags },
	}
	Subnets = Kind[network.Subnet]{
		Table: tables.Subnets, Prefix: "subnet", Type: "subnet",
		NotFound: "InvalidSubnetID.NotFound", Absent: "The subnet ID '%s' does not exist",
		ID:   func(r *network.Subnet) string { return r.ID },
		Tags: func(r *network.Subnet) *[]network.Tag { return &r.Tags },
	}
	InternetGateways = Kind[network.InternetGateway]{
		Table: tables.InternetGateways, Prefix: "igw", Type: "internet-gateway",
		NotFound: "InvalidInternetGatewayID.NotFound", Absent: "The internetGateway ID '%s' does not exist",
		ID:   func(r *network.InternetGateway) string { return r.ID },
		Tags: func(r *network.InternetGateway) *[]network.Tag { return &r.Tags },
	}
	RouteTables = Kind[network.RouteTable]{
		Table: tables.RouteTables, Prefix: "rtb", Type: "route-table",
		NotFound: "InvalidRouteTableID.NotFound", Absent: "The routeTable ID '%s' does not exist",
		ID:   func(r *network.RouteTable) string { return r.ID },
		Tags: func(r *network.RouteTable) *[]network.Tag { return &r.Tags },
	}
	NetworkAcls = Kind[network.NetworkAcl]{
		Table: tables.NetworkAcls, Prefix: "acl", Type: "network-acl",
		NotFound: "InvalidNetworkAclID.NotFound", Absent: "The networkAcl ID '%s' does not exist",
		ID:   func(r *network.NetworkAcl) string { return r.ID },
		Tags: func(r *network.NetworkAcl) *[]network.Tag { return &r.Tags },
	}
	DhcpOptions = Kind[network.DhcpOptions]{
		Table: tables.DhcpOptions, Prefix: "dopt", Type: "dhcp-options",
		NotFound: "InvalidDhcpOptionID.NotFound", Absent: "The dhcpOption ID '%s' does not exist",
		ID:   func(r *network.DhcpOptions) string { return r.ID },
		Tags: func(r *network.DhcpOptions) *[]network.Tag { return &r.Tags },
	}
	Groups = Kind[network.SecurityGroup]{
		Table: tables.SecurityGroups, Prefix: "sg", Type: "security-group",
		NotFound: "InvalidGroup.NotFound", Absent: "The security group '%s' does not exist",
		Malformed: "InvalidGroupId.Malformed",
		ID:        func(r *network.SecurityGroup) string { return r.ID },
		Tags:      func(r *network.SecurityGroup) *[]network.Tag { return &r.Tags },
	}
	Rules = Kind[network.SecurityGroupRule]{
		Table: tables.SecurityGroupRules, Prefix: "sgr", Type: "security-group-rule",
		NotFound: "InvalidSecurityGroupRuleId.NotFound", Absent: "The security group rule ID '%s' does not exist",
		Malformed: "InvalidSecurityGroupRuleId.Malformed",
		ID:        func(r *network.SecurityGroupRule) string { return r.ID },
		Tags:      func(r *network.SecurityGroupRule) *[]network.Tag { return &r.Tags },
	}
	Interfaces = Kind[network.NetworkInterface]{
		Table: tables.NetworkInterfaces, Prefix: "eni", Type: "network-interface",
		NotFound: "InvalidNetworkInterfaceID.NotFound", Absent: "The networkInterface ID '%s' does not exist",
		Malformed: "InvalidNetworkInterfaceId.Malformed",
		ID:        func(r *network.NetworkInterface) string { return r.ID },
		Tags:      func(r *network.NetworkInterface) *[]network.Tag { return &r.Tags },
	}
)

var idDigits = regexp.MustCompile(`^([0-9a-f]{8}|[0-9a-f]{17})$`)

// Check refuses an id that cannot be one.
func (k Kind[R]) Check(id string) error {
	digits, ok := strings.CutPrefix(id, k.Prefix+"-")
	switch {
	case ok && idDigits.MatchString(digits) && strings.Trim(digits, "0") != "":
		return nil
	case k.Malformed == "":
		return shape.Errorf(k.NotFound, k.Absent, id)
	case !ok:
		return shape.Errorf(k.Malformed, "Invalid id: \"%s\" (expecting \"%s-...\")", id, k.Prefix)
	}
	return shape.Errorf(k.Malformed, "Invalid id: \"%s\"", id)
}

// Get returns the caller's resource with the id, or AWS's error.
func (k Kind[R]) Get(s Scope, id string) (R, error) {
	if err := k.Check(id); err != nil {
		var zero R
		return zero, err
	}
	account, region := s.Tenant()
	r, found, err := k.Table.Find(s.Tx, account, region, id)
	if err == nil && !found {
		err = shape.Errorf(k.NotFound, k.Absent, id)
	}
	return r, err
}
