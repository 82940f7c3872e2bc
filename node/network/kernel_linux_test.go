package network

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/firewall/nft"
	"neargate/node/network/kern"
	"neargate/resource/network"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// world is a machine in namespaces of its own: a host with an uplink to an
// internet, which has the addresses 192.0.2.2 and 203.0.113.9.
type world struct {
	t              testing.TB
	dir            string
	host, internet string
	before         []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	dir := t.TempDir()
	w := &world{t: t, dir: dir, host: filepath.Join(dir, "world", "host"), internet: filepath.Join(dir, "world", "internet")}
	w.must(netns.Prepare(filepath.Join(dir, "world")))
	t.Cleanup(func() {
		w.must(netns.Discard(filepath.Join(dir, "world")))
		w.must(netns.Discard(filepath.Join(dir, "ns")))
	})
	w.must(netns.Create(w.host))
	w.must(netns.Create(w.internet))
	for _, space := range []string{w.host, w.internet} {
		// A new namespace has what the machine has, which others may have set.
		w.must(netns.Do(space, func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0) }))
	}
	f, err := os.Open(w.internet)
	w.must(err)
	defer f.Close()
	w.in(w.host, func(k *netlink.Handle) error {
		up := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "up0", Flags: net.FlagUp, TxQLen: -1}, PeerName: "eth0",
			PeerNamespace: netlink.NsFd(int(f.Fd()))}
		return errors.Join(kern.WithLink(k, "lo", k.LinkSetUp), k.LinkAdd(up),
			kern.WithLink(k, "up0", func(l netlink.Link) error {
				return k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix("192.0.2.1/24"))})
			}))
	})
	w.in(w.internet, func(k *netlink.Handle) error {
		add := func(device, p string) error {
			return kern.WithLink(k, device, func(l netlink.Link) error {
				return errors.Join(k.LinkSetUp(l), k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix(p))}))
			})
		}
		return errors.Join(add("lo", "203.0.113.9/32"), add("eth0", "192.0.2.2/24"))
	})
	w.in(w.host, func(k *netlink.Handle) error {
		strict := os.WriteFile(kern.SysctlPath("ipv4/conf/all/rp_filter"), []byte("1"), 0) // as many distributions have it
		return errors.Join(strict, k.RouteAdd(&netlink.Route{Gw: net.IPv4(192, 0, 2, 2)}))
	})
	w.before = w.snapshot()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) in(space string, fn func(*netlink.Handle) error) {
	w.t.Helper()
	w.must(kern.Inside(space, fn))
}

// snapshot is what the host's namespace and the machine's mounts hold.
func (w *world) snapshot() []string {
	var list []string
	w.in(w.host, func(k *netlink.Handle) error {
		links, err := k.LinkList()
		for _, l := range links {
			b, _ := os.ReadFile(kern.SysctlPath(forwardingName(l.Attrs().Name)))
			list = append(list, fmt.Sprint("link ", l.Attrs().Name, " forwarding ", strings.TrimSpace(string(b))))
			addrs, _ := k.AddrList(l, netlink.FAMILY_V4)
			for _, a := range addrs {
				list = append(list, "address "+a.String())
			}
		}
		rules, rerr := k.RuleList(netlink.FAMILY_V4)
		for _, r := range rules {
			list = append(list, r.String())
		}
		return errors.Join(err, rerr, kern.EachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) { list = append(list, r.String()) }))
	})
	tables, err := nft.Open(w.host, "").Tables()
	w.must(err)
	for _, n := range tables {
		list = append(list, "table "+n)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	w.must(err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, w.dir) {
			list = append(list, "mount "+strings.Fields(line)[4])
		}
	}
	slices.Sort(list)
	return list
}

// clean fails if anything is left of an installation.
func (w *world) clean() {
	w.t.Helper()
	if after := w.snapshot(); !slices.Equal(after, w.before) {
		w.t.Errorf("left behind:\nbefore %q\nafter  %q", w.before, after)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "ns")); !os.IsNotExist(err) {
		w.t.Errorf("directory of namespaces: %v", err)
	}
}

