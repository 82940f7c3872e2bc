package path

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/network/ipv6"
)

// maxProbes bounds how many packets are tried for a query that leaves addresses or
// ports open.
const maxProbes = 2000

// Find answers a query. Where the query leaves an address or the port open, one
// packet that passes is enough, and if none does, the explanations are those of the
// one that came furthest.
func Find(n *Network, q Query) Result {
	x := newIndex(n)
	q.FromPorts = cmp.Or(q.FromPorts, ephemeral())
	q.Ports = cmp.Or(q.Ports, allPorts())
	probes, no := x.probes(&q)
	if no != nil {
		return Result{Explanations: []Explanation{*no}}
	}
	best := x.try(&q, probes[0])
	for _, p := range probes[1:] {
		if best.Found {
			break
		}
		if r := x.try(&q, p); r.Found || r.further(&best) {
			best = r
		}
	}
	return best
}

// further reports whether a packet that does not pass comes further than another:
// its answer is sent, or fewer things are in its way.
func (r *Result) further(than *Result) bool {
	if (r.Return != nil) != (than.Return != nil) {
		return r.Return != nil
	}
	return len(r.Explanations) < len(than.Explanations)
}

// probes are the packets to try. There is at least one, or an explanation why not.
func (x *index) probes(q *Query) ([]packet, *Explanation) {
	source, gateway := x.interfaces[q.Source], x.gateways[q.Source]
	switch {
	case x.endpoints[q.Source] != nil:
		return nil, begins(x.component(KindEndpoint, q.Source))
	case x.peerings[q.Source] != nil:
		return nil, &Explanation{Code: Unsupported, About: []Component{x.component(KindPeering, q.Source)},
			Text: "a peering connection begins nothing; analyze the path from an interface"}
	case source == nil && gateway == nil:
		return nil, &Explanation{Code: NoSource, Text: fmt.Sprintf("there is no source %q", q.Source)}
	case source != nil && len(addresses(source)) == 0, gateway != nil && gateway.Vpc == "":
		return nil, &Explanation{Code: Unassociated, Text: fmt.Sprintf("%s has no address or no VPC", q.Source)}
	case source != nil && x.natOf[source.ID] != nil:
		return nil, &Explanation{Code: Unsupported, About: []Component{x.component(KindInterface, source.ID)},
			Text: "a NAT gateway begins nothing"}
	case source != nil && source.Kind() == network.TypeEndpoint:
		return nil, begins(x.component(KindInterface, source.ID))
	}
	to, no := x.destinations(q, source, gateway)
	if no != nil {
		return nil, no
	}
	from, typ := []netip.Addr{q.From}, echo
	six := to[0].Is6()
	if six {
		typ = echo6
	}
	switch {
	case q.From.IsValid():
	case six && source != nil && len(source.IPv6) == 0:
		return nil, &Explanation{Code: Unassociated, Text: fmt.Sprintf("%s has no IPv6 address", q.Source)}
	case six && source != nil:
		from = addresses6(source)[:1]
	case six:
		from = x.strangers6(x.public[to[0]])
	case source != nil:
		from = addresses(source)[:1]
	default:
		from = x.strangers(x.public[to[0]])
	}
	var all []packet
	for _, port := range x.ports(q) {
		for _, t := range to {
			for _, f := range from {
				p := packet{from: f, to: t, protocol: q.Protocol, fromPorts: ports{q.FromPorts}, toPorts: ports{{port, port}}, typ: typ}
				if !p.hasPorts() {
					p.fromPorts, p.toPorts = ports{allPorts()}, ports{allPorts()}
				}
				if all = append(all, p); len(all) == maxProbes {
					return all, nil
				}
			}
		}
	}
	return all, nil
}

// begins explains that endpoints only answer.
func begins(c Component) *Explanation {
	return &Explanation{Code: EndpointBegins, About: []Component{c}, Text: "a VPC endpoint begins nothing; analyze the other direction"}
}

