// Package room watches how much room a directory's file system has, and keeps some
// in reserve: what must go on working when others have filled the disk works on
// from there.
package room

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes in bytes. A file system is full when less than Low is free, and has room
// again when the ballast fits in beside twice that. Then writers that can wait must
// wait; with less than Least everybody must: the store's log and its database grow
// by steps of 64 and 16 MiB.
const (
	Ballast = 128 << 20
	Low     = 96 << 20
	Least   = 24 << 20
)

// every is how often is looked at most.
const every = 100 * time.Millisecond

// file is the ballast's name in the directory.
const file = "ballast"

// Room is the room for a directory's files.
type Room struct {
	dir string
	log *slog.Logger

	mu         sync.Mutex
	at         time.Time
	full, gone bool
}

// Open watches a directory, which it makes.
func Open(dir string, log *slog.Logger) (*Room, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &Room{dir: dir, log: log, full: true} // until the ballast is there
	return r, r.look()
}

// Full reports whether who can wait must not write.
func (r *Room) Full() bool { full, _ := r.ask(); return full }

// Gone reports whether nobody must write.
func (r *Room) Gone() bool { _, gone := r.ask(); return gone }

func (r *Room) ask() (full, gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.at) >= every {
		r.at = now
		if err := r.look(); err != nil {
			r.log.Error("the room on the disk is not known", "dir", r.dir, "error", err)
		}
	}
	return r.full, r.gone
}

// look finds out how much is free, and takes or gives the ballast.
func (r *Room) look() error {
	free, err := r.free()
	if err != nil {
		return err
	}
	held, err := r.held()
	if err != nil {
		return err
	}
	switch {
	case free < Low && !r.full:
		r.log.Error("the disk is full: calls that change something are refused until there is room", "dir", r.dir, "free", free>>20, "MiB needed", (Ballast+2*Low)>>20)
		r.full = true
		if err := r.drop(); err != nil {
			return err
		}
	case free >= Ballast+2*Low-held && r.full:
		if err := r.take(); err != nil {
			return err
		}
		if !r.at.IsZero() {
			r.log.Info("the disk has room again", "dir", r.dir)
		}
		r.full = false
	case r.full:
		if err := r.drop(); err != nil { // of an earlier process
			return err
		}
	}
	if free, err = r.free(); err == nil {
		r.gone = free < Least
	}
	return err
}

func (r *Room) free() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(r.dir, &fs); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", r.dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// held is what the ballast takes.
func (r *Room) held() (int64, error) {
	var st unix.Stat_t
	err := unix.Stat(filepath.Join(r.dir, file), &st)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	return st.Blocks * 512, err
}

func (r *Room) take() error {
	f, err := os.OpenFile(filepath.Join(r.dir, file), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, Ballast)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = nil // a file system that gives no promises
	}
	return errors.Join(err, f.Close())
}

func (r *Room) drop() error {
	err := os.Remove(filepath.Join(r.dir, file))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
