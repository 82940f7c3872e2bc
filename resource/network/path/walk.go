package path

import (
	"fmt"
	"net/netip"
	"slices"

	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// maxPasses bounds how often a packet goes through routers: routes can make loops.
const maxPasses = 16

// flow is a connection as a VPC's router knows it.
type flow struct {
	vpc      string
	from, to netip.Addr
}

// place is where a packet ends.
type place struct {
	eni      *network.NetworkInterface // an interface
	gateway  *network.InternetGateway  // the internet, by a gateway
	peering  *edge.Peering             // what is asked about a peering connection ends there
	endpoint *edge.Endpoint            // a gateway endpoint
}

// walk follows a packet one way.
type walk struct {
	*index
	q     *Query
	back  bool          // it is an answer
	flows map[flow]bool // that routers know, from the way there
	nats  map[string]packet

	hops []Hop
	why  []Explanation
}

// add appends a hop and returns it for what is known of it later; it is valid until
// the next.
func (w *walk) add(h Hop) *Hop {
	w.hops = append(w.hops, h)
	return &w.hops[len(w.hops)-1]
}

// refuse notes why the packet does not pass the last hop.
func (w *walk) refuse(e Explanation) {
	h := &w.hops[len(w.hops)-1]
	e.About = append([]Component{h.Component}, e.About...)
	for _, c := range []*Component{h.Subnet, h.Vpc} {
		if c != nil && !slices.Contains(e.About, *c) {
			e.About = append(e.About, *c)
		}
	}
	h.Explanations = append(h.Explanations, e)
	w.why = append(w.why, e)
}

// known reports whether the packet belongs to a connection that the VPC's router
// has seen begin.
func (w *walk) known(vpc string, p packet) bool {
	return w.back && w.flows[flow{vpc, p.to, p.from}]
}

// peerVpc is the VPC that an address which meets an interface of vpc belongs to.
func (w *walk) peerVpc(vpc string, d device, a netip.Addr) string {
	switch {
	case w.within(vpc, a):
		return vpc
	case d.peering != nil:
		return other(d.peering, vpc).Vpc
	}
	return ""
}

// run takes a packet through routers until it is somewhere; ok is false where it
// does not arrive. What filters refuse is noted and the packet goes on, so that
// everything in its way is found.
func (w *walk) run(vpc string, in device, p packet) (at place, got packet, ok bool) {
	for range maxPasses {
		if !w.back {
			w.flows[flow{vpc, p.from, p.to}] = true
		}
		w.enter(vpc, in, p)
		var out device
		if out, p, ok = w.route(vpc, in, p); !ok {
			return place{}, p, false
		}
		switch {
		case out.local:
			return place{}, p, w.serveLocal(vpc, p)
		case out.gateway != nil:
			at, next, got, done := w.leave(in.eni, out.gateway, p)
			if done || next.gateway == nil {
				return at, got, done
			}
			vpc, in, p = next.gateway.Vpc, next, got
		case out.only != nil:
			w.leaveOnly(out.only, p)
			return place{}, p, false
		case out.peering != nil:
			side := other(out.peering, vpc)
			w.add(Hop{Component: w.component(KindPeering, out.peering.ID)})
			if w.q.Target == out.peering.ID && !w.back {
				return place{peering: out.peering}, p, true
			}
			if w.vpcs[side.Vpc] == nil {
				w.refuse(Explanation{Code: UnknownDestination, Text: fmt.Sprintf("%s is not known here", side.Vpc)})
				return place{}, p, false
			}
			vpc, in = side.Vpc, out
		case out.endpoint != nil:
			return place{endpoint: out.endpoint}, p, w.serveEndpoint(out.endpoint, p)
		default:
			at, next, got, done := w.deliver(vpc, in, out.eni, p)
			if done || next.eni == nil {
				return at, got, done
			}
			in, p = next, got
		}
	}
	w.refuse(Explanation{Code: NoDestination, Text: "routes send the packet in a circle"})
	return place{}, p, false
}

// enter judges a packet that comes to the router of vpc by in.
func (w *walk) enter(vpc string, in device, p packet) {
	switch {
	case in.eni != nil && w.natOf[in.eni.ID] == nil:
		w.sends(in.eni, p)
	case in.gateway != nil:
		if w.within(vpc, p.from) {
			w.refuse(Explanation{Code: Spoofed, Direction: Ingress, Header: p.header(),
				Text: fmt.Sprintf("%s is an address of the VPC itself and cannot come from the internet", p.from)})
		}
	case in.peering != nil:
		if !w.within(other(in.peering, vpc).Vpc, p.from) {
			w.refuse(Explanation{Code: PeeringAddress, Header: p.header(),
				Text: fmt.Sprintf("%s is not an address of %s", p.from, other(in.peering, vpc).Vpc)})
		}
	}
}

// sends judges the source address of what an interface sends; its groups are judged
// when it is known where the packet goes.
func (w *walk) sends(e *network.NetworkInterface, p packet) {
	if last := len(w.hops) - 1; last < 0 || w.hops[last].ID != e.ID {
		w.addInterface(e)
	}
	if e.SourceDestCheck && !has(e, p.from) {
		w.refuse(Explanation{Code: SourceDestCheck, Direction: Egress, Header: p.header(),
			Text: fmt.Sprintf("%s is not an address of %s, which checks what it sends", p.from, e.ID)})
	}
}

func (w *walk) addInterface(e *network.NetworkInterface) *Hop {
	h := Hop{Component: w.component(KindInterface, e.ID), Subnet: new(w.component(KindSubnet, e.Subnet)), Vpc: new(w.component(KindVpc, e.Vpc))}
	if e.Attachment != nil {
		h.AttachedTo = e.Attachment.Instance
	} else {
		h.Note = "attached to nothing"
	}
	return w.add(h)
}

// route chooses where a packet goes, and judges it on its way out of the interface
// it comes from.
func (w *walk) route(vpc string, in device, p packet) (device, packet, bool) {
	if in.eni != nil && (linkLocal(p.to) || p.to == w.resolver(vpc)) {
		return device{local: true}, p, true
	}
	c := w.choose(vpc, in, p.to)
	local := c.route != nil && c.route.Gateway == network.LocalGateway
	var out device
	switch {
	case local:
		out.eni = w.private[site{vpc, p.to}]
	case c.route != nil && c.reason == "":
		out = w.target(c.route)
	}
	if in.eni != nil {
		if w.natOf[in.eni.ID] == nil {
			p = w.groups(in.eni, true, p, w.peerVpc(vpc, out, p.to), w.known(vpc, p))
		}
		p = w.acl(in.eni, true, p)
	}
	if c.table != nil && !(local && w.near(in.eni, p.to)) {
		w.add(Hop{Component: tableComponent(c.table), Vpc: new(w.component(KindVpc, vpc)), Route: c.route})
	}
	if e, lost := w.lost(vpc, in, out, c, p); lost {
		w.refuse(e)
		return out, p, false
	}
	return out, p, true
}

// lost explains why a route leads nowhere, if it does.
func (w *walk) lost(vpc string, in, out device, c choice, p packet) (e Explanation, lost bool) {
	e.Header = p.header()
	switch {
	case c.route == nil && c.table == nil && in.peering != nil:
		e.Code, e.Text = PeeringAddress, fmt.Sprintf("%s is not an address of %s; a peering connection leads no further", p.to, vpc)
	case c.route == nil && c.table == nil:
		e.Code, e.Text = NoDestination, fmt.Sprintf("%s is not an address of %s", p.to, vpc)
	case c.route == nil:
		e.Code, e.Text = NoRoute, fmt.Sprintf("the route table has no route to %s", p.to)
	case c.reason == SourceDestCheck:
		e.Code, e.Direction, e.Route = SourceDestCheck, Ingress, c.route
		e.About = []Component{w.component(KindInterface, c.route.Interface)}
		e.Text = fmt.Sprintf("the route leads to %s, which takes nothing but what is for its own addresses", c.route.Interface)
	case c.reason == BadState:
		e.Code, e.Route, e.Text = c.reason, c.route, "the route's target is not available yet"
	case c.reason != "":
		e.Code, e.Route, e.Text = c.reason, c.route, "the route is a black hole: its target is gone or does not work"
	case out == (device{}):
		w.add(Hop{Component: w.component(KindVpc, vpc)})
		e.Code, e.Text = NoDestination, fmt.Sprintf("no network interface has the address %s", p.to)
	default:
		return e, false
	}
	return e, true
}

// groups judges p by the security groups of e.
func (w *walk) groups(e *network.NetworkInterface, egress bool, p packet, peerVpc string, known bool) packet {
	direction, verb := Ingress, "in"
	if egress {
		direction, verb = Egress, "out"
	}
	first := Component{Kind: KindGroup}
	var all []Component
	for _, id := range e.Groups {
		all = append(all, w.component(KindGroup, id))
	}
	if len(all) > 0 {
		first = all[0]
	}
	if known {
		w.add(Hop{Component: first, Note: "not asked: an answer"})
		return p
	}
	v := w.judge(e, egress, p, peerVpc)
	if v.rule != nil {
		w.add(Hop{Component: w.component(KindGroup, v.group), Rule: v.rule})
		return w.narrow(p, v.pass)
	}
	code := GroupsMismatch
	if !w.anyRule(e) {
		code = GroupsEmpty
	}
	w.add(Hop{Component: first})
	about := []Component{w.component(KindInterface, e.ID)}
	about = append(about, all[min(1, len(all)):]...)
	about = append(about, w.component(KindVpc, e.Vpc))
	w.refuse(Explanation{Code: code, Direction: direction, About: about, Header: p.header(),
		Text: fmt.Sprintf("no rule of %s's security groups lets %s %s", e.ID, p, verb)})
	return p
}

// acl judges p by the network ACL of e's subnet, if it crosses the subnet's border.
// It returns the packet with the ports that pass, or as it was when none does.
func (w *walk) acl(e *network.NetworkInterface, egress bool, p packet) packet {
	a := w.acls[e.Subnet]
	peer, direction, verb := p.from, Ingress, "into"
	if egress {
		peer, direction, verb = p.to, Egress, "out of"
	}
	if a == nil || w.near(e, peer) {
		return p
	}
	v := consult(a, egress, p)
	w.add(Hop{Component: aclComponent(a), Entry: v.entry, Subnet: new(w.component(KindSubnet, e.Subnet))})
	if len(v.pass) > 0 {
		return w.narrow(p, v.pass)
	}
	text := fmt.Sprintf("no entry lets %s %s %s", p, verb, e.Subnet)
	if v.entry != nil {
		text = fmt.Sprintf("entry %s denies %s %s %s", number(v.entry.Number), p, verb, e.Subnet)
	}
	w.refuse(Explanation{Code: AclRestriction, Direction: direction, Entry: v.entry, Header: p.header(), Text: text})
	return p
}

// number is an ACL entry's number as AWS writes it.
func number(n int) string {
	if n >= network.LastAclEntry {
		return "*"
	}
	return fmt.Sprint(n)
}

// narrow is the packet with the destination ports that the last hop lets pass.
func (w *walk) narrow(p packet, pass ports) packet {
	if !slices.Equal(pass, p.toPorts) {
		w.hops[len(w.hops)-1].Note = fmt.Sprintf("to ports %s only", pass)
		p.toPorts = pass
	}
	return p
}

// String is what the packet is, in words.
func (p packet) String() string {
	switch p.protocol {
	case TCP, UDP:
		return fmt.Sprintf("%s from %s to %s port %s", protocolName(p.protocol), p.from, p.to, p.toPorts)
	}
	return fmt.Sprintf("%s from %s to %s", protocolName(p.protocol), p.from, p.to)
}

func protocolName(n int) string {
	switch n {
	case ICMP:
		return "ICMP"
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	case ICMPv6:
		return "ICMPv6"
	}
	return fmt.Sprint("protocol ", n)
}
