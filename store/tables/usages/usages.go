// Package usages names the key spaces of usage: what goes on, and records on their
// way to the ledger.
package usages

import (
	"time"

	"neargate/resource/billing"
	"neargate/resource/logs"
	"neargate/store"
)

// Pending keeps usage records that are not yet in the ledger, by account, region,
// cluster, task, dimension, and of what is no task when they begin. control/meter
// puts them here, and billing/ledger takes them once they are in its files.
var Pending = store.Table[billing.Record]{
	Name: "billing/usage",
	Key: func(r *billing.Record) []string {
		if r.Family != "" {
			return r.Key()
		}
		return append(r.Key(), r.Start.UTC().Format(time.RFC3339Nano))
	},
}

// Spans keeps usage that goes on, by account, region, thing, part, dimension.
var Spans = store.Table[billing.Span]{
	Name: "billing/span",
	Key:  func(s *billing.Span) []string { return s.Key() },
}

// Prefixes are the key spaces that End and Close write.
func Prefixes() []string { return append(Pending.Prefixes(), Spans.Prefixes()...) }

// Begin keeps spans, which begin at a time unless they say when.
func Begin(tx store.Tx, spans []billing.Span, at time.Time) error {
	for _, s := range spans {
		if err := Spans.Put(tx, new(s.From(at))); err != nil {
			return err
		}
	}
	return nil
}

// End ends all that a thing uses, in the transaction in which the thing does. last
// are its spans, for those that nobody has kept yet.
func End(tx store.Tx, last []billing.Span, at time.Time) error {
	if len(last) == 0 {
		return nil
	}
	open := map[string]billing.Span{}
	for _, s := range last {
		open[store.Key("", s.Key()...)] = s.From(at)
	}
	kept, err := store.Collect(Spans.List(tx, last[0].Account, last[0].Region, last[0].Thing))
	if err != nil {
		return err
	}
	for _, s := range kept {
		open[store.Key("", s.Key()...)] = s
	}
	if len(kept) > 0 && last[0].Dimension.Kind() == billing.KindAddress {
		clear(open) // it is in use or idle, as was kept: what last says is newer by a moment
		open[""] = kept[0]
	}
	for _, s := range open {
		if err := Close(tx, s, at, true); err != nil {
			return err
		}
	}
	return nil
}

// Close records what a span used until a time, in parts that are no longer than a
// Turn, and removes it.
func Close(tx store.Tx, s billing.Span, at time.Time, gone bool) error {
	for ; s.Due().Before(at); s.Since = s.Due() {
		if err := record(tx, s.Record(s.Due(), false)); err != nil {
			return err
		}
	}
	if err := record(tx, s.Record(at, gone)); err != nil {
		return err
	}
	return Spans.Delete(tx, s.Key()...)
}

func record(tx store.Tx, r billing.Record) error {
	if r.Seconds <= 0 {
		return nil
	}
	return Pending.Put(tx, &r)
}

// Ingest records what has come to a log group, up to a total of KiB, and marks the
// group, which is to be written. Groups of infrequent access have a price of their own
// that no list has, and no records.
func Ingest(tx store.Tx, g *logs.Group, kib int64, at time.Time) error {
	if kib <= g.Metered || g.Class != logs.Standard {
		return nil
	}
	r := billing.Ingested(g, kib-g.Metered, at)
	g.Metered = kib
	return Pending.Put(tx, &r)
}
