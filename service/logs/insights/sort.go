package insights

import (
	"slices"

	"neargate/service/logs/insights/expr"
)

// sorting is the sort command.
type sorting []sortKey

type sortKey struct {
	node       expr.Node
	descending bool
}

func (s sorting) start(run *Run, next stage, after []step) stage {
	return &sorter{keys: s, run: run, next: next, keep: needed(run, after)}
}

// sorter keeps rows until the end. Where only the first are needed it forgets
// the others from time to time.
type sorter struct {
	keys sorting
	run  *Run
	next stage
	keep int // 0: all
	rows []sortedRow
}

type sortedRow struct {
	*row
	by    []expr.Value
	bytes int64
}

func (s *sorter) push(r *row) error {
	w := sortedRow{row: r, by: make([]expr.Value, len(s.keys)), bytes: r.size()}
	for i, k := range s.keys {
		w.by[i] = k.node.Eval(r)
	}
	r.tree, r.parsed = nil, false // is read again where it is needed
	s.rows = append(s.rows, w)
	if err := s.run.take(w.bytes); err != nil {
		s.order()
		if s.run.left < 0 {
			return err
		}
	}
	if s.keep > 0 && len(s.rows) >= 2*s.keep+1000 {
		s.order()
	}
	return nil
}

// order sorts what is there and forgets what is not needed.
func (s *sorter) order() {
	slices.SortStableFunc(s.rows, func(a, b sortedRow) int {
		for i, k := range s.keys {
			c := expr.Natural(a.by[i], b.by[i])
			if k.descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	if s.keep == 0 || len(s.rows) <= s.keep {
		return
	}
	for _, w := range s.rows[s.keep:] {
		s.run.left += w.bytes
	}
	clear(s.rows[s.keep:])
	s.rows = s.rows[:s.keep]
}

func (s *sorter) end() error {
	s.order()
	for _, w := range s.rows {
		s.run.left += w.bytes
		if err := s.next.push(w.row); err != nil {
			return err
		}
	}
	s.rows = nil
	return s.next.end()
}
