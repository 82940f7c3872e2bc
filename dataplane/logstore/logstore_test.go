package logstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var everything = logs.Span{To: logs.Position{Time: math.MaxInt64}}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, s *Store, span logs.Span, backward bool, ids ...logs.StreamID) []logs.Event {
	t.Helper()
	var out []logs.Event
	for e, err := range s.Scan(context.Background(), ids, span, backward) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// model is what a store must hold, kept the plain way.
type model struct {
	events []logs.Event // in order
	stats  map[logs.StreamID]logs.Stat
	seq    uint64
}

func (m *model) append(id logs.StreamID, now time.Time, records []logs.Record) {
	m.seq = max(m.seq+1, logs.FirstSeq(now))
	st, ok := m.stats[id]
	if !ok {
		st.First = math.MaxInt64
	}
	for i, r := range records {
		if i > 0 {
			m.seq++
		}
		m.events = append(m.events, logs.Event{Stream: id, At: logs.Position{Time: r.Time, Seq: m.seq}, Message: r.Message})
		st.First, st.Last, st.Seq = min(st.First, r.Time), max(st.Last, r.Time), m.seq
		st.Bytes += int64(len(r.Message)) + 26
	}
	m.stats[id] = st
	slices.SortFunc(m.events, func(a, b logs.Event) int { return a.At.Compare(b.At) })
}

func (m *model) drop(gone func(logs.StreamID) bool) {
	m.events = slices.DeleteFunc(m.events, func(e logs.Event) bool { return gone(e.Stream) })
	for id := range m.stats {
		if gone(id) {
			delete(m.stats, id)
		}
	}
}

func (m *model) expire(id logs.StreamID, before int64) {
	st, ok := m.stats[id]
	if !ok {
		return
	}
	m.events = slices.DeleteFunc(m.events, func(e logs.Event) bool {
		gone := e.Stream == id && e.At.Time < before
		if gone {
			st.Bytes -= int64(len(e.Message)) + 26
		}
		return gone
	})
	st.First = st.Last
	for _, e := range m.events {
		if e.Stream == id {
			st.First = e.At.Time
			break
		}
	}
	m.stats[id] = st
}

func (m *model) read(span logs.Span, backward bool, ids []logs.StreamID) []logs.Event {
	var out []logs.Event
	for _, e := range m.events {
		if slices.Contains(ids, e.Stream) && e.At.Compare(span.From) >= 0 && e.At.Compare(span.To) < 0 {
			out = append(out, e)
		}
	}
	if backward {
		slices.Reverse(out)
	}
	return out
}

// TestAgainstModel does the same at random to a store and to a model, with a
// clock that also goes back, and compares all they answer.
func TestAgainstModel(t *testing.T) {
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		c := Config{Dir: "d", FS: vfs.NewMem()}
		s := open(t, c)
		m := model{stats: map[logs.StreamID]logs.Stat{}}
		some := func() logs.StreamID {
			return logs.StreamID{Group: uint64(r.Intn(2)), Stream: math.MaxUint64 - uint64(r.Intn(4))}
		}
		position := func() logs.Position {
			if n := len(m.events); n > 0 && r.Intn(2) == 0 {
				return m.events[r.Intn(n)].At
			}
			return logs.Position{Time: int64(r.Intn(60))}
		}
		for step := range 120 {
			id, now := some(), start.Add(time.Duration(r.Intn(50)-20)*time.Millisecond)
			var err error
			switch n := r.Intn(20); {
			case n < 10:
				records := make([]logs.Record, 1+r.Intn(30))
				at := int64(r.Intn(40))
				for i := range records {
					at += int64(r.Intn(2))
					records[i] = logs.Record{Time: at, Message: fmt.Sprint(step, " ", i)}
				}
				m.append(id, now, records)
				err = s.Append(id, now, records)
			case n == 10:
				m.drop(func(x logs.StreamID) bool { return x == id })
				err = s.DropStream(id)
			case n == 11 && r.Intn(3) == 0:
				m.drop(func(x logs.StreamID) bool { return x.Group == id.Group })
				err = s.DropGroup(id.Group)
			case n == 12:
				before := int64(r.Intn(70))
				m.expire(id, before)
				err = s.Expire(id, before)
			case n == 13:
				err = s.Close()
				s = open(t, c)
			default:
				ids := slices.Compact([]logs.StreamID{id, some()})
				span, backward := logs.Span{From: position(), To: position()}, r.Intn(2) == 0
				if got, want := read(t, s, span, backward, ids...), m.read(span, backward, ids); !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d step %d: %v backward %v:\n%v, want\n%v", seed, step, span, backward, got, want)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			for g := range uint64(2) {
				stats, err := s.Stats(g)
				if err != nil {
					t.Fatal(err)
				}
				want := map[uint64]logs.Stat{}
				for id, st := range m.stats {
					if id.Group == g {
						want[id.Stream] = st
					}
				}
				if !reflect.DeepEqual(stats, want) {
					t.Fatalf("seed %d step %d: stats %v, want %v", seed, step, stats, want)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestScanManyStreams reads more streams than a scan keeps events for.
func TestScanManyStreams(t *testing.T) {
	s := open(t, Config{Dir: "d", FS: vfs.NewMem()})
	defer s.Close()
	const streams, each = 700, 60
	var ids []logs.StreamID
	for i := range uint64(streams) {
		ids = append(ids, logs.StreamID{Group: 1, Stream: i})
		var records []logs.Record
		for j := range int64(each) {
			records = append(records, logs.Record{Time: j * 10, Message: "m"})
		}
		if err := s.Append(ids[i], start, records); err != nil {
			t.Fatal(err)
		}
	}
	for _, backward := range []bool{false, true} {
		got := read(t, s, everything, backward, ids...)
		if len(got) != streams*each || !slices.IsSortedFunc(got, func(a, b logs.Event) int {
			if backward {
				a, b = b, a
			}
			return a.At.Compare(b.At)
		}) {
			t.Errorf("backward %v: %d events, or not in order", backward, len(got))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range s.Scan(ctx, ids, everything, false) {
		if n++; n == 5 {
			cancel()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if n != 6 {
		t.Errorf("%d steps of a scan cancelled in the fifth", n)
	}
}

func TestFollow(t *testing.T) {
	s := open(t, Config{Dir: "d", FS: vfs.NewMem()})
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	batches := s.Follow(ctx, time.Hour, func(group uint64) bool { return group == 1 })
	put := func(group uint64, n int) {
		t.Helper()
		if err := s.Append(logs.StreamID{Group: group}, start, slices.Repeat([]logs.Record{{Time: 7, Message: "x"}}, n)); err != nil {
			t.Fatal(err)
		}
	}
	put(2, followBuffer)
	put(1, followBuffer/2-1)
	put(1, 1)
	round := 0
	for b := range batches {
		switch round++; round {
		case 1: // half the buffer is used, long before the period is over
			if b.Missed != 0 || b.Due || !reflect.DeepEqual(b.Events, read(t, s, everything, false, logs.StreamID{Group: 1})) {
				t.Errorf("%d events, %d missed, due %v", len(b.Events), b.Missed, b.Due)
			}
			put(1, followBuffer-1)
			put(1, 5)
		case 2:
			if len(b.Events) != followBuffer || b.Missed != 4 {
				t.Errorf("%d events, %d missed", len(b.Events), b.Missed)
			}
			cancel()
		}
	}
	if round != 2 {
		t.Errorf("%d batches", round)
	}
}

// TestFollowEveryPeriod checks that batches come in time, also empty ones.
func TestFollowEveryPeriod(t *testing.T) {
	s := open(t, Config{Dir: "d", FS: vfs.NewMem()})
	defer s.Close()
	batches := s.Follow(t.Context(), time.Millisecond, func(uint64) bool { return true })
	if err := s.Append(logs.StreamID{}, start, []logs.Record{{Message: "x"}}); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for b := range batches {
		if sizes = append(sizes, len(b.Events)); !b.Due || len(sizes) == 3 {
			break
		}
	}
	if !slices.Equal(sizes, []int{1, 0, 0}) {
		t.Errorf("batches of %v events", sizes)
	}
}

type fullFS struct{ vfs.FS }

func (fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: spareRoom - 1}, nil
}

func TestFullDisk(t *testing.T) {
	s := open(t, Config{Dir: "d", FS: fullFS{vfs.NewMem()}})
	defer s.Close()
	if err := s.Append(logs.StreamID{}, start, []logs.Record{{Message: "x"}}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if got := read(t, s, everything, false, logs.StreamID{}); len(got) != 0 {
		t.Error(got)
	}
}

func TestSweep(t *testing.T) {
	s := open(t, Config{Dir: "d", FS: vfs.NewMem()})
	defer s.Close()
	records := mem.New(mem.Paranoid())
	day := func(n int) int64 { return start.AddDate(0, 0, n).UnixMilli() }
	ids := []logs.StreamID{
		{Group: 1, Stream: 1}, // retained for 3 days
		{Group: 1, Stream: 2}, // deleted
		{Group: 2, Stream: 3}, // for ever
		{Group: 3, Stream: 4}, // group deleted
	}
	err := records.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(
			tables.LogGroups.Put(tx, &logs.Group{Name: "a", ID: 1, RetentionDays: 3}),
			tables.LogGroups.Put(tx, &logs.Group{Name: "b", ID: 2}),
			tables.LogStreams.Put(tx, &logs.Stream{Group: "a", Name: "s", ID: ids[0]}),
			tables.LogStreams.Put(tx, &logs.Stream{Group: "b", Name: "s", ID: ids[2]}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		for d := -9; d <= 0; d += 3 {
			if err := s.Append(id, start, []logs.Record{{Time: day(d), Message: "x"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if err := s.Sweep(t.Context(), records, start); err != nil {
			t.Fatal(err)
		}
		var left []int
		for _, id := range ids {
			left = append(left, len(read(t, s, everything, false, id)))
		}
		if !slices.Equal(left, []int{2, 0, 4, 0}) {
			t.Errorf("left %v", left)
		}
	}
	stats, err := s.Stats(1)
	if err != nil || len(stats) != 1 || stats[1].First != day(-3) || stats[1].Bytes != 2*27 {
		t.Errorf("%v %v", stats, err)
	}
}

// TestFilesAreTheOwners looks at every file a store makes, sorted ones included.
func TestFilesAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	for range 3 {
		if err := s.Append(logs.StreamID{}, start, []logs.Record{{Message: "x"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
	}
}
