package host

import (
	"os"
	"path/filepath"
	"testing"

	"neargate/shim/api"
)

// TestVolume has containers come to a volume in either order: the one whose image
// has content there fills it while it is empty, in the place others have mounted.
func TestVolume(t *testing.T) {
	root := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "data"), 0o700),
		os.WriteFile(filepath.Join(root, "data", "f"), []byte("image"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, order := range map[string][]bool{"content first": {true, false}, "content last": {false, true}, "content twice": {true, true}} {
		h := &Host{Cfg: api.Config{Dir: t.TempDir()}}
		var before os.FileInfo
		for _, fills := range order {
			dir, err := h.Volume(root, api.Mount{Volume: "v", Target: "/data", Copy: fills})
			if err != nil {
				t.Fatal(name, err)
			}
			info, err := os.Stat(dir)
			if err != nil || before != nil && !os.SameFile(before, info) {
				t.Errorf("%s: the volume was replaced: %v", name, err)
			}
			before = info
		}
		if before.Mode().Perm() != 0o700 {
			t.Errorf("%s: mode %v", name, before.Mode())
		}
		file := filepath.Join(h.Dir("disk"), "volume", "v", "f")
		if b, err := os.ReadFile(file); string(b) != "image" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if err := os.WriteFile(file, []byte("used"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Volume(root, api.Mount{Volume: "v", Target: "/data", Copy: true}); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(file); string(b) != "used" {
			t.Errorf("%s: what was written is lost: %q", name, b)
		}
	}
}
