package mvcc

import (
	"bytes"
	"errors"
	"iter"
	"slices"

	"neargate/store"
)

var errReadOnly = errors.New("store: write in a View")

// tx implements store.Tx over a snapshot. An updating transaction records what
// it read: keys, found or not, and the exact intervals that listings covered.
type tx struct {
	base     *snapshot
	updating bool
	err      error // of a misuse; fails the transaction

	points []string
	ranges []interval
	writes *tree // by key; a nil item deletes

	touched []touched // items handed out, when tracing
	trace   bool
}

type touched struct {
	key  string
	item *Item
}

// Rev implements store.Tx.
func (t *tx) Rev() store.Rev { return t.base.rev }

// Get implements store.Tx.
func (t *tx) Get(key string) (store.Value, error) {
	if t.writes != nil {
		if it, mine := t.writes.Get(key); mine {
			return t.found(key, it)
		}
	}
	if t.updating {
		t.points = append(t.points, key)
	}
	it, _ := t.base.tree.Get(key)
	return t.found(key, it)
}

func (t *tx) found(key string, it *Item) (store.Value, error) {
	if it == nil {
		return nil, store.ErrNotFound
	}
	t.touch(key, it)
	return it, nil
}

func (t *tx) touch(key string, it *Item) {
	if t.trace {
		t.touched = append(t.touched, touched{key, it})
	}
}

// List implements store.Tx. It lists what the transaction saw when the iteration
// began, so the loop may write.
func (t *tx) List(prefix, after string, limit int) iter.Seq2[string, store.Value] {
	return func(yield func(string, store.Value) bool) {
		in := prefixed(prefix)
		if after >= prefix && after != "" {
			in.lo = next(after)
		}
		if in.hi != "" && in.lo >= in.hi {
			return
		}
		covered := in
		defer func() { t.read(covered) }()
		n := 0
		t.merge(in, func(key string, it *Item) bool {
			n++
			t.touch(key, it)
			covered.hi = next(key)
			if !yield(key, it) || n == limit {
				return false
			}
			covered.hi = in.hi
			return true
		})
	}
}

// merge calls visit for the keys of the interval in order, the transaction's own
// writes laid over the snapshot.
func (t *tx) merge(in interval, visit func(string, *Item) bool) {
	mine := t.writesIn(in)
	emit := func(below string, all bool) bool {
		for len(mine) > 0 && (all || mine[0].Key < below) {
			w := mine[0]
			mine = mine[1:]
			if w.Item != nil && !visit(w.Key, w.Item) {
				return false
			}
		}
		return true
	}
	more := true
	t.base.tree.Ascend(in.lo, func(key string, it *Item) bool {
		if in.hi != "" && key >= in.hi {
			return false
		}
		if more = emit(key, false); !more {
			return false
		}
		if len(mine) > 0 && mine[0].Key == key {
			return true // the transaction's own write comes before the next key
		}
		more = visit(key, it)
		return more
	})
	if more {
		emit("", true)
	}
}

func (t *tx) writesIn(in interval) []Change {
	if t.writes == nil {
		return nil
	}
	var w []Change
	t.writes.Ascend(in.lo, func(key string, it *Item) bool {
		if !in.contains(key) {
			return false
		}
		w = append(w, Change{key, it})
		return true
	})
	return w
}

func (t *tx) read(in interval) {
	if t.updating {
		t.ranges = append(t.ranges, in)
	}
}

// Count implements store.Tx.
func (t *tx) Count(prefix string) int {
	in := prefixed(prefix)
	t.read(in)
	n := count(t.base.tree, in)
	for _, w := range t.writesIn(in) {
		switch _, was := t.base.tree.Get(w.Key); {
		case was && w.Item == nil:
			n--
		case !was && w.Item != nil:
			n++
		}
	}
	return n
}

// Put implements store.Tx. It copies val.
func (t *tx) Put(key string, val []byte) {
	t.write(key, NewItem(append(make([]byte, 0, len(val)), val...)))
}

// Delete implements store.Tx.
func (t *tx) Delete(key string) {
	t.write(key, nil)
}

func (t *tx) write(key string, it *Item) {
	switch {
	case !t.updating:
		t.err = errReadOnly
		return
	case key == "":
		t.err = errors.New("store: empty key")
		return
	case t.writes == nil:
		t.writes = newTree()
	}
	t.writes.Set(key, it)
}

// effects returns the writes that change the given content, in key order. What
// changes nothing counts as read instead: it is right only while that stays.
func (t *tx) effects(now *tree) []Change {
	changes := make([]Change, 0, t.writes.Len())
	t.writes.Scan(func(key string, it *Item) bool {
		old, _ := now.Get(key)
		if same(old, it) {
			t.points = append(t.points, key)
		} else {
			changes = append(changes, Change{key, it})
		}
		return true
	})
	return changes
}

func same(a, b *Item) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.val, b.val)
}

// saw reports whether the transaction read any of the keys. The points must be
// sorted.
func (t *tx) saw(changes []Change) bool {
	for _, c := range changes {
		if _, ok := slices.BinarySearch(t.points, c.Key); ok {
			return true
		}
		for _, r := range t.ranges {
			if r.contains(c.Key) {
				return true
			}
		}
	}
	return false
}
