// Package bucket is the token bucket by which AWS limits rates. Time is an
// argument everywhere: a bucket is a value, and taking from it a pure function.
package bucket

import (
	"sync"
	"time"
)

// Rate is a token bucket's shape: it holds at most Burst tokens and gains
// PerSecond of them. The zero Rate limits nothing.
type Rate struct {
	Burst     float64
	PerSecond float64
}

// Unlimited reports whether r limits nothing.
func (r Rate) Unlimited() bool { return r == Rate{} }

// Bucket is the state of one bucket. The zero Bucket is full.
type Bucket struct {
	Missing float64   // tokens below Burst
	At      time.Time // when Missing was true
}

// Take takes n tokens at the time now, all or none, and returns the bucket
// after that. A clock that went back adds nothing.
func (r Rate) Take(b Bucket, now time.Time, n float64) (Bucket, bool) {
	if r.Unlimited() {
		return b, true
	}
	b = r.at(b, now)
	if b.Missing+n > r.Burst {
		return b, false
	}
	b.Missing += n
	return b, true
}

// Full reports whether the bucket has all its tokens at the time now, and so
// need not be remembered.
func (r Rate) Full(b Bucket, now time.Time) bool { return r.at(b, now).Missing == 0 }

// Wait says how long after now n tokens can be taken; forever is negative.
func (r Rate) Wait(b Bucket, now time.Time, n float64) time.Duration {
	over := r.at(b, now).Missing + n - r.Burst
	switch {
	case r.Unlimited() || over <= 0:
		return 0
	case r.PerSecond <= 0 || n > r.Burst:
		return -1
	}
	return time.Duration(over / r.PerSecond * float64(time.Second))
}

func (r Rate) at(b Bucket, now time.Time) Bucket {
	if gone := now.Sub(b.At); gone > 0 {
		b.Missing = max(0, b.Missing-gone.Seconds()*r.PerSecond)
		b.At = now
	}
	return b
}

// Set holds a bucket for every key, forgetting the full ones. It is safe for
// concurrent use.
type Set[K comparable] struct {
	mu      sync.Mutex
	buckets map[K]entry
	sweep   int // size at which full buckets are looked for
}

type entry struct {
	rate   Rate
	bucket Bucket
}

const sweepMin = 1024

// Take takes n tokens from the bucket of key, which has the given rate.
func (s *Set[K]) Take(key K, r Rate, now time.Time, n float64) bool {
	if r.Unlimited() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets == nil {
		s.buckets, s.sweep = map[K]entry{}, sweepMin
	}
	b, ok := r.Take(s.buckets[key].bucket, now, n)
	s.buckets[key] = entry{r, b}
	if len(s.buckets) >= s.sweep {
		s.forget(now)
	}
	return ok
}

func (s *Set[K]) forget(now time.Time) {
	for k, e := range s.buckets {
		if e.rate.Full(e.bucket, now) {
			delete(s.buckets, k)
		}
	}
	s.sweep = max(sweepMin, 2*len(s.buckets))
}
