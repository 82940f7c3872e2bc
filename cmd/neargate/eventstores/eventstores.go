// Package eventstores has the stores of CloudTrail events as one.
package eventstores

import (
	"context"
	"errors"
	"log/slog"

	"neargate/dataplane/trailstore"
	"neargate/internal/install"
)

// Stores keep events: those that can be looked up, and data events.
type Stores struct{ Management, Data *trailstore.Store }

// Open opens the stores of an installation, or makes them.
func Open(dir install.Dir, log *slog.Logger) (s Stores, err error) {
	if s.Management, err = trailstore.Open(trailstore.Config{Dir: dir.Trail(), Log: log}); err != nil {
		return s, err
	}
	if s.Data, err = trailstore.Open(trailstore.Config{Dir: dir.TrailData(), Log: log}); err != nil {
		err = errors.Join(err, s.Management.Close())
	}
	return s, err
}

// Run does the work of the stores until ctx ends.
func (s Stores) Run(ctx context.Context, log *slog.Logger) error {
	done := make(chan error, 1)
	go func() { done <- s.Data.Run(ctx, log) }()
	return errors.Join(s.Management.Run(ctx, log), <-done)
}

// Close ends the stores.
func (s Stores) Close() error { return errors.Join(s.Management.Close(), s.Data.Close()) }
