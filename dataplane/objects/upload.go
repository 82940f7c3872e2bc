package objects

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"neargate/internal/checksum"
	"neargate/resource/objects"
)

// Begin begins an upload in parts.
func (s *Store) Begin(bucket string, u objects.Upload) (objects.Upload, error) {
	if err := s.enter(bucket); err != nil {
		return u, err
	}
	defer s.leave()
	now := s.Now().UTC()
	u.ID = fmt.Sprintf("%016x%s", now.UnixNano(), s.IDs.Hex(32)) // sorts by time
	u.Initiated = now
	text, err := json.Marshal(u)
	if err != nil {
		return u, err
	}
	return u, s.db.Set(uploadKey(bucket, u.Key, u.ID), text, pebble.Sync)
}

// Upload returns an upload in progress.
func (s *Store) Upload(bucket, key, id string) (u objects.Upload, err error) {
	text, err := s.get(s.db, uploadKey(bucket, key, id))
	switch {
	case err != nil:
		return u, err
	case text == nil:
		return u, objects.ErrNoUpload
	}
	return u, json.Unmarshal(text, &u)
}

// Parts are an upload's parts with numbers greater than after, at most max.
func (s *Store) Parts(upload string, after, max int) ([]objects.Part, error) {
	return s.parts(s.db, upload, after, max)
}

// inUpload takes the right to change an upload of a bucket.
func (s *Store) inUpload(bucket, id string) (release func(), err error) {
	if err := s.enter(bucket); err != nil {
		return nil, err
	}
	m := s.lockUpload(id)
	return func() { m.Unlock(); s.leave() }, nil
}

func (s *Store) lockUpload(id string) *sync.Mutex {
	m := &s.uploads[s.hash("", id)%stripes]
	m.Lock()
	return m
}

// PutPart makes staged content a part of an upload, in place of one with the
// number. The content is used up, whatever comes of it.
func (s *Store) PutPart(bucket, key, upload string, p objects.Part, st objects.Staged) (objects.Part, error) {
	p.Size, p.ETag, p.Place, p.Modified = st.Size, hex.EncodeToString(st.MD5), st.Place, s.Now().UTC()
	err := s.putPart(bucket, key, upload, p, st)
	if err != nil {
		s.Discard(st)
	}
	return p, err
}

