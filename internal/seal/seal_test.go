package seal

import (
	"bytes"
	"crypto/rand"
	"testing"
)

func sealed(t *testing.T, key [32]byte, value, context string) []byte {
	t.Helper()
	random := make([]byte, Random)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	return Seal(key, random, []byte(value), []byte(context))
}

func TestOpen(t *testing.T) {
	key := [32]byte{1}
	for _, value := range []string{"", "x", "a value of some length"} {
		b := sealed(t, key, value, "context")
		// A short value may be in random bytes.
		if len(value) > 8 && bytes.Contains(b, []byte(value)) {
			t.Errorf("%q is readable", value)
		}
		got, err := Open(key, b, []byte("context"))
		if err != nil || string(got) != value {
			t.Errorf("opened %q, %v", got, err)
		}
		if _, err := Open(key, b, []byte("other")); err != ErrOpen {
			t.Errorf("opened in another context: %v", err)
		}
		if _, err := Open([32]byte{2}, b, []byte("context")); err != ErrOpen {
			t.Errorf("opened with another key: %v", err)
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 0x40
			if _, err := Open(key, bad, []byte("context")); err != ErrOpen {
				t.Fatalf("byte %d changed: %v", i, err)
			}
			if _, err := Open(key, b[:i], []byte("context")); err != ErrOpen {
				t.Fatalf("cut at %d: %v", i, err)
			}
		}
	}
	if bytes.Equal(sealed(t, key, "x", ""), sealed(t, key, "x", "")) {
		t.Error("equal values look the same")
	}
}
