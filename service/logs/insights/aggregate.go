package insights

import (
	"errors"
	"math"

	"neargate/service/logs/insights/expr"
)

// aggregate sums up values that are there, and says how much more memory it
// needs with one more.
type aggregate interface {
	add(v expr.Value, r *row) int64
	result() expr.Value
}

var (
	errArguments  = errors.New("wrong number of arguments")
	errPercentile = errors.New("the percentile must be a number from 0 to 100")
)

// aggregations make the aggregate of each function from its arguments.
var aggregations = map[string]func(args []expr.Arg) (func() aggregate, error){
	"count": func(args []expr.Arg) (func() aggregate, error) {
		if len(args) > 1 {
			return nil, errArguments
		}
		return func() aggregate { return new(counter) }, nil
	},
	"count_distinct": one(func() aggregate { return &distinctCount{} }),
	"sum":            one(func() aggregate { return &moments{show: (*moments).total} }),
	"avg":            one(func() aggregate { return &moments{show: (*moments).mean} }),
	"stddev":         one(func() aggregate { return &moments{show: (*moments).deviation} }),
	"min":            one(func() aggregate { return &extreme{sign: -1} }),
	"max":            one(func() aggregate { return &extreme{sign: 1} }),
	"sortsfirst":     one(func() aggregate { return &extreme{sign: -1} }),
	"sortslast":      one(func() aggregate { return &extreme{sign: 1} }),
	"earliest":       one(func() aggregate { return &atTime{sign: -1} }),
	"latest":         one(func() aggregate { return &atTime{sign: 1} }),
	"pct": func(args []expr.Arg) (func() aggregate, error) {
		if len(args) != 2 || args[0].Node == nil || args[1].Node == nil {
			return nil, errArguments
		}
		v, ok := expr.Constant(args[1].Node)
		p, isNumber := v.Number()
		if !ok || !isNumber || p < 0 || p > 100 {
			return nil, errPercentile
		}
		return func() aggregate { return &percentile{percent: p} }, nil
	},
}

// one is a function of one argument.
func one(f func() aggregate) func([]expr.Arg) (func() aggregate, error) {
	return func(args []expr.Arg) (func() aggregate, error) {
		if len(args) != 1 || args[0].Node == nil {
			return nil, errArguments
		}
		return f, nil
	}
}

type counter int64

func (c *counter) add(expr.Value, *row) int64 {
	*c++
	return 0
}

func (c *counter) result() expr.Value { return expr.Num(float64(*c)) }

// moments are the count, mean and squared deviations of the numbers among the
// values, kept by Welford's method.
type moments struct {
	n, sum, average, squares float64
	show                     func(*moments) float64
}

func (m *moments) add(v expr.Value, _ *row) int64 {
	x, ok := v.Number()
	if !ok {
		return 0
	}
	m.n++
	m.sum += x
	delta := x - m.average
	m.average += delta / m.n
	m.squares += delta * (x - m.average)
	return 0
}

func (m *moments) result() expr.Value {
	if m.n == 0 {
		return expr.Value{}
	}
	return expr.Num(m.show(m))
}

func (m *moments) total() float64     { return m.sum }
func (m *moments) mean() float64      { return m.sum / m.n }
func (m *moments) deviation() float64 { return math.Sqrt(m.squares / m.n) }

// extreme is the first or last value in the order of sort.
type extreme struct {
	sign int
	best expr.Value
}

func (e *extreme) add(v expr.Value, _ *row) int64 {
	if !e.best.IsNull() && expr.Natural(v, e.best)*e.sign <= 0 {
		return 0
	}
	grown := int64(len(v.Text()) - len(e.best.Text()))
	e.best = bare(v)
	return grown
}

func (e *extreme) result() expr.Value { return e.best }

// bare is a time as the number it is, as aggregations show it.
func bare(v expr.Value) expr.Value {
	if n, ok := v.Number(); ok && v.Kind() == expr.Time {
		return expr.Num(n)
	}
	return v
}

// atTime is the value of the earliest or latest event; among events of one time,
// of the one that was stored first or last. Without events, it is the last or
// first row's, as they come latest first.
type atTime struct {
	sign  int
	value expr.Value
	event *Event
}

func (a *atTime) add(v expr.Value, r *row) int64 {
	switch {
	case a.value.IsNull():
	case r.event == nil || a.event == nil:
		if a.sign > 0 {
			return 0
		}
	case r.event.At.Compare(a.event.At)*a.sign <= 0:
		return 0
	}
	grown := int64(len(v.Text()) - len(a.value.Text()))
	a.value, a.event = bare(v), nil
	if r.event != nil {
		a.event = &Event{}
		a.event.At = r.event.At
	}
	return grown
}

func (a *atTime) result() expr.Value { return a.value }
