package mvcc

import (
	"slices"
	"sync"

	"github.com/tidwall/btree"

	"neargate/store"
)

// overlay is what pending commits write over a tree. Snapshots share it while commits are
// added: who reads it at the revision of one of them sees what it and those before it
// wrote, whatever is added after.
type overlay struct {
	mu      sync.RWMutex
	places  map[string]int         // in written, by key
	written []written              // in the order in which keys were first written
	ends    []int                  // how much of it there was after each commit
	sorted  btree.Map[string, int] // places, of as much of written as listings needed
}

// written is the newest version under a key.
type written struct {
	key string
	version
}

// version is the item that the commit of a revision wrote, nil when it deleted.
type version struct {
	rev   store.Rev
	item  *Item
	older *version
}

// newOverlay makes an empty one, for about so many keys.
func newOverlay(keys int) *overlay {
	return &overlay{places: make(map[string]int, keys), written: make([]written, 0, keys)}
}

// add puts the changes of a commit over those of the ones before, whose revisions are
// lower.
func (o *overlay) add(rev store.Rev, changes []Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written = slices.Grow(o.written, len(changes))
	for _, ch := range changes {
		i, again := o.places[ch.Key]
		if !again {
			o.places[ch.Key] = len(o.written)
			o.written = append(o.written, written{ch.Key, version{rev: rev, item: ch.Item}})
			continue
		}
		older := o.written[i].version
		o.written[i].version = version{rev, ch.Item, &older}
	}
	o.ends = append(o.ends, len(o.written))
}

// get returns the item under key at a revision; ok is false where nothing was written.
func (o *overlay) get(key string, rev store.Rev) (it *Item, ok bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if i, there := o.places[key]; there {
		return o.written[i].at(rev)
	}
	return nil, false
}

func (v *version) at(rev store.Rev) (it *Item, ok bool) {
	for ; v != nil; v = v.older {
		if v.rev <= rev {
			return v.item, true
		}
	}
	return nil, false
}

// within returns what was written in the interval, in key order, at the revision of a
// commit that was added.
func (o *overlay) within(in interval, rev store.Rev) []Change {
	o.arrange()
	o.mu.RLock()
	defer o.mu.RUnlock()
	var all []Change
	o.sorted.Ascend(in.lo, func(key string, i int) bool {
		if !in.contains(key) {
			return false
		}
		if it, ok := o.written[i].at(rev); ok {
			all = append(all, Change{key, it})
		}
		return true
	})
	return all
}

// arrange makes sorted hold every key so far.
func (o *overlay) arrange() {
	o.mu.RLock()
	done := o.sorted.Len() == len(o.written)
	o.mu.RUnlock()
	if done {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := o.sorted.Len(); i < len(o.written); i++ {
		o.sorted.Set(o.written[i].key, i)
	}
}

// keys is how many different ones the first commits write.
func (o *overlay) keys(commits int) int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if commits == 0 {
		return 0
	}
	return o.ends[commits-1]
}

// merged returns what the first commits write, the last of which has the revision: each
// key once, in the order in which they were first written.
func (o *overlay) merged(commits int, rev store.Rev) []Change {
	all := make([]Change, o.keys(commits))
	o.mu.RLock()
	defer o.mu.RUnlock()
	for i := range all {
		it, _ := o.written[i].at(rev)
		all[i] = Change{o.written[i].key, it}
	}
	return all
}
