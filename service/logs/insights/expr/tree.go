package expr

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ParseJSON reads a text that is one JSON object or array.
func ParseJSON(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '{' && s[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	return v, true
}

// Lookup finds what a path leads to: names and, in arrays, numbers from 0, joined
// by dots. Names may hold dots themselves.
func Lookup(tree any, path string) (any, bool) {
	switch t := tree.(type) {
	case map[string]any:
		if v, ok := t[path]; ok {
			return v, true
		}
		for i := 0; i < len(path); i++ {
			if path[i] != '.' {
				continue
			}
			if below, ok := t[path[:i]]; ok {
				if v, ok := Lookup(below, path[i+1:]); ok {
					return v, true
				}
			}
		}
	case []any:
		first, rest, more := strings.Cut(path, ".")
		i, err := strconv.Atoi(first)
		if err != nil || i < 0 || i >= len(t) {
			return nil, false
		}
		if !more {
			return t[i], true
		}
		return Lookup(t[i], rest)
	}
	return nil, false
}

// Field is what a path leads to in a tree; null for any other value.
func (v Value) Field(path string) Value {
	found, ok := Lookup(v.tree, path)
	if !ok {
		return Value{}
	}
	return FromJSON(found)
}

// Items are the elements of an array.
func (v Value) Items() ([]Value, bool) {
	list, ok := v.tree.([]any)
	out := make([]Value, len(list))
	for i, x := range list {
		out[i] = FromJSON(x)
	}
	return out, ok
}

// Leaves calls yield with the path and the value of each leaf of a tree, in the
// order of paths, until it answers false.
func Leaves(tree any, yield func(path string, v Value) bool) bool {
	return leaves("", tree, yield)
}

func leaves(path string, tree any, yield func(string, Value) bool) bool {
	join := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch t := tree.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(t)) {
			if !leaves(join(name), t[name], yield) {
				return false
			}
		}
	case []any:
		for i, v := range t {
			if !leaves(join(fmt.Sprint(i)), v, yield) {
				return false
			}
		}
	default:
		if v := FromJSON(tree); !v.IsNull() && path != "" {
			return yield(path, v)
		}
	}
	return true
}