func (w *world) settings(routed bool) Host {
	return Host{Tag: "test", Pool: prefix("198.18.0.0/15"), Address: addr("198.18.0.1"), Uplinks: []string{"up0"}, Routed: routed}
}

func (w *world) manager(routed bool) *Manager {
	w.t.Helper()
	m, err := Open(filepath.Join(w.dir, "ns"), w.host, w.settings(routed))
	w.must(err)
	return m
}

// serve answers TCP connections and UDP packets to port in a namespace with name
// and the peer's address, until the test ends.
func (w *world) serve(space, name string, port int) {
	w.t.Helper()
	w.must(netns.Do(space, func() error {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		u, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		w.t.Cleanup(func() { l.Close(); u.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					for in := bufio.NewReader(c); ; {
						if _, err := in.ReadString('\n'); err != nil {
							return
						}
						fmt.Fprintf(c, "%s %s\n", name, c.RemoteAddr().(*net.TCPAddr).IP)
					}
				}()
			}
		}()
		go func() {
			b := make([]byte, 100)
			for {
				_, from, err := u.ReadFrom(b)
				if err != nil {
					return
				}
				u.WriteTo(fmt.Appendf(nil, "%s %s\n", name, from.(*net.UDPAddr).IP), from)
			}
		}()
		return nil
	}))
}

const (
	patience   = 5 * time.Second        // for what should happen
	impatience = 250 * time.Millisecond // for what should not
)

// family is the protocol over IPv4, or over IPv6 where the address has brackets.
func family(protocol, to string) string {
	if strings.HasPrefix(to, "[") {
		return protocol + "6"
	}
	return protocol + "4"
}

func dial(space, protocol, to string, wait time.Duration) (c net.Conn, err error) {
	err = netns.Do(space, func() error {
		d := net.Dialer{Timeout: wait}
		c, err = d.Dial(family(protocol, to), to)
		return err
	})
	return c, err
}

func ask(c net.Conn, wait time.Duration) (string, error) {
	c.SetDeadline(time.Now().Add(wait))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return "", err
	}
	s, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(s), err
}

// expect asks from a namespace and wants the answer; "" is none.
func (w *world) expect(space, protocol, to, want string) {
	w.t.Helper()
	wait := patience
	if want == "" {
		wait = impatience
	}
	c, err := dial(space, protocol, to, wait)
	var got string
	if err == nil {
		got, err = ask(c, wait)
		c.Close()
	}
	if got != want {
		w.t.Errorf("%s %s from %s: got %q (%v), want %q", protocol, to, filepath.Base(space), got, err, want)
	}
}

// clone is v for the manager, which keeps it, to change v afterwards.
func clone(v VPC) VPC {
	v.Subnets, v.Interfaces, v.Groups = slices.Clone(v.Subnets), slices.Clone(v.Interfaces), slices.Clone(v.Groups)
	for i := range v.Groups {
		v.Groups[i].Permissions = slices.Clone(v.Groups[i].Permissions)
	}
	return v
}

func permit(protocol string, port int, peer string) network.Permission {
	p := network.Permission{Protocol: protocol, From: port, To: port, IPv4: peer}
	if strings.HasPrefix(peer, "sg-") {
		p.IPv4, p.Peer = "", peer
	}
	return p
}

func outward(p network.Permission) network.Permission {
	p.Egress = true
	return p
}

