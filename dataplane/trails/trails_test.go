package trails

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"neargate/dataplane/trailstore"
	"neargate/resource/trail"
	"neargate/store"
	"neargate/store/mem"
	tables "neargate/store/tables/trails"
)

var start = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

// bucket keeps files, and can end the process in the middle.
type bucket struct {
	files map[string]string // bucket/key → content
	meta  map[string]map[string]string
	fail  func() error // before and after a write
	twice int
}

func (b *bucket) Put(_ context.Context, _ *trail.Trail, f File) error {
	if err := b.fail(); err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(f.Body))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(z); err != nil {
		return err
	}
	key := f.Bucket + "/" + f.Key
	if _, ok := b.files[key]; ok {
		b.twice++
		return b.fail()
	}
	b.files[key], b.meta[key] = text.String(), f.Metadata
	return b.fail()
}

// ids are the events in all files whose keys have a part in them.
func (b *bucket) ids(t *testing.T, part string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for key, text := range b.files {
		if !strings.Contains(key, part) || strings.Contains(key, "-Digest/") {
			continue
		}
		var f struct{ Records []struct{ EventID string } }
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		for _, r := range f.Records {
			out[r.EventID]++
		}
	}
	return out
}

type world struct {
	*bucket
	store  store.Store
	events *trailstore.Store
	data   *trailstore.Store
	logged map[string][]string // events by log stream
	now    time.Time
	n      int
}

func newEvents(t *testing.T) *trailstore.Store {
	t.Helper()
	events, err := trailstore.Open(trailstore.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := events.Close(); err != nil {
			t.Error(err)
		}
	})
	return events
}

func newWorld(t *testing.T, trails ...trail.Trail) *world {
	t.Helper()
	s := mem.New()
	events, data := newEvents(t), newEvents(t)
	w := &world{bucket: &bucket{files: map[string]string{}, meta: map[string]map[string]string{}, fail: func() error { return nil }}, store: s, events: events, data: data, logged: map[string][]string{}, now: start}
	for i := range trails {
		w.put(t, &trails[i])
	}
	return w
}

func (w *world) put(t *testing.T, tr *trail.Trail) {
	t.Helper()
	if err := w.store.Update(t.Context(), func(tx store.Tx) error { return tables.Trails.Put(tx, tr) }); err != nil {
		t.Fatal(err)
	}
}

func (w *world) deliverer() *Deliverer { return w.delivererOn(w.store) }

func (w *world) delivererOn(s store.Store) *Deliverer {
	return New(Config{Store: s, Management: w.events, Data: w.data, Buckets: w.bucket, Groups: w, Keys: Keys{Store: w.store}, Now: func() time.Time { return w.now }})
}

