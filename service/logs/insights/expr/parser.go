package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxDepth bounds how deep expressions nest.
const maxDepth = 100

// Parser reads a query token by token.
type Parser struct {
	text   string
	tokens []Token
	at     int
	depth  int

	// Call, when set, is offered every call of a function before the package's
	// own functions are: the name and its arguments. It answers nil for a
	// function it does not know.
	Call func(name Token, args []Arg) (Node, error)
}

// Arg is an argument of a call: a node, and its text. A lone * is an argument
// without a node.
type Arg struct {
	Node Node
	Text string
}

// NewParser returns a parser of a query.
func NewParser(text string) (*Parser, error) {
	tokens, err := scan(text)
	if err != nil {
		return nil, err
	}
	return &Parser{text: text, tokens: tokens}, nil
}

// Peek is the next token.
func (p *Parser) Peek() Token { return p.tokens[p.at] }

// Next takes the next token; the end stays.
func (p *Parser) Next() Token {
	t := p.tokens[p.at]
	if t.Class != End {
		p.at++
	}
	return t
}

// Take takes the next token, which must be of one of the classes.
func (p *Parser) Take(classes ...Class) (Token, error) {
	if t := p.Peek(); slices.Contains(classes, t.Class) {
		return p.Next(), nil
	}
	return Token{}, p.Unexpected()
}

// Accept takes the next tokens if they are the given words or symbols.
func (p *Parser) Accept(texts ...string) bool {
	for i, text := range texts {
		if p.at+i >= len(p.tokens) || !p.tokens[p.at+i].Is(text) {
			return false
		}
	}
	p.at += len(texts)
	return true
}

// Expect takes the next token, which must be the given word or symbol.
func (p *Parser) Expect(text string) error {
	if !p.Accept(text) {
		return p.Unexpected()
	}
	return nil
}

// Unexpected is the error for the next token.
func (p *Parser) Unexpected() error {
	t := p.Peek()
	if t.Class == End {
		return p.Fail(t, "unexpected end of query")
	}
	return p.Fail(t, "unexpected symbol found "+p.text[t.Start:t.End])
}

// Fail is an error at a token.
func (p *Parser) Fail(t Token, message string) error {
	return errorAt(p.text, message, t.Start, t.End)
}

// Since is the query's text from a token up to the next one, without blanks
// around it.
func (p *Parser) Since(t Token) string {
	return strings.TrimSpace(p.text[t.Start:p.tokens[max(p.at-1, 0)].End])
}

// Name reads the name of a field: a word, or any text in backticks, and further
// parts of a path.
func (p *Parser) Name() (string, error) {
	t, err := p.Take(Word, Quoted)
	name := t.Text
	for err == nil {
		switch {
		case p.Accept("["):
			if t, err = p.Take(Digits); err == nil {
				err = p.Expect("]")
			}
		case p.Accept("."):
			t, err = p.Take(Word, Quoted)
		default:
			return name, nil
		}
		name += "." + t.Text
	}
	return "", err
}

// Expr reads an expression.
func (p *Parser) Expr() (Node, error) { return p.deeper(p.or) }

// deeper reads a part that may hold others of its kind.
func (p *Parser) deeper(read func() (Node, error)) (Node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.Fail(p.Peek(), "the expression is nested too deeply")
	}
	defer func() { p.depth-- }()
	return read()
}

func (p *Parser) or() (Node, error) {
	left, err := p.and()
	for err == nil && p.Accept("or") {
		var right Node
		right, err = p.and()
		left = logic{left, right, true}
	}
	return left, err
}

func (p *Parser) and() (Node, error) {
	left, err := p.not()
	for err == nil && p.Accept("and") {
		var right Node
		right, err = p.not()
		left = logic{left, right, false}
	}
	return left, err
}

func (p *Parser) not() (Node, error) {
	if !p.Peek().Is("not") {
		return p.comparison()
	}
	p.Next()
	n, err := p.deeper(p.not)
	return negation{n}, err
}

