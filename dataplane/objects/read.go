package objects

import (
	"bytes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/objects"
)

// Find returns a version, the latest where no id is given. That may be a marker.
func (s *Store) Find(bucket, key, id string) (objects.Version, error) {
	return s.find(s.db, bucket, key, id)
}

func (s *Store) find(from pebble.Reader, bucket, key, id string) (v objects.Version, err error) {
	var found bool
	missing := objects.ErrNoKey
	if id == "" {
		v, found, err = s.latest(from, bucket, key)
	} else {
		v, found, err = s.version(from, bucket, key, id)
		missing = objects.ErrNoVersion
	}
	if err == nil && !found {
		err = missing
	}
	return v, err
}

// latest is the newest version of a key.
func (s *Store) latest(from pebble.Reader, bucket, key string) (v objects.Version, found bool, err error) {
	err = each(from, versionsOfKey(bucket, key), func(k, text []byte) (more bool, err error) {
		v, err = decode(k, text)
		v.Latest, found = true, err == nil
		return false, err
	})
	return v, found, err
}

// version is the version of a key with the id.
func (s *Store) version(from pebble.Reader, bucket, key, id string) (v objects.Version, found bool, err error) {
	first := true
	if id == objects.Null {
		err = each(from, versionsOfKey(bucket, key), func(k, text []byte) (bool, error) {
			got, err := decode(k, text)
			if err == nil && got.ID == objects.Null {
				v, found, v.Latest = got, true, first
			}
			v.Latest = found && first
			first = false
			return !found, err
		})
		return v, found, err
	}
	order, ok := versionOrder(id)
	if !ok {
		return v, false, nil
	}
	k := versionKey(bucket, key, order)
	text, err := s.get(from, k)
	if err != nil || text == nil {
		return v, false, err
	}
	if v, err = decode(k, text); err != nil || v.ID != id {
		return v, false, err
	}
	newest, _, err := s.latest(from, bucket, key)
	v.Latest = newest.ID == id
	return v, true, err
}

