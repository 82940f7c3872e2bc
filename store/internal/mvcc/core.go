// Package mvcc is the core that the stores share: an ordered tree with cheap
// immutable snapshots, optimistic transactions with exact conflict detection, and
// a bounded history of commits for validation and watching.
//
// A commit is decided in memory, at the tip, and becomes visible to View and
// Watch once it is durable. A store without a disk has commits that are durable
// at once; another takes the pending ones in batches (Next), writes them, and
// reports the outcome (Durable, Fail, Rebase, Replace). Transactions read the
// tip, so a busy key costs no round trip for each of its writers, and nobody is
// given an answer that rests on a commit that is not durable.
package mvcc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"neargate/store"
)

// errRerun ends a commit that must be decided again.
var errRerun = errors.New("mvcc: run the transaction again")

// patience is how often a transaction may lose the race for a commit before it
// runs alone.
const patience = 8

// Options tune a Core.
type Options struct {
	Pipeline     bool // commits become durable by Durable, not at once
	Paranoid     bool // check the memoised records after every transaction
	MaxOps       int  // changed keys in one transaction
	MaxBytes     int  // size of one transaction: keys, values, and OpBytes for each
	OpBytes      int
	HistoryItems int // commits kept for watchers that resume
	HistoryBytes int
}

// MaxOps is how many keys a transaction may change by default.
const MaxOps = 10_000

// Defaults are the limits of an embedded store, which every store has unless it
// says otherwise, so that what fits one fits the other.
func Defaults() Options {
	return Options{MaxOps: MaxOps, MaxBytes: 1_400_000, OpBytes: 128, HistoryItems: 8192, HistoryBytes: 16 << 20}
}

// Change is the new item under a key, nil when deleted.
type Change struct {
	Key  string
	Item *Item
}

// Commit is a set of changes made together.
type Commit struct {
	Rev     store.Rev
	Changes []Change // in key order
	Size    int      // as Options.MaxBytes counts it

	reads *tx           // what it rests on, while not durable
	epoch int           // of the snapshots that hold it
	err   error         // set before done closes
	done  chan struct{} // closed when the outcome is known
}

func (c *Core) newCommit(changes []Change) *Commit {
	commit := &Commit{Changes: changes, Size: len(changes) * c.opts.OpBytes}
	for _, ch := range changes {
		commit.Size += len(ch.Key)
		if ch.Item != nil {
			commit.Size += len(ch.Item.stored)
		}
	}
	return commit
}

// Core is a transactional key space in memory.
type Core struct {
	opts    Options
	wake    chan struct{}
	turn    sync.RWMutex // held for writing by a transaction that must not lose
	durable atomic.Pointer[snapshot]
	tip     atomic.Pointer[snapshot]
	check   *checker

	mu       sync.Mutex
	work     *tree    // the durable content, to be written
	over     *overlay // what the pending ones, and no others, write over it
	history  history
	pending  []*Commit // decided and not durable, in order
	watchers watchers
	closed   error
	sealed   bool
}

// New makes an empty core.
func New(o Options) *Core {
	c := &Core{opts: o, wake: make(chan struct{}, 1), work: newTree(), over: newOverlay(0)}
	if o.Paranoid {
		c.check = &checker{known: map[*Item]bool{}}
	}
	c.watchers.byTable = map[string]prefixes{}
	c.settle(0, 0)
	return c
}

// settle makes the working tree the durable content, and the tip while nothing is
// pending.
func (c *Core) settle(rev store.Rev, epoch int) {
	s := &snapshot{tree: c.work.Copy(), rev: rev, epoch: epoch}
	c.durable.Store(s)
	c.tip.Store(s)
}

// show makes the durable content, with what is pending over it, the tip.
func (c *Core) show() {
	last := c.pending[len(c.pending)-1]
	c.tip.Store(&snapshot{tree: c.durable.Load().tree, over: c.over, rev: last.Rev, epoch: last.epoch, last: last})
}

// append puts a commit after those pending.
func (c *Core) append(commit *Commit, rev store.Rev, epoch int) {
	commit.Rev, commit.epoch = rev, epoch
	c.pending = append(c.pending, commit)
	c.over.add(rev, commit.Changes)
}

// View implements store.Store.
func (c *Core) View(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := c.durable.Load()
	if s == nil {
		return store.ErrClosed
	}
	t := &tx{base: s, trace: c.check != nil}
	defer c.verify(t)
	if err := fn(t); err != nil {
		return err
	}
	return t.err
}

// Update implements store.Store. fn must not call Update. When ctx ends while the
// commit is on its way, its outcome is not known.
func (c *Core) Update(ctx context.Context, fn func(store.Tx) error) error {
	for try := 0; ; try++ {
		v, ok := c.attempt(ctx, fn, try >= patience)
		if !ok {
			continue
		}
		if err := v.await(ctx); !errors.Is(err, errRerun) {
			return err
		}
	}
}

