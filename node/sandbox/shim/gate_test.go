package shim

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestGateBound runs many launches, with what follows and what nobody waits for:
// the bounds hold, and everybody gets a turn.
func TestGateBound(t *testing.T) {
	g := &gate{limit: 4, quiet: 1}
	var launches, later, most, mostLater atomic.Int32
	raise := func(now, most *atomic.Int32) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
	}
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			if i%10 == 0 {
				leave, err := g.idle(t.Context(), 0, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				raise(&later, &mostLater)
				later.Add(-1)
				leave()
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if rand.IntN(4) == 0 {
				go cancel()
			}
			leave, err := g.enter(ctx)
			if errors.Is(err, context.Canceled) {
				return
			}
			raise(&launches, &most)
			launches.Add(-1)
			leave()
			g.join()()
		})
	}
	all.Wait()
	if most.Load() > 4 || mostLater.Load() > 1 || g.busy != 0 || len(g.first)+len(g.later) > 0 {
		t.Errorf("%d launches and %d others at once; left: %d busy, %d and %d waiting", most.Load(), mostLater.Load(), g.busy, len(g.first), len(g.later))
	}
}

// TestGateOrder checks that launches wait for what goes on, in their order, and
// that what nobody waits for waits for them.
func TestGateOrder(t *testing.T) {
	g := &gate{limit: 2, quiet: 1}
	ctx := t.Context()
	one, _ := g.enter(ctx)
	two := g.join()
	order := make(chan string, 3)
	done := make(chan struct{})
	queue := func(name string, waiting *[]chan struct{}, n int, wait func(context.Context) (func(), error)) {
		go func() {
			leave, err := wait(ctx)
			if err != nil {
				t.Error(err)
			}
			order <- name
			<-done
			leave()
		}()
		for { // until it is in the queue
			g.mu.Lock()
			l := len(*waiting)
			g.mu.Unlock()
			if l == n {
				return
			}
		}
	}
	queue("later", &g.later, 1, func(ctx context.Context) (func(), error) { return g.idle(ctx, 0, time.Minute) })
	queue("first", &g.first, 1, g.enter)
	queue("second", &g.first, 2, g.enter)
	one()
	if got := <-order; got != "first" {
		t.Error("after one left:", got)
	}
	two()
	if got := <-order; got != "second" {
		t.Error("after both left:", got)
	}
	select {
	case got := <-order:
		t.Error(got, "did not wait")
	default:
	}
	close(done)
	if got := <-order; got != "later" {
		t.Error("at last:", got)
	}
}
