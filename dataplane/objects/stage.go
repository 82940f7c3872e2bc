package objects

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"

	"neargate/internal/checksum"
	"neargate/resource/objects"
)

// copySize is how much of a stream is in memory at a time.
const copySize = 128 << 10

// Stage takes content in, encrypts it with a key, nil for the installation's, and puts
// it on disk, or in memory where it is small. It belongs to nothing until Put or PutPart is given it; else it is for Discard.
func (s *Store) Stage(ctx context.Context, from io.Reader, key objects.DataKey, sums ...checksum.Algorithm) (objects.Staged, error) {
	if err := s.room(); err != nil {
		return objects.Staged{}, err
	}
	d := newDigest(sums)
	head := make([]byte, 0, 4<<10)
	head, whole, err := readHead(from, head)
	if err != nil {
		return objects.Staged{}, err
	}
	st := objects.Staged{Place: objects.Place{Blob: s.IDs.Hex(32), Inline: true}, Data: head, Size: int64(len(head))}
	d.Write(head)
	c := s.stream(key, st.Place.Blob, 0)
	c.XORKeyStream(head, head)
	if !whole {
		st.Place.Inline, st.Data = false, nil
		n, err := s.stageFile(ctx, st.Place.Blob, head, from, d, c)
		if err != nil {
			return objects.Staged{}, err
		}
		st.Size = n
	}
	if st.Size == 0 {
		st.Place = objects.Place{}
	}
	st.MD5, st.Sums = d.md5.Sum(nil), map[checksum.Algorithm][]byte{}
	for a, h := range d.sums {
		st.Sums[a] = h.Sum(nil)
	}
	return st, nil
}

// readHead reads up to inlineMax bytes and one more; whole reports that this is
// all there is.
func readHead(from io.Reader, head []byte) (_ []byte, whole bool, err error) {
	b := bytes.NewBuffer(head)
	n, err := b.ReadFrom(io.LimitReader(from, inlineMax+1))
	return b.Bytes(), n <= inlineMax, err
}

// stageFile writes head, encrypted already, and the rest of a stream to a blob's file.
func (s *Store) stageFile(ctx context.Context, blob string, head []byte, from io.Reader, d *digest, c cipher.Stream) (size int64, err error) {
	path := s.file(blob)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if _, err := f.Write(head); err != nil {
		return 0, err
	}
	size = int64(len(head))
	buf := make([]byte, copySize)
	for ended := false; !ended; {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		n, err := fill(from, buf)
		if ended = err == io.EOF; err != nil && !ended {
			return 0, err
		}
		d.Write(buf[:n])
		c.XORKeyStream(buf[:n], buf[:n])
		if _, err := f.Write(buf[:n]); err != nil {
			return 0, err
		}
		if size += int64(n); size%(64<<20) < copySize {
			if err := s.room(); err != nil {
				return 0, err
			}
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return size, syncDir(filepath.Dir(path))
}

// fill reads until the buffer is full or the stream fails, with the stream's own
// error.
func fill(from io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = from.Read(buf[n:])
		n += m
	}
	return n, err
}

// Discard removes content that is to belong to nothing.
func (s *Store) Discard(st objects.Staged) {
	if st.Place.Blob == "" || st.Place.Inline {
		return
	}
	if err := os.Remove(s.file(st.Place.Blob)); err != nil {
		s.Log.Error("an upload's file", "error", err)
	}
}

// keep makes staged content belong to what the batch writes.
func keep(b *pebble.Batch, st objects.Staged) error {
	switch {
	case st.Place.Blob == "":
		return nil
	case st.Place.Inline:
		return b.Set(blobKey(spaceData, st.Place.Blob), st.Data, nil)
	}
	return b.Set(blobKey(spaceFile, st.Place.Blob), nil, nil)
}

// lose makes content belong to nothing with the batch. Its file goes later, when
// nobody reads it.
func lose(b *pebble.Batch, p objects.Place) (garbage []string, err error) {
	switch {
	case p.Blob == "":
		return nil, nil
	case p.Inline:
		return nil, b.Delete(blobKey(spaceData, p.Blob), nil)
	}
	return []string{p.Blob}, errors.Join(b.Delete(blobKey(spaceFile, p.Blob), nil), b.Set(blobKey(spaceGarbage, p.Blob), nil, nil))
}

// digest computes what is kept of content beside its bytes.
type digest struct {
	md5  hash.Hash
	sums map[checksum.Algorithm]hash.Hash
}

func newDigest(sums []checksum.Algorithm) *digest {
	d := &digest{md5: md5.New(), sums: map[checksum.Algorithm]hash.Hash{}}
	for _, a := range sums {
		h := a.New()
		if h == nil {
			panic(fmt.Sprintf("objects: unknown checksum %q", a))
		}
		d.sums[a] = h
	}
	return d
}

func (d *digest) Write(p []byte) {
	d.md5.Write(p)
	for _, h := range d.sums {
		h.Write(p)
	}
}
