package logstore

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/logs"
)

// cursorOf is a source and its new cursor.
type cursorOf struct {
	source string
	cursor []byte
}

func (c *cursorOf) size() int {
	if c == nil {
		return 0
	}
	return len(c.source) + len(c.cursor) + 16
}

func (c *cursorOf) put(b *pebble.Batch) error {
	if c == nil {
		return nil
	}
	return b.Set(cursorKey(c.source), c.cursor, nil)
}

// AppendFrom adds records, of which there may be none, as Append does, and keeps
// with them how far their source is read: either both are on disk or neither. So
// a source that is read on from its cursor neither loses nor doubles events.
func (s *Store) AppendFrom(source string, cursor []byte, id logs.StreamID, now time.Time, records []logs.Record) error {
	c := &cursorOf{source, cursor}
	if len(records) == 0 {
		return s.db.Set(cursorKey(source), cursor, pebble.Sync)
	}
	return s.append(id, now, records, c)
}

// Cursor is the last cursor of a source; nil: none.
func (s *Store) Cursor(source string) ([]byte, error) {
	v, c, err := s.db.Get(cursorKey(source))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, v...), c.Close()
}

// Sources lists the sources that have a cursor and start with a prefix, in order.
func (s *Store) Sources(prefix string) (all []string, err error) {
	it, err := s.db.NewIter(bounds(cursorKey(prefix)))
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		all = append(all, string(bytes.TrimPrefix(it.Key(), []byte{kindCursor})))
	}
	return slices.Clip(all), it.Close()
}

// DropCursor deletes the cursor of a source that is read no more.
func (s *Store) DropCursor(source string) error {
	return s.db.Delete(cursorKey(source), pebble.Sync)
}
