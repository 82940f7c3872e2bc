package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/billing"
)

// known bounds the labels that a reader remembers, so that a report over tasks
// that each have tags of their own needs no more memory than another.
const known = 1 << 15

// View is the ledger as it was at one moment.
type View struct {
	snap   *pebble.Snapshot
	labels map[labelID]*billing.Labels
}

// View opens a view, which is to be closed.
func (l *Ledger) View() *View {
	return &View{l.db.NewSnapshot(), map[labelID]*billing.Labels{}}
}

// Close ends the view.
func (v *View) Close() error { return v.snap.Close() }

// Has reports which of the records the view has.
func (v *View) Has(records []billing.Record) ([]bool, error) { return hasAll(v.snap, records) }

// Rows are the sums of what was used from one time to another, in the order of
// time. Whole days are read by the day where the detail allows it.
func (v *View) Rows(ctx context.Context, s billing.Scan) iter.Seq2[billing.Row, error] {
	return func(yield func(billing.Row, error) bool) {
		level := byte(hours)
		if s.WholeDays() {
			level = bareDays
			if s.Tags {
				level = days
			}
		}
		for it, err := range v.keys(ctx, slotKey(level, s.From), slotKey(level, s.To)) {
			row, err := v.row(it, err)
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func (v *View) row(it *pebble.Iterator, err error) (row billing.Row, _ error) {
	if err != nil {
		return row, err
	}
	at, id, err := readSumKey(it.Key())
	if err != nil {
		return row, err
	}
	n, err := readSum(it.Value())
	if err != nil {
		return row, err
	}
	row = billing.Row{At: at, Amount: n.amount, Records: n.records}
	row.Labels, err = v.label(id)
	return row, err
}

// Records are the records that began from one time to another, by when they did.
func (v *View) Records(ctx context.Context, from, to time.Time) iter.Seq2[billing.Record, error] {
	return func(yield func(billing.Record, error) bool) {
		for it, err := range v.keys(ctx, stamp([]byte{recordKind}, from), stamp([]byte{recordKind}, to)) {
			r, err := v.record(it, err)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (v *View) record(it *pebble.Iterator, err error) (r billing.Record, _ error) {
	if err != nil {
		return r, err
	}
	r, id, err := readRecord(it.Key(), it.Value())
	if err != nil {
		return r, err
	}
	l, err := v.label(id)
	if err == nil {
		r.Labels = *l
	}
	return r, err
}

// keys moves an iterator over the keys from one to another.
func (v *View) keys(ctx context.Context, from, to []byte) iter.Seq2[*pebble.Iterator, error] {
	return func(yield func(*pebble.Iterator, error) bool) {
		it, err := v.snap.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: from, UpperBound: to})
		if err != nil {
			yield(nil, fmt.Errorf("ledger: %w", err))
			return
		}
		defer it.Close()
		for ok, n := it.First(), 0; ok; ok, n = it.Next(), n+1 {
			if n%1024 == 0 && ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			if !yield(it, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(nil, fmt.Errorf("ledger: %w", err))
		}
	}
}

func (v *View) label(id labelID) (*billing.Labels, error) {
	if l, ok := v.labels[id]; ok {
		return l, nil
	}
	text, closer, err := v.snap.Get(labels{id: id}.key())
	if err != nil {
		return nil, fmt.Errorf("ledger: labels: %w", err)
	}
	l := new(billing.Labels)
	if err := errors.Join(json.Unmarshal(text, l), closer.Close()); err != nil {
		return nil, fmt.Errorf("ledger: labels: %w", err)
	}
	if len(v.labels) >= known {
		clear(v.labels)
	}
	v.labels[id] = l
	return l, nil
}
