package objects

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"neargate/resource/objects"
)

// change is one atomic write to the index, and the files that it leaves behind.
type change struct {
	*pebble.Batch
	garbage []string
}

func (s *Store) change() *change { return &change{Batch: s.db.NewBatch()} }

// lose makes content belong to nothing.
func (c *change) lose(p objects.Place) error {
	g, err := lose(c.Batch, p)
	c.garbage = append(c.garbage, g...)
	return err
}

// commit makes the change visible and durable, and only then removes files.
func (s *Store) commit(c *change) error {
	if err := errors.Join(c.Commit(pebble.Sync), c.Close()); err != nil {
		return err
	}
	for _, blob := range c.garbage {
		s.collect(blob)
	}
	return nil
}

// Put makes staged content a version. The content is used up, whatever comes of it.
func (s *Store) Put(w objects.Write, st objects.Staged) (objects.Version, error) {
	v := objects.Version{Key: w.Key, Size: st.Size, ETag: w.ETag, About: w.About, Checksum: w.Checksum, Place: st.Place}
	if v.ETag == "" {
		v.ETag = hex.EncodeToString(st.MD5)
	}
	v, err := s.put(w.Bucket, w.Versioning, v, w.If, func(c *change) error { return keep(c.Batch, st) })
	if err != nil {
		s.Discard(st)
	}
	return v, err
}

// put makes v the latest version of its key, with what also adds to the change.
func (s *Store) put(bucket, versioning string, v objects.Version, cond objects.Condition, also func(*change) error) (objects.Version, error) {
	if err := s.enter(bucket); err != nil {
		return v, err
	}
	defer s.leave()
	defer s.lock(bucket, v.Key).Unlock()
	current, found, err := s.latest(s.db, bucket, v.Key)
	if err != nil {
		return v, err
	}
	if err := holds(cond, current, found && !current.Marker); err != nil {
		return v, err
	}
	c := s.change()
	if err := errors.Join(s.add(c, bucket, versioning, &v, current.Order), also(c)); err != nil {
		return v, errors.Join(err, c.Close())
	}
	return v, s.commit(c)
}

// holds reports by ErrCondition or ErrNoKey that a condition does not hold of
// the current version.
func holds(c objects.Condition, current objects.Version, exists bool) error {
	switch {
	case c.IfNoneMatch && exists:
		return objects.ErrCondition
	case c.IfMatch != "" && !exists:
		return objects.ErrNoKey
	case c.IfMatch != "" && c.IfMatch != "*" && c.IfMatch != current.ETag:
		return objects.ErrCondition
	case c.Size != nil && (!exists || current.Size != *c.Size):
		return objects.ErrCondition
	case !c.Modified.IsZero() && (!exists || !current.Modified.Truncate(time.Second).Equal(c.Modified)):
		return objects.ErrCondition
	}
	return nil
}

// add writes v as newer than the order given, and takes away what it replaces.
func (s *Store) add(c *change, bucket, versioning string, v *objects.Version, order uint64) error {
	now := s.Now().UTC()
	v.Order = max(uint64(now.UnixNano()), order+1)
	v.Modified = now.Truncate(time.Millisecond)
	v.ID = newVersionID(v.Order, s.IDs)
	v.Latest = true
	if versioning != objects.Enabled {
		v.ID = objects.Null
		if err := s.removeNull(c, bucket, v.Key); err != nil {
			return err
		}
	}
	return write(c.Batch, bucket, v)
}

func write(b *pebble.Batch, bucket string, v *objects.Version) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Set(versionKey(bucket, v.Key, v.Order), text, nil)
}

// removeNull takes away the version of a key that was written without versioning.
func (s *Store) removeNull(c *change, bucket, key string) error {
	v, found, err := s.version(s.db, bucket, key, objects.Null)
	if err != nil || !found {
		return err
	}
	return s.remove(c, bucket, &v)
}

