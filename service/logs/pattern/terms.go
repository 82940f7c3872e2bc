package pattern

import (
	"strings"
	"unicode"
)

// terms are the parts of a pattern without structure.
type terms struct {
	all, any, none []func(string) bool
	regexes        int
}

// compileTerms reads terms: all of them must be in a message, but those with a
// hyphen must not, and of those with a question mark one must, unless there are
// others.
func compileTerms(text string) (*Pattern, error) {
	var t terms
	for rest := text; rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		list := &t.all
		switch rest[0] {
		case '?':
			list, rest = &t.any, rest[1:]
		case '-':
			list, rest = &t.none, rest[1:]
		}
		match, after, err := t.cut(rest)
		if err != nil {
			return nil, err
		}
		*list, rest = append(*list, match), after
	}
	if len(t.all)+len(t.none) > 0 {
		t.any = nil
	}
	return &Pattern{match: t.match, extract: func(string) map[string]string { return map[string]string{} }}, nil
}

// cut reads one term.
func (t *terms) cut(s string) (match func(string) bool, rest string, err error) {
	term := upTo(s, unicode.IsSpace)
	if term == "" {
		return nil, "", ErrInvalid
	}
	switch term[0] {
	case '"':
		term, rest, err = cutQuoted(s)
	case '%':
		if term, rest, err = cutRegex(s); err != nil {
			return nil, "", err
		}
		re, err := compileRegex(term)
		if t.regexes++; t.regexes > maxRegexes {
			err = ErrInvalid
		}
		if err != nil {
			return nil, "", err
		}
		return re.MatchString, rest, nil
	default:
		rest = s[len(term):]
		if strings.ContainsFunc(term, func(r rune) bool { return !wordRune(r) }) {
			err = badTerm(term)
		}
	}
	return func(message string) bool { return strings.Contains(message, term) }, rest, err
}

func (t *terms) match(message string) bool {
	for _, has := range t.all {
		if !has(message) {
			return false
		}
	}
	for _, has := range t.none {
		if has(message) {
			return false
		}
	}
	for _, has := range t.any {
		if has(message) {
			return true
		}
	}
	return len(t.any) == 0
}
