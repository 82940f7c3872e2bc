// Package filter evaluates the filters of EC2 Describe operations: every named
// filter must match, a filter matches when one of its values does, values may
// hold the wildcards * and ? (a backslash takes their meaning away).
package filter

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"neargate/wire/shape"
)

// maxValues is how many values a request's filters may have together.
const maxValues = 200

// Filter is one filter of a request.
type Filter struct {
	Name   string
	Values []string
}

// Set says which filters an operation knows, as paths of member names in what it
// answers: "Associations.SubnetId" reaches through structures and list elements.
type Set struct {
	Fields map[string]string // filter name to path; "" is what no resource has
	Tags   string            // path of the tags, for tag:KEY and tag-key; "" when untagged
}

// Self is the path of tags in what is itself a tag.
const Self = "."

// Compile checks the filters and returns what they select among values of type T.
// Unknown names are refused with AWS's error. A path that T lacks is a mistake in
// the program and panics.
func Compile[T any](s Set, filters []Filter) (func(*T) bool, error) {
	total := 0
	var tests []func(reflect.Value) bool
	for _, f := range filters {
		read, ok := s.reader(reflect.TypeFor[T](), f.Name)
		if !ok || len(f.Values) == 0 {
			return nil, shape.Errorf("InvalidParameterValue", "The filter '%s' is invalid", f.Name)
		}
		if total += len(f.Values); total > maxValues {
			return nil, shape.Errorf("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxValues)
		}
		tests = append(tests, func(v reflect.Value) bool {
			return slices.ContainsFunc(read(v, nil), func(have string) bool {
				return slices.ContainsFunc(f.Values, func(pattern string) bool { return glob(pattern, have) })
			})
		})
	}
	return func(r *T) bool {
		v := reflect.ValueOf(r).Elem()
		return !slices.ContainsFunc(tests, func(test func(reflect.Value) bool) bool { return !test(v) })
	}, nil
}

// reader returns how to get at what the filter looks at.
func (s Set) reader(t reflect.Type, name string) (read, bool) {
	if path, ok := s.Fields[name]; ok {
		return compile(t, path), true
	}
	key, byKey := strings.CutPrefix(name, "tag:")
	switch {
	case s.Tags == "" || !byKey && name != "tag-key":
		return nil, false
	case !byKey:
		return compile(t, s.tag("Key")), true
	}
	keys, values := compile(t, s.tag("Key")), compile(t, s.tag("Value"))
	return func(v reflect.Value, out []string) []string {
		all := values(v, nil)
		for i, k := range keys(v, nil) {
			if k == key {
				out = append(out, all[i])
			}
		}
		return out
	}, true
}

// tag is the path of a member of the tags.
func (s Set) tag(member string) string {
	if s.Tags == Self {
		return member
	}
	return s.Tags + "." + member
}

// read appends the values found at a path in v.
type read func(v reflect.Value, out []string) []string

// compile resolves a path in type t.
func compile(t reflect.Type, path string) read {
	if path == "" {
		return func(_ reflect.Value, out []string) []string { return out }
	}
	return step(t, strings.Split(path, "."))
}

func step(t reflect.Type, path []string) read {
	switch {
	case t.Kind() == reflect.Pointer:
		next := step(t.Elem(), path)
		return func(v reflect.Value, out []string) []string {
			if v.IsNil() {
				return out
			}
			return next(v.Elem(), out)
		}
	case t.Kind() == reflect.Slice:
		next := step(t.Elem(), path)
		return func(v reflect.Value, out []string) []string {
			for i := range v.Len() {
				out = next(v.Index(i), out)
			}
			return out
		}
	case len(path) == 0:
		return text
	}
	f, ok := t.FieldByName(path[0])
	if !ok {
		panic("filter: " + t.String() + " has no member " + path[0])
	}
	next := step(f.Type, path[1:])
	return func(v reflect.Value, out []string) []string { return next(v.FieldByIndex(f.Index), out) }
}

// text is a scalar as filters see it.
func text(v reflect.Value, out []string) []string {
	if at, ok := v.Interface().(time.Time); ok {
		return append(out, at.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return append(out, fmt.Sprint(v.Interface()))
}

// glob matches a whole string in time linear in each star's reach.
func glob(pattern, s string) bool {
	star, resume := -1, 0
	p, i := 0, 0
	for i < len(s) || p < len(pattern) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				star, resume = p, i
				p++
				continue
			case c == '?' && i < len(s):
				p, i = p+1, i+1
				continue
			case c == '\\' && p+1 < len(pattern):
				if i < len(s) && s[i] == pattern[p+1] {
					p, i = p+2, i+1
					continue
				}
			case i < len(s) && c == s[i]:
				p, i = p+1, i+1
				continue
			}
		}
		if star < 0 || resume >= len(s) {
			return false
		}
		resume++
		p, i = star+1, resume
	}
	return true
}
