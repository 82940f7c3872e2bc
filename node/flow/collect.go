package flow

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"neargate/node/vpc"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Every is how often flows are looked at: the shortest aggregation interval there
// is. Flow logs with a longer one get the same records, which are within it.
const Every = time.Minute

// Source is a host's flows; vpc.Keeper is one.
type Source interface {
	Flows() ([]vpc.Flows, error)
}

// Sink writes records of a VPC to where its flow logs go.
type Sink interface {
	Write(ctx context.Context, f vpc.Flows, records []Record) error
}

// Collector gives what a source counts to a sink.
type Collector struct {
	source Source
	sink   Sink
	now    func() time.Time
	log    *slog.Logger
	meters map[string]*Meter // by VPC
}

// NewCollector returns a collector for a host.
func NewCollector(source Source, sink Sink, now func() time.Time, log *slog.Logger) *Collector {
	return &Collector{source, sink, now, log, map[string]*Meter{}}
}

// Run collects until ctx ends.
func (c *Collector) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		c.Collect(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Collect looks once, and writes what was since the last look. A VPC that is looked
// at for the first time has nothing to tell yet. Records that cannot be written are
// lost, as Amazon VPC delivers on a best-effort basis.
func (c *Collector) Collect(ctx context.Context) {
	all, err := c.source.Flows()
	if err != nil {
		c.log.Warn("reading flows", "error", err)
	}
	at, seen := c.now(), map[string]*Meter{}
	for _, f := range all {
		id := f.View.VPC.ID
		m := c.meters[id]
		if m == nil {
			seen[id] = NewMeter(f.Counts, at)
			continue
		}
		seen[id] = m
		records := m.Take(f.Counts, at)
		if len(records) == 0 {
			continue
		}
		if err := c.sink.Write(ctx, f, records); err != nil && ctx.Err() == nil {
			c.log.Warn("writing flow logs", "vpc", id, "error", err)
		}
	}
	c.meters = seen
}

// Streams are the lines that a flow log gets of a VPC's records, by log stream.
// Source: Amazon VPC User Guide, Publish flow logs to CloudWatch Logs.
func Streams(l *edge.FlowLog, v *vpc.View, records []Record) map[string][]string {
	interfaces := map[string]*network.NetworkInterface{}
	for i := range v.Interfaces {
		interfaces[v.Interfaces[i].ID] = &v.Interfaces[i]
	}
	streams := map[string][]string{}
	for _, r := range records {
		e := interfaces[r.Interface]
		if e == nil || l.Traffic != All && l.Traffic != r.Action() ||
			l.Resource != e.Vpc && l.Resource != e.Subnet && l.Resource != e.ID {
			continue
		}
		name := e.ID + "-" + strings.ToLower(l.Traffic)
		streams[name] = append(streams[name], r.text(l.Format, e))
	}
	return streams
}

// All is the traffic type of flow logs of accepted and refused traffic.
const All = "ALL"
