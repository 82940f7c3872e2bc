package network

import (
	"errors"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/network/kern"
)

// observeSpace reads the namespace of a VPC or of a gateway or endpoint in it; one
// that is not there is empty.
func observeSpace(path string, sysctls map[string]string, six bool) (space, error) {
	s := emptySpace(map[string]string{})
	s.exists = false
	if !netns.Mounted(path) {
		return s, nil
	}
	s.exists = true
	err := kern.Steady(path, func(k *netlink.Handle) error {
		clear(s.links)
		clear(s.routes)
		clear(s.rules)
		clear(s.addresses)
		clear(s.ends)
		clear(s.neighbours)
		links, err := k.LinkList()
		if err != nil {
			return err
		}
		names := map[int]string{}
		for _, l := range links {
			a := l.Attrs()
			names[a.Index] = a.Name
			up := a.RawFlags&unix.IFF_UP != 0
			end := a.Name == deviceGateway || a.Name == deviceEgress || a.Name == deviceTask
			if end || strings.HasPrefix(a.Name, prefixPeer) {
				s.ends[a.Name] = up && a.RawFlags&unix.IFF_NOARP != 0
			}
			if !end && l.Type() == "veth" {
				s.links[a.Name] = link{up: up}
			}
		}
		err = kern.ReadSysctls(sysctls, s.sysctls)
		if six {
			err = errors.Join(err, observeNeighbours(k, names, s.neighbours))
		}
		for _, family := range kern.Families(six) {
			err = errors.Join(err, observeAddresses(k, family, s.addresses), observeRules(k, family, s.rules),
				kern.EachRoute(k, family, func(r netlink.Route) {
					if r.Protocol != unix.RTPROT_KERNEL {
						s.routes[destinationOf(r)] = hopOf(r, names)
					}
				}))
		}
		return err
	})
	return s, err
}

// observeHost reads the host's namespace as far as it is the installation's, and
// what it must not get in the way of.
func (m *Manager) observeHost(sysctls map[string]string) (space, error) {
	s := space{exists: true, links: map[string]link{}, addresses: map[located]bool{}, routes: map[destination]hop{}, sysctls: map[string]string{}}
	err := kern.Steady(m.root, func(k *netlink.Handle) error {
		clear(s.links)
		clear(s.routes)
		clear(s.addresses)
		s.foreign, s.others = nil, nil
		links, err := k.LinkList()
		if err != nil {
			return err
		}
		names := map[int]string{}
		for _, l := range links {
			a := l.Attrs()
			names[a.Index] = a.Name
			if strings.HasPrefix(a.Name, m.host.gatewayPrefix()) {
				s.links[a.Name] = link{up: a.RawFlags&unix.IFF_UP != 0}
				if m.host.Range.IsValid() {
					err = errors.Join(err, observeGiven(k, l, s.addresses))
				}
			}
		}
		if m.ipv6 {
			err = errors.Join(err, kern.EachRoute(k, netlink.FAMILY_V6, func(r netlink.Route) {
				if d := destinationOf(r); r.Protocol == kern.ProtocolRoutes && d.metric == m.host.metric() {
					s.routes[d] = hopOf(r, names)
				}
			}))
		}
		err = errors.Join(err, kern.EachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
			d := destinationOf(r)
			switch {
			case r.Protocol != kern.ProtocolRoutes:
				if d.prefix.Bits() > 0 && r.Type == unix.RTN_UNICAST {
					s.foreign = append(s.foreign, d.prefix)
				}
			case d.metric == m.host.metric():
				s.routes[d] = hopOf(r, names)
			case r.Type == unix.RTN_BLACKHOLE:
				s.others = append(s.others, d.prefix)
			}
		}))
		return errors.Join(err, kern.ReadSysctls(sysctls, s.sysctls))
	})
	return s, err
}

func observeAddresses(k *netlink.Handle, family int, into map[located]bool) error {
	lo, err := k.LinkByName("lo")
	if err != nil {
		return err
	}
	list, err := k.AddrList(lo, family)
	for _, a := range list {
		if ip := kern.AddrOf(a.IP); !ip.IsLoopback() {
			into[located{deviceLocal, ip}] = true
		}
	}
	return err
}

// observeGiven reads the IPv6 addresses of a device, but those the kernel makes.
func observeGiven(k *netlink.Handle, l netlink.Link, into map[located]bool) error {
	list, err := k.AddrList(l, netlink.FAMILY_V6)
	for _, a := range list {
		if ip := kern.AddrOf(a.IP); !ip.IsLinkLocalUnicast() {
			into[located{l.Attrs().Name, ip}] = true
		}
	}
	return err
}

// observeNeighbours reads the IPv6 neighbours that nobody has to look for.
func observeNeighbours(k *netlink.Handle, names map[int]string, into map[located]string) error {
	list, err := k.NeighList(0, netlink.FAMILY_V6)
	for _, n := range list {
		if n.State&netlink.NUD_PERMANENT != 0 {
			into[located{names[n.LinkIndex], kern.AddrOf(n.IP)}] = n.HardwareAddr.String()
		}
	}
	return err
}

func observeRules(k *netlink.Handle, family int, into map[rule]bool) error {
	list, err := k.RuleList(family)
	for _, r := range list {
		switch r.Table {
		case unix.RT_TABLE_LOCAL, unix.RT_TABLE_DEFAULT:
			continue
		}
		x := rule{preference: r.Priority, device: r.IifName, from: kern.PrefixOf(r.Src), to: kern.PrefixOf(r.Dst), table: r.Table}
		if x.six = family == netlink.FAMILY_V6 && !x.ipv6(); x.preference < 32766 {
			into[x] = true
		}
	}
	return err
}

func destinationOf(r netlink.Route) destination {
	p := kern.PrefixOf(r.Dst)
	if !p.IsValid() {
		if p = everywhere; r.Family == netlink.FAMILY_V6 {
			p = everywhereIPv6
		}
	}
	return destination{r.Table, r.Priority, p}
}

// hopOf is where r leads; a route of a kind that is never wanted leads nowhere
// that is.
func hopOf(r netlink.Route, names map[int]string) hop {
	switch r.Type {
	case unix.RTN_BLACKHOLE:
		return hop{}
	case unix.RTN_UNICAST:
		return hop{names[r.LinkIndex], kern.AddrOf(r.Gw)}
	case unix.RTN_LOCAL:
		return hop{device: deviceLocal}
	}
	return hop{device: "-"}
}
