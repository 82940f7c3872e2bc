package logstore

import (
	"context"
	"iter"
	"slices"
	"sync"

	"neargate/resource/logs"
)

// followBuffer is how many events wait for a slow follower.
const followBuffer = 10_000

// Follow yields the events that are appended to the streams of groups from its
// call on, as they are acknowledged, and with each batch how many were left out
// before it because the reader was slow. It ends with ctx.
func (s *Store) Follow(ctx context.Context, groups ...uint64) iter.Seq2[[]logs.Event, int] {
	f := &follower{groups: groups, wake: make(chan struct{}, 1)}
	s.tail.add(f)
	context.AfterFunc(ctx, func() { s.tail.remove(f) })
	return func(yield func([]logs.Event, int) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case <-f.wake:
			}
			if !yield(f.take()) {
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
		if slices.Contains(f.groups, id.Group) {
			f.put(id, first, records)
		}
	}
}

// follower keeps what its reader has not taken.
type follower struct {
	groups []uint64
	wake   chan struct{} // holds a token while there is something to take

	mu      sync.Mutex
	events  []logs.Event
	dropped int
}

func (f *follower) put(id logs.StreamID, first uint64, records []logs.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(records), followBuffer-len(f.events))
	for i, r := range records[:n] {
		f.events = append(f.events, logs.Event{Stream: id, At: logs.Position{Time: r.Time, Seq: first + uint64(i)}, Message: r.Message})
	}
	f.dropped += len(records) - n
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *follower) take() ([]logs.Event, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, dropped := f.events, f.dropped
	f.events, f.dropped = nil, 0
	return events, dropped
}
