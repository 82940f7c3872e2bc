package path

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"neargate/resource/network"
	"neargate/resource/network/edge"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func port(n int) Range { return Range{n, n} }

// secondPrivate is a second address that secondPublic gives eni-web, with a public one.
const secondPrivate = "10.0.1.99"

func secondPublic(n *Network) {
	e := interface1(n, "eni-web")
	e.Addresses = append(slices.Clone(e.Addresses), secondPrivate)
	e.Mapped = []network.Mapping{{PrivateIP: secondPrivate, PublicIP: "198.18.4.99"}}
}

// tags is short for the tag Name.
func tags(name string) []network.Tag { return []network.Tag{{Key: nameTag, Value: name}} }

func eni(id, vpc, subnet, ip, public string, groups ...string) network.NetworkInterface {
	return network.NetworkInterface{Account: account, Region: region, ID: id, Vpc: vpc, Subnet: subnet, Addresses: []string{ip},
		PublicIP: public, Groups: groups, SourceDestCheck: true, Attachment: &network.InterfaceAttachment{ID: "eni-attach-" + id}}
}

func rule(id, group string, egress bool, protocol string, from, to int, peer string) network.SecurityGroupRule {
	r := network.SecurityGroupRule{Account: account, Region: region, ID: id, Group: group,
		Permission: network.Permission{Egress: egress, Protocol: protocol, From: from, To: to}}
	switch {
	case strings.HasPrefix(peer, "sg-"):
		r.Peer = peer
	case strings.HasPrefix(peer, "pl-"):
		r.PrefixList = peer
	default:
		r.IPv4 = peer
	}
	return r
}

func table(id, vpc string, main bool, subnet string, routes ...network.Route) network.RouteTable {
	t := network.RouteTable{Account: account, Region: region, ID: id, Vpc: vpc, Routes: routes}
	t.Associations = []network.RouteTableAssociation{{ID: "rtbassoc-" + id, Main: main, Subnet: subnet}}
	return t
}

func acl(id, vpc string, subnets []string, entries ...network.NetworkAclEntry) network.NetworkAcl {
	a := network.NetworkAcl{Account: account, Region: region, ID: id, Vpc: vpc, Entries: entries}
	for _, s := range subnets {
		a.Associations = append(a.Associations, network.NetworkAclAssociation{ID: "aclassoc-" + s, Subnet: s})
	}
	for _, egress := range []bool{true, false} {
		a.Entries = append(a.Entries, network.NetworkAclEntry{Egress: egress, Number: network.LastAclEntry, Protocol: "-1", Action: "deny", CIDR: network.AnyIPv4})
	}
	return a
}

func entry(number int, egress bool, action, protocol, cidr string, from, to int) network.NetworkAclEntry {
	return network.NetworkAclEntry{Number: number, Egress: egress, Action: action, Protocol: protocol, CIDR: cidr, From: from, To: to}
}

func pass(number int, egress bool) network.NetworkAclEntry {
	return entry(number, egress, "allow", "-1", network.AnyIPv4, 0, 0)
}

// s3 is the prefix list of Amazon S3.
func s3() string {
	return edge.AmazonPrefixLists(region, network.PublicRange())[0].ID
}

