package billing

import (
	"fmt"
	"math/big"
	"strings"
)

// Decimal is an exact number: what was written as a decimal, and sums, products
// and quotients of such. Nothing is lost until it is printed. The zero value is
// 0; values never change.
type Decimal struct{ rat *big.Rat }

// maxDigits bounds the decimals read, so that no input makes huge numbers.
const maxDigits = 30

// ParseDecimal reads a number such as "0.04048". There are no exponents, no
// grouping and no fractions.
func ParseDecimal(s string) (Decimal, error) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || len(digits) > maxDigits {
		return Decimal{}, fmt.Errorf("%.40q is not a decimal number", s)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return Decimal{}, fmt.Errorf("%.40q is not a decimal number", s)
	}
	return Decimal{r}, nil
}

// Int is a whole number.
func Int(n int64) Decimal { return Decimal{new(big.Rat).SetInt64(n)} }

// Ratio is a over b; b is not 0.
func Ratio(a, b int64) Decimal { return Decimal{big.NewRat(a, b)} }

func (d Decimal) value() *big.Rat {
	if d.rat == nil {
		return new(big.Rat)
	}
	return d.rat
}

// Add is d + e.
func (d Decimal) Add(e Decimal) Decimal { return Decimal{new(big.Rat).Add(d.value(), e.value())} }

// Sub is d - e.
func (d Decimal) Sub(e Decimal) Decimal { return Decimal{new(big.Rat).Sub(d.value(), e.value())} }

// Mul is d * e.
func (d Decimal) Mul(e Decimal) Decimal { return Decimal{new(big.Rat).Mul(d.value(), e.value())} }

// Cmp is negative, 0 or positive as d is less than, equal to or more than e.
func (d Decimal) Cmp(e Decimal) int { return d.value().Cmp(e.value()) }

// Sign is negative, 0 or positive as d is.
func (d Decimal) Sign() int { return d.value().Sign() }

// Text prints d with this many digits after the point; halves are rounded away
// from 0. What rounds to 0 has no sign.
func (d Decimal) Text(places int) string {
	s := d.value().FloatString(places)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// shown is how many digits String prints after the point at most: enough for any
// price per hour as one per second.
const shown = 18

// String prints d without the zeros a fixed number of digits would need.
func (d Decimal) String() string {
	s := d.Text(shown)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalText implements [encoding.TextMarshaler].
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler]: a number, or one as a
// string. Neither passes through a binary fraction.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	s, ok := strings.CutPrefix(string(b), `"`)
	if ok {
		s = strings.TrimSuffix(s, `"`)
	}
	n, err := ParseDecimal(s)
	if err == nil {
		*d = n
	}
	return err
}
