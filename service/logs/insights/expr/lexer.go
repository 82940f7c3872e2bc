package expr

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is a query that cannot be compiled, and where it is wrong: offsets in
// characters from the start of the query, the end exclusive.
type Error struct {
	Message    string
	Start, End int
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Class says what a token is.
type Class uint8

// The classes of tokens. A period is a number with a unit of time.
const (
	End Class = iota
	Word
	Quoted // a name in backticks
	Literal
	Digits
	Period
	Regex
	Symbol
)

// Token is one token of a query.
type Token struct {
	Class      Class
	Text       string // without quotes
	Start, End int    // bytes in the query
}

// Is reports whether the token is a word, whatever its case, or a symbol.
func (t Token) Is(text string) bool {
	return t.Class == Symbol && t.Text == text || t.Class == Word && strings.EqualFold(t.Text, text)
}

// symbols, longer ones before their beginnings.
var symbols = []string{"!=", "<=", ">=", "=~", "=", "<", ">", "(", ")", "[", "]", ",", "|", "+", "-", "*", "/", "%", "^", "."}

// scan cuts a query into tokens. A slash begins a regular expression where a
// value is expected: at the start, after a symbol other than ) and ], and after
// a word of the language.
func scan(text string) ([]Token, error) {
	l := lexer{text: text}
	for l.skip(); l.at < len(text); l.skip() {
		start := l.at
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		t.Start, t.End = start, l.at
		l.tokens = append(l.tokens, t)
	}
	return append(l.tokens, Token{Class: End, Start: len(text), End: len(text)}), nil
}

type lexer struct {
	text   string
	at     int
	tokens []Token
}

// skip passes over blanks and comments.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.at:])
		switch {
		case r == '#':
			end := strings.IndexByte(l.text[l.at:], '\n')
			if end < 0 {
				end = len(l.text) - l.at
			}
			l.at += end
		case unicode.IsSpace(r):
			l.at += n
		default:
			return
		}
	}
}

func (l *lexer) next() (Token, error) {
	c := l.text[l.at]
	switch {
	case c == '"' || c == '\'':
		return l.quoted(c, Literal)
	case c == '`':
		return l.quoted(c, Quoted)
	case c == '/' && l.expectsValue():
		return l.regex()
	case digit(c):
		return l.number(), nil
	case c == '@' || c == '_' || c == '$' || unicode.IsLetter(l.rune()):
		return l.word(), nil
	}
	for _, s := range symbols {
		if strings.HasPrefix(l.text[l.at:], s) {
			l.at += len(s)
			return Token{Class: Symbol, Text: s}, nil
		}
	}
	r, n := utf8.DecodeRuneInString(l.text[l.at:])
	return Token{}, l.fail(fmt.Sprintf("unexpected symbol found %c", r), l.at, l.at+n)
}

func (l *lexer) rune() rune {
	r, _ := utf8.DecodeRuneInString(l.text[l.at:])
	return r
}

// fail makes an error at a place in bytes.
func (l *lexer) fail(message string, start, end int) error {
	return errorAt(l.text, message, start, end)
}

func errorAt(text, message string, start, end int) error {
	end = min(max(end, start), len(text))
	return &Error{message, utf8.RuneCountInString(text[:start]), utf8.RuneCountInString(text[:end])}
}

func (l *lexer) expectsValue() bool {
	if len(l.tokens) == 0 {
		return true
	}
	last := l.tokens[len(l.tokens)-1]
	switch last.Class {
	case Symbol:
		return last.Text != ")" && last.Text != "]"
	case Word:
		for _, w := range []string{"like", "parse", "and", "or", "not", "in"} {
			if last.Is(w) {
				return true
			}
		}
		// parse FIELD /regex/
		return len(l.tokens) > 1 && l.tokens[len(l.tokens)-2].Is("parse")
	case Quoted:
		return len(l.tokens) > 1 && l.tokens[len(l.tokens)-2].Is("parse")
	}
	return false
}

// quoted reads up to the closing quote; a backslash before a quote or another
// backslash, and \n, \t, \r, stand for one character, any other for itself.
func (l *lexer) quoted(quote byte, class Class) (Token, error) {
	start := l.at
	var b strings.Builder
	for i := l.at + 1; i < len(l.text); i++ {
		c := l.text[i]
		switch {
		case c == quote:
			l.at = i + 1
			return Token{Class: class, Text: b.String()}, nil
		case c == '\\' && class == Literal && i+1 < len(l.text):
			if s, ok := escapes[l.text[i+1]]; ok {
				b.WriteString(s)
				i++
				continue
			}
		}
		b.WriteByte(c)
	}
	return Token{}, l.fail("unclosed quotation", start, len(l.text))
}

var escapes = map[byte]string{'"': `"`, '\'': `'`, '\\': `\`, 'n': "\n", 't': "\t", 'r': "\r"}

// regex reads up to a slash that is neither escaped nor in brackets. An escaped
// slash is a slash.
func (l *lexer) regex() (Token, error) {
	start, class := l.at, false
	var b strings.Builder
	for i := l.at + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\\' && i+1 < len(l.text):
			i++
			if l.text[i] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(l.text[i])
			continue
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			l.at = i + 1
			return Token{Class: Regex, Text: b.String()}, nil
		}
		b.WriteByte(l.text[i])
	}
	return Token{}, l.fail("unclosed regular expression", start, len(l.text))
}

// number reads digits with an optional fraction, and letters right after them
// as the unit of a period.
func (l *lexer) number() Token {
	start := l.at
	digits := func() {
		for l.at < len(l.text) && digit(l.text[l.at]) {
			l.at++
		}
	}
	digits()
	if l.at+1 < len(l.text) && l.text[l.at] == '.' && digit(l.text[l.at+1]) {
		l.at++
		digits()
	}
	class := Digits
	for l.at < len(l.text) && unicode.IsLetter(l.rune()) {
		class = Period
		l.at += utf8.RuneLen(l.rune())
	}
	return Token{Class: class, Text: l.text[start:l.at]}
}

// word reads a name; dots join the parts of a path.
func (l *lexer) word() Token {
	start := l.at
	for l.at < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.at:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '@' && r != '.' && r != '$' {
			break
		}
		l.at += n
	}
	for l.text[l.at-1] == '.' {
		l.at-- // a dot at the end is followed by a name in backticks
	}
	return Token{Class: Word, Text: l.text[start:l.at]}
}
