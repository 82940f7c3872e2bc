package ledger

import (
	"context"
	"log/slog"
	"time"

	"neargate/internal/pause"
	"neargate/resource/billing"
	"neargate/store"
	"neargate/store/tables/usages"
)

const (
	// batch is how many records are taken into the ledger at a time.
	batch = 200
	// gather is how long records may wait for others to be written with them.
	gather = 100 * time.Millisecond
	// again is how long to wait after a failure.
	again = 5 * time.Second
)

// Run takes usage records into the ledger as they are made, until ctx ends.
func (l *Ledger) Run(ctx context.Context, st store.Store, log *slog.Logger) error {
	for ctx.Err() == nil {
		rev, err := l.Drain(ctx, st)
		if err != nil && ctx.Err() == nil {
			log.Error("usage could not be written to the ledger; it is kept and tried again", "error", err)
			pause.For(ctx, again)
			continue
		}
		for e, err := range st.Watch(ctx, rev, store.Prefix(usages.Pending.Name)) {
			if err != nil || e.Val != nil {
				break
			}
		}
		pause.For(ctx, gather)
	}
	return nil
}

// Drain moves the records that wait in the store into the ledger, and returns the
// revision at which there were none. A record leaves the store after it is on the
// ledger's disk; if that is interrupted, the ledger knows it the second time.
func (l *Ledger) Drain(ctx context.Context, st store.Store) (rev store.Rev, err error) {
	for {
		var records []billing.Record
		err = st.View(ctx, func(tx store.Tx) (err error) {
			rev = tx.Rev()
			records, err = store.Collect(usages.Pending.Page(tx, nil, nil, batch))
			return err
		})
		if err != nil || len(records) == 0 {
			return rev, err
		}
		if err = l.Add(records); err != nil {
			return rev, err
		}
		err = st.Update(ctx, func(tx store.Tx) error {
			for i := range records {
				if err := usages.Pending.Delete(tx, usages.Pending.Key(&records[i])...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return rev, err
		}
	}
}
