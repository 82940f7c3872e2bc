package trailstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/trail"
)

// sweepEvery is how often old events are deleted. Lookups never see them.
const sweepEvery = time.Hour

// day is how much goes at a time when there is too much.
const day = 24 * time.Hour

// Run deletes old events now and every hour until ctx ends.
func (s *Store) Run(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			log.Error("old CloudTrail events could not be deleted", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep deletes what is older than trail.Keep, and the oldest days of events as long as
// there are more bytes than may be.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	cutoff := now.Add(-trail.Keep)
	if _, err := s.drop(cutoff); err != nil {
		return err
	}
	for ctx.Err() == nil {
		used, err := s.used()
		if err != nil || used <= s.max {
			return err
		}
		oldest, err := s.drop(cutoff)
		if err != nil || oldest.IsZero() {
			return err
		}
		if cutoff = oldest.Add(day); cutoff.After(now) {
			return nil // what is left is of today
		}
		if _, err := s.drop(cutoff); err != nil {
			return err
		}
		if err := s.db.Compact(ctx, []byte{0}, []byte{0xff}, false); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// used is how many bytes the events in sorted files take. What is not yet in one is
// bounded by its memory.
func (s *Store) used() (uint64, error) { return s.db.EstimateDiskUsage([]byte{0}, []byte{0xff}) }

// drop deletes events before a time and returns the time of the oldest that is left,
// zero when none is.
func (s *Store) drop(before time.Time) (oldest time.Time, err error) {
	if err := s.db.DeleteRange(arrivalKey(0), arrivalKey(uint64(max(before.UnixNano(), 0))), pebble.NoSync); err != nil {
		return oldest, err
	}
	it, err := s.db.NewIter(&pebble.IterOptions{UpperBound: []byte{spaceArrival}})
	if err != nil {
		return oldest, err
	}
	defer it.Close()
	for ok := it.First(); ok; {
		p := prefixOf(it.Key())
		end := append(bytes.Clone(p[:len(p)-1]), 1)
		if err := s.db.DeleteRange(at(p, time.Unix(0, 0)), at(p, before), pebble.NoSync); err != nil {
			return oldest, err
		}
		if it.SeekGE(at(p, before)) && bytes.HasPrefix(it.Key(), p) {
			t := time.Unix(0, int64(binary.BigEndian.Uint64(it.Key()[len(p):])))
			if oldest.IsZero() || t.Before(oldest) {
				oldest = t
			}
		}
		ok = it.SeekGE(end)
	}
	return oldest, it.Error()
}

// prefixOf is the prefix of a key: all up to its time and number.
func prefixOf(key []byte) []byte { return bytes.Clone(key[:len(key)-16]) }
