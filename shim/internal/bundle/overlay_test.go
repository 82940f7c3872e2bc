package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// maxLayers is the most layers of an image that Docker makes.
const maxLayers = 127

// TestOverlay mounts few and many layers, with short, long and odd names.
func TestOverlay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a mount needs root")
	}
	long := strings.Repeat("a-long-name-", 15)
	for _, c := range []struct {
		name, parent string
		layers       int
	}{
		{"one", "l", 1},
		{"most", "l", maxLayers},
		{"most with long names", long, maxLayers},
		{"odd names", `a:b,c\d`, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := descriptorsOpen(t)
			dir := t.TempDir()
			var layers []string
			for i := range c.layers { // each has a file of its own, and one that is in all
				l := filepath.Join(dir, c.parent, fmt.Sprint(i))
				layers = append(layers, l)
				if err := os.MkdirAll(l, 0o755); err != nil {
					t.Fatal(err)
				}
				for name, text := range map[string]string{fmt.Sprint("of-", i): "", "top": fmt.Sprint(i)} {
					if err := os.WriteFile(filepath.Join(l, name), []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			root, err := Overlay(filepath.Join(dir, "container"), layers)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := unix.Unmount(root, 0); err != nil {
					t.Error(err)
				}
			})
			for i := range c.layers {
				if _, err := os.Stat(filepath.Join(root, fmt.Sprint("of-", i))); err != nil {
					t.Error(err)
				}
			}
			top := filepath.Join(root, "top")
			if b, err := os.ReadFile(top); string(b) != "0" {
				t.Errorf("%s has %q, %v: not of the uppermost layer", top, b, err)
			}
			if err := os.WriteFile(top, []byte("written"), 0o644); err != nil {
				t.Error(err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "container", "upper", "top")); string(b) != "written" {
				t.Errorf("the upper directory has %q, %v", b, err)
			}
			if b, err := os.ReadFile(filepath.Join(layers[0], "top")); string(b) != "0" {
				t.Errorf("the layer has %q, %v", b, err)
			}
			if after := descriptorsOpen(t); after != before {
				t.Errorf("%d descriptors open, %d before", after, before)
			}
		})
	}
	layers := make([]string, maxLayers)
	for i := range layers {
		layers[i] = filepath.Join(t.TempDir(), long, "absent")
	}
	if _, err := Overlay(t.TempDir(), layers); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("of layers that are absent: %v", err)
	}
}

func descriptorsOpen(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
