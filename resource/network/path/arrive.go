package path

import (
	"fmt"
	"net/netip"
	"slices"

	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Ports at which services of AWS answer, and what every VPC offers. Sources: Amazon
// VPC User Guide, Amazon DNS server; AWS PrivateLink guide; Amazon ECS Developer
// Guide, task metadata endpoint.
const (
	portHTTPS = 443
	portHTTP  = 80
	portDNS   = 53
)

func linkLocalResolver() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 169, 253}) }
func metadata() netip.Addr          { return netip.AddrFrom4([4]byte{169, 254, 170, 2}) }

func linkLocal(a netip.Addr) bool { return a == linkLocalResolver() || a == metadata() }

// resolver is the address of the VPC's own resolver; invalid: it has none.
func (x *index) resolver(vpc string) netip.Addr {
	v := x.vpcs[vpc]
	if v == nil || !v.DNSSupport {
		return netip.Addr{}
	}
	p, ok := network.Canonical(v.CIDR, 4)
	if !ok {
		return netip.Addr{}
	}
	return p.Addr().Next().Next()
}

// serveLocal ends at what the VPC's router answers itself. Neither security groups
// nor network ACLs apply to it.
func (w *walk) serveLocal(vpc string, p packet) bool {
	name, port, protocols := "resolver", portDNS, []int{UDP, TCP}
	if p.to == metadata() {
		name, port, protocols = "task metadata endpoint", portHTTP, []int{TCP}
	}
	w.add(Hop{Component: Component{Kind: KindService, ID: name}, Vpc: new(w.component(KindVpc, vpc)), In: p.header()})
	support := p.to == metadata() || w.vpcs[vpc] != nil && w.vpcs[vpc].DNSSupport
	if !support || !slices.Contains(protocols, p.protocol) || len(p.toPorts.and(Range{port, port})) == 0 {
		w.refuse(Explanation{Code: ProtocolRestriction, Header: p.header(), Text: fmt.Sprintf("the %s does not answer %s", name, p)})
	}
	return true
}

// serves reports whether services of AWS answer p.
func serves(p packet) bool {
	return p.protocol == TCP && (len(p.toPorts.and(Range{portHTTPS, portHTTPS})) > 0 || len(p.toPorts.and(Range{portHTTP, portHTTP})) > 0)
}

// serveEndpoint ends at a gateway endpoint.
func (w *walk) serveEndpoint(e *edge.Endpoint, p packet) bool {
	w.add(Hop{Component: w.component(KindEndpoint, e.ID), Vpc: new(w.component(KindVpc, e.Vpc)), In: p.header()})
	ranges := w.Pool.IsValid() && network.ObjectRange(w.Pool).Contains(p.to)
	switch {
	case w.back:
		w.refuse(Explanation{Code: NoDestination, Header: p.header(), Text: "an answer does not go to a gateway endpoint"})
	case !ranges:
		w.refuse(Explanation{Code: NoDestination, Header: p.header(), Text: fmt.Sprintf("%s is no address of %s", p.to, e.Service)})
	case !serves(p):
		w.refuse(Explanation{Code: EndpointProtocol, Header: p.header(), Text: fmt.Sprintf("the endpoint does not answer %s", p)})
	}
	return true
}

// deliver brings a packet to an interface: that is its end, or a NAT gateway or an
// appliance sends it on.
func (w *walk) deliver(vpc string, in device, e *network.NetworkInterface, p packet) (at place, next device, got packet, done bool) {
	p = w.acl(e, false, p)
	own := has(e, p.to)
	if g := w.natOf[e.ID]; g != nil {
		next, got = w.translate(g, e, own, p)
		return place{}, next, got, false
	}
	p = w.groups(e, false, p, w.peerVpc(vpc, in, p.from), w.known(vpc, p))
	h := w.addInterface(e)
	if !own {
		h.Note = "an appliance: what follows is so if it sends on what it gets"
		return place{}, device{eni: e}, p, false
	}
	h.In = p.header()
	if e.Kind() == network.TypeEndpoint {
		w.endpointEnd(e, p)
	}
	return place{eni: e}, device{}, p, true
}

// endpointEnd ends at an interface of an interface endpoint.
func (w *walk) endpointEnd(e *network.NetworkInterface, p packet) {
	if v := w.endpointOf[e.ID]; v != nil {
		w.add(Hop{Component: w.component(KindEndpoint, v.ID), Vpc: new(w.component(KindVpc, v.Vpc))})
		if v.State != edge.Available {
			w.refuse(Explanation{Code: BadState, Text: fmt.Sprintf("%s is %s", v.ID, v.State)})
		}
	}
	if !w.back && !serves(p) {
		w.refuse(Explanation{Code: ProtocolRestriction, Header: p.header(), Text: fmt.Sprintf("the endpoint does not answer %s", p)})
	}
}

