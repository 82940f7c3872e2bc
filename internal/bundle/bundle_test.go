package bundle

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var plain = Plain{"plain 1\n", "old"}

func text(name, content string) Part {
	return Part{name, func(w io.Writer) error { _, err := io.WriteString(w, content); return err }}
}

func written(t *testing.T, parts ...Part) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, parts...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, b *Bundle, name string) string {
	t.Helper()
	r, ok := b.Part(name)
	if !ok {
		return "-"
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestParts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	large := make([]byte, 5*maxChunk+17)
	for i := range large {
		large[i] = byte(rnd.Uint32())
	}
	dir := t.TempDir()
	b, err := Read(bytes.NewReader(written(t, text("a", "one"), text("empty", ""), text("large", string(large)))), dir, plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "one", "empty": "", "large": string(large), "none": "-"} {
		if got := read(t, b, name); got != want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestDamage wants whatever is cut off, altered or added to be noticed.
func TestDamage(t *testing.T) {
	whole := written(t, text("a", "one"), text("b", strings.Repeat("x", 200)))
	try := func(what string, at int, b []byte) {
		t.Helper()
		if _, err := Read(bytes.NewReader(b), t.TempDir(), plain); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s %d: %v", what, at, err)
		}
	}
	for n := range whole {
		try("cut at", n, whole[:n])
		altered := bytes.Clone(whole)
		altered[n] ^= 1
		try("altered at", n, altered)
	}
	try("longer by", 1, append(bytes.Clone(whole), 0))
}

func TestPlain(t *testing.T) {
	b, err := Read(strings.NewReader("plain 1\nand more"), t.TempDir(), plain)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got := read(t, b, "old"); got != "plain 1\nand more" {
		t.Errorf("%q", got)
	}
}

// TestFailure wants a part that fails to leave a bundle that is not whole.
func TestFailure(t *testing.T) {
	var out bytes.Buffer
	broken := errors.New("broken")
	err := Write(&out, text("a", "one"), Part{"b", func(w io.Writer) error { io.WriteString(w, "half"); return broken }})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := Read(&out, t.TempDir(), plain); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}
