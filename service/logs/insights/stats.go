package insights

import (
	"fmt"
	"slices"
	"strings"

	"neargate/service/logs/insights/expr"
)

// summary is the stats command.
type summary struct {
	by    []item
	items []item
	calls []call // the aggregations in the items
}

// call is an aggregation in the query.
type call struct {
	new func() aggregate
	arg expr.Node // nil: the row itself
	at  expr.Token
}

// slot is a call's place among its group's aggregations.
type slot int

// Eval implements expr.Node over a group.
func (s slot) Eval(r expr.Record) expr.Value {
	g, ok := r.(*group)
	if !ok {
		return expr.Value{}
	}
	return g.aggregates[s].result()
}

func (c *compiler) stats() (step, error) {
	var s summary
	before := c.Call
	c.Call = s.call(c)
	items, err := c.items()
	c.Call = before
	if err != nil {
		return nil, err
	}
	if c.Accept("by") {
		if s.by, err = c.items(); err != nil {
			return nil, err
		}
	}
	s.items = items
	c.columns, c.display, c.named = nil, nil, true
	for _, i := range append(append([]item(nil), s.by...), s.items...) {
		c.show(i.name)
	}
	c.Call = c.result
	return s, nil
}

// result finds a column of stats by the text that made it, as in
// sort count(*).
func (c *compiler) result(name expr.Token, _ []expr.Arg) (expr.Node, error) {
	if text := c.Since(name); slices.Contains(c.columns, text) {
		return expr.Field(text), nil
	}
	return nil, nil
}

// call reads the aggregations among the functions.
func (s *summary) call(c *compiler) func(expr.Token, []expr.Arg) (expr.Node, error) {
	return func(name expr.Token, args []expr.Arg) (expr.Node, error) {
		read, ok := aggregations[strings.ToLower(name.Text)]
		if !ok {
			return nil, nil
		}
		for _, inner := range s.calls {
			if inner.at.Start > name.Start {
				return nil, c.Fail(inner.at, "aggregation functions cannot be nested")
			}
		}
		n := call{at: name}
		if len(args) > 0 {
			n.arg = args[0].Node
		}
		var err error
		if n.new, err = read(args); err != nil {
			return nil, c.Fail(name, fmt.Sprintf("%s for function %s", err, name.Text))
		}
		s.calls = append(s.calls, n)
		return slot(len(s.calls) - 1), nil
	}
}

func (s summary) start(run *Run, next stage, _ []step) stage {
	return &grouping{summary: s, run: run, next: next, groups: map[string]*group{}}
}

// grouping keeps the groups until the end, in the order they came in.
type grouping struct {
	summary
	run    *Run
	next   stage
	groups map[string]*group
	order  []*group
}

// group is the rows of equal values, as far as its aggregations remember them.
type group struct {
	row
	aggregates []aggregate
}

func (g *grouping) push(r *row) error {
	var few [4]expr.Value
	values, key := few[:0], ""
	for _, i := range g.by {
		v := i.node.Eval(r)
		values, key = append(values, v), key+v.Key()+"\x00"
	}
	to, ok := g.groups[key]
	if !ok {
		to = &group{}
		for i, by := range g.by {
			to.set(by.name, values[i])
		}
		for _, c := range g.calls {
			to.aggregates = append(to.aggregates, c.new())
		}
		g.groups[key] = to
		g.order = append(g.order, to)
		if err := g.run.take(to.size() + int64(len(key)+len(g.calls)*valueOverhead)); err != nil {
			return err
		}
	}
	for i, c := range g.calls {
		v := expr.Truth(true)
		if c.arg != nil {
			v = c.arg.Eval(r)
		}
		if v.IsNull() {
			continue
		}
		if n := to.aggregates[i].add(v, r); n > 0 {
			if err := g.run.take(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *grouping) end() error {
	for _, to := range g.order {
		for _, i := range g.items {
			to.set(i.name, i.node.Eval(to))
		}
		if err := g.next.push(&to.row); err != nil {
			return err
		}
	}
	g.groups, g.order = nil, nil
	return g.next.end()
}
