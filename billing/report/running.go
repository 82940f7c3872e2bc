package report

import (
	"context"
	"fmt"

	"neargate/resource/billing"
)

// runningBy is what a bill of running tasks tells them apart by.
var runningBy = []string{"cluster", "service", "task-definition", "task"}

// running adds a row for each task that runs, with what it has cost so far.
func (r Request) running(ctx context.Context, b Book, p *priced, out *Report) error {
	if len(r.GroupBy) > 0 {
		return fmt.Errorf("what runs is listed by task, not by %s", r.GroupBy[0])
	}
	records, err := b.Running(ctx, r.Account)
	if err != nil {
		return err
	}
	out.GroupBy = runningBy
	rows, order := map[string]*Row{}, []string{}
	for i := range records {
		n := records[i].On(&p.terms)
		id := n.Account + n.Region + n.Cluster + n.Task
		row := rows[id]
		if row == nil {
			row = &Row{Start: n.Start, End: n.End, Keys: []string{n.Cluster, n.Service, n.Definition(), n.Task}}
			rows[id], order = row, append(order, id)
		}
		if n.Start.Before(row.Start) {
			row.Start = n.Start
		}
		if err := row.charge(p, n, out); err != nil {
			return err
		}
	}
	for _, id := range order {
		out.Rows = append(out.Rows, *rows[id])
		out.Cost = out.Cost.Add(rows[id].Cost)
	}
	return nil
}

// charge adds a record to the row.
func (row *Row) charge(p *priced, n *billing.Record, out *Report) error {
	lines, err := p.charge(n)
	if err != nil {
		used := n.Dimension.Quantity(n.Seconds*n.Units, n.Start)
		row.use(n.Dimension, used, n.Dimension.Unit())
		row.Lines = append(row.Lines, Line{n.UsageType(), used, n.Dimension.Unit(), nil, billing.Decimal{}})
		out.note("not in the sum: " + err.Error())
		return nil
	}
	for _, l := range lines {
		row.use(l.Dimension, l.Quantity, l.Unit)
		row.Lines = append(row.Lines, Line{l.UsageType, l.Quantity, l.Unit, new(l.Price), l.Net})
		row.Cost = row.Cost.Add(l.Net)
	}
	return nil
}

// charge prices one record.
func (p *priced) charge(n *billing.Record) ([]billing.Line, error) {
	l, err := p.list(n.Region)
	if err != nil {
		return nil, err
	}
	return l.ChargeUse(n.Use(), n.Start, n.Seconds)
}
