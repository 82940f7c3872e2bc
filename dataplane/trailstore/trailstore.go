// Package trailstore keeps CloudTrail events on this machine, in files of its own:
// segments, to which events are added in the order of arrival and which are deleted
// as a whole when they are old. Of each stretch of a segment it keeps in memory which
// accounts, regions and times it has events of, so that a lookup reads little else.
package trailstore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"neargate/resource/trail"
)

// Bounds: a segment, the bytes kept on disk, and how long an event may be lost when the
// machine fails.
const (
	segmentBytes = 16 << 20
	segmentAge   = 24 * time.Hour
	maxBytes     = 1 << 30
	leastShare   = 16 // segments in what may be kept, at least
	syncEvery    = 500 * time.Millisecond
)

// Config says where a store is and what it reports to.
type Config struct {
	Dir      string
	Log      *slog.Logger
	MaxBytes uint64 // on disk; 1 GiB if 0. The oldest events go first
}

// Store is an open store. Its methods may be called concurrently.
type Store struct {
	dir          string
	log          *slog.Logger
	max, segment int64
	unsynced     chan struct{} // has an element while there are events that may not be on disk

	mu       sync.Mutex // who sees a position has seen all before it
	seq      uint64     // last position given
	segments []*segment // oldest first; the last is active when there is a file
	file     *os.File   // where events are added; nil: none yet
	pack     packer
}

// Open opens the store in a directory, or makes one there. At most one process may have
// it open. Events that an earlier version kept there are taken over.
func Open(c Config) (s *Store, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err = takeOver(c); err == nil {
		s, err = openSegments(c, filepath.Join(c.Dir, folder))
	}
	if err != nil {
		return nil, fmt.Errorf("trailstore: %w", err)
	}
	return s, nil
}

// folder is where segments are, in the directory.
const folder = "events"

// openSegments opens the store of the segments in a directory, or makes it.
func openSegments(c Config, dir string) (*Store, error) {
	s := &Store{dir: dir, log: c.Log, max: maxBytes, segment: segmentBytes, unsynced: make(chan struct{}, 1)}
	if c.MaxBytes > 0 {
		s.max = int64(c.MaxBytes)
	}
	s.segment = min(s.segment, s.max/leastShare)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.dir) // by name, and so by position
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !isSegment(e.Name()) })
	for i, e := range entries {
		if err := s.openSegment(filepath.Join(s.dir, e.Name()), i == len(entries)-1); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// openSegment adds a segment that is there. The last one goes on, unless it is whole.
func (s *Store) openSegment(path string, last bool) error {
	g, whole, err := openSegment(path)
	if err != nil {
		return err
	}
	if len(g.pages) == 0 {
		return os.Remove(path) // the process ended before it wrote an event
	}
	s.seq = max(s.seq, g.last)
	s.segments = append(s.segments, g)
	if whole {
		return nil
	}
	if !last {
		return g.sealNow()
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	s.file = f
	return f.Truncate(g.size)
}

// Close writes everything to disk and ends the store. No other method may be in
// progress.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return errors.Join(f.Sync(), f.Close())
}

// Append adds events. When it returns, they survive the end of the process; that of the
// machine, half a second later while Run runs, or after Sync.
func (s *Store) Append(events []trail.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := uint64(time.Now().UnixNano())
	return s.add(events, func(int) uint64 {
		s.seq = max(s.seq+1, now) // numbers go up, and are never used again
		return s.seq
	})
}

// add adds events; positions go up from event to event.
func (s *Store) add(events []trail.Event, position func(int) uint64) error {
	if len(events) == 0 {
		return nil
	}
	s.pack.reset()
	for i := range events {
		s.pack.add(position(i), &events[i])
	}
	s.pack.end()
	if err := s.room(s.pack.frames[0].first); err != nil {
		return err
	}
	g := s.segments[len(s.segments)-1]
	start := g.size
	if _, err := s.file.WriteAt(s.pack.out, start); err != nil {
		return errors.Join(err, s.file.Truncate(start))
	}
	for i := range s.pack.frames {
		f := s.pack.frames[i]
		f.offset += start
		g.add(&f)
	}
	s.mark()
	return nil
}

// mark says that there is something to sync.
func (s *Store) mark() {
	select {
	case s.unsynced <- struct{}{}:
	default:
	}
}

// room sees to it that there is a segment to add to.
func (s *Store) room(first uint64) error {
	if s.file != nil {
		g := s.segments[len(s.segments)-1]
		if len(g.pages) == 0 || g.size < s.segment && (first < g.first || first-g.first < uint64(segmentAge)) {
			return nil
		}
		if err := s.seal(); err != nil {
			return err
		}
	}
	path := filepath.Join(s.dir, segmentName(first))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, ownerOnly)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(magic); err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	s.file = f
	s.segments = append(s.segments, &segment{path: path, size: int64(len(magic))})
	return nil
}

// seal ends the active segment, and deletes the oldest ones if there is too much.
func (s *Store) seal() error {
	g := s.segments[len(s.segments)-1]
	if err := g.seal(s.file); err != nil {
		return err
	}
	err := s.file.Close()
	s.file = nil
	return errors.Join(err, s.trim())
}

// Sync writes to disk what has been added.
func (s *Store) Sync() error {
	select {
	case <-s.unsynced:
	default:
		return nil
	}
	s.mu.Lock()
	f := s.file
	s.mu.Unlock()
	if f == nil {
		return nil // sealed, and so on disk
	}
	err := f.Sync()
	if errors.Is(err, fs.ErrClosed) {
		return nil // likewise
	}
	if err != nil {
		s.mark()
	}
	return err
}
