package mvcc

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strings"

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
	writes writes

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
	if it, mine := t.writes.get(key); mine {
		return t.found(key, it)
	}
	if t.updating {
		t.points = append(t.points, key)
	}
	return t.found(key, t.base.get(key))
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

// merge calls visit for the keys of the interval in order, as the transaction sees
// them.
func (t *tx) merge(in interval, visit func(string, *Item) bool) {
	over := t.overIn(in)
	emit := func(below string, all bool) bool {
		for len(over) > 0 && (all || over[0].Key < below) {
			w := over[0]
			over = over[1:]
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
		if len(over) > 0 && over[0].Key == key {
			return true // what lies over it comes before the next key
		}
		more = visit(key, it)
		return more
	})
	if more {
		emit("", true)
	}
}

// overIn returns what lies over the tree in the interval, in key order: what the
// snapshot has there, and over that the transaction's own writes.
func (t *tx) overIn(in interval) []Change {
	below, own := t.base.overIn(in), t.writes.within(in)
	if len(below) == 0 || len(own) == 0 {
		return append(below, own...)
	}
	all := make([]Change, 0, len(below)+len(own))
	for len(below) > 0 && len(own) > 0 {
		switch c := strings.Compare(below[0].Key, own[0].Key); {
		case c < 0:
			all, below = append(all, below[0]), below[1:]
		case c == 0:
			below = below[1:]
		default:
			all, own = append(all, own[0]), own[1:]
		}
	}
	return append(append(all, below...), own...)
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
	for _, w := range t.overIn(in) {
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

// PutRecord implements store.Tx. It copies val.
func (t *tx) PutRecord(key string, val []byte, entries, added []string) {
	items := make([]Item, 1+len(added)) // one piece: a store has many, and each would be looked after
	items[0].record(val, entries)
	t.write(key, &items[0])
	for i, e := range added {
		items[i+1].stored, items[i+1].kept = bytesOf(key), true
		t.write(e, &items[i+1])
	}
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
	}
	t.writes.set(key, it)
}

// effects takes from the transaction the writes that change the given content, in key
// order. What changes nothing counts as read instead: it is right only while that stays.
func (t *tx) effects(now *snapshot) []Change {
	return slices.DeleteFunc(t.writes.take(), func(ch Change) bool {
		vain := same(now.get(ch.Key), ch.Item)
		if vain {
			t.points = append(t.points, ch.Key)
		}
		return vain
	})
}

func same(a, b *Item) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.stored, b.stored)
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