// world is a VPC with a public subnet (web, and a NAT gateway), a private one (app,
// db, an endpoint's interface) and an isolated one (cold), peered with another VPC
// (far), which is peered with a third (further).
func world() *Network {
	r := func(to string) network.Route {
		return network.Route{Destination: to, Origin: network.OriginCreateRoute}
	}
	local := network.Route{Destination: "10.0.0.0/16", Gateway: network.LocalGateway, Origin: network.OriginCreateRouteTable}
	with := func(r network.Route, set func(*network.Route)) network.Route { set(&r); return r }
	toIGW := with(r(network.AnyIPv4), func(r *network.Route) { r.Gateway = "igw-1" })
	toNAT := with(r(network.AnyIPv4), func(r *network.Route) { r.NatGateway = "nat-1" })
	toPeer := with(r("10.1.0.0/16"), func(r *network.Route) { r.Peering = "pcx-1" })
	toThird := with(r("10.2.0.0/16"), func(r *network.Route) { r.Peering = "pcx-1" })
	toS3 := network.Route{PrefixList: s3(), Gateway: "vpce-s3", Origin: network.OriginCreateRoute}
	subnet := func(id, vpc, cidr string) network.Subnet {
		return network.Subnet{Account: account, Region: region, ID: id, Vpc: vpc, CIDR: cidr}
	}
	n := &Network{
		Pool: network.PublicRange(), Services: []netip.Addr{network.ServiceAddress(network.PublicRange())},
		Vpcs: []network.Vpc{
			{Account: account, Region: region, ID: "vpc-1", CIDR: "10.0.0.0/16", DNSSupport: true, Tags: tags("main")},
			{Account: account, Region: region, ID: "vpc-2", CIDR: "10.1.0.0/16", DNSSupport: true},
			{Account: account, Region: region, ID: "vpc-3", CIDR: "10.2.0.0/16"},
		},
		Subnets: []network.Subnet{
			subnet("subnet-public", "vpc-1", "10.0.1.0/24"), subnet("subnet-private", "vpc-1", "10.0.2.0/24"),
			subnet("subnet-cold", "vpc-1", "10.0.3.0/24"), subnet("subnet-far", "vpc-2", "10.1.1.0/24"), subnet("subnet-further", "vpc-3", "10.2.1.0/24"),
		},
		RouteTables: []network.RouteTable{
			table("rtb-main", "vpc-1", true, "", local), table("rtb-public", "vpc-1", false, "subnet-public", toIGW, local),
			table("rtb-private", "vpc-1", false, "subnet-private", toThird, toPeer, toS3, toNAT, local),
			table("rtb-far", "vpc-2", true, "", with(r("10.0.2.0/24"), func(r *network.Route) { r.Peering = "pcx-1" }),
				with(r("10.2.0.0/16"), func(r *network.Route) { r.Peering = "pcx-2" })),
			table("rtb-further", "vpc-3", true, "", with(r("10.1.0.0/16"), func(r *network.Route) { r.Peering = "pcx-2" })),
		},
		Acls: []network.NetworkAcl{
			acl("acl-open", "vpc-1", []string{"subnet-public", "subnet-private", "subnet-cold"}, pass(100, true), pass(100, false)),
			acl("acl-far", "vpc-2", []string{"subnet-far"}, pass(100, true), pass(100, false)),
			acl("acl-further", "vpc-3", []string{"subnet-further"}, pass(100, true), pass(100, false)),
		},
		Groups: []network.SecurityGroup{{Account: account, Region: region, ID: "sg-web", Vpc: "vpc-1"}, {ID: "sg-app", Vpc: "vpc-1"}, {ID: "sg-db", Vpc: "vpc-1"}, {ID: "sg-far", Vpc: "vpc-2"}},
		Rules: []network.SecurityGroupRule{
			rule("sgr-web-80", "sg-web", false, "tcp", 80, 80, network.AnyIPv4), rule("sgr-web-out", "sg-web", true, "-1", -1, -1, network.AnyIPv4),
			rule("sgr-app-80", "sg-app", false, "tcp", 80, 80, "sg-web"), rule("sgr-app-out", "sg-app", true, "-1", -1, -1, network.AnyIPv4),
			rule("sgr-db-in", "sg-db", false, "tcp", 5432, 5432, "sg-app"), rule("sgr-db-s3", "sg-db", true, "tcp", 443, 443, s3()),
			rule("sgr-far-in", "sg-far", false, "tcp", 80, 80, "sg-app"), rule("sgr-far-out", "sg-far", true, "-1", -1, -1, network.AnyIPv4),
			rule("sgr-vpce", "sg-vpce", false, "tcp", 443, 443, "10.0.0.0/16"),
		},
		Interfaces: []network.NetworkInterface{
			eni("eni-web", "vpc-1", "subnet-public", "10.0.1.10", "198.18.4.1", "sg-web"),
			eni("eni-nat", "vpc-1", "subnet-public", "10.0.1.20", "198.18.4.2"),
			eni("eni-app", "vpc-1", "subnet-private", "10.0.2.10", "", "sg-app"),
			eni("eni-db", "vpc-1", "subnet-private", "10.0.2.20", "", "sg-db"),
			eni("eni-vpce", "vpc-1", "subnet-private", "10.0.2.30", "", "sg-vpce"),
			eni("eni-cold", "vpc-1", "subnet-cold", "10.0.3.10", "198.18.4.3", "sg-app"),
			eni("eni-far", "vpc-2", "subnet-far", "10.1.1.10", "198.18.4.4", "sg-far"),
			eni("eni-further", "vpc-3", "subnet-further", "10.2.1.10", "", "sg-none"),
		},
		Gateways:    []network.InternetGateway{{Account: account, Region: region, ID: "igw-1", Vpc: "vpc-1"}, {Account: account, Region: region, ID: "igw-2", Vpc: "vpc-2"}, {ID: "igw-free"}},
		NatGateways: []edge.NatGateway{{Account: account, Region: region, ID: "nat-1", Vpc: "vpc-1", Subnet: "subnet-public", State: edge.Available, Addresses: []edge.NatAddress{{ENI: "eni-nat", PrivateIP: "10.0.1.20", PublicIP: "198.18.4.2"}}}},
		Endpoints: []edge.Endpoint{
			{Account: account, Region: region, ID: "vpce-logs", Vpc: "vpc-1", Type: edge.InterfaceEndpoint, Service: "com.amazonaws.us-east-1.logs", State: edge.Available, ENIs: []string{"eni-vpce"}},
			{Account: account, Region: region, ID: "vpce-s3", Vpc: "vpc-1", Type: edge.GatewayEndpoint, Service: "com.amazonaws.us-east-1.s3", State: edge.Available, RouteTables: []string{"rtb-private"}},
		},
		Peerings: []edge.Peering{
			{ID: "pcx-1", State: edge.PeeringActive, Requester: edge.PeeringSide{Account: account, Region: region, Vpc: "vpc-1"}, Accepter: edge.PeeringSide{Account: account, Region: region, Vpc: "vpc-2"}},
			{ID: "pcx-2", State: edge.PeeringActive, Requester: edge.PeeringSide{Account: account, Region: region, Vpc: "vpc-2"}, Accepter: edge.PeeringSide{Account: account, Region: region, Vpc: "vpc-3"}},
		},
	}
	for i := range n.Interfaces {
		switch n.Interfaces[i].ID {
		case "eni-nat":
			n.Interfaces[i].Type = network.TypeNatGateway
		case "eni-vpce":
			n.Interfaces[i].Type = network.TypeEndpoint
		}
	}
	return n
}

