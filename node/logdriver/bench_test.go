package logdriver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"neargate/resource/logs"
	"neargate/shim/api"
)

// accessLines are lines of an access log of about 140 bytes.
func accessLines(n int) []string {
	r := rand.New(rand.NewPCG(1, 1))
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`10.0.%d.%d - - [01/Mar/2026:12:00:00 +0000] "GET /api/v1/items/%08x?page=%d HTTP/1.1" %d %d "-" "Mozilla/5.0 (X11; Linux x86_64)" %.3f`,
			r.IntN(256), r.IntN(256), r.Uint32(), r.IntN(100), 200+r.IntN(4)*100, r.IntN(100000), r.Float64())
	}
	return all
}

// records are the lines as they are found in one read of a pipe.
func records(lines []string) (all []api.Record) {
	at := time.Now()
	for _, l := range lines {
		all = append(all, api.Record{At: at, Bytes: []byte(l)})
	}
	return all
}

// BenchmarkFollow writes lines into segments and waits until the last is found in
// the log store, which is what GetLogEvents reads. Beside it: the same segments
// written and read, and nothing more.
func BenchmarkFollow(b *testing.B) {
	const each = 100_000
	lines := accessLines(each)
	for _, containers := range []int{1, 8} {
		b.Run(fmt.Sprintf("containers=%d", containers), func(b *testing.B) {
			n := newNode(b)
			var shims []*shim
			for c := range containers {
				shims = append(shims, n.open(fmt.Sprint("t", c), "a", logging()))
			}
			for b.Loop() {
				begin := time.Now()
				for i := 0; i < each; i += 100 {
					for _, s := range shims {
						s.write(records(lines[i : i+100])...)
					}
				}
				for _, s := range shims {
					s.say(fmt.Sprint("end ", begin))
				}
				for c := range containers {
					n.until("the last line", func() bool { return last(n, fmt.Sprint("t", c)) == fmt.Sprint("end ", begin) })
				}
			}
			b.ReportMetric(float64(each*containers*b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
	b.Run("floor", func(b *testing.B) {
		s := newShim(b, filepath.Join(b.TempDir(), "a"), api.SegmentSize)
		for b.Loop() {
			first := s.number
			for i := 0; i < each; i += 100 {
				s.write(records(lines[i : i+100])...)
			}
			for n := first; n <= s.number; n++ {
				if _, err := os.ReadFile(api.SegmentFile(s.dir, n)); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(each*b.N)/b.Elapsed().Seconds(), "lines/s")
	})
}

// BenchmarkLatency is from a line's write to its being found in the log store.
func BenchmarkLatency(b *testing.B) {
	n := newNode(b)
	s := n.open("t", "a", logging())
	for i := 0; b.Loop(); i++ {
		line := fmt.Sprint("line ", i)
		s.say(line)
		for deadline := time.Now().Add(patience); last(n, "t") != line; {
			if time.Now().After(deadline) {
				b.Fatal("timed out")
			}
		}
	}
}

// last is the last event of a container's stream.
func last(n *node, task string) string {
	id := n.streams.ids["us-east-1 g p/a/"+task]
	for e, err := range n.store.Scan(n.t.Context(), []logs.StreamID{id}, logs.Span{To: logs.Position{Time: math.MaxInt64}}, true) {
		if err != nil {
			n.t.Fatal(err)
		}
		return e.Message
	}
	return ""
}
