package objects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"neargate/resource/objects"
	"neargate/store"
	"neargate/store/tables/buckets"
)

// sweepEvery is how often lifecycle rules run. Amazon S3 runs them once a day.
const sweepEvery = time.Hour

// sweepBatch is how many versions expire in one write.
const sweepBatch = 500

// Run sweeps what a crash has left, and then, now and every hour until ctx ends,
// what lifecycle rules say and what belongs to buckets that are no more.
func (s *Store) Run(ctx context.Context, records store.Store) error {
	if err := s.Recover(ctx); err != nil && ctx.Err() == nil {
		s.Log.Error("objects: what a crash left could not be swept", "error", err)
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx, records); err != nil && ctx.Err() == nil {
			s.Log.Error("objects could not be expired", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Recover deletes files that belong to nothing: uploads that a crash cut off,
// and content whose versions were deleted.
func (s *Store) Recover(ctx context.Context) error {
	var garbage []string
	err := each(s.db, []byte{spaceGarbage}, func(k, _ []byte) (bool, error) {
		garbage = append(garbage, string(k[1:]))
		return true, context.Cause(ctx)
	})
	for _, blob := range garbage {
		s.collect(blob)
	}
	folders, failed := os.ReadDir(s.blobs())
	err = errors.Join(err, failed)
	for _, folder := range folders {
		err = errors.Join(err, context.Cause(ctx), s.recoverFolder(filepath.Join(s.blobs(), folder.Name())))
	}
	return err
}

func (s *Store) recoverFolder(path string) error {
	files, err := os.ReadDir(path)
	for _, f := range files {
		used, failed := s.get(s.db, blobKey(spaceFile, f.Name()))
		if failed != nil || used != nil {
			err = errors.Join(err, failed)
			continue
		}
		// A file of this process may be about to be used.
		if info, failed := f.Info(); failed == nil && info.ModTime().Before(s.started) {
			err = errors.Join(err, os.Remove(filepath.Join(path, f.Name())))
		}
	}
	return err
}

// Sweep deletes what lifecycle rules say, and what belongs to buckets without a
// record.
func (s *Store) Sweep(ctx context.Context, records store.Store) error {
	held, err := s.buckets()
	if err != nil {
		return err
	}
	known := map[string]objects.Bucket{}
	err = records.View(ctx, func(tx store.Tx) error {
		clear(known)
		for b, err := range buckets.Buckets.List(tx) {
			if err != nil {
				return err
			}
			known[b.ID] = b
		}
		return nil
	})
	if err != nil {
		return err
	}
	now := s.Now()
	for _, id := range held {
		b, ok := known[id]
		if !ok {
			err = errors.Join(err, s.purge(id))
			continue
		}
		if len(b.Rules) > 0 {
			err = errors.Join(err, s.expire(ctx, &b, now))
		}
	}
	return err
}

// buckets are the ids of buckets that have versions or uploads.
func (s *Store) buckets() (ids []string, err error) {
	for _, space := range []byte{spaceVersion, spaceUpload} {
		it, err := s.db.NewIter(nil)
		if err != nil {
			return nil, err
		}
		prefix := []byte{space}
		for ok := it.SeekGE(prefix); ok && bytes.HasPrefix(it.Key(), prefix) && len(it.Key()) > bucketLen; {
			id := string(it.Key()[1 : 1+bucketLen])
			ids = append(ids, id)
			ok = it.SeekGE(after(append(prefix[:1:1], id...)))
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// expire applies a bucket's rules.
func (s *Store) expire(ctx context.Context, b *objects.Bucket, now time.Time) error {
	var doomed []objects.Doomed
	flush := func() error {
		_, err := s.Delete(b.ID, b.Versioning, doomed...)
		doomed = doomed[:0]
		return err
	}
	key := &keyVersions{}
	decide := func() {
		doomed = append(doomed, key.due(b.Rules, now)...)
		*key = keyVersions{}
	}
	err := each(s.db, versionsOf(b.ID), func(k, text []byte) (bool, error) {
		v, err := decode(k, text)
		if err != nil {
			return false, err
		}
		if len(key.versions) > 0 && key.versions[0].Key != v.Key {
			decide()
		}
		key.versions = append(key.versions, v)
		if len(doomed) >= sweepBatch {
			err = flush()
		}
		return true, errors.Join(err, context.Cause(ctx))
	})
	decide()
	if err := errors.Join(err, flush()); err != nil {
		return err
	}
	return s.expireUploads(b, now)
}

// keyVersions are the versions of a key, newest first.
type keyVersions struct{ versions []objects.Version }

// due are those of the versions that the rules say are to go.
func (k *keyVersions) due(rules []objects.Rule, now time.Time) (out []objects.Doomed) {
	for i := range k.versions {
		v := &k.versions[i]
		stage := objects.Stage{Alone: len(k.versions) == 1}
		if i > 0 {
			stage.Replaced, stage.Newer = k.versions[i-1].Modified, i-1
		}
		if !objects.Due(rules, v, stage, now) {
			continue
		}
		d := objects.Doomed{Key: v.Key, ID: v.ID}
		if i == 0 && !v.Marker {
			// The object, unless it has been written anew meanwhile.
			d.ID, d.If = "", objects.Condition{IfMatch: v.ETag, Modified: v.Modified.Truncate(time.Second)}
		}
		out = append(out, d)
	}
	return out
}

func (s *Store) expireUploads(b *objects.Bucket, now time.Time) error {
	var old []objects.Upload
	err := each(s.db, uploadsOf(b.ID), func(_, text []byte) (bool, error) {
		var u objects.Upload
		err := json.Unmarshal(text, &u)
		if err == nil && objects.Abandoned(b.Rules, &u, now) {
			old = append(old, u)
		}
		return true, err
	})
	for _, u := range old {
		if failed := s.Abort(b.ID, u.Key, u.ID); !errors.Is(failed, objects.ErrNoUpload) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
