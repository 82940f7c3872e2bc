package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/firewall/nft"
	"neargate/node/network/kern"
	"neargate/resource/network"
)

// open lets everything in and out.
var open = firewall.Group{ID: "sg-open", Permissions: []network.Permission{
	permit("-1", -1, network.AnyIPv4), outward(permit("-1", -1, network.AnyIPv4))}}

func eni(id, ip, subnet string, groups ...string) Interface {
	return Interface{ID: id, MAC: network.MAC(id), Addresses: []netip.Addr{addr(ip)}, Subnet: "subnet-" + subnet, Groups: groups}
}

// edged is a VPC 10.n.0.0/16 with all that leads out of one: a public subnet
// 10.n.1.0/24 with the task a, which has a public address, and a NAT gateway; and a
// private one, 10.n.2.0/24, with the task c and a NAT gateway's, a gateway
// endpoint's and an interface endpoint's routes and interfaces.
func edged(id string, n int) VPC {
	ip := func(rest string) string { return fmt.Sprint("10.", n, rest) }
	nat := eni("eni-"+id+"nat", ip(".1.20"), "1")
	nat.Role, nat.Public = NAT, netip.AddrFrom4([4]byte{198, 18, byte(10 * n), 20})
	door := eni("eni-"+id+"vpce", ip(".2.30"), "2", "sg-door")
	door.Role = Service
	a := eni("eni-"+id+"a", ip(".1.10"), "1", "sg-open")
	a.Public = netip.AddrFrom4([4]byte{198, 18, byte(10 * n), 10})
	s3 := GatewayEndpoint{ID: "vpce-" + id, Range: prefix("198.18.0.16/28")}
	return VPC{ID: "vpc-" + id, CIDRs: []netip.Prefix{prefix(ip(".0.0/16"))}, Gateway: true,
		Subnets: []Subnet{
			{ID: "subnet-1", CIDR: prefix(ip(".1.0/24")), Routes: []Route{{everywhere, InternetGateway, ""}}},
			{ID: "subnet-2", CIDR: prefix(ip(".2.0/24")), Routes: []Route{{everywhere, Device, nat.ID}, {s3.Range, Device, s3.ID}}},
		},
		Interfaces: []Interface{a, eni("eni-"+id+"c", ip(".2.10"), "2", "sg-open"), nat, door},
		Groups: []firewall.Group{open, {ID: "sg-door", Permissions: []network.Permission{
			permit("tcp", 443, ip(".2.0/24")), permit("tcp", 81, network.AnyIPv4)}}},
		Gateways: []GatewayEndpoint{s3},
	}
}

// reachable has the internet know the way to public addresses, so that it sees
// them.
func (w *world) reachable() {
	w.t.Helper()
	w.in(w.internet, func(k *netlink.Handle) error {
		return k.RouteAdd(&netlink.Route{Dst: kern.IPNet(everywhere), Gw: net.IPv4(192, 0, 2, 1)})
	})
}

func (w *world) update(m *Manager, v VPC) {
	w.t.Helper()
	_, err := m.Update(clone(v))
	w.must(err)
}

