package network

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// space is the part of a network namespace that is managed.
type space struct {
	exists    bool
	links     map[string]link
	addresses map[netip.Addr]bool // on lo
	routes    map[destination]hop
	rules     map[rule]bool
	sysctls   map[string]string // by path below /proc/sys/net

	gateway bool           // the device of the internet gateway is there and up
	foreign []netip.Prefix // networks the host has routes to, default routes aside
	others  []netip.Prefix // blackholes of other installations
}

// link is a device. Of what is, only up is observed.
type link struct {
	peer peer
	mac  string
	mtu  int
	up   bool
}

// peer is a device's other end.
type peer struct {
	space, device, mac string
	address            netip.Prefix // inside; invalid: the pair needs no ARP
	gateway            netip.Addr
	from               string // an existing namespace to use
}

// destination identifies a route in a namespace.
type destination struct {
	table, metric int
	prefix        netip.Prefix
}

// hop is where a route leads; no device is a blackhole.
type hop struct {
	device string
	via    netip.Addr
}

// rule is a rule of policy routing.
type rule struct {
	preference int
	from, to   netip.Prefix // invalid: all
	table      int
}

// verb is the kind of a step. Steps are done in the order of their verbs.
type verb int

const (
	deleteRule verb = iota
	deleteRoute
	deleteAddress
	deleteLink
	deleteSpace
	createSpace
	setSysctl
	addAddress
	addLink
	raiseLink
	setRoute
	addRule
	setDevice // setSysctl for a device, which must be there
)

// step is one change of the kernel.
type step struct {
	verb    verb
	space   string // the namespace's file; empty: the host's
	name    string // of a device, file, sysctl
	value   string // of a sysctl
	from    string // of createSpace
	link    link
	address netip.Addr
	to      destination
	hop     hop
	rule    rule
}

func (s step) String() string {
	where := cmp.Or(s.space, "host")
	switch s.verb {
	case deleteRule, addRule:
		return fmt.Sprintf("%s: %s rule %d from %s to %s table %d", where, verbName(s.verb, addRule), s.rule.preference,
			prefixName(s.rule.from), prefixName(s.rule.to), s.rule.table)
	case deleteRoute, setRoute:
		return fmt.Sprintf("%s: %s route %s table %d %s", where, verbName(s.verb, setRoute), s.to.prefix, s.to.table,
			cmp.Or(s.hop.device, "blackhole"))
	case deleteAddress, addAddress:
		return fmt.Sprintf("%s: %s address %s", where, verbName(s.verb, addAddress), s.address)
	case deleteLink, addLink:
		return fmt.Sprintf("%s: %s link %s", where, verbName(s.verb, addLink), s.name)
	case raiseLink:
		return fmt.Sprintf("%s: raise link %s", where, s.name)
	case setSysctl, setDevice:
		return fmt.Sprintf("%s: set %s to %s", where, s.name, s.value)
	default:
		return fmt.Sprintf("%s namespace %s", verbName(s.verb, createSpace), s.name)
	}
}

func verbName(v, add verb) string {
	if v == add {
		return "add"
	}
	return "delete"
}

func prefixName(p netip.Prefix) string {
	if !p.IsValid() {
		return "all"
	}
	return p.String()
}

// sysctlsVPC makes a namespace a router that answers ARP for everyone and
// believes no one's redirects.
var sysctlsVPC = map[string]string{
	"ipv4/ip_forward":                  "1",
	"ipv4/conf/all/rp_filter":          "0", // package firewall knows who may send what
	"ipv4/conf/default/rp_filter":      "0",
	"ipv4/conf/all/proxy_arp":          "1",
	"ipv4/conf/all/send_redirects":     "0",
	"ipv4/conf/default/send_redirects": "0",
	"ipv4/conf/all/accept_redirects":   "0",
	"ipv6/conf/all/disable_ipv6":       "1",
	"ipv6/conf/default/disable_ipv6":   "1",
}

// wantedHost is what the VPCs need of the host's namespace, which is as host says.
func wantedHost(h Host, vpcs []VPC, host space) space {
	s := space{exists: true, links: map[string]link{}, routes: map[destination]hop{}, sysctls: map[string]string{}}
	s.routes[destination{tableMain, h.metric(), h.Pool}] = hop{}
	for _, v := range vpcs {
		for _, c := range v.CIDRs {
			if !slices.ContainsFunc(host.foreign, c.Overlaps) {
				s.routes[destination{tableMain, h.metric(), c}] = hop{}
			}
		}
		if !v.Gateway {
			continue
		}
		name := h.gatewayName(v.ID)
		mac := gatewayMAC(v.ID)
		s.links[name] = link{peer: peer{space: nameVPC(v.ID), device: deviceGateway, mac: mac}, mac: mac, mtu: mtuGateway, up: true}
		s.sysctls[forwardingName(name)] = "1"
		for _, i := range v.Interfaces {
			if i.Public.IsValid() {
				s.routes[destination{tableMain, h.metric(), host32(i.Public)}] = hop{name, linkLocal}
			}
		}
	}
	return s
}

