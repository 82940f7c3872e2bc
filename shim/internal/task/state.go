package task

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"neargate/shim/api"
)

// save replaces the state file. With sync it is on the disk when save returns;
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
	if err := errors.Join(err, f.Close(), os.Rename(name+".new", name)); err != nil || !sync {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func load(dir string) (*api.State, error) {
	b, err := os.ReadFile(filepath.Join(dir, api.StateFile))
	if err != nil {
		return nil, err
	}
	s := &api.State{}
	return s, json.Unmarshal(b, s)
}
