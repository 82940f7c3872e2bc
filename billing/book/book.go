// Package book tells all usage there is: of what is over, from the ledger, and of what
// goes on, as if it stopped now.
package book

import (
	"context"
	"iter"
	"time"

	"neargate/billing/ledger"
	"neargate/resource/billing"
	"neargate/resource/compute"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/usages"
)

// Book reads usage. Its methods may be called concurrently.
type Book struct {
	Store  store.Store
	Ledger *ledger.Ledger
	Terms  billing.Terms
	Now    func() time.Time
}

// Rows are the sums of what was used from one time to another, that of running
// tasks included. Rows of one hour or day and the same labels may be several.
func (b *Book) Rows(ctx context.Context, s billing.Scan) iter.Seq2[billing.Row, error] {
	return func(yield func(billing.Row, error) bool) {
		live, view, err := b.open(ctx, s.Account)
		if err != nil {
			yield(billing.Row{}, err)
			return
		}
		defer view.Close()
		for row, err := range view.Rows(ctx, s) {
			if err == nil && s.Account != "" && row.Account != s.Account {
				continue
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
		for i := range live {
			for row := range live[i].Rows() {
				if row.At.Before(s.From) || !row.At.Before(s.To) {
					continue
				}
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Recount is Rows on other terms than those that usage was recorded on: every
// record is counted anew, which takes as long as there are records.
func (b *Book) Recount(ctx context.Context, s billing.Scan, terms *billing.Terms) iter.Seq2[billing.Row, error] {
	return func(yield func(billing.Row, error) bool) {
		for r, err := range b.Records(ctx, s.To, s.Account) {
			if err != nil {
				yield(billing.Row{}, err)
				return
			}
			for row := range r.On(terms).Rows() {
				if !row.At.Before(s.From) && row.At.Before(s.To) && !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Records are the records of all tasks that began before a time: of those that are
// over, by when they began, and then of the others as if they stopped now.
func (b *Book) Records(ctx context.Context, to time.Time, account string) iter.Seq2[billing.Record, error] {
	return func(yield func(billing.Record, error) bool) {
		live, view, err := b.open(ctx, account)
		if err != nil {
			yield(billing.Record{}, err)
			return
		}
		defer view.Close()
		for r, err := range view.Records(ctx, time.Unix(0, 0), to) {
			if err == nil && account != "" && r.Account != account {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		for _, r := range live {
			if r.Start.Before(to) && !yield(r, nil) {
				return
			}
		}
	}
}

// Running are the records that the tasks, and the other things, that are not over
// would leave now.
func (b *Book) Running(ctx context.Context, account string) (out []billing.Record, err error) {
	err = b.Store.View(ctx, func(tx store.Tx) (err error) {
		if out, err = b.spans(tx, account); err != nil {
			return err
		}
		return tasks(tx, account, func(t *compute.Task) {
			if t.State.Last != compute.Stopped {
				out = append(out, billing.Running(t, &b.Terms, b.Now())...)
			}
		})
	})
	return out, err
}

// open tells the usage that is not in the ledger, and opens a view of the ledger
// that has all the rest. The store is read first: what leaves it meanwhile is then
// in the view, and is left out of live.
func (b *Book) open(ctx context.Context, account string) (live []billing.Record, view *ledger.View, err error) {
	err = b.Store.View(ctx, func(tx store.Tx) (err error) {
		if live, err = b.spans(tx, account); err != nil {
			return err
		}
		for r, err := range usages.Pending.List(tx, tenant(account)...) {
			if err != nil {
				return err
			}
			live = append(live, r)
		}
		return tasks(tx, account, func(t *compute.Task) {
			if !t.Metered {
				live = append(live, billing.Running(t, &b.Terms, b.Now())...)
			}
		})
	})
	if err != nil {
		return nil, nil, err
	}
	view = b.Ledger.View()
	has, err := view.Has(live)
	if err != nil {
		view.Close()
		return nil, nil, err
	}
	n := 0
	for i := range live {
		if !has[i] {
			live[n] = live[i]
			n++
		}
	}
	return live[:n], view, nil
}

// spans are the records that things besides tasks would leave now.
func (b *Book) spans(tx store.Tx, account string) (out []billing.Record, err error) {
	for s, err := range usages.Spans.List(tx, tenant(account)...) {
		if err != nil {
			return nil, err
		}
		if r := s.Record(b.Now(), true); r.Seconds > 0 {
			out = append(out, r)
		}
	}
	return out, nil
}

func tenant(account string) []string {
	if account == "" {
		return nil
	}
	return []string{account}
}

func tasks(tx store.Tx, account string, f func(*compute.Task)) error {
	for t, err := range tables.Tasks.List(tx, tenant(account)...) {
		if err != nil {
			return err
		}
		f(&t)
	}
	return nil
}
