package policy

import (
	"strings"
	"unicode/utf16"
)

// glob is a pattern: UTF-16 units, and the two wildcards.
type glob []int32

const (
	anyRun  int32 = -1 // *
	anyUnit int32 = -2 // ?
)

// compile makes a glob of a pattern. Variables are expanded to their literal
// value, if wanted; ok is false when one has no value.
func compile(pattern string, ctx Context, variables bool) (g glob, ok bool) {
	for pattern != "" {
		if variables && strings.HasPrefix(pattern, "${") {
			if end := strings.IndexByte(pattern, '}'); end > 0 {
				value, found := expand(pattern[2:end], ctx)
				if !found {
					return nil, false
				}
				g = g.literal(value)
				pattern = pattern[end+1:]
				continue
			}
		}
		n := 1
		switch pattern[0] {
		case '*':
			g = append(g, anyRun)
		case '?':
			g = append(g, anyUnit)
		default:
			if i := strings.IndexAny(pattern[1:], "*?$"); i >= 0 {
				n = i + 1
			} else {
				n = len(pattern)
			}
			g = g.literal(pattern[:n])
		}
		pattern = pattern[n:]
	}
	return g, true
}

// compileLiteral expands the variables of a text that is no pattern.
func compileLiteral(text string, ctx Context) (string, bool) {
	if !strings.Contains(text, "${") {
		return text, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		name, rest, closed := strings.Cut(after, "}")
		if !found || !closed {
			b.WriteString(text)
			return b.String(), true
		}
		value, ok := expand(name, ctx)
		if !ok {
			return "", false
		}
		b.WriteString(before)
		b.WriteString(value)
		text = rest
	}
}

// expand is the value of a policy variable: a single-valued key, with an
// optional default as in ${key, 'default'}, or one of the characters *, ? and $.
func expand(variable string, ctx Context) (string, bool) {
	if variable == "*" || variable == "?" || variable == "$" {
		return variable, true
	}
	key, fallback, has := strings.Cut(variable, ",")
	if v, ok := ctx.value(strings.TrimSpace(key)); ok {
		return v, true
	}
	fallback = strings.TrimSpace(fallback)
	if !has || len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
		return "", false
	}
	return fallback[1 : len(fallback)-1], true
}

func (g glob) literal(s string) glob {
	for _, u := range utf16.Encode([]rune(s)) {
		g = append(g, int32(u))
	}
	return g
}

// match reports whether the whole of s fits the pattern.
func (g glob) match(s string) bool {
	units := utf16.Encode([]rune(s))
	i, j, star, mark := 0, 0, -1, 0
	for j < len(units) {
		switch {
		case i < len(g) && g[i] == anyRun:
			star, mark = i, j
			i++
		case i < len(g) && (g[i] == anyUnit || g[i] == int32(units[j])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(g) && g[i] == anyRun {
		i++
	}
	return i == len(g)
}

// splitARN splits a pattern at its first five colons that are in no variable.
func splitARN(pattern string) []string {
	var fields []string
	start, inside := 0, false
	for i := 0; i < len(pattern) && len(fields) < 5; i++ {
		switch {
		case strings.HasPrefix(pattern[i:], "${"):
			inside = true
		case pattern[i] == '}':
			inside = false
		case pattern[i] == ':' && !inside:
			fields = append(fields, pattern[start:i])
			start = i + 1
		}
	}
	return append(fields, pattern[start:])
}
