// Package estimate says what tasks will cost before they run: from a task
// definition, a CloudFormation template, or a size. What it does not understand
// it names; it leaves nothing out in silence.
package estimate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"neargate/resource/billing"
)

// Plan is what is to be priced.
type Plan struct {
	Items []Item
	Notes []string // what is not priced, and why
}

// Item is some tasks of one size, or something else that costs by the hour.
type Item struct {
	Name  string
	Count int64
	Size  *billing.Size // of tasks; nil for something else
	Use   billing.Use   // of one of something else
}

// Schedule is how long tasks run. Without seconds they run always, and so does
// what is not a task.
type Schedule struct {
	Seconds int64 // of each task on each day; 0 for all of it
	Days    int64 // 0 for none in particular: there is no total
}

// Limits of what is estimated.
const (
	maxTasks = 1_000_000
	maxDays  = 3660
	daySecs  = 24 * 3600
)

// monthHours are the hours of a month in AWS's pricing calculator.
const monthHours = 730

func (s Schedule) check() error {
	switch {
	case s.Seconds < 0 || s.Seconds > daySecs:
		return fmt.Errorf("%d seconds a day are not between 0 and %d", s.Seconds, daySecs)
	case s.Days < 0 || s.Days > maxDays:
		return fmt.Errorf("%d days are not between 0 and %d", s.Days, maxDays)
	}
	return nil
}

// Estimate is what a plan costs.
type Estimate struct {
	Region   string      `json:"region"`
	Currency string      `json:"currency"`      // of amounts
	ListedIn string      `json:"priceCurrency"` // of prices
	PricesOf billing.Day `json:"pricesOf"`
	Schedule *Period     `json:"schedule,omitzero"` // what total is for
	Items    []Priced    `json:"items"`
	Cost     Cost        `json:"cost"` // less the discounts, as every amount here
	Terms    []string    `json:"terms"`
	Notes    []string    `json:"notes"`
	decimals int
}

// Period is the time a total is for.
type Period struct {
	Days          int64 `json:"days"`
	SecondsPerDay int64 `json:"secondsPerDay"`
}

// Priced is an item with its lines.
type Priced struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Lines []Line `json:"lines"`
	Cost  Cost   `json:"cost"`
}

// Line is what a usage type of an item costs.
type Line struct {
	UsageType string           `json:"usageType"`
	Price     billing.Decimal  `json:"price"` // in the list's currency
	Unit      string           `json:"unit"`
	Source    billing.Source   `json:"source"`
	Disputed  []string         `json:"disputed,omitempty"` // what other sources say
	Quantity  *billing.Decimal `json:"quantity,omitempty"` // in the schedule
	Cost      Cost             `json:"cost"`
}

// Cost is money while everything runs, and in the schedule if there is one.
// Amounts are not rounded.
type Cost struct {
	Second billing.Decimal  `json:"second"`
	Hour   billing.Decimal  `json:"hour"`
	Month  billing.Decimal  `json:"month"` // 730 hours
	Total  *billing.Decimal `json:"total,omitempty"`
}

func (c *Cost) add(d Cost) {
	c.Second, c.Hour, c.Month = c.Second.Add(d.Second), c.Hour.Add(d.Hour), c.Month.Add(d.Month)
	if d.Total != nil {
		var sum billing.Decimal
		if c.Total != nil {
			sum = *c.Total
		}
		c.Total = new(sum.Add(*d.Total))
	}
}

