// Package database is what the databases on this machine have in common: files that
// nobody but their owner may read, and where they report.
package database

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is the operating system's file system; the files it makes are their owner's.
func FS() vfs.FS { return private{vfs.Default} }

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