// each calls f with what is under a prefix until it answers false.
func each(from pebble.Reader, prefix []byte, f func(k, v []byte) (more bool, err error)) error {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if more, err := f(it.Key(), v); err != nil || !more {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// content is a version being read. What it reads stays where it is until Close.
type content struct {
	s       *Store
	version objects.Version
	inline  []byte
	parts   []objects.Part
	ends    []int64 // of parts
	pinned  []string
	key     objects.DataKey  // nil for the installation's
	file    *os.File         // being read; nil for none
	snap    *pebble.Snapshot // holds inline parts; nil without
}

// Open opens a version's content, that of the latest where no id is given. That
// may be a marker.
func (s *Store) Open(bucket, key, id string) (_ objects.Content, err error) {
	s.pinning.RLock()
	defer s.pinning.RUnlock()
	snap := s.db.NewSnapshot()
	c := &content{s: s}
	defer func() {
		if c.snap == nil {
			err = errors.Join(err, snap.Close())
		}
	}()
	v, err := s.find(snap, bucket, key, id)
	if err != nil {
		return nil, err
	}
	c.version = v
	switch p := v.Place; {
	case v.Parts > 0:
		if c.parts, err = s.parts(snap, v.Upload, 0, 0); err != nil {
			return nil, err
		}
		end := int64(0)
		for _, part := range c.parts {
			end += part.Size
			c.ends = append(c.ends, end)
			switch {
			case part.Place.Inline:
				c.snap = snap
			case part.Place.Blob != "":
				c.pinned = append(c.pinned, part.Place.Blob)
			}
		}
	case p.Inline:
		if c.inline, err = s.get(snap, blobKey(spaceData, p.Blob)); err != nil {
			return nil, err
		}
	case p.Blob != "":
		c.pinned = []string{p.Blob}
	}
	s.pin(c.pinned)
	return c, nil
}

// Version is what is being read.
func (c *content) Version() objects.Version { return c.version }

// Unlock implements objects.Content.
func (c *content) Unlock(key objects.DataKey) { c.key = key }

// Close ends reading.
func (c *content) Close() error {
	var err error
	if c.file != nil {
		err = c.file.Close()
		c.file = nil
	}
	c.s.unpin(c.pinned)
	c.pinned = nil
	if c.snap != nil {
		err = errors.Join(err, c.snap.Close())
		c.snap = nil
	}
	return err
}

// Range reads length bytes from offset on, which must be there.
func (c *content) Range(offset, length int64) io.Reader {
	return &span{c: c, offset: offset, left: length}
}

// span reads some of a version's content, piece by piece.
type span struct {
	c            *content
	offset, left int64
	piece        io.Reader // nil before the first, and between two
	begun        bool      // the piece has given something
}

// Read implements io.Reader.
func (r *span) Read(p []byte) (n int, err error) {
	for n == 0 && err == nil {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.piece == nil {
			if r.piece, err = r.c.piece(r.offset, r.left); err != nil {
				return 0, err
			}
			r.begun = false
		}
		n, err = r.piece.Read(p[:min(int64(len(p)), r.left)])
		r.offset, r.left = r.offset+int64(n), r.left-int64(n)
		r.begun = r.begun || n > 0
		if err == io.EOF {
			if r.piece, err = nil, nil; !r.begun {
				return 0, io.ErrUnexpectedEOF
			}
		}
	}
	return n, err
}

// piece reads from an offset on as far as one piece of the content goes.
func (c *content) piece(offset, length int64) (io.Reader, error) {
	if c.version.Parts == 0 {
		return c.blob(c.version.Place, c.inline, offset, length)
	}
	i := sort.Search(len(c.ends), func(i int) bool { return c.ends[i] > offset })
	if i == len(c.ends) {
		return nil, io.ErrUnexpectedEOF
	}
	p := c.parts[i]
	var inline []byte
	if p.Place.Inline {
		var err error
		if inline, err = c.s.get(c.snap, blobKey(spaceData, p.Place.Blob)); err != nil {
			return nil, err
		}
	}
	within := offset - (c.ends[i] - p.Size)
	return c.blob(p.Place, inline, within, min(length, p.Size-within))
}

func (c *content) blob(p objects.Place, inline []byte, offset, length int64) (io.Reader, error) {
	if c.file != nil {
		err := c.file.Close()
		if c.file = nil; err != nil {
			return nil, err
		}
	}
	if c.version.Encryption != nil && c.key == nil {
		return nil, objects.ErrLocked
	}
	if p.Inline || p.Blob == "" {
		if offset+length > int64(len(inline)) {
			return nil, io.ErrUnexpectedEOF
		}
		plain := make([]byte, length)
		c.s.stream(c.key, p.Blob, offset).XORKeyStream(plain, inline[offset:offset+length])
		return bytes.NewReader(plain), nil
	}
	var err error
	if c.file, err = os.Open(c.s.file(p.Blob)); err != nil {
		return nil, err
	}
	if _, err := c.file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.LimitReader(cipher.StreamReader{S: c.s.stream(c.key, p.Blob, offset), R: c.file}, length), nil
}

// pin keeps files where they are. The caller holds pinning.
func (s *Store) pin(blobs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range blobs {
		s.pins[b]++
	}
}

// unpin lets files go; those that became garbage meanwhile are deleted.
func (s *Store) unpin(blobs []string) {
	for _, b := range blobs {
		s.mu.Lock()
		s.pins[b]--
		last := s.pins[b] == 0
		if last {
			delete(s.pins, b)
		}
		s.mu.Unlock()
		if !last {
			continue
		}
		if v, err := s.get(s.db, blobKey(spaceGarbage, b)); err == nil && v != nil {
			s.collect(b)
		}
	}
}

// collect deletes the file of a blob that the index no longer has, unless
// somebody reads it.
func (s *Store) collect(blob string) {
	s.pinning.Lock() // whoever found the blob has pinned it by now
	s.mu.Lock()
	pinned := s.pins[blob] > 0
	s.mu.Unlock()
	s.pinning.Unlock()
	if pinned {
		return
	}
	err := os.Remove(s.file(blob))
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = s.db.Delete(blobKey(spaceGarbage, blob), pebble.NoSync)
	}
	if err != nil {
		s.Log.Error("a deleted object's file", "error", err)
	}
}

// parts are an upload's parts with numbers greater than after, at most max (0: all).
func (s *Store) parts(from pebble.Reader, upload string, after, max int) (out []objects.Part, err error) {
	err = each(from, partsOf(upload), func(_, text []byte) (bool, error) {
		var p objects.Part
		if err := json.Unmarshal(text, &p); err != nil {
			return false, fmt.Errorf("objects: a part: %w", err)
		}
		if p.Number > after {
			out = append(out, p)
		}
		return max == 0 || len(out) < max, nil
	})
	return out, err
}

// Pieces are the parts an object was put together from; none for any other.
func (s *Store) Pieces(v objects.Version) ([]objects.Part, error) {
	if v.Parts == 0 {
		return nil, nil
	}
	return s.parts(s.db, v.Upload, 0, 0)
}
