package trailstore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"neargate/internal/database"
	"neargate/resource/trail"
)

// Earlier versions kept events in an ordered key-value store (pebble), right in the
// directory: as JSON, under account, region, time and position; and each such key under
// formerArrival and the position.
const formerArrival = 0xfe

// formerBatch is how many events are taken over at a time.
const formerBatch = 1000

// takeOver makes segments of what an earlier version kept, and deletes that. It may be
// interrupted at any time: the segments get their name when they are complete.
func takeOver(c Config) error {
	former, err := formerFiles(c.Dir)
	if err != nil || len(former) == 0 {
		return err
	}
	to := filepath.Join(c.Dir, folder)
	if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
		c.Log.Info("CloudTrail events of an earlier version are taken over")
		if err := convert(c, to+".new"); err != nil {
			return fmt.Errorf("events of an earlier version: %w", err)
		}
		if err := errors.Join(os.Rename(to+".new", to), syncDir(c.Dir)); err != nil {
			return err
		}
		if former, err = formerFiles(c.Dir); err != nil {
			return err
		}
	}
	for _, path := range former {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// manifest begins the names of the files that say that there is a former store.
const manifest = "MANIFEST-"

// formerFiles are all files of a former store, those that say that there is one last;
// none, if there is none.
func formerFiles(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var last []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), manifest):
			last = append(last, path)
		case e.Name() != folder:
			paths = append(paths, path)
		}
	}
	if len(last) == 0 {
		return nil, err
	}
	return append(paths, last...), err
}

// convert makes segments in a directory of the events in the former store.
func convert(c Config, to string) (err error) {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	db, err := pebble.Open(c.Dir, &pebble.Options{FS: database.FS(), FormatMajorVersion: pebble.FormatNewest, Logger: database.Logger(c.Log, "trail")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := openSegments(c, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{formerArrival}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var events []trail.Event
	var positions []uint64
	write := func() error {
		err := s.add(events, func(i int) uint64 { return positions[i] })
		events, positions = events[:0], positions[:0]
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		e, err := formerEvent(db, it.Value())
		if errors.Is(err, pebble.ErrNotFound) {
			continue // deleted for its age
		}
		if err != nil {
			return err
		}
		events, positions = append(events, e), append(positions, binary.BigEndian.Uint64(it.Key()[1:]))
		if len(events) == formerBatch {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return errors.Join(it.Error(), write())
}

func formerEvent(db *pebble.DB, key []byte) (e trail.Event, err error) {
	text, closer, err := db.Get(key)
	if err != nil {
		return e, err
	}
	return e, errors.Join(json.Unmarshal(text, &e), closer.Close())
}
