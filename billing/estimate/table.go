package estimate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"neargate/resource/billing"
)

// The digits after the point of amounts for a second and an hour.
const secondPlaces, hourPlaces = 10, 6

// Table prints an estimate for people: amounts of a month and of the schedule as
// money. Each is rounded by itself, so a column may differ from its total by a
// cent.
func (e *Estimate) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s, prices of %s in %s, amounts in %s\n", e.Region, e.PricesOf.Format(time.DateOnly), e.ListedIn, e.Currency)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, it := range e.Items {
		e.head(t, fmt.Sprintf("%d × %s", it.Count, it.Name))
		for _, n := range it.Lines {
			fmt.Fprintf(t, "%s\t%s\t%s", n.Price, n.Unit, e.amounts(n.Cost))
			if n.Quantity != nil {
				fmt.Fprintf(t, "%s\t%s\t", quantity(*n.Quantity), n.Cost.Total.Text(e.decimals))
			}
			fmt.Fprintf(t, " %s\n", n.UsageType)
		}
		e.sum(t, it.Cost)
	}
	if len(e.Items) != 1 {
		e.head(t, "Everything")
		e.sum(t, e.Cost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e.Schedule != nil {
		fmt.Fprintf(w, "\nTOTAL is for %d days with %d seconds a day.\n", e.Schedule.Days, e.Schedule.SecondsPerDay)
	}
	sources, disputed := e.sources()
	section(w, "Terms other than AWS's:", e.Terms)
	section(w, "Sources of the prices:", sources)
	section(w, "Other sources say:", disputed)
	section(w, "Not in this estimate:", e.Notes)
	return nil
}

// sources lists where the prices were read, and what disagrees with them.
func (e *Estimate) sources() (sources, disputed []string) {
	for _, it := range e.Items {
		for _, n := range it.Lines {
			if s := n.Source.Date.Format(time.DateOnly) + " " + n.Source.What; !slices.Contains(sources, s) {
				sources = append(sources, s)
			}
			for _, d := range n.Disputed {
				if s := n.UsageType + ": " + d; !slices.Contains(disputed, s) {
					disputed = append(disputed, s)
				}
			}
		}
	}
	slices.Sort(sources)
	return sources, disputed
}

func section(w io.Writer, title string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(w, "\n%s\n  %s\n", title, strings.Join(lines, "\n  "))
	}
}

func (e *Estimate) head(w io.Writer, title string) {
	fmt.Fprintf(w, "\n%s\nPRICE\tPER\tSECOND\tHOUR\t730 HOURS\t", title)
	if e.Schedule != nil {
		fmt.Fprint(w, "QUANTITY\tTOTAL\t")
	}
	fmt.Fprintln(w, " USAGE TYPE")
}

// sum prints a row of totals below a table's rows.
func (e *Estimate) sum(w io.Writer, c Cost) {
	fmt.Fprintf(w, "\t\t%s", e.amounts(c))
	if c.Total != nil {
		fmt.Fprintf(w, "\t%s\t", c.Total.Text(e.decimals))
	}
	fmt.Fprintln(w, " total")
}

func (e *Estimate) amounts(c Cost) string {
	return fmt.Sprintf("%s\t%s\t%s\t", c.Second.Text(secondPlaces), c.Hour.Text(hourPlaces), c.Month.Text(e.decimals))
}

// quantity prints a number of units without needless digits.
func quantity(d billing.Decimal) string {
	if s := d.String(); len(s) <= 12 {
		return s
	}
	return d.Text(4)
}