// twoSubnets is a VPC with a public subnet 10.0.1.0/24, where a and b are, and a
// private one 10.0.2.0/24, where c is. a and c have public addresses from octet.
func twoSubnets(id string, octet int) VPC {
	public := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(octet), byte(n)}) }
	in := func(name, ip string, subnet string, groups ...string) Interface {
		return Interface{ID: "eni-" + id + name, MAC: network.MAC("eni-" + id + name), Addresses: []netip.Addr{addr(ip)},
			Subnet: "subnet-" + subnet, Groups: groups}
	}
	v := VPC{ID: "vpc-" + id, CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, Gateway: true,
		Subnets: []Subnet{
			{ID: "subnet-1", CIDR: prefix("10.0.1.0/24"), Routes: []Route{{Destination: everywhere, Target: InternetGateway}}},
			{ID: "subnet-2", CIDR: prefix("10.0.2.0/24")},
		},
		Interfaces: []Interface{
			in("a", "10.0.1.10", "1", "sg-web"), in("b", "10.0.1.11", "1", "sg-app", "sg-none"), in("c", "10.0.2.10", "2", "sg-db"),
		},
		Groups: []firewall.Group{
			{ID: "sg-web", Members: []netip.Addr{addr("10.0.1.10")}, Permissions: []network.Permission{
				permit("tcp", 80, network.AnyIPv4), permit("udp", 80, network.AnyIPv4), outward(permit("-1", -1, network.AnyIPv4))}},
			{ID: "sg-app", Members: []netip.Addr{addr("10.0.1.11")}, Permissions: []network.Permission{
				permit("tcp", 80, "sg-web"), outward(permit("tcp", 80, "sg-db"))}},
			{ID: "sg-db", Members: []netip.Addr{addr("10.0.2.10")}, Permissions: []network.Permission{permit("tcp", 80, "sg-app"), permit("udp", 80, "10.0.1.0/24"),
				outward(permit("-1", -1, network.AnyIPv4))}},
			{ID: "sg-none", Members: []netip.Addr{addr("10.0.1.11")}},
		},
	}
	v.Interfaces[0].Public, v.Interfaces[2].Public = public(10), public(12)
	return v
}

func (w *world) reconcile(m *Manager, vpcs ...VPC) []string {
	w.t.Helper()
	var kept []VPC
	for _, v := range vpcs {
		kept = append(kept, clone(v))
	}
	changed, err := m.Reconcile(kept)
	w.must(err)
	return changed
}

// settled fails if a second look finds something to change.
func (w *world) settled(m *Manager, vpcs ...VPC) {
	w.t.Helper()
	if changed := w.reconcile(m, vpcs...); changed != nil {
		w.t.Errorf("not settled: %q", changed)
	}
}

func (w *world) tasks(m *Manager, v VPC) (a, b, c string) {
	w.t.Helper()
	spaces := [3]string{}
	for i, e := range v.Interfaces {
		spaces[i] = m.Namespace(e.ID)
		w.serve(spaces[i], e.ID, 80)
		w.serve(spaces[i], e.ID, 81)
	}
	return spaces[0], spaces[1], spaces[2]
}

