package mvcc

import (
	"sort"

	"neargate/store"
)

// history is the newest durable commits, oldest first.
type history struct {
	commits []*Commit
	start   store.Rev // every commit after it is in commits
	bytes   int
}

func (h *history) add(c *Commit, items, bytes int) {
	h.commits = append(h.commits, c)
	h.bytes += c.Size
	for len(h.commits) > max(items, 1) || h.bytes > bytes && len(h.commits) > 1 {
		h.start = h.commits[0].Rev
		h.bytes -= h.commits[0].Size
		h.commits[0] = nil
		h.commits = h.commits[1:]
	}
}

// after returns the commits after rev; ok is false when some are forgotten.
func (h *history) after(rev store.Rev) (commits []*Commit, ok bool) {
	if rev < h.start {
		return nil, false
	}
	i := sort.Search(len(h.commits), func(i int) bool { return h.commits[i].Rev > rev })
	return h.commits[i:], true
}