// destinations are the addresses that a query may mean.
func (x *index) destinations(q *Query, source *network.NetworkInterface, gateway *network.InternetGateway) ([]netip.Addr, *Explanation) {
	e, v, p := x.interfaces[q.Target], x.endpoints[q.Target], x.peerings[q.Target]
	switch {
	case q.Target != "" && e == nil && v == nil && p == nil && x.gateways[q.Target] == nil:
		return nil, &Explanation{Code: NoSource, Text: fmt.Sprintf("there is no destination %q", q.Target)}
	case q.To.IsValid():
		return []netip.Addr{q.To}, nil
	case e != nil && gateway != nil:
		if a, ok := x.publicOf(e); ok {
			return []netip.Addr{a}, nil
		}
		return nil, &Explanation{Code: NoPublicDestination, Direction: Ingress,
			About: []Component{x.component(KindInternetGateway, gateway.ID), x.component(KindInterface, e.ID)},
			Text:  fmt.Sprintf("%s has no public address", e.ID)}
	case e != nil:
		return x.between(q, source, e)
	case v != nil:
		return x.endpointAddresses(v)
	case p != nil && source != nil:
		return x.behind(p, source)
	case x.gateways[q.Target] != nil && source != nil:
		return x.strangers(source), nil
	}
	return nil, &Explanation{Code: NoPath, Text: "no path leads from this source to this destination"}
}

// between is the address by which one interface reaches another.
func (x *index) between(q *Query, source, e *network.NetworkInterface) ([]netip.Addr, *Explanation) {
	switch a, public := x.publicOf(e); {
	case len(addresses(e)) == 0:
		return nil, &Explanation{Code: Unassociated, Text: fmt.Sprintf("%s has no address", e.ID)}
	case source.Vpc == e.Vpc, x.peered(source.Vpc, e.Vpc) != nil:
		return addresses(e)[:1], nil
	case q.Around && public:
		return []netip.Addr{a}, nil
	}
	return nil, &Explanation{Code: Disconnected, About: []Component{x.component(KindVpc, source.Vpc), x.component(KindVpc, e.Vpc)},
		Text: fmt.Sprintf("%s and %s are in VPCs that no active peering connection joins", source.ID, e.ID)}
}

func (x *index) endpointAddresses(v *edge.Endpoint) ([]netip.Addr, *Explanation) {
	if v.Type == edge.GatewayEndpoint && x.Pool.IsValid() {
		return []netip.Addr{network.ObjectRange(x.Pool).Addr()}, nil
	}
	var all []netip.Addr
	for _, id := range v.ENIs {
		if e := x.interfaces[id]; e != nil {
			all = append(all, addresses(e)...)
		}
	}
	if len(all) == 0 {
		return nil, &Explanation{Code: Unassociated, About: []Component{x.component(KindEndpoint, v.ID)}, Text: fmt.Sprintf("%s has no network interface", v.ID)}
	}
	return all, nil
}

// behind are the addresses on the other side of a peering connection: those of
// interfaces, or else the VPC's own.
func (x *index) behind(p *edge.Peering, source *network.NetworkInterface) ([]netip.Addr, *Explanation) {
	var all []netip.Addr
	far := other(p, source.Vpc).Vpc
	for i := range x.Interfaces {
		if e := &x.Interfaces[i]; e.Vpc == far {
			all = append(all, addresses(e)...)
		}
	}
	for _, c := range x.cidrs[far] {
		all = append(all, c.Addr())
	}
	if len(all) == 0 {
		return nil, &Explanation{Code: UnknownDestination, About: []Component{x.component(KindPeering, p.ID)}, Text: fmt.Sprintf("%s is not known here", far)}
	}
	return all, nil
}

// elsewhere is a public address that nobody has. Source: RFC 5737.
func elsewhere() netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, 1}) }

