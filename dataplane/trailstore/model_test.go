package trailstore

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/trail"
)

// fill gives every field of a value something other than its zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(start.Add(time.Duration(*n))))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

// TestEverything keeps all there is of an event, and an event of which there is nothing.
func TestEverything(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	defer s.Close()
	var full trail.Event
	fill(reflect.ValueOf(&full).Elem(), new(int))
	empty := trail.Event{Time: time.Unix(0, 0).UTC()}
	if err := s.Append([]trail.Event{full, empty}); err != nil {
		t.Fatal(err)
	}
	got, more, err := s.Arrived(t.Context(), 0, 10)
	if err != nil || more || len(got) != 2 || !reflect.DeepEqual(got[0].Event, full) || !reflect.DeepEqual(got[1].Event, empty) {
		t.Errorf("%+v %v %v, want %+v", got, more, err, full)
	}
	page, err := s.Lookup(t.Context(), trail.Query{Account: full.Account, Region: full.Region, To: full.Time, Limit: 1})
	if err != nil || len(page.Events) != 1 || !reflect.DeepEqual(page.Events[0], full) {
		t.Errorf("%+v %v", page, err)
	}
}

// model is what a store should hold.
type model struct{ events []trail.Arrival }

func (m *model) lookup(q trail.Query) (ids []string) {
	all := slices.Clone(m.events)
	slices.SortFunc(all, func(a, b trail.Arrival) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Position, a.Position))
	})
	for _, e := range all {
		if e.Account == q.Account && e.Region == q.Region && !e.Time.Before(q.From) && !e.Time.After(q.To) && q.Matches(&e.Event) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func arrived(t *testing.T, s *Store, limit int) (all []trail.Arrival) {
	t.Helper()
	for after, more := uint64(0), true; more; {
		var some []trail.Arrival
		var err error
		if some, more, err = s.Arrived(t.Context(), after, limit); err != nil || len(some) > limit || more && len(some) == 0 {
			t.Fatalf("%d events, %v %v", len(some), more, err)
		}
		if all = append(all, some...); len(some) > 0 {
			after = some[len(some)-1].Position
		}
	}
	return all
}

func (m *model) check(t *testing.T, s *Store, r *rand.Rand) {
	t.Helper()
	got := arrived(t, s, 1+r.IntN(2000))
	if !slices.EqualFunc(got, m.events, func(a, b trail.Arrival) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("%d events in the order of arrival, want %d", len(got), len(m.events))
	}
	for range 5 {
		q := trail.Query{Account: fmt.Sprint(r.IntN(3)), Region: fmt.Sprint(r.IntN(2)), Limit: 1 + r.IntN(50)}
		q.From = start.Add(time.Duration(r.IntN(2000)-500) * time.Second)
		q.To = q.From.Add(time.Duration(r.IntN(2000)) * time.Second)
		if r.IntN(2) == 0 {
			q.Attribute, q.Value = "EventName", fmt.Sprint(r.IntN(4))
		}
		if got, want := names(t, s, q), m.lookup(q); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d events, want %d", q, len(got), len(want))
		}
	}
}

