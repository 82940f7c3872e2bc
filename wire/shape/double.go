package shape

import (
	"math"
	"strconv"
	"time"
)

// AppendDouble appends f as AWS writes it, which is Java's Double.toString: a
// fraction always (100.0), exponent form from 1E7 and below 1E-3
// (1.789551555929E9). NaN and the infinities are spelled out, unquoted.
func AppendDouble(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	start := len(b)
	if abs := math.Abs(f); abs == 0 || abs >= 1e-3 && abs < 1e7 {
		b = strconv.AppendFloat(b, f, 'f', -1, bits)
		for _, c := range b[start:] {
			if c == '.' {
				return b
			}
		}
		return append(b, '.', '0')
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, bits)
	dot := false
	for i, c := range text {
		if c != 'e' {
			dot = dot || c == '.'
			b = append(b, c)
			continue
		}
		if !dot {
			b = append(b, '.', '0')
		}
		exponent, _ := strconv.Atoi(string(text[i+1:]))
		return strconv.AppendInt(append(b, 'E'), int64(exponent), 10)
	}
	return b
}

// lastSecond is the end of the year 9999, the last one that date formats can express.
const lastSecond = 253402300799

// ParseSeconds reads seconds since 1970, to the millisecond; ok is false for what is no
// number, or no time that date formats can express.
func ParseSeconds(text string) (at time.Time, ok bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f <= lastSecond && f >= -62135596800) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
}

// AppendSeconds appends what AppendDouble appends for the seconds since 1970, to the
// millisecond.
func AppendSeconds(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 1e10 || ms >= 1e15 {
		return AppendDouble(b, float64(ms)/1000, 64)
	}
	// Of up to 15 digits, the shortest form that a float64 is read from are the digits.
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], ms, 10)
	exponent := len(digits) - 1 - 3
	for len(digits) > 2 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	b = append(append(b, digits[0], '.'), digits[1:]...)
	return strconv.AppendInt(append(b, 'E'), int64(exponent), 10)
}