// Price prices a plan with the prices a list has at a time. A task without a
// price is an error; something else without one is noted.
func Price(p Plan, l *billing.List, at time.Time, s Schedule) (*Estimate, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	e := &Estimate{
		Region: l.Region, Currency: l.Money(), PricesOf: billing.Day{Time: at.UTC()},
		ListedIn: l.Currency, Terms: terms(&l.Terms, l.Currency), Items: []Priced{}, Notes: append([]string{}, p.Notes...), decimals: l.Terms.Decimals,
	}
	if s.Days > 0 {
		e.Schedule = &Period{Days: s.Days, SecondsPerDay: s.perDay()}
		e.Cost.Total = new(billing.Decimal)
	}
	for _, it := range p.Items {
		if it.Count < 0 || it.Count > maxTasks {
			return nil, fmt.Errorf("%s: a count of %d is not between 0 and %d", it.Name, it.Count, maxTasks)
		}
		priced, err := price(it, l, at, s)
		if none, ok := errors.AsType[*billing.NoPrice](err); ok && it.Size == nil {
			e.Notes = append(e.Notes, fmt.Sprintf("%s: %s", it.Name, none))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", it.Name, err)
		}
		e.Items = append(e.Items, priced)
		e.Cost.add(priced.Cost)
	}
	return e, nil
}

// terms says what of the terms is not AWS's, in words.
func terms(t *billing.Terms, currency string) []string {
	out, aws := []string{}, billing.DefaultTerms()
	for _, d := range t.Discounts {
		what := "vCPU and memory on demand"
		if len(d.Usage) > 0 {
			names := make([]string, len(d.Usage))
			for i, u := range d.Usage {
				names[i] = u.Usage()
			}
			what = strings.Join(names, ", ")
		}
		out = append(out, fmt.Sprintf("%s: %s %% off %s", d.Name, d.Percent, what))
	}
	if t.Currency != "" {
		out = append(out, fmt.Sprintf("1 %s is %s %s", currency, t.Rate, t.Currency))
	}
	if t.MinimumSeconds != aws.MinimumSeconds || t.WindowsMinimumSeconds != aws.WindowsMinimumSeconds {
		out = append(out, fmt.Sprintf("a task is charged for %d seconds at least, on Windows %d", t.MinimumSeconds, t.WindowsMinimumSeconds))
	}
	if t.StepSeconds != aws.StepSeconds {
		out = append(out, fmt.Sprintf("times are rounded up to %d seconds", t.StepSeconds))
	}
	if t.FreeStorageGiB != aws.FreeStorageGiB {
		out = append(out, fmt.Sprintf("%d GB of ephemeral storage are free", t.FreeStorageGiB))
	}
	return out
}

func (s Schedule) perDay() int64 {
	if s.Seconds == 0 {
		return daySecs
	}
	return s.Seconds
}

func price(it Item, l *billing.List, at time.Time, s Schedule) (Priced, error) {
	uses, seconds := []billing.Use{it.Use}, s.Days*daySecs
	if it.Size != nil {
		if err := it.Size.Check(); err != nil {
			return Priced{}, err
		}
		uses = it.Size.Uses(&l.Terms)
		if s.Seconds > 0 {
			seconds = s.Days * l.Terms.Billable(s.Seconds, it.Size.Windows())
		}
	}
	p := Priced{Name: it.Name, Count: it.Count, Lines: []Line{}}
	if s.Days > 0 {
		p.Cost.Total = new(billing.Decimal)
	}
	for _, u := range uses {
		u.Amount = u.Amount.Mul(billing.Int(it.Count))
		hour, err := l.Hour(u, at)
		if err != nil {
			return Priced{}, err
		}
		n := Line{UsageType: hour.UsageType, Price: hour.Price, Unit: hour.Unit, Source: l.Sources[hour.Source], Cost: Cost{
			Second: hour.Net.Mul(billing.Ratio(1, 3600)), Hour: hour.Net, Month: hour.Net.Mul(billing.Int(monthHours)),
		}}
		known, err := l.PriceAt(u.Dimension, at)
		if err != nil {
			return Priced{}, err
		}
		for _, d := range known.Disputed {
			n.Disputed = append(n.Disputed, fmt.Sprintf("%s for %s: %s", d.Amount, d.Unit, l.Sources[d.Source].What))
		}
		if s.Days > 0 {
			all := hour.Times(billing.Ratio(seconds, 3600))
			n.Quantity, n.Cost.Total = &all.Quantity, &all.Net
		}
		p.Lines = append(p.Lines, n)
		p.Cost.add(n.Cost)
	}
	return p, nil
}