func TestNATGateway(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	v := edged("1", 1)
	b := eni("eni-1b", "10.1.2.11", "2", "sg-open")
	v.Interfaces = append(v.Interfaces, b)
	w.reconcile(m, v)
	w.settled(m, v)
	spaceA, spaceB, spaceC, nat := m.Namespace("eni-1a"), m.Namespace("eni-1b"), m.Namespace("eni-1c"), m.Namespace("eni-1nat")
	w.serve(w.internet, "internet", 80)
	w.serve(spaceA, "a", 80)
	w.serve(spaceC, "c", 80)
	w.serve(nat, "nat", 80)
	w.expect(spaceC, "tcp", "203.0.113.9:80", "internet 198.18.10.20")
	w.expect(spaceB, "udp", "192.0.2.2:80", "internet 198.18.10.20")
	w.expect(spaceA, "tcp", "203.0.113.9:80", "internet 198.18.10.10")
	w.expect(spaceC, "tcp", "198.18.10.10:80", "a 198.18.10.20") // around the gateway
	w.expect(spaceA, "tcp", "10.1.2.10:80", "c 10.1.1.10")       // inside nothing is translated
	w.expect(spaceA, "tcp", "10.1.1.20:80", "")                  // it answers nobody
	w.expect(w.internet, "tcp", "198.18.10.20:80", "")
	w.expect(w.internet, "udp", "198.18.10.20:80", "")
	t.Run("equal ports of many", func(t *testing.T) {
		w := *w
		w.t = t
		var wg sync.WaitGroup
		for port := range 100 {
			for _, space := range []string{spaceB, spaceC} {
				wg.Go(func() {
					var c net.Conn
					err := netns.Do(space, func() (err error) {
						d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{Port: 20000 + port}}
						c, err = d.Dial("tcp4", "203.0.113.9:80")
						return err
					})
					if err == nil {
						defer c.Close()
						_, err = ask(c, patience)
					}
					if err != nil {
						t.Errorf("from port %d of %s: %v", 20000+port, space, err)
					}
				})
			}
		}
		wg.Wait()
	})
	t.Run("large packets", func(t *testing.T) {
		w := *w
		w.t = t
		w.sink(w.internet, 90)
		w.pour(spaceC, "203.0.113.9:90", 4<<20)
		if size := w.segment(spaceC, "203.0.113.9:90"); size > 1460 {
			t.Errorf("segments have %d bytes", size)
		}
	})
	t.Run("known connections", func(t *testing.T) {
		w := *w
		w.t = t
		c, err := dial(spaceC, "tcp", "203.0.113.9:80", patience)
		w.must(err)
		defer c.Close()
		changed := v
		changed.Groups = []firewall.Group{{ID: "sg-open", Permissions: open.Permissions[1:]}, v.Groups[1]}
		changed.Interfaces = append(slices.Clone(v.Interfaces), eni("eni-1d", "10.1.2.12", "2", "sg-open"))
		w.update(m, changed)
		if got, err := ask(c, patience); got != "internet 198.18.10.20" {
			t.Errorf("after a change of rules: %q, %v", got, err)
		}
		changed.Interfaces = slices.DeleteFunc(slices.Clone(v.Interfaces), func(i Interface) bool { return i.Role == NAT })
		w.update(m, changed)
		if got, err := ask(c, impatience); err == nil {
			t.Errorf("without the gateway: %q", got)
		}
		w.expect(spaceC, "tcp", "203.0.113.9:80", "")
		if _, err := os.Stat(nat); !os.IsNotExist(err) {
			t.Errorf("its namespace: %v", err)
		}
		w.update(m, v)
		w.expect(spaceC, "tcp", "203.0.113.9:80", "internet 198.18.10.20")
		w.settled(m, v)
	})
	w.must(m.Remove())
	w.clean()
}

