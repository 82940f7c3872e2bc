package image

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestReboot opens a library as after a boot of the machine: layers that were not
// settled are made anew, from what was downloaded.
func TestReboot(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	aa, bb := h.push(t, "aa:1", simple(t, "amd64", "shared", "a")), h.push(t, "bb:1", simple(t, "amd64", "shared", "b"))
	a := mustPull(t, l, "t", aa)
	if err := l.settle(); err != nil {
		t.Fatal(err)
	}
	b := mustPull(t, l, "t", bb)
	boot := func(file string) {
		t.Helper()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(l.path("settled"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		l = open(t, Config{Dir: dir})
	}
	check := func(when string, want ...string) {
		t.Helper()
		for _, layer := range slices.Concat(a.Layers, b.Layers) {
			if got := exists(layer); got != slices.Contains(want, layer) {
				t.Errorf("%s: %s: %v", when, layer, got)
			}
		}
	}
	same := read(t, l.path("settled"))
	boot(same)
	check("the same boot", slices.Concat(a.Layers, b.Layers)...)
	other := `{"Boot":"another","Layers":["` + filepath.Base(a.Layers[0]) + `","` + filepath.Base(a.Layers[1]) + `","0123"]}`
	boot(other)
	check("another boot", a.Layers...)
	if _, ok, err := l.Find("t", bb); ok || err != nil {
		t.Error("found an image whose layers are gone", err)
	}
	if _, ok, err := l.Find("t", aa); !ok || err != nil {
		t.Error("a settled image is gone", err)
	}
	h.seen()
	if again := mustPull(t, l, "t", bb); !slices.Equal(again.Layers, b.Layers) || read(t, again.Layers[0]+"/f1") != "b" {
		t.Errorf("%+v", again)
	}
	if n := count(h.seen(), "GET blobs"); n != 0 {
		t.Errorf("%d blobs were downloaded again", n)
	}
	check("pulled again", slices.Concat(a.Layers, b.Layers)...)

	// A layer that is made anew is not settled until it is again.
	if err := l.settle(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.Layers[0]); err != nil {
		t.Fatal(err)
	}
	mustPull(t, l, "t", bb)
	boot(`{"Boot":"another"` + read(t, l.path("settled"))[len(`{"Boot":"`)+36+1:])
	check("made anew", a.Layers...)
	mustPull(t, l, "t", bb)
	boot("") // as after a loss of power
	check("nothing is known")
	for _, ref := range []string{aa, bb} {
		mustPull(t, l, "t", ref)
	}
	check("in the end", slices.Concat(a.Layers, b.Layers)...)
}
