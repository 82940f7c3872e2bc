package policy

import "strings"

// pattern is a text with wildcards, taken apart once when the policy is parsed.
type pattern struct {
	text     string
	kind     kind
	fields   []pattern // of an ARN, six of them; nil when it cannot be one
	variable bool      // text holds ${…}, which are expanded for each request
}

// kind is how a pattern without variables is matched.
type kind int

const (
	anything kind = iota // *
	literal              // no wildcards
	wildcard             // wildcards among ASCII
	units                // wildcards and other characters, where ? is a UTF-16 unit
)

func newPattern(text string, variables bool) pattern {
	p := pattern{text: text, variable: variables && strings.Contains(text, "${")}
	switch {
	case text == "*":
		p.kind = anything
	case !strings.ContainsAny(text, "*?"):
		p.kind = literal
	case ascii(text):
		p.kind = wildcard
	default:
		p.kind = units
	}
	return p
}

// newARN is a pattern that is matched with ARNs, each of the six fields on its own.
func newARN(text string, variables bool) pattern {
	p := newPattern(text, variables)
	if fields := splitARN(text); len(fields) == 6 {
		for _, f := range fields {
			p.fields = append(p.fields, newPattern(f, variables))
		}
	}
	return p
}

// match reports whether the whole of s fits.
func (p *pattern) match(s string, ctx Context) bool {
	if p.variable {
		g, ok := compile(p.text, ctx, true)
		return ok && g.match(s)
	}
	switch p.kind {
	case anything:
		return true
	case literal:
		return p.text == s
	case wildcard:
		if ascii(s) {
			return wild(p.text, s, false)
		}
	}
	g, _ := compile(p.text, nil, false)
	return g.match(s)
}

// matchARN reports whether the ARN s fits. The pattern "*" fits whatever there is.
func (p *pattern) matchARN(s string, ctx Context) bool {
	if p.kind == anything {
		return true
	}
	if p.fields == nil || strings.Count(s, ":") < 5 {
		return false
	}
	for i := range 5 {
		field, rest, _ := strings.Cut(s, ":")
		if !p.fields[i].match(field, ctx) {
			return false
		}
		s = rest
	}
	return p.fields[5].match(s, ctx)
}

// matchAction matches an action without regard to case.
func (p *pattern) matchAction(s string) bool {
	switch p.kind {
	case anything:
		return true
	case literal:
		return len(p.text) == len(s) && strings.EqualFold(p.text, s)
	}
	return wild(p.text, s, true)
}

// wild matches byte by byte; with fold, ASCII letters in any case.
func wild(pattern, s string, fold bool) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j] || fold && lower(pattern[i]) == lower(s[j])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
