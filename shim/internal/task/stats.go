package task

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
)

// stats are what the task uses now.
func (s *shim) stats() (*api.Stats, error) {
	s.mu.Lock()
	var running []string
	for _, c := range s.state.Containers {
		if !c.StartedAt.IsZero() && c.Exit == nil {
			running = append(running, c.Container.Name)
		}
	}
	s.mu.Unlock()
	containers, err := s.rt.Usage(running)
	if err != nil {
		return nil, err
	}
	st := &api.Stats{At: time.Now(), Task: s.group.Usage(), Containers: containers}
	var fs unix.Statfs_t
	if s.cfg.Spec.Disk > 0 && unix.Statfs(filepath.Join(s.cfg.Dir, "disk"), &fs) == nil && fs.Type == unix.EXT4_SUPER_MAGIC {
		unit := uint64(fs.Bsize)
		st.Disk = api.Space{Used: (fs.Blocks - fs.Bfree) * unit, Limit: fs.Blocks * unit}
	}
	return st, nil
}
