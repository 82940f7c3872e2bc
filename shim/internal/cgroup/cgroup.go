// Package cgroup makes, limits, watches and removes control groups, with either
// version of cgroups; where both are mounted, version 1 has the controllers.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mounted is where cgroups are mounted.
const mounted = "/sys/fs/cgroup"

// period is that of the CPU quota, and leastQuota the least the kernel takes, in
// microseconds.
const period, leastQuota = 100_000, 1000

// Group is a control group.
type Group struct {
	root string // where the hierarchies, or the one of version 2, are
	path string // under each hierarchy
	v2   bool
}

// Limits of a group; 0 is none.
type Limits struct {
	Memory    int  // MiB, with swap
	Processes int  // with threads
	Together  bool // who is out of memory ends with everybody in the group; version 2 only
}

// controllers of version 1 that limit or account.
var controllers = []string{"memory", "cpu", "cpuacct", "pids"}

// At is the group with a path, which may not exist.
func At(path string) Group {
	_, err := os.Stat(filepath.Join(mounted, "cgroup.controllers"))
	return Group{root: mounted, path: path, v2: err == nil}
}

// Sub is a group inside.
func (g Group) Sub(name string) Group {
	g.path = filepath.Join(g.path, name)
	return g
}

// CloneInto reports whether a process can be made in a group; with version 1 it
// can only be moved.
func (g Group) CloneInto() bool { return g.v2 }

// Path is the group's path under each hierarchy.
func (g Group) Path() string { return g.path }

// dir is the group's directory in a controller's hierarchy.
func (g Group) dir(controller string) string {
	if g.v2 {
		return filepath.Join(g.root, g.path)
	}
	return filepath.Join(g.root, controller, g.path)
}

// dirs are the group's directories in every hierarchy, made or not.
func (g Group) dirs() []string {
	if g.v2 {
		return []string{g.dir("")}
	}
	entries, _ := os.ReadDir(g.root)
	var all []string
	for _, e := range entries {
		all = append(all, g.dir(e.Name()))
	}
	return all
}

