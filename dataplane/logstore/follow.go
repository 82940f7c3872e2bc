package logstore

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"neargate/resource/logs"
)

// followBuffer is how many events wait for a slow follower.
const followBuffer = 10_000

// Follow yields the events that are appended, from its call on, to the streams
// of the groups that want names, once they are acknowledged: every period, also
// if there are none, and earlier when there are many. It ends with ctx.
//
// Appends call want, from many goroutines; it must answer at once.
func (s *Store) Follow(ctx context.Context, period time.Duration, want func(group uint64) bool) iter.Seq[logs.Batch] {
	f := &follower{want: want, many: make(chan struct{}, 1)}
	s.tail.add(f)
	context.AfterFunc(ctx, func() { s.tail.remove(f) })
	return func(yield func(logs.Batch) bool) {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			due := false
			select {
			case <-ctx.Done():
				return
			case <-f.many:
			case <-tick.C:
				due = true
			}
			if !yield(f.take(due)) {
				return
			}
		}
	}
}

// broadcast hands events to followers; it never waits for one.
type broadcast struct {
	mu        sync.RWMutex
	followers []*follower
}

func (b *broadcast) add(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followers = append(b.followers, f)
}

func (b *broadcast) remove(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followers = slices.DeleteFunc(b.followers, func(g *follower) bool { return g == f })
}

func (b *broadcast) publish(id logs.StreamID, first uint64, records []logs.Record) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, f := range b.followers {
		if f.want(id.Group) {
			f.put(id, first, records)
		}
	}
}

// follower keeps what its reader has not taken.
type follower struct {
	want func(group uint64) bool
	many chan struct{} // holds a token while half the buffer is used

	mu     sync.Mutex
	events []logs.Event
	missed int
}

func (f *follower) put(id logs.StreamID, first uint64, records []logs.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(records), followBuffer-len(f.events))
	for i, r := range records[:n] {
		f.events = append(f.events, logs.Event{Stream: id, At: logs.Position{Time: r.Time, Seq: first + uint64(i)}, Message: r.Message})
	}
	f.missed += len(records) - n
	if len(f.events) < followBuffer/2 {
		return
	}
	select {
	case f.many <- struct{}{}:
	default:
	}
}

func (f *follower) take(due bool) logs.Batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := logs.Batch{Events: f.events, Missed: f.missed, Due: due}
	f.events, f.missed = nil, 0
	return b
}
