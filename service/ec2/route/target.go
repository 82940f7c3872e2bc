package route

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// asked are the targets that a request gives a route.
type asked struct{ gateway, nat, eni, peering, vpce, egressOnly *string }

// linkLocal holds the addresses at which AWS serves every VPC itself; no route may
// lead there. Source: Amazon VPC User Guide, Reserved CIDRs.
func linkLocal() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 168}), 22) }

// reserved reports whether a route to d would take away what AWS serves itself.
func reserved(d netip.Prefix) bool {
	l := linkLocal()
	if !d.Addr().Is4() {
		l = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0x80}), 10)
	}
	return l.Overlaps(d) && d.Bits() >= l.Bits()
}

// destination reads where a route is for: a range or a prefix list.
func destination(cidr, six, list *string) (network.Route, error) {
	both := func(a, b string) error {
		return shape.Errorf("InvalidParameterCombination", "The parameter %s cannot be used with the parameter %s", a, b)
	}
	switch {
	case cidr == nil && six == nil && list == nil:
		return network.Route{}, call.Missing("destinationCidrBlock")
	case cidr != nil && six != nil:
		return network.Route{}, both("destinationCidrBlock", "destinationIpv6CidrBlock")
	case cidr != nil && list != nil:
		return network.Route{}, both("destinationCidrBlock", "destinationPrefixListId")
	case six != nil && list != nil:
		return network.Route{}, both("destinationIpv6CidrBlock", "destinationPrefixListId")
	case list != nil:
		return network.Route{PrefixList: *list}, nil
	case six != nil:
		p, ok := network.Canonical(*six, 6)
		if !ok {
			return network.Route{}, call.Invalid("Value (%s) for parameter destinationIpv6CidrBlock is invalid. This is not a valid CIDR block.", *six)
		}
		return network.Route{Destination6: p.String()}, nil
	}
	p, ok := network.Canonical(*cidr, 4)
	if !ok {
		return network.Route{}, call.Invalid("Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", *cidr)
	}
	return network.Route{Destination: p.String()}, nil
}

// same reports whether two routes are for the same destination.
func same(a, b network.Route) bool {
	return a.Destination == b.Destination && a.Destination6 == b.Destination6 && a.PrefixList == b.PrefixList
}

// named is the destination of a route in messages.
func named(r network.Route) string { return r.Destination + r.Destination6 + r.PrefixList }

// find is the index of the table's route to the destination of r, -1 when there is
// none.
func find(t *network.RouteTable, r network.Route) int {
	return slices.IndexFunc(t.Routes, func(x network.Route) bool { return same(x, r) })
}

// aim reads the one target of a route, which must be of the table's VPC.
func aim(sc call.Scope, t *network.RouteTable, r *network.Route, a asked) error {
	n := 0
	for _, p := range []*string{a.gateway, a.nat, a.eni, a.peering, a.vpce, a.egressOnly} {
		if p != nil {
			n++
		}
	}
	if n != 1 {
		return shape.Errorf("InvalidParameterCombination", "The request must contain exactly one of gatewayId, natGatewayId, "+
			"networkInterfaceId, vpcPeeringConnectionId, vpcEndpointId, egressOnlyInternetGatewayId")
	}
	switch {
	case a.gateway != nil:
		r.Gateway = *a.gateway
		return internet(sc, t, *a.gateway)
	case a.egressOnly != nil:
		r.EgressOnly = *a.egressOnly
		return egressOnly(sc, t, r)
	case a.nat != nil && r.Destination6 != "":
		return call.Invalid("route table %s: a NAT gateway cannot be the target of the IPv6 destination %s", t.ID, r.Destination6)
	case a.nat != nil:
		r.NatGateway = *a.nat
		return nat(sc, t, *a.nat)
	case a.eni != nil:
		r.Interface = *a.eni
		return eni(sc, t, *a.eni)
	case a.peering != nil:
		r.Peering = *a.peering
		return peering(sc, t, *a.peering)
	}
	return endpoint(sc, *a.vpce)
}

func foreign(t *network.RouteTable, kind, id string) error {
	return call.Invalid("route table %s and %s %s belong to different networks", t.ID, kind, id)
}