// TestModel adds events of accounts and regions whose times are out of order, in batches
// of any size, closes and opens the store and cuts off its end, and compares what is
// found with a list.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	c := Config{Dir: t.TempDir(), MaxBytes: leastShare * 300 << 10} // segments of 300 KiB
	s := open(t, c)
	var m model
	for step := range 60 {
		var batch []trail.Event
		for range 1 + r.IntN(1<<r.IntN(9)) {
			at := step*20 + r.IntN(40)
			if r.IntN(50) == 0 {
				at = r.IntN(1200)
			}
			batch = append(batch, trail.Event{
				ID: fmt.Sprint(len(m.events) + len(batch)), Account: fmt.Sprint(r.IntN(3)), Region: fmt.Sprint(r.IntN(2)), Name: fmt.Sprint(r.IntN(4)),
				Time: start.Add(time.Duration(at) * time.Second), Text: noise(r.Int())[:r.IntN(2048)],
			})
		}
		if err := s.Append(batch); err != nil {
			t.Fatal(err)
		}
		m.follow(t, s)
		if m.events[len(m.events)-1].ID != batch[len(batch)-1].ID {
			t.Fatal(len(m.events))
		}
		switch r.IntN(6) {
		case 0:
			m.check(t, s, r)
		case 1:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 {
				spoil(t, s, r)
			}
			s = open(t, c)
			m.check(t, s, r)
		}
	}
	m.check(t, s, r)
	if len(s.segments) < 4 {
		t.Errorf("%d segments", len(s.segments))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// follow adds to the list what has arrived since.
func (m *model) follow(t *testing.T, s *Store) {
	t.Helper()
	for more := true; more; {
		after := uint64(0)
		if n := len(m.events); n > 0 {
			after = m.events[n-1].Position
		}
		var some []trail.Arrival
		var err error
		if some, more, err = s.Arrived(t.Context(), after, 1000); err != nil {
			t.Fatal(err)
		}
		m.events = append(m.events, some...)
	}
}

// spoil does what a process leaves that is killed while it writes: half a frame at the
// end, a segment without its index, and one with nothing in it.
func spoil(t *testing.T, s *Store, r *rand.Rand) {
	t.Helper()
	last := s.segments[len(s.segments)-1]
	size := last.size
	if last.size > last.pages[len(last.pages)-1].offset+last.pages[len(last.pages)-1].length {
		size -= int64(len(last.index())) // it had one, or a part of it
		size += int64(r.IntN(endBytes))
	}
	if err := os.Truncate(last.path, size); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(last.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var p packer
	p.add(1, &trail.Event{ID: "half", Text: noise(1)})
	p.end()
	half := p.out[:r.IntN(len(p.out))]
	if r.IntN(3) == 0 {
		half = make([]byte, 5000) // as after a failure of the machine
	}
	if _, err = f.Write(half); errors.Join(err, f.Close()) != nil {
		t.Fatal(err)
	}
	if r.IntN(2) == 0 {
		err := os.WriteFile(filepath.Join(s.dir, segmentName(last.last+1)), []byte(magic)[:r.IntN(len(magic)+1)], ownerOnly)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamage leaves out what a disk has spoilt in the middle, and nothing else, and does
// not touch what is not a segment.
func TestDamage(t *testing.T) {
	c := Config{Dir: t.TempDir()}
	s := open(t, c)
	for i := range 10 {
		if err := s.Append([]trail.Event{{ID: fmt.Sprint(i), Account: "1", Region: "a", Time: start}}); err != nil {
			t.Fatal(err)
		}
	}
	g := s.segments[0]
	b, err := os.ReadFile(g.path)
	if err != nil {
		t.Fatal(err)
	}
	third := len(magic)
	for range 3 {
		n, _, _ := cut(b[third:])
		third += int(n)
	}
	b[third-1] ^= 1
	if err := os.WriteFile(g.path, b, ownerOnly); err != nil {
		t.Fatal(err)
	}
	const want = "9 8 7 6 5 4 3 1 0"
	all := trail.Query{Account: "1", Region: "a", To: start, Limit: 4}
	if got := strings.Join(names(t, s, all), " "); got != want {
		t.Error(got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	if got := strings.Join(names(t, s, all), " "); got != want {
		t.Errorf("%s after another start", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(s.dir, segmentName(1))
	if err := os.WriteFile(foreign, []byte("something else"), ownerOnly); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(c); err == nil {
		t.Error("a file of another format was opened")
	}
	if b, err := os.ReadFile(foreign); err != nil || string(b) != "something else" {
		t.Error(string(b), err)
	}
}

// TestFormer takes over the events of an earlier version: all are found, with their
// positions, and new ones come behind them.
func TestFormer(t *testing.T) {
	dir := t.TempDir()
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	var m model
	const first = 1 << 60
	for i := range 2500 {
		e := trail.Event{ID: fmt.Sprint(i), Account: "1", Region: "a", Time: start.Add(time.Duration(i/2) * time.Second), Name: fmt.Sprint(i % 4), Text: noise(i)[:500]}
		value, err := json.Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		position := uint64(first + i)
		k := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte("1\x00a\x00"), uint64(e.Time.UnixNano())), position)
		if i != 7 { // which has been deleted
			err = db.Set(k, value, pebble.NoSync)
			m.events = append(m.events, trail.Arrival{Position: position, Event: e})
		}
		if err := errors.Join(err, db.Set(binary.BigEndian.AppendUint64([]byte{formerArrival}, position), k, pebble.NoSync)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, folder+".new", "half"), 0o700); err != nil { // interrupted before
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2 {
		s := open(t, Config{Dir: dir})
		m.check(t, s, r)
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%v %v", entries, err)
		}
		e := trail.Event{ID: "new", Account: "1", Region: "a", Time: start}
		if err := s.Append([]trail.Event{e}); err != nil {
			t.Fatal(err)
		}
		all := arrived(t, s, 3000)
		if last := all[len(all)-1]; last.ID != "new" || len(all) != len(m.events)+1 {
			t.Errorf("%d events, the last is %s", len(all), last.ID)
		}
		m.events = all
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

var _ pebble.Logger = quiet{}

// BenchmarkAppend adds events as they come from a busy front door.
func BenchmarkAppend(b *testing.B) {
	s, err := Open(Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var batch []trail.Event
	for i := range 140 {
		id := fmt.Sprintf("%08x-7d1b-4f0e-9c6d-%012x", i*2654435761%(1<<32), i*40503)
		batch = append(batch, trail.Event{
			ID: id, Account: "123456789012", Region: "us-east-1", Time: start, Name: "DescribeTasks", Source: "ecs.amazonaws.com", Username: "root",
			AccessKeyID: "AKIAIOSFODNN7EXAMPLE", ReadOnly: true, Text: `{"eventVersion":"1.11","userIdentity":{"type":"Root","principalId":"123456789012","arn":"arn:aws:iam::123456789012:root","accountId":"123456789012","accessKeyId":"AKIAIOSFODNN7EXAMPLE"},"eventTime":"2026-03-01T12:00:00Z","eventSource":"ecs.amazonaws.com","eventName":"DescribeTasks","awsRegion":"us-east-1","sourceIPAddress":"127.0.0.1","userAgent":"aws-cli/2.15.0","requestParameters":{"cluster":"bench","tasks":["arn:aws:ecs:us-east-1:123456789012:task/bench/0123456789abcdef0123456789abcdef"]},"responseElements":null,"requestID":"` + id + `","eventID":"` + id + `","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}`,
		})
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := s.Append(batch); err != nil {
			b.Fatal(err)
		}
		n += len(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
	b.ReportMetric(float64(s.used())/float64(n), "bytes/event")
}
