package storetest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"neargate/store"
)

const (
	serialWorkers = 8
	serialEach    = 60
)

// Serializable runs random transactions at once, on all the stores given, which
// share their content. Then it runs them again one by one on a model, in the order
// of their revisions: each must see there what it saw in the store, and the final
// contents must be equal.
func Serializable(t *testing.T, stores ...store.Store) {
	base := rev(t, stores[0])
	var wg sync.WaitGroup
	for i, s := range stores {
		for w := range serialWorkers {
			wg.Go(func() {
				for n := range serialEach {
					id := fmt.Sprintf("%d.%d.%d", i, w, n)
					update(t, s, func(tx store.Tx) {
						seen := program(id, tx)
						tx.Put("mark/"+id, []byte(seen))
					})
				}
			})
		}
	}
	wg.Wait()
	order := serialOrder(t, base, stores)
	m := &model{content: map[string][]byte{}}
	for _, mark := range order {
		id := strings.TrimPrefix(mark.Key, "mark/")
		if seen := program(id, m); seen != string(mark.Val) {
			t.Fatalf("transaction %s at %d saw %s, serially it sees %s", id, mark.Rev-base, mark.Val, seen)
		}
	}
	for i, s := range stores {
		view(t, s, func(tx store.Tx) {
			equal(t, fmt.Sprint("final content of store ", i), list(tx, "d/", "", 0), list(m, "d/", "", 0))
		})
	}
}

// serialOrder returns the mark of each transaction in commit order. A store knows
// the revision of each commit of its own; those of another may reach it merged,
// at the last of their revisions.
func serialOrder(t *testing.T, base store.Rev, stores []store.Store) []store.Event {
	t.Helper()
	first := map[string]store.Event{}
	total := len(stores) * serialWorkers * serialEach
	for _, s := range stores {
		for _, e := range events(t, s, base, total, "mark/") {
			if was, ok := first[e.Key]; !ok || e.Rev < was.Rev {
				first[e.Key] = e
			}
		}
	}
	order := slices.SortedFunc(maps.Values(first), func(a, b store.Event) int { return cmp.Compare(a.Rev, b.Rev) })
	for i := 1; i < len(order); i++ {
		if order[i].Rev == order[i-1].Rev {
			t.Fatalf("%s and %s have one revision", order[i].Key, order[i-1].Key)
		}
	}
	return order
}

// program is a random transaction, determined by id and what it reads; it returns
// a digest of all it read.
func program(id string, tx store.Tx) string {
	seed := fnv.New64a()
	seed.Write([]byte(id))
	rnd := rand.New(rand.NewPCG(seed.Sum64(), 0))
	saw := fnv.New64a()
	key := func() string { return fmt.Sprintf("d/%02d", rnd.IntN(24)) }
	for range 1 + rnd.IntN(6) {
		switch rnd.IntN(7) {
		case 0, 1:
			fmt.Fprint(saw, get(tx, key()), ";")
		case 2:
			k := key()
			fmt.Fprint(saw, list(tx, k[:3], "", 0), ";")
		case 3:
			fmt.Fprint(saw, list(tx, "d/", key(), 1+rnd.IntN(4)), ";")
		case 4:
			fmt.Fprint(saw, tx.Count("d/1"), ";")
		case 5:
			tx.Put(key(), fmt.Appendf(nil, "%s:%x", id, saw.Sum64()&0xffff))
		case 6:
			tx.Delete(key())
		}
	}
	return fmt.Sprintf("%x", saw.Sum64())
}

// model is the simplest store.Tx there is.
type model struct{ content map[string][]byte }

type modelValue []byte

func (v modelValue) Bytes() []byte { return v }

func (v modelValue) Remember(any, func([]byte) (any, error)) {}

func (v modelValue) Decoded(decode func([]byte) (any, error)) (any, error) { return decode(v) }

func (m *model) Rev() store.Rev { return 0 }

func (m *model) Get(key string) (store.Value, error) {
	v, ok := m.content[key]
	if !ok {
		return nil, store.ErrNotFound
	}
	return modelValue(v), nil
}

func (m *model) List(prefix, after string, limit int) iter.Seq2[string, store.Value] {
	return func(yield func(string, store.Value) bool) {
		n := 0
		for _, k := range slices.Sorted(maps.Keys(m.content)) {
			if !strings.HasPrefix(k, prefix) || k <= after {
				continue
			}
			if n++; !yield(k, modelValue(m.content[k])) || n == limit {
				return
			}
		}
	}
}

func (m *model) Count(prefix string) (n int) {
	for range m.List(prefix, "", 0) {
		n++
	}
	return n
}

func (m *model) Put(key string, val []byte) { m.content[key] = slices.Clone(val) }

func (m *model) PutRecord(key string, val []byte, _, added []string) {
	m.Put(key, val)
	for _, e := range added {
		m.Put(e, []byte(key))
	}
}

func (m *model) Delete(key string) { delete(m.content, key) }

var _ store.Tx = (*model)(nil)
