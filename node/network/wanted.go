package network

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"neargate/node/network/kern/sysctl"
)

// wantedHost is what the VPCs need of the host's namespace, which is as host says.
func wantedHost(h Host, vpcs []VPC, host space) space {
	s := space{exists: true, links: map[string]link{}, addresses: map[located]bool{}, routes: map[destination]hop{}, sysctls: map[string]string{}}
	s.routes[destination{tableMain, h.metric(), h.Pool}] = hop{}
	for _, to := range h.services() {
		name, mac := h.gatewayName(to), sharedMAC(to)
		s.links[name] = link{peer: peer{space: to, device: deviceTask, mac: mac}, mac: mac, mtu: mtuGateway, up: true}
		s.sysctls[forwardingName(name)] = "1"
		for _, a := range h.Services {
			s.routes[destination{tableMain, h.metric(), host32(a)}] = hop{name, linkLocal}
		}
	}
	for _, v := range vpcs {
		v.addHostIPv6(h, s)
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
			for _, a := range i.publics() {
				s.routes[destination{tableMain, h.metric(), host32(a)}] = hop{name, linkLocal}
			}
		}
	}
	return s
}

// wantedServices is the namespace of the host's services.
func wantedServices(h Host) map[string]space {
	spaces := map[string]space{}
	for _, name := range h.services() {
		s := emptySpace(sysctl.Service)
		s.ends[deviceTask] = true
		s.routes[destination{table: tableMain, prefix: everywhere}] = hop{deviceTask, linkLocal}
		for _, a := range h.Services {
			s.routes[destination{table: tableLocal, prefix: host32(a)}] = hop{device: deviceLocal}
		}
		spaces[name] = s
	}
	return spaces
}

// wantedVPC is what v, among all VPCs of this host, needs of its own namespace and
// of those of its gateways and endpoints.
func wantedVPC(v VPC, all map[string]VPC) map[string]space {
	s := emptySpace(v.sysctls())
	spaces := map[string]space{nameVPC(v.ID): s}
	if v.Gateway {
		s.ends[deviceGateway] = true
	}
	// What no route takes is dropped, as an implicit router does.
	s.routes[destination{table: tableMain, prefix: everywhere}] = hop{}
	for _, c := range v.CIDRs {
		s.rules[rule{preference: preferLocal, to: c, table: tableMain}] = true
	}
	v.addIPv6(s)
	for _, sub := range v.Subnets {
		s.addresses[located{deviceLocal, sub.CIDR.Addr().Next()}] = true
		s.rules[rule{preference: preferSubnet, from: sub.CIDR, table: sub.table()}] = true
		for _, r := range sub.Routes {
			if !v.takes(sub, r) {
				continue
			}
			s.routes[into(sub.table(), r.Destination)] = v.hop(r, all)
			if v.narrows(r) {
				s.rules[rule{preference: preferNarrow, from: sub.from(r.Destination), to: r.Destination, table: sub.table()}] = true
			}
		}
	}
	for _, e := range v.Endpoints {
		s.addresses[located{deviceLocal, e.Address}] = true
	}
	for _, i := range v.Interfaces {
		if len(i.Addresses) > 0 {
			v.addInterface(spaces, &i)
		}
	}
	for _, g := range v.Gateways {
		own := emptySpace(sysctl.Service)
		own.routes[destination{table: tableLocal, prefix: g.Range}] = hop{device: deviceLocal}
		s.links[Name(g.ID)] = addService(spaces, own, g.ID, "")
	}
	for _, p := range v.Peers {
		if !v.peered(p, all) {
			continue
		}
		name, mac := namePeer(p.ID), sharedMAC(p.ID)
		if s.ends[name] = true; v.ID < p.VPC {
			s.links[name] = link{mtu: mtuVPC, up: true, mac: mac, peer: peer{space: nameVPC(p.VPC), device: name, mac: mac}}
		}
	}
	return spaces
}

var everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

func emptySpace(sysctls map[string]string) space {
	return space{exists: true, links: map[string]link{}, addresses: map[located]bool{}, neighbours: map[located]string{}, routes: map[destination]hop{},
		rules: map[rule]bool{}, sysctls: sysctls, ends: map[string]bool{}}
}

// table is the subnet's routing table. Subnets do not overlap, so it is its own.
func (s Subnet) table() int { return int(binary.BigEndian.Uint32(s.CIDR.Addr().AsSlice())) }

