package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// TemplatePrefix begins the names of templates: empty file systems, by their size
// and how they were made. A copy costs some hundred KiB, and neither a program nor
// a sync as making one does.
const TemplatePrefix = ".disk-"

// fresh follows the name of the file that a template is made from.
const fresh = ".template"

// fromTemplate makes a file a copy of a template; false if there is none.
func fromTemplate(template, file string, size int64) (bool, error) {
	from, err := os.Open(template)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer from.Close()
	if info, err := from.Stat(); err != nil || info.Size() != size {
		return false, err
	}
	to, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	err = errors.Join(copySparse(to, from, size), to.Close())
	return err == nil, err
}

// keep makes a copy of a fresh file system the template. It is whole, also after a
// crash of the host, or not there.
func keep(file, template string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(file+fresh, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(copySparse(to, from, info.Size()), to.Sync(), to.Close()); err != nil {
		return err
	}
	return os.Rename(file+fresh, template)
}

// copySparse copies what a file has between its holes.
func copySparse(to, from *os.File, size int64) error {
	if err := to.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		data, err := from.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		hole, err := from.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(to, data), io.NewSectionReader(from, data, hole-data)); err != nil {
			return err
		}
		at = hole
	}
	return nil
}
