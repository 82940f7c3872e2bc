package ipv6

import (
	"net/netip"
	"testing"
)

// TestRangesOfPoolsAreApart holds that pools with nothing in common have ranges with
// nothing in common, each with room for blocks.
func TestRangesOfPoolsAreApart(t *testing.T) {
	var seen []netip.Prefix
	for _, s := range []string{"198.18.0.0/24", "198.18.1.0/24", "198.19.0.0/16", "10.1.2.0/28", "10.1.2.16/28", "203.0.113.7/32"} {
		r := Range(netip.MustParsePrefix(s))
		if r != r.Masked() || !documentation.Contains(r.Addr()) || r.Bits() >= BitsVpc {
			t.Errorf("range of %s is %s", s, r)
		}
		for _, o := range seen {
			if o.Overlaps(r) {
				t.Errorf("range of %s overlaps %s", s, o)
			}
		}
		seen = append(seen, r)
		n := 0
		for b := range Blocks(r, "seed") {
			if n++; b.Bits() != BitsVpc || b != b.Masked() || !r.Contains(b.Addr()) || b.Contains(Host(r)) {
				t.Fatalf("block %s of %s", b, r)
			}
		}
		if n != attempts {
			t.Errorf("%d blocks of %s", n, r)
		}
	}
	if got := Range(netip.MustParsePrefix("198.18.0.0/15")).String(); got != "3fff:c61:2000::/35" {
		t.Errorf("the usual range is %s", got)
	}
}

func TestAssignable(t *testing.T) {
	for _, c := range []struct {
		subnet, address string
		want            bool
	}{
		{"3fff:1::/64", "3fff:1::3", false}, {"3fff:1::/64", "3fff:1::4", true}, {"3fff:1::/64", "3fff:1::ffff:ffff:ffff:ffff", false},
		{"3fff:1::/64", "3fff:1::ffff:ffff:ffff:fffe", true}, {"3fff:1::/64", "3fff:1:0:1::4", false}, {"3fff:1::/64", "10.0.0.1", false},
		{"3fff:1::/60", "3fff:1:0:1::1", true}, {"3fff:1::/60", "3fff:1:0:f:ffff:ffff:ffff:ffff", false}, {"3fff:1::/60", "3fff:1:0:1:ffff:ffff:ffff:ffff", true},
	} {
		if got := Assignable(netip.MustParsePrefix(c.subnet), netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("%s in %s: %v", c.address, c.subnet, got)
		}
	}
	n := 0
	for a := range Candidates(netip.MustParsePrefix("3fff:1::/64"), "eni") {
		if n++; !Assignable(netip.MustParsePrefix("3fff:1::/64"), a) {
			t.Fatalf("candidate %s", a)
		}
	}
	if n == 0 {
		t.Error("no candidates")
	}
}