func TestPackets(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v1, v2 := twoSubnets("1", 10), twoSubnets("2", 20)
	w.reconcile(m, v1, v2)
	w.settled(m, v1, v2)
	a1, b1, c1 := w.tasks(m, v1)
	a2, _, _ := w.tasks(m, v2)
	w.serve(w.internet, "internet", 80)
	w.serve(w.host, "host", 80)

	t.Run("security groups", func(t *testing.T) {
		w := *w
		w.t = t
		w.expect(b1, "tcp", "10.0.2.10:80", "eni-1c 10.0.1.11") // to another subnet, by group both ways
		w.expect(a1, "tcp", "10.0.1.11:80", "eni-1b 10.0.1.10") // in the subnet, by group
		w.expect(a1, "udp", "10.0.2.10:80", "eni-1c 10.0.1.10") // by range
		w.expect(a1, "tcp", "10.0.2.10:80", "")                 // not a member
		w.expect(a1, "tcp", "10.0.1.11:81", "")                 // other port
		w.expect(a1, "udp", "10.0.1.11:80", "")                 // other protocol
		w.expect(b1, "tcp", "10.0.1.10:80", "")                 // not allowed out
		w.expect(c1, "tcp", "10.0.1.10:80", "eni-1a 10.0.2.10")
	})
	t.Run("VPCs with equal addresses", func(t *testing.T) {
		w := *w
		w.t = t
		w.expect(a2, "tcp", "10.0.1.11:80", "eni-2b 10.0.1.10")
		w.expect(a2, "tcp", "198.18.10.10:80", "eni-1a 198.18.20.10") // to the other VPC by its public address
		w.expect(a1, "tcp", "198.18.10.10:80", "eni-1a 198.18.10.10") // to oneself, around the gateway
	})
	t.Run("internet", func(t *testing.T) {
		w := *w
		w.t = t
		w.expect(a1, "tcp", "203.0.113.9:80", "internet 192.0.2.1") // as the host: the pool is not routed there
		w.expect(a1, "udp", "192.0.2.2:80", "internet 192.0.2.1")
		w.expect(b1, "tcp", "203.0.113.9:80", "")          // group and no public address
		w.expect(c1, "tcp", "203.0.113.9:80", "")          // no route
		w.expect(a1, "tcp", "192.0.2.1:80", "")            // the host is not served to tasks
		w.expect(w.internet, "tcp", "198.18.10.10:80", "") // no route there
	})
	t.Run("host", func(t *testing.T) {
		w := *w
		w.t = t
		w.expect(w.host, "tcp", "198.18.10.10:80", "eni-1a 198.18.0.1")
		w.expect(w.host, "tcp", "198.18.20.10:80", "eni-2a 198.18.0.1")
		w.expect(w.host, "tcp", "198.18.10.10:81", "")
		w.expect(w.host, "tcp", "198.18.10.12:80", "") // the private subnet has no way back
		w.expect(w.host, "tcp", "10.0.1.10:80", "")
	})
	t.Run("established connections", func(t *testing.T) {
		w := *w
		w.t = t
		c, err := dial(b1, "tcp", "10.0.2.10:80", patience)
		w.must(err)
		defer c.Close()
		v := v1
		v.Groups = slices.Clone(v1.Groups)
		v.Groups[2].Permissions = v.Groups[2].Permissions[1:]
		_, err = m.Update(clone(v))
		w.must(err)
		w.expect(b1, "tcp", "10.0.2.10:80", "")
		if got, err := ask(c, patience); got != "eni-1c 10.0.1.11" {
			t.Errorf("known connection: %q, %v", got, err)
		}
		v.Groups[2] = v1.Groups[2]
		v.Groups[1].Members = nil // left the group
		_, err = m.Update(clone(v))
		w.must(err)
		w.expect(b1, "tcp", "10.0.2.10:80", "")
		_, err = m.Update(clone(v1))
		w.must(err)
		w.expect(b1, "tcp", "10.0.2.10:80", "eni-1c 10.0.1.11")
	})
	w.must(m.Remove())
	w.clean()
}

// TestSpoofing sends with a source address that is not the interface's but would
// be let through.
func TestSpoofing(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	w.reconcile(m, v)
	a, c := m.Namespace(v.Interfaces[0].ID), m.Namespace(v.Interfaces[2].ID)
	w.in(a, func(k *netlink.Handle) error {
		return kern.WithLink(k, "lo", func(l netlink.Link) error {
			return k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix("10.0.1.50/32"))})
		})
	})
	var in net.PacketConn
	w.must(netns.Do(c, func() (err error) {
		in, err = net.ListenPacket("udp", ":80")
		return err
	}))
	defer in.Close()
	for source, arrives := range map[string]bool{"10.0.1.10": true, "10.0.1.50": false} {
		var out *net.UDPConn
		w.must(netns.Do(a, func() (err error) {
			out, err = net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(source)}, &net.UDPAddr{IP: net.IPv4(10, 0, 2, 10), Port: 80})
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
		if got := err == nil; got != arrives || got && string(b[:n]) != source {
			t.Errorf("from %s: %q, %v", source, b[:n], err)
		}
	}
}

