package logs

import (
	"cmp"
	"time"
)

// StreamID identifies a log stream in the log store. A stream deleted and
// created again has another, so that it never shows events of the first.
type StreamID struct{ Group, Stream uint64 }

// Record is a log event as it is handed in: a time in milliseconds since 1970
// and a message.
type Record struct {
	Time    int64
	Message string
}

// Event is a stored log event.
type Event struct {
	Stream  StreamID
	At      Position
	Message string
}

// Batch is what a follower of the log store gets at a time.
type Batch struct {
	Events []Event // as they were acknowledged; those of a stream in order of arrival
	Missed int     // events left out before these, as the follower was slow
	Due    bool    // a period is over
}

// Position is a place in the order of events: by time, then by arrival. No two
// events of one log store have the same position.
type Position struct {
	Time int64 // milliseconds since 1970
	Seq  uint64
}

// seqBits of a sequence number count the events of one millisecond.
const seqBits = 21

// FirstSeq is the lowest sequence number of events that arrive at a time.
func FirstSeq(t time.Time) uint64 { return uint64(t.UnixMilli()) << seqBits }

// Ingested is when the event at the position arrived, in milliseconds since 1970.
func (p Position) Ingested() int64 { return int64(p.Seq >> seqBits) }

// Next is the first position after p.
func (p Position) Next() Position { return Position{p.Time, p.Seq + 1} }

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Time, q.Time), cmp.Compare(p.Seq, q.Seq))
}

// Span is the positions from From up to, but not including, To.
type Span struct{ From, To Position }

// Stat sums up what a stream holds. Its times stay when its last event expires.
type Stat struct {
	First, Last int64  // times of the first and the last event
	Seq         uint64 // of the event that arrived last
	Bytes       int64  // as Size counts
}

// Overhead is what CloudWatch Logs counts for an event beside its message, in
// bytes. Source: PutLogEvents, "The maximum batch size".
const Overhead = 26

// Size is how large CloudWatch Logs counts a message of n bytes.
func Size(n int) int64 { return int64(n) + Overhead }
