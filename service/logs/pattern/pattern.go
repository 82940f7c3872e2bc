// Package pattern matches log messages against the filter patterns of Amazon
// CloudWatch Logs: terms, conditions on JSON, and conditions on fields separated
// by spaces. Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax".
package pattern

import (
	"errors"
	"strings"
)

// ErrInvalid reports a pattern that is wrong as a whole. Every other error of
// Compile carries the text that AWS answers.
var ErrInvalid = errors.New("invalid filter pattern")

// refusal is an error in AWS's words.
type refusal string

func (r refusal) Error() string { return string(r) }

// tooWild refuses a selector that asks for too much.
const tooWild refusal = "Your filter pattern has a JSON path selector that exceeds the maximum of 1 wildcard allowed per json selector."

func badTerm(term string) error { return refusal("Invalid character(s) in term '" + term + "'") }

// Pattern is a compiled filter pattern.
type Pattern struct {
	match   func(message string) bool
	extract func(message string) map[string]string
}

// Match reports whether a message matches.
func (p *Pattern) Match(message string) bool { return p.match(message) }

// Extract returns what the pattern names in a message that matches: fields by
// "$name", those without a name by "$" and their number, and JSON values by
// their selector. It is never nil.
func (p *Pattern) Extract(message string) map[string]string { return p.extract(message) }

// Compile reads a filter pattern. The empty pattern matches every message.
func Compile(text string) (*Pattern, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "{"):
		return compileJSON(text)
	case strings.HasPrefix(text, "["):
		return compileFields(text)
	}
	return compileTerms(text)
}

// inside returns what is between the first character of a text and close, its
// last.
func inside(text, close string) (string, error) {
	body, ok := strings.CutSuffix(text[1:], close)
	if !ok {
		return "", ErrInvalid
	}
	return body, nil
}
