// Package firewall renders what AWS lets pass, security groups and network ACLs,
// into nftables rulesets, and says of a packet whether it passes.
//
// A VPC's ruleset lives in the namespace that routes the VPC. Its base chains see
// every forwarded packet in turn: network ACLs without state, security groups of
// the interface it came from, security groups of the interface it goes to. Which
// chain judges a packet is one look-up by interface, and whether an address
// belongs to a group is one look-up by address, so a packet's cost does not grow
// with the number of interfaces or members. Packets of known connections are not
// judged again, as AWS tracks connections.
// Sources: Amazon VPC User Guide, Security groups; Network ACLs; Amazon EC2 User
// Guide, Security group connection tracking.
package firewall

import (
	"net/netip"
	"slices"
	"strconv"

	"neargate/resource/network"
)

// Policy is what one VPC lets pass on this host, of IPv4 or of IPv6. Its addresses and
// ranges are of that family.
type Policy struct {
	IPv6       bool
	CIDRs      []netip.Prefix // of the VPC
	Gateway    string         // interface to the internet gateway; empty: not attached
	EgressOnly string         // interface to the egress-only internet gateway, of IPv6; empty: none
	Interfaces []Interface    // on this host, with distinct names
	Kept       []Interface    // as that may come, by their groups, subnets and ACLs: what would judge them is there
	Groups     []Group        // every group that is used or referred to
	ACLs       []ACL
	Endpoints  []Endpoint // what the VPC's own namespace answers
	Peers      []Peer
	Services   []string // interfaces to gateway endpoints
}

// carriers are the interfaces whose groups and ACLs have rules.
func (p Policy) carriers() []Interface { return slices.Concat(p.Interfaces, p.Kept) }

// Peer is a peering connection: an interface to the namespace of another VPC,
// where that VPC's policy applies. What comes by it goes to interfaces of this VPC
// only, not on to gateways, endpoints or other peers. Source: Amazon VPC Peering
// Guide, How VPC peering works.
type Peer struct {
	Name  string         // of the device
	CIDRs []netip.Prefix // of the other VPC, which are none of this one's
}

// Endpoint is a service that AWS offers inside every VPC under an address of its
// own, as the resolver. Neither security groups nor network ACLs apply to it.
// Source: Amazon VPC User Guide, Control subnet traffic with network ACLs.
type Endpoint struct {
	Address  netip.Addr
	Protocol int // IANA number, TCP or UDP
	Port     int
}

// Interface is a network interface as the firewall sees it.
type Interface struct {
	Name      string // of the device in the VPC's namespace
	Addresses []netip.Addr
	Public    netip.Addr // stands for the first address beyond the gateway; invalid: none
	Mapped    []Mapping  // public addresses of others
	Groups    []string   // ids
	Subnet    netip.Prefix
	ACL       string // id; empty: everything passes
	Forwards  bool   // sends under other addresses than its own: no source check
	Open      bool   // no security group applies, as with NAT gateways
	Tracked   bool   // every connection is, as with NAT gateways and VPC endpoints
}

// Mapping is a public address that stands for a private one beyond the gateway.
type Mapping struct{ Private, Public netip.Addr }

// mappings are all public addresses of the interface.
func (i *Interface) mappings() []Mapping {
	if !i.Public.IsValid() || len(i.Addresses) == 0 {
		return i.Mapped
	}
	return append([]Mapping{{i.Addresses[0], i.Public}}, i.Mapped...)
}

// Group is a security group. A permission that is not about the policy's family or
// cannot be read lets nothing pass.
type Group struct {
	ID          string
	Permissions []network.Permission
	Members     []netip.Addr // private addresses of its interfaces on all hosts
	MembersIPv6 []netip.Addr // theirs of IPv6, which are no part of a policy of IPv4
}

// ACL is a network ACL.
type ACL struct {
	ID      string
	Entries []network.NetworkAclEntry
}

// Protocol numbers. Source: IANA, Assigned Internet Protocol Numbers.
const (
	TCP          = protocolTCP
	UDP          = protocolUDP
	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17

	protocolICMPv6 = 58
)

// traffic is the part of a permission or ACL entry that says which packets.
type traffic struct {
	protocol int // -1: all
	from, to int // ports, or ICMP type and code; -1: any
	peer     netip.Prefix
	group    string // instead of peer
}

func (x *Policy) trafficOf(p network.Permission) (traffic, bool) {
	t := traffic{from: p.From, to: p.To, group: p.Peer}
	var ok bool
	if t.protocol, ok = protocolNumber(p.Protocol); !ok {
		return t, false
	}
	switch {
	case t.group != "":
	case x.IPv6:
		t.peer, ok = network.Canonical(p.IPv6, 6)
	default:
		t.peer, ok = network.Canonical(p.IPv4, 4)
	}
	return t, ok
}

func (x *Policy) trafficOfEntry(e network.NetworkAclEntry) (traffic, bool) {
	return x.trafficOf(network.Permission{Protocol: e.Protocol, From: e.From, To: e.To, IPv4: e.CIDR, IPv6: e.IPv6})
}

