package shim

import (
	"os"
	"path/filepath"
	"strings"
)

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
