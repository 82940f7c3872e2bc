// Package registry keeps what registries hold: layers, configurations and
// manifests, each once under its digest whatever the repositories it is in, and
// uploads that are not complete. Which repository has what is not known here.
//
// On disk, under the directory of the store, which only root may enter:
//
//	blobs/sha256/ab/abcd…  a blob, whole, under its digest
//	uploads/ID             what came of an upload, and ID.owner, whose it is
//
// A blob is under its name only when it is whole and on the disk, so that a crash
// at any moment leaves nothing half there. An upload that a crash ends goes on
// where it was, or is removed when nobody has gone on for long.
package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"neargate/resource/image"
)

const prefix = "sha256:"

// Store keeps blobs in a directory. Its methods may be called by many goroutines.
type Store struct {
	dir string
	now func() time.Time

	mu      sync.Mutex
	held    map[string]int     // users of blobs that must not be collected, by digest
	uploads map[string]*upload // that this process has written to, by id
}

// upload is what is remembered of an upload beside its file.
type upload struct {
	busy bool
	hash hash.Hash // of the first size bytes
	size int64
}

// Open opens the store in a directory, or makes one there.
func Open(dir string, now func() time.Time) (*Store, error) {
	s := &Store{dir: dir, now: now, held: map[string]int{}, uploads: map[string]*upload{}}
	for _, d := range []string{"blobs/sha256", "uploads"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("registry: %w", err)
		}
	}
	return s, nil
}

func (s *Store) blob(digest string) string {
	name := strings.TrimPrefix(digest, prefix)
	return filepath.Join(s.dir, "blobs/sha256", name[:2], name)
}

// file is where an upload is. An id is never a path: it is checked.
func (s *Store) file(id string) (string, error) {
	if len(id) != 36 || strings.Trim(id, "0123456789abcdef-") != "" {
		return "", image.ErrNoUpload
	}
	return filepath.Join(s.dir, "uploads", id), nil
}

// Begin starts an upload under an id that has not been used. The owner, whatever
// it means, has to be named again by whoever goes on with it.
func (s *Store) Begin(owner, id string) error {
	path, err := s.file(id)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".owner", []byte(owner), 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Size is how many bytes of an upload are here.
func (s *Store) Size(owner, id string) (int64, error) {
	path, err := s.owned(owner, id)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, gone(err)
	}
	return info.Size(), nil
}

// owned is the file of an upload that belongs to the owner.
func (s *Store) owned(owner, id string) (string, error) {
	path, err := s.file(id)
	if err != nil {
		return "", err
	}
	is, err := os.ReadFile(path + ".owner")
	if err != nil {
		return "", gone(err)
	}
	if string(is) != owner {
		return "", image.ErrNoUpload
	}
	return path, nil
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return image.ErrNoUpload
	}
	return err
}

// Append adds what r holds to an upload, at an offset, which must be its end (-1:
// wherever that is). It returns the new size, also with an error: what came before
// the error stays.
func (s *Store) Append(owner, id string, offset int64, r io.Reader) (size int64, err error) {
	path, err := s.owned(owner, id)
	if err != nil {
		return 0, err
	}
	u, err := s.claim(id)
	if err != nil {
		return 0, err
	}
	defer s.unclaim(id, u)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, gone(err)
	}
	defer f.Close()
	if size, err = u.reach(f); err != nil {
		return 0, err
	}
	if offset >= 0 && offset != size {
		return size, image.ErrOffset
	}
	n, err := io.CopyBuffer(io.MultiWriter(f, u.hash), onlyReader{r}, make([]byte, 256<<10))
	u.size += n
	if err != nil {
		u.hash = nil // a write that failed may have got further than the hash
	}
	return size + n, err
}

// onlyReader hides what else a reader can do, so that the buffer is used.
type onlyReader struct{ io.Reader }

