package network

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"neargate/internal/netns"
	"neargate/node/network/kern"
)

func TestFreePool(t *testing.T) {
	w := newWorld(t)
	within := prefix("198.18.0.0/15")
	first, err := kern.FreePool(w.host, "test", within, 20)
	w.must(err)
	if !within.Contains(first.Addr()) || first.Bits() != 20 || first != first.Masked() {
		t.Errorf("pool %s", first)
	}
	m, err := Open(w.dir+"/ns", w.host, Host{Tag: "test", Pool: first, Address: first.Addr().Next()})
	w.must(err)
	w.reconcile(m)
	if again, err := kern.FreePool(w.host, "test", within, 20); err != nil || again != first {
		t.Errorf("its own pool is %s, then %s, %v", first, again, err)
	}
	seen := map[netip.Prefix]bool{}
	for _, tag := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		p, err := kern.FreePool(w.host, tag, within, 17) // one of four
		w.must(err)
		if p.Overlaps(first) {
			t.Errorf("%s gets %s, which overlaps %s", tag, p, first)
		}
		seen[p] = true
	}
	if len(seen) < 2 {
		t.Errorf("tags do not spread: %v", seen)
	}
	if _, err := kern.FreePool(w.host, "other", first, 20); err == nil {
		t.Error("a pool in a taken range")
	}
	for tag, want := range map[string]bool{"test": false, "other": true} {
		if by, taken, err := kern.Taken(w.host, tag, within, first); err != nil || taken != want || taken && by != first {
			t.Errorf("for %s: taken %v by %s, %v", tag, taken, by, err)
		}
	}
	routes := func(change func(*netlink.Route) error) { // half of all addresses, as VPNs have it, and a network of the host's
		w.must(netns.Do(w.host, func() error {
			up, err := netlink.LinkByName("up0")
			for _, d := range []string{"128.0.0.0/1", "198.19.0.0/16"} {
				if err == nil {
					err = change(&netlink.Route{LinkIndex: up.Attrs().Index, Dst: kern.IPNet(prefix(d)), Scope: netlink.SCOPE_LINK})
				}
			}
			return err
		}))
	}
	routes(netlink.RouteAdd)
	for p, want := range map[string]bool{"198.19.16.0/20": true, "198.18.0.0/16": first.Overlaps(prefix("198.18.0.0/16"))} {
		if by, taken, err := kern.Taken(w.host, "other", within, prefix(p)); err != nil || taken != want {
			t.Errorf("%s: taken %v by %s, %v", p, taken, by, err)
		}
	}
	routes(netlink.RouteDel)
	if up, err := kern.DefaultUplinks(w.host); err != nil || !slices.Equal(up, []string{"up0"}) {
		t.Errorf("uplinks %q, %v", up, err)
	}
	w.must(m.Remove())
	w.clean()
}
