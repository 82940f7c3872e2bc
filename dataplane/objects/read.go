package objects

import (
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

// Close ends reading.
func (c *content) Close() error {
	c.s.unpin(c.pinned)
	c.pinned = nil
	if c.snap == nil {
		return nil
	}
	err := c.snap.Close()
	c.snap = nil
	return err
}

// WriteRange writes length bytes from offset on, which must be there.
func (c *content) WriteRange(w io.Writer, offset, length int64) error {
	if c.version.Parts == 0 {
		return c.s.copyBlob(w, c.version.Place, c.inline, offset, length)
	}
	i := sort.Search(len(c.ends), func(i int) bool { return c.ends[i] > offset })
	for ; length > 0 && i < len(c.parts); i++ {
		p := c.parts[i]
		within := offset - (c.ends[i] - p.Size)
		n := min(length, p.Size-within)
		if err := c.copyPart(w, p.Place, within, n); err != nil {
			return err
		}
		offset, length = offset+n, length-n
	}
	if length > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// copyPart copies from a part, whose inline content is read when it is needed.
func (c *content) copyPart(w io.Writer, p objects.Place, offset, length int64) error {
	var data []byte
	if p.Inline {
		var err error
		if data, err = c.s.get(c.snap, blobKey(spaceData, p.Blob)); err != nil {
			return err
		}
	}
	return c.s.copyBlob(w, p, data, offset, length)
}

func (s *Store) copyBlob(w io.Writer, p objects.Place, inline []byte, offset, length int64) error {
	if p.Inline || p.Blob == "" {
		if offset+length > int64(len(inline)) {
			return io.ErrUnexpectedEOF
		}
		plain := make([]byte, length)
		s.stream(p.Blob, offset).XORKeyStream(plain, inline[offset:offset+length])
		_, err := w.Write(plain)
		return err
	}
	f, err := os.Open(s.file(p.Blob))
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyBuffer(w, io.LimitReader(cipher.StreamReader{S: s.stream(p.Blob, offset), R: f}, length), make([]byte, copySize))
	return err
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
