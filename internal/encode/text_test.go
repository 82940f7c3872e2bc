package encode

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// TestText: a text is written as encoding/json prints it, whatever is where in it.
func TestText(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		s := make([]byte, r.IntN(40))
		for i := range s {
			s[i] = byte('!' + r.IntN('~'-'!'))
			if r.IntN(60) == 0 {
				s[i] = byte(r.IntN(256))
			}
		}
		want, _ := json.Marshal(string(s))
		if got := AppendString([]byte("x"), string(s)); string(got) != "x"+string(want) {
			t.Fatalf("seed %d: %q is written as %s, want %s", seed, s, got, want)
		}
	}
}