func TestRouted(t *testing.T) {
	w := newWorld(t)
	v := twoSubnets("1", 10)
	w.in(w.internet, func(k *netlink.Handle) error {
		return k.RouteAdd(&netlink.Route{Dst: kern.IPNet(prefix("0.0.0.0/0")), Gw: net.IPv4(192, 0, 2, 1)})
	})
	w.lan("172.16.9.1/24", "172.16.9.2/24")
	w.before = w.snapshot()
	m := w.manager(true)
	leaks := w.watch(func(source, destination netip.Addr) bool {
		return prefix("10.0.0.0/8").Contains(source) || prefix("10.0.0.0/8").Contains(destination) ||
			prefix("198.18.0.0/15").Contains(destination)
	})
	w.reconcile(m, v)
	a, b, _ := w.tasks(m, v)
	w.serve(w.internet, "internet", 80)
	w.serve(w.host, "host", 80)
	w.expect(a, "tcp", "203.0.113.9:80", "internet 198.18.10.10")
	w.expect(w.internet, "tcp", "198.18.10.10:80", "eni-1a 192.0.2.2")
	w.expect(w.internet, "udp", "198.18.10.10:80", "eni-1a 192.0.2.2")
	w.expect(w.internet, "tcp", "198.18.10.10:81", "")
	w.expect(w.host, "tcp", "198.18.10.10:80", "eni-1a 198.18.0.1")
	w.expect(w.internet, "tcp", "192.0.2.1:80", "host 192.0.2.2") // the host is as it was

	// Nothing that has no way may leave the machine instead.
	w.expect(a, "tcp", "198.18.99.99:80", "") // nobody's public address
	w.expect(w.host, "tcp", "198.18.99.99:80", "")
	w.expect(w.host, "tcp", "10.0.1.10:80", "")
	w.expect(a, "tcp", "10.0.77.77:80", "") // nobody's private address
	w.expect(b, "tcp", "203.0.113.9:80", "")
	w.expect(a, "tcp", "10.200.0.1:80", "")      // not of the VPC, private
	w.expect(a, "udp", "169.254.169.254:80", "") // the host's own link
	if got := leaks(); got != nil {
		t.Errorf("left the machine: %q", got)
	}
	// The host's forwarding is for the pool only.
	w.expect(w.internet, "tcp", "10.0.1.10:80", "")
	w.expect(w.internet, "tcp", "172.16.9.2:80", "")
	if on, err := m.forwarding("up0"); !on {
		t.Errorf("the uplink does not forward, %v: the test shows nothing", err)
	}
	w.must(m.Remove())
	w.clean()
}

// lan gives the host a second network with a server in it, for which the host
// forwards.
func (w *world) lan(host, server string) {
	w.t.Helper()
	space := filepath.Join(w.dir, "world", "lan")
	w.must(netns.Create(space))
	f, err := os.Open(space)
	w.must(err)
	defer f.Close()
	w.in(w.host, func(k *netlink.Handle) error {
		return errors.Join(k.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan0", Flags: net.FlagUp, TxQLen: -1}, PeerName: "eth0",
			PeerNamespace: netlink.NsFd(int(f.Fd()))}),
			kern.WithLink(k, "lan0", func(l netlink.Link) error { return k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix(host))}) }))
	})
	w.in(space, func(k *netlink.Handle) error {
		return kern.WithLink(k, "eth0", func(l netlink.Link) error {
			return errors.Join(k.LinkSetUp(l), k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix(server))}),
				k.RouteAdd(&netlink.Route{Gw: prefix(host).Addr().AsSlice()}))
		})
	})
	w.must(netns.Do(w.host, func() error { return os.WriteFile(kern.SysctlPath(forwardingName("lan0")), []byte("1"), 0) }))
	w.serve(space, "lan", 80)
	w.expect(w.host, "tcp", prefix(server).Addr().String()+":80", "lan "+prefix(host).Addr().String())
}

