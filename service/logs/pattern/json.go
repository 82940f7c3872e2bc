package pattern

import (
	"encoding/json"
	"io"
	"iter"
	"strconv"
	"strings"
)

// compileJSON reads conditions on the values of a JSON object.
func compileJSON(text string) (*Pattern, error) {
	body, err := inside(text, "}")
	if err != nil {
		return nil, err
	}
	l, err := newLexer(body)
	if err != nil {
		return nil, err
	}
	var selectors []selector
	test, err := parseAny(l, func() (func(any) bool, error) {
		s, err := parseSelector(l)
		if err != nil {
			return nil, err
		}
		selectors = append(selectors, s)
		return parseCondition(l, s)
	})
	if err != nil {
		return nil, err
	}
	if l.tok.kind != end {
		return nil, ErrInvalid
	}
	return &Pattern{
		match: func(message string) bool {
			object, ok := decode(message)
			return ok && test(object)
		},
		extract: func(message string) map[string]string {
			object, _ := decode(message)
			out := map[string]string{}
			for _, s := range selectors {
				for v := range s.values(object) {
					if text, ok := scalar(v); ok {
						out[s.text] = text
						break
					}
				}
			}
			return out
		},
	}, nil
}

// decode reads a JSON object; numbers stay as they are written.
func decode(message string) (any, bool) {
	message = strings.TrimSpace(message)
	if !strings.HasPrefix(message, "{") {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(message))
	d.UseNumber()
	var object any
	if d.Decode(&object) != nil {
		return nil, false
	}
	_, err := d.Token()
	return object, err == io.EOF
}

// scalar prints a value that is not an object, an array or null.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// selector finds values: $.name.name[0].name[*].
type selector struct {
	text  string
	steps []step
}

// step goes to a member, an element, or all of them.
type step struct {
	name  string
	index int
	kind  stepKind
}

type stepKind int

const (
	member stepKind = iota
	element
	anyElement
	anyMember
)

func parseSelector(l *lexer) (s selector, err error) {
	t := l.tok
	switch {
	case t.kind == end || t.kind == symbol && t.text != "!":
		return s, ErrInvalid
	case t.kind == quoted:
		return s, badTerm(strings.TrimSuffix(t.rest, l.rest))
	case !strings.HasPrefix(t.text, "$"):
		return s, badTerm(offending(t.rest))
	}
	s.text = t.text
	if before, _, recursive := strings.Cut(t.text, ".."); recursive {
		return s, badTerm(before + "..")
	}
	for rest := t.text[1:]; rest != "" || s.steps == nil; {
		st, after, err := cutStep(rest, s.steps == nil)
		if err != nil {
			return s, err
		}
		s.steps, rest = append(s.steps, st), after
	}
	wild := 0
	for _, st := range s.steps {
		if st.kind == anyElement || st.kind == anyMember {
			wild++
		}
	}
	if wild > 1 {
		return s, tooWild
	}
	return s, l.next()
}

// cutStep reads a step: a dot and a name or, unless it is the first, an index in
// brackets.
func cutStep(s string, first bool) (st step, rest string, err error) {
	if inner, ok := strings.CutPrefix(s, "["); ok && !first {
		index, rest, ok := strings.Cut(inner, "]")
		if index == "*" && ok {
			return step{kind: anyElement}, rest, nil
		}
		n, err := strconv.ParseUint(index, 10, 31)
		if !ok || err != nil {
			return st, "", ErrInvalid
		}
		return step{kind: element, index: int(n)}, rest, nil
	}
	s, ok := strings.CutPrefix(s, ".")
	if !ok {
		return st, "", ErrInvalid
	}
	name := upTo(s, func(r rune) bool { return r == '.' || r == '[' })
	switch {
	case name == "*":
		return step{kind: anyMember}, s[1:], nil
	case name == "" || strings.ContainsAny(name, "*]{}"):
		return st, "", ErrInvalid
	}
	return step{kind: member, name: name}, s[len(name):], nil
}

// values yields what the selector finds, and the elements of an array it finds.
func (s *selector) values(object any) iter.Seq[any] {
	return func(yield func(any) bool) { walk(object, s.steps, yield) }
}

// walk follows steps from a value; it returns false when yield did.
func walk(v any, steps []step, yield func(any) bool) bool {
	if len(steps) == 0 {
		array, ok := v.([]any)
		if !ok {
			return yield(v)
		}
		for _, e := range array {
			if !yield(e) {
				return false
			}
		}
		return len(array) > 0 || yield(array)
	}
	st, rest := steps[0], steps[1:]
	switch v := v.(type) {
	case map[string]any:
		if st.kind == anyMember {
			for _, e := range v {
				if !walk(e, rest, yield) {
					return false
				}
			}
		}
		if e, ok := v[st.name]; ok && st.kind == member {
			return walk(e, rest, yield)
		}
	case []any:
		if st.kind == anyElement {
			for _, e := range v {
				if !walk(e, rest, yield) {
					return false
				}
			}
		}
		if st.kind == element && st.index < len(v) {
			return walk(v[st.index], rest, yield)
		}
	}
	return true
}

// some reports whether the selector finds a value that passes.
func (s *selector) some(object any, pass func(any) bool) bool {
	return !walk(object, s.steps, func(v any) bool { return !pass(v) })
}

// parseCondition reads what is asked of a selector's values.
func parseCondition(l *lexer, s selector) (func(any) bool, error) {
	switch {
	case l.tok.is("IS"):
		return parseIs(l, s)
	case l.tok.is("NOT"):
		if err := l.next(); err != nil {
			return nil, err
		}
		if !l.tok.is("EXISTS") {
			return nil, ErrInvalid
		}
		return func(object any) bool { return !s.some(object, func(any) bool { return true }) }, l.next()
	}
	c, err := parseComparison(l)
	if err != nil {
		return nil, err
	}
	return func(object any) bool { return s.some(object, c.value) }, nil
}

func parseIs(l *lexer, s selector) (func(any) bool, error) {
	if err := l.next(); err != nil {
		return nil, err
	}
	var want any
	switch {
	case l.tok.is("NULL"):
	case l.tok.is("TRUE"):
		want = true
	case l.tok.is("FALSE"):
		want = false
	default:
		return nil, ErrInvalid
	}
	same := func(v any) bool {
		switch v.(type) {
		case nil, bool:
			return v == want
		}
		return false
	}
	return func(object any) bool { return s.some(object, same) }, l.next()
}

// value compares with a JSON value. Objects, null and absent values compare as
// neither equal nor unequal.
func (c *comparison) value(v any) bool {
	switch v := v.(type) {
	case string:
		return c.text(v)
	case json.Number:
		return c.numeric(v.String())
	case bool:
		if c.quoted || c.number != nil {
			return c.operator == "!="
		}
		return c.text(strconv.FormatBool(v))
	}
	return false
}
