package encode

import (
	"encoding/binary"
	"encoding/json"
	"unsafe"
)

// AppendString writes a text as encoding/json does.
func AppendString(b []byte, s string) []byte {
	if !plain(s) {
		quoted, _ := json.Marshal(s) // of a text that cannot fail
		return append(b, quoted...)
	}
	return append(append(append(b, '"'), s...), '"')
}

// plain reports whether every byte of s is written as it is. It looks at eight at once,
// and at each by itself where there may be one that is not.
func plain(s string) bool {
	for len(s) >= 8 {
		x := binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(s), 8))
		if (x|(x-ones*' ')|without(x, '"')|without(x, '\\')|without(x, '&')|without(x, '<')|without(x, '>'))&(ones<<7) != 0 && !eachPlain(s[:8]) {
			return false
		}
		s = s[8:]
	}
	return eachPlain(s)
}

const ones = 0x0101010101010101

// without has the highest bit of a byte set if that byte of x is c, and perhaps others.
func without(x uint64, c byte) uint64 { return (x ^ ones*uint64(c)) - ones }

func eachPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' || c == '&' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}
