package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"neargate/node/sandbox"
)

// Limits of what is read in an image to find a user.
const (
	mostLinks = 40       // symbolic links on the way to a file
	mostFile  = 16 << 20 // bytes of /etc/passwd and /etc/group
)

// User finds whom a user specification of docker means in the image: a name or
// number, maybe with a colon and a group's name or number; empty: root. Without
// a group it is the user's own, with those that list the user.
func (i Image) User(spec string) (sandbox.User, error) {
	name, group, hasGroup := strings.Cut(spec, ":")
	t, err := openLayers(i.Layers)
	if err != nil {
		return sandbox.User{}, err
	}
	defer t.close()
	users, err := t.table("etc/passwd", 4)
	if err != nil {
		return sandbox.User{}, err
	}
	if name == "" {
		name = "0"
	}
	var user sandbox.User
	login := ""
	id, numeric := parseID(name)
	at := slices.IndexFunc(users, func(f []string) bool {
		n, ok := parseID(f[2])
		return ok && (numeric && n == id || !numeric && f[0] == name)
	})
	switch {
	case at >= 0:
		login = users[at][0]
		user.UID, _ = parseID(users[at][2])
		user.GID, _ = parseID(users[at][3])
	case numeric:
		user.UID = id
	default:
		return user, fmt.Errorf("unable to find user %s: no matching entries in passwd file", name)
	}
	if !hasGroup && login == "" {
		return user, nil
	}
	groups, err := t.table("etc/group", 3)
	if err != nil {
		return user, err
	}
	if hasGroup && group != "" {
		user.GID, err = findGroup(groups, group)
		return user, err
	}
	for _, f := range groups {
		if gid, ok := parseID(f[2]); ok && len(f) > 3 && slices.Contains(strings.Split(f[3], ","), login) {
			user.Additional = append(user.Additional, gid)
		}
	}
	return user, nil
}

func findGroup(groups [][]string, name string) (uint32, error) {
	id, numeric := parseID(name)
	for _, f := range groups {
		if gid, ok := parseID(f[2]); ok && !numeric && f[0] == name {
			return gid, nil
		}
	}
	if numeric {
		return id, nil
	}
	return 0, fmt.Errorf("unable to find group %s: no matching entries in group file", name)
}

// parseID reads a user's or group's number. The last ones mean "none" to the
// kernel or to those who count with signs.
func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return uint32(n), err == nil
}

// layered is the file system that layers make together. Links are followed inside
// of it only.
type layered []*os.Root // the uppermost first

func openLayers(dirs []string) (layered, error) {
	var t layered
	for _, d := range dirs {
		r, err := os.OpenRoot(d)
		if err != nil {
			t.close()
			return nil, err
		}
		t = append(t, r)
	}
	return t, nil
}

func (t layered) close() {
	for _, r := range t {
		r.Close()
	}
}

// table reads a file of lines with fields between colons, of which there are at
// least n in a line that counts. A file that is not there is empty.
func (t layered) table(name string, n int) ([][]string, error) {
	f, err := t.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out [][]string
	lines := bufio.NewScanner(io.LimitReader(f, mostFile))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Split(strings.TrimSpace(lines.Text()), ":"); len(fields) >= n && fields[0] != "" {
			out = append(out, fields)
		}
	}
	return out, lines.Err()
}

// open opens a regular file.
func (t layered) open(name string) (*os.File, error) {
	at, file, links := t.all(), ".", 0
	rest := strings.Split(path.Clean("/" + name)[1:], "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == ".." { // only links have them
			file = path.Dir(file)
			if at, _, _ = t.find(file); at == nil {
				return nil, fs.ErrNotExist
			}
			continue
		}
		next := path.Join(file, part)
		dirs, info, layer := t.child(at, next)
		switch {
		case info == nil:
			return nil, fs.ErrNotExist
		case info.IsDir():
			at, file = dirs, next
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > mostLinks {
				return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
			}
			target, err := layer.Readlink(next)
			if err != nil {
				return nil, err
			}
			if path.IsAbs(target) {
				at, file = t.all(), "."
			}
			rest = append(parts(target), rest...)
		case len(rest) > 0 || !info.Mode().IsRegular():
			return nil, fs.ErrNotExist
		default:
			return layer.OpenFile(next, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		}
	}
	return nil, fs.ErrNotExist
}

// parts are the names on a link's way.
func parts(target string) []string {
	return slices.DeleteFunc(strings.Split(target, "/"), func(s string) bool { return s == "" || s == "." })
}

func (t layered) all() []*os.Root { return t }

// find is a directory that is known to be one: the layers that have a part in it.
func (t layered) find(dir string) ([]*os.Root, fs.FileInfo, *os.Root) {
	at := t.all()
	var info fs.FileInfo
	var layer *os.Root
	file := "."
	for _, part := range parts(dir) {
		file = path.Join(file, part)
		if at, info, layer = t.child(at, file); at == nil {
			return nil, nil, nil
		}
	}
	return at, info, layer
}

// child is what is seen at a path whose parent directory these layers make: the
// uppermost that has it, and of a directory all that make it. A whiteout hides
// what is below, as does whatever is no directory, or one that is opaque.
func (t layered) child(parents []*os.Root, file string) (dirs []*os.Root, info fs.FileInfo, layer *os.Root) {
	for _, l := range parents {
		i, err := l.Lstat(file)
		if err != nil {
			continue
		}
		if !i.IsDir() {
			if info == nil && !isWhiteout(i) {
				return nil, i, l
			}
			return dirs, info, layer
		}
		if info == nil {
			info, layer = i, l
		}
		dirs = append(dirs, l)
		if isOpaque(path.Join(l.Name(), file)) {
			return dirs, info, layer
		}
	}
	return dirs, info, layer
}

func isWhiteout(i fs.FileInfo) bool {
	st, ok := i.Sys().(*syscall.Stat_t)
	return ok && i.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}
