package network

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/firewall"
	"neargate/node/network/kern"
)

// spread is edged with a NAT gateway of three addresses.
func spread() (v VPC, nat *Interface) {
	v = edged("1", 1)
	nat = &v.Interfaces[2]
	nat.Addresses = []netip.Addr{addr("10.1.1.20"), addr("10.1.1.21"), addr("10.1.1.22")}
	nat.Mapped = []firewall.Mapping{{Private: nat.Addresses[1], Public: addr("198.18.10.21")}, {Private: nat.Addresses[2], Public: addr("198.18.10.22")}}
	return v, nat
}

// without is v whose NAT gateway lacks its last address.
func without(v VPC) VPC {
	v = clone(v)
	nat := &v.Interfaces[2]
	nat.Addresses, nat.Mapped, nat.Draining = nat.Addresses[:2], nat.Mapped[:1], nil
	return v
}

// sources opens n connections and counts by which address each came. It returns one
// that came by each.
func (w *world) sources(space, to string, n int) (count map[string]int, known map[string]net.Conn) {
	w.t.Helper()
	count, known = map[string]int{}, map[string]net.Conn{}
	for range n {
		c, err := dial(space, "tcp", to, patience)
		w.must(err)
		got, err := ask(c, patience)
		w.must(err)
		if count[got]++; known[got] != nil {
			c.Close()
			continue
		}
		known[got] = c
		w.t.Cleanup(func() { c.Close() })
	}
	return count, known
}

// TestNATGatewayAddresses spreads connections over a NAT gateway's addresses, drains
// one and takes it away.
func TestNATGatewayAddresses(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	v, nat := spread()
	w.reconcile(m, v)
	w.settled(m, v)
	c := m.Namespace("eni-1c")
	w.serve(w.internet, "internet", 80)
	const first, second, third = "internet 198.18.10.20", "internet 198.18.10.21", "internet 198.18.10.22"
	count, known := w.sources(c, "203.0.113.9:80", 9)
	if count[first] != 3 || count[second] != 3 || count[third] != 3 {
		t.Fatalf("connections came by %v", count)
	}
	var datagrams net.Conn
	for range 3 {
		u, err := dial(c, "udp", "192.0.2.2:80", patience)
		w.must(err)
		defer u.Close()
		if got, err := ask(u, patience); err != nil || got == third {
			w.must(err)
			datagrams = u
		}
	}

	nat.Draining = nat.Addresses[2:]
	w.update(m, v)
	w.settled(m, v)
	if count, _ := w.sources(c, "203.0.113.9:80", 6); count[first] != 3 || count[second] != 3 {
		t.Errorf("while one drains, connections came by %v", count)
	}
	for by, conn := range known {
		if got, err := ask(conn, patience); got != by {
			t.Errorf("while one drains, a connection by %s has %q, %v", by, got, err)
		}
	}
	if got, err := ask(datagrams, patience); got != third {
		t.Errorf("datagrams while it drains: %q, %v", got, err)
	}

	less := without(v)
	w.update(m, less)
	w.settled(m, less)
	if got, err := ask(known[third], impatience); err == nil {
		t.Errorf("by an address that is gone: %q", got)
	}
	for _, by := range []string{first, second} {
		if got, err := ask(known[by], patience); got != by {
			t.Errorf("by an address that stays: %q, %v", got, err)
		}
	}
	if got, err := ask(datagrams, patience); got != first && got != second {
		t.Errorf("datagrams of the same client: %q, %v", got, err)
	}

	// An address that went while no process was there to see it.
	w.update(m, v)
	nat.Draining = nil
	w.update(m, v)
	_, known = w.sources(c, "203.0.113.9:80", 3)
	m = w.manager(true)
	w.reconcile(m, less)
	if got, err := ask(known[third], impatience); err == nil {
		t.Errorf("after a restart, by an address that is gone: %q", got)
	}
	if got, err := ask(known[second], patience); got != second {
		t.Errorf("after a restart, by an address that stays: %q, %v", got, err)
	}
	w.must(m.Remove())
	w.clean()
}

// TestSecondaryPublicAddress reaches a task by a public address of its second private
// one, and lets it go out by it.
func TestSecondaryPublicAddress(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	v := edged("1", 1)
	a := &v.Interfaces[0]
	a.Addresses = append(slices.Clone(a.Addresses), addr("10.1.1.11"))
	a.Mapped = []firewall.Mapping{{Private: addr("10.1.1.11"), Public: addr("198.18.10.11")}}
	w.reconcile(m, v)
	w.settled(m, v)
	w.serve(m.Namespace("eni-1a"), "a", 80)
	w.expect(w.internet, "tcp", "198.18.10.10:80", "a 192.0.2.2")
	// Who has a secondary address sets it up inside.
	w.in(m.Namespace("eni-1a"), func(k *netlink.Handle) error {
		return kern.WithLink(k, deviceTask, func(l netlink.Link) error {
			return k.AddrAdd(l, &netlink.Addr{IPNet: kern.IPNet(prefix("10.1.1.11/24"))})
		})
	})
	w.expect(w.internet, "tcp", "198.18.10.11:80", "a 192.0.2.2")
	w.serve(w.internet, "internet", 80)
	var got string
	w.must(netns.Do(m.Namespace("eni-1a"), func() error {
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 1, 1, 11)}}
		c, err := d.Dial("tcp4", "203.0.113.9:80")
		if err != nil {
			return err
		}
		defer c.Close()
		got, err = ask(c, patience)
		return err
	}))
	if got != "internet 198.18.10.11" {
		t.Errorf("from the second address: %q", got)
	}
	w.must(m.Remove())
	w.clean()
}
