package pattern

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of tokens.
type kind int

const (
	end    kind = iota
	symbol      // an operator, a parenthesis or a comma
	word        // neither quoted nor an expression
	quoted      // in double quotes; text is what they hold
	regex       // in percent signs; text is what they hold
)

type token struct {
	kind kind
	text string
	rest string // the pattern from the token's start on
}

func (t token) is(text string) bool { return (t.kind == symbol || t.kind == word) && t.text == text }

// lexer cuts the inside of a JSON or a field pattern into tokens. The token
// ahead is tok.
type lexer struct {
	rest    string
	tok     token
	regexes int
}

func newLexer(text string) (*lexer, error) {
	l := &lexer{rest: text}
	return l, l.next()
}

// symbols are tried in order: a longer one before those it starts with.
var symbols = []string{"&&", "||", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "!", "&", "|"}

const separators = "()=!<>&|,\"%"

// next reads the next token.
func (l *lexer) next() error {
	l.rest = strings.TrimLeftFunc(l.rest, unicode.IsSpace)
	t := token{rest: l.rest}
	var err error
	switch {
	case l.rest == "":
	case l.rest[0] == '"':
		t.kind = quoted
		t.text, l.rest, err = cutQuoted(l.rest)
	case l.rest[0] == '%':
		t.kind = regex
		l.regexes++
		t.text, l.rest, err = cutRegex(l.rest)
	default:
		t.kind, t.text = word, ""
		for _, s := range symbols {
			if strings.HasPrefix(l.rest, s) {
				t.kind, t.text = symbol, s
				break
			}
		}
		if t.kind == word {
			t.text = upTo(l.rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(separators, r) })
		}
		l.rest = l.rest[len(t.text):]
	}
	if l.regexes > maxRegexes {
		err = ErrInvalid
	}
	l.tok = t
	return err
}

// upTo is the part of s before the first rune that stop accepts.
func upTo(s string, stop func(rune) bool) string {
	if i := strings.IndexFunc(s, stop); i >= 0 {
		return s[:i]
	}
	return s
}

// cutQuoted reads a text in double quotes, in which a backslash escapes a quote
// or a backslash.
func cutQuoted(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", ErrInvalid
}

// cutRegex reads an expression in percent signs.
func cutRegex(s string) (text, rest string, err error) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '%':
			return s[1:i], s[i+1:], nil
		case s[i] == '\\':
			i++
		case !regexChar(s[i]):
			return "", "", badTerm(throughRune(s, i))
		}
	}
	return "", "", ErrInvalid
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// offending is the start of a text up to and with the first character, after its
// first, that cannot be in a term.
func offending(s string) string {
	for i, r := range s {
		switch {
		case i == 0 || wordRune(r):
		case unicode.IsSpace(r):
			return s[:i]
		default:
			return throughRune(s, i)
		}
	}
	return s
}

// throughRune is s up to and with the character at i.
func throughRune(s string, i int) string {
	_, n := utf8.DecodeRuneInString(s[i:])
	return s[:i+n]
}

// parseAny reads conditions joined by "||", of those joined by "&&", in
// parentheses or not; condition reads a single one.
func parseAny[T any](l *lexer, condition func() (func(T) bool, error)) (func(T) bool, error) {
	return parseJoined(l, "||", true, func() (func(T) bool, error) {
		return parseJoined(l, "&&", false, func() (func(T) bool, error) {
			if !l.tok.is("(") {
				return condition()
			}
			if err := l.next(); err != nil {
				return nil, err
			}
			inner, err := parseAny(l, condition)
			if err != nil {
				return nil, err
			}
			if !l.tok.is(")") {
				return nil, ErrInvalid
			}
			return inner, l.next()
		})
	})
}

// parseJoined reads parts joined by an operator. The whole is decided by the
// first part that gives the deciding value.
func parseJoined[T any](l *lexer, operator string, decides bool, part func() (func(T) bool, error)) (func(T) bool, error) {
	first, err := part()
	if err != nil || !l.tok.is(operator) {
		return first, err
	}
	parts := []func(T) bool{first}
	for l.tok.is(operator) {
		if err := l.next(); err != nil {
			return nil, err
		}
		p, err := part()
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return func(v T) bool {
		for _, p := range parts {
			if p(v) == decides {
				return decides
			}
		}
		return !decides
	}, nil
}
