package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTemplate mounts file systems of two sizes, several of each, made and copied,
// also beside a template that is broken: all are whole and of their size.
func TestTemplate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("there is no mkfs.ext4")
	}
	shared := t.TempDir()
	templates := func() []string {
		found, err := filepath.Glob(filepath.Join(shared, TemplatePrefix+"*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for i, mib := range []int{64, 64, 256, 64, 64} {
		if i == 4 {
			for _, name := range templates() { // the right size, and nothing in it
				info, err := os.Stat(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(name, 0); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(name, info.Size()); err != nil {
					t.Fatal(err)
				}
			}
		}
		task := t.TempDir()
		dir := filepath.Join(task, "disk")
		if err := Mount(filepath.Join(task, "disk.img"), dir, mib, shared); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		if free := int64(st.Bavail) * st.Bsize >> 20; free < int64(mib)-8 || free > int64(mib)+8 {
			t.Errorf("mount %d: %d MiB free, want %d", i, free, mib)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("mount %d has %v, %v", i, entries, err)
		}
		text := strings.Repeat("x", 1<<20)
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(file); string(b) != text {
			t.Errorf("mount %d: read %d bytes, %v", i, len(b), err)
		}
		if left, err := filepath.Glob(task + "/*"); err != nil || len(left) != 1 {
			t.Errorf("mount %d left %q, %v", i, left, err)
		}
	}
	if all := templates(); len(all) != 2 {
		t.Errorf("templates %q", all)
	}
}
