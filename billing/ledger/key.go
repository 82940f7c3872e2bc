package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"neargate/resource/billing"
)

// The first byte of a key.
const (
	recordKind = 'r' // start, account, region, cluster, task, dimension: a record
	labelKind  = 'l' // id: labels as JSON
	hours      = 'h' // hour, id: sum of an hour, by all labels
	days       = 't' // day, id: sum of a day, by all labels
	bareDays   = 'd' // day, id: sum of a day, by all labels but tags
)

// labelID names labels by their content.
type labelID [16]byte

// labels as they are kept.
type labels struct {
	id   labelID
	text []byte
}

func (n labels) key() []byte { return append([]byte{labelKind}, n.id[:]...) }

// labelsOf are a record's labels, and those without tags.
func labelsOf(r *billing.Record) (full, bare labels) {
	return name(r.Labels), name(untagged(r.Labels))
}

func untagged(l billing.Labels) billing.Labels {
	l.Tags = nil
	return l
}

func name(l billing.Labels) labels {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and numbers can always be written
	}
	h := sha256.Sum256(text)
	return labels{labelID(h[:16]), text}
}

// stamp is a time as bytes that sort by time.
func stamp(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixNano())^(1<<63))
}

func readStamp(b []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(b)^(1<<63))).UTC()
}

func recordKey(r *billing.Record) []byte {
	return append(stamp([]byte{recordKind}, r.Start), strings.Join(r.Key(), "\x00")...)
}

var errBroken = errors.New("a value is broken")

// recordValue is what of a record is neither in its key nor in its labels.
func recordValue(r *billing.Record, id labelID) []byte {
	b := append([]byte{}, id[:]...)
	b = binary.AppendVarint(b, int64(r.End.Sub(r.Start)))
	b = binary.AppendVarint(b, r.Seconds)
	return binary.AppendVarint(b, r.Units)
}

// readRecord reads a record and the id of its labels, which it does not fill in.
func readRecord(key, value []byte) (r billing.Record, id labelID, err error) {
	if len(key) < 9 || len(value) < len(id) {
		return r, id, errBroken
	}
	parts := strings.Split(string(key[9:]), "\x00")
	n, err := varints(value[len(id):], 3)
	if err != nil || len(parts) != 5 {
		return r, id, errBroken
	}
	copy(id[:], value)
	r.Start, r.Task = readStamp(key[1:9]), parts[3]
	r.End, r.Seconds, r.Units = r.Start.Add(time.Duration(n[0])), n[1], n[2]
	return r, id, nil
}

// span is how long the time is that a sum is of.
func span(level byte) time.Duration {
	if level == hours {
		return time.Hour
	}
	return 24 * time.Hour
}

// slotKey begins the keys of sums of the time that t is in.
func slotKey(level byte, t time.Time) []byte {
	slot := t.Unix() / int64(span(level)/time.Second)
	return binary.BigEndian.AppendUint32([]byte{level}, uint32(max(0, min(slot, math.MaxUint32))))
}

func sumKey(level byte, t time.Time, id labelID) []byte {
	return append(slotKey(level, t), id[:]...)
}

func readSumKey(key []byte) (at time.Time, id labelID, err error) {
	if len(key) != 5+len(id) {
		return at, id, errBroken
	}
	copy(id[:], key[5:])
	return time.Unix(int64(binary.BigEndian.Uint32(key[1:]))*int64(span(key[0])/time.Second), 0).UTC(), id, nil
}

func varints(b []byte, n int) ([]int64, error) {
	out := make([]int64, n)
	for i := range out {
		v, size := binary.Varint(b)
		if size <= 0 {
			return nil, errBroken
		}
		out[i], b = v, b[size:]
	}
	return out, nil
}
