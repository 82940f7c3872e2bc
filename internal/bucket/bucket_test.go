package bucket

import (
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)

func TestTake(t *testing.T) {
	r := Rate{Burst: 3, PerSecond: 2}
	var b Bucket
	steps := []struct {
		at time.Duration
		n  float64
		ok bool
	}{
		{0, 1, true}, {0, 2, true}, {0, 1, false}, {499 * time.Millisecond, 1, false}, {500 * time.Millisecond, 1, true},
		{time.Second, 2, false}, {1500 * time.Millisecond, 2, true}, {time.Hour, 4, false}, {time.Hour, 3, true},
		{time.Minute, 1, false}, // the clock went back
	}
	for i, s := range steps {
		var ok bool
		if b, ok = r.Take(b, start.Add(s.at), s.n); ok != s.ok {
			t.Fatalf("step %d: %v", i, ok)
		}
	}
}

func TestWaitIsExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := Rate{Burst: 20, PerSecond: 5}
	var b Bucket
	now := start
	for range 10_000 {
		now = now.Add(time.Duration(rnd.IntN(500)) * time.Millisecond)
		n := float64(1 + rnd.IntN(3))
		wait := r.Wait(b, now, n)
		next, ok := r.Take(b, now, n)
		if ok != (wait == 0) {
			t.Fatalf("Take %v, Wait %v", ok, wait)
		}
		if !ok {
			if _, ok := r.Take(b, now.Add(wait+time.Microsecond), n); !ok {
				t.Fatalf("not available after %v", wait)
			}
		}
		b = next
	}
	if w := r.Wait(b, now, 21); w >= 0 {
		t.Fatalf("more than the burst after %v", w)
	}
}

// TestRateIsKept takes as fast as it can and never gets more than the bucket
// can have given.
func TestRateIsKept(t *testing.T) {
	r := Rate{Burst: 10, PerSecond: 7}
	var s Set[string]
	taken := 0.0
	for ms := range 60_000 {
		if s.Take("a", r, start.Add(time.Duration(ms)*time.Millisecond), 1) {
			taken++
		}
		if allowed := r.Burst + r.PerSecond*float64(ms)/1000 + 1e-6; taken > allowed {
			t.Fatalf("%v taken of %v after %d ms", taken, allowed, ms)
		}
	}
	if taken < 60*7 {
		t.Fatalf("only %v taken", taken)
	}
}

func TestSetForgetsFullBuckets(t *testing.T) {
	var s Set[int]
	for i := range 100_000 {
		s.Take(i, Rate{Burst: 1, PerSecond: 1}, start.Add(time.Duration(i)*time.Millisecond), 1)
	}
	if n := len(s.buckets); n > 3*sweepMin {
		t.Fatalf("%d buckets remembered, 1000 in use", n)
	}
	if !s.Take(1, Rate{}, start, 1e9) {
		t.Fatal("the zero rate limits")
	}
}