// watch returns a function that returns the packets the internet got, answers to
// itself aside, for which bad holds.
func (w *world) watch(bad func(source, destination netip.Addr) bool) func() []string {
	var fd int
	w.must(netns.Do(w.internet, func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0x0008) // ETH_P_IP
		return err
	}))
	w.t.Cleanup(func() { unix.Close(fd) })
	return func() (list []string) {
		b := make([]byte, 2000)
		for {
			n, from, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				return list
			}
			if ll, ok := from.(*unix.SockaddrLinklayer); !ok || ll.Pkttype == unix.PACKET_OUTGOING || n < 20 {
				continue
			}
			source, destination := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
			if bad(source, destination) {
				list = append(list, fmt.Sprintf("%s > %s", source, destination))
			}
		}
	}
}

// TestRepair breaks things by hand, one at a time.
func TestRepair(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	w.reconcile(m, v)
	vpc, web := m.path(nameVPC(v.ID)), Name(v.Interfaces[0].ID)
	remove := func(space, device string) func() {
		return func() { w.in(space, func(k *netlink.Handle) error { return kern.WithLink(k, device, k.LinkDel) }) }
	}
	routes := func(space string, match func(netlink.Route) bool) func() {
		return func() {
			n := 0
			w.in(space, func(k *netlink.Handle) (err error) {
				var list []netlink.Route
				err = kern.EachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
					if match(r) {
						list = append(list, r)
					}
				})
				for _, r := range list {
					err = errors.Join(err, k.RouteDel(&r))
					n++
				}
				return err
			})
			if n == 0 {
				t.Fatal("no such route")
			}
		}
	}
	for _, c := range []struct {
		name string
		harm func()
	}{
		{"route to an interface", routes(vpc, func(r netlink.Route) bool { return r.Dst != nil && r.Dst.String() == "10.0.1.10/32" && r.Table == 254 })},
		{"route to the gateway", routes(vpc, func(r netlink.Route) bool { return r.Gw != nil })},
		{"route to a public address", routes(w.host, func(r netlink.Route) bool { return r.Dst != nil && r.Dst.String() == "198.18.10.10/32" })},
		{"blackholes", routes(w.host, func(r netlink.Route) bool { return r.Type == unix.RTN_BLACKHOLE })},
		{"foreign route", func() {
			w.in(vpc, func(k *netlink.Handle) error {
				return k.RouteAdd(&netlink.Route{Dst: kern.IPNet(prefix("10.0.2.10/32")), Type: unix.RTN_BLACKHOLE, Table: 254, Priority: 7})
			})
		}},
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
		{"addresses", func() {
			w.in(vpc, func(k *netlink.Handle) error {
				return kern.WithLink(k, "lo", func(l netlink.Link) error {
					return k.AddrDel(l, &netlink.Addr{IPNet: kern.IPNet(prefix("10.0.1.1/32"))})
				})
			})
		}},
		{"forwarding", func() {
			w.must(netns.Do(vpc, func() error { return os.WriteFile(kern.SysctlPath("ipv4/ip_forward"), []byte("0"), 0) }))
		}},
		{"uplink", func() { w.must(m.setForwarding("up0", "0")) }},
		{"link of an interface", remove(vpc, web)},
		{"link of an interface down", func() {
			w.in(vpc, func(k *netlink.Handle) error { return kern.WithLink(k, web, k.LinkSetDown) })
		}},
		{"gateway", remove(w.host, m.host.gatewayName(v.ID))},
		{"gateway down", func() {
			w.in(vpc, func(k *netlink.Handle) error { return kern.WithLink(k, deviceGateway, k.LinkSetDown) })
		}},
		{"rules of the VPC", func() { w.must(nft.Open(vpc, "neargate").Delete()) }},
		{"rules of the host", func() { w.must(nft.Open(w.host, "neargate-"+m.host.firewall().Tag).Delete()) }},
		{"shared rules", func() { w.must(nft.Open(w.host, "neargate").Delete()) }},
		{"namespace of the VPC", func() { w.must(netns.Remove(vpc)) }},
		{"mount of the VPC", func() { w.must(unix.Unmount(vpc, unix.MNT_DETACH)) }},
		{"namespace of a task", func() { w.must(netns.Remove(m.Namespace(v.Interfaces[0].ID))) }},
		{"restart", func() { m = w.manager(false) }},
		{"everything", func() { w.must(netns.Discard(m.dir)); m = w.manager(false) }},
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
			w.serve(w.internet, "internet", 80)
			w.expect(w.host, "tcp", "198.18.10.10:80", name+" 198.18.0.1")
			w.expect(a, "tcp", "203.0.113.9:80", "internet 192.0.2.1")
			w.expect(m.Namespace(v.Interfaces[1].ID), "tcp", "10.0.2.10:80", "db 10.0.1.11")
			w.expect(a, "tcp", "10.0.2.10:80", "")
		})
	}
	w.must(m.Remove())
	w.clean()
}