var comparisons = map[string]func(c int) bool{
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

func (p *Parser) comparison() (Node, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	for {
		n, err := p.compared(left)
		if n == nil || err != nil {
			return left, err
		}
		left = n
	}
}

// compared reads what a value is compared with; nil if with nothing.
func (p *Parser) compared(left Node) (Node, error) {
	t := p.Peek()
	switch {
	case p.Accept("="), p.Accept("!="):
		right, err := p.sum()
		return equality{left, right, t.Text == "!="}, err
	case t.Class == Symbol && comparisons[t.Text] != nil:
		p.Next()
		right, err := p.sum()
		return ordering{left, right, comparisons[t.Text]}, err
	case p.Accept("=~"), p.Accept("like"):
		return p.like(left)
	case p.Accept("not", "like"):
		n, err := p.like(left)
		return negation{n}, err
	case p.Accept("in"):
		return p.in(left)
	case p.Accept("not", "in"):
		n, err := p.in(left)
		return negation{n}, err
	}
	return nil, nil
}

// like reads a regular expression or a text to look for in a value.
func (p *Parser) like(left Node) (Node, error) {
	t, err := p.Take(Regex, Literal)
	if err != nil {
		return nil, err
	}
	if t.Class == Literal {
		return containing{left, t.Text}, nil
	}
	re, err := p.Regexp(t)
	return matching{left, re}, err
}

// Regexp compiles the regular expression of a token.
func (p *Parser) Regexp(t Token) (*regexp.Regexp, error) {
	re, err := regexp.Compile(t.Text)
	if err != nil {
		return nil, p.Fail(t, "invalid regular expression: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}

func (p *Parser) in(left Node) (Node, error) {
	if err := p.Expect("["); err != nil {
		return nil, err
	}
	n := membership{value: left}
	for {
		e, err := p.Expr()
		if err != nil {
			return nil, err
		}
		n.set = append(n.set, e)
		if p.Accept(",") {
			continue
		}
		return n, p.Expect("]")
	}
}

func (p *Parser) sum() (Node, error) {
	return p.binary(p.product, "+", "-")
}

func (p *Parser) product() (Node, error) {
	return p.binary(p.power, "*", "/", "%")
}

func (p *Parser) binary(operand func() (Node, error), operators ...string) (Node, error) {
	left, err := operand()
	for err == nil {
		t := p.Peek()
		if t.Class != Symbol || !slices.Contains(operators, t.Text) {
			return left, nil
		}
		p.Next()
		var right Node
		right, err = operand()
		left = arithmetic{left, right, operations[t.Text]}
	}
	return nil, err
}

func (p *Parser) power() (Node, error) {
	left, err := p.unary()
	if err != nil || !p.Accept("^") {
		return left, err
	}
	right, err := p.deeper(p.power)
	return arithmetic{left, right, operations["^"]}, err
}

func (p *Parser) unary() (Node, error) {
	if !p.Accept("-") {
		return p.primary()
	}
	n, err := p.deeper(p.unary)
	return arithmetic{constant{Num(0)}, n, operations["-"]}, err
}

func (p *Parser) primary() (Node, error) {
	t := p.Peek()
	switch {
	case p.Accept("("):
		n, err := p.Expr()
		if err != nil {
			return nil, err
		}
		return n, p.Expect(")")
	case t.Class == Literal:
		p.Next()
		return constant{String(t.Text)}, nil
	case t.Class == Digits:
		p.Next()
		f, ok := parseNumber(t.Text)
		if !ok {
			return nil, p.Fail(t, "unexpected symbol found "+t.Text)
		}
		return constant{Num(f)}, nil
	case t.Class == Period:
		p.Next()
		d, err := parsePeriod(t.Text)
		if err != nil {
			return nil, p.Fail(t, err.Error())
		}
		return d, nil
	case t.Class == Word && p.tokens[p.at+1].Is("("):
		return p.call()
	case (t.Is("true") || t.Is("false")) && t.Class == Word:
		p.Next()
		return constant{Truth(t.Is("true"))}, nil
	}
	name, err := p.Name()
	return Field(name), err
}

func (p *Parser) call() (Node, error) {
	name := p.Next()
	p.Next()
	args, err := p.args()
	if err != nil {
		return nil, err
	}
	if p.Call != nil {
		if n, err := p.Call(name, args); n != nil || err != nil {
			return n, err
		}
	}
	f, ok := functions[strings.ToLower(name.Text)]
	if !ok {
		return nil, p.Fail(name, "unknown function "+name.Text)
	}
	if len(args) < f.min || f.max >= 0 && len(args) > f.max {
		return nil, p.Fail(name, fmt.Sprintf("wrong number of arguments for function %s", name.Text))
	}
	nodes := make([]Node, len(args))
	for i, a := range args {
		_, isPeriod := a.Node.(period)
		if nodes[i] = a.Node; a.Node == nil || isPeriod != (f.period && i == f.max-1) {
			return nil, p.Fail(name, fmt.Sprintf("invalid argument %s for function %s", a.Text, name.Text))
		}
	}
	return invocation{nodes, f}, nil
}

func (p *Parser) args() ([]Arg, error) {
	var args []Arg
	if p.Accept(")") {
		return nil, nil
	}
	for {
		start := p.Peek()
		var a Arg
		if !p.Accept("*") {
			n, err := p.Expr()
			if err != nil {
				return nil, err
			}
			a.Node = n
		}
		a.Text = p.Since(start)
		args = append(args, a)
		if p.Accept(",") {
			continue
		}
		return args, p.Expect(")")
	}
}