// TestVPCEndpoints has endpoints of both types: who listens in their namespaces is reached by whom
// routes and groups let, on the ports of services.
func TestVPCEndpoints(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := edged("1", 1)
	w.reconcile(m, v)
	w.settled(m, v)
	a, c := m.Namespace("eni-1a"), m.Namespace("eni-1c")
	for _, port := range []int{443, 80, 81} {
		w.serve(m.Namespace("vpce-1"), "s3", port)
		w.serve(m.Namespace("eni-1vpce"), "ecr", port)
	}
	w.expect(c, "tcp", "198.18.0.16:443", "s3 10.1.2.10")
	w.expect(c, "tcp", "198.18.0.31:80", "s3 10.1.2.10")
	w.expect(c, "tcp", "198.18.0.16:81", "") // no service
	w.expect(c, "udp", "198.18.0.16:443", "")
	w.expect(a, "tcp", "198.18.0.16:443", "") // no route: leads to the internet
	w.expect(c, "tcp", "10.1.2.30:443", "ecr 10.1.2.10")
	w.expect(c, "tcp", "10.1.2.30:80", "")  // not in its group
	w.expect(a, "tcp", "10.1.2.30:443", "") // nor is a
	w.expect(a, "tcp", "10.1.2.30:81", "")  // no service
	w.expect(m.Namespace("vpce-1"), "tcp", "10.1.2.10:80", "")
	w.expect(w.host, "tcp", "198.18.0.16:443", "")

	t.Run("the group opens", func(t *testing.T) {
		w := *w
		w.t = t
		v := v
		v.Groups = []firewall.Group{open, {ID: "sg-door", Permissions: []network.Permission{permit("tcp", 443, network.AnyIPv4)}}}
		w.update(m, v)
		w.expect(a, "tcp", "10.1.2.30:443", "ecr 10.1.1.10")
		v.Groups[1].Permissions = nil
		w.update(m, v)
		w.expect(c, "tcp", "10.1.2.30:443", "")
	})
	t.Run("the task's group closes", func(t *testing.T) {
		w := *w
		w.t = t
		v := v
		v.Groups = []firewall.Group{{ID: "sg-open", Permissions: []network.Permission{outward(permit("tcp", 443, "10.1.0.0/16"))}}, v.Groups[1]}
		w.update(m, v)
		w.expect(c, "tcp", "198.18.0.16:443", "")
		w.expect(c, "tcp", "10.1.2.30:443", "ecr 10.1.2.10")
	})
	t.Run("the endpoint goes", func(t *testing.T) {
		w := *w
		w.t = t
		v := v
		v.Gateways = nil
		w.update(m, v)
		w.expect(c, "tcp", "198.18.0.16:443", "")
		if _, err := os.Stat(m.Namespace("vpce-1")); !os.IsNotExist(err) {
			t.Errorf("its namespace: %v", err)
		}
		w.reconcile(m, v) // the link goes, whoever listens in the namespace
		w.settled(m, v)
	})
	w.must(m.Remove())
	w.clean()
}

// TestServices has services on public addresses: who goes through a gateway reaches
// them, and the host does, which needs its own ports for others.
func TestServices(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	w.before = w.snapshot()
	h := w.settings(true)
	h.Services = []netip.Addr{addr("198.18.0.2"), addr("198.18.0.16")}
	m, err := Open(w.dir+"/ns", w.host, h)
	w.must(err)
	v := edged("1", 1)
	v.Gateways = nil
	v.Interfaces = append(v.Interfaces, eni("eni-1b", "10.1.1.11", "1", "sg-open")) // no way out
	w.reconcile(m, v)
	w.settled(m, v)
	services := Services(w.dir + "/ns")
	for _, port := range []int{443, 80, 81} {
		w.serve(services, "aws", port)
		w.serve(w.host, "host", port)
	}
	a, b, c := m.Namespace("eni-1a"), m.Namespace("eni-1b"), m.Namespace("eni-1c")
	for _, to := range []string{"198.18.0.2:443", "198.18.0.16:443", "198.18.0.2:80"} {
		w.expect(a, "tcp", to, "aws 198.18.10.10")
		w.expect(b, "tcp", to, "")
	}
	w.expect(c, "tcp", "198.18.0.2:443", "aws 198.18.10.20") // through the NAT gateway
	w.expect(c, "tcp", "198.18.0.16:443", "")                // its route leads to an endpoint that is not there
	w.expect(a, "tcp", "198.18.0.2:81", "")
	w.expect(a, "udp", "198.18.0.2:443", "")
	w.expect(a, "tcp", "192.0.2.1:443", "") // the host itself
	w.expect(a, "tcp", "198.18.0.1:443", "")
	w.expect(a, "tcp", "198.18.0.17:443", "")
	w.expect(w.internet, "tcp", "198.18.0.2:443", "") // even where the range is routed here
	w.expect(w.host, "tcp", "198.18.0.2:443", "aws 198.18.0.1")
	w.expect(w.host, "tcp", "198.18.0.16:80", "aws 198.18.0.1")
	w.expect(w.host, "tcp", "198.18.0.16:81", "")
	v.Gateway = false
	w.update(m, v)
	w.expect(a, "tcp", "198.18.0.2:443", "")
	w.expect(c, "tcp", "198.18.0.2:443", "")
	// Another daemon with fewer services, then none of the installation.
	h.Services = h.Services[:1]
	m, err = Open(w.dir+"/ns", w.host, h)
	w.must(err)
	v.Gateway = true
	w.reconcile(m, v)
	w.settled(m, v)
	w.expect(w.host, "tcp", "198.18.0.16:443", "")
	w.expect(a, "tcp", "198.18.0.2:443", "aws 198.18.10.10")
	_, err = Clear(w.dir+"/ns", w.host, h.Tag)
	w.must(err)
	w.clean()
}