// TestRemoveAfterCrash removes with a manager that made nothing of it.
func TestRemoveAfterCrash(t *testing.T) {
	w := newWorld(t)
	w.reconcile(w.manager(false), twoSubnets("1", 10), twoSubnets("2", 20))
	w.must(w.manager(false).Remove())
	w.clean()
	w.must(w.manager(false).Remove())
	w.clean()
}

// TestClear clears what is known by its tag only, beside another installation;
// what of it can be gone already does not matter.
func TestClear(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w *world, dir string)
	}{
		{"whole", func(*world, string) {}},
		{"without its folder", func(w *world, dir string) { w.must(netns.Discard(dir)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			h := w.settings(false)
			dir := filepath.Join(w.dir, "ns")
			h.Pool = prefix("198.18.0.0/16")
			m, err := Open(dir, w.host, h)
			w.must(err)
			w.reconcile(m, twoSubnets("1", 10))
			other, err := Open(filepath.Join(w.dir, "other"), w.host, Host{Tag: "other", Pool: prefix("198.19.0.0/20"), Address: addr("198.19.0.1")})
			w.must(err)
			w.reconcile(other, twoSubnets("3", 30))
			c.spoil(w, dir)
			if any, err := Clear(dir, w.host, h.Tag); err != nil || !any {
				t.Errorf("cleared: %v, %v", any, err)
			}
			if any, err := Clear(dir, w.host, h.Tag); err != nil || any {
				t.Errorf("cleared again: %v, %v", any, err)
			}
			w.settled(other, twoSubnets("3", 30))
			w.must(other.Remove())
			w.clean()
		})
	}
}

func TestChangesOfInterfaces(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	w.reconcile(m, v)
	a := m.Namespace(v.Interfaces[0].ID)
	gone := m.Namespace(v.Interfaces[1].ID)
	w.must(netns.Do(m.path(nameVPC(v.ID)), func() error {
		b, err := os.ReadFile(kern.SysctlPath("ipv4/neigh/" + Name(v.Interfaces[0].ID) + "/proxy_delay"))
		if string(b) != "0\n" {
			t.Errorf("answers for others are delayed by %q", b)
		}
		return err
	}))
	less := v
	less.Interfaces = []Interface{v.Interfaces[0], v.Interfaces[2]}
	_, err := m.Update(clone(less))
	w.must(err)
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Errorf("namespace of a removed interface: %v", err)
	}
	// Its address goes to another interface at once.
	other := v.Interfaces[1]
	other.ID = "eni-1other"
	less.Interfaces = append(less.Interfaces, other)
	_, err = m.Update(clone(less))
	w.must(err)
	w.serve(m.Namespace(other.ID), "other", 80)
	w.expect(a, "tcp", "10.0.1.11:80", "other 10.0.1.10")
	// An interface can be plugged into a namespace that exists.
	ready := filepath.Join(w.dir, "world", "ready")
	w.must(netns.Create(ready))
	w.serve(ready, "ready", 80)
	plugged := Interface{ID: "eni-1ready", Addresses: []netip.Addr{addr("10.0.1.12")}, Subnet: "subnet-1", Groups: []string{"sg-web"}, Namespace: ready}
	less.Interfaces = append(less.Interfaces, plugged)
	_, err = m.Update(clone(less))
	w.must(err)
	w.expect(a, "tcp", "10.0.1.12:80", "ready 10.0.1.10")
	// Without its gateway the VPC has no way out.
	less.Gateway = false
	_, err = m.Update(clone(less))
	w.must(err)
	w.expect(a, "tcp", "203.0.113.9:80", "")
	w.expect(a, "tcp", "10.0.1.12:80", "ready 10.0.1.10")
	w.reconcile(m)
	w.settled(m)
	w.must(netns.Remove(ready))
	w.must(m.Remove())
	w.clean()
}

