// Package insights compiles and runs queries in the language of CloudWatch Logs
// Insights: fields, display, filter, parse, unnest, stats, sort, dedup and
// limit over log events. It knows neither where events come from nor where
// results go. Memory is bounded: a query that needs more fails.
// Source: Amazon CloudWatch Logs User Guide, "Logs Insights QL".
package insights

import (
	"fmt"
	"strconv"
	"strings"

	"neargate/service/logs/insights/expr"
)

// MaxRows is the most rows a query answers, and how many it does if it says
// nothing.
const MaxRows = 10_000

// Query is a compiled query. It can be run any number of times.
type Query struct {
	steps   []step
	columns []string
}

// step is a command: it makes what runs it, in front of next. The steps after it
// are given for what they allow it to forget.
type step interface {
	start(r *Run, next stage, after []step) stage
}

// implicit are the columns of a query that names none.
var implicit = []string{"@timestamp", "@message"}

// Compile reads a query. Its errors are *expr.Error.
func Compile(text string) (*Query, error) {
	p, err := expr.NewParser(text)
	if err != nil {
		return nil, err
	}
	c := compiler{Parser: p}
	for {
		if err := c.command(); err != nil {
			return nil, err
		}
		if p.Peek().Class == expr.End {
			break
		}
		if err := p.Expect("|"); err != nil {
			return nil, err
		}
	}
	return &Query{c.steps, c.output()}, nil
}

// compiler collects what the commands say.
type compiler struct {
	*expr.Parser
	steps   []step
	columns []string // named by fields, parse and stats
	display []string // by display; nil for all columns
	named   bool     // by fields or stats
	deduped bool     // after which only limit may come
}

func (c *compiler) output() []string {
	switch {
	case c.display != nil:
		return c.display
	case !c.named:
		return append(append([]string(nil), implicit...), c.columns...)
	}
	return c.columns
}

// commands read what follows a command's name.
var commands = map[string]func(*compiler) (step, error){
	"fields":      (*compiler).fields,
	"display":     (*compiler).displayed,
	"filter":      (*compiler).filter,
	"filterindex": (*compiler).filter,
	"parse":       (*compiler).parse,
	"unnest":      (*compiler).unnest,
	"stats":       (*compiler).stats,
	"sort":        (*compiler).sort,
	"dedup":       (*compiler).dedup,
	"limit":       (*compiler).limit,
}

func (c *compiler) command() error {
	t := c.Peek()
	read, ok := commands[strings.ToLower(t.Text)]
	if t.Class != expr.Word || !ok || c.deduped && !t.Is("limit") {
		return c.Unexpected()
	}
	c.Next()
	s, err := read(c)
	if err == nil {
		c.steps = append(c.steps, s)
	}
	return err
}

// show adds a column.
func (c *compiler) show(name string) {
	for _, n := range c.columns {
		if n == name {
			return
		}
	}
	c.columns = append(c.columns, name)
}

// item is an expression and the name its value gets; a plain field without an
// alias keeps its own.
type item struct {
	name string
	node expr.Node
	copy bool // the value is new under this name
}

func (c *compiler) item() (item, error) {
	start := c.Peek()
	n, err := c.Expr()
	if err != nil {
		return item{}, err
	}
	i := item{name: c.Since(start), node: n, copy: true}
	if f, ok := n.(expr.Field); ok {
		i.name, i.copy = string(f), false
	}
	if c.Accept("as") {
		if i.name, err = c.Name(); err != nil {
			return item{}, err
		}
		i.copy = true
	}
	return i, nil
}

func (c *compiler) items() ([]item, error) {
	var all []item
	for {
		i, err := c.item()
		if err != nil {
			return nil, err
		}
		all = append(all, i)
		if !c.Accept(",") {
			return all, nil
		}
	}
}

func (c *compiler) fields() (step, error) {
	all, err := c.items()
	for _, i := range all {
		c.show(i.name)
	}
	c.named = true
	return compute(all), err
}

func (c *compiler) displayed() (step, error) {
	all, err := c.items()
	c.display = []string{}
	for _, i := range all {
		c.display = append(c.display, i.name)
	}
	return compute(all), err
}

func (c *compiler) filter() (step, error) {
	n, err := c.Expr()
	return condition{n}, err
}

func (c *compiler) sort() (step, error) {
	var s sorting
	for {
		n, err := c.Expr()
		if err != nil {
			return nil, err
		}
		k := sortKey{node: n}
		if k.descending = c.Accept("desc"); !k.descending {
			c.Accept("asc")
		}
		s = append(s, k)
		if !c.Accept(",") {
			return s, nil
		}
	}
}

func (c *compiler) dedup() (step, error) {
	var d distinct
	for {
		n, err := c.Expr()
		if err != nil {
			return nil, err
		}
		d = append(d, n)
		if !c.Accept(",") {
			c.deduped = true
			return d, nil
		}
	}
}

func (c *compiler) limit() (step, error) {
	l := cut{anyRows: c.Accept("any")}
	t, err := c.Take(expr.Digits)
	if err != nil {
		return nil, err
	}
	if l.rows, err = strconv.Atoi(t.Text); err != nil || l.rows < 1 || l.rows > MaxRows {
		return nil, c.Fail(t, fmt.Sprintf("limit must be a number from 1 to %d, not %s", MaxRows, t.Text))
	}
	return l, nil
}

func (c *compiler) unnest() (step, error) {
	n, err := c.Expr()
	if err != nil {
		return nil, err
	}
	if err := c.Expect("into"); err != nil {
		return nil, err
	}
	name, err := c.Name()
	c.show(name)
	return flattening{n, name}, err
}
