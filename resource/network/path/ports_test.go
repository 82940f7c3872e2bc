package path

import (
	"slices"
	"testing"
	"testing/quick"
)

// TestPortSets compares sets of ports with sets of numbers.
func TestPortSets(t *testing.T) {
	const n = 24
	bits := func(p ports) (b [n]bool) {
		for _, r := range p {
			for i := r.From; i <= r.To; i++ {
				b[i] = true
			}
		}
		return b
	}
	property := func(x, y [3][2]uint8, lo, hi uint8) bool {
		set := func(in [3][2]uint8) (p ports) {
			for _, v := range in {
				a, b := int(v[0]%n), int(v[1]%n)
				p = p.or(ports{{min(a, b), max(a, b)}})
			}
			return p
		}
		p, q, r := set(x), set(y), Range{int(min(lo%n, hi%n)), int(max(lo%n, hi%n))}
		and, without, or := bits(p.and(r)), bits(p.without(r)), bits(p.or(q))
		for i := range n {
			in := r.From <= i && i <= r.To
			if and[i] != (bits(p)[i] && in) || without[i] != (bits(p)[i] && !in) || or[i] != (bits(p)[i] || bits(q)[i]) {
				return false
			}
		}
		return slices.IsSortedFunc(p.or(q), func(a, b Range) int { return a.From - b.From })
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
	if s := (ports{{80, 80}, {1024, 65535}}).String(); s != "80,1024-65535" {
		t.Error(s)
	}
}
