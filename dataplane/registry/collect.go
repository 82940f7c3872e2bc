package registry

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How long what nobody needs stays, and how often it is looked for.
const (
	UploadKeep = 24 * time.Hour // an upload that nobody goes on with. Source: Amazon ECR quotas
	BlobKeep   = time.Hour      // a blob in no repository
	every      = 10 * time.Minute
)

// Collected is what a pass removed.
type Collected struct {
	Uploads, Blobs int
	Bytes          int64
}

// Run collects garbage until ctx ends. sweep takes from repositories what they have
// no use for; used reports whether one has a blob.
func (s *Store) Run(ctx context.Context, sweep func(context.Context) error, used func(ctx context.Context, digest string) (bool, error), log *slog.Logger) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		var c Collected
		err := sweep(ctx)
		if err == nil {
			c, err = s.Collect(ctx, used)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			log.Error("collecting garbage of registries", "error", err)
		case c.Uploads+c.Blobs > 0:
			log.Info("collected garbage of registries", "uploads", c.Uploads, "blobs", c.Blobs, "bytes", c.Bytes)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// Collect removes, once, uploads and blobs that have been of no use for long.
// Pushes may go on: a blob that is held stays, and used is asked while nobody can
// begin to hold it.
func (s *Store) Collect(ctx context.Context, used func(ctx context.Context, digest string) (bool, error)) (c Collected, err error) {
	if err := s.collectUploads(&c); err != nil {
		return c, err
	}
	err = s.collectBlobs(ctx, used, &c)
	return c, err
}

func (s *Store) collectBlobs(ctx context.Context, used func(context.Context, string) (bool, error), c *Collected) error {
	return filepath.WalkDir(filepath.Join(s.dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || s.now().Sub(info.ModTime()) < BlobKeep {
			return err
		}
		return s.collectBlob(ctx, path, info.Size(), used, c)
	})
}

func (s *Store) collectBlob(ctx context.Context, path string, size int64, used func(context.Context, string) (bool, error), c *Collected) error {
	digest := prefix + filepath.Base(path)
	if yes, err := used(ctx, digest); err != nil || yes {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[digest] > 0 {
		return nil
	}
	// Asked again: a repository may have got it between the question and the lock.
	if yes, err := used(ctx, digest); err != nil || yes {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	c.Blobs++
	c.Bytes += size
	return nil
}

// collectUploads removes uploads that nobody has gone on with for long.
func (s *Store) collectUploads(c *Collected) error {
	dir := filepath.Join(s.dir, "uploads")
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		if strings.HasSuffix(e.Name(), ".owner") {
			continue // goes with its upload
		}
		info, err := e.Info()
		if err != nil || s.now().Sub(info.ModTime()) < UploadKeep {
			continue
		}
		path := filepath.Join(dir, e.Name())
		u, err := s.claim(e.Name())
		if err != nil {
			continue // it goes on after all
		}
		err = s.drop(path, e.Name())
		s.unclaim(e.Name(), u)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		c.Uploads++
		c.Bytes += info.Size()
	}
	return s.collectOwners(dir)
}

// collectOwners removes owners of uploads that never began.
func (s *Store) collectOwners(dir string) error {
	all, err := filepath.Glob(filepath.Join(dir, "*.owner"))
	if err != nil {
		return err
	}
	for _, path := range all {
		info, err := os.Stat(path)
		if err != nil || s.now().Sub(info.ModTime()) < UploadKeep {
			continue
		}
		if _, err := os.Stat(strings.TrimSuffix(path, ".owner")); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
