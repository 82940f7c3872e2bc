// Package headroom lets a process with a small heap collect its garbage less often. Go
// collects when the heap has doubled, which a busy process with little in it does many
// times a second. What is reserved counts as in use, and is never written to, so that it
// takes no memory itself: it lets as much garbage gather.
package headroom

import "runtime"

// Reserve reserves bytes until release is called.
func Reserve(bytes int) (release func()) {
	b := make([]byte, bytes)
	return func() { runtime.KeepAlive(b) }
}
