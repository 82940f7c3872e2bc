package mvcc

import (
	"context"
	"io"
	"slices"

	"neargate/store"
)

// Batch is the merged writes of some pending commits.
type Batch struct {
	Rev    store.Rev // of the last commit in it
	Writes []Change
	n      int
}

// Pending receives when there may be something for Next.
func (c *Core) Pending() <-chan struct{} { return c.wake }

// Next merges the oldest pending commits, at least one, up to the limits; ok is
// false if there are none. The batch is answered by Durable or Fail before the
// next one, unless Foreign or Replace made it void.
func (c *Core) Next(maxOps, maxBytes int) (b Batch, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := 0
	for _, commit := range c.pending {
		size += commit.Size
		if b.n > 0 && (c.over.keys(b.n)+len(commit.Changes) > maxOps || size > maxBytes) {
			break
		}
		b.Rev = commit.Rev
		b.n++
	}
	if b.n == 0 {
		return b, false
	}
	b.Writes = c.over.merged(b.n, b.Rev)
	return b, true
}

// Durable makes the commits of the batch visible and answers their writers.
func (c *Core) Durable(b Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return
	}
	tip, commits := c.tip.Load(), c.pending[:b.n:b.n]
	c.apply(b.Writes)
	c.settle(commits[b.n-1].Rev, tip.epoch)
	c.publish(commits...)
	c.resume(c.pending[b.n:], tip.epoch)
	c.finish(commits, nil)
}

// resume makes commits the pending ones, as they were, after the durable content.
func (c *Core) resume(commits []*Commit, epoch int) {
	c.pending, c.over = nil, newOverlay(c.over.keys(len(c.pending)))
	if len(commits) == 0 {
		return
	}
	for _, p := range commits {
		c.append(p, p.Rev, epoch)
	}
	c.show()
	c.notify()
}

// Fail ends the commits of the batch with err; those after it are decided again.
func (c *Core) Fail(b Batch, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return
	}
	epoch := c.tip.Load().epoch + 1
	c.finish(c.pending[:b.n], err)
	c.finish(c.pending[b.n:], errRerun)
	c.resume(nil, epoch)
	c.settle(c.durable.Load().rev, epoch)
}

// Foreign puts a durable commit of another process, as it is stored, with its revision,
// before all pending ones. Those that read what it changed, or what such a one had written,
// are decided again; the others follow it.
func (c *Core) Foreign(rev store.Rev, changes []Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.foreign(rev, spread(changes, c.durable.Load().get))
	}
}

func (c *Core) foreign(rev store.Rev, changes []Change) {
	epoch := c.tip.Load().epoch + 1
	commit := c.newCommit(changes)
	commit.Rev = rev
	c.apply(changes)
	c.settle(rev, epoch)
	c.publish(commit)

	var follow []*Commit
	gone := slices.Clip(changes)
	for _, p := range c.pending {
		slices.Sort(p.reads.points)
		if p.reads.saw(gone) {
			gone = append(gone, p.Changes...)
			c.finish([]*Commit{p}, errRerun)
			continue
		}
		rev++
		p.Rev = rev
		follow = append(follow, p)
	}
	c.resume(follow, epoch)
}

// Load sets the content of a core that nobody uses yet. Items are as they are stored.
func (c *Core) Load(rev store.Rev, items []Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, it := range spread(items, nothing) {
		c.work.Load(it.Key, it.Item)
	}
	c.settle(rev, 0)
	c.history.start = rev
}

// nothing is what there was before a whole content.
func nothing(string) *Item { return nil }

// Replace makes items, as they are stored, the whole durable content, as one commit of
// what differs. At revision 0 it takes the next one. Pending commits
// are treated as by Foreign.
func (c *Core) Replace(rev store.Rev, items []Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return
	}
	s := c.durable.Load()
	if rev == 0 {
		rev = s.rev + 1
	}
	if changes := difference(s.tree, spread(items, nothing)); rev != s.rev || len(changes) > 0 {
		c.foreign(rev, changes)
	}
}

// difference returns the changes that turn the tree into items.
func difference(from *tree, items []Change) []Change {
	var changes []Change
	i := 0
	insert := func(below string, all bool) {
		for i < len(items) && (all || items[i].Key < below) {
			changes = append(changes, items[i])
			i++
		}
	}
	from.Scan(func(key string, old *Item) bool {
		insert(key, false)
		switch {
		case i == len(items) || items[i].Key != key:
			changes = append(changes, Change{Key: key})
		case !same(old, items[i].Item):
			changes = append(changes, items[i])
			i++
		default:
			i++
		}
		return true
	})
	insert("", true)
	return changes
}

// Backup writes the durable content as an archive, while the store goes on.
func (c *Core) Backup(ctx context.Context, w io.Writer) error {
	s := c.durable.Load()
	if s == nil {
		return store.ErrClosed
	}
	return store.WriteArchive(w, func(yield func(string, []byte) bool) {
		s.tree.Scan(func(key string, it *Item) bool { return ctx.Err() == nil && yield(key, it.Bytes()) })
	}, ctx.Err)
}
