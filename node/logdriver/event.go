package logdriver

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"neargate/resource/logs"
	"neargate/shim/api"
)

// maxEvent is the most bytes of an event; longer lines are split. Source: the
// awslogs driver, which keeps to 256 KiB with what CloudWatch Logs adds.
const maxEvent = 256<<10 - logs.Overhead

// Lines of an event of many lines follow each other within idle; it is over at the
// latest after maxAge.
const (
	idle   = 800 * time.Millisecond
	maxAge = 5 * time.Second
)

// lines makes events of the records of a log.
type lines struct {
	pending
	begins *regexp.Regexp // a line that matches begins an event; nil: every line is one
	length int            // effective, of pending.Event
	events []logs.Record
	lost   int // lines
}

// newLines goes on with what was pending.
func newLines(p pending, begins *regexp.Regexp) lines {
	return lines{pending: p, begins: begins, length: effectiveLen(p.Event.Bytes)}
}

func (l *lines) add(r api.Record) {
	p := &l.Parts[0]
	if r.Error {
		p = &l.Parts[1]
	}
	at := r.At.UnixMilli()
	switch {
	case r.Lost > 0:
		l.lost += r.Lost
		l.endLine(p)
		return
	case p.empty() && !r.Partial:
		l.line(at, r.Bytes, false)
		return
	case p.empty():
		p.Time = at
	}
	p.Bytes = append(p.Bytes, r.Bytes...)
	for n := split(p.Bytes); n < len(p.Bytes); n = split(p.Bytes) {
		l.line(p.Time, p.Bytes[:n], p.Cut)
		p.Bytes, p.Cut = p.Bytes[n:], true
	}
	if !r.Partial {
		l.endLine(p)
	}
}

func (p *part) empty() bool { return len(p.Bytes) == 0 && !p.Cut }

// endLine takes what there is of a line as the line.
func (l *lines) endLine(p *part) {
	if len(p.Bytes) > 0 {
		l.line(p.Time, p.Bytes, p.Cut)
	}
	*p = part{}
}

// line takes a line; one that continues another is what did not fit into an event
// with it.
func (l *lines) line(at int64, b []byte, continues bool) {
	if l.begins == nil {
		l.event(at, b)
		return
	}
	n := effectiveLen(b)
	if l.late(at) || !continues && l.begins.Match(b) || l.length+n+1 > maxEvent {
		l.endEvent()
	}
	if len(l.Event.Bytes) == 0 {
		l.Event.Time = at
	}
	l.Event.Bytes = append(l.Event.Bytes, b...)
	if n < maxEvent {
		l.Event.Bytes = append(l.Event.Bytes, '\n')
	}
	l.length += n + 1
	l.Last = at
}

// late reports whether a line of a time is too late for the event that goes on.
func (l *lines) late(at int64) bool {
	return at-l.Last > idle.Milliseconds() || at-l.Event.Time > maxAge.Milliseconds()
}

// endEvent makes an event of the lines there are.
func (l *lines) endEvent() {
	l.event(l.Event.Time, l.Event.Bytes)
	l.Event, l.length = part{Bytes: l.Event.Bytes[:0]}, 0
}

// end makes events of everything there is.
func (l *lines) end() {
	l.endLine(&l.Parts[0])
	l.endLine(&l.Parts[1])
	l.endEvent()
}

// event makes events of at most maxEvent bytes, none of no bytes.
func (l *lines) event(at int64, b []byte) {
	for len(b) > 0 {
		n := split(b)
		l.events = append(l.events, logs.Record{Time: at, Message: text(b[:n])})
		b = b[n:]
	}
}

// effectiveLen is the length of bytes as text.
func effectiveLen(b []byte) int {
	if utf8.Valid(b) {
		return len(b)
	}
	n := 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		n += utf8.RuneLen(r)
		b = b[size:]
	}
	return n
}

// split is how many of the bytes fit into an event, without breaking a character.
func split(b []byte) int {
	n := min(len(b), maxEvent)
	for n < len(b) && n > maxEvent-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	if n*utf8.RuneLen(utf8.RuneError) <= maxEvent || utf8.Valid(b[:n]) {
		return n
	}
	length := 0
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if length += utf8.RuneLen(r); length > maxEvent {
			return i
		}
		i += size
	}
	return len(b)
}

// text is bytes as text: a byte that is part of no character becomes U+FFFD.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	s.Grow(effectiveLen(b))
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		s.WriteRune(r)
		b = b[size:]
	}
	return s.String()
}
