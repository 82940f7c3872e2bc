// Package costs adds usage up and prices the sums: by time, and by whose, what and
// where it is. Sums are whole numbers until they are priced, and amounts are exact.
package costs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"neargate/resource/billing"
)

// Step is how long the periods are that sums are for.
type Step string

// The steps. Total is one period for all.
const (
	Total   Step = "TOTAL"
	Hourly  Step = "HOURLY"
	Daily   Step = "DAILY"
	Monthly Step = "MONTHLY"
)

// Query says what is added up, and how it is told apart.
type Query struct {
	From, To time.Time
	Step     Step
	GroupBy  []Group
	Keep     func(*billing.Labels) bool // nil: all
}

// Group tells usage apart by one of its labels.
type Group func(*billing.Labels) string

// Cell is what one group used in one period.
type Cell struct {
	Start, End time.Time
	Keys       []string // by the query's groups
	Lines      []billing.Line
	Records    int64  // usage records that began in it
	Unpriced   []Free // usage that no price is known for
}

// Free is usage without a price.
type Free struct {
	Dimension billing.Dimension
	UsageType string
	Quantity  billing.Decimal
	Why       error
}

// Cost is what the cell's usage costs, as far as prices are known.
func (c *Cell) Cost() billing.Decimal { return billing.Total(c.Lines) }

// Prices give the price list of a region.
type Prices func(region string) (*billing.List, error)

// known bounds what a sheet remembers of labels; rows share them.
const known = 1 << 15

// Sheet adds rows up. It is not for concurrent use.
type Sheet struct {
	q      Query
	prices Prices
	lists  map[string]listed
	groups map[string]int
	keys   [][]string
	seen   map[*billing.Labels]label
	sums   map[place]*sum
	counts map[cell]int64
}

type listed struct {
	list *billing.List
	err  error
}

// cell is a period and a group, place is what of it has one price.
type cell struct {
	start int64
	group int
}

type place struct {
	cell
	region    string
	dimension billing.Dimension
	price     int   // how many prices began before
	month     int64 // when the month begins, where it matters
}

type sum struct {
	at     time.Time // a time at which its price holds
	amount int64
}

// label is what is known of labels.
type label struct {
	keep   bool
	group  int
	prices []billing.Price
}

// NewSheet is an empty sheet.
func NewSheet(q Query, p Prices) *Sheet {
	return &Sheet{
		q: q, prices: p, lists: map[string]listed{}, groups: map[string]int{},
		seen: map[*billing.Labels]label{}, sums: map[place]*sum{}, counts: map[cell]int64{},
	}
}

// Add adds a row; one from outside the query's time is left out.
func (s *Sheet) Add(r billing.Row) {
	if r.At.Before(s.q.From) || !r.At.Before(s.q.To) {
		return
	}
	l, ok := s.seen[r.Labels]
	if !ok {
		l = s.label(r.Labels)
		if len(s.seen) >= known {
			clear(s.seen)
		}
		s.seen[r.Labels] = l
	}
	if !l.keep {
		return
	}
	c := cell{s.start(r.At).Unix(), l.group}
	p := place{cell: c, region: r.Region, dimension: r.Dimension}
	if r.Dimension.Monthly() {
		begin, _ := billing.Month(r.At)
		p.month = begin.Unix()
	}
	for p.price < len(l.prices) && !r.At.Before(l.prices[p.price].From.Time) {
		p.price++
	}
	n := s.sums[p]
	if n == nil {
		n = &sum{at: r.At}
		s.sums[p] = n
	}
	n.amount += r.Amount
	s.counts[c] += r.Records
}

func (s *Sheet) label(l *billing.Labels) label {
	if s.q.Keep != nil && !s.q.Keep(l) {
		return label{}
	}
	keys := make([]string, len(s.q.GroupBy))
	for i, g := range s.q.GroupBy {
		keys[i] = g(l)
	}
	name := strings.Join(keys, "\x00")
	n, ok := s.groups[name]
	if !ok {
		n = len(s.keys)
		s.groups[name], s.keys = n, append(s.keys, keys)
	}
	out := label{keep: true, group: n}
	if p := s.list(l.Region); p.err == nil {
		out.prices = p.list.Prices(l.Dimension)
	}
	return out
}

