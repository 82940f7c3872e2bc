package network

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/network/kern"
)

// flows picks known connections of a namespace.
type flows func(firewall.Flow) bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (pick flows) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	there, back := f.Forward, f.Reverse
	names := []netip.Addr{kern.AddrOf(there.SrcIP), kern.AddrOf(there.DstIP), kern.AddrOf(back.SrcIP), kern.AddrOf(back.DstIP)}
	return pick(firewall.Flow{Source: names[0], Destination: names[2], Protocol: int(there.Protocol), Port: int(back.SrcPort),
		Out: names[0] != names[3], Names: names})
}

// cut ends known connections that the rules of a VPC's namespace no longer let
// pass, after they were changed; and, where an earlier process changed them, those
// of addresses that no interface has.
func (m *Manager) cut(v VPC, existed bool) error {
	old, known := m.ruled[v.ID]
	var pick flows
	switch {
	case known:
		pick = m.cuts(old, v)
	case existed:
		pick = v.orphaned()
	}
	if err := m.end(v, pick, v.Interfaces); err != nil {
		return err
	}
	for _, i := range v.Interfaces {
		at := slices.IndexFunc(old.Interfaces, func(o Interface) bool { return o.ID == i.ID })
		if i.Role != NAT || known && (at < 0 || slices.Equal(old.Interfaces[at].Addresses, i.Addresses)) || !known && !existed {
			continue
		}
		if err := m.drop(&i); err != nil {
			return err
		}
	}
	m.ruled[v.ID] = v
	return nil
}

// drop ends the connections through a NAT gateway under addresses that it has no more.
func (m *Manager) drop(i *Interface) error {
	path := m.Namespace(i.ID)
	if !netns.Mounted(path) {
		return nil
	}
	return kern.ForgetConnections(path, false, flows(func(f firewall.Flow) bool {
		return !slices.ContainsFunc(f.Names, func(a netip.Addr) bool { return slices.Contains(i.Addresses, a) })
	}))
}

// cuts picks the connections that end when v follows old.
func (m *Manager) cuts(old, v VPC) flows {
	var picks []func(firewall.Flow) bool
	was := old.policies(m.vpcs)
	for i, p := range v.policies(m.vpcs) {
		if i < len(was) {
			if pick := p.Cuts(&was[i]); pick != nil {
				picks = append(picks, pick)
			}
		}
	}
	if picks == nil {
		return nil
	}
	return func(f firewall.Flow) bool {
		return slices.ContainsFunc(picks, func(pick func(firewall.Flow) bool) bool { return pick(f) })
	}
}

// orphaned picks connections of private addresses of v that no interface has.
func (v VPC) orphaned() flows {
	taken := map[netip.Addr]bool{}
	for _, a := range names(v.Interfaces) {
		taken[a] = true
	}
	for _, e := range v.Endpoints {
		taken[e.Address] = true
	}
	for _, s := range v.Subnets {
		taken[s.CIDR.Addr().Next()] = true
		taken[s.IPv6.Addr().Next()] = true
	}
	return func(f firewall.Flow) bool {
		return slices.ContainsFunc([]netip.Addr{f.Source, f.Destination}, func(a netip.Addr) bool {
			return !taken[a] && slices.ContainsFunc(v.ranges(), func(c netip.Prefix) bool { return c.Contains(a) })
		})
	}
}

// bury notes the addresses that interfaces left. Connections of those that have
// come to others end before these are there.
func (m *Manager) bury(v VPC, d delta) error {
	if m.graves[v.ID] == nil {
		m.graves[v.ID] = map[netip.Addr]bool{}
	}
	for _, a := range names(d.gone) {
		m.graves[v.ID][a] = true
	}
	if err := m.end(v, nil, d.come); err != nil {
		return err
	}
	m.ruled[v.ID] = v
	return nil
}

// end ends the connections in v's namespace that pick picks, if any, and those of
// addresses that interfaces left, as soon as one of come has such an address.
func (m *Manager) end(v VPC, pick flows, come []Interface) error {
	graves := m.graves[v.ID]
	dead := func(a netip.Addr) bool { return graves[a] }
	if pick == nil && (len(graves) == 0 || !slices.ContainsFunc(names(come), dead)) {
		return nil
	}
	all := flows(func(f firewall.Flow) bool { return pick != nil && pick(f) || slices.ContainsFunc(f.Names, dead) })
	if err := kern.ForgetConnections(m.Space(v.ID), len(v.IPv6) > 0, all); err != nil {
		return err
	}
	delete(m.graves, v.ID)
	return nil
}
