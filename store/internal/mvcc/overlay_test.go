package mvcc

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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
