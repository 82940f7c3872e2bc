package network

import (
	"net/netip"
	"slices"
	"testing"
)

func TestFreePool(t *testing.T) {
	w := newWorld(t)
	within := prefix("198.18.0.0/15")
	first, err := FreePool(w.host, "test", within, 20)
	w.must(err)
	if !within.Contains(first.Addr()) || first.Bits() != 20 || first != first.Masked() {
		t.Errorf("pool %s", first)
	}
	m, err := Open(w.dir+"/ns", w.host, Host{Tag: "test", Pool: first, Address: first.Addr().Next()})
	w.must(err)
	w.reconcile(m)
	if again, err := FreePool(w.host, "test", within, 20); err != nil || again != first {
		t.Errorf("its own pool is %s, then %s, %v", first, again, err)
	}
	seen := map[netip.Prefix]bool{}
	for _, tag := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		p, err := FreePool(w.host, tag, within, 17) // one of four
		w.must(err)
		if p.Overlaps(first) {
			t.Errorf("%s gets %s, which overlaps %s", tag, p, first)
		}
		seen[p] = true
	}
	if len(seen) < 2 {
		t.Errorf("tags do not spread: %v", seen)
	}
	if _, err := FreePool(w.host, "other", first, 20); err == nil {
		t.Error("a pool in a taken range")
	}
	if up, err := DefaultUplinks(w.host); err != nil || !slices.Equal(up, []string{"up0"}) {
		t.Errorf("uplinks %q, %v", up, err)
	}
	w.must(m.Remove())
	w.clean()
}
