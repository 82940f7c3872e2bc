// Package budget is what of an account's budgets is stored, and the time each is
// for.
package budget

import (
	"time"

	"neargate/arn"
	"neargate/resource/billing"
	"neargate/resource/billing/costs"
)

// Budget is a limit to what some usage may cost, or be, in each of its periods.
type Budget struct {
	Account, Name string
	Type          string // COST, USAGE
	Unit          Unit
	Start, End    time.Time
	Limit         *Spend              `json:",omitempty"`
	Planned       map[string]Spend    `json:",omitempty"` // by when a period begins, in seconds
	Filters       map[string][]string `json:",omitempty"`
	Filter        *costs.Expression   `json:",omitempty"`
	Metrics       []string            `json:",omitempty"`
	Types         []string            `json:",omitempty"` // members of CostTypes that are true
	Tags          []Tag               `json:",omitempty"`
	UpdatedAt     time.Time
}

// Spend is an amount, as it was written.
type Spend struct{ Amount, Unit string }

// Tag is a tag of a budget.
type Tag struct{ Key, Value string }

// Unit is how long a budget's periods are.
type Unit string

// The units. A CUSTOM budget has one period, its own time.
const (
	Daily     Unit = "DAILY"
	Monthly   Unit = "MONTHLY"
	Quarterly Unit = "QUARTERLY"
	Annually  Unit = "ANNUALLY"
	Custom    Unit = "CUSTOM"
)

// Forever is when a budget ends that names no end. Source: AWS Budgets API.
func Forever() time.Time { return time.Date(2087, 6, 15, 0, 0, 0, 0, time.UTC) }

// ARN is the budget's Amazon Resource Name, which has no region.
func (b *Budget) ARN() string { return arn.New("budgets", "", b.Account, "budget/"+b.Name) }

// Begin is when the period of a unit begins that a time is in.
func (u Unit) Begin(t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	switch u {
	case Daily:
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case Quarterly:
		return time.Date(y, m-(m-1)%3, 1, 0, 0, 0, 0, time.UTC)
	case Annually:
		return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

func (u Unit) next(begin time.Time) time.Time {
	switch u {
	case Daily:
		return begin.AddDate(0, 0, 1)
	case Quarterly:
		return begin.AddDate(0, 3, 0)
	case Annually:
		return begin.AddDate(1, 0, 0)
	}
	return begin.AddDate(0, 1, 0)
}

// Period is the budget's period at a time: the part of it that the budget is for.
// It is empty before the budget begins and after it has ended.
func (b *Budget) Period(now time.Time) (from, to time.Time) {
	if b.Unit == Custom {
		return b.Start, b.End
	}
	from = b.Unit.Begin(now)
	to = b.Unit.next(from)
	if from.Before(b.Start) {
		from = b.Start
	}
	if to.After(b.End) {
		to = b.End
	}
	return from, to
}

// Count is what of a cell counts towards the limit: its cost, or its quantity.
func (b *Budget) Count(c *costs.Cell) billing.Decimal {
	if b.Type == "USAGE" {
		n, _ := c.Quantity()
		return n
	}
	return c.Cost()
}

// LimitUnit is what the budget's amounts are in.
func (b *Budget) LimitUnit() string {
	if b.Limit != nil {
		return b.Limit.Unit
	}
	for _, p := range b.Planned {
		return p.Unit
	}
	return ""
}
