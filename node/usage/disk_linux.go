package usage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// freshDisk is how long a count of files is good for.
const freshDisk = 30 * time.Second

// Disk tells how many bytes a task's directory takes. A directory with a file
// system of its own is asked; else its files are counted, at most every half
// minute and once at a time. Its methods may be called from many goroutines.
type Disk struct {
	dir string
	now func() time.Time

	one  chan struct{} // held by who counts
	used uint64
	at   time.Time
}

// NewDisk returns the disk of a directory.
func NewDisk(dir string) *Disk { return &Disk{dir: dir, now: time.Now, one: make(chan struct{}, 1)} }

// Used returns the bytes in use.
func (d *Disk) Used(ctx context.Context) (uint64, error) {
	own, err := mounted(d.dir)
	if err != nil {
		return 0, err
	}
	if own {
		var st unix.Statfs_t
		if err := unix.Statfs(d.dir, &st); err != nil {
			return 0, &os.PathError{Op: "statfs", Path: d.dir, Err: err}
		}
		return (st.Blocks - st.Bfree) * uint64(st.Bsize), nil
	}
	select {
	case d.one <- struct{}{}:
		defer func() { <-d.one }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if age := d.now().Sub(d.at); !d.at.IsZero() && age >= 0 && age < freshDisk {
		return d.used, nil
	}
	used, err := count(ctx, d.dir)
	if err != nil {
		return 0, err
	}
	d.used, d.at = used, d.now()
	return used, nil
}

// mounted reports whether dir is the root of a file system that is not the
// parent's.
func mounted(dir string) (bool, error) {
	var in, out unix.Stat_t
	if err := unix.Stat(dir, &in); err != nil {
		return false, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	if err := unix.Stat(filepath.Join(dir, ".."), &out); err != nil {
		return false, &os.PathError{Op: "stat", Path: filepath.Join(dir, ".."), Err: err}
	}
	return in.Dev != out.Dev, nil
}

// count adds up the blocks of the files under dir, each once however many names
// it has, without entering other file systems. Files that go meanwhile are fine.
func count(ctx context.Context, dir string) (used uint64, err error) {
	var root unix.Stat_t
	if err := unix.Lstat(dir, &root); err != nil {
		return 0, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	seen := map[uint64]bool{}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			if errors.Is(err, unix.ENOENT) {
				return nil
			}
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		switch {
		case st.Dev != root.Dev && e.IsDir():
			return fs.SkipDir
		case st.Dev != root.Dev, st.Nlink > 1 && !e.IsDir() && seen[st.Ino]:
			return nil
		}
		if st.Nlink > 1 && !e.IsDir() {
			seen[st.Ino] = true
		}
		used += uint64(st.Blocks) * 512
		return nil
	})
	return used, err
}