// TestHeldNamespace removes an interface whose namespace a process still holds.
func TestHeldNamespace(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	w.reconcile(m, v)
	a := v.Interfaces[0]
	f, err := os.Open(m.Namespace(a.ID))
	w.must(err)
	defer f.Close()
	held := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
	w.serve(m.Namespace(v.Interfaces[1].ID), "b", 80)
	w.expect(held, "tcp", "10.0.1.11:80", "b 10.0.1.10")
	v.Interfaces = v.Interfaces[1:]
	_, err = m.Update(clone(v))
	w.must(err)
	w.expect(held, "tcp", "10.0.1.11:80", "") // has a link, but no rights
	w.reconcile(m, v)
	w.in(held, func(k *netlink.Handle) error {
		if err := kern.WithLink(k, deviceTask, func(netlink.Link) error { return nil }); !errors.Is(err, unix.ENODEV) {
			t.Errorf("the interface is still there: %v", err)
		}
		return nil
	})
	w.settled(m, v)
	w.must(m.Remove())
	w.clean()
}

// TestTwoInstallations shares a machine and a range of private addresses.
func TestTwoInstallations(t *testing.T) {
	w := newWorld(t)
	one := w.manager(false)
	h := w.settings(false)
	h.Tag, h.Pool, h.Address = "other", prefix("198.51.100.0/24"), addr("198.51.100.1")
	two, err := Open(filepath.Join(w.dir, "ns2"), w.host, h)
	w.must(err)
	v1, v2 := twoSubnets("1", 10), twoSubnets("1", 10)
	v2.Interfaces[0].Public, v2.Interfaces[2].Public = addr("198.51.100.10"), netip.Addr{}
	for range 2 {
		w.reconcile(one, v1)
		w.reconcile(two, v2)
	}
	w.settled(one, v1)
	w.settled(two, v2)
	w.serve(w.internet, "internet", 80)
	w.serve(one.Namespace("eni-1a"), "one", 80)
	w.serve(two.Namespace("eni-1a"), "two", 80)
	w.expect(w.host, "tcp", "198.18.10.10:80", "one 198.18.0.1")
	w.expect(w.host, "tcp", "198.51.100.10:80", "two 198.51.100.1")
	w.expect(two.Namespace("eni-1a"), "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	w.must(one.Remove())
	w.settled(two, v2)
	w.expect(two.Namespace("eni-1a"), "tcp", "203.0.113.9:80", "internet 192.0.2.1")
	h.Tag, h.Pool, h.Address = "third", prefix("198.51.100.128/25"), addr("198.51.100.129")
	three, err := Open(filepath.Join(w.dir, "ns3"), w.host, h)
	w.must(err)
	if _, err := three.Reconcile(nil); err == nil {
		t.Error("a pool was taken twice")
	}
	w.must(three.Remove()) // who could not come can go
	w.must(two.Remove())
	w.clean()
}

// TestHostInRange has the host in a network that a VPC's range covers: the host
// keeps its own.
func TestHostInRange(t *testing.T) {
	w := newWorld(t)
	m := w.manager(false)
	v := twoSubnets("1", 10)
	v.CIDRs = append(v.CIDRs, prefix("192.0.2.0/23"))
	w.reconcile(m, v)
	w.settled(m, v)
	w.serve(w.internet, "internet", 80)
	w.expect(w.host, "tcp", "192.0.2.2:80", "internet 192.0.2.1")
	w.must(m.Remove())
	w.clean()
}
