package vpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/network/ipv6"
	"neargate/resource/network/path"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// plainVPC is the VPC of the maze without IPv6.
const plainVPC = 2

// list6 is a prefix list of the customer's with ranges of IPv6.
const list6 = "pl-0123456789abcdef6"

// outside6 is an address that nobody has.
var outside6 = netip.MustParseAddr("2001:db8::1")

// block6 is the range of VPC n, and part6 that of its k-th subnet.
func block6(n int) netip.Prefix { return netip.PrefixFrom(part6(n, 0).Addr(), ipv6.BitsVpc) }

func part6(n, k int) netip.Prefix {
	b := ipv6.Range(mazePool).Addr().As16()
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])|uint64(n)<<8|uint64(k))
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

// address6 is the IPv6 address of the i-th task in a subnet.
func address6(n, k, i int) string {
	b := part6(n, k).Addr().As16()
	b[15] = byte(16 + i)
	return netip.AddrFrom16(b).String()
}

// cidrs6 are what rules may be about.
func cidrs6() []string {
	return []string{ipv6.Any, ipv6.Any, ipv6.Any, block6(1).String(), part6(1, 1).String(), part6(1, 2).String(), block6(3).String(),
		ipv6.Range(mazePool).String(), "2001:db8::/32"}
}

// furnish6 stores what leads out of the VPCs for IPv6, of which shuffle6 changes some.
func (m *maze) furnish6() {
	m.update(func(tx store.Tx) error {
		return edges.PrefixLists.Put(tx, &edge.PrefixList{Account: account, Region: region, ID: list6, Family: "IPv6",
			Entries: []edge.PrefixEntry{{CIDR: block6(3).String()}, {CIDR: part6(1, 1).String()}}})
	})
}

// gateway6 is the egress-only gateway of VPC n, which it has or not.
func (m *maze) gateway6(tx store.Tx, n int) error {
	g := edge.EgressOnlyGateway{Account: account, Region: region, ID: fmt.Sprint("eigw-", n), Vpc: fmt.Sprint("vpc-", n)}
	if m.rnd.IntN(4) == 0 {
		g.Vpc = "vpc-gone"
	}
	return edges.EgressOnlyGateways.Put(tx, &g)
}

// routes6 are some of those that a subnet may have for IPv6.
func (m *maze) routes6(n, k int) []record.Route {
	all := []record.Route{{Destination6: block6(n).String(), Gateway: record.LocalGateway}}
	maybe := func(of int, r record.Route) {
		if m.rnd.IntN(of) > 0 {
			all = append(all, r)
		}
	}
	out := []record.Route{{Destination6: ipv6.Any, Gateway: fmt.Sprint("igw-", n)}, {Destination6: ipv6.Any, Gateway: fmt.Sprint("igw-", n)},
		{Destination6: ipv6.Any, EgressOnly: fmt.Sprint("eigw-", n)}}
	switch n {
	case 1:
		if k == 2 {
			out = append(out, record.Route{Destination6: ipv6.Any, Interface: "eni-1b"})
		}
		if m.rnd.IntN(4) > 0 { // inside the VPC, by the appliance
			all = append(all, record.Route{Destination6: one(m.rnd, part6(1, 1).String(), part6(1, 3-k).String(), address6(1, 2, 1)+"/128"),
				Interface: one(m.rnd, "eni-1b", "eni-1b", "eni-gone")})
		}
		maybe(6, record.Route{Destination6: block6(3).String(), Peering: "pcx-13"})
		maybe(2, record.Route{Destination6: block6(4).String(), Peering: "pcx-13"}) // as if peering led further
		maybe(2, record.Route{PrefixList: list6, Peering: "pcx-13"})
	case 3:
		maybe(6, record.Route{Destination6: block6(1).String(), Peering: "pcx-13"})
		maybe(6, record.Route{Destination6: block6(4).String(), Peering: "pcx-34"})
	case 4:
		maybe(6, record.Route{Destination6: block6(3).String(), Peering: "pcx-34"})
		maybe(2, record.Route{Destination6: block6(1).String(), Peering: "pcx-34"})
	}
	maybe(8, one(m.rnd, out...))
	if m.rnd.IntN(6) == 0 {
		all = append(all, record.Route{Destination6: "2001:db8::/32", Gateway: "igw-gone"})
	}
	return all
}