// Create makes the group and sets its limits.
func (g Group) Create(l Limits) error {
	if g.v2 {
		return g.create2(l)
	}
	for _, c := range controllers {
		if _, err := os.Stat(filepath.Join(g.root, c)); err != nil {
			continue
		}
		if err := os.MkdirAll(g.dir(c), 0o755); err != nil {
			return err
		}
	}
	if l.Memory > 0 {
		bytes := strconv.Itoa(l.Memory << 20)
		if err := write(g.dir("memory"), "memory.limit_in_bytes", bytes); err != nil {
			return err
		}
		if err := write(g.dir("memory"), "memory.memsw.limit_in_bytes", bytes); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if l.Processes > 0 {
		return write(g.dir("pids"), "pids.max", strconv.Itoa(l.Processes))
	}
	return nil
}

func (g Group) create2(l Limits) error {
	if err := os.MkdirAll(g.dir(""), 0o755); err != nil {
		return err
	}
	at := g.root
	for _, part := range strings.Split(filepath.Dir(g.path), "/") {
		at = filepath.Join(at, part)
		for _, c := range []string{"+memory", "+cpu", "+pids", "+cpuset"} {
			_ = write(at, "cgroup.subtree_control", c) // one that is missing shows when it is used
		}
	}
	return g.limit2(l)
}

func (g Group) limit2(l Limits) error {
	var errs []error
	if l.Memory > 0 {
		errs = append(errs, write(g.dir(""), "memory.max", strconv.Itoa(l.Memory<<20)))
		if err := write(g.dir(""), "memory.swap.max", "0"); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if l.Together {
		errs = append(errs, write(g.dir(""), "memory.oom.group", "1"))
	}
	if l.Processes > 0 {
		errs = append(errs, write(g.dir(""), "pids.max", strconv.Itoa(l.Processes)))
	}
	return errors.Join(errs...)
}

// LimitCPU gives the group a quota and a weight, in CPU units, 1024 a vCPU.
func (g Group) LimitCPU(units int) error {
	quota := strconv.Itoa(max(leastQuota, units*period/1024))
	if g.v2 {
		return errors.Join(write(g.dir(""), "cpu.max", quota+" "+strconv.Itoa(period)), g.Weigh(units))
	}
	return errors.Join(
		write(g.dir("cpu"), "cpu.cfs_period_us", strconv.Itoa(period)),
		write(g.dir("cpu"), "cpu.cfs_quota_us", quota),
		g.Weigh(units),
	)
}

// Weigh gives the group a weight beside others, in CPU units; a new group has
// 1024.
func (g Group) Weigh(units int) error {
	if g.v2 {
		return write(g.dir(""), "cpu.weight", strconv.Itoa(Weight(units)))
	}
	return write(g.dir("cpu"), "cpu.shares", strconv.Itoa(max(2, units)))
}

// Add moves a process into the group.
func (g Group) Add(pid int) error {
	if g.v2 {
		return write(g.dir(""), "cgroup.procs", strconv.Itoa(pid))
	}
	var errs []error
	for _, c := range controllers {
		if err := write(g.dir(c), "cgroup.procs", strconv.Itoa(pid)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Weight is the cpu.weight of version 2 for shares of version 1, by the formula
// of the Kubernetes enhancement 2254.
func Weight(shares int) int {
	shares = min(max(shares, 2), 262144)
	return 1 + (shares-2)*9999/262142
}

// Hasten makes the next moves of processes between groups quick, of whatever process,
// with version 1: the first one after a while waits for all processors, some ten
// milliseconds. It moves this process to where it is, so nobody else may move it
// meanwhile.
func Hasten() {
	b, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && f[1] == "pids" {
			_ = write(filepath.Join(mounted, "pids", f[2]), "cgroup.procs", "0")
		}
	}
}

// OOMKills is how often the kernel killed a process of the group for want of
// memory.
func (g Group) OOMKills() int {
	file := filepath.Join(g.dir("memory"), "memory.oom_control")
	if g.v2 {
		file = filepath.Join(g.dir(""), "memory.events")
	}
	b, _ := os.ReadFile(file)
	return int(field(b, "oom_kill"))
}

// groups are the directories of the group and of those inside, in every hierarchy
// that has them, outer ones first.
func (g Group) groups() []string {
	var all []string
	for _, dir := range g.dirs() {
		all = appendGroups(all, dir)
	}
	return all
}

// appendGroups adds a directory and those inside. That there are none shows in its
// count of links, without a look at the many files of a group.
func appendGroups(all []string, dir string) []string {
	var st syscall.Stat_t
	if syscall.Stat(dir, &st) != nil {
		return all
	}
	all = append(all, dir)
	if st.Nlink == 2 {
		return all
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			all = appendGroups(all, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// processes in groups, without self. A process that was moved half way is in some
// hierarchies only.
func processes(groups []string) []int {
	found := map[int]bool{}
	for _, dir := range groups {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, s := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(s); err == nil && pid > 0 && pid != os.Getpid() {
				found[pid] = true
			}
		}
	}
	return slices.Collect(maps.Keys(found))
}

// oneRound bounds the wait for processes that were killed before it is looked whether
// there are others.
const oneRound = 50 * time.Millisecond

// gone waits until processes have ended, and reports whether they did. Those it cannot
// wait for did not.
func gone(pids []int, within time.Duration) bool {
	deadline, all := time.Now().Add(within), true
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH {
			continue
		}
		n := 0
		if err == nil {
			n = readable(fd, deadline)
			_ = unix.Close(fd)
		}
		all = all && n > 0
	}
	return all
}

// readable waits until a file can be read, as a process that has ended.
func readable(fd int, deadline time.Time) int {
	for {
		left := max(time.Until(deadline).Milliseconds(), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left))
		if err != unix.EINTR {
			return n
		}
	}
}

// Remove kills what is in the group and removes it; nil if there is none. reap is
// called repeatedly to wait for children of the caller.
func (g Group) Remove(reap func(), patience time.Duration) error {
	deadline := time.Now().Add(patience)
	_ = write(g.dir(""), "cgroup.kill", "1")
	var err error
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		groups := g.groups()
		pids := processes(groups)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		ended := gone(pids, oneRound)
		reap()
		if err = fmt.Errorf("cgroup %s: processes %v do not end", g.path, pids); ended {
			if err = rmdir(groups); err == nil {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}

// rmdir removes groups, those inside first.
func rmdir(groups []string) error {
	var errs []error
	for _, dir := range slices.Backward(groups) {
		if err := syscall.Rmdir(dir); err != nil && err != syscall.ENOENT {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
