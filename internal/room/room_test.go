package room

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRoom fills a file system in steps and empties it again.
func TestRoom(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	disk := t.TempDir()
	ok(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=512m"))
	t.Cleanup(func() { ok(t, unix.Unmount(disk, 0)) })
	r, err := Open(filepath.Join(disk, "data"), slog.New(slog.DiscardHandler))
	ok(t, err)
	filler := filepath.Join(disk, "filler")
	free := func(wanted int64) {
		t.Helper()
		f, err := os.OpenFile(filler, os.O_WRONLY|os.O_CREATE, 0o600)
		ok(t, err)
		left, err := r.free()
		ok(t, err)
		var st unix.Stat_t
		ok(t, unix.Fstat(int(f.Fd()), &st))
		size := st.Blocks*512 + left - wanted
		ok(t, f.Truncate(size))
		if size > 0 {
			ok(t, unix.Fallocate(int(f.Fd()), 0, 0, size))
		}
		ok(t, f.Close())
	}
	state := func(full, gone bool, held int64) {
		t.Helper()
		r.at = time.Time{} // what it saw before counts no more
		isFull, isGone := r.Full(), r.Gone()
		has, err := r.held()
		ok(t, err)
		if isFull != full || isGone != gone || has != held {
			t.Errorf("full %v, gone %v, ballast of %d MiB", isFull, isGone, has>>20)
		}
	}
	state(false, false, Ballast)
	free(Low)
	state(false, false, Ballast)
	free(Low - 1<<20)
	state(true, false, 0) // and the ballast is free for who goes on
	free(Ballast + 2*Low - 1<<20)
	state(true, false, 0)
	free(Least - 1<<20)
	state(true, true, 0)
	free(Least)
	state(true, false, 0)
	free(Ballast + 2*Low)
	state(false, false, Ballast)

	// All at once, and with a new process meanwhile.
	free(0)
	state(true, false, 0)
	if r, err = Open(r.dir, r.log); err != nil || !r.Full() {
		t.Error(err)
	}
	ok(t, os.Remove(filler))
	state(false, false, Ballast)
	if r, err = Open(r.dir, r.log); err != nil || r.Full() {
		t.Error(err)
	}
	ok(t, os.RemoveAll(r.dir))
	r.at = time.Time{}
	if r.Full(); !errors.Is(r.look(), unix.ENOENT) {
		t.Error("a directory that is gone is no error")
	}
}
