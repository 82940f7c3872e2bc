package insights

import (
	"fmt"
	"regexp"
	"strings"

	"neargate/service/logs/insights/expr"
)

// extraction is the parse command: names for parts of a field.
type extraction struct {
	field expr.Node
	names []string
	// match cuts a text into the parts; nil if it does not match.
	match func(text string) []string
}

func (c *compiler) parse() (step, error) {
	e := extraction{field: expr.Field("@message")}
	if t := c.Peek(); t.Class != expr.Literal && t.Class != expr.Regex {
		name, err := c.Name()
		if err != nil {
			return nil, err
		}
		e.field = expr.Field(name)
	}
	t, err := c.Take(expr.Literal, expr.Regex)
	if err != nil {
		return nil, err
	}
	if t.Class == expr.Regex {
		err = c.parseRegex(t, &e)
	} else {
		err = c.parseGlob(t, &e)
	}
	for _, n := range e.names {
		c.show(n)
	}
	return e, err
}

func (c *compiler) parseRegex(t expr.Token, e *extraction) error {
	re, err := c.Regexp(t)
	if err != nil {
		return err
	}
	var groups []int
	for i, name := range re.SubexpNames() {
		if name != "" {
			groups, e.names = append(groups, i), append(e.names, name)
		}
	}
	if len(groups) == 0 {
		return c.Fail(t, "the regular expression has no named capturing group")
	}
	e.match = func(text string) []string { return submatches(re, groups, text) }
	return nil
}

func submatches(re *regexp.Regexp, groups []int, text string) []string {
	m := re.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	out := make([]string, len(groups))
	for i, g := range groups {
		out[i] = m[g]
	}
	return out
}

// parseGlob reads the names for the asterisks of a glob expression.
func (c *compiler) parseGlob(t expr.Token, e *extraction) error {
	if err := c.Expect("as"); err != nil {
		return err
	}
	for {
		name, err := c.Name()
		if err != nil {
			return err
		}
		e.names = append(e.names, name)
		if !c.Accept(",") {
			break
		}
	}
	literals := strings.Split(t.Text, "*")
	if len(literals)-1 != len(e.names) {
		return c.Fail(t, fmt.Sprintf("the expression has %d wildcards and %d names", len(literals)-1, len(e.names)))
	}
	e.match = func(text string) []string { return glob(literals, text) }
	return nil
}

// glob finds the literals one after the other anywhere in a text and returns
// what is between them. An asterisk at the end stands for all that is left.
func glob(literals []string, text string) []string {
	at := strings.Index(text, literals[0])
	if at < 0 {
		return nil
	}
	rest := text[at+len(literals[0]):]
	var out []string
	for i, l := range literals[1:] {
		end := strings.Index(rest, l)
		if l == "" && i == len(literals)-2 {
			end = len(rest)
		}
		if end < 0 {
			return nil
		}
		out = append(out, rest[:end])
		rest = rest[end+len(l):]
	}
	return out
}

func (e extraction) start(_ *Run, next stage, _ []step) stage {
	return each(next, func(r *row) error {
		v := e.field.Eval(r)
		if v.IsNull() {
			return next.push(r)
		}
		for i, part := range e.match(v.Text()) {
			r.set(e.names[i], expr.String(part))
		}
		return next.push(r)
	})
}
