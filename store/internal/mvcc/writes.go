package mvcc

import (
	"slices"
	"strings"
)

// few is how many writes a list takes in any order; more it takes in key order only.
const few = 64

// writes is what a transaction writes, by key; a nil item deletes.
type writes struct {
	list []Change // in key order; none when there is a tree
	tree *tree    // of many that came out of order
}

func (w *writes) empty() bool { return len(w.list) == 0 && w.tree == nil }

// set puts the item under key, in place of one before.
func (w *writes) set(key string, it *Item) {
	if w.tree != nil {
		w.tree.Set(key, it)
		return
	}
	i, mine := w.place(key)
	switch {
	case mine:
		w.list[i].Item = it
		return
	case i < len(w.list) && len(w.list) >= few:
		w.tree = newTree()
		for _, ch := range w.list {
			w.tree.Load(ch.Key, ch.Item)
		}
		w.tree.Set(key, it)
		w.list = nil
		return
	case w.list == nil:
		w.list = make([]Change, 0, 8) // as many as most transactions write
	}
	w.list = slices.Insert(w.list, i, Change{key, it})
}

// get returns the item under key; ok is false where nothing is written.
func (w *writes) get(key string) (it *Item, ok bool) {
	if w.tree != nil {
		return w.tree.Get(key)
	}
	if i, mine := w.place(key); mine {
		return w.list[i].Item, true
	}
	return nil, false
}

// place is where in the list key is, or belongs.
func (w *writes) place(key string) (i int, mine bool) {
	n := len(w.list)
	if n == 0 || w.list[n-1].Key < key {
		return n, false
	}
	return slices.BinarySearchFunc(w.list, key, func(ch Change, key string) int { return strings.Compare(ch.Key, key) })
}

// within returns the writes in the interval, in key order. They are the caller's.
func (w *writes) within(in interval) []Change {
	if w.tree != nil {
		return collect(w.tree, in)
	}
	lo, _ := w.place(in.lo)
	hi := len(w.list)
	if in.hi != "" {
		hi, _ = w.place(in.hi)
	}
	if lo >= hi {
		return nil
	}
	return slices.Clone(w.list[lo:hi])
}

// take returns all writes, in key order, and leaves none.
func (w *writes) take() []Change {
	all := w.list
	if w.tree != nil {
		all = collect(w.tree, interval{})
	}
	*w = writes{}
	return all
}

// collect returns what the tree has in the interval, in key order.
func collect(t *tree, in interval) []Change {
	var all []Change
	if in == (interval{}) {
		all = make([]Change, 0, t.Len())
	}
	t.Ascend(in.lo, func(key string, it *Item) bool {
		if !in.contains(key) {
			return false
		}
		all = append(all, Change{key, it})
		return true
	})
	return all
}
