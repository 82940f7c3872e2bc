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
		allocated, live uint64 // MiB
		percent         int
		free            bool
	}
	for name, looks := range map[string][]look{
		"never busy":            {{3, 20, 0, false}, {15, 20, 0, false}, {0, 20, 0, false}},
		"a small heap":          {{200, 16, 400, false}, {200, 17, 0, false}, {200, 32, 200, false}},
		"a heap that is enough": {{200, 64, 0, false}, {200, 4000, 0, false}, {0, 4000, 0, false}},
		"one that grows":        {{200, 16, 400, false}, {200, 64, 100, false}},
		"next to nothing":       {{200, 0, 6400, false}},
		"busy, then calm":       {{200, 16, 400, false}, {1, 16, 0, false}, {1, 16, 0, false}, {1, 16, 100, true}, {1, 16, 0, false}, {200, 16, 400, false}},
		"a pause":               {{200, 16, 400, false}, {1, 16, 0, false}, {1, 16, 0, false}, {5, 16, 0, false}, {1, 16, 0, false}, {1, 16, 0, false}, {1, 16, 100, true}},
	} {
		k := keeper{room: 64 << 20}
		for i, l := range looks {
			if percent, free := k.next(l.allocated<<20, l.live<<20); percent != l.percent || free != l.free {
				t.Errorf("%s: look %d is %d, %v", name, i, percent, free)
			}
		}
	}
}

// TestKeep: a busy process gets its room while it is busy, and the usual percentage is
// back when it ends.
func TestKeep(t *testing.T) {
	before := debug.SetGCPercent(usual)
	defer debug.SetGCPercent(before)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { Keep(ctx, 256<<20) })
	var kept []byte
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	for deadline := time.Now().Add(30 * time.Second); percent() <= 2*usual; kept = make([]byte, 1<<20) {
		if time.Now().After(deadline) {
			t.Fatalf("no more room after %d bytes at a time", len(kept))
		}
	}
	stop()
	wg.Wait()
	if p := percent(); p != usual {
		t.Errorf("the percentage is %d in the end", p)
	}
}