// TestRoutes changes where routes lead, under a running task.
func TestRoutes(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	v := edged("1", 1)
	v.CIDRs = append(v.CIDRs, prefix("100.64.0.0/20"))
	v.Subnets = append(v.Subnets, Subnet{ID: "subnet-3", CIDR: prefix("100.64.1.0/24"), Routes: []Route{{everywhere, InternetGateway, ""}}})
	proxy := eni("eni-1proxy", "100.64.1.9", "3", "sg-open")
	proxy.Public = addr("198.18.10.9")
	v.Interfaces = append(v.Interfaces, eni("eni-1b", "100.64.1.10", "3", "sg-open"), proxy)
	w.reconcile(m, v)
	a, b, c, p := m.Namespace("eni-1a"), m.Namespace("eni-1b"), m.Namespace("eni-1c"), m.Namespace("eni-1proxy")
	for name, space := range map[string]string{"a": a, "b": b, "c": c, "proxy": p, "internet": w.internet} {
		w.serve(space, name, 80)
	}
	// The appliance forwards from its one device to it, and hides who is behind.
	w.must(netns.Do(p, func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0),
			os.WriteFile(kern.SysctlPath("ipv4/conf/all/rp_filter"), []byte("0"), 0),
			os.WriteFile(kern.SysctlPath("ipv4/conf/eth0/rp_filter"), []byte("0"), 0),
			os.WriteFile(kern.SysctlPath("ipv4/conf/all/send_redirects"), []byte("0"), 0),
			os.WriteFile(kern.SysctlPath("ipv4/conf/eth0/send_redirects"), []byte("0"), 0))
	}))
	w.must(nft.Open(p, "proxy").Replace(firewall.Ruleset{Table: "proxy", Chains: []firewall.Chain{{Name: "post",
		Hook:  &firewall.Hook{Type: "nat", Name: "postrouting", Priority: 100, Policy: firewall.Accept},
		Rules: []firewall.Rule{{Do: firewall.Statement{Op: firewall.Masquerade}}}}}}))
	routes := func(subnet int, list ...Route) {
		t.Helper()
		v.Subnets = slices.Clone(v.Subnets)
		v.Subnets[subnet].Routes = list
		w.update(m, v)
	}
	// The ranges of a VPC reach each other.
	w.expect(b, "tcp", "10.1.2.10:80", "c 100.64.1.10")
	w.expect(c, "tcp", "100.64.1.10:80", "b 10.1.2.10")
	// The longest prefix wins, whatever the order.
	w.expect(c, "tcp", "203.0.113.9:80", "internet 198.18.10.20")
	routes(1, Route{prefix("203.0.113.0/24"), Blackhole, ""}, Route{everywhere, Device, "eni-1nat"})
	w.expect(c, "tcp", "203.0.113.9:80", "")
	w.expect(c, "tcp", "192.0.2.2:80", "internet 198.18.10.20")
	routes(1, Route{everywhere, Blackhole, ""}, Route{prefix("203.0.113.9/32"), Device, "eni-1nat"})
	w.expect(c, "tcp", "203.0.113.9:80", "internet 198.18.10.20")
	w.expect(c, "tcp", "192.0.2.2:80", "")
	// An interface takes what is not for it only if it forwards.
	routes(1, Route{everywhere, Device, "eni-1proxy"})
	w.expect(c, "tcp", "203.0.113.9:80", "")
	v.Interfaces = slices.Clone(v.Interfaces)
	v.Interfaces[len(v.Interfaces)-1].Forwards = true
	w.update(m, v)
	w.expect(c, "tcp", "203.0.113.9:80", "internet 198.18.10.9")
	w.settled(m, v)
	// A route inside the VPC narrows the local one, for its subnet only.
	routes(1, Route{prefix("100.64.1.0/24"), Device, "eni-1proxy"}, Route{everywhere, Device, "eni-1nat"})
	w.expect(c, "tcp", "100.64.1.10:80", "b 100.64.1.9")
	w.expect(a, "tcp", "100.64.1.10:80", "b 10.1.1.10")
	routes(1, Route{prefix("100.64.1.0/24"), Blackhole, ""})
	w.expect(c, "tcp", "100.64.1.10:80", "")
	w.expect(c, "tcp", "10.1.1.10:80", "a 10.1.2.10")
	routes(1)
	w.expect(c, "tcp", "100.64.1.10:80", "b 10.1.2.10")
	// The subnet of the appliance, not that of the sender, says what it reaches.
	routes(2, Route{prefix("192.0.2.0/24"), InternetGateway, ""})
	routes(1, Route{everywhere, Device, "eni-1proxy"})
	w.expect(c, "tcp", "192.0.2.2:80", "internet 198.18.10.9")
	w.expect(c, "tcp", "203.0.113.9:80", "")
	w.settled(m, v)
	w.must(m.Remove())
	w.clean()
}

