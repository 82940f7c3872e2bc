package insights

import (
	"errors"

	"neargate/resource/logs"
	"neargate/service/logs/insights/expr"
)

// ErrMemory ends a query that would take more memory than one may.
var ErrMemory = errors.New("insights: the query needs too much memory")

// memory is how many bytes a query may keep: rows, groups, and what aggregations
// remember.
const memory = 64 << 20

// Field is a field of a row of results.
type Field struct{ Name, Value string }

// Row is a row of results: the fields that have a value, in the order of the
// query's columns, and the event they are from.
type Row struct {
	Fields []Field
	Event  *Event // nil after stats
}

// Statistics say what a query has read: events, those that passed its filters,
// and the bytes of messages.
type Statistics struct{ Scanned, Matched, Bytes int64 }

// Run is a query while it runs: Add is called with each event, latest first, and
// End after the last.
type Run struct {
	query *Query
	first stage
	sink  *sink
	stats Statistics
	left  int64 // bytes of memory
	full  bool
}

// Start begins to run the query for at most max rows (0: MaxRows).
func (q *Query) Start(max int) *Run {
	if max <= 0 || max > MaxRows {
		max = MaxRows
	}
	r := &Run{query: q, left: memory}
	r.sink = &sink{run: r, max: max}
	var next stage = r.sink
	counted := q.counted()
	for i := len(q.steps); i >= 0; i-- {
		if i == counted {
			matched := next
			next = each(matched, func(w *row) error {
				r.stats.Matched++
				return matched.push(w)
			})
		}
		if i > 0 {
			next = q.steps[i-1].start(r, next, q.steps[i:])
		}
	}
	r.first = next
	return r
}

// counted is after how many steps an event counts as matched: the last filter
// before anything that gathers, orders or drops events for other reasons.
func (q *Query) counted() int {
	n := 0
	for i, s := range q.steps {
		switch s.(type) {
		case condition:
			n = i + 1
		case compute, extraction:
		default:
			return n
		}
	}
	return n
}

// Add runs the query on one more event.
func (r *Run) Add(e Event) error {
	r.stats.Scanned++
	r.stats.Bytes += int64(len(e.Message))
	return r.first.push(&row{event: &e})
}

// Full reports that no further event changes the results, nor needs to be
// counted.
func (r *Run) Full() bool { return r.full }

// End is called when there are no more events.
func (r *Run) End() error { return r.first.end() }

// Rows are the results so far. The caller must not change them.
func (r *Run) Rows() []Row { return r.sink.rows }

// Statistics says what has been read so far.
func (r *Run) Statistics() Statistics { return r.stats }

// take takes memory, or gives it back.
func (r *Run) take(n int64) error {
	if r.left -= n; r.left < 0 {
		return ErrMemory
	}
	return nil
}

// max is the most rows that are answered.
func (r *Run) max() int { return r.sink.max }

// stage is a command at work: it takes rows, and hands on what becomes of them.
type stage interface {
	push(r *row) error
	end() error
}

// pass is a stage that keeps no rows.
type pass struct {
	stage
	f func(r *row) error
}

func (p pass) push(r *row) error { return p.f(r) }

// each makes a stage of what is done with each row, before next.
func each(next stage, f func(r *row) error) stage { return pass{next, f} }

// sink is the end: it keeps what the rows show.
type sink struct {
	run  *Run
	max  int
	rows []Row
}

func (s *sink) push(r *row) error {
	if len(s.rows) == s.max {
		return nil
	}
	out := Row{Event: r.event}
	size := int64(rowOverhead)
	for _, name := range s.run.query.columns {
		v := r.Field(name)
		if v.IsNull() {
			continue
		}
		f := Field{name, v.Text()}
		size += int64(len(f.Value)) + valueOverhead
		out.Fields = append(out.Fields, f)
	}
	if r.event != nil { // where it is, without what it says
		out.Event = &Event{Event: logs.Event{Stream: r.event.Stream, At: r.event.At}, Log: r.event.Log, StreamName: r.event.StreamName}
	}
	s.rows = append(s.rows, out)
	return s.run.take(size)
}

func (s *sink) end() error { return nil }

// compute is fields and display: it gives names to values. All are worked out
// before the first gets its name.
type compute []item

func (c compute) start(_ *Run, next stage, _ []step) stage {
	return each(next, func(r *row) error {
		values := make([]expr.Value, len(c))
		for i, item := range c {
			if item.copy {
				values[i] = item.node.Eval(r)
			}
		}
		for i, item := range c {
			if item.copy {
				r.set(item.name, values[i])
			}
		}
		return next.push(r)
	})
}

// condition is filter.
type condition struct{ node expr.Node }

func (c condition) start(_ *Run, next stage, _ []step) stage {
	return each(next, func(r *row) error {
		if !c.node.Eval(r).True() {
			return nil
		}
		return next.push(r)
	})
}

// flattening is unnest: a row for each element of a list. A row without a list
// stays as it is.
type flattening struct {
	node expr.Node
	name string
}

func (f flattening) start(_ *Run, next stage, _ []step) stage {
	return each(next, func(r *row) error {
		items, ok := f.node.Eval(r).Items()
		if !ok {
			return next.push(r)
		}
		for _, v := range items {
			c := r.clone()
			c.set(f.name, v)
			if err := next.push(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// cut is limit.
type cut struct {
	rows    int
	anyRows bool // the query ends with the last of them
}

func (c cut) start(run *Run, next stage, _ []step) stage {
	n := 0
	return each(next, func(r *row) error {
		if n == c.rows {
			return nil
		}
		n++
		run.full = run.full || n == c.rows && c.anyRows
		return next.push(r)
	})
}

// distinct is dedup: the first row for each value of its fields. Rows that lack
// one of them all stay.
type distinct []expr.Node

func (d distinct) start(run *Run, next stage, after []step) stage {
	seen := map[string]bool{}
	n, most := 0, needed(run, after)
	return each(next, func(r *row) error {
		if most > 0 && n == most {
			return nil
		}
		key, complete := "", true
		for _, node := range d {
			v := node.Eval(r)
			complete = complete && !v.IsNull()
			key += v.Key() + "\x00"
		}
		if complete {
			if seen[key] {
				return nil
			}
			seen[key] = true
			if err := run.take(int64(len(key)) + valueOverhead); err != nil {
				return err
			}
		}
		n++
		return next.push(r)
	})
}

// needed is how many of the rows in order the later steps can show; 0 if that
// depends on what is in the rows.
func needed(run *Run, after []step) int {
	most := run.max()
	for _, s := range after {
		switch s := s.(type) {
		case compute, extraction:
		case cut:
			return min(most, s.rows)
		default:
			return 0
		}
	}
	return most
}