// verdict is what Update answers once a commit is durable: the transaction's own,
// or the newest one in what it read.
type verdict struct {
	wait  *Commit // nil when nothing is to be waited for
	own   bool
	epoch int // of what it read
	err   error
}

// resting is the verdict that err is the answer if the snapshot comes true.
func (s *snapshot) resting(err error) verdict {
	return verdict{wait: s.last, epoch: s.epoch, err: err}
}

// await returns the answer, or errRerun if what it rests on did not come true.
func (v verdict) await(ctx context.Context) error {
	if v.wait == nil {
		return v.err
	}
	select {
	case <-v.wait.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case v.own:
		return v.wait.err
	case v.wait.err != nil || v.wait.epoch != v.epoch:
		return errRerun
	}
	return v.err
}

// attempt runs fn once and decides its commit; ok is false if it lost a race.
func (c *Core) attempt(ctx context.Context, fn func(store.Tx) error, alone bool) (v verdict, ok bool) {
	if err := ctx.Err(); err != nil {
		return verdict{err: err}, true
	}
	if alone {
		c.turn.Lock()
		defer c.turn.Unlock()
	}
	s := c.tip.Load()
	if s == nil {
		return verdict{err: store.ErrClosed}, true
	}
	t := &tx{base: s, updating: true, trace: c.check != nil}
	defer c.verify(t)
	if err := fn(t); err != nil {
		return s.resting(err), true
	}
	if t.err != nil || t.writes.empty() {
		return s.resting(t.err), true
	}
	if !alone {
		c.turn.RLock()
		defer c.turn.RUnlock()
	}
	return c.decide(t)
}

// decide validates a transaction against the tip and appends its commit.
func (c *Core) decide(t *tx) (v verdict, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil || c.sealed {
		return verdict{err: store.ErrClosed}, true
	}
	tip := c.tip.Load()
	if (tip.rev != t.base.rev || tip.epoch != t.base.epoch) && c.conflicts(t, tip) {
		return verdict{}, false
	}
	changes := t.effects(tip)
	if len(changes) == 0 {
		return tip.resting(nil), true
	}
	commit := c.newCommit(changes)
	if err := c.admit(commit); err != nil {
		return tip.resting(err), true
	}
	if !c.opts.Pipeline {
		commit.Rev = tip.rev + 1
		c.apply(changes)
		c.settle(commit.Rev, tip.epoch)
		c.publish(commit)
		return verdict{}, true
	}
	commit.reads, commit.done = t, make(chan struct{})
	c.append(commit, tip.rev+1, tip.epoch)
	c.show()
	c.notify()
	return verdict{wait: commit, own: true}, true
}

func (c *Core) admit(commit *Commit) error {
	if ops, limit := len(commit.Changes), c.opts.MaxOps; limit > 0 && ops > limit {
		return fmt.Errorf("%w: %d keys, the limit is %d", store.ErrTooLarge, ops, limit)
	}
	if limit := c.opts.MaxBytes; limit > 0 && commit.Size > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", store.ErrTooLarge, commit.Size, limit)
	}
	return nil
}

// conflicts reports whether a commit after the transaction's base changed
// something it read, or whether that can no longer be told.
func (c *Core) conflicts(t *tx, tip *snapshot) bool {
	if t.base.epoch != tip.epoch {
		return true
	}
	slices.Sort(t.points)
	for i := len(c.pending) - 1; i >= 0; i-- {
		if c.pending[i].Rev <= t.base.rev {
			return false
		}
		if t.saw(c.pending[i].Changes) {
			return true
		}
	}
	since, ok := c.history.after(t.base.rev)
	if !ok {
		return true
	}
	return slices.ContainsFunc(since, func(h *Commit) bool { return t.saw(h.Changes) })
}

func (c *Core) apply(changes []Change) {
	for _, ch := range changes {
		if ch.Item == nil {
			c.work.Delete(ch.Key)
		} else {
			c.work.Set(ch.Key, ch.Item)
		}
	}
}

// publish tells history and watchers of commits that are durable.
func (c *Core) publish(commits ...*Commit) {
	for _, commit := range commits {
		commit.reads = nil
		c.history.add(commit, c.opts.HistoryItems, c.opts.HistoryBytes)
		c.watchers.dispatch(commit)
	}
	c.watchers.wake()
}

func (c *Core) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Rev returns the newest durable revision.
func (c *Core) Rev() store.Rev {
	if s := c.durable.Load(); s != nil {
		return s.rev
	}
	return 0
}

// Seal refuses further commits, while those pending go on.
func (c *Core) Seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
}

// Close ends watches and refuses further use; pending commits end with err.
func (c *Core) Close(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return
	}
	c.closed = store.ErrClosed
	if c.check != nil {
		c.check.all()
	}
	c.finish(c.pending, err)
	c.pending = nil
	c.tip.Store(nil)
	c.durable.Store(nil)
	c.watchers.close()
}

func (c *Core) finish(commits []*Commit, err error) {
	for _, commit := range commits {
		commit.err, commit.reads = err, nil
		close(commit.done)
	}
}
