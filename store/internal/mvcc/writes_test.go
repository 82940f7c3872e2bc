package mvcc

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// plain is what lies under keys, without more ado.
type plain map[string]*Item

// within returns what is in the interval, in key order.
func (p plain) within(in interval) []Change {
	var all []Change
	for _, k := range slices.Sorted(maps.Keys(p)) {
		if in.contains(k) {
			all = append(all, Change{k, p[k]})
		}
	}
	return all
}

// some is a random interval of keys of three digits.
func some(r *rand.Rand) interval {
	in := interval{"", ""}
	if r.IntN(4) > 0 {
		in.lo = fmt.Sprintf("%03d", r.IntN(1000))
	}
	if r.IntN(4) > 0 {
		in.hi = fmt.Sprintf("%03d", 1+r.IntN(1000))
	}
	return in
}

// item is a random one, and at times none.
func item(r *rand.Rand) *Item {
	if r.IntN(4) == 0 {
		return nil
	}
	return NewItem([]byte{byte(r.IntN(100))})
}

func TestWrites(t *testing.T) {
	for what, number := range map[string]func(r *rand.Rand, i int) int{
		"in order":         func(_ *rand.Rand, i int) int { return i },
		"in reverse":       func(_ *rand.Rand, i int) int { return 999 - i },
		"in any order":     func(r *rand.Rand, _ int) int { return r.IntN(1000) },
		"over and over":    func(r *rand.Rand, _ int) int { return r.IntN(20) },
		"in order, mostly": func(r *rand.Rand, i int) int { return max(0, i-r.IntN(2)*r.IntN(3)) },
	} {
		t.Run(what, func(t *testing.T) {
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			for _, n := range []int{0, 1, 7, few - 1, few, few + 1, 400} {
				var w writes
				p := plain{}
				for i := range n {
					in := some(r)
					before, then := w.within(in), p.within(in)
					k, it := fmt.Sprintf("%03d", number(r, i)), item(r)
					w.set(k, it)
					p[k] = it
					if !slices.Equal(before, then) {
						t.Fatalf("seed %d, %d writes: %v has %v, want %v", seed, i, in, before, then)
					}
					k = fmt.Sprintf("%03d", r.IntN(1000))
					got, ok := w.get(k)
					if it, there := p[k]; got != it || ok != there {
						t.Fatalf("seed %d, %d writes: %s is %v, %v, want %v, %v", seed, i, k, got, ok, it, there)
					}
				}
				want(t, "empty", w.empty(), n == 0)
				if all := w.take(); !slices.Equal(all, p.within(interval{})) {
					t.Errorf("seed %d: takes %v, want %v", seed, all, p)
				}
				want(t, "empty once taken", w.empty(), true)
			}
		})
	}
}

// Many writes are never inserted into a list that is long.
func TestManyWrites(t *testing.T) {
	var w writes
	for i := range 2 * MaxOps {
		w.set(fmt.Sprintf("%05d", i), nil)
	}
	want(t, "in order: a tree", w.tree != nil, false)
	w.set("00002", nil)
	want(t, "written again: a tree", w.tree != nil, false)
	w.set("00002x", nil)
	want(t, "out of order: a tree", w.tree != nil, true)
	want(t, "writes", len(w.take()), 2*MaxOps+1)
}
