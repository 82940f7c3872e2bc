package loop

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// The delays after failed passes: doubling from firstRetry to lastRetry, each
// cut by up to a half at random so that keys that failed together part.
const (
	firstRetry = 10 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// queue decides which key runs next. It knows no clock and is not safe for
// concurrent use. A key is ready at most once, and not while it runs.
type queue[K comparable] struct {
	keys  map[K]*entry[K]
	ready []*entry[K] // first in, first out
	sleep sleepers[K]
	seq   uint64
	rand  *rand.Rand
}

type entry[K comparable] struct {
	key      K
	at       time.Time // wake time; zero: none
	seq      uint64    // order among equal wake times
	slot     int       // index in the heap, -1 outside
	queued   bool
	running  bool
	again    bool // changed while running
	failures int
}

func newQueue[K comparable](seed uint64) *queue[K] {
	return &queue[K]{keys: map[K]*entry[K]{}, rand: rand.New(rand.NewPCG(seed, 0))}
}

// add makes key ready; while it runs, ready again afterwards. A key that waits
// after a failure goes on waiting: its next pass sees the change anyway.
func (q *queue[K]) add(key K) {
	e := q.keys[key]
	if e == nil {
		e = &entry[K]{key: key, slot: -1}
		q.keys[key] = e
	}
	switch {
	case e.running:
		e.again = true
	case !e.queued && (e.failures == 0 || e.slot < 0):
		e.queued = true
		q.ready = append(q.ready, e)
	}
}

// pop takes the next key to run at now.
func (q *queue[K]) pop(now time.Time) (key K, ok bool) {
	for len(q.sleep) > 0 && !q.sleep[0].at.After(now) {
		e := q.sleep[0]
		q.unsleep(e)
		q.add(e.key)
	}
	if len(q.ready) == 0 {
		return key, false
	}
	e := q.ready[0]
	q.ready[0] = nil
	q.ready = q.ready[1:]
	e.queued, e.running = false, true
	q.unsleep(e)
	return e.key, true
}

// done ends the pass of key: wake replaces its earlier wake time, an error makes
// it wait and try again. Keys with nothing to wait for are forgotten.
func (q *queue[K]) done(key K, now, wake time.Time, err error) {
	e := q.keys[key]
	e.running = false
	if err != nil {
		wake = now.Add(q.delay(e.failures))
		e.failures++
		e.again = false
	} else {
		e.failures = 0
	}
	switch {
	case e.again || !wake.IsZero() && !wake.After(now):
		e.again = false
		q.add(key)
	case !wake.IsZero():
		q.seq++
		e.at, e.seq = wake, q.seq
		heap.Push(&q.sleep, e)
	default:
		delete(q.keys, key)
	}
}

// next is the earliest time at which pop finds a key: long ago when one is ready;
// ok is false when none is ready or asleep.
func (q *queue[K]) next() (at time.Time, ok bool) {
	if len(q.ready) > 0 {
		return time.Unix(0, 0), true
	}
	if len(q.sleep) > 0 {
		return q.sleep[0].at, true
	}
	return time.Time{}, false
}

func (q *queue[K]) unsleep(e *entry[K]) {
	if e.slot >= 0 {
		heap.Remove(&q.sleep, e.slot)
	}
}

func (q *queue[K]) delay(failures int) time.Duration {
	d := lastRetry
	if failures < 16 {
		d = min(firstRetry<<failures, lastRetry)
	}
	return d - time.Duration(q.rand.Int64N(int64(d)/2))
}

// sleepers is a heap by wake time.
type sleepers[K comparable] []*entry[K]

func (s sleepers[K]) Len() int { return len(s) }
func (s sleepers[K]) Less(i, j int) bool {
	if !s[i].at.Equal(s[j].at) {
		return s[i].at.Before(s[j].at)
	}
	return s[i].seq < s[j].seq
}
func (s sleepers[K]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].slot, s[j].slot = i, j
}
func (s *sleepers[K]) Push(x any) {
	e := x.(*entry[K])
	e.slot = len(*s)
	*s = append(*s, e)
}
func (s *sleepers[K]) Pop() any {
	old := *s
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	e.slot = -1
	return e
}
