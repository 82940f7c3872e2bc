// Package garbage puts off the collection of garbage while somebody waits for a process.
package garbage

import (
	"math"
	"runtime/debug"
	"time"
)

const (
	// calm is when nobody waits any more for this process, settled when others that
	// began with it, as many tasks may, are not waited for either.
	calm    = 2 * time.Second
	settled = 15 * time.Second
	// most is how much memory a process may have in the meantime, in bytes.
	most = 48 << 20
)

// Defer puts collections off until the process is calm, unless it gets large. Then
// percent holds, as in GOGC, and later what has gathered is given back.
func Defer(percent int) {
	debug.SetMemoryLimit(most)
	debug.SetGCPercent(-1)
	time.AfterFunc(calm, func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(math.MaxInt64)
	})
	time.AfterFunc(settled, debug.FreeOSMemory)
}
