package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"neargate/resource/billing"
)

// Print writes the report as table, csv or json.
func (r *Report) Print(w io.Writer, format string) error {
	switch format {
	case "table":
		return r.table(w)
	case "csv":
		return r.csv(w)
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return fmt.Errorf("--format: table, csv or json, not %q", format)
}

// Digits after the point of quantities in a table.
const quantityPlaces = 4

func (r *Report) table(w io.Writer) error {
	if r.From.IsZero() {
		fmt.Fprintf(w, "running at %s, in %s\n", r.At.Format(time.DateTime), r.Currency)
	} else {
		fmt.Fprintf(w, "%s to %s, in %s\n", r.when(r.From), r.when(r.To), r.Currency)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells []string) { fmt.Fprintln(t, strings.Join(cells, "\t")+"\t") }
	var head []string
	if r.since() {
		head = append(head, "SINCE")
	}
	for _, g := range r.GroupBy {
		head = append(head, title(g))
	}
	line(append(head, "vCPU-H", "GB-H", "DISK GB-H", "IPv4-H", "COST"))
	var sum Row
	for _, row := range r.Rows {
		var cells []string
		if r.since() {
			cells = append(cells, r.when(row.Start))
		}
		for _, k := range row.Keys {
			cells = append(cells, orDash(k))
		}
		line(append(cells, r.amounts(row)...))
		sum.VCPU, sum.Memory = sum.VCPU.Add(row.VCPU), sum.Memory.Add(row.Memory)
		sum.Disk, sum.IPv4, sum.Cost = sum.Disk.Add(row.Disk), sum.IPv4.Add(row.IPv4), r.Cost
	}
	if len(head) > 0 || len(r.Rows) == 0 {
		cells := make([]string, len(head))
		if len(cells) > 0 {
			cells[0] = "total"
		}
		line(append(cells, r.amounts(sum)...))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

func (r *Report) since() bool { return r.By != "" || r.From.IsZero() }

func (r *Report) amounts(row Row) []string {
	out := []string{}
	for _, d := range []billing.Decimal{row.VCPU, row.Memory, row.Disk, row.IPv4} {
		out = append(out, d.Text(quantityPlaces))
	}
	return append(out, row.Cost.Text(r.places()))
}

// places are the digits of money in a table: more than the terms' where the whole
// is so little that it would be 0.00.
func (r *Report) places() int {
	limit := billing.Int(1)
	if r.Cost.Cmp(limit) < 0 {
		return max(r.Decimals, 6)
	}
	return r.Decimals
}

func (r *Report) when(t time.Time) string {
	t = t.UTC()
	if t.Truncate(24 * time.Hour).Equal(t) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05Z")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// csv has a line for each row and usage type.
func (r *Report) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(append(append([]string{"start", "end"}, r.GroupBy...), "usageType", "quantity", "unit", "price", "cost", "currency")); err != nil {
		return err
	}
	for _, row := range r.Rows {
		for _, n := range row.Lines {
			price := ""
			if n.Price != nil {
				price = n.Price.String()
			}
			cells := append([]string{row.Start.UTC().Format(time.RFC3339), row.End.UTC().Format(time.RFC3339)}, row.Keys...)
			if err := c.Write(append(cells, n.UsageType, n.Quantity.String(), n.Unit, price, n.Cost.String(), r.Currency)); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

// title is the head of a column; keys of tags stay as they are.
func title(group string) string {
	if key, ok := strings.CutPrefix(group, "tag:"); ok {
		return key
	}
	return strings.ToUpper(strings.ReplaceAll(group, "-", " "))
}
