package network

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
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
	RouteTable      RouteTable
	NetworkAcl      NetworkAcl
	SecurityGroup   SecurityGroup
	Rules           []SecurityGroupRule
}

// Defaults lays out the default VPC of an account in a region: 172.31.0.0/16 with
// a /20 public subnet in each availability zone, an internet gateway, and the
// route table, network ACL and security group every VPC has. It depends on its
// arguments only, ids included, so everyone who furnishes the region writes the
// same records. Source: Amazon VPC User Guide, Default VPC components.
func Defaults(account, region string) Furniture {
	id := func(prefix string, parts ...string) string {
		return derivedID(prefix, append([]string{account, region, prefix}, parts...)...)
	}
	var f Furniture
	f.DhcpOptions = DhcpOptions{Account: account, Region: region, ID: id("dopt"), Values: []DhcpOption{
		{"domain-name", []string{PrivateDomain(region)}},
		{"domain-name-servers", []string{"AmazonProvidedDNS"}},
	}}
	f.Vpc = Vpc{
		Account: account, Region: region, ID: id("vpc"), CIDR: "172.31.0.0/16",
		CIDRAssociation: id("vpc-cidr-assoc"), DhcpOptions: f.DhcpOptions.ID, Tenancy: "default",
		Default: true, DNSSupport: true, DNSHostnames: true,
	}
	vpc := f.Vpc.ID
	f.Default = Default{Account: account, Region: region, Vpc: vpc}
	f.InternetGateway = InternetGateway{Account: account, Region: region, ID: id("igw"), Vpc: vpc}
	f.RouteTable = RouteTable{
		Account: account, Region: region, ID: id("rtb"), Vpc: vpc,
		Routes: []Route{
			{Destination: AnyIPv4, Gateway: f.InternetGateway.ID, Origin: OriginCreateRoute},
			{Destination: f.Vpc.CIDR, Gateway: LocalGateway, Origin: OriginCreateRouteTable},
		},
		Associations: []RouteTableAssociation{{ID: id("rtbassoc"), Main: true}},
	}
	f.NetworkAcl = NetworkAcl{Account: account, Region: region, ID: id("acl"), Vpc: vpc, Default: true, Entries: defaultAclEntries()}
	for i, z := range arn.Zones(region) {
		s := Subnet{
			Account: account, Region: region, ID: id("subnet", z.Name), Vpc: vpc,
			CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(16 * i)}), 20).String(),
			Zone: z.Name, ZoneID: z.ID, DefaultForAZ: true, MapPublicIP: true,
		}
		f.Subnets = append(f.Subnets, s)
		f.NetworkAcl.Associations = append(f.NetworkAcl.Associations, NetworkAclAssociation{id("aclassoc", z.Name), s.ID})
	}
	f.SecurityGroup, f.Rules = defaultGroup(&f.Vpc, id("sg"), id("sgr", "ingress"), id("sgr", "egress"))
	return f
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
	var entries []NetworkAclEntry
	for _, egress := range []bool{true, false} {
		for _, e := range []NetworkAclEntry{{Number: 100, Action: "allow"}, {Number: LastAclEntry, Action: "deny"}} {
			e.Egress, e.Protocol, e.CIDR = egress, AllProtocols, AnyIPv4
			entries = append(entries, e)
		}
	}
	return entries
}

// derivedID is an EC2 id that follows from the parts alone.
func derivedID(prefix string, parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + "-0" + hex.EncodeToString(h[:8])
}
