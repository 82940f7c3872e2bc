// Package leftover finds what tasks have left on a host, for tests.
package leftover

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Of are the host's things that belong to the tasks in a directory, whose cgroups are
// below one: directories, mounts, cgroups, loop devices, processes, and by those network
// namespaces.
func Of(dir, cgroup string) []string {
	tasks, _ := filepath.Glob(dir + "/*")
	left := slices.DeleteFunc(tasks, func(name string) bool { return strings.Contains(name, "/.disk-") }) // of all, until they retire
	for _, pattern := range []string{"/sys/fs/cgroup/*" + cgroup + "/*", "/sys/fs/cgroup" + cgroup + "/*"} {
		found, _ := filepath.Glob(pattern)
		for _, f := range found {
			if info, err := os.Stat(f); err == nil && info.IsDir() {
				left = append(left, f)
			}
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			left = append(left, line)
		}
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, l := range loops {
		if file, _ := os.ReadFile(l); bytes.HasPrefix(file, []byte(dir)) {
			left = append(left, l+" "+string(file))
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		if stat, _ := os.ReadFile(p + "/stat"); bytes.Contains(stat, []byte(") Z ")) {
			continue // init's to reap
		}
		cg, _ := os.ReadFile(p + "/cgroup")
		cmd, _ := os.ReadFile(p + "/cmdline")
		root, _ := os.Readlink(p + "/root")
		if bytes.Contains(cg, []byte(cgroup)) || bytes.Contains(cmd, []byte(dir)) || strings.HasPrefix(root, dir) {
			left = append(left, fmt.Sprintf("%s %s", p, bytes.ReplaceAll(cmd, []byte{0}, []byte{' '})))
		}
	}
	return left
}