func (s *Store) putPart(bucket, key, upload string, p objects.Part, st objects.Staged) error {
	release, err := s.inUpload(bucket, upload)
	if err != nil {
		return err
	}
	defer release()
	if _, err := s.Upload(bucket, key, upload); err != nil {
		return err
	}
	k := partKey(upload, p.Number)
	old, err := s.get(s.db, k)
	if err != nil {
		return err
	}
	c := s.change()
	if old != nil {
		var was objects.Part
		if err := errors.Join(json.Unmarshal(old, &was), c.lose(was.Place)); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	text, err := json.Marshal(p)
	if err := errors.Join(err, keep(c.Batch, st), c.Set(k, text, nil)); err != nil {
		return errors.Join(err, c.Close())
	}
	return s.commit(c)
}

// Abort ends an upload and forgets its parts.
func (s *Store) Abort(bucket, key, upload string) error {
	release, err := s.inUpload(bucket, upload)
	if err != nil {
		return err
	}
	defer release()
	if _, err := s.Upload(bucket, key, upload); err != nil {
		return err
	}
	return s.abort(bucket, key, upload)
}

func (s *Store) abort(bucket, key, upload string) error {
	c := s.change()
	if err := errors.Join(c.Delete(uploadKey(bucket, key, upload), nil), s.removeParts(c, upload)); err != nil {
		return errors.Join(err, c.Close())
	}
	return s.commit(c)
}

// purge ends all uploads of a bucket that is dropped.
func (s *Store) purge(bucket string) error {
	var all []objects.Upload
	err := each(s.db, uploadsOf(bucket), func(_, text []byte) (bool, error) {
		var u objects.Upload
		err := json.Unmarshal(text, &u)
		all = append(all, u)
		return true, err
	})
	for _, u := range all {
		err = errors.Join(err, s.abort(bucket, u.Key, u.ID))
	}
	return err
}

// Complete puts an upload's parts together to a version. Completing again, as
// long as the version is the latest, answers the same.
func (s *Store) Complete(f objects.Finish) (objects.Version, error) {
	release, err := s.inUpload(f.Bucket, f.Upload)
	if err != nil {
		return objects.Version{}, err
	}
	defer release()
	u, err := s.Upload(f.Bucket, f.Key, f.Upload)
	if errors.Is(err, objects.ErrNoUpload) {
		if v, err := s.Find(f.Bucket, f.Key, ""); err == nil && v.Upload == f.Upload {
			return v, nil
		}
	}
	if err != nil {
		return objects.Version{}, err
	}
	stored, err := s.parts(s.db, f.Upload, 0, 0)
	if err != nil {
		return objects.Version{}, err
	}
	chosen, unused, err := choose(stored, f.Parts)
	if err != nil {
		return objects.Version{}, err
	}
	v, err := whole(u, chosen)
	if err != nil {
		return v, err
	}
	switch {
	case f.Size != nil && *f.Size != v.Size:
		return v, objects.ErrSize
	case f.Checksum.Value != "" && f.Checksum != v.Checksum:
		return v, objects.ErrChecksum
	}
	return s.put(f.Bucket, f.Versioning, v, f.If, func(c *change) error {
		err := c.Batch.Delete(uploadKey(f.Bucket, f.Key, f.Upload), nil)
		for _, p := range unused {
			err = errors.Join(err, c.Batch.Delete(partKey(f.Upload, p.Number), nil), c.lose(p.Place))
		}
		return err
	})
}

// choose finds the parts a caller names among those stored.
func choose(stored, named []objects.Part) (chosen, unused []objects.Part, err error) {
	rest := map[int]objects.Part{}
	for _, p := range stored {
		rest[p.Number] = p
	}
	for i, n := range named {
		if i > 0 && named[i-1].Number >= n.Number {
			return nil, nil, objects.ErrOrder
		}
		p, ok := rest[n.Number]
		if !ok || p.ETag != n.ETag || n.Checksum.Value != "" && (n.Checksum.Algorithm != p.Checksum.Algorithm || n.Checksum.Value != p.Checksum.Value) {
			return nil, nil, objects.ErrPart
		}
		delete(rest, n.Number)
		chosen = append(chosen, p)
	}
	for i, p := range chosen {
		if p.Size < objects.MinPart && i < len(chosen)-1 {
			return nil, nil, objects.ErrSmall
		}
	}
	for _, p := range stored {
		if _, ok := rest[p.Number]; ok {
			unused = append(unused, p)
		}
	}
	return chosen, unused, nil
}

// whole is the version that parts of an upload make.
func whole(u objects.Upload, parts []objects.Part) (objects.Version, error) {
	v := objects.Version{Key: u.Key, About: u.About, Parts: len(parts), Upload: u.ID}
	var tags bytes.Buffer
	var sums []checksum.Part
	a := u.Checksum.Algorithm
	for _, p := range parts {
		v.Size += p.Size
		tag, err := hex.DecodeString(p.ETag)
		if err != nil {
			return v, err
		}
		tags.Write(tag)
		sum, ok := a.Decode(p.Checksum.Value)
		if !ok || p.Checksum.Algorithm != a {
			return v, fmt.Errorf("objects: part %d of %s has no %s", p.Number, u.ID, a)
		}
		sums = append(sums, checksum.Part{Sum: sum, Length: p.Size})
	}
	count := "-" + strconv.Itoa(len(parts))
	sum := md5.Sum(tags.Bytes())
	v.ETag = hex.EncodeToString(sum[:]) + count
	v.Checksum = u.Checksum
	if u.Checksum.Type == objects.FullObject {
		v.Checksum.Value = checksum.Encode(a.Whole(sums))
	} else {
		v.Checksum.Value = checksum.Encode(a.Composite(sums)) + count
	}
	return v, nil
}