func (w *world) happen(t *testing.T, events ...trail.Event) {
	t.Helper()
	for i := range events {
		e := &events[i]
		w.n++
		e.ID, e.Account = fmt.Sprint("e", w.n), "123456789012"
		e.Text = `{"eventID":"` + e.ID + `"}`
		to := w.events
		if e.Data {
			to = w.data
		}
		if err := to.Append(events[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
}

func object(key string) trail.Event {
	return trail.Event{Region: "us-east-1", Time: start, Data: true, Name: "PutObject", Source: "s3.amazonaws.com", Resources: []trail.Resource{{Type: "AWS::S3::Object", Name: "arn:aws:s3:::b/" + key}}}
}

// TestData delivers data events to the trails that select them, from when on they do.
func TestData(t *testing.T) {
	one, some, late := logging("one"), logging("some"), logging("late")
	some.Choose([]trail.Selector{{ReadWrite: "All", None: true, Data: []trail.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::b/in/"}}}}}, start)
	some.DataSince, some.Validate = 0, true
	w := newWorld(t, one, some, late)
	d := w.deliverer()
	w.happen(t, object("in/a"), object("out/b"), trail.Event{Region: "us-east-1", Time: start}, object("in/c"))
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	late.Choose(some.Selectors, time.Now())
	w.put(t, &late)
	w.happen(t, object("in/d"))
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(w.ids(t, "one/"), w.ids(t, "some/"), w.ids(t, "late/")), "map[e3:1] map[e1:1 e4:1 e5:1] map[e3:1 e5:1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	some.Stop(start.Add(time.Minute))
	w.put(t, &some)
	w.now = w.now.Add(time.Hour)
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.validate(t, "some/", 1)
}

func (w *world) delivery(t *testing.T, name string) (d trail.Delivery) {
	t.Helper()
	err := w.store.View(t.Context(), func(tx store.Tx) (err error) {
		d, _, err = tables.Deliveries.Find(tx, "123456789012", "us-east-1", name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func logging(name string) trail.Trail {
	return trail.Trail{Account: "123456789012", Region: "us-east-1", Name: name, ID: name + "1", Bucket: name, Global: true, Logging: true, Since: 1, StartedAt: start, Selectors: trail.Everything()}
}

// TestFiles delivers to a trail of a region and to one of all regions.
func TestFiles(t *testing.T) {
	one, all, off := logging("one"), logging("all"), logging("off")
	all.MultiRegion, all.Prefix = true, "p/q"
	off.Since, off.Logging = 0, false
	w := newWorld(t, one, all, off)
	w.happen(t, trail.Event{Region: "us-east-1", Time: start}, trail.Event{Region: "eu-west-1", Time: start}, trail.Event{Region: "us-east-1", Time: start})
	d := w.deliverer()
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(w.ids(t, "one/"), w.ids(t, "all/"), w.ids(t, "off/")), "map[e1:1 e3:1] map[e1:1 e2:1 e3:1] map[]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	name := regexp.MustCompile(`^(one|all/p/q)/AWSLogs/123456789012/CloudTrail/([a-z0-9-]+)/2026/03/01/123456789012_CloudTrail_([a-z0-9-]+)_20260301T1230Z_[0-9A-Za-z]{16}\.json\.gz$`)
	for key := range w.files {
		if m := name.FindStringSubmatch(key); m == nil || m[2] != m[3] {
			t.Error(key)
		}
	}
	if at := w.delivery(t, "one"); at.Pending != nil || at.Error != "" || !at.DeliveredAt.Equal(start) || !at.AttemptedAt.Equal(start) {
		t.Errorf("%+v", at)
	}
	before := len(w.files)
	if err := d.Deliver(t.Context()); err != nil || len(w.files) != before {
		t.Errorf("nothing happened, and there are %d files after %d (%v)", len(w.files), before, err)
	}
}

// TestStops leaves out what happens while a trail does not log, and nothing else.
func TestStops(t *testing.T) {
	tr := logging("one")
	w := newWorld(t, tr)
	d := w.deliverer()
	at := func(s int) trail.Event {
		return trail.Event{Region: "us-east-1", Time: start.Add(time.Duration(s) * time.Minute)}
	}
	w.happen(t, at(0))
	tr.Stop(start.Add(time.Minute))
	w.happen(t, at(2))
	tr.Start(start.Add(3 * time.Minute))
	w.happen(t, at(4))
	tr.Stop(start.Add(5 * time.Minute))
	w.happen(t, at(6))
	w.put(t, &tr)
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(w.ids(t, "one/")), "map[e1:1 e3:1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRefusals keeps what cannot be delivered until it can be, elsewhere too.
func TestRefusals(t *testing.T) {
	tr := logging("one")
	w := newWorld(t, tr)
	d := w.deliverer()
	w.happen(t, trail.Event{Region: "us-east-1", Time: start})
	w.fail = func() error { return Refused("AccessDenied") }
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := w.delivery(t, "one"); at.Error != "AccessDenied" || at.Pending == nil || !at.DeliveredAt.IsZero() || !at.AttemptedAt.Equal(start) {
		t.Errorf("%+v", at)
	}
	broken := errors.New("no disk")
	w.fail = func() error { return broken }
	if err := d.Deliver(t.Context()); !errors.Is(err, broken) {
		t.Error(err)
	}
	w.happen(t, trail.Event{Region: "us-east-1", Time: start})
	w.fail = func() error { return nil }
	tr.Bucket = "two"
	w.put(t, &tr)
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(w.ids(t, "one/"), w.ids(t, "two/")), "map[] map[e1:1 e2:1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if at := w.delivery(t, "one"); at.Error != "" || at.Pending != nil {
		t.Errorf("%+v", at)
	}
	// A trail of the same name is another one.
	tr.ID, tr.Since = "another", w.delivery(t, "one").Position+1
	w.put(t, &tr)
	if err := d.Deliver(t.Context()); err != nil || len(w.ids(t, "two/")) != 2 {
		t.Error(err, w.files)
	}
}

// Log implements Groups. It can end the process, as the bucket can.
func (w *world) Log(_ context.Context, t *trail.Trail, region string, events []trail.Arrival) error {
	if err := w.fail(); err != nil {
		return err
	}
	at := t.LogGroup + " " + t.LogStream(region)
	for i, e := range events {
		if i > 0 && e.Time.Before(events[i-1].Time) {
			return errors.New("events are not in order")
		}
		w.logged[at] = append(w.logged[at], e.ID)
	}
	return nil
}

// TestLogGroups delivers events to log groups too, from when on a trail has one, whatever
// becomes of its files.
func TestLogGroups(t *testing.T) {
	tr := logging("one")
	tr.MultiRegion = true
	w := newWorld(t, tr)
	pass := func() {
		t.Helper()
		if err := w.deliverer().Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.happen(t, trail.Event{Region: "us-east-1", Time: start})
	pass()
	tr.ToLogs("group", "role", time.Now())
	tr.Choose([]trail.Selector{{ReadWrite: "All", Data: []trail.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3"}}}}}, time.Now())
	w.put(t, &tr)
	w.happen(t, trail.Event{Region: "us-east-1", Time: start.Add(time.Second)}, trail.Event{Region: "us-east-1", Time: start}, trail.Event{Region: "eu-west-1", Time: start}, object("k"))
	w.fail = func() error { return Refused("AccessDenied") }
	pass()
	lane := func(n int) (d trail.Delivery) {
		t.Helper()
		if err := w.store.View(t.Context(), func(tx store.Tx) (err error) {
			d, _, err = tables.FindDelivery(tx, &tr, trail.Lanes()[n])
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := lane(2); d.Error != "AccessDenied" || !d.DeliveredAt.IsZero() || !d.AttemptedAt.Equal(start) || len(w.logged) > 0 {
		t.Errorf("%+v %v", d, w.logged)
	}
	w.fail = func() error { return nil }
	pass()
	pass()
	if got, want := fmt.Sprint(w.logged), "map[group 123456789012_CloudTrail_eu-west-1:[e4] group 123456789012_CloudTrail_us-east-1:[e3 e2 e5]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if d := lane(2); d.Error != "" || !d.DeliveredAt.Equal(start) {
		t.Errorf("%+v", d)
	}
	if got, want := fmt.Sprint(w.ids(t, "one/")), "map[e1:1 e2:1 e3:1 e4:1 e5:1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func (w *world) retire(t *testing.T, tr *trail.Trail) {
	t.Helper()
	if err := w.store.Update(t.Context(), func(tx store.Tx) error {
		tr.Stop(w.now)
		return tables.Retire(tx, *tr)
	}); err != nil {
		t.Fatal(err)
	}
}

// left are the keys of what is kept about trails that are no more.
func (w *world) left(t *testing.T) (n int) {
	t.Helper()
	if err := w.store.View(t.Context(), func(tx store.Tx) error {
		for _, prefixes := range [][]string{tables.Trails.Prefixes(), tables.Ended.Prefixes(), tables.Deliveries.Prefixes(), tables.Chains.Prefixes()} {
			for _, p := range prefixes {
				n += tx.Count(p)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDeleted delivers the last files and digest files of a trail that is deleted while it
// logs, beside those of another of its name, and then forgets it.
func TestDeleted(t *testing.T) {
	tr := logging("one")
	tr.Validate = true
	w := newWorld(t, tr)
	w.now = time.Now().UTC().Truncate(time.Second) // as positions are
	pass := func(minutes int) {
		t.Helper()
		w.now = w.now.Add(time.Duration(minutes) * time.Minute)
		if err := w.deliverer().Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.happen(t, trail.Event{Region: "us-east-1", Time: w.now})
	pass(0)
	w.happen(t, trail.Event{Region: "us-east-1", Time: w.now.Add(time.Second)})
	w.now = w.now.Add(time.Minute)
	w.retire(t, &tr)
	again := logging("one")
	again.ID, again.Bucket, again.Since, again.StartedAt = "two", "two", uint64(time.Now().UnixNano()), w.now
	w.put(t, &again)
	w.happen(t, trail.Event{Region: "us-east-1", Time: w.now.Add(time.Second)})
	pass(0)
	if got, want := fmt.Sprint(w.ids(t, "one/"), w.ids(t, "two/")), "map[e1:1 e2:1] map[e3:1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := w.left(t); n != 5 { // two trails, two deliveries, a chain
		t.Errorf("%d records", n)
	}
	pass(1)
	w.validate(t, "one/", 1)
	if n := w.left(t); n != 2 {
		t.Errorf("%d records", n)
	}

	// One whose bucket refuses is given up.
	w.happen(t, trail.Event{Region: "us-east-1", Time: w.now.Add(time.Second)})
	w.fail = func() error { return Refused("NoSuchBucket") }
	w.now = w.now.Add(time.Minute)
	w.retire(t, &again)
	pass(60)
	if n := w.left(t); n != 2 {
		t.Errorf("%d records", n)
	}
	pass(24 * 60)
	if n := w.left(t); n != 0 {
		t.Errorf("%d records", n)
	}
}

// TestDeletedAtOnce ends the delivery at random moments around a trail's deletion: what it
// wrote twice has the same name, and nothing is left of it in the end.
func TestDeletedAtOnce(t *testing.T) {
	keys := someKeys(t, []string{"us-east-1"})
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		tr := logging("one")
		tr.Validate = true
		w := newWorld(t, tr)
		w.copyKeys(t, keys)
		w.now = time.Now().UTC().Truncate(time.Second) // as positions are
		fail := func() error {
			if r.IntN(3) == 0 {
				return errKilled
			}
			return nil
		}
		want := map[string]int{}
		for i := range 12 {
			if i < 6 {
				w.happen(t, trail.Event{Region: "us-east-1", Time: w.now})
				want[fmt.Sprint("e", w.n)] = 1
			}
			if i == 6 {
				w.retire(t, &tr)
			}
			w.fail = fail
			w.now = w.now.Add(20 * time.Minute)
			if err := w.delivererOn(killed{w.store, fail}).Deliver(t.Context()); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		w.fail = func() error { return nil }
		for range 2 {
			w.now = w.now.Add(time.Minute)
			if err := w.deliverer().Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.ids(t, "one/"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
		if n := w.left(t); n != 0 {
			t.Errorf("seed %d: %d records", seed, n)
		}
		w.validate(t, "one/", 1)
	}
}

var errKilled = errors.New("killed")

// killed is a store that ends the process before or after some updates.
type killed struct {
	store.Store
	fail func() error
}

func (k killed) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := k.fail(); err != nil {
		return err
	}
	return errors.Join(k.Store.Update(ctx, f), k.fail())
}

// TestCrashes ends the delivery at random moments; in the end every event is in one
// file of each trail that wants it.
func TestCrashes(t *testing.T) {
	regions := []string{"us-east-1", "eu-west-1", "ap-south-1"}
	keys := someKeys(t, regions)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		one, all := logging("one"), logging("all")
		all.MultiRegion = true
		one.Validate, all.Validate = true, true
		all.Selectors = []trail.Selector{{ReadWrite: "All", Data: []trail.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3"}}}}}
		w := newWorld(t, one, all)
		w.copyKeys(t, keys)
		fail := func() error {
			if r.IntN(4) == 0 {
				return errKilled
			}
			return nil
		}
		want := map[string]int{}
		for range 30 {
			for range r.IntN(4) {
				e := trail.Event{Region: regions[r.IntN(3)], Time: start}
				if r.IntN(2) == 0 {
					e.Data, e.Resources = true, object("k").Resources
				}
				w.happen(t, e)
				want[fmt.Sprint("e", w.n)] = 1
			}
			w.fail = fail
			w.now = w.now.Add(20 * time.Minute)
			if err := w.delivererOn(killed{w.store, fail}).Deliver(t.Context()); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		w.fail = func() error { return nil }
		if err := w.deliverer().Deliver(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.ids(t, "all/"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
		if w.twice == 0 {
			t.Errorf("seed %d: no file was tried twice: nothing was tested", seed)
		}
		// The last digest files come when the trails stop.
		for _, tr := range []*trail.Trail{&one, &all} {
			tr.Stop(w.now)
			w.put(t, tr)
		}
		for range 2 { // the first may finish what was pending
			w.now = w.now.Add(time.Minute)
			if err := w.deliverer().Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.validate(t, "one/", 1)
		w.validate(t, "all/", 3)
	}
}