func codes(r Result) string {
	var all []string
	for _, e := range r.Explanations {
		all = append(all, e.Code)
	}
	return strings.Join(all, " ")
}

func ids(hops []Hop) string {
	var all []string
	for _, h := range hops {
		all = append(all, h.ID)
	}
	return strings.Join(all, " ")
}

// change edits the network of a case.
type change func(*Network)

func table1(n *Network, id string) *network.RouteTable {
	return &n.RouteTables[slices.IndexFunc(n.RouteTables, func(t network.RouteTable) bool { return t.ID == id })]
}

func interface1(n *Network, id string) *network.NetworkInterface {
	return &n.Interfaces[slices.IndexFunc(n.Interfaces, func(e network.NetworkInterface) bool { return e.ID == id })]
}

func TestFind(t *testing.T) {
	without := func(rtb string, drop func(network.Route) bool) change {
		return func(n *Network) { t := table1(n, rtb); t.Routes = slices.DeleteFunc(t.Routes, drop) }
	}
	noACL := func(entries ...network.NetworkAclEntry) change {
		return func(n *Network) {
			n.Acls[0] = acl("acl-open", "vpc-1", []string{"subnet-private", "subnet-cold"}, pass(100, true), pass(100, false))
			n.Acls = append(n.Acls, acl("acl-public", "vpc-1", []string{"subnet-public"}, entries...))
		}
	}
	for _, c := range []struct {
		name          string
		q             Query
		change        change
		want          string // codes; "" is found
		there, answer string // ids of hops; "" is not compared
	}{
		{name: "in a VPC", q: Query{Source: "eni-web", Target: "eni-app", Ports: port(80)},
			there:  "eni-web sg-web acl-open rtb-public acl-open sg-app eni-app",
			answer: "eni-app sg-app acl-open rtb-private acl-open sg-web eni-web"},
		{name: "in a subnet", q: Query{Source: "eni-app", Target: "eni-db", Ports: port(5432)}, there: "eni-app sg-app sg-db eni-db", answer: "eni-db sg-db sg-app eni-app"},
		{name: "ingress", q: Query{Source: "eni-web", Target: "eni-db", Ports: port(5432)}, want: GroupsMismatch},
		{name: "wrong port", q: Query{Source: "eni-web", Target: "eni-app", Ports: port(81)}, want: GroupsMismatch},
		{name: "egress and ingress", q: Query{Source: "eni-db", Target: "eni-app", Ports: port(80)}, want: GroupsMismatch + " " + GroupsMismatch},
		{name: "no rules", q: Query{Source: "eni-web", Target: "eni-app", Ports: port(80)}, want: GroupsEmpty,
			change: func(n *Network) { interface1(n, "eni-app").Groups = []string{"sg-none"} }},
		{name: "out by the gateway", q: Query{Source: "eni-web", To: addr("203.0.113.9"), Ports: port(443)},
			there: "eni-web sg-web acl-open rtb-public igw-1 203.0.113.9", answer: "igw-1 acl-open sg-web eni-web"},
		{name: "out by NAT", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)},
			there:  "eni-app sg-app acl-open rtb-private acl-open nat-1 acl-open rtb-public igw-1 203.0.113.9",
			answer: "igw-1 acl-open nat-1 acl-open rtb-public acl-open sg-app eni-app"},
		{name: "to the gateway", q: Query{Source: "eni-app", Target: "igw-1", Ports: port(443)}},
		{name: "no route", q: Query{Source: "eni-cold", To: addr("203.0.113.9"), Ports: port(443)}, want: NoRoute},
		{name: "no NAT gateway any more", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)}, want: BadRoute,
			change: func(n *Network) { n.NatGateways[0].State = edge.Deleted }},
		{name: "private NAT to the internet", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)}, want: NoPublicSource,
			change: func(n *Network) { n.NatGateways[0].Private = true }},
		{name: "without a public address", q: Query{Source: "eni-web", To: addr("203.0.113.9"), Ports: port(443)}, want: NoPublicSource,
			change: func(n *Network) { interface1(n, "eni-web").PublicIP = "" }},
		{name: "private address beyond", q: Query{Source: "eni-web", To: addr("192.168.0.1"), Ports: port(443)}, want: PrivateDestination},
		{name: "shared address beyond", q: Query{Source: "eni-web", To: addr("100.64.0.1"), Ports: port(443)}, want: SharedDestination},
		{name: "unused public address", q: Query{Source: "eni-web", To: addr("198.18.9.9"), Ports: port(443)}, want: UnknownDestination},
		{name: "AWS's services", q: Query{Source: "eni-app", To: network.ServiceAddress(network.PublicRange()), Ports: port(443)}},
		{name: "AWS's services, wrong port", q: Query{Source: "eni-app", To: network.ServiceAddress(network.PublicRange()), Ports: port(22)}, want: ProtocolRestriction},
		{name: "in by the gateway", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80)},
			there: "igw-1 acl-open sg-web eni-web", answer: "eni-web sg-web acl-open rtb-public igw-1"},
		{name: "in by a second public address", q: Query{Source: "igw-1", To: addr("198.18.4.99"), Ports: port(80)},
			there: "igw-1 acl-open sg-web eni-web", answer: "eni-web sg-web acl-open rtb-public igw-1", change: secondPublic},
		{name: "out by a second public address", q: Query{Source: "eni-web", From: addr(secondPrivate), To: addr("203.0.113.9"), Ports: port(443)}, change: secondPublic},
		{name: "out by a second address without a public one", q: Query{Source: "eni-web", From: addr(secondPrivate), To: addr("203.0.113.9"), Ports: port(443)}, want: NoPublicSource,
			change: func(n *Network) {
				secondPublic(n)
				interface1(n, "eni-web").Mapped = nil
			}},
		{name: "in, no answer", q: Query{Source: "igw-1", Target: "eni-cold", Ports: port(80)}, want: NoRoute,
			change: func(n *Network) {
				n.Rules = append(n.Rules, rule("sgr-x", "sg-app", false, "tcp", 80, 80, network.AnyIPv4))
			}},
		{name: "in from some address", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(22)},
			change: func(n *Network) {
				n.Rules = append(n.Rules, rule("sgr-x", "sg-web", false, "tcp", 22, 22, "9.9.9.0/24"))
			}},
		{name: "in from some address, whose answer is kept in", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(22)}, want: AclRestriction,
			change: func(n *Network) {
				n.Rules = append(n.Rules, rule("sgr-x", "sg-web", false, "tcp", 22, 22, "9.9.9.0/24"))
				n.Acls[0] = acl("acl-open", "vpc-1", []string{"subnet-public"}, pass(100, false))
			}},
		{name: "in from a private address", q: Query{Source: "igw-1", From: addr("192.168.1.1"), Target: "eni-web", Ports: port(80)}, want: PrivateSource},
		{name: "in from the VPC's own address", q: Query{Source: "igw-1", From: addr("10.0.2.10"), Target: "eni-web", Ports: port(80)}, want: PrivateSource + " " + Spoofed},
		{name: "in, no public address", q: Query{Source: "igw-1", Target: "eni-app", Ports: port(80)}, want: NoPublicDestination},
		{name: "in, attached to nothing", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80)}, want: NoPublicDestination,
			change: func(n *Network) { interface1(n, "eni-web").Attachment = nil }},
		{name: "around", q: Query{Source: "eni-far", Target: "", To: addr("198.18.4.1"), Ports: port(80), Around: true},
			change: func(n *Network) {
				t := table1(n, "rtb-far")
				t.Routes = append(t.Routes, network.Route{Destination: network.AnyIPv4, Gateway: "igw-2"})
			},
			there:  "eni-far sg-far acl-far rtb-far igw-2 igw-1 acl-open sg-web eni-web",
			answer: "eni-web sg-web acl-open rtb-public igw-1 igw-2 acl-far sg-far eni-far"},
		{name: "around is two paths", q: Query{Source: "eni-far", To: addr("198.18.4.1"), Ports: port(80)}, want: Reflection,
			change: func(n *Network) {
				t := table1(n, "rtb-far")
				t.Routes = append(t.Routes, network.Route{Destination: network.AnyIPv4, Gateway: "igw-2"})
			}},
		{name: "gateway endpoint", q: Query{Source: "eni-db", Target: "vpce-s3", Ports: port(443)},
			there: "eni-db sg-db acl-open rtb-private vpce-s3", answer: "vpce-s3 acl-open sg-db eni-db"},
		{name: "gateway endpoint, wrong protocol", q: Query{Source: "eni-app", To: network.ObjectRange(network.PublicRange()).Addr(), Protocol: UDP, Ports: port(443)}, want: EndpointProtocol},
		{name: "no gateway endpoint", q: Query{Source: "eni-db", To: network.ObjectRange(network.PublicRange()).Addr(), Ports: port(443)}, want: BadRoute,
			change: func(n *Network) { n.Endpoints[1].State = edge.Deleted }},
		{name: "interface endpoint", q: Query{Source: "eni-app", Target: "vpce-logs", Ports: port(443)}, there: "eni-app sg-app sg-vpce eni-vpce vpce-logs"},
		{name: "interface endpoint, closed", q: Query{Source: "eni-web", Target: "vpce-logs", Ports: port(443)}, want: GroupsEmpty,
			change: func(n *Network) { interface1(n, "eni-vpce").Groups = []string{"sg-none"} }},
		{name: "interface endpoint as source", q: Query{Source: "eni-vpce", Target: "eni-app", Ports: port(80)}, want: EndpointBegins},
		{name: "peer", q: Query{Source: "eni-app", Target: "eni-far", Ports: port(80)},
			there:  "eni-app sg-app acl-open rtb-private pcx-1 acl-far sg-far eni-far",
			answer: "eni-far sg-far acl-far rtb-far pcx-1 acl-open sg-app eni-app"},
		{name: "peer, no route there", q: Query{Source: "eni-web", Target: "eni-far", Ports: port(80)}, want: PrivateDestination},
		{name: "peer, no route back", q: Query{Source: "eni-cold", Target: "eni-far", Ports: port(80)}, want: NoRoute,
			change: func(n *Network) {
				t := table1(n, "rtb-main")
				t.Routes = append(t.Routes, network.Route{Destination: "10.1.0.0/16", Peering: "pcx-1"})
			}},
		{name: "peer, not active", q: Query{Source: "eni-app", To: addr("10.1.1.10"), Ports: port(80)}, want: BadRoute,
			change: func(n *Network) { n.Peerings[0].State = edge.PeeringDeleted }},
		{name: "peer of a peer", q: Query{Source: "eni-app", To: addr("10.2.1.10"), Ports: port(80)}, want: PeeringAddress},
		{name: "strange VPCs", q: Query{Source: "eni-app", Target: "eni-further", Ports: port(80)}, want: Disconnected},
		{name: "to a peering connection", q: Query{Source: "eni-app", Target: "pcx-1", Ports: port(80)}, there: "eni-app sg-app acl-open rtb-private pcx-1"},
		{name: "appliance", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)},
			change: func(n *Network) {
				interface1(n, "eni-web").SourceDestCheck = false
				r := table1(n, "rtb-private")
				r.Routes[3] = network.Route{Destination: network.AnyIPv4, Interface: "eni-web"}
				n.Rules = append(n.Rules, rule("sgr-x", "sg-web", false, "-1", -1, -1, network.AnyIPv4))
			}, want: NoPublicSource, there: "eni-app sg-app acl-open rtb-private acl-open sg-web eni-web sg-web acl-open rtb-public igw-1"},
		{name: "appliance that checks", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)}, want: SourceDestCheck,
			change: func(n *Network) {
				table1(n, "rtb-private").Routes[3] = network.Route{Destination: network.AnyIPv4, Interface: "eni-web"}
			}},
		{name: "spoofed", q: Query{Source: "eni-app", From: addr("10.0.1.10"), Target: "eni-db", Ports: port(5432)}, want: SourceDestCheck + " " + GroupsMismatch},
		{name: "resolver", q: Query{Source: "eni-db", To: addr("10.0.0.2"), Protocol: UDP, Ports: port(53)}, there: "eni-db resolver"},
		{name: "metadata", q: Query{Source: "eni-db", To: addr("169.254.170.2"), Ports: port(80)}},
		{name: "nobody", q: Query{Source: "eni-app", To: addr("10.0.9.9"), Ports: port(80)}, want: NoDestination},
		{name: "ping", q: Query{Source: "eni-web", Target: "eni-app", Protocol: ICMP},
			change: func(n *Network) {
				n.Rules = append(n.Rules, rule("sgr-x", "sg-app", false, "icmp", 8, -1, network.AnyIPv4))
			}},
		{name: "ACL in", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80)}, want: AclRestriction,
			change: noACL(entry(90, false, "deny", "6", network.AnyIPv4, 80, 80), pass(100, false), pass(100, true))},
		{name: "ACL keeps the answer in", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80)}, want: AclRestriction,
			change: noACL(pass(100, false))},
		{name: "ACL lets some answers out", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80)},
			change: noACL(pass(100, false), entry(100, true, "allow", "6", network.AnyIPv4, 32768, 65535))},
		{name: "ACL keeps what NAT gets in", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)}, want: AclRestriction,
			change: noACL(entry(100, false, "allow", "-1", "10.0.0.0/16", 0, 0), pass(100, true))},
		{name: "any port", q: Query{Source: "eni-web", Target: "eni-app"}},
		{name: "must pass NAT", q: Query{Source: "eni-app", Target: "igw-1", Ports: port(443), Pass: "nat-1"}},
		{name: "must not pass NAT", q: Query{Source: "eni-app", Target: "igw-1", Ports: port(443), Avoid: "nat-1"}, want: HitsComponent},
		{name: "must pass an endpoint", q: Query{Source: "eni-app", Target: "igw-1", Ports: port(443), Pass: "vpce-s3"}, want: MissesComponent},
		{name: "arrives at a private address", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80), Arrive: Filter{Destination: addr("10.0.1.10"), DestinationPorts: Range{1, 100}}}},
		{name: "arrives elsewhere", q: Query{Source: "igw-1", Target: "eni-web", Ports: port(80), Arrive: Filter{Destination: addr("10.0.1.11")}}, want: ArrivesAt},
		{name: "asymmetric", q: Query{Source: "igw-1", Target: "eni-app", Ports: port(80)}, want: NoDestination,
			change: func(n *Network) {
				interface1(n, "eni-app").PublicIP = "198.18.4.9"
				n.Rules = append(n.Rules, rule("sgr-x", "sg-app", false, "-1", -1, -1, network.AnyIPv4))
			}},
		{name: "no source", q: Query{Source: "eni-gone", Target: "eni-app"}, want: NoSource},
		{name: "no destination", q: Query{Source: "eni-app", Target: "eni-gone"}, want: NoSource},
		{name: "no gateway route", q: Query{Source: "eni-web", To: addr("203.0.113.9"), Ports: port(443)}, want: NoRoute,
			change: without("rtb-public", func(r network.Route) bool { return r.Gateway == "igw-1" })},
		{name: "a gateway that is attached to nothing", q: Query{Source: "igw-free", Target: "eni-web"}, want: Unassociated},
		{name: "a circle", q: Query{Source: "eni-app", To: addr("203.0.113.9"), Ports: port(443)}, want: NoDestination,
			change: func(n *Network) {
				table1(n, "rtb-public").Routes[0] = network.Route{Destination: network.AnyIPv4, NatGateway: "nat-1"}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := world()
			if c.change != nil {
				c.change(n)
			}
			if c.q.Protocol == 0 {
				c.q.Protocol = TCP
			}
			r := Find(n, c.q)
			if r.Found != (c.want == "") || codes(r) != c.want {
				t.Errorf("found %v, codes %q, want %q\n%v\nthere %s\nanswer %s", r.Found, codes(r), c.want, r.Explanations, ids(r.Forward), ids(r.Return))
			}
			if there := ids(r.Forward); c.there != "" && there != c.there {
				t.Errorf("there   %s\nwant    %s", there, c.there)
			}
			if answer := ids(r.Return); c.answer != "" && answer != c.answer {
				t.Errorf("answer  %s\nwant    %s", answer, c.answer)
			}
		})
	}
}