func protocolNumber(s string) (int, bool) {
	switch s {
	case network.AllProtocols:
		return -1, true
	case "icmp":
		return protocolICMP, true
	case "icmpv6":
		return protocolICMPv6, true
	case "tcp":
		return protocolTCP, true
	case "udp":
		return protocolUDP, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n < 256
}

// ports reports whether t is limited to some ports.
func (t traffic) ports() bool {
	return (t.protocol == protocolTCP || t.protocol == protocolUDP) && t.from >= 0 && (t.from > 0 || t.to < 65535)
}

// typed reports whether t is about a protocol with types and codes.
func (t traffic) typed() bool { return t.protocol == protocolICMP || t.protocol == protocolICMPv6 }

// Packet is a packet that opens a connection.
type Packet struct {
	Input, Output       string     // devices
	Source, Destination netip.Addr // private addresses where interfaces of the VPC are meant
	Protocol            int
	Port                int  // destination port of TCP and UDP
	Type, Code          int  // of ICMP
	Established         bool // of a known connection
	Reply               bool // of one that was opened the other way
}

// Allows reports whether the packet passes, and if not, what stops it: the id of
// a network ACL, "spoofed", "transit", "no public address", "egress-only", "egress" or
// "ingress".
func (p *Policy) Allows(k Packet) (ok bool, by string) {
	in, fromENI := p.device(k.Input)
	out, toENI := p.device(k.Output)
	service := slices.Contains(p.Services, k.Input)
	switch {
	case !p.sends(k, in, fromENI):
		return false, "spoofed"
	case fromENI && !p.aclAllows(in, true, k.Destination, k):
		return false, in.ACL
	case toENI && !p.aclAllows(out, false, k.Source, k):
		return false, out.ACL
	case k.Reply && p.onlyOut(k.Output):
		return false, "egress-only"
	case k.Established:
		return true, ""
	case p.onlyOut(k.Input):
		return false, "egress-only"
	case service: // only answers
		return false, "egress"
	case fromENI && !in.Open && !p.groupsAllow(in, true, k.Destination, k):
		return false, "egress"
	case toENI && !out.Open && !p.groupsAllow(out, false, k.Source, k):
		return false, "ingress"
	case toENI:
		return true, ""
	case p.Gateway != "" && k.Output == p.Gateway, p.onlyOut(k.Output):
		if fromENI && p.public(in, k.Source) {
			return true, ""
		}
		return false, "no public address"
	case !fromENI:
		return false, "transit"
	case p.peer(k.Output) != nil, slices.Contains(p.Services, k.Output):
		return true, ""
	}
	return false, "ingress"
}

// onlyOut reports whether a device leads to the egress-only internet gateway.
func (p *Policy) onlyOut(device string) bool { return p.EgressOnly != "" && device == p.EgressOnly }

// public reports whether what i sends from a is known in the internet: of IPv6, each
// interface's address is, whoever sends from it.
func (p *Policy) public(i *Interface, a netip.Addr) bool {
	if p.IPv6 {
		return slices.ContainsFunc(p.Interfaces, func(o Interface) bool { return slices.Contains(o.Addresses, a) })
	}
	return slices.ContainsFunc(i.mappings(), func(m Mapping) bool { return m.Private == a })
}

// sends reports whether the packet's source is one that its input may send from.
func (p *Policy) sends(k Packet, in *Interface, fromENI bool) bool {
	within := func(all []netip.Prefix) bool {
		return slices.ContainsFunc(all, func(c netip.Prefix) bool { return c.Contains(k.Source) })
	}
	switch {
	case fromENI:
		return in.Forwards || slices.Contains(in.Addresses, k.Source)
	case k.Input == "":
		return false
	case k.Input == p.Gateway, p.onlyOut(k.Input):
		return !within(p.CIDRs)
	case p.peer(k.Input) != nil:
		return within(p.peer(k.Input).CIDRs)
	}
	return slices.Contains(p.Services, k.Input)
}

func (p *Policy) peer(name string) *Peer {
	for i := range p.Peers {
		if p.Peers[i].Name == name {
			return &p.Peers[i]
		}
	}
	return nil
}

func (p *Policy) device(name string) (*Interface, bool) {
	for i := range p.Interfaces {
		if p.Interfaces[i].Name == name {
			return &p.Interfaces[i], true
		}
	}
	return nil, false
}

func (p *Policy) group(id string) *Group {
	for i := range p.Groups {
		if p.Groups[i].ID == id {
			return &p.Groups[i]
		}
	}
	return &Group{}
}

func (p *Policy) groupsAllow(i *Interface, egress bool, peer netip.Addr, k Packet) bool {
	for _, id := range i.Groups {
		for _, perm := range p.group(id).Permissions {
			if t, ok := p.trafficOf(perm); ok && perm.Egress == egress && p.meets(t, peer, k) {
				return true
			}
		}
	}
	return false
}

// aclAllows judges traffic across the border of i's subnet; inside the subnet
// its ACL has no say.
func (p *Policy) aclAllows(i *Interface, egress bool, peer netip.Addr, k Packet) bool {
	if i.ACL == "" || i.Subnet.Contains(peer) {
		return true
	}
	for _, a := range p.ACLs {
		if a.ID != i.ACL {
			continue
		}
		for _, e := range sortedEntries(a) {
			if t, ok := p.trafficOfEntry(e); ok && e.Egress == egress && p.meets(t, peer, k) {
				return e.Action == "allow"
			}
		}
	}
	return false
}

func sortedEntries(a ACL) []network.NetworkAclEntry {
	entries := slices.Clone(a.Entries)
	network.SortAclEntries(entries)
	return entries
}

func (p *Policy) meets(t traffic, peer netip.Addr, k Packet) bool {
	if t.group != "" && !slices.Contains(p.group(t.group).Members, peer) || t.group == "" && !t.peer.Contains(peer) {
		return false
	}
	switch {
	case t.protocol == -1:
		return true
	case t.protocol != k.Protocol:
		return false
	case t.ports():
		return t.from <= k.Port && k.Port <= t.to
	case t.typed():
		return (t.from < 0 || t.from == k.Type) && (t.from < 0 || t.to < 0 || t.to == k.Code)
	}
	return true
}
