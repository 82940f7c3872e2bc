package flow

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"neargate/node/firewall"
	data "neargate/node/network"
	"neargate/node/vpc"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Every is how often flows are looked at: the shortest aggregation interval there
// is. Flow logs with a longer one get the same records, which are within it.
const Every = time.Minute

// forgetAfter is when an interface is forgotten that is no longer counted: after the
// kernel forgot its flows.
const forgetAfter = 4 * time.Minute

// Source is a host's flows; vpc.Keeper is one.
type Source interface {
	Flows() ([]vpc.Flows, error)
}

// Line is one record for a flow log.
type Line struct {
	Stream string    // in a log group
	At     time.Time // when what it tells of began
	Text   string
}

// Sink delivers lines to where a flow log goes, and notes in the flow log what became
// of it. The lines are of a time until then, in order of their streams and times.
type Sink interface {
	Deliver(ctx context.Context, l *edge.FlowLog, until time.Time, lines []Line) error
}

// Collector gives what a source counts to a sink.
type Collector struct {
	source Source
	sink   Sink
	log    *slog.Logger
	meters map[string]*Meter // by interface
}

// NewCollector returns a collector for a host.
func NewCollector(source Source, sink Sink, log *slog.Logger) *Collector {
	return &Collector{source, sink, log, map[string]*Meter{}}
}

// lastWait is how long the last look may take when a collector ends.
const lastWait = 5 * time.Second

// Run collects until ctx ends, and then once more.
func (c *Collector) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
			defer cancel()
			c.Collect(last)
			return ctx.Err()
		case <-tick.C:
			c.Collect(ctx)
		}
	}
}

// Collect looks once, and delivers what was since the last look. Records that cannot
// be delivered are lost, as Amazon VPC delivers on a best-effort basis.
func (c *Collector) Collect(ctx context.Context) {
	all, err := c.source.Flows()
	if err != nil {
		c.log.Warn("reading flows", "error", err)
	}
	var latest time.Time
	for _, f := range all {
		latest = f.At
		records := c.measure(&f)
		for _, l := range f.Logs {
			lines := Lines(&l, &f, records)
			if len(lines) == 0 {
				continue
			}
			if err := c.sink.Deliver(ctx, &l, f.At, lines); err != nil {
				c.log.Warn("delivering flow logs", "log", l.ID, "error", err)
			}
		}
	}
	maps.DeleteFunc(c.meters, func(_ string, m *Meter) bool { return latest.Sub(m.at) > forgetAfter })
}

// measure makes records of all interfaces that are counted in a VPC, in the order of
// their ids.
func (c *Collector) measure(f *vpc.Flows) (records []Record) {
	parts := split(f.Counts)
	for _, id := range slices.Sorted(maps.Keys(f.Counted)) {
		how := f.Counted[id]
		m := c.meters[id]
		if m == nil {
			m = NewMeter(how.Since)
			m.skipped = how.Inherited
			c.meters[id] = m
		}
		m.resume(how.Since, f.Counts.Begun)
		m.skipped = m.skipped || f.Counts.Full
		records = append(records, m.Take(id, parts[id], f.At)...)
	}
	return records
}

// split are the counts of each interface.
func split(all data.FlowCounts) map[string]data.FlowCounts {
	parts := map[string]data.FlowCounts{}
	for _, set := range []struct {
		from map[firewall.FlowKey]firewall.FlowCount
		to   func(*data.FlowCounts) *map[firewall.FlowKey]firewall.FlowCount
	}{
		{all.Sent, func(c *data.FlowCounts) *map[firewall.FlowKey]firewall.FlowCount { return &c.Sent }},
		{all.Left, func(c *data.FlowCounts) *map[firewall.FlowKey]firewall.FlowCount { return &c.Left }},
		{all.Met, func(c *data.FlowCounts) *map[firewall.FlowKey]firewall.FlowCount { return &c.Met }},
		{all.Got, func(c *data.FlowCounts) *map[firewall.FlowKey]firewall.FlowCount { return &c.Got }},
	} {
		for k, n := range set.from {
			part := parts[k.Interface]
			to := set.to(&part)
			if *to == nil {
				*to = map[firewall.FlowKey]firewall.FlowCount{}
			}
			(*to)[k] = n
			parts[k.Interface] = part
		}
	}
	return parts
}

// Lines are those that a flow log gets of a VPC's records.
// Source: Amazon VPC User Guide, Publish flow logs to CloudWatch Logs.
func Lines(l *edge.FlowLog, f *vpc.Flows, records []Record) (lines []Line) {
	interfaces := map[string]*network.NetworkInterface{}
	for i := range f.View.Interfaces {
		interfaces[f.View.Interfaces[i].ID] = &f.View.Interfaces[i]
	}
	fields := edge.FlowFields(l.Format)
	w := writer{fields: fields, version: edge.FlowVersion(fields), flows: f}
	for _, r := range records {
		e := interfaces[r.Interface]
		if e == nil || r.Status == OK && l.Traffic != edge.TrafficAll && l.Traffic != r.Action() ||
			l.Resource != e.Vpc && l.Resource != e.Subnet && l.Resource != e.ID {
			continue
		}
		lines = append(lines, Line{e.ID + "-" + strings.ToLower(l.Traffic), r.Start, w.text(&r, e)})
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Or(cmp.Compare(a.Stream, b.Stream), a.At.Compare(b.At)) })
	return lines
}
