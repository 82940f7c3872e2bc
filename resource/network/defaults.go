package network

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"neargate/arn"
)

// AnyIPv4 is the prefix of all IPv4 addresses.
const AnyIPv4 = "0.0.0.0/0"

// Default marks an account's region as furnished with its default network.
type Default struct {
	Account, Region string
	Vpc             string // id of the default VPC
}

// Furniture is everything an account finds in a region it has never used.
type Furniture struct {
	Default         Default
	DhcpOptions     DhcpOptions
	Vpc             Vpc
	Subnets         []Subnet
	InternetGateway InternetGateway
	VpcParts
}

// Defaults lays out the default VPC of an account in a region that has never been
// used. It depends on its arguments only, ids included, so everyone who furnishes
// the region writes the same records.
func Defaults(account, region string) Furniture {
	return Furnish(account, region, func(prefix string, parts ...string) string {
		return derivedID(prefix, append([]string{account, region, prefix}, parts...)...)
	})
}

// Furnish lays out a default VPC: 172.31.0.0/16 with a /20 public subnet in each
// availability zone, an internet gateway, and the route table, network ACL and
// security group every VPC has. Source: Amazon VPC User Guide, Default VPC
// components. id makes the id of a new resource from the prefix of its kind; parts
// tell apart what else has the prefix.
func Furnish(account, region string, id func(prefix string, parts ...string) string) Furniture {
	var f Furniture
	f.DhcpOptions = AmazonDhcpOptions(account, region)
	f.Vpc = Vpc{
		Account: account, Region: region, ID: id("vpc"), CIDR: DefaultCIDR,
		CIDRAssociation: id("vpc-cidr-assoc"), DhcpOptions: f.DhcpOptions.ID, Tenancy: "default",
		Default: true, DNSSupport: true, DNSHostnames: true,
	}
	vpc := f.Vpc.ID
	f.Default = Default{Account: account, Region: region, Vpc: vpc}
	f.InternetGateway = InternetGateway{Account: account, Region: region, ID: id("igw"), Vpc: vpc}
	f.VpcParts = f.Vpc.Parts(id)
	f.RouteTable.Routes = slices.Insert(f.RouteTable.Routes, 0, Route{
		Destination: AnyIPv4, Gateway: f.InternetGateway.ID, Origin: OriginCreateRoute,
	})
	for i, z := range arn.Zones(region) {
		s := DefaultSubnet(&f.Vpc, z, i, id("subnet", z.Name))
		f.Subnets = append(f.Subnets, s)
		f.NetworkAcl.Associations = append(f.NetworkAcl.Associations, NetworkAclAssociation{id("aclassoc", z.Name), s.ID})
	}
	return f
}

// DefaultCIDR is the range of every default VPC.
const DefaultCIDR = "172.31.0.0/16"

// DefaultSubnets is how many default subnets a default VPC has room for.
const DefaultSubnets = 16

// DefaultSubnet is the default subnet of a default VPC in the zone that has the
// i-th /20 of its range.
func DefaultSubnet(v *Vpc, z arn.Zone, i int, id string) Subnet {
	return Subnet{
		Account: v.Account, Region: v.Region, ID: id, Vpc: v.ID,
		CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(16 * i)}), 20).String(),
		Zone: z.Name, ZoneID: z.ID, DefaultForAZ: true, MapPublicIP: true,
	}
}

// AmazonDhcpOptions is the set of DHCP options that VPCs of an account in a region
// have from their creation on: Amazon's resolver and private names.
func AmazonDhcpOptions(account, region string) DhcpOptions {
	return DhcpOptions{Account: account, Region: region, ID: derivedID("dopt", account, region, "dopt"), Values: []DhcpOption{
		{OptionDomain, []string{PrivateDomain(region)}},
		{OptionServers, []string{AmazonDNS}},
	}}
}

// AmazonDNS stands for the resolver of the VPC among DHCP options.
const AmazonDNS = "AmazonProvidedDNS"

// NoDhcpOptions in place of the id of a set of DHCP options means that there are none.
const NoDhcpOptions = "default"

// VpcParts is what every VPC is born with.
type VpcParts struct {
	RouteTable    RouteTable
	NetworkAcl    NetworkAcl
	SecurityGroup SecurityGroup
	Rules         []SecurityGroupRule
}

// Parts lays out what the VPC is born with: a main route table that keeps packets
// inside, a network ACL that lets everything through, and a security group whose
// members may reach each other and everything outside.
func (v *Vpc) Parts(id func(prefix string, parts ...string) string) VpcParts {
	var p VpcParts
	p.RouteTable = RouteTable{
		Account: v.Account, Region: v.Region, ID: id("rtb"), Vpc: v.ID, Routes: v.LocalRoutes(),
		Associations: []RouteTableAssociation{{ID: id("rtbassoc"), Main: true}},
	}
	p.NetworkAcl = NetworkAcl{Account: v.Account, Region: v.Region, ID: id("acl"), Vpc: v.ID, Default: true, Entries: defaultAclEntries()}
	p.SecurityGroup, p.Rules = defaultGroup(v, id("sg"), id("sgr", "ingress"), id("sgr", "egress"))
	return p
}

// LocalRoutes are the routes every route table of the VPC has: one for each of its
// ranges.
func (v *Vpc) LocalRoutes() []Route {
	var routes []Route
	for _, cidr := range v.CIDRs() {
		routes = append(routes, Route{Destination: cidr, Gateway: LocalGateway, Origin: OriginCreateRouteTable})
	}
	for _, b := range v.IPv6 {
		routes = append(routes, Route{Destination6: b.CIDR, Gateway: LocalGateway, Origin: OriginCreateRouteTable})
	}
	return routes
}

// defaultGroup is the security group every VPC is born with and its two rules:
// anything from its own members in, anything out.
func defaultGroup(v *Vpc, id, ingress, egress string) (SecurityGroup, []SecurityGroupRule) {
	g := SecurityGroup{
		Account: v.Account, Region: v.Region, ID: id, Vpc: v.ID,
		Name: DefaultGroup, Description: "default VPC security group",
	}
	all := Permission{Protocol: AllProtocols, From: -1, To: -1}
	in, out := all, all
	in.Peer = id
	out.Egress, out.IPv4 = true, AnyIPv4
	return g, []SecurityGroupRule{
		{Account: v.Account, Region: v.Region, ID: ingress, Group: id, Permission: in},
		{Account: v.Account, Region: v.Region, ID: egress, Group: id, Permission: out},
	}
}

// defaultAclEntries lets everything through in both directions.
func defaultAclEntries() []NetworkAclEntry {
	entries := ClosedAclEntries()
	for _, egress := range []bool{true, false} {
		entries = append(entries, NetworkAclEntry{Egress: egress, Number: 100, Protocol: AllProtocols, Action: "allow", CIDR: AnyIPv4})
	}
	SortAclEntries(entries)
	return entries
}

// ClosedAclEntries are those every network ACL has: what no other entry decides is
// denied, in both directions.
func ClosedAclEntries() []NetworkAclEntry {
	last := NetworkAclEntry{Number: LastAclEntry, Protocol: AllProtocols, Action: "deny", CIDR: AnyIPv4}
	out := last
	out.Egress = true
	return []NetworkAclEntry{out, last}
}

// derivedID is an EC2 id that follows from the parts alone.
func derivedID(prefix string, parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + "-0" + hex.EncodeToString(h[:8])
}