// remove takes a version away, and its content.
func (s *Store) remove(c *change, bucket string, v *objects.Version) error {
	if v.Parts > 0 {
		if err := s.removeParts(c, v.Upload); err != nil {
			return err
		}
	}
	return errors.Join(c.Delete(versionKey(bucket, v.Key, v.Order), nil), c.lose(v.Place))
}

// removeParts takes away all parts of an upload.
func (s *Store) removeParts(c *change, upload string) error {
	parts, err := s.parts(s.db, upload, 0, 0)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := errors.Join(c.Delete(partKey(upload, p.Number), nil), c.lose(p.Place)); err != nil {
			return err
		}
	}
	return nil
}

// Delete deletes versions, or, where no id is given, objects: with versioning
// that adds a marker. All is durable when it returns. What went wrong with one
// does not keep it from the others.
func (s *Store) Delete(bucket, versioning string, doomed ...objects.Doomed) ([]objects.Deleted, error) {
	if err := s.enter(bucket); err != nil {
		return nil, err
	}
	defer s.leave()
	out := make([]objects.Deleted, len(doomed))
	var garbage []string // its files go when no crash brings back what names them
	for i, d := range doomed {
		left, err := s.delete(bucket, versioning, d, &out[i])
		garbage = append(garbage, left...)
		if err != nil {
			if !errors.Is(err, objects.ErrCondition) && !errors.Is(err, objects.ErrNoKey) && !errors.Is(err, objects.ErrNoVersion) {
				return nil, err
			}
			out[i].Err = err
		}
	}
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		return nil, err
	}
	for _, blob := range garbage {
		s.collect(blob)
	}
	return out, nil
}

// delete makes a deletion visible, not durable yet, and returns the files that it
// leaves behind.
func (s *Store) delete(bucket, versioning string, d objects.Doomed, out *objects.Deleted) (garbage []string, err error) {
	defer s.lock(bucket, d.Key).Unlock()
	c := s.change()
	if d.ID != "" {
		err = s.deleteVersion(c, bucket, d, out)
	} else {
		err = s.deleteObject(c, bucket, versioning, d, out)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c.garbage, errors.Join(c.Commit(pebble.NoSync), c.Close())
}

func (s *Store) deleteVersion(c *change, bucket string, d objects.Doomed, out *objects.Deleted) error {
	v, found, err := s.version(s.db, bucket, d.Key, d.ID)
	if err != nil {
		return err
	}
	if err := holds(d.If, v, found); err != nil {
		return err
	}
	out.ID = d.ID
	if !found {
		return nil
	}
	out.Marker = v.Marker
	return s.remove(c, bucket, &v)
}

func (s *Store) deleteObject(c *change, bucket, versioning string, d objects.Doomed, out *objects.Deleted) error {
	current, found, err := s.latest(s.db, bucket, d.Key)
	if err != nil {
		return err
	}
	if err := holds(d.If, current, found && !current.Marker); err != nil {
		return err
	}
	if versioning == "" {
		return s.removeNull(c, bucket, d.Key)
	}
	marker := objects.Version{Key: d.Key, Marker: true}
	if err := s.add(c, bucket, versioning, &marker, current.Order); err != nil {
		return err
	}
	out.ID, out.Marker = marker.ID, true
	return nil
}

// Retag replaces the tags of a version, the latest where no id is given.
func (s *Store) Retag(bucket, key, id string, tags []objects.Tag) (objects.Version, error) {
	if err := s.enter(bucket); err != nil {
		return objects.Version{}, err
	}
	defer s.leave()
	defer s.lock(bucket, key).Unlock()
	v, err := s.Find(bucket, key, id)
	if err != nil || v.Marker {
		return v, err
	}
	v.Tags = tags
	c := s.change()
	if err := write(c.Batch, bucket, &v); err != nil {
		return v, errors.Join(err, c.Close())
	}
	return v, s.commit(c)
}

// decode reads a version out of the index.
func decode(k, text []byte) (v objects.Version, err error) {
	if err = json.Unmarshal(text, &v); err != nil {
		return v, fmt.Errorf("objects: a version: %w", err)
	}
	v.Order = orderOf(k)
	return v, nil
}