// translate is what a NAT gateway does with a packet. Nothing that it did not ask
// for comes back through it.
func (w *walk) translate(g *edge.NatGateway, e *network.NetworkInterface, own bool, p packet) (device, packet) {
	h := w.add(Hop{Component: w.component(KindNatGateway, g.ID), Subnet: new(w.component(KindSubnet, g.Subnet)),
		Vpc: new(w.component(KindVpc, g.Vpc)), In: p.header()})
	asked, ok := w.nats[e.ID]
	switch {
	case w.back && own && ok && asked.to == p.from:
		p.to, p.toPorts = asked.from, asked.fromPorts
		h.Out = p.header()
		return device{eni: e}, p
	case own || w.back:
		w.refuse(Explanation{Code: NoDestination, Header: p.header(), Text: "a NAT gateway takes nothing but answers to what it sent"})
	case !slices.Contains([]int{TCP, UDP, ICMP}, p.protocol):
		w.refuse(Explanation{Code: ProtocolRestriction, Header: p.header(), Text: "a NAT gateway forwards TCP, UDP and ICMP only"})
	case p.from == primary(e):
		w.refuse(Explanation{Code: NoDestination, Header: p.header(), Text: "the NAT gateway's subnet has a route to the NAT gateway itself"})
	default:
		w.nats[e.ID] = p
		p.from = primary(e)
		if p.hasPorts() {
			p.fromPorts = ports{ephemeral()}
		}
		h.Out = p.header()
		return device{eni: e}, p
	}
	return device{}, p
}

// leave takes a packet of e out through an internet gateway. It ends beyond, or
// comes in again by a gateway, next.
func (w *walk) leave(e *network.NetworkInterface, g *network.InternetGateway, p packet) (at place, next device, got packet, done bool) {
	w.add(Hop{Component: w.component(KindInternetGateway, g.ID), Vpc: new(w.component(KindVpc, g.Vpc)), In: p.header()})
	if p.from.Is6() {
		return w.leave6(e, g, p)
	}
	public, ok := w.publicFor(e, p.from)
	if !ok || !w.plugged(e) {
		w.refuse(Explanation{Code: NoPublicSource, Direction: Egress, Header: p.header(),
			About: []Component{w.component(KindInterface, e.ID)},
			Text:  fmt.Sprintf("%s of %s has no public address in use, so the internet gateway drops it", p.from, e.ID)})
		if !ok {
			return place{}, device{}, p, false
		}
	}
	p.from = public
	w.hops[len(w.hops)-1].Out = p.header()
	switch {
	case w.back && w.gateways[w.q.Source] != nil:
		return place{gateway: g}, device{}, p, true
	case !w.back && w.q.Target == g.ID:
		return place{gateway: g}, device{}, p, w.checkPublic(p)
	}
	return w.beyond(g, p)
}

// leave6 is leave for IPv6, which is translated nowhere. Beyond the gateway only the
// host is reached. Who sends the packet does not matter: an appliance may, for who is
// behind it.
func (w *walk) leave6(e *network.NetworkInterface, g *network.InternetGateway, p packet) (place, device, packet, bool) {
	if owner := w.private[site{g.Vpc, p.from}]; owner == nil || !w.plugged(owner) {
		w.refuse(Explanation{Code: NoPublicSource, Direction: Egress, Header: p.header(),
			About: []Component{w.component(KindInterface, e.ID)},
			Text:  fmt.Sprintf("%s is no address in use of the VPC, so the internet gateway drops it", p.from)})
	}
	if w.back && w.gateways[w.q.Source] != nil || !w.back && w.q.Target == g.ID {
		return place{gateway: g}, device{}, p, true
	}
	w.unknown6(p)
	return place{}, device{}, p, false
}

// leaveOnly takes a packet out through an egress-only internet gateway, which takes no
// answers to what began outside.
func (w *walk) leaveOnly(g *edge.EgressOnlyGateway, p packet) {
	w.add(Hop{Component: w.component(KindEgressOnly, g.ID), Vpc: new(w.component(KindVpc, g.Vpc)), In: p.header()})
	if w.back {
		w.refuse(Explanation{Code: NoPath, Direction: Egress, Header: p.header(),
			Text: "an egress-only internet gateway takes no answers to what began outside"})
		return
	}
	w.unknown6(p)
}

