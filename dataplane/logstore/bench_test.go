package logstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"neargate/resource/logs"
)

// lines makes access-log lines of about 140 bytes.
func lines(r *rand.Rand, n int, at int64) []logs.Record {
	out := make([]logs.Record, n)
	for i := range out {
		out[i] = logs.Record{Time: at + int64(i/10), Message: fmt.Sprintf(
			`10.0.%d.%d - - [01/Mar/2026:12:00:00 +0000] "GET /api/v1/items/%08x?page=%d HTTP/1.1" %d %d "-" "Mozilla/5.0 (X11; Linux x86_64)" %.3f`,
			r.Intn(256), r.Intn(256), r.Uint32(), r.Intn(100), 200+r.Intn(4)*100, r.Intn(100000), r.Float64())}
	}
	return out
}

func size(records []logs.Record) (n int64) {
	for _, r := range records {
		n += int64(len(r.Message))
	}
	return n
}

// BenchmarkAppend appends batches of the largest and the smallest size, by one
// writer and by many. The floor is one write and fdatasync of the same bytes.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100, 7000} {
		batch := lines(rand.New(rand.NewSource(1)), n, 0)
		for _, writers := range []int{1, 32} {
			b.Run(fmt.Sprintf("events=%d/writers=%d", n, writers), func(b *testing.B) {
				s := open(b, Config{Dir: b.TempDir()})
				defer s.Close()
				b.SetBytes(size(batch))
				b.SetParallelism(writers / min(writers, runtime.GOMAXPROCS(0)))
				if writers == 1 {
					for i := range b.N {
						mustAppend(b, s, uint64(i%50), batch)
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						id := rand.Uint64()
						for pb.Next() {
							mustAppend(b, s, id, batch)
						}
					})
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
		b.Run(fmt.Sprintf("events=%d/floor", n), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			data := make([]byte, size(batch))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := f.Write(data); err != nil {
					b.Fatal(err)
				}
				if err := syscall.Fdatasync(int(f.Fd())); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func mustAppend(b *testing.B, s *Store, stream uint64, batch []logs.Record) {
	if err := s.Append(logs.StreamID{Group: 1, Stream: stream}, time.Now(), batch); err != nil {
		b.Error(err)
	}
}

// zstd returns what compresses the lines written to it, and what tells their size
// then; 0 where there is no zstd.
func zstd(b *testing.B) (io.Writer, func() int64) {
	cmd := exec.Command("zstd", "-3", "-c")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	var size counter
	cmd.Stdout = &size
	if err := cmd.Start(); err != nil {
		return io.Discard, func() int64 { return 0 }
	}
	w := bufio.NewWriter(in)
	return w, func() int64 {
		if err := errors.Join(w.Flush(), in.Close(), cmd.Wait()); err != nil {
			b.Fatal(err)
		}
		return int64(size)
	}
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// BenchmarkScan reads a store of two million events in 50 streams, and says
// what an event takes on disk.
func BenchmarkScan(b *testing.B) {
	const streams, batches, each = 50, 8, 5000
	dir := b.TempDir()
	s := open(b, Config{Dir: dir})
	r := rand.New(rand.NewSource(1))
	var ids []logs.StreamID
	var raw int64
	beside, packed := zstd(b)
	for i := range uint64(streams) {
		ids = append(ids, logs.StreamID{Group: 1, Stream: i})
	}
	for k := range int64(batches) {
		for i := range uint64(streams) {
			batch := lines(r, each, k*each)
			raw += size(batch)
			mustAppend(b, s, i, batch)
			for _, r := range batch {
				fmt.Fprintln(beside, r.Message)
			}
		}
	}
	bare := packed()
	if err := s.db.Compact(context.Background(), []byte{0}, []byte{255}, true); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var disk int64
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if i, e := d.Info(); e == nil && filepath.Ext(p) == ".sst" {
			disk += i.Size()
		}
		return err
	})
	s = open(b, Config{Dir: dir})
	defer s.Close()
	total := float64(streams * batches * each)
	read := func(name string, limit int, backward bool, ids ...logs.StreamID) {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				k := 0
				for _, err := range s.Scan(b.Context(), ids, everything, backward) {
					if err != nil {
						b.Fatal(err)
					}
					if k++; k == limit {
						break
					}
				}
				n += k
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(disk)/total, "disk-B/event")
			b.ReportMetric(float64(raw)/total, "raw-B/event")
			b.ReportMetric(float64(bare)/total, "zstd-B/event")
		})
	}
	read("newest-100", 100, true, ids[7])
	read("oldest-100", 100, false, ids[7])
	read("newest-10000", 10000, true, ids[7])
	read("merge-50-streams-10000", 10000, false, ids...)
	read("merge-50-streams-all", 0, false, ids...)
}

// BenchmarkOpen opens and closes a store.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if err := open(b, Config{Dir: dir}).Close(); err != nil {
			b.Fatal(err)
		}
	}
}
