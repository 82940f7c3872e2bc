package trailstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"

	"neargate/resource/trail"
)

// A segment is a file of frames, after its magic number. A frame is the length and the
// checksum of what follows, a kind, a summary, and what it holds: events, compressed,
// or the index of a segment that gets no more of them. The offset of the index and a
// mark are the last bytes of such a segment.
const (
	magic      = "ngtrail1"
	mark       = "ngindex1"
	frameHead  = 8
	frameBytes = 128 << 10 // of events, beyond which a frame ends
	maxFrame   = 256 << 20
	keepBuffer = 4 << 20 // the largest that is used again
	endBytes   = 8 + len(mark)

	kindEvents = 'e'
	kindIndex  = 'i'
)

// key orders events by time and then by position.
type key struct {
	time     int64
	position uint64
}

func (k key) compare(o key) int {
	switch {
	case k == o:
		return 0
	case k.time < o.time || k.time == o.time && k.position < o.position:
		return -1
	}
	return 1
}

// summary says what events some bytes hold.
type summary struct {
	first, last uint64   // positions
	oldest      int64    // time
	newest      key      // of the event with the latest time
	scopes      []string // whose events they are
}

// scope names an account and region.
func scope(account, region string) string { return account + "\x00" + region }

// note adds an event.
func (s *summary) note(position uint64, e *trail.Event) {
	k := key{nanos(e.Time), position}
	if len(s.scopes) == 0 {
		s.first, s.oldest, s.newest = position, k.time, k
	}
	s.last = position
	s.oldest = min(s.oldest, k.time)
	if s.newest.compare(k) < 0 {
		s.newest = k
	}
	for _, have := range s.scopes {
		if len(have) == len(e.Account)+1+len(e.Region) && strings.HasPrefix(have, e.Account) && strings.HasSuffix(have, e.Region) && have[len(e.Account)] == 0 {
			return
		}
	}
	s.scopes = append(s.scopes, scope(e.Account, e.Region))
}

// join adds the events of o, which come behind.
func (s *summary) join(o *summary) {
	if len(s.scopes) == 0 {
		*s = *o
		return
	}
	s.last = o.last
	s.oldest = min(s.oldest, o.oldest)
	if s.newest.compare(o.newest) < 0 {
		s.newest = o.newest
	}
	for _, v := range o.scopes {
		if !slices.Contains(s.scopes, v) {
			s.scopes = append(slices.Clip(s.scopes), v) // readers may have the old list
		}
	}
}

func (s *summary) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.first)
	b = binary.AppendUvarint(b, s.last)
	b = binary.AppendVarint(b, s.oldest)
	b = binary.AppendVarint(b, s.newest.time)
	b = binary.AppendUvarint(b, s.newest.position)
	b = binary.AppendUvarint(b, uint64(len(s.scopes)))
	for _, v := range s.scopes {
		b = appendString(b, v)
	}
	return b
}

func (d *decoder) summary() (s summary) {
	s.first, s.last, s.oldest = d.uint(), d.uint(), d.int()
	s.newest = key{d.int(), d.uint()}
	s.scopes = make([]string, d.count())
	for i := range s.scopes {
		s.scopes[i] = strings.Clone(d.string())
	}
	return s
}

// packer makes frames of events. It keeps its buffers.
type packer struct {
	out    []byte // frames
	raw    []byte // events of the frame that is being made
	now    summary
	frames []page // in out
}

func (p *packer) reset() {
	if cap(p.out) > keepBuffer {
		p.out = nil
	}
	p.out, p.raw, p.frames, p.now = p.out[:0], p.raw[:0], p.frames[:0], summary{}
}

// add adds an event to the frames.
func (p *packer) add(position uint64, e *trail.Event) {
	p.raw = appendEvent(p.raw, position, e)
	p.now.note(position, e)
	if len(p.raw) >= frameBytes {
		p.end()
	}
}

// end ends the frame that is being made, if there is one.
func (p *packer) end() {
	if len(p.raw) == 0 {
		return
	}
	start := len(p.out)
	p.out = beginFrame(p.out, kindEvents)
	p.out = p.now.append(p.out)
	n := len(p.out)
	p.out = slices.Grow(p.out, s2.MaxEncodedLen(len(p.raw)))
	p.out = p.out[:n+len(s2.Encode(p.out[n:cap(p.out)], p.raw))]
	endFrame(p.out[start:])
	p.frames = append(p.frames, page{offset: int64(start), length: int64(len(p.out) - start), summary: p.now})
	p.raw, p.now = p.raw[:0], summary{}
}

func beginFrame(b []byte, kind byte) []byte {
	return append(append(b, make([]byte, frameHead)...), kind)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// endFrame writes the head of a frame that is complete.
func endFrame(frame []byte) {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHead))
	binary.LittleEndian.PutUint32(frame[4:], crc32.Checksum(frame[frameHead:], castagnoli))
}

// cut takes the first frame off b. What is ok without a body is damaged; not ok, b does
// not begin with a whole frame.
func cut(b []byte) (length int64, body []byte, ok bool) {
	if len(b) < frameHead {
		return 0, nil, false
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n == 0 || n > maxFrame || n > int64(len(b)-frameHead) {
		return 0, nil, false
	}
	body = b[frameHead : frameHead+n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		body = nil
	}
	return frameHead + n, body, true
}

// unpack calls each for every event of a frame's body. The event is reused.
func unpack(body []byte, each func(*trail.Arrival)) error {
	d := decoder{rest: string(body[1:])}
	d.summary()
	if body[0] != kindEvents || d.failed {
		return errDamaged
	}
	raw, err := s2.Decode(nil, body[len(body)-len(d.rest):])
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	d = decoder{rest: string(raw)}
	var a trail.Arrival
	for len(d.rest) > 0 {
		if d.event(&a); d.failed {
			return errDamaged
		}
		each(&a)
	}
	return nil
}