func TestPeering(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	one, two, three := edged("1", 1), edged("2", 2), edged("3", 3)
	peer := func(a, b *VPC) {
		id := "pcx-" + a.ID + b.ID
		a.Peers, b.Peers = append(a.Peers, Peer{id, b.ID, b.CIDRs}), append(b.Peers, Peer{id, a.ID, a.CIDRs})
		for s := range 2 {
			a.Subnets[s].Routes = append(a.Subnets[s].Routes, Route{b.CIDRs[0], Device, id})
			b.Subnets[s].Routes = append(b.Subnets[s].Routes, Route{a.CIDRs[0], Device, id})
		}
	}
	peer(&one, &two)
	peer(&two, &three)
	w.reconcile(m)
	w.update(m, one) // alone: the route leads nowhere
	w.update(m, two)
	w.update(m, three)
	space := func(id string) string { return m.Namespace("eni-" + id) }
	for _, id := range []string{"1a", "1c", "2a", "2c", "3a", "3c"} {
		w.serve(space(id), id, 80)
	}
	w.serve(w.internet, "internet", 80)
	for _, port := range []int{80, 443} {
		w.serve(m.Namespace("vpce-2"), "s3", port)
		w.serve(space("2vpce"), "ecr", port)
	}
	w.expect(space("1a"), "tcp", "10.2.2.10:80", "2c 10.1.1.10")
	w.expect(space("2c"), "udp", "10.1.1.10:80", "1a 10.2.2.10")
	w.expect(space("3c"), "tcp", "10.2.1.10:80", "2a 10.3.2.10")
	w.pour2(space("1a"), space("2c"), "10.2.2.10:91")

	t.Run("nothing beyond the peer", func(t *testing.T) {
		w := *w
		w.t = t
		v := one
		via := v.Peers[0].ID
		v.Subnets = slices.Clone(v.Subnets)
		v.Subnets[1].Routes = []Route{{prefix("10.2.0.0/16"), Device, via}, {prefix("10.3.0.0/16"), Device, via}, {everywhere, Device, via}}
		w.update(m, v)
		w.expect(space("1c"), "tcp", "10.2.1.10:80", "2a 10.1.2.10")
		w.expect(space("1c"), "tcp", "10.3.1.10:80", "")    // the peer's peer
		w.expect(space("1c"), "tcp", "203.0.113.9:80", "")  // its gateways
		w.expect(space("1c"), "tcp", "198.18.20.10:80", "") // and what is behind them
		w.expect(space("1c"), "tcp", "198.18.0.16:443", "") // its gateway endpoint
		w.expect(space("1c"), "tcp", "10.2.1.20:80", "")    // the NAT gateway answers nobody
		w.expect(space("1c"), "tcp", "10.2.2.30:443", "")   // its interface endpoint has a group
		w.update(m, one)
	})
	t.Run("interface endpoint of the peer", func(t *testing.T) {
		w := *w
		w.t = t
		v := two
		v.Groups = []firewall.Group{open, {ID: "sg-door", Permissions: []network.Permission{permit("tcp", 443, "10.1.0.0/16")}}}
		w.update(m, v)
		w.expect(space("1c"), "tcp", "10.2.2.30:443", "ecr 10.1.2.10")
		w.expect(space("3c"), "tcp", "10.2.2.30:443", "")
		w.update(m, two)
	})
	t.Run("groups of the peer", func(t *testing.T) {
		w := *w
		w.t = t
		v := two
		v.Groups = []firewall.Group{{ID: "sg-open", Permissions: []network.Permission{permit("tcp", 80, "sg-theirs")}}, v.Groups[1],
			{ID: "sg-theirs", Members: []netip.Addr{addr("10.1.1.10")}}}
		w.update(m, v)
		w.expect(space("1a"), "tcp", "10.2.2.10:80", "2c 10.1.1.10")
		w.expect(space("1c"), "tcp", "10.2.2.10:80", "")
		v.Groups[2].Members = []netip.Addr{addr("10.1.2.10")}
		w.update(m, v)
		w.expect(space("1c"), "tcp", "10.2.2.10:80", "2c 10.1.2.10")
		w.update(m, two)
	})
	t.Run("private NAT", func(t *testing.T) {
		w := *w
		w.t = t
		v := one
		v.Subnets, v.Interfaces = slices.Clone(v.Subnets), slices.Clone(v.Interfaces)
		v.Interfaces[2].Public = netip.Addr{}
		v.Subnets[1].Routes = []Route{{prefix("10.2.0.0/16"), Device, "eni-1nat"}}
		w.update(m, v)
		w.expect(space("1c"), "tcp", "10.2.2.10:80", "2c 10.1.1.20")
		w.update(m, one)
	})
	t.Run("one end goes", func(t *testing.T) {
		w := *w
		w.t = t
		c, err := dial(space("1a"), "tcp", "10.2.2.10:80", patience)
		w.must(err)
		defer c.Close()
		v := two
		v.Peers = two.Peers[1:]
		w.update(m, v)
		if got, err := ask(c, impatience); err == nil {
			t.Errorf("cut, but %q", got)
		}
		w.expect(space("1a"), "tcp", "10.2.2.10:80", "")
		w.expect(space("3a"), "tcp", "10.2.2.10:80", "2c 10.3.1.10")
		w.settled(m, one, v, three)
		w.update(m, two)
		w.expect(space("1a"), "tcp", "10.2.2.10:80", "2c 10.1.1.10")
		for _, v := range []VPC{one, two} { // the manager remembers both ends
			v = clone(v)
			v.Interfaces[0].Groups = []string{"sg-open", "sg-door"}
			changed, err := m.Update(v)
			w.must(err)
			if text := strings.Join(changed, "\n"); strings.Contains(text, " link ") {
				t.Errorf("made again:\n%s", text)
			}
		}
		w.reconcile(m, one, three) // the VPC between leaves the host
		w.settled(m, one, three)
		w.expect(space("1a"), "tcp", "10.2.2.10:80", "")
	})
	w.must(m.Remove())
	w.clean()
}

