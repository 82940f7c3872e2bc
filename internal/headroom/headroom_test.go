package headroom

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// TestNext: what a keeper of 64 MiB decides, look by look.
func TestNext(t *testing.T) {
	type look struct {
		times                 int
		allocated, live, heap uint64 // MiB; allocated since the look before
		percent               int    // at the first of the times
		free                  bool   // at the last
	}
	for name, looks := range map[string][]look{
		"a small heap":          {{1, 200, 16, 20, 400, false}, {1, 200, 17, 20, 0, false}, {1, 200, 32, 40, 200, false}},
		"a heap that is enough": {{1, 200, 64, 70, 100, false}, {1, 200, 4000, 4100, 0, false}, {1, 0, 4000, 4100, 0, false}},
		"one that grows":        {{1, 200, 16, 20, 400, false}, {1, 200, 64, 90, 100, false}},
		"next to nothing":       {{1, 200, 0, 1, 6400, false}},
		"busy, then calm":       {{1, 200, 16, 80, 400, false}, {calm - 1, 1, 16, 80, 0, false}, {1, 1, 16, 80, 0, true}, {100, 1, 16, 17, 0, false}},
		"a pause":               {{1, 200, 16, 80, 400, false}, {calm - 1, 1, 16, 80, 0, false}, {1, 5, 16, 80, 0, false}, {calm - 1, 1, 16, 80, 0, false}, {1, 1, 16, 80, 0, true}},
		"calm and gathering":    {{calm, 1, 16, 20, 400, false}, {50, 1, 16, 32, 0, false}, {1, 1, 16, 33, 0, true}},
		"calm and tiny":         {{calm, 1, 1, 8, 6400, false}, {1, 1, 1, 9, 0, true}},
	} {
		k, allocated := keeper{room: 64 << 20}, uint64(0)
		for i, l := range looks {
			for n := range l.times {
				allocated += l.allocated << 20
				percent, free := k.next(figures{allocated, l.live << 20, l.heap << 20})
				if n > 0 && percent != 0 || n == 0 && percent != l.percent || free != (l.free && n == l.times-1) {
					t.Errorf("%s: look %d, %d is %d, %v", name, i, n, percent, free)
				}
			}
		}
	}
}

// TestRoom: it is within its bounds.
func TestRoom(t *testing.T) {
	if r := Room(); r < minRoom || r > maxRoom {
		t.Errorf("%d bytes", r)
	}
}

// TestKeep: a process gets its room, and the usual percentage is back when it ends.
func TestKeep(t *testing.T) {
	before := debug.SetGCPercent(usual)
	defer debug.SetGCPercent(before)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { Keep(ctx, 256<<20) })
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	for deadline := time.Now().Add(30 * time.Second); percent() <= 2*usual; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no more room")
		}
	}
	stop()
	wg.Wait()
	if p := percent(); p != usual {
		t.Errorf("the percentage is %d in the end", p)
	}
}