// strangers are public addresses, at least one of every set that the rules of e
// and of its subnet tell apart.
func (x *index) strangers(e *network.NetworkInterface) []netip.Addr {
	all := []netip.Addr{elsewhere()}
	add := func(s string) {
		p, ok := network.Canonical(s, 4)
		if !ok {
			return
		}
		for _, a := range []netip.Addr{p.Addr(), after(p)} {
			if code, _ := unroutable(a); a.IsValid() && code == "" && !slices.Contains(all, a) && !x.Pool.Contains(a) {
				all = append(all, a)
			}
		}
	}
	if e == nil {
		return all
	}
	for _, id := range e.Groups {
		for _, r := range x.rules[id] {
			add(r.IPv4)
			for _, p := range x.prefixes(e.Region, r.PrefixList) {
				add(p.String())
			}
		}
	}
	if a := x.acls[e.Subnet]; a != nil {
		for _, n := range a.Entries {
			add(n.CIDR)
		}
	}
	if t := x.tables[e.Subnet]; t != nil {
		for _, r := range t.Routes {
			add(r.Destination)
		}
	}
	return all
}

// strangers6 is strangers for IPv6: the host's own address among them.
func (x *index) strangers6(e *network.NetworkInterface) []netip.Addr {
	all := []netip.Addr{netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: 1})} // Source: RFC 3849
	if x.Pool.IsValid() {
		all = append([]netip.Addr{ipv6.Host(ipv6.Range(x.Pool))}, all...)
	}
	if e == nil {
		return all
	}
	add := func(s string) {
		if p, ok := network.Canonical(s, 6); ok && p.Bits() > 0 && !x.within(e.Vpc, p.Addr()) {
			all = append(all, p.Addr())
		}
	}
	for _, id := range e.Groups {
		for _, r := range x.rules[id] {
			add(r.IPv6)
		}
	}
	if a := x.acls[e.Subnet]; a != nil {
		for _, n := range a.Entries {
			add(n.IPv6)
		}
	}
	return all
}

