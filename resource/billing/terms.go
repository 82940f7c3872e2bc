package billing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Terms say how usage becomes money besides the prices.
type Terms struct {
	MinimumSeconds        int64      `json:"minimumSeconds"`        // the least a task is charged for
	WindowsMinimumSeconds int64      `json:"windowsMinimumSeconds"` // the same of a Windows task
	StepSeconds           int64      `json:"stepSeconds"`           // times are rounded up to a multiple of it
	FreeStorageGiB        int        `json:"freeStorageGiB"`        // ephemeral storage no task pays for
	Discounts             []Discount `json:"discounts"`
	Currency              string     `json:"currency"` // shown instead of the list's; "" for the list's
	Rate                  Decimal    `json:"rate"`     // units of Currency for one of the list's
	Decimals              int        `json:"decimals"` // digits of an amount shown as money
}

// Discount lowers what some dimensions cost, as a savings plan does. Discounts
// follow one another: each is a part of what the ones before it left.
type Discount struct {
	Name    string      `json:"name"`
	Percent Decimal     `json:"percent"`
	Usage   []Dimension `json:"usage"` // empty for vCPU and memory on demand
}

// UnmarshalText reads a dimension by its service and usage type without a
// region code, or by the usage type alone where one service has it.
func (d *Dimension) UnmarshalText(b []byte) error {
	var found []Dimension
	for _, known := range Dimensions() {
		if string(known) == string(b) || known.Usage() == string(b) {
			found = append(found, known)
		}
	}
	switch len(found) {
	case 0:
		return fmt.Errorf("%.80q is no usage type without its region code", b)
	case 1:
		*d = found[0]
		return nil
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = string(f)
	}
	return fmt.Errorf("%q is one of %s", b, strings.Join(names, ", "))
}

// DefaultTerms are AWS's. Source: AWS Fargate pricing.
func DefaultTerms() Terms {
	return Terms{MinimumSeconds: 60, WindowsMinimumSeconds: 300, StepSeconds: 1, FreeStorageGiB: 20, Decimals: 2}
}

// The most a term may be.
const (
	maxTermSeconds = 31 * 24 * 3600
	maxDecimals    = 12
)

// Check refuses terms that make no sense.
func (t *Terms) Check() error {
	switch {
	case t.MinimumSeconds < 0 || t.MinimumSeconds > maxTermSeconds:
		return fmt.Errorf("minimumSeconds: %d is not between 0 and %d", t.MinimumSeconds, maxTermSeconds)
	case t.WindowsMinimumSeconds < 0 || t.WindowsMinimumSeconds > maxTermSeconds:
		return fmt.Errorf("windowsMinimumSeconds: %d is not between 0 and %d", t.WindowsMinimumSeconds, maxTermSeconds)
	case t.StepSeconds < 1 || t.StepSeconds > maxTermSeconds:
		return fmt.Errorf("stepSeconds: %d is not between 1 and %d", t.StepSeconds, maxTermSeconds)
	case t.FreeStorageGiB < 0 || t.FreeStorageGiB > maxStorage:
		return fmt.Errorf("freeStorageGiB: %d is not between 0 and %d", t.FreeStorageGiB, maxStorage)
	case t.Decimals < 0 || t.Decimals > maxDecimals:
		return fmt.Errorf("decimals: %d is not between 0 and %d", t.Decimals, maxDecimals)
	case (t.Currency == "") != (t.Rate.Sign() == 0) || t.Rate.Sign() < 0:
		return errors.New("currency: it needs a rate more than 0, and the rate a currency")
	case t.Currency != "" && !currencyForm.MatchString(t.Currency):
		return fmt.Errorf("currency: %q is no currency, such as JPY", t.Currency)
	}
	for i, d := range t.Discounts {
		if d.Percent.Sign() <= 0 || d.Percent.Cmp(Int(100)) > 0 {
			return fmt.Errorf("discounts[%d]: percent: %s is not more than 0 and at most 100", i, d.Percent)
		}
		if strings.TrimSpace(d.Name) == "" {
			return fmt.Errorf("discounts[%d]: name: there is none", i)
		}
	}
	return nil
}

// Billable is how many seconds are charged for a task that took so many.
func (t *Terms) Billable(seconds int64, windows bool) int64 {
	least := t.MinimumSeconds
	if windows {
		least = t.WindowsMinimumSeconds
	}
	n := max(seconds, least)
	if rest := n % t.StepSeconds; rest > 0 {
		n += t.StepSeconds - rest
	}
	return n
}

// left is the part of an amount of a dimension that discounts leave.
func (t *Terms) left(d Dimension) Decimal {
	part := Int(1)
	for _, c := range t.Discounts {
		if len(c.Usage) == 0 && d.Compute() || slices.Contains(c.Usage, d) {
			part = part.Mul(Int(100).Sub(c.Percent)).Mul(Ratio(1, 100))
		}
	}
	return part
}

// exchange is an amount in the currency shown.
func (t *Terms) exchange(d Decimal) Decimal {
	if t.Currency == "" {
		return d
	}
	return d.Mul(t.Rate)
}
