// Package network makes the VPCs of an installation real on one Linux host.
//
// A VPC is a network namespace that routes: there is no bridge and no broadcast.
// A network interface is a veth pair between that namespace and one of the
// task's own; the VPC's namespace has a host route to each address, answers ARP
// for every other address (the subnets' first addresses among them), and chooses
// the route table by the subnet a packet comes from. An internet gateway is a
// veth pair to the host's namespace with one-to-one translation between private
// and public addresses; the host has a route to each public address. Addresses of
// different VPCs may be equal. Package firewall says what passes.
//
// What is wanted is plain data (Host, VPC); what is, is observed from the kernel
// each time; a pure function lists the steps between the two. Nothing is kept in
// files, so a restart, a crash or an administrator's mistake is one more
// difference to level out. What happens inside a task's namespace after its
// interface was plugged belongs to the task's sandbox.
//
// # What it does to the host's namespace
//
// Devices, routes (protocol 110, with a metric of the installation's own) and an
// nftables table that carry the installation's tag. Forwarding is turned on for
// these devices and for the uplinks; an uplink that did not forward before is
// kept from forwarding anything but packets to gateways, and is set back when the
// machine's last installation is removed. ip_forward, default routes and other
// tables are never touched. The public pool is blackholed but for the addresses
// in use, and so are the ranges of the VPCs, except those that overlap a network
// the host itself is in.
package network

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"neargate/node/firewall"
	"neargate/node/network/kern"
)

// Host is what an installation wants of the host's own namespace.
type Host struct {
	Tag     string       // tells the machine's installations apart
	Pool    netip.Prefix // public addresses; of no other installation on the machine
	Range   netip.Prefix // IPv6 addresses; of no other installation; invalid: there are none
	Address netip.Addr   // of Pool: by which the host shows itself to tasks
	Uplinks []string     // devices to the internet; none: no way out
	Routed  bool         // the network beyond sends Pool here; see firewall.Host
	// Services are addresses of Pool: who listens there in the namespace Services, on
	// ports 443 and 80, is reached from this host and through internet gateways.
	Services []netip.Addr
}

// VPC is a VPC with what it has on this host.
type VPC struct {
	ID         string
	CIDRs      []netip.Prefix
	IPv6       []netip.Prefix // parts of the host's Range; none: the kernel does not speak it there
	Gateway    bool           // an internet gateway is attached
	EgressOnly bool           // there is an egress-only internet gateway, which is of use with IPv6
	Subnets    []Subnet
	Interfaces []Interface
	Kept       []Use            // by which tasks' interfaces may come: there are rules for them
	Groups     []firewall.Group // those that interfaces carry, or may, or that these refer to
	ACLs       []firewall.ACL
	Endpoints  []firewall.Endpoint // served by whoever listens in the VPC's namespace, see Manager.Space
	Gateways   []GatewayEndpoint
	Peers      []Peer // active peering connections
}

// Use is what the rules for an interface depend on.
type Use struct {
	Subnet string
	Groups []string
}

// GatewayEndpoint is a VPC endpoint that routes lead to. Who listens in the
// namespace Manager.Namespace(ID) at an address of Range, on ports 443 and 80, is
// reached.
type GatewayEndpoint struct {
	ID    string
	Range netip.Prefix
}

// Peer is a peering connection. It exists while both VPCs are on this host and
// want it.
type Peer struct {
	ID, VPC string         // of the connection, and of the other VPC
	CIDRs   []netip.Prefix // of the other VPC
}

// Subnet is a subnet with the routes of its route table.
type Subnet struct {
	ID     string
	CIDR   netip.Prefix
	IPv6   netip.Prefix // invalid: none
	Routes []Route      // without the local ones
	ACL    string       // id; empty: everything passes
}

// Route is a route that is not a VPC's local one. Where no device is, because the
// target is gone or is not on this host, packets are dropped.
type Route struct {
	Destination netip.Prefix
	Target      Target
	ID          string // of Device: of an interface, a gateway endpoint or a peer
}

// Target is where a route leads.
type Target int

