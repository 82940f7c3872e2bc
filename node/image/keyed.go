package image

import (
	"context"
	"sync"
)

// keyed lets one goroutine at a time have a key.
type keyed struct {
	mu    sync.Mutex
	slots map[string]*slot
}

type slot struct {
	taken chan struct{}
	users int
}

// lock waits for a key, or for ctx to end.
func (k *keyed) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.slots == nil {
		k.slots = map[string]*slot{}
	}
	s := k.slots[key]
	if s == nil {
		s = &slot{taken: make(chan struct{}, 1)}
		k.slots[key] = s
	}
	s.users++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(k.slots, key)
		}
	}
	select {
	case s.taken <- struct{}{}:
		return func() { <-s.taken; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// take waits for one of the places of a channel, or for ctx to end.
func take(ctx context.Context, places chan struct{}) (give func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
