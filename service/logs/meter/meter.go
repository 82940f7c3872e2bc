// Package meter applies metric filters to log events as they are stored.
package meter

import (
	"context"
	"iter"
	"log/slog"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"neargate/resource/logs"
	"neargate/service/logs/pattern"
	"neargate/store"
	"neargate/store/tables"
)

// Metrics takes the points that metric filters make.
type Metrics interface {
	Put(p logs.MetricPoint)
}

// Events is where log events are kept.
type Events interface {
	// Follow yields what is appended to the groups that want names, from its
	// call on, every period, and earlier when there is much. It ends with ctx.
	Follow(ctx context.Context, period time.Duration, want func(group uint64) bool) iter.Seq[logs.Batch]
}

// Meter applies metric filters.
type Meter struct {
	store   store.Store
	to      Metrics
	now     func() time.Time
	filters atomic.Pointer[map[uint64][]*metering] // by group
}

// New returns a meter of the filters in a store.
func New(s store.Store, to Metrics, now func() time.Time) *Meter {
	m := &Meter{store: s, to: to, now: now}
	m.filters.Store(&map[uint64][]*metering{})
	return m
}

// Run applies the metric filters to all events that are stored from its call on,
// until ctx ends. Filters that are put or deleted take effect within a second.
func (m *Meter) Run(ctx context.Context, events Events, log *slog.Logger) error {
	batches := events.Follow(ctx, time.Second, func(group uint64) bool { return len((*m.filters.Load())[group]) > 0 })
	if err := m.load(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	for b := range batches {
		if b.Missed > 0 {
			log.Warn("log events came faster than metric filters could be applied", "missed", b.Missed)
		}
		m.take(b)
		if !b.Due {
			continue
		}
		if err := m.load(ctx); err != nil && ctx.Err() == nil {
			log.Error("metric filters could not be read", "error", err)
		}
	}
	return nil
}

// metering is a metric filter at work.
type metering struct {
	logs.MetricFilter
	pattern *pattern.Pattern
	fields  map[string]*pattern.Pattern // that find JSON fields the pattern does not name

	minute  int64 // the last in which an event came
	matched bool  // one of them
}

// load reads the filters there are. One that has not changed goes on.
func (m *Meter) load(ctx context.Context) error {
	m.minutes()
	old := *m.filters.Load()
	var filters map[uint64][]*metering
	err := m.store.View(ctx, func(tx store.Tx) error {
		filters = map[uint64][]*metering{}
		for f, err := range tables.MetricFilters.List(tx) {
			if err != nil {
				return err
			}
			g, ok, err := tables.LogGroups.Find(tx, f.Account, f.Region, f.Group)
			if err != nil {
				return err
			}
			if ok {
				filters[g.ID] = append(filters[g.ID], reuse(old[g.ID], f))
			}
		}
		return nil
	})
	if err == nil {
		m.filters.Store(&filters)
	}
	return err
}

// reuse finds the filter among those at work, or sets it up.
func reuse(old []*metering, f logs.MetricFilter) *metering {
	for _, o := range old {
		if reflect.DeepEqual(o.MetricFilter, f) {
			return o
		}
	}
	m := &metering{MetricFilter: f, fields: map[string]*pattern.Pattern{}}
	// Both were checked when the filter was put.
	m.pattern, _ = pattern.Compile(f.Pattern)
	names := []string{f.Metric.Value}
	for _, field := range f.Metric.Dimensions {
		names = append(names, field)
	}
	for _, name := range names {
		if p, err := pattern.Compile("{ " + name + " = * }"); err == nil {
			m.fields[name] = p
		}
	}
	return m
}

// take makes points of a batch.
func (m *Meter) take(b logs.Batch) {
	filters := *m.filters.Load()
	for i := range b.Events {
		e := &b.Events[i]
		for _, f := range filters[e.Stream.Group] {
			m.apply(f, e)
		}
	}
}

func (m *Meter) apply(f *metering, e *logs.Event) {
	now := m.now().Truncate(time.Minute).UnixMilli()
	if f.minute != now {
		m.close(f)
		f.minute, f.matched = now, false
	}
	if f.pattern == nil || !f.pattern.Match(e.Message) {
		return
	}
	f.matched = true
	extracted := f.pattern.Extract(e.Message)
	p := f.point(e.At.Time)
	value, err := strconv.ParseFloat(f.Metric.Value, 64)
	if err != nil {
		if value, err = strconv.ParseFloat(f.field(extracted, f.Metric.Value, e.Message), 64); err != nil {
			return // not a number in this event
		}
	}
	p.Value = value
	for name, field := range f.Metric.Dimensions {
		v := f.field(extracted, field, e.Message)
		if v == "" {
			return // a point has all its dimensions, or is none
		}
		if p.Dimensions == nil {
			p.Dimensions = map[string]string{}
		}
		p.Dimensions[name] = v
	}
	m.to.Put(p)
}

// field is the value of a field that the pattern or its selector names.
func (f *metering) field(extracted map[string]string, name, message string) string {
	if v, ok := extracted[name]; ok {
		return v
	}
	if p := f.fields[name]; p != nil {
		return p.Extract(message)[name]
	}
	return ""
}

func (f *metering) point(at int64) logs.MetricPoint {
	return logs.MetricPoint{
		Account: f.Account, Region: f.Region, Namespace: f.Metric.Namespace, Name: f.Metric.Name, Unit: f.Metric.Unit, Time: at,
	}
}

// minutes ends the minutes that are over.
func (m *Meter) minutes() {
	now := m.now().Truncate(time.Minute).UnixMilli()
	for _, group := range *m.filters.Load() {
		for _, f := range group {
			if f.minute != now {
				m.close(f)
			}
		}
	}
}

// close makes the default point of a minute in which events came and none
// matched.
func (m *Meter) close(f *metering) {
	if f.minute != 0 && !f.matched && f.Metric.Default != nil {
		p := f.point(f.minute)
		p.Value = *f.Metric.Default
		m.to.Put(p)
	}
	f.minute = 0
}
