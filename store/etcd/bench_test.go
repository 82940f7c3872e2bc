package etcd

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"neargate/store"
	"neargate/store/mem"
)

// recordSize is that of a typical task record.
const recordSize = 1500

// BenchmarkUpdate measures durable commits of one record by 1 and 200 writers,
// beside what the same bytes cost written plainly to a file with fdatasync and put
// by etcd's own client, each measured in the same run.
func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 200} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			s := openDir(b, b.TempDir())
			val := bytes.Repeat([]byte("x"), recordSize)
			disk := floor(b, func(f *os.File) error {
				if _, err := f.Write(val); err != nil {
					return err
				}
				return syscall.Fdatasync(int(f.Fd()))
			})
			raw := spread(b, writers, 300*time.Millisecond, func(w, i int) error {
				_, err := s.client.Put(b.Context(), fmt.Sprintf("raw/%d/%d", w, i%100), string(val))
				return err
			})
			var n atomic.Int64
			b.ResetTimer()
			each := func() error { return putNumbered(s, n.Add(1), val) }
			if writers == 1 {
				for b.Loop() {
					if err := each(); err != nil {
						b.Fatal(err)
					}
				}
			} else {
				b.SetParallelism(writers / 2)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := each(); err != nil {
							b.Error(err)
						}
					}
				})
			}
			rate := float64(n.Load()) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "commits/s")
			b.ReportMetric(disk, "fdatasyncs/s")
			b.ReportMetric(rate/disk, "x-fdatasync")
			b.ReportMetric(raw, "puts/s")
			b.ReportMetric(rate/raw, "x-put")
		})
	}
}

// putNumbered commits one of 10,000 records, with a value that was not there.
func putNumbered(s store.Store, n int64, val []byte) error {
	k := fmt.Sprint("k/", n%10_000)
	mine := binary.BigEndian.AppendUint64(bytes.Clone(val), uint64(n))
	return s.Update(context.Background(), func(tx store.Tx) error { tx.Put(k, mine); return nil })
}

// floor returns how often a second op succeeds on one file.
func floor(b *testing.B, op func(*os.File) error) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	start, n := time.Now(), 0
	for ; time.Since(start) < 300*time.Millisecond; n++ {
		if err := op(f); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// spread returns how often a second the workers do op.
func spread(b *testing.B, workers int, lasting time.Duration, op func(worker, i int) error) float64 {
	var n atomic.Int64
	start := time.Now()
	done := make(chan error)
	for w := range workers {
		go func() {
			for i := 0; time.Since(start) < lasting; i++ {
				if err := op(w, i); err != nil {
					done <- err
					return
				}
				n.Add(1)
			}
			done <- nil
		}()
	}
	for range workers {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return float64(n.Load()) / time.Since(start).Seconds()
}

type benchRecord struct {
	ID, Pad string
	Number  int
}

// BenchmarkView measures reads of decoded records among 100,000, which are the
// same in both stores.
func BenchmarkView(b *testing.B) {
	table := store.Table[benchRecord]{Name: "r", Key: func(r *benchRecord) []string { return []string{r.ID} }}
	s := mem.New()
	defer s.Close()
	for i := range 1000 {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			for j := range 100 {
				r := benchRecord{ID: fmt.Sprintf("%06d", 100*i+j), Pad: "a pad of some bytes", Number: i}
				if err := table.Put(tx, &r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	run := func(name string, fn func(store.Tx) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.View(context.Background(), fn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	n := 0
	run("get", func(tx store.Tx) error {
		n = (n + 7919) % 100_000
		_, err := table.Get(tx, fmt.Sprintf("%06d", n))
		return err
	})
	run("list 100", func(tx store.Tx) error {
		_, err := store.Collect(table.Page(tx, nil, []string{"050000"}, 100))
		return err
	})
	run("count 100000", func(tx store.Tx) error {
		tx.Count(store.Prefix("r"))
		return nil
	})
}

// BenchmarkMemUpdate is BenchmarkUpdate without durability.
func BenchmarkMemUpdate(b *testing.B) {
	s := mem.New()
	defer s.Close()
	val := bytes.Repeat([]byte("x"), recordSize)
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			putNumbered(s, n.Add(1), val)
		}
	})
}

// BenchmarkHotKey measures writers that all read and write one key.
func BenchmarkHotKey(b *testing.B) {
	s := openDir(b, b.TempDir())
	b.SetParallelism(50)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			add(b, s, "hot")
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkOpen measures the start on 20,000 records.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := openDir(b, dir)
	for i := range 200 {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			for j := range 100 {
				tx.Put(fmt.Sprintf("k%05d", 100*i+j), bytes.Repeat([]byte("x"), 500))
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
	for b.Loop() {
		s, err := Open(b.Context(), Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}
