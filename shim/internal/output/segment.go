package output

import (
	"errors"
	"io/fs"
	"os"

	"neargate/shim/api"
)

// minSegment keeps the segments of a small log from being tiny.
const minSegment = 4 << 10

// segments are the files a container's output goes to. What the daemon has
// removed makes room again.
type segments struct {
	dir   string
	each  int64 // bytes of one
	limit int64 // bytes of all

	file   *os.File // the last
	number uint64
	size   int64
	broken bool // the last may end in a part of a record

	older []segment // not known to be removed, in order
	held  int64     // bytes of all
}

type segment struct {
	number uint64
	size   int64
}

// openSegments begins a new segment after those that are there. At least buffer
// bytes fit into all.
func openSegments(dir string, buffer int64) (*segments, error) {
	if buffer <= 0 {
		buffer = api.DefaultBuffer
	}
	s := &segments{dir: dir, each: min(max(buffer/8, minSegment), api.SegmentSize)}
	s.limit = buffer + s.each // of the oldest, all but the end may be taken in
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	there, err := api.Segments(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range there {
		info, err := os.Stat(api.SegmentFile(dir, n))
		if err != nil {
			continue // removed meanwhile
		}
		s.older = append(s.older, segment{n, info.Size()})
		s.held += info.Size()
		s.number = n
	}
	return s, s.next()
}

// next begins the segment after the last.
func (s *segments) next() error {
	f, err := os.OpenFile(api.SegmentFile(s.dir, s.number+1), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if s.file != nil {
		s.file.Close()
		s.older = append(s.older, segment{s.number, s.size})
	}
	s.file, s.size, s.broken = f, 0, false
	s.number++
	return nil
}

// fits reports whether there is room for n bytes. One write always fits that
// only the last segment is before.
func (s *segments) fits(n int) bool {
	for s.held+int64(n) > s.limit && len(s.older) > 0 {
		if _, err := os.Lstat(api.SegmentFile(s.dir, s.older[0].number)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		s.held -= s.older[0].size
		s.older = s.older[1:]
	}
	return true
}

// write appends whole records, all or none.
func (s *segments) write(b []byte) error {
	if s.broken || s.size > 0 && s.size+int64(len(b)) > s.each {
		if err := s.next(); err != nil {
			return err
		}
	}
	if n, err := s.file.Write(b); err != nil {
		s.broken = n > 0 && s.file.Truncate(s.size) != nil
		return err
	}
	s.size += int64(len(b))
	s.held += int64(len(b))
	return nil
}

func (s *segments) close() { s.file.Close() }
