// Package report makes bills of recorded usage: what was used and what it costs,
// by time and by whose, what and where it is.
package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"neargate/billing/estimate"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
)

// Book is where usage is read.
type Book interface {
	Rows(ctx context.Context, s billing.Scan) iter.Seq2[billing.Row, error]
	Recount(ctx context.Context, s billing.Scan, t *billing.Terms) iter.Seq2[billing.Row, error]
	Records(ctx context.Context, to time.Time, account string) iter.Seq2[billing.Record, error]
	Running(ctx context.Context, account string) ([]billing.Record, error)
}

// Request is what is asked of a bill, as neargate bill sends it to the daemon.
type Request struct {
	From, To time.Time  // on the hour; To is not in it
	By       costs.Step // "" for one sum of all
	GroupBy  []string   // names that costs.By knows
	Account  string     // "": all
	Running  bool       // of the tasks that run now, each by itself, instead of a time

	Prices []byte // a price list of a region; AWS's are those of the others
	estimate.Knobs
}

// Report is a bill. Amounts are exact until they are printed.
type Report struct {
	From     time.Time       `json:"from,omitzero"`
	To       time.Time       `json:"to,omitzero"`
	At       time.Time       `json:"at"` // when it was made
	Currency string          `json:"currency"`
	GroupBy  []string        `json:"groupBy"`
	Rows     []Row           `json:"rows"`
	Cost     billing.Decimal `json:"cost"`
	Notes    []string        `json:"notes,omitempty"`
	Decimals int             `json:"decimals"`
	By       costs.Step      `json:"by,omitempty"`
}

// Row is what one group used in one period.
type Row struct {
	Start  time.Time       `json:"start"`
	End    time.Time       `json:"end"`
	Keys   []string        `json:"keys"`
	VCPU   billing.Decimal `json:"vcpuHours"`
	Memory billing.Decimal `json:"gbHours"`
	Disk   billing.Decimal `json:"storageGBHours"`
	IPv4   billing.Decimal `json:"ipv4Hours"`
	Cost   billing.Decimal `json:"cost"`
	Lines  []Line          `json:"lines"`
}

// Line is a row's usage of one usage type at one price.
type Line struct {
	UsageType string           `json:"usageType"`
	Quantity  billing.Decimal  `json:"quantity"`
	Unit      string           `json:"unit"`
	Price     *billing.Decimal `json:"price"` // null: none is known, and it is not in Cost
	Cost      billing.Decimal  `json:"cost"`
}

// maxPeriods bounds how many periods a bill may have.
const maxPeriods = 10_000

// Report answers the request at a time.
func (r Request) Report(ctx context.Context, b Book, now time.Time) (*Report, error) {
	p, err := r.prices()
	if err != nil {
		return nil, err
	}
	out := &Report{At: now.UTC(), GroupBy: r.GroupBy, Currency: p.currency(), Decimals: p.terms.Decimals}
	if r.Running {
		return out, r.running(ctx, b, p, out)
	}
	q, err := r.query()
	if err != nil {
		return nil, err
	}
	out.From, out.To, out.By = r.From, r.To, r.By
	sheet := costs.NewSheet(q, p.list)
	for row, err := range r.rows(ctx, b, p) {
		if err != nil {
			return nil, err
		}
		sheet.Add(row)
	}
	for _, c := range sheet.Cells() {
		out.add(&c)
	}
	return out, nil
}

func (r Request) query() (q costs.Query, err error) {
	q = costs.Query{From: r.From, To: r.To, Step: r.By}
	if q.Step == "" {
		q.Step = costs.Total
	}
	hourly := func(t time.Time) bool { return t.Truncate(time.Hour).Equal(t) }
	switch {
	case !slices.Contains([]costs.Step{costs.Total, costs.Hourly, costs.Daily, costs.Monthly}, q.Step):
		return q, fmt.Errorf("%q is no step: hourly, daily or monthly", q.Step)
	case !r.From.Before(r.To):
		return q, errors.New("the time ends before it begins")
	case !hourly(r.From) || !hourly(r.To):
		return q, errors.New("the time is to begin and end on the hour")
	case len(r.GroupBy) > 8:
		return q, errors.New("grouped by too much")
	case q.Step == costs.Hourly && r.To.Sub(r.From) > maxPeriods*time.Hour:
		return q, errors.New("the time is too long by the hour")
	}
	for _, name := range r.GroupBy {
		g, err := costs.By(name)
		if err != nil {
			return q, err
		}
		q.GroupBy = append(q.GroupBy, g)
	}
	return q, nil
}

// rows reads the usage in as little detail as the request needs.
func (r Request) rows(ctx context.Context, b Book, p *priced) iter.Seq2[billing.Row, error] {
	s := billing.Scan{From: r.From, To: r.To, Hours: r.By == costs.Hourly, Account: r.Account}
	for _, name := range r.GroupBy {
		s.Tags = s.Tags || len(name) > 4 && name[:4] == "tag:"
	}
	if p.recount() {
		return b.Recount(ctx, s, &p.terms)
	}
	return b.Rows(ctx, s)
}

func (r *Report) add(c *costs.Cell) {
	row := Row{Start: c.Start, End: c.End, Keys: c.Keys, Cost: c.Cost()}
	for _, n := range c.Lines {
		row.use(n.Dimension, n.Quantity, n.Unit)
		row.Lines = append(row.Lines, Line{n.UsageType, n.Quantity, n.Unit, new(n.Price), n.Net})
	}
	for _, f := range c.Unpriced {
		row.use(f.Dimension, f.Quantity, f.Dimension.Unit())
		row.Lines = append(row.Lines, Line{f.UsageType, f.Quantity, f.Dimension.Unit(), nil, billing.Decimal{}})
		r.note("not in the sum: " + f.Why.Error())
	}
	r.Cost = r.Cost.Add(row.Cost)
	r.Rows = append(r.Rows, row)
}

func (r *Report) note(s string) {
	if !slices.Contains(r.Notes, s) {
		r.Notes = append(r.Notes, s)
	}
}

func (r *Row) use(d billing.Dimension, quantity billing.Decimal, unit string) {
	if unit != d.Unit() {
		quantity = quantity.Mul(billing.Ratio(1, 3600))
	}
	switch d.Kind() {
	case billing.KindCPU:
		r.VCPU = r.VCPU.Add(quantity)
	case billing.KindMemory:
		r.Memory = r.Memory.Add(quantity)
	case billing.KindStorage:
		r.Disk = r.Disk.Add(quantity)
	case billing.KindAddress:
		r.IPv4 = r.IPv4.Add(quantity)
	}
}
