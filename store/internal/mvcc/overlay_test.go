package mvcc

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"neargate/store"
)

// model is what a store should hold.
type model map[string]string

// check compares all ways to read a transaction with the model.
func (m model) check(tx store.Tx, r *rand.Rand) error {
	prefix := []string{"", "a", "a1", "b", "c9"}[r.IntN(5)]
	after := []string{"", "a1", prefix + "5"}[r.IntN(3)]
	limit := r.IntN(4)
	var want, got []string
	count := 0
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		count++
		if k > after && (limit == 0 || len(want) < limit) {
			want = append(want, k+"="+m[k])
		}
	}
	for k, v := range tx.List(prefix, after, limit) {
		got = append(got, k+"="+string(v.Bytes()))
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%q after %q, %d: %v, want %v", prefix, after, limit, got, want)
	}
	if n := tx.Count(prefix); n != count {
		return fmt.Errorf("%d keys with %q, want %d", n, prefix, count)
	}
	k := key(r)
	if v, there := m[k]; there && read(tx, k) != v || !there && read(tx, k) != "-" {
		return fmt.Errorf("%s is %s, want %q", k, read(tx, k), v)
	}
	return nil
}

func key(r *rand.Rand) string { return fmt.Sprintf("%c%d", 'a'+r.IntN(3), r.IntN(12)) }

// write makes some random changes in a transaction and the model.
func (m model) write(tx store.Tx, r *rand.Rand) {
	for i := range r.IntN(4) {
		k := key(r)
		if r.IntN(3) == 0 {
			tx.Delete(k)
			delete(m, k)
			continue
		}
		m[k] = fmt.Sprint(r.IntN(5), ".", i)
		tx.Put(k, []byte(m[k]))
	}
}

// TestPendingReads: whatever is pending, made durable, undone or put after the commits of
// others, transactions see what was decided, their own writes over it, and a View what is
// durable.
func TestPendingReads(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	c := pipeline()
	defer c.Close(store.ErrClosed)
	tip, durable := model{}, model{}
	var before []model // the tip as it was, after each pending commit
	for step := range 3000 {
		fail := func(err error) {
			if err != nil {
				t.Fatalf("seed %d, step %d, %d pending: %v", seed, step, len(before), err)
			}
		}
		fail(c.View(t.Context(), func(tx store.Tx) error { return durable.check(tx, r) }))
		switch n := r.IntN(10); {
		case n < 7:
			next := maps.Clone(tip)
			pending := len(c.pending)
			_, ok := c.attempt(t.Context(), func(tx store.Tx) error {
				fail(next.check(tx, r))
				next.write(tx, r)
				fail(next.check(tx, r))
				return nil
			}, false)
			if !ok {
				fail(errors.New("the attempt lost a race with nobody"))
			}
			if tip = next; len(c.pending) > pending {
				before = append(before, maps.Clone(tip))
			}
		case n == 7:
			if b, ok := c.Next(1+r.IntN(12), 1<<20); ok {
				durable = before[b.n-1]
				before = before[b.n:]
				c.Durable(b)
			}
		case n == 8 && r.IntN(4) == 0:
			if b, ok := c.Next(3, 1<<20); ok {
				c.Fail(b, errors.New("no"))
				tip, before = maps.Clone(durable), nil
			}
		case n == 9 && len(c.pending) == 0:
			k := key(r)
			c.Foreign(c.Rev()+1, change(k, "theirs"))
			durable = maps.Clone(durable)
			durable[k] = "theirs"
			tip = maps.Clone(durable)
		}
	}
}

// TestNextMerges: a batch is the oldest commits that keep to the limits, with the newest of
// their writes under each key, in the order of the first.
func TestNextMerges(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	c := pipeline()
	defer c.Close(store.ErrClosed)
	for step := range 2000 {
		if _, ok := c.attempt(t.Context(), func(tx store.Tx) error { model{}.write(tx, r); return nil }, false); !ok {
			t.Fatal("the attempt lost a race with nobody")
		}
		if r.IntN(6) > 0 {
			continue
		}
		ops, size := r.IntN(20), r.IntN(4000)
		want := Batch{}
		place, sum := map[string]int{}, 0
		for _, commit := range c.pending {
			sum += commit.Size
			if want.n > 0 && (len(want.Writes)+len(commit.Changes) > ops || sum > size) {
				break
			}
			for _, ch := range commit.Changes {
				i, again := place[ch.Key]
				if !again {
					i = len(want.Writes)
					place[ch.Key], want.Writes = i, append(want.Writes, Change{})
				}
				want.Writes[i] = ch
			}
			want.Rev = commit.Rev
			want.n++
		}
		b, ok := c.Next(ops, size)
		if ok != (want.n > 0) || b.Rev != want.Rev || b.n != want.n || !slices.Equal(b.Writes, want.Writes) {
			t.Fatalf("seed %d, step %d: %v, want %v", seed, step, b, want)
		}
		switch {
		case r.IntN(10) == 0:
			c.Foreign(c.Rev()+1+store.Rev(r.IntN(3)), change(key(r), "theirs"))
		case ok:
			c.Durable(b)
		}
	}
}

