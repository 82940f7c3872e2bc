// Package query reads and evaluates the cluster query language, in which filters
// of ListContainerInstances and memberOf placement constraints are written. It is
// pure.
//
//	expression = term { ("and" | "&&" | "or" | "||") term }     and binds tighter
//	term       = ("not" | "!") term | "(" expression ")" | subject operator [argument]
//
// Source: Cluster query language, Amazon ECS Developer Guide.
package query

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxLength bounds an expression. Source: PlacementConstraint API reference.
const maxLength = 2000

// Values returns what a container instance has for a subject such as
// "attribute:ecs.os-type", "agentConnected" or "task:group"; nothing when it has
// no such attribute.
type Values func(subject string) []string

// Expr is a parsed expression.
type Expr struct {
	match func(Values) bool
}

// Match reports whether an instance with the values satisfies the expression.
func (e Expr) Match(v Values) bool { return e.match(v) }

// Parse reads an expression.
func Parse(s string) (Expr, error) {
	if len(s) > maxLength {
		return Expr{}, errors.New("expression is longer than 2000 characters")
	}
	tokens, err := lex(s)
	if err != nil {
		return Expr{}, err
	}
	p := &parser{tokens: tokens}
	m, err := p.expression()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("unexpected %q", p.peek().text)
	}
	return Expr{m}, err
}

// token is a word, a quoted string, or a symbol.
type token struct {
	text   string
	quoted bool
}

var lexeme = regexp.MustCompile(`^(?:"[^"]*"|'[^']*'|!exists|!in|==|!=|>=|<=|=~|!~|&&|\|\||[()\[\],<>!]|[^\s()\[\],<>!="'&|]+(?:[^\s()\[\],"'<>]*[^\s()\[\],<>!="'&|])?)`)

func lex(s string) ([]token, error) {
	var out []token
	pattern := false // the next word is a regular expression
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return out, nil
		}
		text := lexeme.FindString(s)
		if pattern && text != "" && text[0] != '"' && text[0] != '\'' {
			text = s[:wordEnd(s)]
		}
		if text == "" {
			return nil, fmt.Errorf("unexpected %q", s[:1])
		}
		s = s[len(text):]
		pattern = text == "=~" || text == "!~" || text == "matches" || text == "not_matches"
		if text[0] == '"' || text[0] == '\'' {
			out = append(out, token{text[1 : len(text)-1], true})
			continue
		}
		out = append(out, token{text: text})
	}
}

// wordEnd is where an unquoted regular expression ends: at a blank, or at a
// closing parenthesis it did not open.
func wordEnd(s string) int {
	depth := 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return i
			}
		case ' ', '\t', '\r', '\n':
			return i
		}
	}
	return len(s)
}

type parser struct {
	tokens []token
	at     int
}

func (p *parser) peek() token {
	if p.at == len(p.tokens) {
		return token{}
	}
	return p.tokens[p.at]
}

func (p *parser) next() token {
	t := p.peek()
	if p.at < len(p.tokens) {
		p.at++
	}
	return t
}

