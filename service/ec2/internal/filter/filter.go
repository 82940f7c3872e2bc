// Package filter evaluates the filters of EC2 Describe operations: every named
// filter must match, a filter matches when one of its values does, values may
// hold the wildcards * and ? (a backslash takes their meaning away).
package filter

import (
	"slices"
	"strings"

	"neargate/wire/shape"
)

// maxValues is how many values a request's filters may have together.
const maxValues = 200

// Filter is one filter of a request.
type Filter struct {
	Name   string
	Values []string
}

// Tag is a key and a value.
type Tag struct{ Key, Value string }

// Set says which filters an operation knows.
type Set[T any] struct {
	Fields map[string]func(*T) []string // filter name to the values a resource has
	Tags   func(*T) []Tag               // for tag:KEY and tag-key; nil when untagged
}

// Match reports whether a resource passes the filters it was compiled from.
type Match[T any] func(*T) bool

// Compile checks the filters and returns what they select. Unknown names are
// refused with AWS's error.
func (s Set[T]) Compile(filters []Filter) (Match[T], error) {
	total := 0
	var tests []Match[T]
	for _, f := range filters {
		values := s.values(f.Name)
		if values == nil || len(f.Values) == 0 {
			return nil, shape.Errorf("InvalidParameterValue", "The filter '%s' is invalid", f.Name)
		}
		if total += len(f.Values); total > maxValues {
			return nil, shape.Errorf("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxValues)
		}
		tests = append(tests, func(r *T) bool {
			return slices.ContainsFunc(values(r), func(v string) bool {
				return slices.ContainsFunc(f.Values, func(p string) bool { return glob(p, v) })
			})
		})
	}
	return func(r *T) bool {
		return !slices.ContainsFunc(tests, func(test Match[T]) bool { return !test(r) })
	}, nil
}

// values returns how to get at what the filter looks at; nil for an unknown name.
func (s Set[T]) values(name string) func(*T) []string {
	if get, ok := s.Fields[name]; ok {
		return get
	}
	key, byKey := strings.CutPrefix(name, "tag:")
	if s.Tags == nil || !byKey && name != "tag-key" {
		return nil
	}
	return func(r *T) []string {
		var out []string
		for _, t := range s.Tags(r) {
			if !byKey {
				out = append(out, t.Key)
			} else if t.Key == key {
				out = append(out, t.Value)
			}
		}
		return out
	}
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
