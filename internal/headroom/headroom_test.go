package headroom

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
)

// resident is the memory of the process, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, c := range strings.Fields(string(b))[1] {
		pages = 10*pages + int(c-'0')
	}
	return pages * os.Getpagesize()
}

// goal is the size of the heap at which garbage is collected.
func goal() int {
	s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}

func TestReserve(t *testing.T) {
	const size = 256 << 20
	before := resident(t)
	release := Reserve(size)
	runtime.GC()
	if g := goal(); g < size {
		t.Errorf("garbage is collected at %d bytes", g)
	}
	if grown := resident(t) - before; grown > size/4 {
		t.Errorf("it takes %d bytes of memory", grown)
	}
	release()
	runtime.GC()
	runtime.GC()
	if g := goal(); g > size/2 {
		t.Errorf("after the release, garbage is collected at %d bytes", g)
	}
}
