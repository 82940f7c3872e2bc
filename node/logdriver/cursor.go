package logdriver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"

	"neargate/resource/logs"
)

// cursor is how far a log is read and all that is needed to read on.
type cursor struct {
	Stream  logs.StreamID
	Pattern string `json:",omitempty"` // that begins an event; empty: every line is one
	At      place
	pending
}

// place is where a record begins.
type place struct {
	Segment uint64
	Offset  int64
}

func (p place) before(q place) bool {
	return cmp.Or(cmp.Compare(p.Segment, q.Segment), cmp.Compare(p.Offset, q.Offset)) < 0
}

// pending is what was read and is not in an event yet.
type pending struct {
	Parts [2]part // of the lines of output and error output that go on
	Event part    // lines of the event that goes on
	Last  int64   `json:",omitempty"` // when the last of them was written, in milliseconds
}

// part is a beginning, with its time in milliseconds.
type part struct {
	Time  int64  `json:",omitempty"`
	Bytes []byte `json:",omitempty"`
	Cut   bool   `json:",omitempty"` // an event of the line's beginning was made
}

func (c *cursor) encode() ([]byte, error) { return json.Marshal(c) }

// decode reads a cursor and compiles its pattern.
func decode(b []byte) (c cursor, begins *regexp.Regexp, err error) {
	if err = json.Unmarshal(b, &c); err != nil {
		return c, nil, fmt.Errorf("cursor of a log: %w", err)
	}
	if c.Pattern != "" {
		begins, err = regexp.Compile(c.Pattern)
	}
	return c, begins, err
}
