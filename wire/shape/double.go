package shape

import (
	"math"
	"strconv"
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
