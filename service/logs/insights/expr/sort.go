package expr

import (
	"cmp"
	"strings"
)

// Natural is the order of the sort command, ascending: what is missing, what is
// no number, numbers. Text is compared in runs of digits and of others: digits
// by their length and then their value, others by code point.
// Source: "sort" in the Logs Insights QL reference.
func Natural(a, b Value) int {
	x, aNumber := a.Number()
	y, bNumber := b.Number()
	switch {
	case a.IsNull() || b.IsNull():
		return cmp.Compare(rank(a), rank(b))
	case aNumber && bNumber:
		return cmp.Compare(x, y)
	case aNumber:
		return 1
	case bNumber:
		return -1
	}
	return naturalText(a.Text(), b.Text())
}

func rank(v Value) int {
	if v.IsNull() {
		return 0
	}
	return 1
}

func naturalText(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a = run(a)
		y, b = run(b)
		c := strings.Compare(x, y)
		if digit(x[0]) && digit(y[0]) {
			c = cmp.Or(cmp.Compare(len(x), len(y)), c)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// run cuts the first run of digits, or of anything else, off a text.
func run(s string) (string, string) {
	i := 1
	for i < len(s) && digit(s[i]) == digit(s[0]) {
		i++
	}
	return s[:i], s[i:]
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
