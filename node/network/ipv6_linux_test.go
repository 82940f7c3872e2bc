package network

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/firewall/nft"
	"neargate/node/network/kern"
	"neargate/resource/network"
	"neargate/resource/network/ipv6"
)

// dualManager has an IPv6 range.
func (w *world) dualManager() *Manager {
	w.t.Helper()
	if _, err := os.Stat(kern.SysctlPath("ipv6")); err != nil {
		w.t.Skip("the kernel has no IPv6")
	}
	h := w.settings(false)
	h.Range = ipv6.Range(h.Pool)
	// A new namespace has what the machine has, which others may have set.
	w.must(netns.Do(w.host, func() error { return os.WriteFile(kern.SysctlPath("ipv6/conf/lo/disable_ipv6"), []byte("0"), 0) }))
	w.must(netns.Do(w.host, func() error { return os.WriteFile(kern.SysctlPath("ipv6/conf/default/disable_ipv6"), []byte("0"), 0) }))
	m, err := Open(filepath.Join(w.dir, "ns"), w.host, h)
	w.must(err)
	return m
}

// six is the i-th address of the subnet n of the VPC with the number in the range of
// the tests' pool.
func six(vpc, n, i byte) netip.Addr {
	a := ipv6.Range(netip.MustParsePrefix("198.18.0.0/15")).Addr().As16()
	a[6], a[7], a[15] = vpc, n, i
	return netip.AddrFrom16(a)
}

func permit6(protocol string, port int, peer string) network.Permission {
	return network.Permission{Protocol: protocol, From: port, To: port, IPv6: peer}
}

// dualStack is twoSubnets with IPv6: the subnet of a and b leads to the internet
// gateway, that of c to an egress-only one.
func dualStack(id string, octet byte) VPC {
	v := twoSubnets(id, int(octet))
	v.IPv6 = []netip.Prefix{netip.PrefixFrom(six(octet, 0, 0), 56)}
	v.EgressOnly = true
	for i := range v.Subnets {
		v.Subnets[i].IPv6 = netip.PrefixFrom(six(octet, byte(i+1), 0), 64)
	}
	v.Subnets[0].Routes = append(v.Subnets[0].Routes, Route{Destination: everywhereIPv6, Target: InternetGateway})
	v.Subnets[1].Routes = append(v.Subnets[1].Routes, Route{Destination: everywhereIPv6, Target: EgressOnlyGateway})
	for i, a := range []netip.Addr{six(octet, 1, 10), six(octet, 1, 11), six(octet, 2, 10)} {
		v.Interfaces[i].IPv6 = []netip.Addr{a}
	}
	for g, a := range map[int]netip.Addr{0: six(octet, 1, 10), 1: six(octet, 1, 11), 2: six(octet, 2, 10)} {
		v.Groups[g].MembersIPv6 = []netip.Addr{a}
	}
	v.Groups[0].Permissions = append(v.Groups[0].Permissions, permit6("tcp", 80, ipv6.Any), permit6("udp", 80, ipv6.Any), outward(permit6("-1", -1, ipv6.Any)))
	v.Groups[2].Permissions = append(v.Groups[2].Permissions, permit6("udp", 80, v.Subnets[0].IPv6.String()), outward(permit6("-1", -1, ipv6.Any)))
	return v
}

func at(a netip.Addr) string { return fmt.Sprintf("[%s]:80", a) }

