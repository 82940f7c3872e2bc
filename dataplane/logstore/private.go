package logstore

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// private is the operating system's file system with files that only their
// owner may read.
type private struct{ vfs.FS }

const ownerOnly = 0o600

// Create makes a file.
func (p private) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return restrict(p.FS.Create(name, category))(name)
}

// OpenReadWrite opens a file, or makes it.
func (p private) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return restrict(p.FS.OpenReadWrite(name, category, opts...))(name)
}

// Lock takes a lock file, or makes it.
func (p private) Lock(name string) (io.Closer, error) {
	return restrict(p.FS.Lock(name))(name)
}

// restrict takes what opening a file gave, and closes it again unless the named
// file can be made its owner's only.
func restrict[F io.Closer](f F, err error) func(name string) (F, error) {
	return func(name string) (F, error) {
		if err != nil {
			return f, err
		}
		if err := os.Chmod(name, ownerOnly); err != nil {
			return f, errors.Join(err, f.Close())
		}
		return f, nil
	}
}