// internet checks a route to an internet gateway.
func internet(sc call.Scope, t *network.RouteTable, id string) error {
	prefix, _, _ := strings.Cut(id, "-")
	switch prefix {
	case call.InternetGateways.Prefix:
	case "vgw":
		return shape.Errorf("InvalidVpnGatewayID.NotFound", "The vpnGateway ID '%s' does not exist", id)
	default:
		return shape.Errorf("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
	}
	g, err := call.InternetGateways.Get(sc, id)
	if err == nil && g.Vpc != t.Vpc {
		err = foreign(t, "network gateway", id)
	}
	return err
}

// egressOnly checks a route to an egress-only internet gateway, which takes IPv6 only.
func egressOnly(sc call.Scope, t *network.RouteTable, r *network.Route) error {
	g, err := call.EgressOnlyGateways.Get(sc, r.EgressOnly)
	switch {
	case err != nil:
		return err
	case g.Vpc != t.Vpc:
		return foreign(t, "network gateway", g.ID)
	case r.Destination != "":
		return call.Invalid("The destination CIDR block %s cannot have the egress-only internet gateway %s as target, which is for IPv6 only.", r.Destination, g.ID)
	}
	return nil
}

// nat checks a route to a NAT gateway.
func nat(sc call.Scope, t *network.RouteTable, id string) error {
	account, region := sc.Tenant()
	g, ok, err := edges.NatGateways.Find(sc.Tx, account, region, id)
	switch {
	case err != nil:
		return err
	case !ok || g.State != edge.Pending && g.State != edge.Available:
		return shape.Errorf("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", id)
	case g.Vpc != t.Vpc:
		return foreign(t, "network gateway", id)
	}
	return nil
}

// eni checks a route to a network interface.
func eni(sc call.Scope, t *network.RouteTable, id string) error {
	e, err := call.Interfaces.Get(sc, id)
	if err == nil && e.Vpc != t.Vpc {
		err = foreign(t, "interface", id)
	}
	return err
}

// peering checks a route to a peering connection, which may still wait to be
// accepted.
func peering(sc call.Scope, t *network.RouteTable, id string) error {
	p, ok, err := edges.Peerings.Find(sc.Tx, id)
	if err != nil {
		return err
	}
	mine := func(s edge.PeeringSide) bool { return s.Account == t.Account && s.Region == t.Region }
	live := p.State == edge.PeeringActive || p.State == edge.PeeringPending
	switch {
	case !ok || !mine(p.Requester) && !mine(p.Accepter) || !live:
		return shape.Errorf("InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '%s' does not exist", id)
	case !(mine(p.Requester) && p.Requester.Vpc == t.Vpc) && !(mine(p.Accepter) && p.Accepter.Vpc == t.Vpc):
		return foreign(t, "vpc peering connection", id)
	}
	return nil
}

// endpoint refuses a route to an endpoint: only those of Gateway Load Balancers
// can be targets, and there are none.
func endpoint(sc call.Scope, id string) error {
	account, region := sc.Tenant()
	_, ok, err := edges.Endpoints.Find(sc.Tx, account, region, id)
	switch {
	case err != nil:
		return err
	case !ok:
		return shape.Errorf("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", id)
	}
	return shape.Errorf("RouteNotSupported", "Route table contains unsupported route target: %s. VPC Endpoints of this type cannot be used as route targets.", id)
}

// allowed refuses destinations no route may have with the target of r: AWS's own
// addresses, and parts of the VPC, which only a NAT gateway or an interface may
// have, a subnet at a time. Source: Amazon VPC User Guide, Subnet route tables.
func allowed(sc call.Scope, v *network.Vpc, r network.Route) error {
	if r.PrefixList != "" {
		_, err := call.ListSize(sc, r.PrefixList)
		return err
	}
	d, err := netip.ParsePrefix(cmp.Or(r.Destination, r.Destination6))
	if err != nil {
		return err
	}
	if reserved(d) {
		return call.Invalid("The destination CIDR block %s is reserved.", d)
	}
	cidrs := v.CIDRs()
	for _, b := range v.IPv6 {
		cidrs = append(cidrs, b.CIDR)
	}
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return err
		}
		if p.Bits() > d.Bits() || !p.Contains(d.Addr()) {
			continue
		}
		if r.NatGateway == "" && r.Interface == "" {
			return call.Invalid("The destination CIDR block %s is equal to or more specific than one of this VPC's CIDR blocks. "+
				"This route can target only an interface or an instance.", d)
		}
		for s, err := range tables.Subnets.By(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID) {
			if err != nil || s.CIDR == r.Destination {
				return err
			}
			for _, b := range s.IPv6 {
				if b.CIDR == r.Destination6 {
					return nil
				}
			}
		}
		return call.Invalid("The destination CIDR block %s does not match the CIDR block of a subnet of %s.", d, v.ID)
	}
	return nil
}
