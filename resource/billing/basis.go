package billing

import (
	"slices"
	"time"
)

// basis is what a dimension is paid by: the time that something is there, the time
// and how much of it there is, or the amount alone.
type basis int

const (
	byHour   basis = iota // things, vCPUs or GB for hours
	byMonth               // GB for months, each of which is as long as it is
	byAmount              // GB, however long it takes
)

func (d Dimension) basis() basis {
	switch units[d] {
	case "GB-Mo":
		return byMonth
	case "GB":
		return byAmount
	}
	return byHour
}

// scale is how many of a record's units make one of what a price is for.
func (d Dimension) scale() int64 {
	switch {
	case d.basis() != byHour:
		return 1 << 20
	case d.Kind() == KindCPU || d.Kind() == KindMemory || d == WinLicence:
		return 1024
	}
	return 1
}

// wholeHours reports whether begun hours are paid in full. Source: Amazon VPC
// pricing, NAT gateways and interface endpoints.
func (d Dimension) wholeHours() bool {
	return slices.Contains([]Dimension{NAT, Endpoint}, d)
}

// Quantity is how much a sum of seconds times units is of what a price is for, at a
// time: hours of vCPUs, GB or things, or GB, or GB for that time's month.
func (d Dimension) Quantity(amount int64, at time.Time) Decimal {
	switch d.basis() {
	case byAmount:
		return Ratio(amount, d.scale())
	case byMonth:
		_, length := Month(at)
		return Ratio(amount, d.scale()).Mul(Ratio(1, length))
	}
	return Ratio(amount, 3600*d.scale())
}

// Monthly reports whether the same amount is more in a shorter month.
func (d Dimension) Monthly() bool { return d.basis() == byMonth }

// Month is when the month begins that a time is in, and how many seconds it has.
func Month(at time.Time) (begin time.Time, seconds int64) {
	at = at.UTC()
	begin = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	return begin, int64(begin.AddDate(0, 1, 0).Sub(begin) / time.Second)
}

// Span prices a use that lasts some seconds from a time on, over which neither its
// price nor the month changes.
func (l *List) Span(u Use, at time.Time, seconds int64) (Line, error) {
	n, err := l.Hour(u, at)
	switch {
	case err != nil:
		return n, err
	case u.Dimension.basis() == byAmount:
		return n, nil
	case u.Dimension.basis() == byMonth:
		_, length := Month(at)
		return n.Times(Ratio(seconds, length)), nil
	}
	return n.Times(Ratio(seconds, 3600)), nil
}