// pour2 moves data from one namespace to another.
func (w *world) pour2(from, to, address string) {
	w.t.Helper()
	w.sink(to, int(netip.MustParseAddrPort(address).Port()))
	w.pour(from, address, 4<<20)
}

// TestRepairOfEdges breaks gateways, endpoints and peers by hand, one at a time.
func TestRepairOfEdges(t *testing.T) {
	w := newWorld(t)
	h := w.settings(false)
	h.Services = []netip.Addr{addr("198.18.0.2")}
	m, err := Open(w.dir+"/ns", w.host, h)
	w.must(err)
	one, two := edged("1", 1), edged("2", 2)
	one.Peers, two.Peers = []Peer{{"pcx-1", two.ID, two.CIDRs}}, []Peer{{"pcx-1", one.ID, one.CIDRs}}
	one.Subnets[1].Routes = append(one.Subnets[1].Routes, Route{two.CIDRs[0], Device, "pcx-1"})
	two.Subnets[1].Routes = append(two.Subnets[1].Routes, Route{one.CIDRs[0], Device, "pcx-1"})
	w.reconcile(m, one, two)
	vpc, nat, door, s3 := m.Space(one.ID), m.Namespace("eni-1nat"), m.Namespace("eni-1vpce"), m.Namespace("vpce-1")
	services := Services(w.dir + "/ns")
	link := func(space, device string, fn func(*netlink.Handle, netlink.Link) error) func() {
		return func() {
			w.in(space, func(k *netlink.Handle) error {
				return kern.WithLink(k, device, func(l netlink.Link) error { return fn(k, l) })
			})
		}
	}
	remove := func(k *netlink.Handle, l netlink.Link) error { return k.LinkDel(l) }
	down := func(k *netlink.Handle, l netlink.Link) error { return k.LinkSetDown(l) }
	arp := func(k *netlink.Handle, l netlink.Link) error { return k.LinkSetARPOn(l) }
	routes := func(space string) func() {
		return func() {
			w.in(space, func(k *netlink.Handle) (err error) {
				var list []netlink.Route
				err = kern.EachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
					if r.Protocol == kern.ProtocolRoutes {
						list = append(list, r)
					}
				})
				for _, r := range list {
					err = errors.Join(err, kern.Ignore(k.RouteDel(&r), unix.ESRCH))
				}
				return err
			})
		}
	}
	rules := func(space string) func() { return func() { w.must(nft.Open(space, "neargate").Delete()) } }
	gone := func(space string) func() { return func() { w.must(netns.Remove(space)) } }
	for _, c := range []struct {
		name string
		harm func()
	}{
		{"NAT gateway's namespace", gone(nat)},
		{"NAT gateway's rules", rules(nat)},
		{"NAT gateway's routes", routes(nat)},
		{"NAT gateway's device", link(nat, deviceTask, remove)},
		{"NAT gateway's device down", link(nat, deviceTask, down)},
		{"NAT gateway's device with ARP", link(nat, deviceTask, arp)},
		{"NAT gateway's address", link(nat, "lo", func(k *netlink.Handle, l netlink.Link) error {
			return k.AddrDel(l, &netlink.Addr{IPNet: kern.IPNet(prefix("10.1.1.20/32"))})
		})},
		{"NAT gateway's forwarding", func() {
			w.must(netns.Do(nat, func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0) }))
		}},
		{"endpoint's namespace", gone(door)},
		{"endpoint's rules", rules(door)},
		{"gateway endpoint's namespace", gone(s3)},
		{"gateway endpoint's routes", routes(s3)},
		{"gateway endpoint's device", link(vpc, Name("vpce-1"), remove)},
		{"peer's device", link(vpc, namePeer("pcx-1"), remove)},
		{"peer's device down", link(m.Space(two.ID), namePeer("pcx-1"), down)},
		{"peer's device down at this end", link(vpc, namePeer("pcx-1"), down)},
		{"peer's VPC", gone(m.Space(two.ID))},
		{"VPC", gone(vpc)},
		{"routes of the VPC", routes(vpc)},
		{"routes of the host", routes(w.host)},
		{"services' namespace", gone(services)},
		{"services' rules", rules(services)},
		{"services' routes", routes(services)},
		{"services' device", link(w.host, h.gatewayName(nameServices), remove)},
		{"services' device down", link(services, deviceTask, down)},
		{"rules", func() {
			w.in(vpc, func(k *netlink.Handle) error {
				rules := map[rule]bool{}
				err := observeRules(k, netlink.FAMILY_V4, rules)
				for r := range rules {
					err = errors.Join(err, k.RuleDel(netlinkRule(r)))
				}
				return err
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			c.harm()
			if changed := w.reconcile(m, one, two); changed == nil {
				t.Error("nothing was repaired")
			}
			w.settled(m, one, two)
			task := m.Namespace("eni-1c")
			w.serve(door, "ecr", 443)
			w.serve(s3, "s3", 443)
			w.serve(m.Namespace("eni-2c"), "c", 80)
			w.serve(services, "aws", 443)
			w.serve(w.internet, "internet", 80)
			w.expect(task, "tcp", "10.1.2.30:443", "ecr 10.1.2.10")
			w.expect(task, "tcp", "198.18.0.16:443", "s3 10.1.2.10")
			w.expect(task, "tcp", "198.18.0.2:443", "aws 198.18.10.20")
			w.expect(task, "tcp", "10.2.2.10:80", "c 10.1.2.10")
			w.expect(task, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
			w.expect(m.Namespace("eni-1a"), "tcp", "10.1.2.30:443", "")
		})
	}
	w.must(m.Remove())
	w.clean()
}
