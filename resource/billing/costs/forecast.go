package costs

import (
	"math"
	"math/big"
	"strconv"

	"neargate/resource/billing"
)

// Forecast is what days to come are expected to cost, by the days there were: the
// mean of a day, and how far from it a day is in so many percent of cases, if days
// are distributed normally. There is at least one day.
type Forecast struct{ Mean, Spread billing.Decimal }

// NewForecast derives a forecast from the costs of days.
func NewForecast(days []billing.Decimal, percent int) Forecast {
	var f Forecast
	n := int64(len(days))
	for _, d := range days {
		f.Mean = f.Mean.Add(d)
	}
	f.Mean = f.Mean.Mul(billing.Ratio(1, n))
	if n < 2 {
		return f
	}
	var squares billing.Decimal
	for _, d := range days {
		off := d.Sub(f.Mean)
		squares = squares.Add(off.Mul(off))
	}
	f.Spread = root(squares.Mul(billing.Ratio(1, n-1))).Mul(quantile(percent))
	return f
}

// Days is the forecast of some days together: their mean, and the bounds.
func (f Forecast) Days(n billing.Decimal) (mean, lower, upper billing.Decimal) {
	mean = f.Mean.Mul(n)
	off := f.Spread.Mul(root(n))
	if lower = mean.Sub(off); lower.Sign() < 0 {
		lower = billing.Decimal{}
	}
	return mean, lower, mean.Add(off)
}

// quantile is how many standard deviations around the mean hold so many percent
// of a normal distribution.
func quantile(percent int) billing.Decimal {
	z := math.Sqrt2 * math.Erfinv(float64(percent)/100)
	d, err := billing.ParseDecimal(strconv.FormatFloat(z, 'f', 6, 64))
	if err != nil {
		return billing.Decimal{}
	}
	return d
}

// root is the square root to 12 digits after the point.
func root(d billing.Decimal) billing.Decimal {
	const digits = 12
	n, ok := new(big.Int).SetString(d.Mul(power(2*digits)).Text(0), 10)
	if !ok || n.Sign() < 0 {
		return billing.Decimal{}
	}
	text := n.Sqrt(n).String()
	for len(text) <= digits {
		text = "0" + text
	}
	r, err := billing.ParseDecimal(text[:len(text)-digits] + "." + text[len(text)-digits:])
	if err != nil {
		return billing.Decimal{}
	}
	return r
}

func power(n int) billing.Decimal {
	out := billing.Int(1)
	for range n {
		out = out.Mul(billing.Int(10))
	}
	return out
}
