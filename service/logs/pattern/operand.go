package pattern

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxRegexes is how many regular expressions a pattern may have.
const maxRegexes = 2

// regexChar reports whether a byte may be in a regular expression other than
// after a backslash: there are no groups, for instance.
func regexChar(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		strings.IndexByte("_#=@/;,-: ^$?[]{}|*+.", b) >= 0
}

func compileRegex(text string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil || text == "" {
		return nil, ErrInvalid
	}
	return re, nil
}

// comparison is an operator with its right-hand side.
type comparison struct {
	operator string
	number   *float64       // a number, not in quotes
	re       *regexp.Regexp // an expression
	glob     []string       // else: a text, split at its wildcards
	quoted   bool
}

var operators = []string{"=", "!=", "<", "<=", ">", ">="}

// parseComparison reads an operator and a value.
func parseComparison(l *lexer) (c comparison, err error) {
	if l.tok.kind != symbol || !slices.Contains(operators, l.tok.text) {
		return c, ErrInvalid
	}
	c.operator = l.tok.text
	if err := l.next(); err != nil {
		return c, err
	}
	t := l.tok
	switch t.kind {
	case quoted:
		c.quoted, c.glob = true, strings.Split(t.text, "*")
	case regex:
		if c.re, err = compileRegex(t.text); err != nil {
			return c, err
		}
	case word:
		if strings.ContainsFunc(t.text, func(r rune) bool { return !wordRune(r) && !strings.ContainsRune(".*+-", r) }) {
			return c, badTerm(t.text)
		}
		if n, ok := parseNumber(t.text); ok {
			c.number = &n
		} else {
			c.glob = strings.Split(t.text, "*")
		}
	default:
		return c, ErrInvalid
	}
	if c.number == nil && c.operator != "=" && c.operator != "!=" {
		if c.re != nil {
			return c, ErrInvalid
		}
		return c, badTerm(strings.TrimSuffix(t.rest, l.rest))
	}
	return c, l.next()
}

// parseNumber reads a decimal number, with or without an exponent.
func parseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// text compares with a text.
func (c *comparison) text(s string) bool {
	switch {
	case c.number != nil:
		return c.operator == "!="
	case c.re != nil:
		return c.re.MatchString(s) == (c.operator == "=")
	}
	return globMatch(c.glob, s) == (c.operator == "=")
}

// numeric compares with a number written as s.
func (c *comparison) numeric(s string) bool {
	if c.number == nil {
		if c.quoted {
			return c.operator == "!="
		}
		return c.text(s)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return c.operator == "!="
	}
	order := cmp.Compare(n, *c.number)
	switch c.operator {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// field compares with a field of a message, a number where the pattern has one.
func (c *comparison) field(s string) bool {
	if c.number != nil {
		return c.numeric(s)
	}
	return c.text(s)
}

// globMatch reports whether s is the parts with anything between them.
func globMatch(parts []string, s string) bool {
	last := len(parts) - 1
	if last == 0 {
		return s == parts[0]
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1:last] {
		_, after, found := strings.Cut(s, p)
		if !found {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, parts[last])
}
