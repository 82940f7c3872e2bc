package trailstore

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/resource/trail"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, c Config) *Store {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(t *testing.T, s *Store, q trail.Query) (out []string) {
	t.Helper()
	for {
		page, err := s.Lookup(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > q.Limit {
			t.Errorf("a page of %d", len(page.Events))
		}
		for _, e := range page.Events {
			out = append(out, e.ID)
		}
		if q.After = page.Next; q.After == "" {
			return out
		}
	}
}

// TestLookup pages through events newest first, by time and attribute, in one account
// and region, also after another start.
func TestLookup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*?")
	s := open(t, Config{Dir: dir})
	var batch []trail.Event
	for i := range 10 {
		batch = append(batch, trail.Event{
			ID: fmt.Sprint(i), Account: "1", Region: "a", Time: start.Add(time.Duration(i/2) * time.Second), Name: []string{"Run", "List"}[i%2], ReadOnly: i%2 == 1,
			Username: "ann", Resources: []trail.Resource{{Type: "T", Name: fmt.Sprint("r", i%3)}},
		})
	}
	batch = append(batch, trail.Event{ID: "x", Account: "1", Region: "ab", Time: start}, trail.Event{ID: "y", Account: "12", Region: "a", Time: start})
	if err := s.Append(batch[:5]); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(batch[5:]); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	defer s.Close()
	all := trail.Query{Account: "1", Region: "a", From: start, To: start.Add(time.Hour), Limit: 3}
	with := func(f func(*trail.Query)) trail.Query { q := all; f(&q); return q }
	for _, tt := range []struct {
		q    trail.Query
		want string
	}{
		{all, "9 8 7 6 5 4 3 2 1 0"},
		{with(func(q *trail.Query) { q.From, q.To = start.Add(time.Second), start.Add(2*time.Second) }), "5 4 3 2"},
		{with(func(q *trail.Query) { q.Attribute, q.Value = "EventName", "Run" }), "8 6 4 2 0"},
		{with(func(q *trail.Query) { q.Attribute, q.Value = "ReadOnly", "true" }), "9 7 5 3 1"},
		{with(func(q *trail.Query) { q.Attribute, q.Value = "ResourceName", "r1" }), "7 4 1"},
		{with(func(q *trail.Query) { q.Attribute, q.Value = "EventId", "4" }), "4"},
		{with(func(q *trail.Query) { q.Attribute, q.Value = "Username", "bob" }), ""},
		{with(func(q *trail.Query) { q.Region = "ab" }), "x"},
		{with(func(q *trail.Query) { q.Account = "12" }), "y"},
		{with(func(q *trail.Query) { q.From = start.Add(2 * time.Hour) }), ""},
	} {
		if got := strings.Join(names(t, s, tt.q), " "); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.q, got, tt.want)
		}
	}
}

// TestSweep deletes segments whose events are all too old to be looked up.
func TestSweep(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	defer s.Close()
	now := start.Add(trail.Keep)
	add := func(at time.Time, events ...trail.Event) {
		t.Helper()
		n := uint64(at.UnixNano())
		if err := s.add(events, func(int) uint64 { n++; return n }); err != nil {
			t.Fatal(err)
		}
	}
	add(start.Add(-2*time.Hour), trail.Event{ID: "old", Account: "1", Region: "a", Time: start.Add(-2 * time.Hour)})
	add(start.Add(21*time.Hour), trail.Event{ID: "kept", Account: "1", Region: "a", Time: start.Add(21 * time.Hour)},
		trail.Event{ID: "old too", Account: "2", Region: "b", Time: start.Add(-time.Hour)})
	add(start.Add(48*time.Hour), trail.Event{ID: "new", Account: "1", Region: "a", Time: start.Add(48 * time.Hour)})
	for _, tt := range []struct {
		now      time.Time
		want     string
		segments int
	}{
		{now, "new kept old", 2}, // what is old is in a segment with what is not, and found by who asks for it
		{now.Add(23*time.Hour + 1), "new", 1},
		{now.Add(49 * time.Hour), "", 0},
	} {
		if err := s.Sweep(tt.now); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(s.dir, "*"))
		if got := strings.Join(names(t, s, trail.Query{Account: "1", Region: "a", To: now, Limit: 10}), " "); got != tt.want || len(files) != tt.segments || len(s.segments) != tt.segments {
			t.Errorf("%v: %s in %v", tt.now, got, files)
		}
	}
	add(start.Add(72*time.Hour), trail.Event{ID: "again", Account: "1", Region: "a", Time: start})
	if got := names(t, s, trail.Query{Account: "1", Region: "a", To: now, Limit: 10}); !slices.Equal(got, []string{"again"}) {
		t.Errorf("%v", got)
	}
}

// noise is a text that cannot be compressed.
func noise(seed int) string {
	b, x := make([]byte, 4096), uint32(seed+1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[x>>26]
	}
	return string(b)
}

// TestBounded fills the store beyond what it may take: the oldest events go, the newest
// stay, also after another start.
func TestBounded(t *testing.T) {
	c := Config{Dir: t.TempDir(), MaxBytes: 6 << 20}
	s := open(t, c)
	const batches = 40
	for d := range batches {
		var batch []trail.Event
		for i := range 100 {
			batch = append(batch, trail.Event{ID: fmt.Sprint(d*100 + i), Account: "1", Region: "a", Time: start.Add(time.Duration(d) * time.Hour), Text: noise(d*100 + i)})
		}
		if err := s.Append(batch); err != nil {
			t.Fatal(err)
		}
		if used := s.used(); used > 7<<20 {
			t.Fatalf("%d bytes", used)
		}
	}
	all := trail.Query{Account: "1", Region: "a", To: start.Add(batches * time.Hour), Limit: 1000}
	got := names(t, s, all)
	for i, id := range got {
		if want := fmt.Sprint(batches*100 - 1 - i); id != want {
			t.Fatalf("event %d is %s, want %s", i, id, want)
		}
	}
	if len(got) < 1000 || len(got) > batches*100/2 {
		t.Errorf("%d events are left", len(got))
	}
	files, _ := filepath.Glob(filepath.Join(s.dir, "*"))
	if len(files) != len(s.segments) || len(files) < leastShare/2 {
		t.Errorf("%d files, %d segments", len(files), len(s.segments))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	defer s.Close()
	if again := names(t, s, all); !slices.Equal(again, got) {
		t.Errorf("%d events after another start, %d before", len(again), len(got))
	}
}

// TestDataEvent keeps what is about data events, beside others.
func TestDataEvent(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	defer s.Close()
	want := []trail.Event{
		{ID: "1", Account: "1", Region: "a", Time: start.UTC(), Data: true, ReadOnly: true, Caller: "arn:ann", Resources: []trail.Resource{{Type: "T", Name: "r"}}},
		{ID: "2", Account: "1", Region: "a", Time: start.UTC(), ReadOnly: true},
		{ID: "3", Account: "1", Region: "a", Time: start.UTC(), Data: true},
	}
	if err := s.Append(want); err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Arrived(t.Context(), 0, 10)
	if err != nil || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for i := range got {
		if !reflect.DeepEqual(got[i].Event, want[i]) {
			t.Errorf("%+v, want %+v", got[i].Event, want[i])
		}
	}
}
