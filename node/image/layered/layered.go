// Package layered reads the file system that the unpacked layers of an image make
// together, as overlayfs does. Links are followed inside of it only.
package layered

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpaqueAttr is the attribute of a directory that hides those below it.
const OpaqueAttr = "trusted.overlay.opaque"

// mostLinks is how many symbolic links there may be on the way to a file.
const mostLinks = 40

// Tree is an open file system: its layers, the uppermost first.
type Tree []*os.Root

// Open opens the directories of layers, the uppermost first.
func Open(dirs []string) (Tree, error) {
	var t Tree
	for _, d := range dirs {
		r, err := os.OpenRoot(d)
		if err != nil {
			t.Close()
			return nil, err
		}
		t = append(t, r)
	}
	return t, nil
}

// Close closes the layers.
func (t Tree) Close() {
	for _, r := range t {
		r.Close()
	}
}

// Place is where a path leads.
type Place struct {
	Path  string      // below the root, without links; "." is the root
	Info  fs.FileInfo // of what is there; nil for a root without layers
	Rest  []string    // what of the path is not there
	layer *os.Root
}

// Open opens the regular file at a path.
func (t Tree) Open(name string) (*os.File, error) {
	p, err := t.Find(name)
	if err != nil {
		return nil, err
	}
	if len(p.Rest) > 0 || p.Info == nil || !p.Info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return p.Open()
}

// Open opens the regular file that is there.
func (p Place) Open() (*os.File, error) {
	return p.layer.OpenFile(p.Path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
}

// Find follows a path as far as it leads.
func (t Tree) Find(name string) (Place, error) {
	dirs := []*os.Root(t)
	here, links := t.root(), 0
	rest := parts(path.Clean("/" + name))
	for len(rest) > 0 {
		part := rest[0]
		if here.Info == nil || !here.Info.IsDir() {
			break // nothing is below
		}
		if part == ".." { // only links have them
			up := path.Dir(here.Path)
			if dirs, here = t.at(up); here.Path != up {
				return here, fs.ErrNotExist
			}
			rest = rest[1:]
			continue
		}
		next := path.Join(here.Path, part)
		below, info, layer := child(dirs, next)
		if info == nil {
			break
		}
		rest = rest[1:]
		if info.Mode()&fs.ModeSymlink == 0 {
			dirs, here = below, Place{Path: next, Info: info, layer: layer}
			continue
		}
		if links++; links > mostLinks {
			return here, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
		}
		target, err := layer.Readlink(next)
		if err != nil {
			return here, err
		}
		if path.IsAbs(target) {
			dirs, here = []*os.Root(t), t.root()
		}
		rest = append(parts(target), rest...)
	}
	here.Rest = rest
	return here, nil
}

// root is the place of the root.
func (t Tree) root() Place {
	p := Place{Path: "."}
	if len(t) > 0 {
		if info, err := t[0].Lstat("."); err == nil {
			p.Info, p.layer = info, t[0]
		}
	}
	return p
}

// parts are the names on a way.
func parts(target string) []string {
	return slices.DeleteFunc(strings.Split(target, "/"), func(s string) bool { return s == "" || s == "." })
}

// at is a directory that is known to be one: the layers that have a part in it.
func (t Tree) at(dir string) ([]*os.Root, Place) {
	dirs, here := []*os.Root(t), t.root()
	for _, part := range parts(dir) {
		next := path.Join(here.Path, part)
		below, info, layer := child(dirs, next)
		if info == nil || !info.IsDir() {
			break
		}
		dirs, here = below, Place{Path: next, Info: info, layer: layer}
	}
	return dirs, here
}

// child is what is seen at a path whose parent directory these layers make: the
// uppermost that has it, and of a directory all that make it. A whiteout hides
// what is below, as does whatever is no directory, or one that is opaque.
func child(parents []*os.Root, file string) (dirs []*os.Root, info fs.FileInfo, layer *os.Root) {
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
		if Opaque(path.Join(l.Name(), file)) {
			return dirs, info, layer
		}
	}
	return dirs, info, layer
}

func isWhiteout(i fs.FileInfo) bool {
	st, ok := i.Sys().(*syscall.Stat_t)
	return ok && i.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}

// Opaque reports whether a directory hides those below it.
func Opaque(dir string) bool {
	var b [1]byte
	n, err := unix.Lgetxattr(dir, OpaqueAttr, b[:])
	return err == nil && n == 1 && b[0] == 'y'
}
