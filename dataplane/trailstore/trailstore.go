// Package trailstore keeps CloudTrail events on this machine, in an ordered key-value
// store (pebble) with one key for each event: account, region, time, and a number that
// keeps the order of arrival; and beside it one key for each number, by which events are
// read in that order.
package trailstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"neargate/internal/database"
	"neargate/resource/trail"
)

// Bounds: memory, what one lookup reads, the bytes kept on disk.
const (
	cacheSize    = 2 << 20
	memTableSize = 4 << 20
	scanLimit    = 20_000
	maxBytes     = 1 << 30
)

// Config says where a store is and what it reports to.
type Config struct {
	Dir      string
	Log      *slog.Logger
	MaxBytes uint64 // on disk; 1 GiB if 0. The oldest days of events go first
}

// Store is an open store. Its methods may be called concurrently.
type Store struct {
	db  *pebble.DB
	max uint64

	mu  sync.Mutex // held while events are added: who sees a number has seen all before it
	seq uint64     // last number given
}

// Open opens the store in a directory, or makes one there. At most one process may have
// it open.
func Open(c Config) (*Store, error) {
	db, err := pebble.Open(c.Dir, &pebble.Options{
		FS: database.FS(), FormatMajorVersion: pebble.FormatNewest, CacheSize: cacheSize, MemTableSize: memTableSize,
		MemTableStopWritesThreshold: 2, MaxOpenFiles: 100, Logger: database.Logger(c.Log, "trail"),
	})
	if err != nil {
		return nil, fmt.Errorf("trailstore: %w", err)
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = maxBytes
	}
	s := &Store{db: db, max: c.MaxBytes}
	if s.seq, err = s.lastArrival(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close ends the store. No other method may be in progress.
func (s *Store) Close() error { return s.db.Close() }

// Append adds events. They are on disk when it returns.
func (s *Store) Append(events []trail.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.db.NewBatch()
	for i := range events {
		value, err := json.Marshal(&events[i])
		if err == nil {
			k := s.key(&events[i])
			err = errors.Join(b.Set(k, value, nil), b.Set(arrivalKey(s.seq), k, nil))
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(pebble.Sync), b.Close())
}

// key is where an event is kept, with the next number: the time of its arrival, or one
// more than the last, so that numbers go up and are never used again.
func (s *Store) key(e *trail.Event) []byte {
	s.seq = max(s.seq+1, uint64(time.Now().UnixNano()))
	return binary.BigEndian.AppendUint64(at(prefix(e.Account, e.Region), e.Time), s.seq)
}

// prefix begins the keys of an account and region.
func prefix(account, region string) []byte {
	return append(append(append([]byte(account), 0), region...), 0)
}

// at is the least key of events at a time, or later.
func at(prefix []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(prefix), uint64(max(t.UnixNano(), 0)))
}

// Lookup finds events, newest first. It reads a bounded number of them: a page may be
// short and have a next one.
func (s *Store) Lookup(ctx context.Context, q trail.Query) (trail.Page, error) {
	p := prefix(q.Account, q.Region)
	o := &pebble.IterOptions{LowerBound: at(p, q.From), UpperBound: at(p, q.To.Add(1))}
	if q.After != "" {
		after, err := hex.DecodeString(q.After)
		if err != nil {
			return trail.Page{}, fmt.Errorf("trailstore: position: %w", err)
		}
		if bytes.Compare(after, o.UpperBound) < 0 {
			o.UpperBound = after
		}
	}
	if bytes.Compare(o.LowerBound, o.UpperBound) >= 0 {
		return trail.Page{}, nil
	}
	it, err := s.db.NewIterWithContext(ctx, o)
	if err != nil {
		return trail.Page{}, err
	}
	page, err := read(it, &q)
	return page, errors.Join(err, it.Close())
}

func read(it *pebble.Iterator, q *trail.Query) (page trail.Page, err error) {
	scanned := 0
	for ok := it.Last(); ok; ok = it.Prev() {
		var e trail.Event
		if err := json.Unmarshal(it.Value(), &e); err != nil {
			return page, fmt.Errorf("trailstore: stored event: %w", err)
		}
		scanned++
		if q.Matches(&e) {
			page.Events = append(page.Events, e)
		}
		if len(page.Events) == q.Limit || scanned == scanLimit {
			key := hex.EncodeToString(it.Key())
			if it.Prev() {
				page.Next = key
			}
			return page, it.Error()
		}
	}
	return page, it.Error()
}
