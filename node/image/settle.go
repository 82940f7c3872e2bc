package image

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// settled is the file of the same name: the layers that are known to be on disk,
// and the boot of the kernel in which there may be others. Syncing a file system
// waits for what all tasks have written, so pulls do not; instead the layers that
// were not synced before the machine went down are unpacked anew.
type settled struct {
	Boot   string
	Layers []string
}

// bootFile names the kernel's present boot.
const bootFile = "/proc/sys/kernel/random/boot_id"

// revive removes the layers that may not have reached the disk before the kernel
// booted.
func (l *Library) revive() error {
	boot, err := os.ReadFile(bootFile)
	if err != nil {
		return err
	}
	known, err := readJSON(l.path("settled"), &l.settled)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !known {
		l.settled = settled{}
	}
	entries, err := os.ReadDir(l.path("layers"))
	if err != nil {
		return err
	}
	same := l.settled.Boot == strings.TrimSpace(string(boot))
	l.fresh = map[string]bool{}
	for _, e := range entries {
		switch {
		case slices.Contains(l.settled.Layers, e.Name()):
		case same:
			l.fresh[e.Name()] = true
		default:
			if err := os.Rename(l.path("layers", e.Name()), l.path("unpack", gonePrefix+e.Name())); err != nil {
				return err
			}
			l.log.Warn("a layer was not on disk when the machine went down", "layer", e.Name())
		}
	}
	if same {
		return nil
	}
	l.settled.Boot = strings.TrimSpace(string(boot))
	return l.writeSettled()
}

// settle waits until the layers made so far are on disk, and writes that down.
func (l *Library) settle() error {
	l.mu.Lock()
	pending := l.fresh
	l.fresh = map[string]bool{}
	l.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	err := syncAll(l.dir)
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range pending {
		switch {
		case err != nil:
			l.fresh[name] = true
		case !l.fresh[name]: // else it was made anew
			l.settled.Layers = append(l.settled.Layers, name)
		}
	}
	if err != nil {
		return err
	}
	return l.writeSettled()
}

// made notes that a layer is about to be there which is not on disk yet. l.mu is
// locked.
func (l *Library) made(name string) error {
	l.fresh[name] = true
	n := len(l.settled.Layers)
	if l.settled.Layers = slices.DeleteFunc(l.settled.Layers, func(s string) bool { return s == name }); len(l.settled.Layers) == n {
		return nil
	}
	return l.writeSettled()
}

// writeSettled replaces the file, on disk. l.mu is locked, or nobody else is
// there.
func (l *Library) writeSettled() error {
	l.settled.Layers = slices.DeleteFunc(l.settled.Layers, func(name string) bool { return !exists(l.path("layers", name)) })
	file := l.path("settled")
	if err := writeJSON(file, l.settled); err != nil {
		return err
	}
	for _, path := range []string{file, filepath.Dir(file)} {
		if err := fsync(path); err != nil {
			return err
		}
	}
	return nil
}

func fsync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncAll waits until the file system of a directory is on disk.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
