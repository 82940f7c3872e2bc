package logstore

import (
	"context"
	"log/slog"
	"time"

	"neargate/resource/logs"
	"neargate/store"
	"neargate/store/tables"
)

// sweepEvery is how often expired events are deleted. Readers never see them.
const sweepEvery = time.Hour

// Run deletes, now and every hour until ctx ends, what groups no longer retain
// and what belongs to streams that are no more, and meters what came, every minute.
func (s *Store) Run(ctx context.Context, records store.Store, log *slog.Logger) error {
	tick := time.NewTicker(meterEvery)
	defer tick.Stop()
	for swept := (time.Time{}); ; {
		if time.Since(swept) >= sweepEvery {
			if err := s.Sweep(ctx, records, time.Now()); err != nil && ctx.Err() == nil {
				log.Error("log events could not be expired", "error", err)
			}
			swept = time.Now()
		}
		if err := s.Meter(ctx, records, time.Now()); err != nil && ctx.Err() == nil {
			log.Error("log events could not be metered", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep deletes the events that are expired at a time, and those of streams and
// groups without a record. What a stream holds is listed before the records are
// read: a stream has a record before its first event.
func (s *Store) Sweep(ctx context.Context, records store.Store, now time.Time) error {
	held, err := s.groups()
	if err != nil {
		return err
	}
	known := map[uint64]logs.Group{}
	err = records.View(ctx, func(tx store.Tx) error {
		clear(known)
		for g, err := range tables.LogGroups.List(tx) {
			if err != nil {
				return err
			}
			known[g.ID] = g
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range held {
		g, ok := known[id]
		if !ok {
			err = s.DropGroup(id)
		} else {
			err = s.sweepGroup(ctx, records, g, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepGroup(ctx context.Context, records store.Store, g logs.Group, now time.Time) error {
	stats, err := s.Stats(g.ID)
	if err != nil {
		return err
	}
	known := make(map[uint64]bool, len(stats))
	err = records.View(ctx, func(tx store.Tx) error {
		clear(known)
		for st, err := range tables.LogStreams.List(tx, g.Account, g.Region, g.Name) {
			if err != nil {
				return err
			}
			known[st.ID.Stream] = st.ID.Group == g.ID
		}
		return nil
	})
	if err != nil {
		return err
	}
	oldest := g.Oldest(now)
	for stream, stat := range stats {
		id := logs.StreamID{Group: g.ID, Stream: stream}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !known[stream]:
			err = s.DropStream(id)
		case stat.First < oldest:
			err = s.Expire(id, oldest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
