package task

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
)

// save replaces the state file, by the one it replaced before, so that no file has
// to be made. With sync it is on the disk when save returns;
// what a crash of the host loses otherwise is about processes it ends.
func save(dir string, s *api.State, sync bool) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, api.StateFile)
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name+".new"))
	}
	err = unix.Renameat2(unix.AT_FDCWD, name+".new", unix.AT_FDCWD, name, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) { // the first time; file systems that cannot
		err = os.Rename(name+".new", name)
	}
	if err != nil || !sync {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// again is how long after a save that failed the next is tried.
const again = 500 * time.Millisecond

// save saves the state, with s.mu held. A disk that is full takes nothing from
// what runs: the file stays as it was, and is written when there is room.
func (s *shim) save(sync bool) {
	if save(s.cfg.Dir, &s.state, sync) == nil {
		s.unsaved = false
		return
	}
	if !s.unsaved {
		s.unsaved = true
		go s.saveLater()
	}
}

func (s *shim) saveLater() {
	for tick := time.Tick(again); ; {
		select {
		case <-s.ending:
			return
		case <-tick:
		}
		s.mu.Lock()
		if s.unsaved && save(s.cfg.Dir, &s.state, true) == nil {
			s.unsaved = false
		}
		done := !s.unsaved
		s.mu.Unlock()
		if done {
			return
		}
	}
}

func load(dir string) (*api.State, error) {
	b, err := os.ReadFile(filepath.Join(dir, api.StateFile))
	if err != nil {
		return nil, err
	}
	s := &api.State{}
	return s, json.Unmarshal(b, s)
}