func TestIPv6Packets(t *testing.T) {
	w := newWorld(t)
	m := w.dualManager()
	v, other := dualStack("1", 10), dualStack("2", 20)
	w.reconcile(m, v, other)
	w.settled(m, v, other)
	a, b, c := w.tasks(m, v)
	w.serve(w.host, "host", 80)
	own := ipv6.Host(m.host.Range).String()

	t.Run("inside the VPC", func(t *testing.T) {
		w := *w
		w.t = t
		w.expect(a, "udp", at(six(10, 2, 10)), "eni-1c "+six(10, 1, 10).String())
		w.expect(b, "tcp", at(six(10, 2, 10)), "eni-1c "+six(10, 1, 11).String()) // by the group, which counts for both
		w.expect(a, "tcp", at(six(10, 2, 10)), "")
		w.expect(a, "tcp", at(six(10, 1, 11)), "eni-1b "+six(10, 1, 10).String())
		w.expect(c, "tcp", at(six(10, 1, 11)), "")
		w.expect(a, "tcp", at(six(10, 2, 1)), "") // the subnet's router answers nobody
		w.expect(a, "tcp", "10.0.1.11:80", "eni-1b 10.0.1.10")
	})
	t.Run("through gateways", func(t *testing.T) {
		w := *w
		w.t = t
		w.expect(w.host, "tcp", at(six(10, 1, 10)), "eni-1a "+own)
		w.expect(w.host, "tcp", at(six(10, 1, 11)), "") // its group lets nobody in
		w.expect(a, "tcp", at(ipv6.Host(m.host.Range)), "")
		w.expect(a, "tcp", at(six(20, 1, 10)), "") // the host does not forward IPv6
	})
	t.Run("egress only", func(t *testing.T) {
		w := *w
		w.t = t
		open := clone(v)
		open.Groups[2].Permissions = append(open.Groups[2].Permissions, permit6("tcp", 80, ipv6.Any))
		w.update(m, open)
		w.expect(a, "tcp", at(six(10, 2, 10)), "eni-1c "+six(10, 1, 10).String())
		w.expect(w.host, "tcp", at(six(10, 2, 10)), "")
		w.expect(w.host, "tcp", at(six(10, 1, 10)), "eni-1a "+own)
		// Without its other gateway the VPC is reached by nobody, and c still gets out.
		open = clone(open)
		open.Gateway = false
		w.update(m, open)
		w.expect(w.host, "tcp", at(six(10, 1, 10)), "")
		w.expect(w.host, "tcp", at(six(10, 2, 10)), "")
	})
	w.must(m.Remove())
	w.clean()
}

// TestIPv6BetweenVPCs lets the host forward IPv6: packets go from gateway to gateway,
// and by the egress-only one only answers come in.
func TestIPv6BetweenVPCs(t *testing.T) {
	w := newWorld(t)
	m := w.dualManager()
	w.must(netns.Do(w.host, func() error { return os.WriteFile(kern.SysctlPath("ipv6/conf/all/forwarding"), []byte("1"), 0) }))
	v, other := dualStack("1", 10), dualStack("2", 20)
	other.Groups[2].Permissions = append(other.Groups[2].Permissions, permit6("tcp", 80, ipv6.Any))
	w.reconcile(m, v, other)
	a, _, c := w.tasks(m, v)
	a2, _, _ := w.tasks(m, other)
	w.expect(a, "tcp", at(six(20, 1, 10)), "eni-2a "+six(10, 1, 10).String())
	w.expect(c, "tcp", at(six(20, 1, 10)), "eni-2a "+six(10, 2, 10).String())
	w.expect(a, "tcp", at(six(20, 2, 10)), "")
	w.expect(a2, "tcp", at(six(10, 1, 11)), "")

	// A route table that changes acts at once.
	v = clone(v)
	v.Subnets[1].Routes = v.Subnets[1].Routes[:0]
	w.update(m, v)
	w.expect(c, "tcp", at(six(20, 1, 10)), "")
	// A network ACL judges each packet.
	v = clone(v)
	v.Subnets[0].ACL = "acl-1"
	v.ACLs = []firewall.ACL{{ID: "acl-1", Entries: []network.NetworkAclEntry{
		{Egress: true, Number: 101, Protocol: "-1", Action: "allow", IPv6: ipv6.Any},
		{Number: 90, Protocol: "6", Action: "deny", IPv6: v.IPv6[0].String(), From: 0, To: 65535},
		{Number: 101, Protocol: "-1", Action: "allow", IPv6: ipv6.Any}}}}
	w.update(m, v)
	w.expect(a, "tcp", at(six(20, 1, 10)), "eni-2a "+six(10, 1, 10).String())
	w.expect(a, "udp", at(six(10, 2, 10)), "eni-1c "+six(10, 1, 10).String())
	w.expect(a, "tcp", "10.0.2.10:80", "")
	w.must(m.Remove())
	w.clean()
}

