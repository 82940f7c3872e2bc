package network

import (
	"net/netip"
	"slices"

	"neargate/node/firewall"
	"neargate/node/network/kern"
	"neargate/node/network/kern/sysctl"
	"neargate/resource/network/ipv6"
)

// sysctls are those of the VPC's namespace.
func (v VPC) sysctls() map[string]string {
	if len(v.IPv6) > 0 {
		return sysctl.Dual
	}
	return sysctl.Router
}

// plain is v without IPv6, for kernels without.
func (v VPC) plain() VPC {
	v.IPv6, v.EgressOnly = nil, false
	v.Subnets, v.Interfaces = slices.Clone(v.Subnets), slices.Clone(v.Interfaces)
	for i := range v.Subnets {
		v.Subnets[i].IPv6 = netip.Prefix{}
	}
	for i := range v.Interfaces {
		v.Interfaces[i].IPv6 = nil
	}
	return v
}

// ofFamily are the prefixes of IPv6, or the others. When all are, the list itself.
func ofFamily(list []netip.Prefix, six bool) []netip.Prefix {
	other := func(p netip.Prefix) bool { return p.Addr().Is6() != six }
	if !slices.ContainsFunc(list, other) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), other)
}

// policies are what package firewall needs of the VPC, a policy for each family.
func (v VPC) policies(all map[string]VPC) []firewall.Policy {
	list := []firewall.Policy{v.policy(all)}
	if len(v.IPv6) == 0 {
		return list
	}
	p := firewall.Policy{IPv6: true, CIDRs: v.IPv6, ACLs: v.ACLs, Gateway: list[0].Gateway}
	if v.EgressOnly {
		p.EgressOnly = deviceEgress
	}
	for _, g := range v.Groups {
		g.Members = g.MembersIPv6
		p.Groups = append(p.Groups, g)
	}
	for _, x := range v.Peers {
		if v.peered(x, all) {
			p.Peers = append(p.Peers, firewall.Peer{Name: namePeer(x.ID), CIDRs: ofFamily(x.CIDRs, true)})
		}
	}
	for _, i := range v.Interfaces {
		if s := v.subnet(i.Subnet); i.Role == Task && len(i.IPv6) > 0 && s.IPv6.IsValid() {
			p.Interfaces = append(p.Interfaces, firewall.Interface{Name: Name(i.ID), Addresses: i.IPv6,
				Groups: i.Groups, Subnet: s.IPv6, ACL: s.ACL, Forwards: i.Forwards})
		}
	}
	for _, u := range v.Kept {
		if s := v.subnet(u.Subnet); s.IPv6.IsValid() {
			p.Kept = append(p.Kept, firewall.Interface{Groups: u.Groups, Subnet: s.IPv6, ACL: s.ACL})
		}
	}
	return append(list, p)
}

// ranges are all of the VPC's.
func (v VPC) ranges() []netip.Prefix {
	if len(v.IPv6) == 0 {
		return v.CIDRs
	}
	return slices.Concat(v.CIDRs, v.IPv6)
}

var everywhereIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)

// into is a destination in a table of a VPC's namespace.
func into(table int, p netip.Prefix) destination {
	if p.Addr().Is6() {
		return destination{table, metricIPv6, p}
	}
	return destination{table: table, prefix: p}
}

// takes reports whether the route is of a family that the VPC and the subnet have.
func (v VPC) takes(s Subnet, r Route) bool {
	return r.Destination.Addr().Is4() || len(v.IPv6) > 0 && s.IPv6.IsValid()
}

// from is the subnet's range of the family of p.
func (s Subnet) from(p netip.Prefix) netip.Prefix {
	if p.Addr().Is6() {
		return s.IPv6
	}
	return s.CIDR
}

// addIPv6 is what the VPC's namespace has besides as soon as it has IPv6.
func (v VPC) addIPv6(s space) {
	if len(v.IPv6) == 0 {
		return
	}
	if v.EgressOnly {
		s.ends[deviceEgress] = true
	}
	s.routes[into(tableMain, everywhereIPv6)] = hop{}
	for _, c := range v.IPv6 {
		s.rules[rule{preference: preferLocal, to: c, table: tableMain}] = true
	}
	for _, sub := range v.Subnets {
		if sub.IPv6.IsValid() {
			s.addresses[located{deviceLocal, sub.IPv6.Addr().Next()}] = true
			s.rules[rule{preference: preferSubnet, from: sub.IPv6, table: sub.table()}] = true
		}
	}
	for _, i := range v.Interfaces {
		if i.Role != Task {
			continue
		}
		for _, a := range i.IPv6 {
			s.routes[into(tableMain, kern.Alone(a))] = hop{device: Name(i.ID)}
			s.neighbours[located{Name(i.ID), a}] = i.MAC
		}
	}
}

// addHostIPv6 is what v needs of the host's namespace for IPv6: packets to its range go
// by its internet gateway, or else by the egress-only one, whose answers they may be.
func (v VPC) addHostIPv6(h Host, s space) {
	if len(v.IPv6) == 0 || !h.Range.IsValid() {
		return
	}
	s.routes[destination{tableMain, h.metric(), h.Range}] = hop{}
	name := ""
	if v.EgressOnly {
		name = h.egressName(v.ID)
		mac := sharedMAC("eigw/" + v.ID)
		s.links[name] = link{peer: peer{space: nameVPC(v.ID), device: deviceEgress, mac: mac}, mac: mac, mtu: mtuGateway, up: true}
		s.addresses[located{name, ipv6.Host(h.Range)}] = true
	}
	if v.Gateway {
		name = h.gatewayName(v.ID)
		s.addresses[located{name, ipv6.Host(h.Range)}] = true
	}
	if name == "" {
		return
	}
	for _, c := range v.IPv6 {
		s.routes[destination{tableMain, h.metric(), c}] = hop{name, linkLocalIPv6}
	}
}
