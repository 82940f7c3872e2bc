// Package sim runs a whole cluster in one goroutine: the real controllers and the
// real node agents over the real store, with simulated hosts, time and faults. One
// seed determines everything that happens; a violated invariant is reported with
// the seed that shows it again.
package sim

import (
	"container/heap"
	"context"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"net/netip"
	"time"

	"neargate/arn"
	"neargate/control"
	"neargate/control/loop"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

// Config is the size of a world.
type Config struct {
	Seed     uint64
	Nodes    int
	Paranoid bool // check that nobody writes into shared records (slow)
}

// World is a simulated cluster.
type World struct {
	Config
	Now    time.Time
	Faults bool // whether faults are injected

	ctx      context.Context
	rand     *rand.Rand
	ids      *arn.Source
	store    *recorder
	api      *faulty // the store as the API sees it
	agenda   agenda
	seq      uint64
	loops    []*controller
	hosts    []*host
	byName   map[string]*host
	check    *checker
	load     *load
	passes   int
	commits  int
	digest   uint64 // of all commits
	crc      *crc64.Table
	stranded error
}

// Account and Region are where the simulated tenant lives.
const (
	Account = arn.DefaultAccount
	Region  = arn.DefaultRegion
	Cluster = "sim"
)

// epoch is when every world begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New makes a world whose nodes are about to start.
func New(c Config) *World {
	w := &World{
		Config: c, Now: epoch, ctx: context.Background(),
		rand:   rand.New(rand.NewPCG(c.Seed, 1)),
		ids:    arn.NewSource(chacha(c.Seed)),
		byName: map[string]*host{},
		check:  newChecker(),
		crc:    crc64.MakeTable(crc64.ECMA),
	}
	var opts []mem.Option
	if c.Paranoid {
		opts = append(opts, mem.Paranoid())
	}
	w.store = &recorder{inner: mem.New(opts...), commit: w.committed}
	w.api = w.client()
	for _, r := range control.Tasks(func() time.Time { return w.Now }, w.ids, netip.Prefix{}) {
		w.Add(r)
	}
	w.must(w.store.Update(w.ctx, func(tx store.Tx) error {
		return tables.EnsureDefaultNetwork(tx, Account, Region)
	}))
	for i := range c.Nodes {
		w.addHost(fmt.Sprintf("node-%04d", i))
	}
	w.load = newLoad(w)
	return w
}

// Add lets a controller take part.
func (w *World) Add(r loop.Runner) {
	c := &controller{w: w, name: r.Describe().Name, step: r.Stepper(w.rand.Uint64()), store: w.client()}
	w.must(c.step.List(w.ctx, w.store))
	w.loops = append(w.loops, c)
	w.plan(c, w.Now)
}

// Summary says what happened so far. Equal histories have equal summaries.
func (w *World) Summary() string {
	return fmt.Sprintf("%v: %d steps, %d commits (%x), %d tasks ran, ended %v",
		w.Now.Sub(epoch), w.passes, w.commits, w.digest, w.check.ran, w.check.finished)
}

// client is the store as a process of its own sees it.
func (w *World) client() *faulty {
	return &faulty{Store: w.store, rand: rand.New(rand.NewPCG(w.rand.Uint64(), 2)), on: func() bool { return w.Faults }}
}

func chacha(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

func (w *World) must(err error) {
	if err != nil && w.stranded == nil {
		w.stranded = fmt.Errorf("at %v: %w", w.Now.Sub(epoch), err)
	}
}

// committed tells everyone of a commit, each a little later.
func (w *World) committed(events []store.Event) {
	w.commits++
	for _, e := range events {
		w.digest = crc64.Update(w.digest, w.crc, e.Val)
	}
	w.must(w.check.commit(events))
	for _, c := range w.loops {
		c.inbox = append(c.inbox, events...)
		w.plan(c, w.Now.Add(w.upTo(5*time.Millisecond)))
	}
	for _, e := range events {
		if table, segs := store.Segments(e.Key); table == tables.TasksByNode && segs[0] != "" {
			if h := w.byName[segs[0]]; h != nil {
				h.inbox = append(h.inbox, e)
				w.plan(h, w.Now.Add(w.upTo(20*time.Millisecond)))
			}
		}
	}
}

func (w *World) upTo(d time.Duration) time.Duration { return time.Duration(w.rand.Int64N(int64(d))) }

// Run lets the world go on for d, or until an invariant is violated.
func (w *World) Run(d time.Duration) error {
	end := w.Now.Add(d)
	for w.stranded == nil && len(w.agenda) > 0 && !w.agenda[0].at.After(end) {
		e := heap.Pop(&w.agenda).(*appointment)
		if !e.actor.keeps(e) {
			continue
		}
		if e.at.After(w.Now) {
			w.Now = e.at
		}
		w.passes++
		if next := e.actor.act(w.Now); !next.IsZero() {
			w.plan(e.actor, next)
		}
	}
	w.Now = end
	if w.stranded != nil {
		return fmt.Errorf("seed %d: %w", w.Seed, w.stranded)
	}
	return nil
}

// actor is something that acts at a time of its choice.
type actor interface {
	// act does what is to be done now and says when to be called again.
	act(now time.Time) time.Time
	// keeps forgets the actor's appointment and reports whether it was e.
	keeps(e *appointment) bool
	// meet makes e the actor's appointment unless it has an earlier one.
	meet(e *appointment) bool
}

// plan makes the actor act at the given time, unless it acts earlier anyway.
func (w *World) plan(a actor, at time.Time) {
	if at.Before(w.Now) {
		at = w.Now
	}
	w.seq++
	e := &appointment{actor: a, at: at, tie: w.rand.Uint64(), seq: w.seq}
	if a.meet(e) {
		heap.Push(&w.agenda, e)
	}
}

// diary is an actor's next appointment.
type diary struct{ next *appointment }

func (d *diary) keeps(e *appointment) bool {
	if d.next != e {
		return false
	}
	d.next = nil
	return true
}

func (d *diary) meet(e *appointment) bool {
	if d.next != nil && !e.at.Before(d.next.at) {
		return false
	}
	d.next = e
	return true
}

type appointment struct {
	actor actor
	at    time.Time
	tie   uint64 // chance decides who comes first
	seq   uint64
}

type agenda []*appointment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	if a[i].tie != a[j].tie {
		return a[i].tie < a[j].tie
	}
	return a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*appointment)) }
func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	*a = old[:len(old)-1]
	return e
}

// controller is one controller at work.
type controller struct {
	diary
	w     *World
	name  string
	step  loop.Stepper
	store *faulty
	inbox []store.Event
}

func (c *controller) act(now time.Time) time.Time {
	if len(c.inbox) > 0 {
		events := c.inbox
		c.inbox = nil
		c.w.must(c.step.Notify(c.w.ctx, c.w.store, events))
	}
	_, pass := c.step.Step(c.w.ctx, c.store, now)
	if pass.Err != nil && !c.w.Faults {
		c.w.must(fmt.Errorf("controller %s, key %s: %w", pass.Controller, pass.Key, pass.Err))
	}
	next, ok := c.step.Next()
	if !ok {
		return time.Time{}
	}
	if !next.After(now) {
		next = now.Add(c.w.upTo(time.Millisecond))
	}
	return next
}
