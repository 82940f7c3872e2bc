package zone

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of domain names. Source: RFC 1035, 2.3.4.
const (
	maxLabel = 63
	maxName  = 255
)

// NameError says what is wrong with a name in the words of Route 53.
type NameError struct{ Problem, Text, Name string }

// Error implements error.
func (e *NameError) Error() string {
	return fmt.Sprintf("FATAL problem: %s (%s) encountered with '%s'", e.Problem, e.Text, e.Name)
}

// Canonical is a domain name as Route 53 keeps and shows it: lower case, with the
// last dot, and every character but letters, digits, '-' and '_' as \ and three
// octal digits. Text may be written in either way. Source: Amazon Route 53
// Developer Guide, DNS domain name format.
func Canonical(s string) (string, error) {
	fail := func(problem, text string) (string, error) { return "", &NameError{problem, text, s} }
	if s == "." {
		return s, nil
	}
	if s == "" {
		return fail("DomainLabelEmpty", "Domain label is empty")
	}
	var out strings.Builder
	total, label := 1, 0
	text := strings.TrimSuffix(s, ".") + "."
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '.' {
			switch {
			case label == 0:
				return fail("DomainLabelEmpty", "Domain label is empty")
			case label > maxLabel:
				return fail("DomainLabelTooLong", "Domain label is too long")
			}
			if total += label + 1; total > maxName {
				return fail("DomainNameTooLong", "Domain name is too long")
			}
			label = 0
			out.WriteByte('.')
			continue
		}
		if c == '\\' {
			octal, ok := octalAt(text[i+1:])
			if !ok {
				return fail("InvalidEscape", "Escape sequence is not valid")
			}
			c, i = octal, i+3
		} else if c <= ' ' || c >= 0x7f {
			return fail("UnsupportedCharacter", "Value contains unsupported characters")
		}
		label++
		out.WriteString(escaped(c))
	}
	return out.String(), nil
}

// octalAt reads the three octal digits that text begins with.
func octalAt(text string) (byte, bool) {
	if len(text) < 3 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(text[:3]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n*8 + int(c-'0')
	}
	return byte(n), n < 256
}

// escaped is a character of a label as it is kept.
func escaped(c byte) string {
	switch {
	case c >= 'A' && c <= 'Z':
		c += 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
	default:
		return fmt.Sprintf(`\%03o`, c)
	}
	return string(rune(c))
}

// FromLabels is the canonical name of labels as they stand in DNS messages.
func FromLabels(labels [][]byte) string {
	var out strings.Builder
	for _, l := range labels {
		for _, c := range l {
			out.WriteString(escaped(c))
		}
		out.WriteByte('.')
	}
	if out.Len() == 0 {
		return "."
	}
	return out.String()
}

// Unescape is the text of a canonical name, or of a quoted string, with its octal
// escapes undone; ok is false where a backslash begins none.
func Unescape(s string) (text []byte, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			text = append(text, s[i])
			continue
		}
		c, ok := octalAt(s[i+1:])
		if !ok {
			return nil, false
		}
		text, i = append(text, c), i+3
	}
	return text, true
}

// Order is what canonical names are sorted by: their labels from the last to the
// first. A name's Order begins those of all names below it.
func Order(name string) string {
	if name == "." {
		return "."
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// Parent is the name without its first label; "." for a name of one label.
func Parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	if rest == "" {
		return "."
	}
	return rest
}

// Wildcard is the name that matches what is below a name and is not there.
func Wildcard(name string) string {
	if name == "." {
		return `\052.`
	}
	return `\052.` + name
}