func TestIPv6Spoofing(t *testing.T) {
	w := newWorld(t)
	m := w.dualManager()
	v := dualStack("1", 10)
	w.reconcile(m, v)
	a, c := m.Namespace(v.Interfaces[0].ID), m.Namespace(v.Interfaces[2].ID)
	w.in(a, func(k *netlink.Handle) error {
		return kern.WithLink(k, deviceTask, func(l netlink.Link) error {
			return k.AddrReplace(l, &netlink.Addr{IPNet: kern.IPNet(kern.Alone(six(10, 1, 99))), Flags: unix.IFA_F_NODAD})
		})
	})
	var in net.PacketConn
	w.must(netns.Do(c, func() (err error) {
		in, err = net.ListenPacket("udp6", ":80")
		return err
	}))
	defer in.Close()
	for source, arrives := range map[netip.Addr]bool{six(10, 1, 10): true, six(10, 1, 99): false} {
		var out *net.UDPConn
		w.must(netns.Do(a, func() (err error) {
			out, err = net.DialUDP("udp6", &net.UDPAddr{IP: source.AsSlice()}, &net.UDPAddr{IP: six(10, 2, 10).AsSlice(), Port: 80})
			return err
		}))
		fmt.Fprint(out, source)
		out.Close()
		wait := impatience
		if arrives {
			wait = patience
		}
		in.SetReadDeadline(time.Now().Add(wait))
		b := make([]byte, 100)
		n, _, err := in.ReadFrom(b)
		if got := err == nil; got != arrives || got && string(b[:n]) != source.String() {
			t.Errorf("from %s: %q, %v", source, b[:n], err)
		}
	}
	w.must(m.Remove())
	w.clean()
}

// TestIPv6ComesAndGoes gives a VPC IPv6 and takes it away while tasks run, which keep
// what they have of IPv4.
func TestIPv6ComesAndGoes(t *testing.T) {
	w := newWorld(t)
	m := w.dualManager()
	plain, v := twoSubnets("1", 10), dualStack("1", 10)
	w.reconcile(m, plain)
	if tables, err := nft.OpenIPv6(m.Space(v.ID), "").Tables(); err != nil || len(tables) > 0 {
		t.Errorf("without IPv6 there are tables %v (%v)", tables, err)
	}
	a := m.Namespace(v.Interfaces[0].ID)
	w.serve(a, "a", 80)
	w.expect(w.host, "tcp", "198.18.10.10:80", "a 198.18.0.1")
	late := v.Interfaces[0]
	late.ID, late.MAC, late.Addresses, late.Public = "eni-late", network.MAC("eni-late"), []netip.Addr{addr("10.0.1.77")}, netip.Addr{}
	late.IPv6 = []netip.Addr{six(10, 1, 77)}
	dual := clone(v)
	dual.Interfaces = append(dual.Interfaces, late)
	w.update(m, dual)
	w.settled(m, dual)
	w.serve(m.Namespace(late.ID), "late", 80)
	w.expect(w.host, "tcp", at(six(10, 1, 77)), "late "+ipv6.Host(m.host.Range).String())
	w.expect(w.host, "tcp", "198.18.10.10:80", "a 198.18.0.1")
	more := clone(dual)
	late.ID, late.MAC, late.Addresses, late.IPv6 = "eni-more", network.MAC("eni-more"), []netip.Addr{addr("10.0.1.78")}, []netip.Addr{six(10, 1, 78)}
	more.Interfaces = append(more.Interfaces, late)
	w.update(m, more) // by the quick way
	w.serve(m.Namespace(late.ID), "more", 80)
	w.expect(w.host, "tcp", at(six(10, 1, 78)), "more "+ipv6.Host(m.host.Range).String())
	w.settled(m, more)
	w.update(m, plain)
	w.reconcile(m, plain) // links of namespaces that sockets hold
	w.settled(m, plain)
	w.expect(w.host, "tcp", at(six(10, 1, 78)), "")
	w.expect(w.host, "tcp", "198.18.10.10:80", "a 198.18.0.1")
	w.must(m.Remove())
	w.clean()
}

