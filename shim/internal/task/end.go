package task

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"neargate/shim/api"
	"neargate/shim/internal/cgroup"
	"neargate/shim/internal/proc"
)

// End ends what a shim that is dead, or hangs, has left: its processes, its
// cgroup, its mounts. Containers that ran are recorded as killed. dir may be gone,
// or hold many tasks whose directories are.
func End(dir, group string) error {
	s, err := load(dir)
	if err != nil {
		for _, p := range shims(dir) {
			proc.Kill(p)
		}
	} else if s.Shim.PID != os.Getpid() {
		proc.Kill(s.Shim)
	}
	oom := cgroup.At(group).OOMKills() > 0
	if err := end(dir, group); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	for i := range s.Containers {
		if c := &s.Containers[i]; !c.StartedAt.IsZero() && c.Exit == nil {
			c.Exit = &api.Exit{Code: 128 + int32(unix.SIGKILL), OOM: oom, At: time.Now()}
		}
	}
	_ = save(dir, s, true) // a disk may be full; who reads the file knows that the shim is dead
	return os.RemoveAll(filepath.Join(dir, api.SocketFile))
}

// shims are those of a task's directory, or of those in it, by their command line.
func shims(dir string) (all []api.Process) {
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range found {
		pid, _ := strconv.Atoi(filepath.Base(p))
		is := proc.Of(pid)
		b, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		args := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
		if len(args) == 3 && strings.HasPrefix(filepath.Base(args[0]), "neargate-") && args[1] == "shim" &&
			strings.HasPrefix(args[2]+"/", dir+"/") && pid != os.Getpid() {
			all = append(all, is)
		}
	}
	return all
}

// end kills a task's processes, removes its cgroup, and unmounts what this
// process sees mounted under the task's directory.
func end(dir, group string) error {
	err := cgroup.At(group).Remove(proc.Reap, patience)
	mounts, e := mountsUnder(dir)
	for _, m := range mounts {
		e = errors.Join(e, unix.Unmount(m, unix.MNT_DETACH))
	}
	return errors.Join(err, e)
}

// mountsUnder are the mount points under a directory, the last mounted first.
func mountsUnder(dir string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	var all []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			all = append(all, f[1])
		}
	}
	slices.Reverse(all)
	return all, err
}
