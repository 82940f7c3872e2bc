package ec2

import (
	"regexp"
	"strings"

	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// kind is a kind of resource: how its ids look and what AWS says about a wrong
// one.
type kind[R any] struct {
	table     store.Table[R]
	prefix    string // of ids, without the dash
	notFound  string // error code
	absent    string // error text, %s is the id
	malformed string // error code; "" where a malformed id is merely not found
	typ       string // resource type in tags
	id        func(*R) string
	tags      func(*R) *[]network.Tag
}

var (
	vpcs = kind[network.Vpc]{
		table: tables.Vpcs, prefix: "vpc", typ: "vpc",
		notFound: "InvalidVpcID.NotFound", absent: "The vpc ID '%s' does not exist",
		id:   func(r *network.Vpc) string { return r.ID },
		tags: func(r *network.Vpc) *[]network.Tag { return &r.Tags },
	}
	subnets = kind[network.Subnet]{
		table: tables.Subnets, prefix: "subnet", typ: "subnet",
		notFound: "InvalidSubnetID.NotFound", absent: "The subnet ID '%s' does not exist",
		id:   func(r *network.Subnet) string { return r.ID },
		tags: func(r *network.Subnet) *[]network.Tag { return &r.Tags },
	}
	gateways = kind[network.InternetGateway]{
		table: tables.InternetGateways, prefix: "igw", typ: "internet-gateway",
		notFound: "InvalidInternetGatewayID.NotFound", absent: "The internetGateway ID '%s' does not exist",
		id:   func(r *network.InternetGateway) string { return r.ID },
		tags: func(r *network.InternetGateway) *[]network.Tag { return &r.Tags },
	}
	routeTables = kind[network.RouteTable]{
		table: tables.RouteTables, prefix: "rtb", typ: "route-table",
		notFound: "InvalidRouteTableID.NotFound", absent: "The routeTable ID '%s' does not exist",
		id:   func(r *network.RouteTable) string { return r.ID },
		tags: func(r *network.RouteTable) *[]network.Tag { return &r.Tags },
	}
	acls = kind[network.NetworkAcl]{
		table: tables.NetworkAcls, prefix: "acl", typ: "network-acl",
		notFound: "InvalidNetworkAclID.NotFound", absent: "The networkAcl ID '%s' does not exist",
		id:   func(r *network.NetworkAcl) string { return r.ID },
		tags: func(r *network.NetworkAcl) *[]network.Tag { return &r.Tags },
	}
	dhcpOptions = kind[network.DhcpOptions]{
		table: tables.DhcpOptions, prefix: "dopt", typ: "dhcp-options",
		notFound: "InvalidDhcpOptionID.NotFound", absent: "The dhcpOption ID '%s' does not exist",
		id:   func(r *network.DhcpOptions) string { return r.ID },
		tags: func(r *network.DhcpOptions) *[]network.Tag { return &r.Tags },
	}
	groups = kind[network.SecurityGroup]{
		table: tables.SecurityGroups, prefix: "sg", typ: "security-group",
		notFound: "InvalidGroup.NotFound", absent: "The security group '%s' does not exist",
		malformed: "InvalidGroupId.Malformed",
		id:        func(r *network.SecurityGroup) string { return r.ID },
		tags:      func(r *network.SecurityGroup) *[]network.Tag { return &r.Tags },
	}
	rules = kind[network.SecurityGroupRule]{
		table: tables.SecurityGroupRules, prefix: "sgr", typ: "security-group-rule",
		notFound: "InvalidSecurityGroupRuleId.NotFound", absent: "The security group rule ID '%s' does not exist",
		malformed: "InvalidSecurityGroupRuleId.Malformed",
		id:        func(r *network.SecurityGroupRule) string { return r.ID },
		tags:      func(r *network.SecurityGroupRule) *[]network.Tag { return &r.Tags },
	}
	interfaces = kind[network.NetworkInterface]{
		table: tables.NetworkInterfaces, prefix: "eni", typ: "network-interface",
		notFound: "InvalidNetworkInterfaceID.NotFound", absent: "The networkInterface ID '%s' does not exist",
		malformed: "InvalidNetworkInterfaceId.Malformed",
		id:        func(r *network.NetworkInterface) string { return r.ID },
		tags:      func(r *network.NetworkInterface) *[]network.Tag { return &r.Tags },
	}
)

var idDigits = regexp.MustCompile(`^([0-9a-f]{8}|[0-9a-f]{17})$`)

// check refuses an id that cannot be one.
func (k kind[R]) check(id string) error {
	digits, ok := strings.CutPrefix(id, k.prefix+"-")
	switch {
	case ok && idDigits.MatchString(digits) && strings.Trim(digits, "0") != "":
		return nil
	case k.malformed == "":
		return shape.Errorf(k.notFound, k.absent, id)
	case !ok:
		return shape.Errorf(k.malformed, "Invalid id: \"%s\" (expecting \"%s-...\")", id, k.prefix)
	}
	return shape.Errorf(k.malformed, "Invalid id: \"%s\"", id)
}

// get returns the caller's resource with the id, or AWS's error.
func (k kind[R]) get(s scope, id string) (R, error) {
	if err := k.check(id); err != nil {
		var zero R
		return zero, err
	}
	account, region := s.tenant()
	r, found, err := k.table.Find(s.tx, account, region, id)
	if err == nil && !found {
		err = shape.Errorf(k.notFound, k.absent, id)
	}
	return r, err
}
