package json

import (
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of objects and lists.
const maxDepth = 128

// scanner walks JSON text. Its methods report broken text by ok == false, and
// leave the position anywhere.
type scanner struct {
	data []byte
	pos  int
}

// peek skips blanks and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// accept consumes c when it is next after blanks.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// word consumes a literal at the current position.
func (s *scanner) word(w string) bool {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

// str consumes a string and returns its content. The bytes are the text itself
// when nothing is escaped: they are valid only until the text changes.
func (s *scanner) str() (content []byte, ok bool) {
	if !s.accept('"') {
		return nil, false
	}
	start, ascii := s.pos, true
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			content = s.data[start:s.pos]
			s.pos++
			return content, ascii || utf8.Valid(content)
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// escaped finishes a string that has an escape at the current position.
func (s *scanner) escaped(start int) ([]byte, bool) {
	out := append([]byte(nil), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			return out, utf8.Valid(out)
		case c < 0x20:
			return nil, false
		case c != '\\':
			out = append(out, c)
			continue
		}
		if s.pos == len(s.data) {
			return nil, false
		}
		c = s.data[s.pos]
		s.pos++
		if c == 'u' {
			r, ok := s.unicode()
			if !ok {
				return nil, false
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		plain := unescaped(c)
		if plain == 0 {
			return nil, false
		}
		out = append(out, plain)
	}
	return nil, false
}

// unescaped is what the escape of one letter stands for, 0 if nothing.
func unescaped(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// unicode reads the digits of \uXXXX and, for a surrogate, its other half. Half a
// pair becomes U+FFFD.
func (s *scanner) unicode() (rune, bool) {
	r, ok := s.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	at := s.pos
	if s.word(`\u`) {
		low, ok := s.hex4()
		if !ok {
			return 0, false
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, true
		}
	}
	s.pos = at
	return utf8.RuneError, true
}

func (s *scanner) hex4() (rune, bool) {
	if len(s.data)-s.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.data[s.pos : s.pos+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.pos += 4
	return r, true
}

// number consumes a number and returns its text.
func (s *scanner) number() (text []byte, ok bool) {
	start := s.pos
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if s.digits() == 0 {
		return nil, false
	}
	if s.at('.') {
		s.pos++
		if s.digits() == 0 {
			return nil, false
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, false
		}
	}
	return s.data[start:s.pos], true
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

// skip consumes any value and returns its text.
func (s *scanner) skip(depth int) (text []byte, ok bool) {
	c := s.peek()
	start := s.pos
	switch {
	case c == '"':
		_, ok = s.str()
	case c == '{' || c == '[':
		ok = depth < maxDepth && s.skipNested(c, depth+1)
	case c == 't':
		ok = s.word("true")
	case c == 'f':
		ok = s.word("false")
	case c == 'n':
		ok = s.word("null")
	default:
		_, ok = s.number()
	}
	return s.data[start:s.pos], ok
}

func (s *scanner) skipNested(open byte, depth int) bool {
	s.pos++
	end := open + 2 // in ASCII, for braces and brackets alike
	if s.accept(end) {
		return true
	}
	for {
		if open == '{' {
			if _, ok := s.str(); !ok || !s.accept(':') {
				return false
			}
		}
		if _, ok := s.skip(depth); !ok {
			return false
		}
		if s.accept(end) {
			return true
		}
		if !s.accept(',') {
			return false
		}
	}
}