func (s *Sheet) list(region string) listed {
	l, ok := s.lists[region]
	if !ok {
		l.list, l.err = s.prices(region)
		s.lists[region] = l
	}
	return l
}

// start is when the period begins that t is in.
func (s *Sheet) start(t time.Time) time.Time {
	t = t.UTC()
	at := s.q.From
	switch s.q.Step {
	case Hourly:
		at = t.Truncate(time.Hour)
	case Daily:
		at = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	case Monthly:
		at = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	if at.Before(s.q.From) {
		return s.q.From
	}
	return at
}

// Periods are the query's periods, in order.
func (q Query) Periods() (out [][2]time.Time) {
	for at := q.From; at.Before(q.To); {
		next := q.next(at)
		out = append(out, [2]time.Time{at, next})
		at = next
	}
	return out
}

// next is when the period ends that begins at a time.
func (q Query) next(at time.Time) time.Time {
	at = at.UTC()
	end := q.To
	switch q.Step {
	case Hourly:
		end = at.Truncate(time.Hour).Add(time.Hour)
	case Daily:
		end = time.Date(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, 0, time.UTC)
	case Monthly:
		end = time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	if end.After(q.To) {
		return q.To
	}
	return end
}

// Cells are the sums, priced, by period and then by keys. A period or group
// without usage has none.
func (s *Sheet) Cells() []Cell {
	cells := map[cell]*Cell{}
	places := make([]place, 0, len(s.sums))
	for p := range s.sums {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.region, b.region), cmp.Compare(a.dimension, b.dimension), cmp.Compare(a.price, b.price), cmp.Compare(a.month, b.month))
	})
	for _, p := range places {
		c := cells[p.cell]
		if c == nil {
			start := time.Unix(p.start, 0).UTC()
			c = &Cell{Start: start, End: s.q.next(start), Keys: s.keys[p.group], Records: s.counts[p.cell]}
			cells[p.cell] = c
		}
		s.price(c, p, s.sums[p])
	}
	out := make([]Cell, 0, len(cells))
	for _, c := range cells {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Cell) int {
		return cmp.Or(a.Start.Compare(b.Start), slices.Compare(a.Keys, b.Keys))
	})
	return out
}

func (s *Sheet) price(c *Cell, p place, n *sum) {
	used := p.dimension.Quantity(n.amount, n.at)
	free := Free{Dimension: p.dimension, UsageType: p.dimension.Usage(), Quantity: used}
	l := s.list(p.region)
	if l.err == nil {
		line, err := l.list.Hour(billing.Use{Dimension: p.dimension, Amount: used}, n.at)
		if err == nil {
			c.Lines = append(c.Lines, line)
			return
		}
		l.err, free.UsageType = err, p.dimension.UsageType(p.region, l.list.Code)
	}
	free.Why = l.err
	c.Unpriced = append(c.Unpriced, free)
}

// By is a way to tell usage apart, by the name users give it.
func By(name string) (Group, error) {
	if key, ok := strings.CutPrefix(name, "tag:"); ok && key != "" {
		return func(l *billing.Labels) string { return l.Tag(key) }, nil
	}
	g, ok := map[string]Group{
		"account":         func(l *billing.Labels) string { return l.Account },
		"region":          func(l *billing.Labels) string { return l.Region },
		"cluster":         func(l *billing.Labels) string { return l.Cluster },
		"service":         func(l *billing.Labels) string { return l.Service },
		"task-definition": func(l *billing.Labels) string { return l.Definition() },
		"usage-type":      func(l *billing.Labels) string { return l.UsageType() },
	}[name]
	if !ok {
		return nil, fmt.Errorf("%q is nothing to group by: account, region, cluster, service, task-definition, usage-type or tag:KEY", name)
	}
	return g, nil
}