func TestSomeAnswersPass(t *testing.T) {
	n := world()
	n.Acls[0] = acl("acl-open", "vpc-1", []string{"subnet-private", "subnet-cold"}, pass(100, true), pass(100, false))
	n.Acls = append(n.Acls, acl("acl-public", "vpc-1", []string{"subnet-public"}, pass(100, false),
		entry(90, true, "deny", "6", network.AnyIPv4, 40000, 49999), entry(100, true, "allow", "6", network.AnyIPv4, 32768, 65535)))
	r := Find(n, Query{Source: "igw-1", Target: "eni-web", Protocol: TCP, Ports: port(80)})
	if !r.Found || !slices.Equal(r.Ports, []Range{{32768, 39999}, {50000, 65535}}) {
		t.Errorf("found %v, ports %v", r.Found, r.Ports)
	}
	r = Find(n, Query{Source: "igw-1", Target: "eni-web", Protocol: TCP, Ports: port(80), FromPorts: port(1024)})
	if r.Found || codes(r) != AclRestriction || r.Return == nil {
		t.Errorf("found %v, codes %s", r.Found, codes(r))
	}
}

func TestHops(t *testing.T) {
	r := Find(world(), Query{Source: "eni-app", To: addr("203.0.113.9"), Protocol: TCP, Ports: port(443)})
	for id, check := range map[string]func(h Hop) bool{
		"sg-app":      func(h Hop) bool { return h.Rule != nil && h.Rule.ID == "sgr-app-out" },
		"acl-open":    func(h Hop) bool { return h.Entry != nil && h.Entry.Number == 100 && h.Entry.Egress },
		"rtb-private": func(h Hop) bool { return h.Route != nil && h.Route.NatGateway == "nat-1" && h.Route.Active },
		"nat-1":       func(h Hop) bool { return h.In.Source == addr("10.0.2.10") && h.Out.Source == addr("10.0.1.20") },
		"igw-1":       func(h Hop) bool { return h.Out.Source == addr("198.18.4.2") && h.Vpc.Name == "main" },
	} {
		i := slices.IndexFunc(r.Forward, func(h Hop) bool { return h.ID == id })
		if i < 0 || !check(r.Forward[i]) {
			t.Errorf("hop %s: %+v", id, r.Forward)
		}
	}
	if a := r.Forward[0].ARN; a != "arn:aws:ec2:us-east-1:123456789012:network-interface/eni-app" {
		t.Error(a)
	}
}