// unknown6 says that the internet has no IPv6 here.
func (w *walk) unknown6(p packet) {
	w.add(Hop{Component: Component{Kind: KindInternet, ID: p.to.String()}})
	w.refuse(Explanation{Code: UnknownDestination, Header: p.header(),
		Text: "packets of IPv6 do not leave the host: beyond internet gateways there is nobody but the host itself"})
}

// plugged reports whether something is behind the interface.
func (w *walk) plugged(e *network.NetworkInterface) bool {
	return e.Attachment != nil || w.natOf[e.ID] != nil || w.endpointOf[e.ID] != nil
}

// checkPublic refuses destinations that internet gateways do not forward to.
func (w *walk) checkPublic(p packet) bool {
	code, what := unroutable(p.to)
	if code == "" {
		return true
	}
	w.refuse(Explanation{Code: code, Direction: Egress, Header: p.header(),
		Text: fmt.Sprintf("%s is %s, to which internet gateways send nothing", p.to, what)})
	return false
}

// beyond is what becomes of a packet outside an internet gateway.
func (w *walk) beyond(g *network.InternetGateway, p packet) (place, device, packet, bool) {
	if !w.checkPublic(p) {
		return place{}, device{}, p, false
	}
	e := w.public[p.to]
	switch {
	case slices.Contains(w.Services, p.to):
		w.add(Hop{Component: Component{Kind: KindService, ID: p.to.String()}, In: p.header()})
		if !serves(p) {
			w.refuse(Explanation{Code: ProtocolRestriction, Header: p.header(), Text: fmt.Sprintf("services of AWS do not answer %s", p)})
		}
		return place{gateway: g}, device{}, p, true
	case e != nil && !w.q.Around && !w.back:
		w.refuse(Explanation{Code: Reflection, Header: p.header(),
			Text: "the path leaves by an internet gateway and comes in by one; analyze the two parts"})
		return place{}, device{}, p, false
	case e != nil:
		return w.comeIn(nil, p)
	case w.Pool.IsValid() && w.Pool.Contains(p.to):
		w.add(Hop{Component: Component{Kind: KindInternet, ID: p.to.String()}})
		w.refuse(Explanation{Code: UnknownDestination, Header: p.header(), Text: fmt.Sprintf("nobody has the public address %s", p.to)})
		return place{}, device{}, p, false
	}
	w.add(Hop{Component: Component{Kind: KindInternet, ID: p.to.String()}, In: p.header()})
	return place{gateway: g}, device{}, p, true
}

// comeIn takes a packet from the internet to a gateway, or to that of the VPC which
// has its destination.
func (w *walk) comeIn(g *network.InternetGateway, p packet) (at place, next device, got packet, done bool) {
	e := w.public[p.to]
	if g == nil && e != nil {
		g = w.attached[e.Vpc]
	}
	if g != nil {
		w.add(Hop{Component: w.component(KindInternetGateway, g.ID), In: p.header()})
	} else {
		w.add(Hop{Component: Component{Kind: KindInternet, ID: p.to.String()}})
	}
	if g == nil || e == nil || g.Vpc != e.Vpc {
		w.refuse(Explanation{Code: NoPublicDestination, Direction: Ingress, Header: p.header(),
			Text: fmt.Sprintf("%s is not the public address of a network interface behind the internet gateway", p.to)})
		return place{}, device{}, p, false
	}
	h := &w.hops[len(w.hops)-1]
	got = p
	if p.to.Is4() {
		got.to = privateFor(e, p.to)
	}
	h.Vpc, h.Out = new(w.component(KindVpc, g.Vpc)), got.header()
	if !w.plugged(e) {
		w.refuse(Explanation{Code: NoPublicDestination, Direction: Ingress, Header: p.header(),
			About: []Component{w.component(KindInterface, e.ID)}, Text: fmt.Sprintf("%s is attached to nothing", e.ID)})
	}
	return place{}, device{gateway: g}, got, false
}

// special are the addresses that the internet does not route, but for the private
// and shared ones, which have codes of their own. Source: RFC 6890.
var special = []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"}

// Private and shared addresses. Sources: RFC 1918, RFC 6598.
var (
	private = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
	shared  = []string{"100.64.0.0/10"}
)

// unroutable is the code for a destination that the internet does not have, and
// what it is; "" where it does.
func unroutable(a netip.Addr) (code, what string) {
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return netip.MustParsePrefix(s).Contains(a) })
	}
	switch {
	case in(private):
		return PrivateDestination, "a private address"
	case in(shared):
		return SharedDestination, "a shared address"
	case in(special):
		return UnknownDestination, "an address that the internet does not route"
	}
	return "", ""
}
