package bundle

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// CopyContent copies what a root file system has in a directory, with owners,
// modes and links; nil if it has none. The directory is looked up inside the root:
// a symbolic link cannot lead out of it.
func CopyContent(root, dir, to string) error {
	in, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer in.Close()
	from, err := in.OpenRoot(filepath.Clean("./" + dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer out.Close()
	return fs.WalkDir(from.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return copyEntry(from, out, p)
	})
}

func copyEntry(from, out *os.Root, p string) error {
	info, err := from.Lstat(p)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		if p != "." {
			err = out.Mkdir(p, 0o700)
		}
	case fs.ModeSymlink:
		var target string
		if target, err = from.Readlink(p); err == nil {
			err = out.Symlink(target, p)
		}
	case 0:
		err = copyFile(from, out, p)
	default:
		return nil // devices, sockets and pipes stay behind
	}
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := out.Lchown(p, int(st.Uid), int(st.Gid)); err != nil || info.Mode().Type() == fs.ModeSymlink {
		return err
	}
	return out.Chmod(p, info.Mode())
}

func copyFile(from, out *os.Root, p string) error {
	src, err := from.Open(p)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := out.Create(p)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
