package cgroup

import "testing"

func TestWeight(t *testing.T) {
	for _, c := range []struct{ shares, weight int }{{0, 1}, {2, 1}, {1024, 39}, {262144, 10000}, {1 << 30, 10000}} {
		if w := Weight(c.shares); w != c.weight {
			t.Errorf("%d shares are %d, want %d", c.shares, w, c.weight)
		}
	}
}
