package pattern

import (
	"strconv"
	"strings"
	"unicode"
)

// field is one field of a pattern.
type field struct {
	name string
	test func(string) bool // nil: any value
}

// fields is a pattern of fields separated by spaces. Any number of fields may
// lie between head and tail if gap is set, else none.
type fields struct {
	head, tail []field
	gap        bool
}

const ellipsis = "..."

func compileFields(text string) (*Pattern, error) {
	body, err := inside(text, "]")
	if err != nil {
		return nil, err
	}
	l, err := newLexer(body)
	if err != nil {
		return nil, err
	}
	var f fields
	for {
		if l.tok.is(ellipsis) {
			if f.gap {
				return nil, ErrInvalid
			}
			f.gap, err = true, l.next()
		} else {
			err = f.add(l)
		}
		if err != nil {
			return nil, err
		}
		if l.tok.kind == end {
			return &Pattern{match: f.match, extract: f.extract}, nil
		}
		if !l.tok.is(",") {
			return nil, ErrInvalid
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
}

// add reads a field: a name, or conditions on it.
func (f *fields) add(l *lexer) error {
	var fd field
	bare := true
	test, err := parseAny(l, func() (func(string) bool, error) {
		name := l.tok
		if name.kind != word || fd.name != "" && fd.name != name.text {
			return nil, ErrInvalid
		}
		if strings.ContainsFunc(name.text, func(r rune) bool { return !wordRune(r) && r != '-' }) {
			return nil, badTerm(name.text)
		}
		fd.name = name.text
		if err := l.next(); err != nil {
			return nil, err
		}
		if l.tok.kind == end || l.tok.is(",") {
			return func(string) bool { return true }, nil
		}
		bare = false
		c, err := parseComparison(l)
		return c.field, err
	})
	if err != nil {
		return err
	}
	if !bare {
		fd.test = test
	}
	if f.gap {
		f.tail = append(f.tail, fd)
	} else {
		f.head = append(f.head, fd)
	}
	return nil
}

func (f *fields) match(message string) bool {
	values := split(message)
	gap := len(values) - len(f.head) - len(f.tail)
	if gap < 0 || gap > 0 && !f.gap {
		return false
	}
	return all(f.head, values) && all(f.tail, values[len(f.head)+gap:])
}

func all(fs []field, values []string) bool {
	for i, f := range fs {
		if f.test != nil && !f.test(values[i]) {
			return false
		}
	}
	return true
}

func (f *fields) extract(message string) map[string]string {
	values := split(message)
	tail := len(values) - len(f.tail)
	out := map[string]string{}
	for i, v := range values {
		name := strconv.Itoa(i + 1)
		if i < len(f.head) {
			name = f.head[i].name
		} else if i >= tail {
			name = f.tail[i-tail].name
		}
		out["$"+name] = v
	}
	return out
}

// split cuts a message at its spaces; what is in brackets or double quotes is
// one field, without them.
func split(message string) []string {
	var out []string
	for rest := strings.TrimSpace(message); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		close := ""
		switch rest[0] {
		case '"':
			close = `"`
		case '[':
			close = "]"
		}
		if value, after, ok := strings.Cut(rest[1:], close); close != "" && ok {
			out, rest = append(out, value), after
			continue
		}
		value := upTo(rest, unicode.IsSpace)
		out, rest = append(out, value), rest[len(value):]
	}
	return out
}