// The targets. An interface takes what is not for its own addresses only if it
// forwards.
const (
	Blackhole Target = iota // the route's target is gone
	InternetGateway
	Device
	EgressOnlyGateway // for IPv6
)

// Interface is a network interface on this host.
type Interface struct {
	ID        string
	MAC       string
	Addresses []netip.Addr       // private, the primary first; only that one is set inside
	IPv6      []netip.Addr       // of tasks; those it has when it is plugged are set inside
	Public    netip.Addr         // of the primary address; invalid: none
	Mapped    []firewall.Mapping // public addresses of secondary ones
	Draining  []netip.Addr       // of a NAT gateway: those of Addresses that no connection takes any more
	Subnet    string             // id
	Groups    []string           // of a NAT gateway: none, and none applies
	Role      Role
	Forwards  bool // its source/destination check is off
	Flows     bool // its flows are counted, see Manager.Flows
	// Namespace is the file of an existing network namespace to plug the interface
	// into; empty: a new one. It counts only when the interface is plugged.
	Namespace string
}

// Role is what is behind an interface.
type Role int

// The roles.
const (
	Task    Role = iota
	NAT          // a NAT gateway, which forwards under its addresses
	Service      // who listens in Manager.Namespace on ports 443 and 80 is reached
)

func (i *Interface) forwards() bool { return i.Forwards || i.Role == NAT }

// sources are the addresses of a NAT gateway that connections take.
func (i *Interface) sources() []netip.Addr {
	return slices.DeleteFunc(slices.Clone(i.Addresses), func(a netip.Addr) bool { return slices.Contains(i.Draining, a) })
}

// publics are the public addresses of the interface.
func (i *Interface) publics() (all []netip.Addr) {
	if i.Public.IsValid() {
		all = append(all, i.Public)
	}
	for _, m := range i.Mapped {
		all = append(all, m.Public)
	}
	return all
}

// MTU of the network inside a VPC, and through an internet gateway. Source:
// Amazon EC2 User Guide, Network maximum transmission unit.
const (
	mtuVPC     = 9001
	mtuGateway = 1500
)

// Names and numbers in the kernel.
const (
	prefixGateways = "ng-" // of gateway devices of all installations
	prefixTask     = "e"   // of interfaces' devices and namespaces
	prefixVPC      = "v"   // of VPCs' namespaces
	prefixPeer     = "p"   // of devices to peers, at both ends
	nameServices   = "services"
	deviceGateway  = "igw"  // the gateway in a VPC's namespace
	deviceEgress   = "eigw" // the egress-only one
	deviceTask     = "eth0" // the interface in a task's namespace
	deviceLocal    = "lo"   // of routes that make addresses the namespace's own
	tableMain      = 254
	tableLocal     = 255
	lengthTag      = 5
	lengthGateway  = 7
	lengthHash     = 14
	metricLast     = 1 << 30 // of what no other route of a table takes
	metricIPv6     = 1024    // that routes of IPv6 have when none is said
)

// Preferences of the rules that choose a table: of what interfaces forward for
// others by their device; of all else by the source. First come routes inside the
// VPC that narrow the local one, then the local one, then the subnet's table.
const (
	preferForwardedNarrow = 60
	preferForwardedLocal  = 70
	preferForwarded       = 80
	preferNarrow          = 90
	preferLocal           = 100
	preferSubnet          = 200
)

// linkLocal is the next hop on gateway devices, which need no ARP: both ends
// have the same hardware address.
var linkLocal = netip.AddrFrom4([4]byte{169, 254, 0, 1})

// linkLocalIPv6 is the same for IPv6, and the gateway of tasks' interfaces, whose
// hardware address they are told.
var linkLocalIPv6 = netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: 1})

func digest(s string, n int) string {
	h := sha256.Sum256([]byte(s))
	return strings.ToLower(base32.HexEncoding.EncodeToString(h[:]))[:n]
}

// Name is the name of an interface's device in the VPC's namespace and of its
// namespace's file.
func Name(eni string) string { return prefixTask + digest(eni, lengthHash) }

func nameVPC(id string) string { return prefixVPC + digest(id, lengthHash) }

func (h Host) gatewayPrefix() string { return prefixGateways + digest(h.Tag, lengthTag) }

