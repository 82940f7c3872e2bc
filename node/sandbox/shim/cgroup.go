package shim

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Sweep ends tasks whose directories somebody removed, by the cgroups they still
// have. It reports how many. Nothing may be opened meanwhile.
func (s *Sandbox) Sweep(ctx context.Context) (ended int, err error) {
	const root = "/sys/fs/cgroup"
	v1, err := filepath.Glob(root + "/*" + s.cfg.Cgroup + "/*")
	v2, e := filepath.Glob(root + s.cfg.Cgroup + "/*")
	err = errors.Join(err, e)
	swept := map[string]bool{}
	for _, group := range append(v1, v2...) {
		name := filepath.Base(group)
		if info, err := os.Stat(group); err != nil || !info.IsDir() || swept[name] {
			continue
		}
		swept[name] = true
		if _, e := os.Lstat(filepath.Join(s.cfg.Dir, name)); errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, s.end(ctx, name))
			ended++
		}
	}
	return ended, err
}

// hastenMoves makes the next moves of processes between cgroups quick, of whatever
// process, with version 1: the first one after a while waits for all processors,
// some ten milliseconds, during which a shim has other things to do.
func hastenMoves() {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[1] != "pids" {
			continue
		}
		group := filepath.Join("/sys/fs/cgroup/pids", f[2])
		_ = os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0) // where it is already
	}
}
