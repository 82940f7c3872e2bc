// Package billing says what tasks cost: prices and where they were read, what of
// a task is measured, and how a second becomes money.
//
// Numbers are exact: a price is the decimal that was written, an amount is
// rounded only when it is printed. docs/decisions/pricing.md says the rest.
package billing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"neargate/resource/compute/taskdef"
)

// Size is what a task asked for; that is what is charged, used or not.
type Size struct {
	CPU, Memory  int    // CPU units, MiB
	StorageGiB   int    // ephemeral storage; 0 for what every task has
	Architecture string // x86_64 or arm64, as X86_64 and ARM64
	OSFamily     string // "" and LINUX, or WINDOWS_…
	Spot         bool
}

// The ephemeral storage a task has, and may have. Source: RegisterTaskDefinition.
const defaultStorage, maxStorage = 20, 200

// Windows reports whether the operating system is Windows.
func (s Size) Windows() bool { return strings.HasPrefix(strings.ToUpper(s.OSFamily), "WINDOWS") }

func (s Size) arm() bool { return strings.EqualFold(s.Architecture, "ARM64") }

// Check refuses what Fargate does not run.
func (s Size) Check() error {
	family := strings.ToUpper(s.OSFamily)
	switch {
	case !s.arm() && s.Architecture != "" && !strings.EqualFold(s.Architecture, "X86_64"):
		return fmt.Errorf("%q is no CPU architecture: X86_64 or ARM64", s.Architecture)
	case family != "" && family != "LINUX" && !s.Windows():
		return fmt.Errorf("%q is no operating system family: LINUX or WINDOWS_SERVER_…", s.OSFamily)
	case s.Windows() && s.arm():
		return errors.New("Windows on ARM64 is nothing Fargate has")
	case s.Windows() && s.Spot:
		return errors.New("Windows on Spot is nothing Fargate has")
	case !taskdef.FargateSize(s.CPU, s.Memory, family):
		return fmt.Errorf("no task on Fargate has %s vCPU and %s GB%s", Ratio(int64(s.CPU), 1024), Ratio(int64(s.Memory), 1024), on(s.Windows()))
	case s.StorageGiB != 0 && (s.StorageGiB < defaultStorage || s.StorageGiB > maxStorage):
		return fmt.Errorf("%d GB of ephemeral storage is not between %d and %d", s.StorageGiB, defaultStorage, maxStorage)
	}
	return nil
}

func on(windows bool) string {
	if windows {
		return " on Windows"
	}
	return ""
}

// maxSeconds is the longest time that is priced, ten years.
const maxSeconds = 10 * 366 * 24 * 3600

// Use is how much of a dimension something uses while it runs: vCPUs, GB.
type Use struct {
	Dimension Dimension
	Amount    Decimal
}

// Uses are the dimensions of a task, those that cost.
func (s Size) Uses(t *Terms) []Use {
	cpu, memory := Ratio(int64(s.CPU), 1024), Ratio(int64(s.Memory), 1024)
	var uses []Use
	switch {
	case s.Windows():
		uses = []Use{{WinVCPU, cpu}, {WinLicence, cpu}, {WinMemory, memory}}
	case s.arm() && s.Spot:
		uses = []Use{{SpotARMVCPU, cpu}, {SpotARMMem, memory}}
	case s.arm():
		uses = []Use{{ARMVCPU, cpu}, {ARMMemory, memory}}
	case s.Spot:
		uses = []Use{{SpotVCPU, cpu}, {SpotMemory, memory}}
	default:
		uses = []Use{{VCPU, cpu}, {Memory, memory}}
	}
	storage := s.StorageGiB
	if storage == 0 {
		storage = defaultStorage
	}
	if more := storage - t.FreeStorageGiB; more > 0 {
		uses = append(uses, Use{Storage, Int(int64(more))})
	}
	return uses
}

// Line is what one usage type costs at one price.
type Line struct {
	Dimension Dimension
	UsageType string
	Unit      string  // of Quantity and Price
	Quantity  Decimal // how many units
	Price     Decimal // of one unit, in the list's currency
	Gross     Decimal // Quantity times Price, in the currency shown
	Net       Decimal // what discounts leave of it
	Source    string
}

// Charge prices tasks of one size that began at a time and took this many
// seconds each: a line for each usage type, and for each price it had meanwhile.
func (l *List) Charge(s Size, began time.Time, seconds, tasks int64) ([]Line, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if seconds < 0 || tasks < 0 || seconds > maxSeconds {
		return nil, fmt.Errorf("%d tasks of %d seconds: neither can be less than 0, nor the time more than ten years", tasks, seconds)
	}
	var lines []Line
	for _, u := range s.Uses(&l.Terms) {
		u.Amount = u.Amount.Mul(Int(tasks))
		more, err := l.ChargeUse(u, began, l.Terms.Billable(seconds, s.Windows()))
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// ChargeUse prices a use that began at a time and lasted this many seconds, as
// they are: nothing is rounded up. What is paid by the amount has no time.
func (l *List) ChargeUse(u Use, began time.Time, seconds int64) ([]Line, error) {
	var lines []Line
	for seconds > 0 {
		span := l.until(u.Dimension, began, seconds)
		n, err := l.Span(u, began, span)
		if err != nil {
			return nil, err
		}
		lines = append(lines, n)
		began, seconds = began.Add(time.Duration(span)*time.Second), seconds-span
	}
	return lines, nil
}

// Hour prices an hour of a use at the price in effect at a time; a month of what is
// paid by the month, and all of what is paid by the amount.
func (l *List) Hour(u Use, at time.Time) (Line, error) {
	p, err := l.PriceAt(u.Dimension, at)
	if err != nil {
		return Line{}, err
	}
	quantity := u.Amount
	if p.Unit != u.Dimension.Unit() {
		quantity = quantity.Mul(Int(3600))
	}
	gross := l.Terms.exchange(quantity.Mul(p.Amount))
	return Line{
		Dimension: u.Dimension, UsageType: u.Dimension.UsageType(l.Region, l.Code), Unit: p.Unit, Quantity: quantity,
		Price: p.Amount, Gross: gross, Net: gross.Mul(l.Terms.left(u.Dimension)), Source: p.Source,
	}, nil
}

// Times is the line for n times as much.
func (l Line) Times(n Decimal) Line {
	l.Quantity, l.Gross, l.Net = l.Quantity.Mul(n), l.Gross.Mul(n), l.Net.Mul(n)
	return l
}

// until is how many of the seconds pass before another price begins, or another
// month where that matters; a second in which one does is charged at the price it
// began with.
func (l *List) until(d Dimension, at time.Time, seconds int64) int64 {
	if d.Monthly() {
		begin, length := Month(at)
		seconds = min(seconds, elapsed(at, begin.Add(time.Duration(length)*time.Second)))
	}
	for _, p := range l.series[d] {
		if p.From.After(at) {
			gap := p.From.Sub(at)
			n := int64((gap + time.Second - 1) / time.Second)
			return min(n, seconds)
		}
	}
	return seconds
}

// Money is the currency amounts are shown in.
func (l *List) Money() string {
	if l.Terms.Currency != "" {
		return l.Terms.Currency
	}
	return l.Currency
}

// Total is what lines cost together, not rounded.
func Total(lines []Line) Decimal {
	var sum Decimal
	for _, n := range lines {
		sum = sum.Add(n.Net)
	}
	return sum
}
