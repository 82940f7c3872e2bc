package trailstore

import (
	"fmt"
	"log/slog"
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
	dir := t.TempDir()
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

func TestSweep(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	defer s.Close()
	now := start.Add(trail.Keep)
	if err := s.Append([]trail.Event{
		{ID: "old", Account: "1", Region: "a", Time: start.Add(-time.Second)},
		{ID: "kept", Account: "1", Region: "a", Time: start.Add(time.Second)},
		{ID: "old too", Account: "2", Region: "b", Time: start.Add(-time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	all := trail.Query{Account: "1", Region: "a", To: now, Limit: 10}
	if got := names(t, s, all); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("%v", got)
	}
	all.Account, all.Region = "2", "b"
	if got := names(t, s, all); got != nil {
		t.Errorf("%v", got)
	}
}

// TestBounded fills the store beyond what it may take: the oldest days go, the newest
// stay.
func TestBounded(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: 6 << 20})
	defer s.Close()
	noise := func(seed int) string {
		b, x := make([]byte, 4096), uint32(seed+1)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"[x>>26]
		}
		return string(b)
	}
	const days = 40
	for d := range days {
		var batch []trail.Event
		for i := range 100 {
			batch = append(batch, trail.Event{ID: fmt.Sprint(d), Account: "1", Region: "a", Time: start.Add(time.Duration(d) * day), Text: noise(d*100 + i)})
		}
		if err := s.Append(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	before, err := s.used()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context(), start.Add(days*day)); err != nil {
		t.Fatal(err)
	}
	got := names(t, s, trail.Query{Account: "1", Region: "a", To: start.Add(days * day), Limit: 1000})
	if len(got) == 0 || len(got) == days*100 || got[0] != fmt.Sprint(days-1) || len(got)%100 != 0 {
		t.Errorf("%d events are left of %d", len(got), days*100)
	}
	if after, err := s.used(); err != nil || after > 6<<20 || before <= 6<<20 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
}
