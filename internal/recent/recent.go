// Package recent remembers what was made of things lately, within a bound.
package recent

import "sync"

// Cache remembers values by what they were made of. It holds at most twice as many as
// it was asked to: when the young generation is full it becomes the old one, and what
// is still asked for comes back. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	mu         sync.RWMutex
	max        int
	make       func(K) V
	young, old map[K]V
}

// New returns a cache for max values or, while they change, twice as many. make is pure,
// and may be called more than once for the same key.
func New[K comparable, V any](max int, make func(K) V) *Cache[K, V] {
	return &Cache[K, V]{max: max, make: make, young: map[K]V{}}
}

// Get returns the value made of k. Whoever asks at the same time gets the same.
func (c *Cache[K, V]) Get(k K) V {
	c.mu.RLock()
	v, ok := c.young[k]
	c.mu.RUnlock()
	if ok {
		return v
	}
	made := c.make(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok = c.young[k]; ok {
		return v
	}
	if v, ok = c.old[k]; !ok {
		v = made
	}
	if len(c.young) >= c.max {
		c.old, c.young = c.young, map[K]V{}
	}
	c.young[k] = v
	return v
}
