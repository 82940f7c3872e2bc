package network

import (
	"net/netip"
	"slices"
	"testing"

	"neargate/node/firewall"
	"neargate/resource/network"
)

// TestTracking ends rules under known connections: those that are not tracked end
// with them, those that are go on.
func TestTracking(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	in, out := permit("tcp", 80, network.AnyIPv4), outward(permit("-1", -1, network.AnyIPv4))
	narrow, web := permit("tcp", 80, "10.1.0.0/16"), outward(permit("tcp", 80, network.AnyIPv4))
	v := edged("1", 1)
	v.Interfaces = append(v.Interfaces, eni("eni-1b", "10.1.2.11", "2", "sg-b"))
	space := func(id string) string { return m.Namespace("eni-1" + id) }
	rules := func(list ...network.Permission) VPC {
		v := v
		v.Groups = []firewall.Group{open, {ID: "sg-b", Permissions: list}, v.Groups[1]}
		return v
	}
	w.reconcile(m, rules(in, out))
	w.serve(w.internet, "internet", 80)
	for _, id := range []string{"a", "b"} {
		w.serve(space(id), id, 80)
	}
	for _, c := range []struct {
		name          string
		before, after VPC
		from, to      string
		goesOn        bool
	}{
		{"open both ways, closed", rules(in, out), rules(out), space("a"), "10.1.2.11:80", false},
		{"open both ways, narrowed", rules(in, out), rules(narrow, out), space("a"), "10.1.2.11:80", true},
		{"open both ways, another rule goes", rules(in, permit("tcp", 81, network.AnyIPv4), out), rules(in, out), space("a"), "10.1.2.11:80", true},
		{"for some, closed", rules(narrow, out), rules(out), space("a"), "10.1.2.11:80", true},
		{"answers only because it is known, closed", rules(in), rules(), space("a"), "10.1.2.11:80", true},
		{"outward, closed", rules(permit("tcp", -1, network.AnyIPv4), web), rules(permit("tcp", -1, network.AnyIPv4)), space("b"), "10.1.1.10:80", false},
		{"outward, answers are known", rules(web), rules(), space("b"), "10.1.1.10:80", true},
		{"through a NAT gateway", rules(permit("tcp", -1, network.AnyIPv4), web), rules(permit("tcp", -1, network.AnyIPv4)), space("b"), "203.0.113.9:80", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.t = t
			w.update(m, c.before)
			conn, err := dial(c.from, "tcp", c.to, patience)
			w.must(err)
			defer conn.Close()
			_, err = ask(conn, patience)
			w.must(err)
			w.update(m, c.after)
			wait := impatience
			if c.goesOn {
				wait = patience
			}
			if got, err := ask(conn, wait); (err == nil) != c.goesOn {
				t.Errorf("after the change: %q, %v", got, err)
			}
		})
	}
	t.Run("through the internet gateway", func(t *testing.T) {
		w := *w
		w.t = t
		w.update(m, rules(in, out))
		conn, err := dial(w.internet, "tcp", "198.18.10.10:80", patience)
		w.must(err)
		defer conn.Close()
		_, err = ask(conn, patience)
		w.must(err)
		closed := rules(in, out)
		closed.Groups[0] = firewall.Group{ID: "sg-open", Permissions: []network.Permission{outward(permit("-1", -1, network.AnyIPv4))}}
		w.update(m, closed)
		if got, err := ask(conn, impatience); err == nil {
			t.Errorf("a closed group answers %q", got)
		}
	})
	t.Run("another public address", func(t *testing.T) {
		w := *w
		w.t = t
		w.update(m, rules(in, out))
		conn, err := dial(space("a"), "tcp", "203.0.113.9:80", patience)
		w.must(err)
		defer conn.Close()
		_, err = ask(conn, patience)
		w.must(err)
		other := rules(in, out)
		other.Interfaces = slices.Clone(other.Interfaces)
		other.Interfaces[0].Public = addr("198.18.10.99")
		w.update(m, other)
		if got, err := ask(conn, impatience); err == nil {
			t.Errorf("an address that is gone gets %q", got)
		}
		w.expect(space("a"), "tcp", "203.0.113.9:80", "internet 198.18.10.99")
	})
	t.Run("the address of another interface", func(t *testing.T) {
		w := *w
		w.t = t
		w.update(m, rules(in, out))
		conn, err := dial(space("a"), "udp", "10.1.2.11:80", patience)
		w.must(err)
		defer conn.Close()
		if got, err := ask(conn, impatience); err == nil {
			t.Errorf("not permitted, but %q", got)
		}
		known := rules(permit("udp", 80, "10.1.1.10/32"), out)
		w.update(m, known)
		_, err = ask(conn, patience)
		w.must(err)
		next := rules(out)
		next.Interfaces = slices.Clone(next.Interfaces)
		next.Interfaces[len(next.Interfaces)-1] = Interface{ID: "eni-1next", MAC: network.MAC("eni-1next"), Subnet: "subnet-2",
			Addresses: []netip.Addr{addr("10.1.2.11")}, Groups: []string{"sg-b"}}
		w.update(m, next)
		w.serve(space("next"), "next", 80)
		if got, err := ask(conn, impatience); err == nil {
			t.Errorf("the next interface with the address answers %q", got)
		}
	})
	t.Run("the address of an interface that went with an earlier process", func(t *testing.T) {
		w := *w
		w.t = t
		w.update(m, rules(permit("udp", 80, "10.1.1.10/32"), out))
		w.serve(space("b"), "b", 80)
		conn, err := dial(space("a"), "udp", "10.1.2.11:80", patience)
		w.must(err)
		defer conn.Close()
		_, err = ask(conn, patience)
		w.must(err)
		m = w.manager(true)
		gone := rules(out)
		gone.Interfaces = gone.Interfaces[:len(gone.Interfaces)-1]
		w.reconcile(m, gone)
		next := gone
		next.Interfaces = append(slices.Clone(gone.Interfaces), eni("eni-1last", "10.1.2.11", "2", "sg-b"))
		w.update(m, next)
		w.serve(space("last"), "last", 80)
		if got, err := ask(conn, impatience); err == nil {
			t.Errorf("the next interface with the address answers %q", got)
		}
		w.expect(space("last"), "tcp", "10.1.1.10:80", "a 10.1.2.11")
	})
	w.must(m.Remove())
	w.clean()
}
