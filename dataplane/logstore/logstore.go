// Package logstore keeps log events on this machine: an ordered key-value store
// (pebble) with one key for each event.
//
// What Append has acknowledged is on disk, and is read by every Scan that starts
// later. Events of a stream are ordered by time and then by arrival.
package logstore

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"neargate/internal/database"
	"neargate/resource/logs"
)

// ErrFull reports that the file system has no room for more events.
var ErrFull = errors.New("logstore: the file system is nearly full")

// Sizes in bytes: blocks kept in memory, events not yet in sorted files (up to
// two such tables), what is compressed together, and room on the file system
// that Append leaves for others.
const (
	cacheSize    = 8 << 20
	memTableSize = 16 << 20
	blockSize    = 32 << 10
	spareRoom    = 256 << 20
)

// stripes is how many appends to different streams may prepare at a time.
const stripes = 64

// Config says where a store is and what it reports to.
type Config struct {
	Dir string
	Log *slog.Logger
	FS  vfs.FS // nil: the operating system's
}

// Store is an open log store. Its methods may be called concurrently.
type Store struct {
	db   *pebble.DB
	dir  string
	fs   vfs.FS
	tail broadcast

	// stripe keeps appends to a stream, and their sequence numbers, in order.
	stripe [stripes]sync.Mutex

	mu  sync.Mutex
	seq uint64 // last sequence number given
}