// entries6 are those of a network ACL about IPv6.
func (m *maze) entries6() (all []record.NetworkAclEntry) {
	for _, egress := range []bool{true, false} {
		wide := ipv6.Any
		if m.rnd.IntN(8) == 0 {
			wide = one(m.rnd, cidrs6()...)
		}
		if m.rnd.IntN(5) == 0 {
			p := one(m.rnd, mazePorts...)
			all = append(all, record.NetworkAclEntry{Egress: egress, Number: 11, Protocol: one(m.rnd, "6", "17", "-1"), From: p, To: p,
				Action: one(m.rnd, "deny", "allow"), IPv6: one(m.rnd, cidrs6()...)})
		}
		if m.rnd.IntN(10) == 0 {
			all = append(all, record.NetworkAclEntry{Egress: egress, Number: 21, Protocol: one(m.rnd, "6", "17"), From: 1024, To: 65535, Action: "deny", IPv6: one(m.rnd, cidrs6()...)})
		}
		all = append(all, record.NetworkAclEntry{Egress: egress, Number: 31, Protocol: "-1", Action: "allow", IPv6: wide},
			record.NetworkAclEntry{Egress: egress, Number: ipv6.LastEntry, Protocol: "-1", Action: "deny", IPv6: ipv6.Any})
	}
	return all
}

// rules6 adds rules about IPv6 to a group. Those for groups are of both families.
func (m *maze) rules6(tx store.Tx, group string) (err error) {
	wide := m.rnd.IntN(4) > 0
	for i, egress := range []bool{true, true, false, false} {
		r := record.SecurityGroupRule{Account: account, Region: region, ID: fmt.Sprintf("sgr-%s-six-%d", group, i), Group: group}
		switch r.Permission = (record.Permission{Egress: egress, Protocol: one(m.rnd, "-1", "tcp", "udp"), From: -1, To: -1}); {
		case i%2 == 0 && wide:
			r.Protocol, r.IPv6 = "-1", ipv6.Any
		case m.rnd.IntN(6) == 0:
			r.PrefixList = list6
		default:
			r.IPv6 = one(m.rnd, cidrs6()...)
		}
		if r.Protocol != "-1" {
			r.From = one(m.rnd, 1, 1, 80)
			r.To = max(r.From, one(m.rnd, 79, 443, 65535))
		}
		err = errors.Join(err, tables.SecurityGroupRules.Put(tx, &r))
	}
	return err
}

// ask6 is a packet of IPv6 to try.
func (m *maze) ask6() ask {
	has := slices.DeleteFunc(slices.Clone(m.enis), func(e record.NetworkInterface) bool { return len(e.IPv6) == 0 })
	e := one(m.rnd, has...)
	port := one(m.rnd, mazePorts...)
	a := ask{space: m.manager.Namespace(e.ID), query: path.Query{Source: e.ID, Protocol: one(m.rnd, path.TCP, path.TCP, path.UDP), Ports: path.Range{From: port, To: port}, Around: true}}
	var near, all []netip.Addr
	for _, o := range has {
		if o.ID == e.ID {
			continue
		}
		p := netip.MustParseAddr(o.IPv6[0])
		if all = append(all, p); o.Vpc == e.Vpc || e.Vpc == "vpc-1" && o.Vpc == "vpc-3" || e.Vpc == "vpc-3" || e.Vpc == "vpc-4" && o.Vpc == "vpc-3" {
			if near = append(near, p); e.Vpc == o.Vpc && e.Vpc == "vpc-1" {
				near = append(near, p, p)
			}
		}
	}
	switch host := ipv6.Host(ipv6.Range(mazePool)); m.rnd.IntN(8) {
	case 0:
		a.to = one(m.rnd, outside6, host)
	case 1:
		a.to = one(m.rnd, part6(1, 2).Addr().Next(), netip.MustParseAddr(address6(1, 1, 99)), netip.MustParseAddr(address6(3, 1, 99)))
	case 2, 3: // from the host
		a.to = one(m.rnd, all...)
		i := slices.IndexFunc(m.enis, func(e record.NetworkInterface) bool { return slices.Contains(e.IPv6, a.to.String()) })
		a.space, a.query.Source, a.query.From = m.host, "igw-"+m.enis[i].Vpc[4:], host
	case 4:
		a.to = one(m.rnd, all...)
	default:
		a.to = one(m.rnd, append(near, all[0])...)
	}
	a.query.To = a.to
	return a
}
