package mvcc

import (
	"sort"

	"github.com/tidwall/btree"

	"neargate/store"
)

// degree keeps the nodes of the content small, which each batch of commits copies.
const degree = 16

type tree = btree.Map[string, *Item]

// snapshot is the immutable content of the store at one revision.
type snapshot struct {
	tree  *tree
	over  *overlay // what lies over it at rev; nil for nothing
	rev   store.Rev
	epoch int     // counts the times that speculative commits were undone
	last  *Commit // the newest commit in it; nil when that needs no waiting for
}

// get returns the item under key, nil when there is none.
func (s *snapshot) get(key string) *Item {
	if s.over != nil {
		if it, ok := s.over.get(key, s.rev); ok {
			return it
		}
	}
	it, _ := s.tree.Get(key)
	return it
}

// overIn returns what lies over the tree in the interval, in key order; in it a nil item
// is for no record.
func (s *snapshot) overIn(in interval) []Change {
	if s.over == nil {
		return nil
	}
	return s.over.within(in, s.rev)
}

// interval is the keys lo ≤ key < hi; an empty hi has no upper bound.
type interval struct{ lo, hi string }

func (i interval) contains(key string) bool {
	return i.lo <= key && (i.hi == "" || key < i.hi)
}

// next is the smallest key after key.
func next(key string) string { return key + "\x00" }

// prefixed is the interval of the keys with the prefix.
func prefixed(prefix string) interval {
	end := []byte(prefix)
	for n := len(end); n > 0; n-- {
		if end[n-1] < 0xff {
			end[n-1]++
			return interval{prefix, string(end[:n])}
		}
	}
	return interval{prefix, ""}
}

// count returns the number of keys in the interval in O(log² n).
func count(t *tree, in interval) int {
	lo := rank(t, in.lo)
	if in.hi == "" {
		return t.Len() - lo
	}
	return rank(t, in.hi) - lo
}

// rank returns how many keys sort before key.
func rank(t *tree, key string) int {
	return sort.Search(t.Len(), func(i int) bool {
		k, _, _ := t.GetAt(i)
		return k >= key
	})
}

// newTree makes an empty tree.
func newTree() *tree { return btree.NewMap[string, *Item](degree) }
