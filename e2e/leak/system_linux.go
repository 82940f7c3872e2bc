package leak

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// gone reports whether a file of /proc is not there because its process has ended.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "no such process")
}

// processes lists processes, but for zombies and kernel threads, and the network
// namespaces they are in.
func (s Snapshot) processes() error {
	found, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	self := os.Getpid()
	holders := map[string][]string{}
	for _, p := range found {
		pid := filepath.Base(p)
		stat, err := os.ReadFile(p + "/stat")
		exe, e := os.Readlink(p + "/exe")
		if err != nil || e != nil || pid == fmt.Sprint(self) {
			continue // ended meanwhile, or the kernel's
		}
		rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
		if rest[0] == "Z" || rest[0] == "X" || len(rest) < 20 {
			continue
		}
		command, _ := os.ReadFile(p + "/cmdline")
		cgroup, _ := os.ReadFile(p + "/cgroup")
		cwd, _ := os.Readlink(p + "/cwd")
		root, _ := os.Readlink(p + "/root")
		text := fmt.Sprintf("%s %s (%s)", pid, exe, strings.TrimSpace(string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))))
		if groups := cgroupPaths(string(cgroup)); len(groups) > 0 {
			text += " in cgroup " + strings.Join(groups, ", ")
		}
		if root != "/" && root != "" {
			text += " with root " + root
		}
		s.add(Process, pid+" "+rest[19], text+" at "+cwd)
		if ns, err := os.Readlink(p + "/ns/net"); err == nil {
			holders[ns] = append(holders[ns], filepath.Base(exe)+" "+pid+" "+strings.Join(cgroupPaths(string(cgroup)), ", "))
		}
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	for ns, by := range holders {
		if ns != own {
			slices.Sort(by)
			s.add(Namespace, ns, ns+" of "+strings.Join(by, ", "))
		}
	}
	return nil
}

// cgroupPaths are the cgroups of a process but for the roots, each once.
func cgroupPaths(file string) []string {
	var paths []string
	for line := range strings.Lines(file) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && f[2] != "/" && !slices.Contains(paths, f[2]) {
			paths = append(paths, f[2])
		}
	}
	return paths
}

// mounts lists the mounts of this mount namespace and, for each other one, those
// that a process there has; a mounted network namespace is one even where no
// process is in it.
func (s Snapshot) mounts() error {
	found, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, file := range append([]string{"/proc/self/mountinfo"}, found...) {
		ns, err := os.Readlink(filepath.Join(filepath.Dir(file), "ns/mnt"))
		if err != nil || seen[ns] {
			continue
		}
		own := len(seen) == 0
		seen[ns] = true
		b, err := os.ReadFile(file)
		if err != nil && !gone(err) {
			continue
		}
		for line := range strings.Lines(string(b)) {
			left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
			l, r := strings.Fields(left), strings.Fields(right)
			if !ok || len(l) < 5 || len(r) < 3 {
				continue
			}
			where, what := l[4], r[0]+" "+r[1]
			if r[0] == "overlay" {
				what += " " + r[2]
			}
			if !own {
				where = "in " + ns + ": " + where
			}
			s.add(Mount, where+" "+l[3], fmt.Sprintf("%s %s (%s)", where, l[3], what))
			if r[0] == "nsfs" && strings.HasPrefix(l[3], "net:") {
				if _, known := s[Namespace+"\x00"+l[3]]; !known {
					s.add(Namespace, l[3], l[3]+" mounted on "+where)
				}
			}
		}
	}
	return nil
}

// cgroups lists the cgroups of every hierarchy.
func (s Snapshot) cgroups() error {
	const root = "/sys/fs/cgroup"
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && gone(err):
			return nil
		case err != nil:
			return err
		case d.IsDir() && p != root:
			s.add(Cgroup, p, p)
		}
		return nil
	})
}

func (s Snapshot) loops() error {
	found, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, p := range found {
		if b, err := os.ReadFile(p); err == nil {
			device := strings.Split(p, "/")[3]
			s.add(Loop, device+string(b), device+" of "+strings.TrimSpace(string(b)))
		}
	}
	return err
}

// sockets lists Unix sockets with names.
func (s Snapshot) sockets() error {
	b, err := os.ReadFile("/proc/net/unix")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 8 {
			s.add(Socket, f[6]+" "+f[7], f[7])
		}
	}
	return err
}

func (s Snapshot) files(dirs []string) error {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil && gone(err):
				return nil
			case err != nil:
				return err
			}
			s.add(File, p, p)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