// narrows reports whether r leads a part of the VPC elsewhere than the local route.
func (v VPC) narrows(r Route) bool {
	return slices.ContainsFunc(v.ranges(), func(c netip.Prefix) bool {
		return c.Bits() <= r.Destination.Bits() && c.Contains(r.Destination.Addr())
	})
}

// hop is where r leads on this host.
func (v VPC) hop(r Route, all map[string]VPC) hop {
	six := r.Destination.Addr().Is6()
	via := linkLocal
	if six {
		via = linkLocalIPv6
	}
	switch {
	case r.Target == InternetGateway && v.Gateway:
		return hop{deviceGateway, via}
	case r.Target == EgressOnlyGateway && v.EgressOnly && six:
		return hop{deviceEgress, via}
	case r.Target != Device:
		return hop{}
	}
	for _, i := range v.Interfaces {
		own := i.Addresses
		if six {
			own = i.IPv6
		}
		if i.ID == r.ID && i.forwards() && len(own) > 0 {
			return hop{Name(i.ID), own[0]}
		}
	}
	for _, g := range v.Gateways {
		if g.ID == r.ID && !six {
			return hop{Name(g.ID), linkLocal}
		}
	}
	for _, p := range v.Peers {
		if p.ID == r.ID && v.peered(p, all) {
			return hop{namePeer(p.ID), via}
		}
	}
	return hop{}
}

func (v VPC) addInterface(spaces map[string]space, i *Interface) {
	s, name, subnet := spaces[nameVPC(v.ID)], Name(i.ID), v.subnet(i.Subnet)
	switch i.Role {
	case Task:
		s.links[name] = link{mtu: mtuVPC, up: true, peer: peer{space: name, device: deviceTask, mac: i.MAC, from: i.Namespace,
			address: netip.PrefixFrom(i.Addresses[0], subnet.CIDR.Bits()), gateway: subnet.CIDR.Addr().Next()}}
		if l := s.links[name]; len(v.IPv6) > 0 {
			l.peer.six = i.IPv6
			s.links[name] = l
		}
	default:
		own := emptySpace(sysctl.Service)
		if i.Role == NAT {
			own.sysctls = sysctl.NAT
		}
		for _, a := range i.Addresses {
			own.addresses[located{deviceLocal, a}] = true
		}
		s.links[name] = addService(spaces, own, i.ID, i.MAC)
	}
	for _, a := range i.Addresses {
		s.routes[destination{table: tableMain, prefix: host32(a)}] = hop{device: name}
	}
	if i.forwards() {
		v.addForwarding(s, name, subnet)
	}
}

// addForwarding makes what an interface of the subnet sends for others take the
// subnet's routes, and no others.
func (v VPC) addForwarding(s space, device string, subnet Subnet) {
	for _, r := range subnet.Routes {
		if v.takes(subnet, r) && v.narrows(r) {
			s.rules[rule{preference: preferForwardedNarrow, device: device, to: r.Destination, table: subnet.table()}] = true
		}
	}
	for _, c := range v.ranges() {
		s.rules[rule{preference: preferForwardedLocal, device: device, to: c, table: tableMain}] = true
	}
	s.rules[rule{preference: preferForwarded, device: device, table: subnet.table()}] = true
	s.routes[destination{subnet.table(), metricLast, everywhere}] = hop{}
	if len(v.IPv6) > 0 && subnet.IPv6.IsValid() {
		s.rules[rule{preference: preferForwarded, device: device, table: subnet.table(), six: true}] = true
		s.routes[destination{subnet.table(), metricLast, everywhereIPv6}] = hop{}
	}
}

// addService adds the namespace of a gateway or an endpoint, and returns its link.
func addService(spaces map[string]space, own space, id, mac string) link {
	mac = cmp.Or(mac, sharedMAC(id))
	own.ends[deviceTask] = true
	own.routes[destination{table: tableMain, prefix: everywhere}] = hop{deviceTask, linkLocal}
	spaces[Name(id)] = own
	return link{mtu: mtuVPC, up: true, mac: mac, peer: peer{space: Name(id), device: deviceTask, mac: mac}}
}

// services are the namespaces of v's gateways and endpoints, with their sysctls.
func (v VPC) services() map[string]map[string]string {
	list := map[string]map[string]string{}
	for _, i := range v.Interfaces {
		switch i.Role {
		case NAT:
			list[Name(i.ID)] = sysctl.NAT
		case Service:
			list[Name(i.ID)] = sysctl.Service
		}
	}
	for _, g := range v.Gateways {
		list[Name(g.ID)] = sysctl.Service
	}
	return list
}