// after is the first address that follows a prefix; invalid: none does.
func after(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	n := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	if n += 1 << (32 - p.Bits()); n > 1<<32-1 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// ports are ports of the query's, at least one of every set that rules tell apart.
func (x *index) ports(q *Query) []int {
	var all []int
	add := func(n int) {
		if n >= q.Ports.From && n <= q.Ports.To && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	if q.Ports != allPorts() {
		add(q.Ports.From)
	}
	if q.Protocol != TCP && q.Protocol != UDP || q.Ports.From == q.Ports.To {
		return append(all, 0)[:1]
	}
	for _, n := range []int{portHTTPS, portHTTP} {
		add(n)
	}
	for i := range x.Rules {
		add(x.Rules[i].From)
		add(x.Rules[i].To + 1)
	}
	for i := range x.Acls {
		for _, e := range x.Acls[i].Entries {
			add(e.From)
			add(e.To + 1)
		}
	}
	add(q.Arrive.DestinationPorts.From)
	return all
}

// try follows one packet there and its answer back.
func (x *index) try(q *Query, p packet) Result {
	there := &walk{index: x, q: q, flows: map[flow]bool{}, nats: map[string]packet{}}
	at, got, ok := there.begin(p)
	if ok {
		there.arrived(at, got)
	}
	r := Result{Forward: there.hops, Explanations: there.why}
	if !ok || len(there.why) > 0 {
		return r
	}
	if no := x.filtered(q, there.hops); no != nil {
		r.Explanations = append(r.Explanations, *no)
		return r
	}
	if at == (place{}) || at.peering != nil {
		r.Found = true // the router itself answers, or what comes after is not asked
		return r
	}
	home := &walk{index: x, q: q, back: true, flows: there.flows, nats: there.nats}
	answered, ok := home.answer(at, got.answer())
	if ok && (answered.from != p.to || answered.to != p.from) {
		home.refuse(Explanation{Code: NoRoute, Header: answered.header(),
			Text: fmt.Sprintf("the answer goes another way than what it answers and comes from %s instead of %s", answered.from, p.to)})
	}
	r.Return, r.Explanations = home.hops, home.why
	r.Found = ok && len(home.why) == 0
	if r.Found && p.hasPorts() && !slices.Equal(answered.toPorts, p.fromPorts) {
		r.Ports = answered.toPorts
	}
	return r
}

// begin sends the packet from the query's source.
func (w *walk) begin(p packet) (place, packet, bool) {
	if e := w.interfaces[w.q.Source]; e != nil {
		if has(e, p.to) {
			h := w.addInterface(e)
			h.Note, h.In = "to itself", p.header()
			return place{}, p, true
		}
		return w.run(e.Vpc, device{eni: e}, p)
	}
	g := w.gateways[w.q.Source]
	_, in, got, _ := w.comeIn(g, p)
	if code, what := unroutable(p.from); code != "" {
		code = cmp.Or(map[string]string{PrivateDestination: PrivateSource, SharedDestination: SharedSource}[code], NotPublic)
		w.refuse(Explanation{Code: code, Direction: Ingress, Header: p.header(), Text: fmt.Sprintf("%s is %s", p.from, what)})
	}
	if in.gateway == nil {
		return place{}, p, false
	}
	return w.run(g.Vpc, in, got)
}

// arrived checks that a packet is where and as the query wants it.
func (w *walk) arrived(at place, p packet) {
	t := w.q.Target
	ends := t == "" || at.eni != nil && (at.eni.ID == t || w.endpointOf[at.eni.ID] != nil && w.endpointOf[at.eni.ID].ID == t) ||
		at.gateway != nil && at.gateway.ID == t || at.peering != nil && at.peering.ID == t || at.endpoint != nil && at.endpoint.ID == t ||
		at == (place{}) && t == w.q.Source
	if !ends {
		w.refuse(Explanation{Code: NoPath, Header: p.header(), Text: fmt.Sprintf("the packet ends here and not at %s", t)})
	}
	f := w.q.Arrive
	for _, c := range []struct {
		miss bool
		code string
	}{
		{f.Source.IsValid() && f.Source != p.from, ArrivesFrom},
		{f.Destination.IsValid() && f.Destination != p.to, ArrivesAt},
		{p.hasPorts() && f.SourcePorts != Range{} && len(p.fromPorts.and(f.SourcePorts)) == 0, ArrivesFromPort},
		{p.hasPorts() && f.DestinationPorts != Range{} && len(p.toPorts.and(f.DestinationPorts)) == 0, ArrivesAtPort},
	} {
		if c.miss {
			w.refuse(Explanation{Code: c.code, Header: p.header(), Text: "what arrives is not what the filter at the destination wants"})
		}
	}
}

// filtered explains why a path is not one the query wants, if it is not.
func (x *index) filtered(q *Query, hops []Hop) *Explanation {
	through := func(id string) int { return slices.IndexFunc(hops, func(h Hop) bool { return h.ID == id }) }
	if q.Pass != "" && through(q.Pass) < 0 {
		return &Explanation{Code: MissesComponent, Text: fmt.Sprintf("the path does not go through %s", q.Pass)}
	}
	if q.Avoid != "" {
		if i := through(q.Avoid); i >= 0 {
			return &Explanation{Code: HitsComponent, About: []Component{hops[i].Component}, Text: fmt.Sprintf("the path goes through %s", q.Avoid)}
		}
	}
	return nil
}

// answer sends the answer from where the packet ended, and returns it as it comes
// to the query's source.
func (w *walk) answer(at place, p packet) (packet, bool) {
	var got packet
	var ok bool
	switch {
	case at.eni != nil:
		at, got, ok = w.run(at.eni.Vpc, device{eni: at.eni}, p)
	case at.endpoint != nil:
		w.add(Hop{Component: w.component(KindEndpoint, at.endpoint.ID), Vpc: new(w.component(KindVpc, at.endpoint.Vpc)), Out: p.header()})
		at, got, ok = w.run(at.endpoint.Vpc, device{endpoint: at.endpoint}, p)
	default:
		_, in, next, _ := w.comeIn(nil, p)
		if in.gateway == nil {
			return p, false
		}
		at, got, ok = w.run(in.gateway.Vpc, in, next)
	}
	if !ok {
		return got, false
	}
	if at.eni != nil && at.eni.ID == w.q.Source || at.gateway != nil && at.gateway.ID == w.q.Source {
		return got, true
	}
	w.refuse(Explanation{Code: NoRoute, Header: got.header(), Text: "the answer ends here, not at the source"})
	return got, false
}
