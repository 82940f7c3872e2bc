package checksum

import (
	"bytes"
	"math/rand"
	"testing"
)

// TestVectors are the checksums of "123456789" in the catalogue of CRCs, and of
// FIPS 180's "abc".
func TestVectors(t *testing.T) {
	tests := []struct {
		a         Algorithm
		text, sum string
	}{
		{CRC32, "123456789", "y/Q5Jg=="},
		{CRC32C, "123456789", "4waSgw=="},
		{CRC64NVME, "123456789", "rosUhgp5mIg="},
		{SHA1, "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="},
		{SHA256, "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="},
	}
	for _, tt := range tests {
		h := tt.a.New()
		h.Write([]byte(tt.text))
		sum := h.Sum(nil)
		if Encode(sum) != tt.sum {
			t.Errorf("%s: %s", tt.a, Encode(sum))
		}
		if got, ok := tt.a.Decode(tt.sum); !ok || !bytes.Equal(got, sum) {
			t.Errorf("%s: decoded %x", tt.a, got)
		}
		if _, ok := tt.a.Decode(tt.sum[4:]); ok {
			t.Errorf("%s: a shorter text decodes", tt.a)
		}
	}
	if Algorithm("MD4").New() != nil {
		t.Error("an unknown algorithm")
	}
}

func TestWhole(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, a := range []Algorithm{CRC32, CRC32C, CRC64NVME} {
		for range 50 {
			var parts []Part
			all := a.New()
			for range r.Intn(6) {
				b := make([]byte, r.Intn(5000))
				r.Read(b)
				h := a.New()
				h.Write(b)
				all.Write(b)
				parts = append(parts, Part{h.Sum(nil), int64(len(b))})
			}
			if got, want := a.Whole(parts), all.Sum(nil); !bytes.Equal(got, want) {
				t.Fatalf("%s of %d parts: %x, want %x", a, len(parts), got, want)
			}
		}
	}
}
