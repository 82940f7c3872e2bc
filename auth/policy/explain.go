package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Everything is a document that allows everything.
func Everything() *Document {
	d := &Document{Statements: []Statement{{Actions: []string{"*"}, Resources: []string{"*"}}}}
	d.Statements[0].compile(false)
	return d
}

// Position is a place in a document: line and column, from 1.
type Position struct{ Line, Column int }

// Span is where a statement stands in its document's text: from the end of what is
// before it to its own end.
func (d *Document) Span(statement int) (start, end Position) {
	s := &d.Statements[statement]
	return d.position(s.start), d.position(s.end)
}

func (d *Document) position(offset int) Position {
	before := d.text[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return Position{strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[line:]) + 1}
}

// Matches are the statements that decide about the request: of those that apply, the
// ones that deny if there are any, else those that allow.
func (d *Document) Matches(r *Request) (effect Effect, statements []int) {
	for i := range d.Statements {
		s := &d.Statements[i]
		if !s.applies(r) {
			continue
		}
		if e := s.effect(); e > effect {
			effect, statements = e, nil
		} else if e < effect {
			continue
		}
		statements = append(statements, i)
	}
	return effect, statements
}

// Missing are the condition keys without a value that statements about the action and
// the resource ask for, as written.
func (d *Document) Missing(r *Request) []string {
	var out []string
	for i := range d.Statements {
		s := &d.Statements[i]
		if !s.about(r) {
			continue
		}
		for _, name := range s.keys() {
			if _, ok := r.Context[strings.ToLower(name)]; !ok {
				out = append(out, name)
			}
		}
	}
	return out
}

// Keys are the condition keys that the document asks for, in conditions and as
// variables, as written.
func (d *Document) Keys() []string {
	var out []string
	for i := range d.Statements {
		out = append(out, d.Statements[i].keys()...)
	}
	return out
}

func (s *Statement) keys() []string {
	var out []string
	texts := slices.Clone(s.Resources)
	for _, c := range s.conditions {
		out = append(out, c.name)
		texts = append(texts, c.values...)
	}
	if !s.variables {
		return out
	}
	for _, t := range texts {
		for {
			_, after, found := strings.Cut(t, "${")
			name, rest, closed := strings.Cut(after, "}")
			if !found || !closed {
				break
			}
			name, _, _ = strings.Cut(name, ",")
			if name = strings.TrimSpace(name); !slices.Contains([]string{"", "*", "?", "$"}, name) {
				out = append(out, name)
			}
			t = rest
		}
	}
	return out
}
