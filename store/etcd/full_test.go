package etcd

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"neargate/store"
)

const fullDir = "NEARGATE_FULL_DIR"

// TestFull fills the file system of a store right after commits, which the database has
// not written then, and while old revisions are forgotten: the process goes on, and reads
// what was acknowledged, also after a restart.
func TestFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=320m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	runs := 2
	if testing.Short() {
		runs = 1
	}
	for range runs {
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), fullDir+"="+dir)
		if out, err := child.CombinedOutput(); err != nil || !bytes.HasSuffix(out, []byte("<nil>\n")) {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// fullChild writes, fills the file system and makes room, some times.
func fullChild(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: filepath.Join(dir, "store")})
	if err != nil {
		return err
	}
	value := make([]byte, 300_000)
	_, _ = rand.Read(value)
	filler := filepath.Join(dir, "filler")
	for i := range 2 {
		for k := range 8 {
			err := s.Update(ctx, func(tx store.Tx) error {
				tx.Put(fmt.Sprint("k", k), value[:len(value)-i])
				return nil
			})
			if err != nil {
				return err
			}
		}
		if err := fill(filler); err != nil {
			return err
		}
		s.server.mu.Lock()
		err := s.server.forget(ctx, s.applied.Load())
		s.server.mu.Unlock()
		if err != nil {
			return err
		}
		s.server.etcd.Backend().ForceCommit()
		err = s.View(ctx, func(tx store.Tx) error {
			v, err := tx.Get("k7")
			if err == nil && len(v.Bytes()) != len(value)-i {
				err = errors.New("a value is lost")
			}
			return err
		})
		if err = errors.Join(err, os.Remove(filler)); err != nil {
			return err
		}
	}
	return s.Close()
}

// fill fills a file system with a file, at once.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for at := int64(0); ; {
		var fs unix.Statfs_t
		if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
			return err
		}
		size := int64(fs.Bavail) * fs.Bsize
		if size == 0 {
			return nil
		}
		switch err := unix.Fallocate(int(f.Fd()), 0, at, size); {
		case err == nil:
			at += size
		case !errors.Is(err, unix.ENOSPC): // the store has taken some meanwhile
			return err
		}
	}
}

// TestDue: upkeep comes by and by, sooner the more there may be to forget, and its cost
// keeps to what is written.
func TestDue(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		since       time.Duration
		before, now int64
		want        bool
	}{
		{time.Second, mib, 2 * mib, false},
		{20 * time.Second, mib, 2 * mib, true},
		{20 * time.Second, 0, 0, true},
		{20 * time.Second, 100 * mib, 110 * mib, false},
		{20 * time.Second, 100 * mib, 113 * mib, true},
		{time.Second, 10 * mib, 137 * mib, false},
		{time.Second, 10 * mib, 138 * mib, true},
		{time.Second, 800 * mib, 999 * mib, false},
		{time.Second, 800 * mib, 1000 * mib, true},
		{time.Hour, 400 * mib, 390 * mib, false},
	} {
		if got := due(c.since, c.before, c.now); got != c.want {
			t.Errorf("after %v, from %d to %d MiB: %v", c.since, c.before/mib, c.now/mib, got)
		}
	}
}
