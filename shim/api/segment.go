package api

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// A container's log is a directory of segments, files of records that are named
// by ascending numbers without a gap. The shim writes to the last one only. Who
// has taken in everything of a segment removes it once there is a later one;
// what is left is what the shim counts against Log.Buffer.
const (
	SegmentSize  = 1 << 20  // bytes a segment has at most
	RecordSize   = 64 << 10 // bytes of a line a record has at most
	recordHeader = 32
)

// MaxRecord is the longest a record can be in a segment.
const MaxRecord = RecordSize + recordHeader

// Log modes: what becomes of output while the log is full.
const (
	Discard     = ""             // there is no log
	Blocking    = "blocking"     // the container waits
	NonBlocking = "non-blocking" // the output is lost, and counted
)

// DefaultBuffer is a log's size where Log says none.
const DefaultBuffer = 64 << 20

// Log says what becomes of a container's output.
type Log struct {
	Mode   string // Discard, Blocking, NonBlocking
	Buffer int64  // bytes of records at least that are kept until they are taken in; 0: DefaultBuffer
}

// SegmentFile is the path of a segment of the log in a directory.
func SegmentFile(dir string, n uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d", n))
}

// Segments lists the segments of the log in a directory, in order; none if there
// is no directory.
func Segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []uint64
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, err
}