func TestIPv6Repair(t *testing.T) {
	w := newWorld(t)
	m := w.dualManager()
	v := dualStack("1", 10)
	w.reconcile(m, v)
	vpc, web := m.Space(v.ID), Name(v.Interfaces[0].ID)
	for _, c := range []struct {
		name string
		harm func()
	}{
		{"routes", func() {
			w.in(vpc, func(k *netlink.Handle) error {
				return eachRouteOf(k, func(r netlink.Route) error { return k.RouteDel(&r) })
			})
		}},
		{"rules", func() {
			w.in(vpc, func(k *netlink.Handle) error {
				rules := map[rule]bool{}
				err := observeRules(k, netlink.FAMILY_V6, rules)
				for r := range rules {
					if err == nil {
						err = k.RuleDel(netlinkRule(r))
					}
				}
				return err
			})
		}},
		{"neighbours", func() {
			w.in(vpc, func(k *netlink.Handle) error {
				return kern.WithLink(k, web, func(l netlink.Link) error {
					return k.NeighDel(kern.Permanent(l.Attrs().Index, six(10, 1, 10), nil))
				})
			})
		}},
		{"forwarding", func() {
			w.must(netns.Do(vpc, func() error { return os.WriteFile(kern.SysctlPath("ipv6/conf/all/forwarding"), []byte("0"), 0) }))
		}},
		{"IPv6 turned off", func() {
			w.must(netns.Do(vpc, func() error { return os.WriteFile(kern.SysctlPath("ipv6/conf/all/disable_ipv6"), []byte("1"), 0) }))
		}},
		{"link of an interface", func() { w.in(vpc, func(k *netlink.Handle) error { return kern.WithLink(k, web, k.LinkDel) }) }},
		{"link of an interface down", func() { w.in(vpc, func(k *netlink.Handle) error { return kern.WithLink(k, web, k.LinkSetDown) }) }},
		{"address of the host", func() {
			w.in(w.host, func(k *netlink.Handle) error {
				return kern.WithLink(k, m.host.gatewayName(v.ID), func(l netlink.Link) error {
					return k.AddrDel(l, &netlink.Addr{IPNet: kern.IPNet(kern.Alone(ipv6.Host(m.host.Range)))})
				})
			})
		}},
		{"gateway", func() {
			w.in(w.host, func(k *netlink.Handle) error { return kern.WithLink(k, m.host.gatewayName(v.ID), k.LinkDel) })
		}},
		{"gateway down", func() {
			w.in(w.host, func(k *netlink.Handle) error { return kern.WithLink(k, m.host.gatewayName(v.ID), k.LinkSetDown) })
		}},
		{"egress-only gateway", func() {
			w.in(w.host, func(k *netlink.Handle) error { return kern.WithLink(k, m.host.egressName(v.ID), k.LinkDel) })
		}},
		{"rules of the VPC", func() { w.must(nft.OpenIPv6(vpc, "neargate").Delete()) }},
		{"rules of the host", func() { w.must(nft.OpenIPv6(w.host, "neargate-"+m.host.firewall().Tag).Delete()) }},
		{"namespace of the VPC", func() { w.must(netns.Remove(vpc)) }},
		{"namespace of a task", func() { w.must(netns.Remove(m.Namespace(v.Interfaces[0].ID))) }},
		{"restart", func() { m = w.dualManager() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			c.harm()
			if changed := w.reconcile(m, v); changed == nil {
				t.Error("nothing was repaired")
			}
			w.settled(m, v)
			a := m.Namespace(v.Interfaces[0].ID)
			name := fmt.Sprint("again ", c.name)
			w.serve(a, name, 80)
			w.serve(m.Namespace(v.Interfaces[2].ID), "db", 80)
			w.expect(w.host, "tcp", at(six(10, 1, 10)), name+" "+ipv6.Host(m.host.Range).String())
			w.expect(a, "udp", at(six(10, 2, 10)), "db "+six(10, 1, 10).String())
		})
	}
	w.must(m.Remove())
	w.clean()
}

// eachRouteOf runs fn for the IPv6 routes that the kernel did not make.
func eachRouteOf(k *netlink.Handle, fn func(netlink.Route) error) (err error) {
	var list []netlink.Route
	err = kern.EachRoute(k, netlink.FAMILY_V6, func(r netlink.Route) {
		if r.Protocol != unix.RTPROT_KERNEL {
			list = append(list, r)
		}
	})
	for _, r := range list {
		if err == nil {
			err = fn(r)
		}
	}
	return err
}
