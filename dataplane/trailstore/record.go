package trailstore

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"neargate/resource/trail"
)

// errDamaged reports bytes that are not what was written.
var errDamaged = errors.New("trailstore: damaged")

// What an event's flags say.
const (
	flagReadOnly = 1 << iota
	flagData
)

// appendEvent encodes an event and its position.
func appendEvent(b []byte, position uint64, e *trail.Event) []byte {
	b = binary.AppendUvarint(b, position)
	b = binary.AppendVarint(b, nanos(e.Time))
	flags := byte(0)
	if e.ReadOnly {
		flags |= flagReadOnly
	}
	if e.Data {
		flags |= flagData
	}
	b = append(b, flags)
	for _, s := range []string{e.ID, e.Account, e.Region, e.Name, e.Source, e.Username, e.AccessKeyID, e.Text} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Resources)))
	for _, r := range e.Resources {
		b = appendString(appendString(b, r.Type), r.Name)
	}
	if e.Data {
		b = appendString(b, e.Caller)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// nanos is a time as it orders events; times before 1970 are at its start.
func nanos(t time.Time) int64 {
	if t.Before(time.Unix(0, 0)) {
		return 0
	}
	return t.UnixNano()
}

// decoder reads what was encoded. Texts share its memory. Once it has failed, it reads
// zeros.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) fail() { d.rest, d.failed = "", true }

func (d *decoder) uint() uint64 {
	var v uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.fail()
	return 0
}

func (d *decoder) int() int64 {
	u := d.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// count is a number of things of which each takes a byte at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.rest)) || n > math.MaxInt32 {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bytes(n int) string {
	if n > len(d.rest) {
		d.fail()
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) string() string { return d.bytes(d.count()) }

// event decodes an event and its position.
func (d *decoder) event(a *trail.Arrival) {
	a.Position = d.uint()
	a.Time = time.Unix(0, d.int()).UTC()
	flags := byte(0)
	if b := d.bytes(1); b != "" {
		flags = b[0]
	}
	a.ReadOnly, a.Data, a.Caller = flags&flagReadOnly != 0, flags&flagData != 0, ""
	for _, s := range []*string{&a.ID, &a.Account, &a.Region, &a.Name, &a.Source, &a.Username, &a.AccessKeyID, &a.Text} {
		*s = d.string()
	}
	a.Resources = nil
	if n := d.count(); n > 0 {
		a.Resources = make([]trail.Resource, n)
		for i := range a.Resources {
			a.Resources[i] = trail.Resource{Type: d.string(), Name: d.string()}
		}
	}
	if a.Data {
		a.Caller = d.string()
	}
}