// claim makes the caller the only one who writes to an upload.
func (s *Store) claim(id string) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		u = &upload{}
		s.uploads[id] = u
	}
	if u.busy {
		return nil, image.ErrBusy
	}
	u.busy = true
	return u, nil
}

func (s *Store) unclaim(id string, u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.busy = false
}

func (s *Store) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, id)
}

// reach makes the hash that of the file so far, which it reads again if another
// process or a failed write got it there, and leaves the file at its end.
func (u *upload) reach(f *os.File) (size int64, err error) {
	size, err = f.Seek(0, io.SeekEnd)
	if err != nil || u.hash != nil && u.size == size {
		return size, err
	}
	h := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if size, err = io.Copy(h, f); err != nil {
		return 0, err
	}
	u.hash, u.size = h, size
	return size, nil
}

// Commit makes a blob of an upload if its digest is the given one. The blob is
// held until release is called. After image.ErrDigest the upload is gone.
func (s *Store) Commit(owner, id, digest string) (size int64, release func(), err error) {
	path, err := s.owned(owner, id)
	if err != nil {
		return 0, nil, err
	}
	u, err := s.claim(id)
	if err != nil {
		return 0, nil, err
	}
	defer s.unclaim(id, u)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, nil, gone(err)
	}
	defer f.Close()
	if size, err = u.reach(f); err != nil {
		return 0, nil, err
	}
	if got := prefix + hex.EncodeToString(u.hash.Sum(nil)); got != digest {
		return size, nil, errors.Join(image.ErrDigest, s.drop(path, id))
	}
	if err := f.Sync(); err != nil {
		return size, nil, err
	}
	release = s.hold(digest)
	if err := s.settle(path, digest); err != nil {
		release()
		return size, nil, err
	}
	return size, release, s.drop(path, id)
}

// settle gives a whole file its name as a blob.
func (s *Store) settle(path, digest string) error {
	to := s.blob(digest)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	now := s.now()
	if err := os.Chtimes(path, now, now); err != nil {
		return err
	}
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Abort removes an upload.
func (s *Store) Abort(owner, id string) error {
	path, err := s.owned(owner, id)
	if err != nil {
		return err
	}
	u, err := s.claim(id)
	if err != nil {
		return err
	}
	defer s.unclaim(id, u)
	return s.drop(path, id)
}

// drop removes the files of an upload, of which one may be gone.
func (s *Store) drop(path, id string) error {
	s.forget(id)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(path+".owner"))
}

// Add makes a blob of a text, which is held until release is called.
func (s *Store) Add(text []byte) (digest string, release func(), err error) {
	sum := sha256.Sum256(text)
	digest = prefix + hex.EncodeToString(sum[:])
	if _, release, err := s.Hold(digest); err == nil {
		return digest, release, nil
	}
	release = s.hold(digest)
	f, err := os.CreateTemp(filepath.Join(s.dir, "uploads"), "text-*")
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Sync(), f.Close())
		if err == nil {
			err = s.settle(f.Name(), digest)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}
	if err != nil {
		release()
		return "", nil, err
	}
	return digest, release, nil
}

// Hold keeps a blob that is here from being collected until release is called,
// and says how large it is. It returns image.ErrNoBlob.
func (s *Store) Hold(digest string) (size int64, release func(), err error) {
	release = s.hold(digest)
	info, err := os.Stat(s.blob(digest))
	if err != nil {
		release()
		return 0, nil, missing(err)
	}
	return info.Size(), release, nil
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return image.ErrNoBlob
	}
	return err
}

func (s *Store) hold(digest string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[digest]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held[digest]--; s.held[digest] == 0 {
			delete(s.held, digest)
		}
	})
}

// Open opens a blob. It stays readable when it is collected meanwhile. It returns
// image.ErrNoBlob.
func (s *Store) Open(digest string) (*os.File, error) {
	f, err := os.Open(s.blob(digest))
	return f, missing(err)
}
