package network

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// space is the part of a network namespace that is managed.
type space struct {
	exists     bool
	links      map[string]link
	addresses  map[located]bool
	routes     map[destination]hop
	rules      map[rule]bool
	sysctls    map[string]string  // by path below /proc/sys/net
	neighbours map[located]string // hardware addresses of IPv6 neighbours

	ends    map[string]bool // far ends of pairs without ARP that are there and up
	foreign []netip.Prefix  // networks the host has routes to, default routes aside
	others  []netip.Prefix  // blackholes of other installations
}

// link is a device. Of what is, only up is observed.
type link struct {
	peer peer
	mac  string
	mtu  int
	up   bool
}

// located is an address at a device.
type located struct {
	device  string
	address netip.Addr
}

// peer is a device's other end.
type peer struct {
	space, device, mac string
	address            netip.Prefix // inside; invalid: the pair needs no ARP
	gateway            netip.Addr
	six                []netip.Addr // addresses of IPv6 inside
	from               string       // an existing namespace to use
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
	device     string       // that the packet came in by; empty: all
	from, to   netip.Prefix // invalid: all
	table      int
	six        bool // of IPv6, where neither from nor to says so
}

// ipv6 reports whether the rule is about packets of IPv6.
func (r rule) ipv6() bool { return r.six || r.from.Addr().Is6() || r.to.Addr().Is6() }

// verb is the kind of a step. Steps are done in the order of their verbs.
type verb int

const (
	deleteRule verb = iota
	deleteRoute
	deleteAddress
	deleteNeighbour
	deleteLink
	deleteSpace
	createSpace
	setSysctl
	addAddress
	addLink
	raiseLink
	giveAddress // addAddress for a device that is made meanwhile
	setNeighbour
	setRoute
	addRule
	setDevice // setSysctl for a device, which must be there
)

// step is one change of the kernel.
type step struct {
	verb    verb
	space   string // the namespace's file; empty: the host's
	name    string // of a device, file, sysctl
	value   string // of a sysctl; a hardware address
	from    string // of createSpace
	link    link
	address located
	to      destination
	hop     hop
	rule    rule
}

func (s step) String() string {
	where := cmp.Or(s.space, "host")
	switch s.verb {
	case deleteRule, addRule:
		return fmt.Sprintf("%s: %s rule %d from %s%s to %s table %d", where, verbName(s.verb, addRule), s.rule.preference,
			s.rule.device, prefixName(s.rule.from), prefixName(s.rule.to), s.rule.table)
	case deleteRoute, setRoute:
		return fmt.Sprintf("%s: %s route %s table %d %s", where, verbName(s.verb, setRoute), s.to.prefix, s.to.table,
			cmp.Or(s.hop.device, "blackhole"))
	case deleteAddress, addAddress:
		return fmt.Sprintf("%s: %s address %s", where, verbName(s.verb, addAddress), s.address.address)
	case giveAddress:
		return fmt.Sprintf("%s: add address %s to %s", where, s.address.address, s.address.device)
	case deleteNeighbour, setNeighbour:
		return fmt.Sprintf("%s: %s neighbour %s of %s", where, verbName(s.verb, setNeighbour), s.address.address, s.address.device)
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
		steps = append(steps, planLinks(name, w, is, there, prune)...)
	}
	for name, w := range want {
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
// routes over both ends and their sysctls along, so those disappear from all, also
// where the kernel has yet to take an earlier link's other end away.
func planLinks(name string, w space, all map[string]space, there map[string]bool, prune bool) []step {
	var steps []step
	is, removed := all[name], map[string]bool{}
	remove := func(device string) {
		steps = append(steps, step{verb: deleteLink, space: name, name: device})
		removed[device] = true
		delete(is.sysctls, forwardingName(device))
	}
	for n, l := range is.links {
		target, stays := w.links[n]
		far := prefixPeer == n[:1] && name != "" // of a peer, which the other end owns
		switch {
		case stays && lost(target.peer, all, there):
			remove(n)
		case stays && !l.up:
			steps = append(steps, step{verb: raiseLink, space: name, name: n})
		case stays, w.ends[n]:
		case there[n]:
			steps = append(steps, step{verb: deleteSpace, name: n})
		case prune, name == "", far:
			remove(n)
		}
	}
	for n, l := range w.links {
		if l.peer.address.IsValid() && !there[l.peer.space] {
			steps = append(steps, step{verb: createSpace, name: l.peer.space, from: l.peer.from})
		}
		if _, ok := is.links[n]; !ok || removed[n] {
			steps = append(steps, step{verb: addLink, space: name, name: n, link: l})
			dropRoutes(all[l.peer.space].routes, l.peer.device)
		}
	}
	for n := range removed {
		dropRoutes(is.routes, n)
		maps.DeleteFunc(is.addresses, func(a located, _ bool) bool { return a.device == n })
		maps.DeleteFunc(is.neighbours, func(a located, _ string) bool { return a.device == n })
	}
	return steps
}

// lost reports whether a link's other end is gone, as far as anyone has looked.
func lost(p peer, all map[string]space, there map[string]bool) bool {
	if p.address.IsValid() {
		return !there[p.space]
	}
	other, observed := all[p.space]
	return observed && !other.ends[p.device]
}

func dropRoutes(routes map[destination]hop, device string) {
	maps.DeleteFunc(routes, func(_ destination, h hop) bool { return h.device == device })
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
	each(w.addresses, is.addresses, func(a located, _, _ bool) {
		verb := addAddress
		if a.device != deviceLocal {
			verb = giveAddress
		}
		steps = append(steps, step{verb: verb, space: name, address: a})
	}, func(a located, _ bool) {
		steps = append(steps, step{verb: deleteAddress, space: name, address: a})
	})
	each(w.neighbours, is.neighbours, func(a located, mac string, _ bool) {
		steps = append(steps, step{verb: setNeighbour, space: name, address: a, value: mac})
	}, func(a located, _ string) {
		if _, stays := w.links[a.device]; stays { // else it goes with the device
			steps = append(steps, step{verb: deleteNeighbour, space: name, address: a})
		}
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
