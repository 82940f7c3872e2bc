package logstore

import (
	"context"
	"time"

	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/usages"
)

// meterEvery is how often what was appended becomes usage records.
const meterEvery = time.Minute

// Meter makes usage records of what was appended to each group since the last ones.
// A record, and that the group has it, are one transaction.
func (s *Store) Meter(ctx context.Context, records store.Store, now time.Time) error {
	var groups []logs.Group
	err := records.View(ctx, func(tx store.Tx) (err error) {
		groups, err = store.Collect(tables.LogGroups.List(tx))
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range groups {
		n, err := s.Ingested(g.ID)
		if err != nil {
			return err
		}
		if n>>10 <= g.Metered || g.Class != logs.Standard {
			continue
		}
		id := g.ID
		err = records.Update(ctx, func(tx store.Tx) error {
			g, ok, err := tables.LogGroups.Find(tx, g.Account, g.Region, g.Name)
			if err != nil || !ok || g.ID != id {
				return err // what it had was recorded when it was deleted
			}
			if err := usages.Ingest(tx, &g, n>>10, now); err != nil {
				return err
			}
			return tables.LogGroups.Put(tx, &g)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Settle makes the last usage record of a group, in the transaction that deletes it.
func (s *Store) Settle(tx store.Tx, g *logs.Group, at time.Time) error {
	n, err := s.Ingested(g.ID)
	if err != nil {
		return err
	}
	return usages.Ingest(tx, g, (n+1023)>>10, at)
}
