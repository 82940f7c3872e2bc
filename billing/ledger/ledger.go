// Package ledger keeps usage records for good, on this machine: an ordered
// key-value store (pebble) with a key for each record, and sums of them by hour
// and by day. docs/decisions/metering.md says why not in the installation's store.
//
// A record's key is made of what it is, so that adding one a second time changes
// nothing; a record and the sums it goes into are one write. What Add has
// acknowledged is on disk.
package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/internal/database"
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

	mu    sync.Mutex // held by whoever adds
	named map[labelID]bool
}

// Open opens the ledger in a directory, or makes one there. At most one process
// may have it open.
func Open(c Config) (*Ledger, error) {
	if c.FS == nil {
		c.FS = database.FS()
	}
	o := &pebble.Options{
		FS:                          c.FS,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   cacheSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                100,
		Logger:                      database.Logger(c.Log, "ledger"),
		Merger:                      &pebble.Merger{Name: "neargate sums", Merge: mergeSums},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockSize
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	db, err := pebble.Open(c.Dir, o)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{db: db, named: map[labelID]bool{}}, nil
}

// Close ends the ledger. No other method may be in progress.
func (l *Ledger) Close() error { return l.db.Close() }

// Add adds records; those it has already change nothing. All are on disk when it
// returns nil, none of them is counted when it does not.
func (l *Ledger) Add(records []billing.Record) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		if err != nil {
			clear(l.named) // some may not be written
		}
	}()
	had, err := hasAll(l.db, records)
	if err != nil {
		return err
	}
	b, added, keys := l.db.NewBatch(), sums{}, map[string]bool{}
	defer b.Close()
	for i := range records {
		key := recordKey(&records[i])
		if had[i] || keys[string(key)] {
			continue
		}
		keys[string(key)] = true
		if err := l.put(b, added, key, &records[i]); err != nil {
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

func (l *Ledger) put(b *pebble.Batch, added sums, key []byte, r *billing.Record) error {
	full, bare := labelsOf(r)
	for _, n := range []labels{full, bare} {
		if err := l.name(b, n); err != nil {
			return err
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

// name writes labels that are perhaps not yet written.
func (l *Ledger) name(b *pebble.Batch, n labels) error {
	if l.named[n.id] {
		return nil
	}
	if len(l.named) >= known {
		clear(l.named)
	}
	l.named[n.id] = true
	return b.Set(n.key(), n.text, nil)
}

// Has reports which of the records the ledger has.
func (l *Ledger) Has(records []billing.Record) ([]bool, error) {
	return hasAll(l.db, records)
}

// hasAll looks for records in the order of their keys, in which neighbours are
// found together.
func hasAll(db pebble.Reader, records []billing.Record) (has []bool, err error) {
	has = make([]bool, len(records))
	keys, order := make([][]byte, len(records)), make([]int, len(records))
	for i := range records {
		keys[i], order[i] = recordKey(&records[i]), i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a], keys[b]) })
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{recordKind}, UpperBound: []byte{recordKind + 1}})
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	for _, i := range order {
		has[i] = it.SeekGE(keys[i]) && bytes.Equal(it.Key(), keys[i])
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return has, nil
}
