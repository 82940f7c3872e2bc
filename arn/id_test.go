package arn

import (
	"bytes"
	"testing"
)

// TestUUID sets the version and the variant of RFC 9562, and keeps all other bits.
func TestUUID(t *testing.T) {
	for fill, want := range map[byte]string{0: "00000000-0000-4000-8000-000000000000", 0xff: "ffffffff-ffff-4fff-bfff-ffffffffffff", 0x5a: "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a"} {
		if got := NewSource(bytes.NewReader(bytes.Repeat([]byte{fill}, 16))).UUID(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
