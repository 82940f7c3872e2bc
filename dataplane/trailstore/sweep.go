package trailstore

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"neargate/resource/trail"
)

// sweepEvery is how often old events are deleted. Lookups never see them.
const sweepEvery = time.Hour

// Run writes what is added to disk within half a second, and deletes old events now and
// every hour, until ctx ends.
func (s *Store) Run(ctx context.Context, log *slog.Logger) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	report := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			log.Error(what, "error", err)
		}
	}
	report("old CloudTrail events could not be deleted", s.Sweep(time.Now()))
	sync := time.NewTicker(syncEvery)
	defer sync.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sync.C:
			report("CloudTrail events could not be written to disk", s.Sync())
		case <-sweep.C:
			report("old CloudTrail events could not be deleted", s.Sweep(time.Now()))
		}
	}
}

// Sweep deletes the segments of which every event is older than trail.Keep, and the
// oldest ones as long as there are more bytes than may be.
func (s *Store) Sweep(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil && now.Sub(time.Unix(0, int64(s.segments[len(s.segments)-1].first))) >= segmentAge {
		if err := s.seal(); err != nil {
			return err
		}
	}
	cutoff := nanos(now.Add(-trail.Keep))
	err := s.drop(func(g *segment) bool { return g.newest.time < cutoff })
	return errors.Join(err, s.trim())
}

// trim deletes the oldest segments as long as there are more bytes than may be.
func (s *Store) trim() error {
	used := s.used()
	return s.drop(func(g *segment) bool {
		if used <= s.max {
			return false
		}
		used -= g.size
		return true
	})
}

// used is how many bytes the events take.
func (s *Store) used() (n int64) {
	for _, g := range s.segments {
		n += g.size
	}
	return n
}

// drop deletes segments, but never the active one.
func (s *Store) drop(unwanted func(*segment) bool) (err error) {
	active := len(s.segments)
	if s.file != nil {
		active--
	}
	var left []*segment // readers have the old list
	for i, g := range s.segments {
		if i >= active || !unwanted(g) {
			left = append(left, g)
			continue
		}
		if e := os.Remove(g.path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			left, err = append(left, g), errors.Join(err, e)
		}
	}
	s.segments = slices.Clip(left)
	return err
}
