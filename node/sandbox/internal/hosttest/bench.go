package hosttest

import (
	"fmt"
	"testing"
	"time"

	"neargate/node/sandbox"
)

// Bench measures a task from its opening to its container's first line, and to
// its end.
func Bench(b *testing.B, rt Runtime) {
	h := NewHost(b, rt)
	ctx := b.Context()
	var open, create, start, line, closed time.Duration
	lap := time.Now()
	since := func(d *time.Duration) {
		now := time.Now()
		*d += now.Sub(lap)
		lap = now
	}
	for i := range b.N {
		id := fmt.Sprintf("%032d", i)
		lap = time.Now()
		h.ok(h.Open(ctx, sandbox.Spec{Task: id, CPU: 256, Memory: 512, Processes: 1024, Disk: 0}))
		since(&open)
		h.ok(h.Create(ctx, id, h.Container("a", "polite")))
		since(&create)
		h.ok(h.Start(ctx, id, "a"))
		since(&start)
		h.Until(id, "a", "ready")
		since(&line)
		h.ok(h.Close(ctx, id))
		since(&closed)
	}
	for _, m := range []struct {
		name string
		took time.Duration
	}{{"open", open}, {"create", create}, {"start", start}, {"line", line}, {"close", closed}, {"to-line", open + create + start + line}} {
		b.ReportMetric(m.took.Seconds()*1000/float64(b.N), m.name+"-ms")
	}
	b.ReportMetric(0, "ns/op")
}
