package meter

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
)

// points prints what a meter makes.
type points []string

func (p *points) Put(m logs.MetricPoint) {
	*p = append(*p, fmt.Sprintf("%s/%s %d %v %s %v", m.Namespace, m.Name, m.Time, m.Value, m.Unit, m.Dimensions))
}

// script is a source of events: each step is what happens before the next batch.
type script []func() logs.Batch

func (s script) Follow(_ context.Context, _ time.Duration, want func(uint64) bool) iter.Seq[logs.Batch] {
	return func(yield func(logs.Batch) bool) {
		for _, step := range s {
			b := step()
			var wanted []logs.Event
			for _, e := range b.Events {
				if want(e.Stream.Group) {
					wanted = append(wanted, e)
				}
			}
			b.Events = wanted
			if !yield(b) {
				return
			}
		}
	}
}

func TestMeter(t *testing.T) {
	st := mem.New(mem.Paranoid())
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := st.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	group := func(name string, id uint64) func(store.Tx) error {
		return func(tx store.Tx) error {
			return tables.LogGroups.Put(tx, &logs.Group{Account: "1", Region: "r", Name: name, ID: id})
		}
	}
	filter := func(name, pattern string, m logs.MetricTransformation) func(store.Tx) error {
		m.Namespace = "app"
		return func(tx store.Tx) error {
			return tables.MetricFilters.Put(tx, &logs.MetricFilter{Account: "1", Region: "r", Group: "g", Name: name, Pattern: pattern, Metric: m})
		}
	}
	update(group("g", 7))
	update(group("other", 8))
	update(filter("errors", "ERROR", logs.MetricTransformation{Name: "errors", Value: "2.5", Unit: "Count", Default: new(0.0)}))
	update(filter("ms", "{ $.level = ok }", logs.MetricTransformation{Name: "ms", Value: "$.ms", Dimensions: map[string]string{"path": "$.path"}}))
	update(filter("bytes", "[ip, status=2*, bytes]", logs.MetricTransformation{Name: "bytes", Value: "$bytes"}))
	now := time.UnixMilli(1772366400000) // a full minute
	events := func(due bool, messages ...string) logs.Batch {
		b := logs.Batch{Due: due}
		for _, m := range messages {
			for _, g := range []uint64{7, 8} {
				b.Events = append(b.Events, logs.Event{Stream: logs.StreamID{Group: g}, At: logs.Position{Time: 42}, Message: m})
			}
		}
		return b
	}
	var got points
	m := New(st, &got, func() time.Time { return now })
	steps := script{
		func() logs.Batch {
			return events(true, "an ERROR", `{"level":"ok","ms":12,"path":"/a"}`, `{"level":"ok","ms":"x","path":"/a"}`, `{"level":"ok","ms":1}`, "1.2.3.4 204 77", "1.2.3.4 500 88")
		},
		func() logs.Batch { now = now.Add(time.Minute); return events(false, "calm") },
		func() logs.Batch { now = now.Add(time.Minute); return events(true) }, // the minute before had events, none an error
		func() logs.Batch { now = now.Add(time.Minute); return events(true) }, // the minute before had none
		func() logs.Batch {
			update(func(tx store.Tx) error { return tables.MetricFilters.Delete(tx, "1", "r", "g", "errors") })
			return events(true)
		},
		func() logs.Batch { return events(true, "an ERROR too late") },
	}
	if err := m.Run(t.Context(), steps, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"app/errors 42 2.5 Count map[]", "app/ms 42 12  map[path:/a]", "app/bytes 42 77  map[]", "app/errors 1772366460000 0 Count map[]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