// TestOverlay: who reads at a revision sees the same for ever, while commits are added.
func TestOverlay(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 20 {
		o, rev := newOverlay(r.IntN(100)), store.Rev(r.IntN(5))
		now := plain{}
		revs, then := []store.Rev{rev}, []plain{{}} // before and after each commit
		for range r.IntN(100) {
			rev += 1 + store.Rev(r.IntN(2))
			mine := plain{}
			for range r.IntN(6) {
				mine[fmt.Sprintf("%03d", r.IntN(10)*r.IntN(100))] = item(r)
			}
			o.add(rev, mine.within(interval{}))
			maps.Copy(now, mine)
			revs, then = append(revs, rev), append(then, maps.Clone(now))
			for range 3 {
				at := r.IntN(len(revs))
				if err := then[at].check(o, at, revs[at], r); err != nil {
					t.Fatalf("seed %d, round %d, %d commits, after %d: %v", seed, round, len(revs)-1, at, err)
				}
			}
		}
	}
}

// check compares all ways to read an overlay, after so many commits, with what should be
// seen.
func (p plain) check(o *overlay, commits int, rev store.Rev, r *rand.Rand) error {
	if in := some(r); !slices.Equal(o.within(in, rev), p.within(in)) {
		return fmt.Errorf("%v has %v, want %v", in, o.within(in, rev), p.within(in))
	}
	k := fmt.Sprintf("%03d", r.IntN(10)*r.IntN(100))
	got, ok := o.get(k, rev)
	if it, there := p[k]; got != it || ok != there {
		return fmt.Errorf("%s is %v, %v, want %v, %v", k, got, ok, it, there)
	}
	if n := o.keys(commits); n != len(p) {
		return fmt.Errorf("%d keys, want %d", n, len(p))
	}
	merged := o.merged(commits, rev)
	slices.SortFunc(merged, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	if !slices.Equal(merged, p.within(interval{})) {
		return fmt.Errorf("merged: %v, want %v", merged, p)
	}
	return nil
}

// TestOverlayIsReadWhileItGrows by goroutines of which each has a revision.
func TestOverlayIsReadWhileItGrows(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	o, now := newOverlay(0), plain{}
	var readers sync.WaitGroup
	for i := range 100 {
		rev := store.Rev(i + 1)
		mine := plain{}
		for range 5 {
			mine[fmt.Sprintf("%03d", r.IntN(10)*r.IntN(100))] = item(r)
		}
		o.add(rev, mine.within(interval{}))
		maps.Copy(now, mine)
		then := maps.Clone(now)
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(rev)))
			for range 20 {
				if err := then.check(o, i+1, rev, r); err != nil {
					t.Errorf("seed %d, after %d commits: %v", seed, i+1, err)
					return
				}
			}
		})
	}
	readers.Wait()
}

// A transaction lists what it began with, whatever is committed meanwhile, and loses to it.
func TestListingStays(t *testing.T) {
	c := pipeline()
	defer c.Close(store.ErrClosed)
	put := func(keys ...string) {
		if _, ok := c.attempt(t.Context(), func(tx store.Tx) error {
			for _, k := range keys {
				tx.Put(k, fmt.Append(nil, c.tip.Load().rev))
			}
			tx.Delete("c")
			return nil
		}, false); !ok {
			t.Error("a write lost a race")
		}
	}
	put("a", "d")
	flush(c)
	put("b", "e")
	_, ok := c.attempt(t.Context(), func(tx store.Tx) error {
		for range 2 {
			got := ""
			for k, v := range tx.List("", "", 0) {
				got += k + string(v.Bytes()) + " "
				put("a", "b", k+"+", "f")
				tx.Put("d+mine", nil)
			}
			tx.Delete("d+mine")
			want(t, "listing", got, "a0 b1 d0 e1 ")
			want(t, "count", tx.Count(""), 4)
		}
		return nil
	}, false)
	want(t, "it wins", ok, false)
}
