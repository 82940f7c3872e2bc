package api

import (
	"bytes"
	"strconv"
	"time"
)

// Record is a line of a container's output, or a part of one. A segment of its
// log holds a record a line: the time in nanoseconds of Unix time, O for output
// or E for error output, F or P for a full line (or its end) or a part, and the
// bytes, each followed by a blank but the last by a line feed. With L the bytes
// are a number: of lines that were lost.
type Record struct {
	At      time.Time
	Error   bool // of standard error
	Partial bool // the line goes on in the next record of the same stream
	Lost    int  // lines of the stream lost before the next record; such a record has no bytes
	Bytes   []byte
}

// Append appends the record as a line.
func (r Record) Append(b []byte) []byte {
	kind := pick(r.Partial, 'P', 'F')
	if r.Lost > 0 {
		kind, r.Bytes = 'L', strconv.AppendInt(nil, int64(r.Lost), 10)
	}
	b = strconv.AppendInt(b, r.At.UnixNano(), 10)
	b = append(b, ' ', pick(r.Error, 'E', 'O'), ' ', kind, ' ')
	return append(append(b, r.Bytes...), '\n')
}

func pick(is bool, yes, no byte) byte {
	if is {
		return yes
	}
	return no
}

// ParseRecord reads a line of a log, with or without its line feed; false when it
// is none, as after a crash.
func ParseRecord(line []byte) (Record, bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	at, rest, ok := bytes.Cut(line, []byte(" "))
	ns, err := strconv.ParseInt(string(at), 10, 64)
	if !ok || err != nil || len(rest) < 4 || rest[1] != ' ' || rest[3] != ' ' {
		return Record{}, false
	}
	r := Record{At: time.Unix(0, ns), Error: rest[0] == 'E', Partial: rest[2] == 'P', Bytes: rest[4:]}
	if rest[2] == 'L' {
		if r.Lost, err = strconv.Atoi(string(r.Bytes)); err != nil || r.Lost <= 0 {
			return Record{}, false
		}
		r.Bytes = nil
	}
	return r, true
}
