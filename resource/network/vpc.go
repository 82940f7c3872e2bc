// Package network holds the stored records of EC2 networking (VPCs, subnets,
// route tables, network ACLs, security groups, network interfaces, addresses)
// and what follows from them alone.
package network

import (
	"cmp"
	"maps"
	"slices"

	"neargate/arn"
)

// Tag is a resource tag.
type Tag struct{ Key, Value string }

// Tags makes a sorted tag list, the form in which records keep tags.
func Tags(m map[string]string) []Tag {
	var tags []Tag
	for _, k := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, Tag{k, m[k]})
	}
	return tags
}

// MergeTags returns a new sorted list of tags: those of old, overwritten and
// extended by add.
func MergeTags(old, add []Tag) []Tag {
	m := make(map[string]string, len(old)+len(add))
	for _, t := range old {
		m[t.Key] = t.Value
	}
	for _, t := range add {
		m[t.Key] = t.Value
	}
	return Tags(m)
}

// Vpc is a virtual private cloud. Its state is always "available".
type Vpc struct {
	Account, Region, ID string
	CIDR                string      // canonical IPv4 prefix
	CIDRAssociation     string      // vpc-cidr-assoc-…
	Secondary           []CIDRBlock `json:",omitempty"` // further IPv4 ranges, in the order they were added
	IPv6                []CIDRBlock `json:",omitempty"` // IPv6 ranges, in the order they were added
	DhcpOptions         string      // dopt-…, or NoDhcpOptions
	Tenancy             string      // "default" or "dedicated", which matters to instances only
	Default             bool
	DNSSupport          bool
	DNSHostnames        bool
	AddressUsageMetrics bool
	Tags                []Tag `json:",omitempty"`
}

// CIDRBlock is a range of addresses that a VPC or a subnet has beside its first.
type CIDRBlock struct {
	Association string // vpc-cidr-assoc-… or subnet-cidr-assoc-…
	CIDR        string // canonical prefix
}

// CIDRs are all IPv4 ranges of the VPC, the first one first.
func (v *Vpc) CIDRs() []string {
	all := []string{v.CIDR}
	for _, b := range v.Secondary {
		all = append(all, b.CIDR)
	}
	return all
}

// Subnet is a range of a VPC's addresses in one availability zone. Its state is
// always "available".
type Subnet struct {
	Account, Region, ID, Vpc string
	CIDR                     string // canonical IPv4 prefix
	Zone, ZoneID             string // e.g. us-east-1a, use1-az1
	DefaultForAZ             bool
	MapPublicIP              bool        // MapPublicIpOnLaunch
	IPv6                     []CIDRBlock `json:",omitempty"` // at most one
	AssignIPv6               bool        `json:",omitempty"` // AssignIpv6AddressOnCreation
	HostnameType             string      `json:",omitempty"` // of PrivateDnsNameOptionsOnLaunch; empty: ip-name
	HostnameA, HostnameAAAA  bool        `json:",omitempty"` // EnableResourceNameDns…Record
	DNS64                    bool        `json:",omitempty"`
	Reservations             []Reserved  `json:",omitempty"` // in order of their ids
	Tags                     []Tag       `json:",omitempty"`
}

// ARN is the subnet's Amazon Resource Name.
func (s *Subnet) ARN() string { return arn.New("ec2", s.Region, s.Account, "subnet/"+s.ID) }

// InternetGateway is a VPC's way to the internet, or unattached while Vpc is empty.
type InternetGateway struct {
	Account, Region, ID string
	Vpc                 string `json:",omitempty"`
	Tags                []Tag  `json:",omitempty"`
}

// RouteTable says where packets leaving a subnet go.
type RouteTable struct {
	Account, Region, ID, Vpc string
	Routes                   []Route // in the order DescribeRouteTables shows: newest first
	Associations             []RouteTableAssociation
	Tags                     []Tag `json:",omitempty"`
}

// Main reports whether t is its VPC's main route table.
func (t *RouteTable) Main() bool {
	return slices.ContainsFunc(t.Associations, func(a RouteTableAssociation) bool { return a.Main })
}

// LocalGateway is the target of a VPC's local route.
const LocalGateway = "local"

// Origins of a route.
const (
	OriginCreateRouteTable = "CreateRouteTable"
	OriginCreateRoute      = "CreateRoute" // also routes of gateway endpoints
)

// Route sends a destination to a target. Exactly one of the destinations and one of
// the targets is set. A route whose target is gone, or no longer of the VPC, is a
// black hole: that follows from the other records, see edges.Active.
type Route struct {
	Destination  string `json:",omitempty"` // canonical IPv4 prefix
	Destination6 string `json:",omitempty"` // canonical IPv6 prefix
	PrefixList   string `json:",omitempty"` // pl-…
	Gateway      string `json:",omitempty"` // "local", igw-…, or vpce-… of a gateway endpoint
	NatGateway   string `json:",omitempty"` // nat-…
	Peering      string `json:",omitempty"` // pcx-…
	Interface    string `json:",omitempty"` // eni-…
	EgressOnly   string `json:",omitempty"` // eigw-…
	Origin       string
}

// RouteTableAssociation binds a route table to a subnet, or to the VPC as its
// main table.
type RouteTableAssociation struct {
	ID     string // rtbassoc-…
	Subnet string `json:",omitempty"`
	Main   bool   `json:",omitempty"`
}

// NetworkAcl is a stateless packet filter of subnets.
type NetworkAcl struct {
	Account, Region, ID, Vpc string
	Default                  bool
	Entries                  []NetworkAclEntry // egress first, each direction by ascending number
	Associations             []NetworkAclAssociation
	Tags                     []Tag `json:",omitempty"`
}

// LastAclEntry is the number of the unremovable entry that denies the rest.
const LastAclEntry = 32767

// NetworkAclEntry is one numbered rule of a network ACL.
type NetworkAclEntry struct {
	Egress   bool
	Number   int
	Protocol string // protocol number; "-1" is all
	Action   string // allow, deny
	CIDR     string // canonical IPv4 prefix; empty: IPv6
	IPv6     string `json:",omitempty"` // canonical IPv6 prefix
	From, To int    // TCP and UDP ports; ICMP type and code
}

// NetworkAclAssociation binds a network ACL to a subnet.
type NetworkAclAssociation struct{ ID, Subnet string }

// SortAclEntries orders entries as DescribeNetworkAcls shows them.
func SortAclEntries(entries []NetworkAclEntry) {
	slices.SortFunc(entries, func(a, b NetworkAclEntry) int {
		if a.Egress != b.Egress {
			if a.Egress {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Number, b.Number)
	})
}

// DhcpOptions is a set of DHCP options.
type DhcpOptions struct {
	Account, Region, ID string
	Values              []DhcpOption
	Tags                []Tag `json:",omitempty"`
}

// DhcpOption is one DHCP option and its values.
type DhcpOption struct {
	Key    string
	Values []string
}
