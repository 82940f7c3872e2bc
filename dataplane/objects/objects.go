// Package objects keeps the objects of Amazon S3 on this machine: an ordered
// index (pebble) of their versions, small content in the index too, and a file
// for each larger one. Content is encrypted.
//
// What a method has acknowledged is on disk. Content belongs to nothing until the
// index says so, in the same write that makes the version: what a crash leaves
// behind is swept at the next start.
package objects

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sys/unix"

	"neargate/arn"
	"neargate/internal/database"
	"neargate/resource/objects"
)

// Sizes in bytes: blocks kept in memory, what is not yet in sorted files, the
// largest content kept in the index, and room on the file system that writers
// leave for others.
const (
	cacheSize    = 16 << 20
	memTableSize = 16 << 20
	inlineMax    = 32 << 10
	spareRoom    = 256 << 20
)

// stripes is how many writes to different keys may be decided at a time.
const stripes = 256

// Config says where a store is and what it reports to.
type Config struct {
	Dir string
	Log *slog.Logger
	Now func() time.Time
	IDs *arn.Source
	Key [32]byte // encrypts content
}

// Store is an open object store. Its methods may be called concurrently.
type Store struct {
	Config
	db      *pebble.DB
	started time.Time
	seed    maphash.Seed
	stripe  [stripes]sync.Mutex // decides about a key
	uploads [stripes]sync.Mutex // decides about an upload; taken before stripe

	// life is held for reading by every write to a bucket, and for writing while
	// a bucket is dropped.
	life    sync.RWMutex
	dropped map[string]bool // ids of buckets

	pinning sync.RWMutex // held for reading while a reader finds and pins a blob
	mu      sync.Mutex
	pins    map[string]int // readers of a blob
}

// Open opens the store in a directory, or makes one there. At most one process
// may have it open.
func Open(c Config) (*Store, error) {
	s := &Store{Config: c, started: time.Now(), seed: maphash.MakeSeed(), dropped: map[string]bool{}, pins: map[string]int{}}
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(s.blobs(), fmt.Sprintf("%02x", i)), 0o700); err != nil {
			return nil, err
		}
	}
	if err := syncDir(s.blobs()); err != nil {
		return nil, err
	}
	var err error
	s.db, err = pebble.Open(filepath.Join(c.Dir, "index"), options(c))
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	return s, nil
}

func options(c Config) *pebble.Options {
	return &pebble.Options{
		FS:                          database.FS(),
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   cacheSize,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: 2,
		MaxOpenFiles:                500,
		Logger:                      database.Logger(c.Log, "objects"),
	}
}

// Close ends the store. No other method may be in progress.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) blobs() string { return filepath.Join(s.Dir, "blobs") }

func (s *Store) file(blob string) string { return filepath.Join(s.blobs(), blob[:2], blob) }

// lock takes the right to decide about a key.
func (s *Store) lock(bucket, key string) *sync.Mutex {
	m := &s.stripe[s.hash(bucket, key)%stripes]
	m.Lock()
	return m
}

func (s *Store) hash(a, b string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(a)
	h.WriteString(b)
	return h.Sum64()
}

// enter begins a write to a bucket, and fails once the bucket is dropped.
func (s *Store) enter(bucket string) error {
	s.life.RLock()
	if s.dropped[bucket] {
		s.life.RUnlock()
		return objects.ErrNoBucket
	}
	return nil
}

func (s *Store) leave() { s.life.RUnlock() }

// Drop deletes a bucket without versions: once nothing can be written to it any
// more it calls forget, which deletes the bucket's record, and then ends its
// uploads.
func (s *Store) Drop(bucket string, forget func() error) error {
	if err := s.retire(bucket, forget); err != nil {
		return err
	}
	return s.purge(bucket)
}

func (s *Store) retire(bucket string, forget func() error) error {
	s.life.Lock()
	defer s.life.Unlock()
	empty, err := s.none(versionsOf(bucket))
	switch {
	case err != nil:
		return err
	case !empty:
		return objects.ErrNotEmpty
	}
	if err := forget(); err != nil {
		return err
	}
	s.dropped[bucket] = true
	return nil
}

// none reports whether no key has the prefix.
func (s *Store) none(prefix []byte) (bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return false, err
	}
	found := it.First()
	return !found, errors.Join(it.Error(), it.Close())
}

// get reads a key; nil when there is none.
func (s *Store) get(from pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

// room answers ErrFull where the file system is nearly full.
func (s *Store) room() error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.Dir, &st); err == nil && st.Bavail*uint64(st.Bsize) < spareRoom {
		return objects.ErrFull
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
