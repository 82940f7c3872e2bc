// Package ledger keeps usage records for good, on this machine: an ordered
// key-value store (pebble) with a key for each record, and sums of them by hour
// and by day. docs/decisions/metering.md says why not in the installation's store.
//
// A record's key is made of what it is, so that adding one a second time changes
// nothing; a record and the sums it goes into are one write. What Add has
// acknowledged is on disk.
package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/resource/billing"
)

// Sizes in bytes: blocks kept in memory, and records not yet in sorted files (up
// to two such tables).
const (
	cacheSize    = 4 << 20
	memTableSize = 4 << 20
	blockSize    = 32 << 10
)

// Config says where a ledger is and what it reports to.
type Config struct {
	Dir string
	Log *slog.Logger
	FS  vfs.FS // nil: the operating system's
}

// Ledger is an open ledger. Its methods may be called concurrently.
type Ledger struct {
	db *pebble.DB
	mu sync.Mutex // held by whoever adds
}

// Open opens the ledger in a directory, or makes one there. At most one process
// may have it open.
func Open(c Config) (*Ledger, error) {
	o := &pebble.Options{
		FS:                          c.FS,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   cacheSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                100,
		Logger:                      logger{c.Log},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockSize
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	db, err := pebble.Open(c.Dir, o)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{db: db}, nil
}

// Close ends the ledger. No other method may be in progress.
func (l *Ledger) Close() error { return l.db.Close() }

// Add adds records; those it has already change nothing. All are on disk when it
// returns nil, none of them is counted when it does not.
func (l *Ledger) Add(records []billing.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.db.NewIndexedBatch()
	defer b.Close()
	added := &sums{}
	for i := range records {
		if err := l.put(b, added, &records[i]); err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	if b.Empty() {
		return nil
	}
	if err := errors.Join(added.write(b), b.Commit(pebble.Sync)); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

func (l *Ledger) put(b *pebble.Batch, added *sums, r *billing.Record) error {
	key := recordKey(r)
	if found, err := has(b, key); err != nil || found {
		return err
	}
	full, bare := labelsOf(r)
	for _, n := range []labels{full, bare} {
		if found, err := has(b, n.key()); err != nil {
			return err
		} else if !found {
			if err := b.Set(n.key(), n.text, nil); err != nil {
				return err
			}
		}
	}
	if err := b.Set(key, recordValue(r, full.id), nil); err != nil {
		return err
	}
	for row := range r.Rows() {
		added.add(hours, full.id, row)
		added.add(days, full.id, row)
		added.add(bareDays, bare.id, row)
	}
	return nil
}

// Has reports which of the records the ledger has.
func (l *Ledger) Has(records []billing.Record) ([]bool, error) {
	return hasAll(l.db, records)
}

func hasAll(db pebble.Reader, records []billing.Record) ([]bool, error) {
	out := make([]bool, len(records))
	for i := range records {
		var err error
		if out[i], err = has(db, recordKey(&records[i])); err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
	}
	return out, nil
}

func has(db pebble.Reader, key []byte) (bool, error) {
	_, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

// sums are what a batch adds to the ledger's sums, by key.
type sums struct{ of map[string]*sum }

type sum struct{ amount, records int64 }

func (s *sums) add(level byte, id labelID, row billing.Row) {
	if s.of == nil {
		s.of = map[string]*sum{}
	}
	key := string(sumKey(level, row.At, id))
	if s.of[key] == nil {
		s.of[key] = &sum{}
	}
	s.of[key].amount += row.Amount
	s.of[key].records += row.Records
}

// write adds the sums to those that are there.
func (s *sums) write(b *pebble.Batch) error {
	for key, n := range s.of {
		old, closer, err := b.Get([]byte(key))
		switch {
		case err == nil:
			was, bad := readSum(old)
			if err := errors.Join(bad, closer.Close()); err != nil {
				return err
			}
			n.amount, n.records = n.amount+was.amount, n.records+was.records
		case !errors.Is(err, pebble.ErrNotFound):
			return err
		}
		if err := b.Set([]byte(key), n.value(), nil); err != nil {
			return err
		}
	}
	return nil
}

// logger passes what pebble complains of on to slog.
type logger struct{ log *slog.Logger }

// Infof implements pebble.Logger.
func (l logger) Infof(format string, args ...any) {
	if l.log != nil {
		l.log.Debug("ledger: " + fmt.Sprintf(format, args...))
	}
}

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) {
	if l.log != nil {
		l.log.Error("ledger: " + fmt.Sprintf(format, args...))
	}
}

// Fatalf implements pebble.Logger. Pebble calls it when it cannot go on.
func (l logger) Fatalf(format string, args ...any) {
	panic("ledger: " + fmt.Sprintf(format, args...))
}