func wantedVPC(v VPC) space {
	s := space{exists: true, links: map[string]link{}, addresses: map[netip.Addr]bool{},
		routes: map[destination]hop{}, rules: map[rule]bool{}, sysctls: sysctlsVPC}
	// What no route takes is dropped, as an implicit router does.
	s.routes[destination{table: tableMain, prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}] = hop{}
	for _, c := range v.CIDRs {
		s.rules[rule{preference: preferLocal, to: c, table: tableMain}] = true
	}
	for _, sub := range v.Subnets {
		table := int(binary.BigEndian.Uint32(sub.CIDR.Addr().AsSlice())) // distinct: subnets do not overlap
		s.addresses[sub.CIDR.Addr().Next()] = true
		s.rules[rule{preference: preferSubnet, from: sub.CIDR, table: table}] = true
		for _, r := range sub.Routes {
			var to hop
			if r.Target == InternetGateway && v.Gateway {
				to = hop{deviceGateway, linkLocal}
			}
			s.routes[destination{table: table, prefix: r.Destination}] = to
		}
	}
	for _, e := range v.Endpoints {
		s.addresses[e.Address] = true
	}
	for _, i := range v.Interfaces {
		if len(i.Addresses) == 0 {
			continue
		}
		name, cidr := Name(i.ID), v.subnet(i.Subnet).CIDR
		s.links[name] = link{mtu: mtuVPC, up: true, peer: peer{space: name, device: deviceTask, mac: i.MAC, from: i.Namespace,
			address: netip.PrefixFrom(i.Addresses[0], cidr.Bits()), gateway: cidr.Addr().Next()}}
		for _, a := range i.Addresses {
			s.routes[destination{table: tableMain, prefix: host32(a)}] = hop{device: name}
		}
	}
	return s
}

func forwardingName(device string) string { return "ipv4/conf/" + device + "/forwarding" }

func host32(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, 32) }

// plan lists the steps from what is to what is wanted, in the order to do them.
// Both are by namespace; there are the files of namespaces that exist, true if
// mounted. Unless prune, links whose namespace is gone are left for the kernel to
// remove, and namespaces that belong to nothing stay.
func plan(want, is map[string]space, there map[string]bool, prune bool) []step {
	var steps []step
	keep := map[string]bool{}
	for name, w := range want {
		keep[name] = true
		if !is[name].exists {
			steps = append(steps, step{verb: createSpace, name: name})
		}
		for _, l := range w.links {
			keep[l.peer.space] = true
		}
		lost := func(device string, l link) bool { return !there[device] }
		if name == "" {
			lost = func(_ string, l link) bool {
				other, observed := is[l.peer.space]
				return observed && !other.gateway
			}
		}
		steps = append(steps, planLinks(name, w, is[name], there, prune || name == "", lost)...)
		steps = append(steps, planRest(name, w, is[name])...)
	}
	for n := range there {
		if prune && !keep[n] {
			steps = append(steps, step{verb: deleteSpace, name: n})
		}
	}
	slices.SortFunc(steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.verb, b.verb), cmp.Compare(a.space, b.space), strings.Compare(a.String(), b.String()))
	})
	return slices.CompactFunc(steps, func(a, b step) bool { return a.verb == deleteSpace && a.String() == b.String() })
}

// planLinks levels the links of a namespace and the namespaces of tasks. A link
// is lost when its other end is; it is replaced. Links that are removed take the
// routes over them and their sysctls along, so those disappear from is.
func planLinks(name string, w, is space, there map[string]bool, prune bool, lost func(string, link) bool) []step {
	var steps []step
	removed := map[string]bool{}
	for n, l := range is.links {
		target, stays := w.links[n]
		switch {
		case stays && lost(n, target), !stays && prune && !there[n]:
			steps = append(steps, step{verb: deleteLink, space: name, name: n})
			removed[n] = true
			delete(is.sysctls, forwardingName(n))
		case stays && !l.up:
			steps = append(steps, step{verb: raiseLink, space: name, name: n})
		case !stays && there[n]:
			steps = append(steps, step{verb: deleteSpace, name: n})
		}
	}
	for n, l := range w.links {
		if l.peer.address.IsValid() && !there[l.peer.space] {
			steps = append(steps, step{verb: createSpace, name: l.peer.space, from: l.peer.from})
		}
		if _, ok := is.links[n]; !ok || removed[n] {
			steps = append(steps, step{verb: addLink, space: name, name: n, link: l})
		}
	}
	maps.DeleteFunc(is.routes, func(_ destination, h hop) bool { return removed[h.device] })
	return steps
}

func planRest(name string, w, is space) []step {
	var steps []step
	set := setSysctl
	if name == "" {
		set = setDevice
	}
	each(w.sysctls, is.sysctls, func(k string, v string, _ bool) {
		steps = append(steps, step{verb: set, space: name, name: k, value: v})
	}, nil)
	each(w.addresses, is.addresses, func(a netip.Addr, _, _ bool) {
		steps = append(steps, step{verb: addAddress, space: name, address: a})
	}, func(a netip.Addr, _ bool) {
		steps = append(steps, step{verb: deleteAddress, space: name, address: a})
	})
	each(w.routes, is.routes, func(d destination, h hop, _ bool) {
		steps = append(steps, step{verb: setRoute, space: name, to: d, hop: h})
	}, func(d destination, h hop) {
		steps = append(steps, step{verb: deleteRoute, space: name, to: d, hop: h})
	})
	each(w.rules, is.rules, func(r rule, _, _ bool) {
		steps = append(steps, step{verb: addRule, space: name, rule: r})
	}, func(r rule, _ bool) {
		steps = append(steps, step{verb: deleteRule, space: name, rule: r})
	})
	return steps
}

// each calls set for what is wanted and is not so, and remove for what is and is
// not wanted.
func each[K, V comparable](want, is map[K]V, set func(K, V, bool), remove func(K, V)) {
	for k, v := range want {
		if old, ok := is[k]; !ok || old != v {
			set(k, v, ok)
		}
	}
	for k, v := range is {
		if _, ok := want[k]; !ok && remove != nil {
			remove(k, v)
		}
	}
}