// accept consumes the next token if it is one of the symbols.
func (p *parser) accept(symbols ...string) bool {
	t := p.peek()
	if p.at < len(p.tokens) && !t.quoted && slices.Contains(symbols, t.text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expression() (func(Values) bool, error) {
	return p.chain(p.conjunction, func(a, b bool) bool { return a || b }, "or", "||")
}

func (p *parser) conjunction() (func(Values) bool, error) {
	return p.chain(p.term, func(a, b bool) bool { return a && b }, "and", "&&")
}

func (p *parser) chain(operand func() (func(Values) bool, error), join func(a, b bool) bool, symbols ...string) (func(Values) bool, error) {
	left, err := operand()
	for err == nil && p.accept(symbols...) {
		var right func(Values) bool
		if right, err = operand(); err == nil {
			l := left
			left = func(v Values) bool { return join(l(v), right(v)) }
		}
	}
	return left, err
}

func (p *parser) term() (func(Values) bool, error) {
	if p.accept("not", "!") {
		m, err := p.term()
		return func(v Values) bool { return !m(v) }, err
	}
	if p.accept("(") {
		m, err := p.expression()
		if err == nil && !p.accept(")") {
			err = errors.New("missing )")
		}
		return m, err
	}
	return p.comparison()
}

var subject = regexp.MustCompile(`^(agentConnected|agentVersion|ec2InstanceId|registeredAt|runningTasksCount|task:group|attribute:[a-zA-Z0-9_./:-]+)$`)

func (p *parser) comparison() (func(Values) bool, error) {
	s := p.next()
	if s.quoted || !subject.MatchString(s.text) {
		return nil, fmt.Errorf("unknown subject %q", s.text)
	}
	op := p.next()
	switch op.text {
	case "exists":
		return func(v Values) bool { return len(v(s.text)) > 0 }, nil
	case "!exists", "not_exists":
		return func(v Values) bool { return len(v(s.text)) == 0 }, nil
	case "in", "!in", "not_in":
		list, err := p.list()
		want := op.text == "in"
		return func(v Values) bool {
			return slices.ContainsFunc(v(s.text), func(x string) bool { return slices.Contains(list, x) }) == want
		}, err
	case "=~", "matches", "!~", "not_matches":
		arg, err := p.argument()
		if err != nil {
			return nil, err
		}
		re, err := regexp.Compile(`^(?:` + arg + `)$`)
		if err != nil {
			return nil, fmt.Errorf("bad pattern %q", arg)
		}
		want := op.text == "=~" || op.text == "matches"
		return func(v Values) bool { return slices.ContainsFunc(v(s.text), re.MatchString) == want }, nil
	}
	order, ok := orders[op.text]
	if !ok {
		return nil, fmt.Errorf("unknown operator %q", op.text)
	}
	arg, err := p.argument()
	return func(v Values) bool {
		has := slices.ContainsFunc(v(s.text), func(x string) bool { return order.holds(compare(x, arg)) })
		return has != order.negated
	}, err
}

// order is a comparison; a negated one holds when no value satisfies it.
type order struct {
	holds   func(c int) bool
	negated bool
}

func equal(c int) bool          { return c == 0 }
func greater(c int) bool        { return c > 0 }
func greaterOrEqual(c int) bool { return c >= 0 }
func less(c int) bool           { return c < 0 }
func lessOrEqual(c int) bool    { return c <= 0 }

var orders = map[string]order{
	"==": {equal, false}, "equals": {equal, false}, "!=": {equal, true}, "not_equals": {equal, true},
	">": {greater, false}, "greater_than": {greater, false}, ">=": {greaterOrEqual, false}, "greater_than_equal": {greaterOrEqual, false},
	"<": {less, false}, "less_than": {less, false}, "<=": {lessOrEqual, false}, "less_than_equal": {lessOrEqual, false},
}

func (p *parser) argument() (string, error) {
	t := p.next()
	if !t.quoted && (t.text == "" || strings.Contains("()[],<>!", t.text)) {
		return "", errors.New("missing argument")
	}
	return t.text, nil
}

func (p *parser) list() ([]string, error) {
	if !p.accept("[") {
		return nil, errors.New("missing [")
	}
	var items []string
	for {
		arg, err := p.argument()
		if err != nil {
			return nil, err
		}
		items = append(items, arg)
		if p.accept("]") {
			return items, nil
		}
		if !p.accept(",") {
			return nil, errors.New("missing ]")
		}
	}
}

// compare orders two values: as numbers where both are, as dotted versions where
// both are, else as text, which also orders ISO 8601 times.
func compare(a, b string) int {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	if errA == nil && errB == nil {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	if u, v := version(a), version(b); u != nil && v != nil {
		return slices.Compare(u, v)
	}
	return strings.Compare(a, b)
}

// version reads 1.2.3; nil when s is not a version.
func version(s string) []int {
	var parts []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil
		}
		parts = append(parts, n)
	}
	return parts
}
