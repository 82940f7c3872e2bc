package expr

import (
	"math"
	"regexp"
	"strings"
)

// Record is what an expression is evaluated over.
type Record interface {
	// Field is the value of a field, null if there is none of that name.
	Field(name string) Value
}

// Node is a compiled expression. It keeps no state.
type Node interface {
	Eval(r Record) Value
}

// Field is the expression that a field's name is.
type Field string

// Eval implements Node.
func (f Field) Eval(r Record) Value { return r.Field(string(f)) }

type constant struct{ value Value }

func (c constant) Eval(Record) Value { return c.value }

// Constant reports the value of a node that is the same for every record.
func Constant(n Node) (Value, bool) {
	c, ok := n.(constant)
	return c.value, ok
}

type logic struct {
	left, right Node
	or          bool
}

func (n logic) Eval(r Record) Value {
	if n.left.Eval(r).True() == n.or {
		return Truth(n.or)
	}
	return Truth(n.right.Eval(r).True())
}

type negation struct{ node Node }

func (n negation) Eval(r Record) Value { return Truth(!n.node.Eval(r).True()) }

type equality struct {
	left, right Node
	not         bool
}

func (n equality) Eval(r Record) Value { return Truth(Equal(n.left.Eval(r), n.right.Eval(r)) != n.not) }

type ordering struct {
	left, right Node
	holds       func(c int) bool
}

func (n ordering) Eval(r Record) Value {
	c, ok := compare(n.left.Eval(r), n.right.Eval(r))
	return Truth(ok && n.holds(c))
}

type matching struct {
	node Node
	re   *regexp.Regexp
}

func (n matching) Eval(r Record) Value {
	v := n.node.Eval(r)
	return Truth(!v.IsNull() && n.re.MatchString(v.Text()))
}

type containing struct {
	node Node
	text string
}

func (n containing) Eval(r Record) Value {
	v := n.node.Eval(r)
	return Truth(!v.IsNull() && strings.Contains(v.Text(), n.text))
}

type membership struct {
	value Node
	set   []Node
}

func (n membership) Eval(r Record) Value {
	v := n.value.Eval(r)
	for _, m := range n.set {
		if Equal(v, m.Eval(r)) {
			return Truth(true)
		}
	}
	return Truth(false)
}

type arithmetic struct {
	left, right Node
	apply       func(a, b float64) float64
}

var operations = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b },
	"-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b },
	"/": func(a, b float64) float64 { return a / b },
	"%": math.Mod,
	"^": math.Pow,
}

// Eval is null where an operand is no number, and for a division by zero.
func (n arithmetic) Eval(r Record) Value {
	a, ok := n.left.Eval(r).Number()
	if !ok {
		return Value{}
	}
	b, ok := n.right.Eval(r).Number()
	if !ok {
		return Value{}
	}
	return Num(n.apply(a, b))
}

type invocation struct {
	args     []Node
	function function
}

func (n invocation) Eval(r Record) Value {
	if n.function.period {
		at := r.Field("@timestamp")
		if len(n.args) > 1 {
			at = n.args[0].Eval(r)
		}
		return n.function.round(at, n.args[len(n.args)-1].(period))
	}
	var few [4]Value
	args := few[:0]
	for _, a := range n.args {
		args = append(args, a.Eval(r))
	}
	v := n.function.apply(args)
	if len(v.text) > maxText {
		return Value{}
	}
	return v
}