// Open opens the store in a directory, or makes one there. At most one process
// may have it open.
func Open(c Config) (*Store, error) {
	if c.FS == nil {
		c.FS = database.FS()
	}
	db, err := pebble.Open(c.Dir, options(c))
	if err != nil {
		return nil, fmt.Errorf("logstore: %w", err)
	}
	s := &Store{db: db, dir: c.Dir, fs: c.FS}
	if s.seq, err = lastSeq(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func options(c Config) *pebble.Options {
	o := &pebble.Options{
		FS:                          c.FS,
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   cacheSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                500,
		Logger:                      database.Logger(c.Log, "logs"),
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockSize
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	return o
}

// Close ends the store. No other method may be in progress.
func (s *Store) Close() error { return s.db.Close() }

// Append adds records, in ascending order of time, to a stream. They are on disk
// when it returns. The store does not check that the stream exists.
func (s *Store) Append(id logs.StreamID, now time.Time, records []logs.Record) error {
	if len(records) == 0 {
		return nil
	}
	return s.append(id, now, records, nil)
}

// append adds records and, with them or not at all, the cursor of a source.
func (s *Store) append(id logs.StreamID, now time.Time, records []logs.Record, c *cursorOf) error {
	if u, err := s.fs.GetDiskUsage(s.dir); err == nil && u.AvailBytes < spareRoom {
		return ErrFull
	}
	size := 256 + c.size()
	for _, r := range records {
		size += len(r.Message) + eventKeyLen + 16
	}
	b := s.db.NewBatchWithSize(size)
	err := c.put(b)
	var first uint64
	if err == nil {
		first, err = s.apply(b, id, now, records)
	}
	if err != nil {
		return errors.Join(err, b.Close())
	}
	if err := errors.Join(b.SyncWait(), b.Close()); err != nil {
		return err
	}
	s.tail.publish(id, first, records)
	return nil
}

// apply makes the records visible, and durable once the batch is synced. It
// returns the sequence number of the first.
func (s *Store) apply(b *pebble.Batch, id logs.StreamID, now time.Time, records []logs.Record) (uint64, error) {
	n := id.Stream % stripes
	s.stripe[n].Lock()
	defer s.stripe[n].Unlock()
	first := s.take(now, len(records))
	last := first + uint64(len(records)) - 1
	stat, ok, err := s.stat(id)
	if err != nil {
		return 0, err
	}
	if !ok {
		stat.First = records[0].Time
	}
	stat.First = min(stat.First, records[0].Time)
	stat.Last = max(stat.Last, records[len(records)-1].Time)
	stat.Seq = last
	for i, r := range records {
		stat.Bytes += logs.Size(len(r.Message))
		op := b.SetDeferred(eventKeyLen, len(r.Message))
		putEventKey(op.Key[:0], id, logs.Position{Time: r.Time, Seq: first + uint64(i)})
		copy(op.Value, r.Message)
		if err := op.Finish(); err != nil {
			return 0, err
		}
	}
	if err := b.Set(statKey(id), putStat(stat), nil); err != nil {
		return 0, err
	}
	if err := b.Set(seqKey(byte(n)), putUint(last), nil); err != nil {
		return 0, err
	}
	if err := s.ingest(b, id.Group, byte(n), records); err != nil {
		return 0, err
	}
	return first, s.db.ApplyNoSyncWait(b, pebble.Sync)
}

// take reserves n sequence numbers.
func (s *Store) take(now time.Time, n int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := max(s.seq+1, logs.FirstSeq(now))
	s.seq = first + uint64(n) - 1
	return first
}

// lastSeq is the highest sequence number ever given.
func lastSeq(db *pebble.DB) (last uint64, err error) {
	it, err := db.NewIter(bounds([]byte{kindSeq}))
	if err != nil {
		return 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		last = max(last, getUint(it.Value()))
	}
	return last, it.Close()
}

// DropStream deletes a stream's events.
func (s *Store) DropStream(id logs.StreamID) error {
	return s.drop(streamPrefix(id), statKey(id))
}

// DropGroup deletes the events of all streams of a group.
func (s *Store) DropGroup(group uint64) error {
	return s.drop(groupPrefix(kindEvent, group), groupPrefix(kindStat, group), groupPrefix(kindIngested, group))
}

func (s *Store) drop(prefixes ...[]byte) error {
	b := s.db.NewBatch()
	for _, p := range prefixes {
		if err := b.DeleteRange(p, after(p), nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(pebble.Sync), b.Close())
}

// expireStep bounds how many events are deleted while appends to the stream wait.
const expireStep = 1 << 14

// Expire deletes a stream's events from before a time in milliseconds.
func (s *Store) Expire(id logs.StreamID, before int64) error {
	for {
		more, err := s.expire(id, before)
		if err != nil || !more {
			return err
		}
	}
}

func (s *Store) expire(id logs.StreamID, before int64) (more bool, err error) {
	lock := &s.stripe[id.Stream%stripes]
	lock.Lock()
	defer lock.Unlock()
	stat, ok, err := s.stat(id)
	if err != nil || !ok {
		return false, err
	}
	it, err := s.db.NewIter(bounds(streamPrefix(id)))
	if err != nil {
		return false, err
	}
	old, n, end := stat, 0, streamPrefix(id)
	for ok = it.First(); ok && n < expireStep && eventPosition(it.Key()).Time < before; ok = it.Next() {
		n++
		stat.Bytes -= logs.Size(len(it.Value()))
		end = append(end[:0], it.Key()...)
	}
	stat.First = stat.Last
	if ok {
		stat.First = eventPosition(it.Key()).Time
	}
	if err := it.Close(); err != nil || stat == old {
		return false, err
	}
	b := s.db.NewBatch()
	err = errors.Join(b.DeleteRange(streamPrefix(id), append(end, 0), nil), b.Set(statKey(id), putStat(stat), nil))
	if err != nil {
		return false, errors.Join(err, b.Close())
	}
	return ok && stat.First < before, errors.Join(b.Commit(pebble.Sync), b.Close())
}

// Stats sums up the streams of a group that ever held an event.
func (s *Store) Stats(group uint64) (map[uint64]logs.Stat, error) {
	it, err := s.db.NewIter(bounds(groupPrefix(kindStat, group)))
	if err != nil {
		return nil, err
	}
	stats := map[uint64]logs.Stat{}
	for ok := it.First(); ok; ok = it.Next() {
		stats[statStream(it.Key())] = getStat(it.Value())
	}
	return stats, it.Close()
}

func (s *Store) stat(id logs.StreamID) (st logs.Stat, ok bool, err error) {
	v, c, err := s.db.Get(statKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return st, false, nil
	}
	if err != nil {
		return st, false, err
	}
	return getStat(v), true, c.Close()
}

// groups lists the groups that have streams with a stat.
func (s *Store) groups() (ids []uint64, err error) {
	it, err := s.db.NewIter(bounds([]byte{kindStat}))
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; {
		g := statGroup(it.Key())
		ids = append(ids, g)
		ok = it.SeekGE(after(groupPrefix(kindStat, g)))
	}
	return ids, it.Close()
}
