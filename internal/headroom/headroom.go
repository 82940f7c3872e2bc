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

	"golang.org/x/sys/unix"
)

const (
	every = time.Second // between looks

	// calm is how many looks in a row with little allocated end being busy. What is given
	// back has to be made anew, page by page, by the next burst, which may come soon.
	calm   = 30
	little = 4 << 20

	// The room is a share of the machine's memory, within bounds.
	share   = 64
	minRoom = 64 << 20
	maxRoom = 512 << 20
)

// Room is how much garbage a process may gather on this machine, in bytes: a sixty-fourth
// of the memory, at least 64 MiB and at most 512.
func Room() int {
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return minRoom
	}
	return int(min(max(machine.Totalram*uint64(machine.Unit)/share, minRoom), maxRoom))
}

// Keep gives garbage room until ctx ends: as much as is in use, and at least room bytes.
// When the process becomes calm, what it does not use goes back to the system, and as
// long as it is calm it gathers no more garbage than what is in use. A limit on the
// process's memory (GOMEMLIMIT) goes before.
func Keep(ctx context.Context, room int) {
	debug.FreeOSMemory() // what the start took
	defer debug.SetGCPercent(debug.SetGCPercent(usual))
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	k := keeper{room: uint64(room), before: look().allocated, quiet: calm}
	for {
		percent, free := k.next(look())
		if percent != 0 {
			debug.SetGCPercent(percent)
		}
		if free {
			debug.FreeOSMemory()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// usual is Go's own GC percentage: garbage may become as much as is in use.
const usual = 100

// keeper decides what to do about the garbage.
type keeper struct {
	room    uint64
	percent int    // 0: never set
	before  uint64 // allocated, at the look before
	quiet   int    // looks in a row with little allocated
	busy    bool   // there was more since memory was given back
}

// next returns the GC percentage to set after a look: 0 leaves it. free says to collect
// and to give memory back.
func (k *keeper) next(f figures) (percent int, free bool) {
	allocated := f.allocated - k.before
	k.before = f.allocated
	if allocated > little {
		k.quiet, k.busy = 0, true
	} else {
		k.quiet = min(k.quiet+1, calm)
	}
	if k.quiet == calm && (k.busy || f.heap > 2*max(f.live, minHeap)) {
		k.busy, free = false, true
	}
	want := usual
	if f.live < k.room {
		want = int(min(k.room*usual/max(f.live, 1<<20), math.MaxInt16))
	}
	// Setting it stops the process for a moment: not for a little.
	if want <= k.percent*5/4 && want >= k.percent*4/5 {
		return 0, free
	}
	k.percent = want
	return want, free
}

// minHeap is what counts as in use at least, as the runtime has it, in bytes.
const minHeap = 4 << 20

// figures are what the runtime tells of the heap, in bytes.
type figures struct {
	allocated uint64 // since the process began
	live      uint64 // in use at the last collection
	heap      uint64 // in use or garbage
}

func look() figures {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return figures{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()}
}