// TestIPv6 asks about a VPC with both families: a public subnet (web), one with an
// egress-only gateway (app), and one that is IPv4 only (old).
func TestIPv6(t *testing.T) {
	subnet := func(id, cidr, six string) network.Subnet {
		s := network.Subnet{Account: account, Region: region, ID: id, Vpc: "vpc-1", CIDR: cidr}
		if six != "" {
			s.IPv6 = []network.CIDRBlock{{CIDR: six}}
		}
		return s
	}
	dual := func(id, subnet, ip, six string, groups ...string) network.NetworkInterface {
		e := eni(id, "vpc-1", subnet, ip, "", groups...)
		e.IPv6 = []string{six}
		return e
	}
	rule6 := func(id, group string, egress bool, protocol string, from, to int, peer string) network.SecurityGroupRule {
		r := rule(id, group, egress, protocol, from, to, "")
		r.IPv4, r.IPv6 = "", peer
		return r
	}
	local := network.Route{Destination6: "3fff:c61:2000:100::/56", Gateway: network.LocalGateway, Origin: network.OriginCreateRouteTable}
	out := func(set func(*network.Route)) network.Route {
		r := network.Route{Destination6: "::/0", Origin: network.OriginCreateRoute}
		set(&r)
		return r
	}
	entry6 := func(number int, egress bool, action, protocol, cidr string) network.NetworkAclEntry {
		return network.NetworkAclEntry{Number: number, Egress: egress, Action: action, Protocol: protocol, IPv6: cidr, To: 65535}
	}
	n := &Network{
		Pool: network.PublicRange(),
		Vpcs: []network.Vpc{{Account: account, Region: region, ID: "vpc-1", CIDR: "10.0.0.0/16", IPv6: []network.CIDRBlock{{CIDR: "3fff:c61:2000:100::/56"}}}},
		Subnets: []network.Subnet{subnet("subnet-web", "10.0.1.0/24", "3fff:c61:2000:101::/64"), subnet("subnet-app", "10.0.2.0/24", "3fff:c61:2000:102::/64"),
			subnet("subnet-old", "10.0.3.0/24", "")},
		RouteTables: []network.RouteTable{
			table("rtb-web", "vpc-1", false, "subnet-web", local, out(func(r *network.Route) { r.Gateway = "igw-1" })),
			table("rtb-app", "vpc-1", false, "subnet-app", local, out(func(r *network.Route) { r.EgressOnly = "eigw-1" })),
			table("rtb-main", "vpc-1", true, "", local),
		},
		Acls: []network.NetworkAcl{acl("acl-app", "vpc-1", []string{"subnet-app"}, entry6(90, false, "deny", "6", "3fff:c61:2000:101::99/128"),
			entry6(101, false, "allow", "-1", "::/0"), entry6(101, true, "allow", "-1", "::/0"))},
		Gateways:   []network.InternetGateway{{Account: account, Region: region, ID: "igw-1", Vpc: "vpc-1"}},
		EgressOnly: []edge.EgressOnlyGateway{{Account: account, Region: region, ID: "eigw-1", Vpc: "vpc-1"}},
		Groups:     []network.SecurityGroup{{ID: "sg-web"}, {ID: "sg-app"}},
		Rules: []network.SecurityGroupRule{
			rule6("sgr-1", "sg-web", true, "-1", -1, -1, "::/0"), rule6("sgr-2", "sg-web", false, "tcp", 80, 80, "::/0"),
			rule6("sgr-3", "sg-web", false, "icmpv6", 128, -1, "3fff:c61:2000:100::/56"),
			rule("sgr-4", "sg-app", false, "tcp", 80, 80, "sg-web"), rule6("sgr-5", "sg-app", true, "-1", -1, -1, "::/0"),
			rule6("sgr-6", "sg-app", false, "tcp", 443, 443, "::/0"),
		},
		Interfaces: []network.NetworkInterface{
			dual("eni-web", "subnet-web", "10.0.1.10", "3fff:c61:2000:101::10", "sg-web"),
			dual("eni-bad", "subnet-web", "10.0.1.99", "3fff:c61:2000:101::99", "sg-web"),
			dual("eni-app", "subnet-app", "10.0.2.10", "3fff:c61:2000:102::10", "sg-app"),
			eni("eni-old", "vpc-1", "subnet-old", "10.0.3.10", "", "sg-web"),
		},
	}
	app, web := addr("3fff:c61:2000:102::10"), addr("3fff:c61:2000:101::10")
	for _, c := range []struct {
		name string
		q    Query
		code string // "": found
	}{
		{"by a group", Query{Source: "eni-web", To: app, Protocol: TCP, Ports: port(80)}, ""},
		{"no rule", Query{Source: "eni-web", To: app, Protocol: TCP, Ports: port(22)}, GroupsMismatch},
		{"an entry denies", Query{Source: "eni-bad", To: app, Protocol: TCP, Ports: port(80)}, AclRestriction},
		{"echo", Query{Source: "eni-app", To: web, Protocol: ICMPv6}, ""},
		{"rules for ICMP do not count", Query{Source: "eni-app", To: web, Protocol: ICMP}, GroupsMismatch},
		{"no address of its own", Query{Source: "eni-old", To: web, Protocol: TCP, Ports: port(80)}, Unassociated},
		{"nobody", Query{Source: "eni-web", To: addr("3fff:c61:2000:102::11"), Protocol: TCP, Ports: port(80)}, NoDestination},
		{"from outside", Query{Source: "igw-1", To: web, Protocol: TCP, Ports: port(80)}, ""},
		{"from outside, answers are lost", Query{Source: "igw-1", To: app, Protocol: TCP, Ports: port(443)}, NoPath},
		{"to the gateway", Query{Source: "eni-web", To: addr("2001:db8::1"), Target: "igw-1", Protocol: TCP, Ports: port(80)}, ""},
		{"to the internet", Query{Source: "eni-web", To: addr("2001:db8::1"), Protocol: TCP, Ports: port(80), Around: true}, UnknownDestination},
		{"to the internet, egress only", Query{Source: "eni-app", To: addr("2001:db8::1"), Protocol: TCP, Ports: port(80), Around: true}, UnknownDestination},
		{"IPv4 goes on as before", Query{Source: "eni-web", To: addr("10.0.2.10"), Protocol: TCP, Ports: port(80)}, GroupsMismatch},
	} {
		r := Find(n, c.q)
		var code string
		if len(r.Explanations) > 0 {
			code = r.Explanations[0].Code
		}
		if code != c.code || r.Found != (c.code == "") {
			t.Errorf("%s: found %v, %s, want %q: %+v", c.name, r.Found, code, c.code, r.Explanations)
		}
	}
}
