// Package headroom lets a process with a small heap collect its garbage less often while
// it is busy. Go collects when the heap has doubled, which a busy process with little in
// it does many times a second; when it is idle, the memory is better given back.
package headroom

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	every = time.Second // between looks
	calm  = 3           // looks in a row without much that end being busy

	// much is what a busy process allocates between two looks, little what a calm one does.
	much   = 16 << 20
	little = 4 << 20
)

// Keep gives garbage room until ctx ends: as much as is in use, and, while the process is
// busy, at least room bytes. When it becomes calm, what it does not use goes back to the
// system. A heap of several times room is collected as Go does by itself.
func Keep(ctx context.Context, room int) {
	debug.FreeOSMemory() // what the start took
	defer debug.SetGCPercent(debug.SetGCPercent(usual))
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	k := keeper{room: uint64(room)}
	before := look().allocated
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := look()
		percent, free := k.next(now.allocated-before, now.live)
		if before = now.allocated; percent != 0 {
			debug.SetGCPercent(percent)
		}
		if free {
			debug.FreeOSMemory()
		}
	}
}

// usual is Go's own GC percentage: garbage may become as much as is in use.
const usual = 100

// keeper decides what to do about the garbage.
type keeper struct {
	room    uint64
	percent int // 0: the usual one
	quiet   int // looks in a row without much allocated
}

// next returns the GC percentage to set after a while in which so many bytes were
// allocated, with so many in use: 0 leaves it. free says to give memory back.
func (k *keeper) next(allocated, live uint64) (percent int, free bool) {
	switch {
	case allocated >= much:
		k.quiet = 0
	case k.percent == 0:
		return 0, false
	case allocated > little:
		k.quiet = 0
		return 0, false
	default:
		if k.quiet++; k.quiet < calm {
			return 0, false
		}
		k.percent, k.quiet = 0, 0
		return usual, true
	}
	want := usual
	if live < k.room {
		want = int(min(k.room*usual/max(live, 1<<20), math.MaxInt16))
	}
	// Setting it stops the process for a moment: not for a little.
	if had := max(k.percent, usual); want > had*5/4 || want < had*4/5 {
		k.percent = want
		return want, false
	}
	return 0, false
}

// figures are what the runtime tells of the heap, in bytes.
type figures struct {
	allocated uint64 // since the process began
	live      uint64 // in use at the last collection
}

func look() figures {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return figures{s[0].Value.Uint64(), s[1].Value.Uint64()}
}
