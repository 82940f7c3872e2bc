package path

import (
	"cmp"
	"net/netip"

	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// device is where a packet enters or leaves a VPC's router. Exactly one of the
// fields is set.
type device struct {
	eni      *network.NetworkInterface
	gateway  *network.InternetGateway
	peering  *edge.Peering
	endpoint *edge.Endpoint // a gateway endpoint
	only     *edge.EgressOnlyGateway
	local    bool // the router itself
}

// choice is the route that a packet takes.
type choice struct {
	table  *network.RouteTable // nil for what comes by gateways, endpoints and peers
	route  *Route              // nil: none applies
	reason string              // code, when the route leads nowhere
}

// choose finds the route of a packet that came into vpc by in. What comes from
// elsewhere than an interface goes to the VPC's own addresses only.
func (x *index) choose(vpc string, in device, to netip.Addr) choice {
	if in.eni == nil {
		return choice{route: x.localRoute(vpc, to)}
	}
	t := x.tables[in.eni.Subnet]
	if t == nil {
		return choice{route: x.localRoute(vpc, to)}
	}
	c := choice{table: t}
	best, bits, fromList := (*network.Route)(nil), -1, false
	for i := range t.Routes {
		r := &t.Routes[i]
		if r.Gateway == network.LocalGateway {
			continue
		}
		list := r.PrefixList != ""
		var all []netip.Prefix
		if list {
			all = x.prefixes(t.Region, r.PrefixList)
		} else if p, err := netip.ParsePrefix(cmp.Or(r.Destination, r.Destination6)); err == nil {
			all = []netip.Prefix{p}
		}
		for _, p := range all {
			if p.Contains(to) && (p.Bits() > bits || p.Bits() == bits && fromList && !list) {
				best, bits, fromList = r, p.Bits(), list
			}
		}
	}
	if local := x.localRoute(vpc, to); local != nil {
		if p, err := netip.ParsePrefix(cmp.Or(local.Destination, local.Destination6)); err == nil && p.Bits() > bits {
			local.Table = t.ID
			c.route = local
			return c
		}
	}
	if best == nil {
		return c
	}
	c.route = &Route{Route: *best, Table: t.ID}
	c.reason = x.inactive(t, best)
	c.route.Active = c.reason != BadRoute
	return c
}

// localRoute is the route to the VPC's own range that has the address.
func (x *index) localRoute(vpc string, to netip.Addr) *Route {
	for _, c := range x.cidrs[vpc] {
		if c.Contains(to) {
			r := &Route{Active: true, Route: network.Route{Gateway: network.LocalGateway, Origin: network.OriginCreateRouteTable}}
			if c.Addr().Is6() {
				r.Destination6 = c.String()
			} else {
				r.Destination = c.String()
			}
			return r
		}
	}
	return nil
}

// inactive is the code for why a route leads nowhere, or "": BadRoute for a black
// hole, others where the target does not take the packet.
func (x *index) inactive(t *network.RouteTable, r *network.Route) string {
	code := BadRoute
	switch {
	case r.NatGateway != "":
		if g := x.nats[r.NatGateway]; g != nil && g.Vpc == t.Vpc && len(g.Addresses) > 0 && x.interfaces[g.Addresses[0].ENI] != nil {
			code = state(g.State)
		}
	case r.Peering != "":
		if p := x.peerings[r.Peering]; p != nil && p.State == edge.PeeringActive && (p.Requester.Vpc == t.Vpc || p.Accepter.Vpc == t.Vpc) {
			code = ""
		}
	case r.Interface != "":
		if e := x.interfaces[r.Interface]; e != nil && e.Vpc == t.Vpc && e.Attachment != nil {
			if code = ""; e.SourceDestCheck {
				code = SourceDestCheck
			}
		}
	case r.EgressOnly != "":
		if g := x.only[r.EgressOnly]; g != nil && g.Vpc == t.Vpc {
			code = ""
		}
	case x.gateways[r.Gateway] != nil:
		if x.gateways[r.Gateway].Vpc == t.Vpc {
			code = ""
		}
	case x.endpoints[r.Gateway] != nil:
		if e := x.endpoints[r.Gateway]; e.Vpc == t.Vpc {
			code = state(e.State)
		}
	}
	return code
}

// state is the code for a gateway or an endpoint in a state.
func state(s string) string {
	switch s {
	case edge.Available:
		return ""
	case edge.Pending:
		return BadState
	}
	return BadRoute
}

func living(state string) bool { return state == edge.Pending || state == edge.Available }

// target is the device a route leads to.
func (x *index) target(r *Route) device {
	switch {
	case r.NatGateway != "":
		return device{eni: x.interfaces[x.nats[r.NatGateway].Addresses[0].ENI]}
	case r.Peering != "":
		return device{peering: x.peerings[r.Peering]}
	case r.Interface != "":
		return device{eni: x.interfaces[r.Interface]}
	case r.EgressOnly != "":
		return device{only: x.only[r.EgressOnly]}
	case x.gateways[r.Gateway] != nil:
		return device{gateway: x.gateways[r.Gateway]}
	}
	return device{endpoint: x.endpoints[r.Gateway]}
}
