package logstore

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/logs"
)

// Kinds of keys, their first byte. All numbers are big endian.
const (
	kindEvent  = 'e' // group, stream, time, sequence number: the message
	kindStat   = 's' // group, stream: the stream's stat
	kindSeq    = 'n' // stripe: the last sequence number given there
	kindCursor = 'c' // the name of a source: its cursor

	kindIngested = 'i' // group, stripe: bytes ever appended
)

const (
	prefixLen   = 1 + 8 + 8
	eventKeyLen = prefixLen + 8 + 8
)

func groupPrefix(kind byte, group uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, eventKeyLen), kind), group)
}

func streamPrefix(id logs.StreamID) []byte {
	return binary.BigEndian.AppendUint64(groupPrefix(kindEvent, id.Group), id.Stream)
}

func statKey(id logs.StreamID) []byte {
	return binary.BigEndian.AppendUint64(groupPrefix(kindStat, id.Group), id.Stream)
}

func cursorKey(source string) []byte { return append([]byte{kindCursor}, source...) }

func seqKey(stripe byte) []byte { return []byte{kindSeq, stripe} }

func statGroup(key []byte) uint64  { return getUint(key[1:]) }
func statStream(key []byte) uint64 { return getUint(key[9:]) }

// putEventKey appends the key of an event to b.
func putEventKey(b []byte, id logs.StreamID, at logs.Position) []byte {
	b = append(b, kindEvent)
	b = binary.BigEndian.AppendUint64(b, id.Group)
	b = binary.BigEndian.AppendUint64(b, id.Stream)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Time))
	return binary.BigEndian.AppendUint64(b, at.Seq)
}

func eventPosition(key []byte) logs.Position {
	return logs.Position{Time: int64(getUint(key[prefixLen:])), Seq: getUint(key[prefixLen+8:])}
}

func putUint(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func getUint(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

func putStat(s logs.Stat) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 32), uint64(s.First))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Last))
	b = binary.BigEndian.AppendUint64(b, s.Seq)
	return binary.BigEndian.AppendUint64(b, uint64(s.Bytes))
}

func getStat(b []byte) logs.Stat {
	return logs.Stat{First: int64(getUint(b)), Last: int64(getUint(b[8:])), Seq: getUint(b[16:]), Bytes: int64(getUint(b[24:]))}
}

// after is the first key behind those that start with a prefix. No prefix here
// ends in the highest key.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

func bounds(prefix []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}
}
