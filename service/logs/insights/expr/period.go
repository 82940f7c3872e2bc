package expr

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// period is a span of time in a query: 5m, 1h. Either field is set.
type period struct{ millis, months int64 }

// Eval makes a period a node; its value is its length where it has one.
func (p period) Eval(Record) Value { return Num(float64(p.millis)) }

const day = 24 * time.Hour

var units = map[string]period{
	"ms": {millis: 1}, "s": {millis: 1000}, "m": {millis: time.Minute.Milliseconds()}, "h": {millis: time.Hour.Milliseconds()},
	"d": {millis: day.Milliseconds()}, "w": {millis: 7 * day.Milliseconds()},
	"mo": {months: 1}, "mon": {months: 1}, "q": {months: 3}, "qtr": {months: 3}, "y": {months: 12}, "yr": {months: 12},
	"second": {millis: 1000}, "minute": {millis: time.Minute.Milliseconds()}, "hour": {millis: time.Hour.Milliseconds()},
	"day": {millis: day.Milliseconds()}, "week": {millis: 7 * day.Milliseconds()}, "month": {months: 1}, "quarter": {months: 3}, "year": {months: 12},
}

func parsePeriod(s string) (period, error) {
	i := strings.IndexFunc(s, func(r rune) bool { return !(r >= '0' && r <= '9') })
	n, err := strconv.ParseInt(s[:max(i, 0)], 10, 32)
	u, ok := units[strings.ToLower(s[max(i, 0):])]
	if !ok {
		u, ok = units[strings.TrimSuffix(strings.ToLower(s[max(i, 0):]), "s")]
	}
	if err != nil || !ok || n == 0 {
		return period{}, errors.New("invalid time period " + s)
	}
	return period{u.millis * n, u.months * n}, nil
}

// floor is the last start of a period at or before a time, counted from 1970.
func (p period) floor(ms int64) int64 {
	if p.months == 0 {
		return ms - mod(ms, p.millis)
	}
	t := time.UnixMilli(ms).UTC()
	month := int64(t.Year()-1970)*12 + int64(t.Month()) - 1
	return monthStart(month - mod(month, p.months))
}

// ceil is the first start of a period at or after a time.
func (p period) ceil(ms int64) int64 {
	floor := p.floor(ms)
	switch {
	case floor == ms:
		return ms
	case p.months == 0:
		return floor + p.millis
	}
	t := time.UnixMilli(floor).UTC()
	return monthStart(int64(t.Year()-1970)*12 + int64(t.Month()) - 1 + p.months)
}

func monthStart(month int64) int64 {
	return time.Date(1970, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// millisOf reads a time, or a number that stands for one.
func millisOf(v Value) (int64, bool) {
	n, ok := v.Number()
	if !ok || math.Abs(n) > maxMillis {
		return 0, false
	}
	return int64(n), true
}

// maxMillis is the end of the year 9999.
const maxMillis = 253402300799999

func floorOf(v Value, p period) Value {
	ms, ok := millisOf(v)
	if !ok {
		return Value{}
	}
	return Millis(p.floor(ms))
}

func ceilOf(v Value, p period) Value {
	ms, ok := millisOf(v)
	if !ok {
		return Value{}
	}
	return Millis(p.ceil(ms))
}