func (h Host) gatewayName(vpc string) string {
	return h.gatewayPrefix() + digest(vpc, lengthGateway)
}

func (h Host) egressName(vpc string) string {
	return h.gatewayPrefix() + digest("eigw/"+vpc, lengthGateway)
}

func (h Host) metric() int { return kern.Metric(h.Tag) }

func namePeer(id string) string { return prefixPeer + digest(id, lengthHash) }

// gatewayMAC is the hardware address of both ends of a gateway.
func gatewayMAC(vpc string) string { return sharedMAC("igw/" + vpc) }

// sharedMAC is the hardware address of both ends of a pair that does without ARP.
func sharedMAC(name string) string {
	h := sha256.Sum256([]byte(name))
	return fmt.Sprintf("12:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2], h[3], h[4])
}

func (h Host) firewall() firewall.Host {
	return firewall.Host{Tag: digest(h.Tag, lengthTag), Gateways: h.gatewayPrefix() + "*", Pool: h.Pool, Range: h.Range,
		Address: h.Address, Uplinks: h.Uplinks, Routed: h.Routed, Services: h.Services}
}

func (v VPC) subnet(id string) Subnet {
	for _, s := range v.Subnets {
		if s.ID == id {
			return s
		}
	}
	return Subnet{}
}

// peered reports whether p, a peer of v, is on this host among all, and peers.
func (v VPC) peered(p Peer, all map[string]VPC) bool {
	return p.VPC != v.ID && slices.ContainsFunc(all[p.VPC].Peers, func(back Peer) bool { return back.ID == p.ID && back.VPC == v.ID })
}

// policy is what package firewall needs of the VPC, among all of this host.
func (v VPC) policy(all map[string]VPC) firewall.Policy {
	p := firewall.Policy{CIDRs: v.CIDRs, Groups: v.Groups, ACLs: v.ACLs, Endpoints: v.Endpoints}
	for _, g := range v.Gateways {
		p.Services = append(p.Services, Name(g.ID))
	}
	for _, x := range v.Peers {
		if v.peered(x, all) {
			p.Peers = append(p.Peers, firewall.Peer{Name: namePeer(x.ID), CIDRs: ofFamily(x.CIDRs, false)})
		}
	}
	if v.Gateway {
		p.Gateway = deviceGateway
	}
	for _, i := range v.Interfaces {
		s := v.subnet(i.Subnet)
		p.Interfaces = append(p.Interfaces, firewall.Interface{Name: Name(i.ID), Addresses: i.Addresses,
			Public: i.Public, Mapped: i.Mapped, Groups: i.Groups, Subnet: s.CIDR, ACL: s.ACL, Forwards: i.forwards(), Open: i.Role == NAT, Tracked: i.Role != Task})
	}
	for _, u := range v.Kept {
		s := v.subnet(u.Subnet)
		p.Kept = append(p.Kept, firewall.Interface{Groups: u.Groups, Subnet: s.CIDR, ACL: s.ACL})
	}
	return p
}

// services are the names of the namespace of the host's services, if it has any.
func (h Host) services() []string {
	if len(h.Services) == 0 {
		return nil
	}
	return []string{nameServices}
}

// rulesets are those of the VPC's namespace and of its gateways' and endpoints',
// by namespace.
func (v VPC) rulesets(all map[string]VPC) map[string][]firewall.Ruleset {
	list := map[string][]firewall.Ruleset{}
	for _, p := range v.policies(all) {
		list[nameVPC(v.ID)] = append(list[nameVPC(v.ID)], firewall.Render(p))
	}
	for _, i := range v.Interfaces {
		switch {
		case len(i.Addresses) == 0:
		case i.Role == NAT:
			list[Name(i.ID)] = []firewall.Ruleset{firewall.RenderNAT(i.Addresses, i.sources())}
		case i.Role == Service:
			list[Name(i.ID)] = []firewall.Ruleset{firewall.RenderService()}
		}
	}
	for _, g := range v.Gateways {
		list[Name(g.ID)] = []firewall.Ruleset{firewall.RenderService()}
	}
	return list
}
