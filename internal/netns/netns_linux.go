// Package netns makes network namespaces that are named by files in a directory
// of the caller's own, and runs functions inside them.
//
// The directory is a private mount, so that the names neither show in nor depend
// on other mount namespaces, and nothing else that keeps namespaces in files (as
// "ip netns" does in /run/netns) can shadow them. A namespace lives while its
// file is mounted or a process is in it.
package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Prepare makes dir fit for naming namespaces. It may be called again.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	err := unix.Mount("", dir, "", unix.MS_PRIVATE, "")
	if !errors.Is(err, unix.EINVAL) { // EINVAL: not a mount yet
		return pathError("make private", dir, err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return pathError("bind", dir, err)
	}
	return pathError("make private", dir, unix.Mount("", dir, "", unix.MS_PRIVATE, ""))
}

// Discard removes dir and every name in it. A dir that is not there is fine.
func Discard(dir string) error {
	names, err := List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, n := range names {
		err = errors.Join(err, Remove(filepath.Join(dir, n)))
	}
	if err != nil {
		return err
	}
	if err := unmount(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// List returns the names in dir, also those whose namespace was unmounted.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Create makes a new namespace with its loopback interface down, named path.
func Create(path string) error { return CreateWith(path, func() error { return nil }) }

// CreateWith is Create, and runs fn with its thread in the new namespace. Where fn
// fails, the namespace stays.
func CreateWith(path string, fn func() error) error {
	if err := touch(path); err != nil {
		return err
	}
	return locked(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := bind(self(), path); err != nil {
			return err
		}
		return fn()
	})
}

// Bind gives the namespace named from the further name path.
func Bind(from, path string) error {
	if err := touch(path); err != nil {
		return err
	}
	return bind(from, path)
}

// Remove takes the name away. A name that is not there is fine.
func Remove(path string) error {
	if err := unmount(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Mounted reports whether path names a namespace.
func Mounted(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// Do runs fn with its thread in the namespace named path; an empty path is the
// namespace of the process. Goroutines that fn starts are outside.
func Do(path string, fn func() error) error {
	if path == "" {
		return fn()
	}
	return locked(func() error {
		if err := enter(path); err != nil {
			return err
		}
		return fn()
	})
}

// locked runs fn on a thread of its own namespace state: what fn changes of it
// is undone, or else the thread ends.
func locked(fn func() error) error {
	runtime.LockOSThread()
	home, err := unix.Open(self(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return pathError("open", self(), err)
	}
	defer unix.Close(home)
	err = fn()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		// The goroutine stays locked, so the runtime ends the thread with it.
		return errors.Join(err, os.NewSyscallError("setns", back))
	}
	runtime.UnlockOSThread()
	return err
}

func enter(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", path, err)
	}
	defer unix.Close(fd)
	return pathError("setns", path, unix.Setns(fd, unix.CLONE_NEWNET))
}

func self() string { return fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()) }

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o400)
	if err != nil {
		return err
	}
	return f.Close()
}

func bind(from, path string) error {
	return pathError("bind", path, unix.Mount(from, path, "", unix.MS_BIND, ""))
}

// unmount removes every mount on path.
func unmount(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return pathError("unmount", path, err)
		}
	}
}

func pathError(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}
