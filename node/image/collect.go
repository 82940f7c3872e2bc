package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
)

// collectEvery is how often Run looks what may be removed; abandoned is how long
// that stays which belongs to no image, for a pull that goes on with it.
const (
	collectEvery = time.Minute
	abandoned    = time.Hour
)

// Run removes what nobody uses, now and every minute until ctx ends.
func (l *Library) Run(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := l.Collect(ctx, l.now()); err != nil && ctx.Err() == nil {
			l.log.Error("images could not be collected", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Collect removes the images that no task has used for long, what is left of
// interrupted pulls, and, when the file system is too full, also other unused
// images, the longest unused first. What is pinned or being pulled stays.
func (l *Library) Collect(ctx context.Context, now time.Time) error {
	_, full, err := l.fullness()
	if err != nil {
		return err
	}
	return l.collect(ctx, now, full)
}

// relieve makes room at once.
func (l *Library) relieve(ctx context.Context) error { return l.collect(ctx, l.now(), true) }

func (l *Library) collect(ctx context.Context, now time.Time, full bool) error {
	l.collecting.Lock()
	defer l.collecting.Unlock()
	l.forget(func(r *record) bool { return now.Sub(r.used) > l.keep })
	err := l.sweep(ctx, now.Add(-abandoned), false)
	if !full || err != nil {
		return err
	}
	if err := l.sweep(ctx, now.Add(time.Minute), true); err != nil {
		return err
	}
	for ctx.Err() == nil {
		relaxed, _, err := l.fullness()
		if relaxed || err != nil {
			return err
		}
		oldest := l.oldest()
		if oldest == nil {
			return nil
		}
		l.forget(func(r *record) bool { return r == oldest })
		if err := l.sweep(ctx, now.Add(time.Minute), true); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// fullness reports whether the file system is empty enough, or too full.
func (l *Library) fullness() (relaxed, full bool, err error) {
	free, total, err := l.free(l.dir)
	if err != nil || total == 0 {
		return true, false, err
	}
	used := total - min(free, total)
	return used*100 <= total*uint64(l.low), used*100 > total*uint64(l.high), nil
}

// unpinned calls do for every image that no task uses. l.mu is locked.
func (l *Library) unpinned(do func(*record)) {
	pinned := map[string]bool{}
	for _, pins := range l.pins {
		for _, p := range pins {
			pinned[p.Manifest] = true
		}
	}
	for _, r := range l.images {
		if !pinned[r.Manifest] {
			do(r)
		}
	}
}

// oldest is the image that was not used for longest; nil if all are in use.
func (l *Library) oldest() (oldest *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unpinned(func(r *record) {
		if oldest == nil || r.used.Before(oldest.used) {
			oldest = r
		}
	})
	return oldest
}

// forget takes images off the record that no task uses and that gone is true for.
func (l *Library) forget(gone func(*record) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unpinned(func(r *record) {
		if !gone(r) {
			return
		}
		if err := os.Remove(l.path("images", encoded(r.Manifest))); err != nil && !os.IsNotExist(err) {
			l.log.Error("an image could not be removed", "error", err)
			return
		}
		l.log.Info("an image is removed", "manifest", r.Manifest, "bytes", r.Size)
		delete(l.images, r.Manifest)
	})
}

// sweep removes blobs and layers that no image has and no pull holds, and that
// are older than a time. The layers of images as they came go too, if packed.
func (l *Library) sweep(ctx context.Context, before time.Time, packed bool) error {
	blobs, layers := l.wanted(packed)
	err := l.content.Walk(ctx, func(info content.Info) error {
		d := info.Digest.String()
		if blobs[d] || !info.CreatedAt.Before(before) {
			return nil
		}
		return l.unless(d, func() error { return os.Remove(l.blobPath(d)) })
	})
	err = errors.Join(ignoreMissing(err), l.sweepPartial(ctx, before))
	entries, e := os.ReadDir(l.path("layers"))
	err = errors.Join(err, e)
	for _, entry := range entries {
		info, e := entry.Info()
		if e != nil || layers[entry.Name()] || !info.ModTime().Before(before) {
			continue
		}
		err = errors.Join(err, l.unless(entry.Name(), func() error {
			return os.Rename(l.path("layers", entry.Name()), l.path("unpack", "gone-"+entry.Name()))
		}))
	}
	gone, e := filepath.Glob(l.path("unpack", "gone-*"))
	err = errors.Join(err, e)
	for _, dir := range gone {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// sweepPartial removes downloads that nobody went on with.
func (l *Library) sweepPartial(ctx context.Context, before time.Time) error {
	statuses, err := l.content.ListStatuses(ctx)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		_, digest, _ := strings.Cut(s.Ref, "-")
		if !s.UpdatedAt.Before(before) {
			continue
		}
		err := l.unless(digest, func() error { return l.content.Abort(ctx, s.Ref) })
		if err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// unless does something unless a pull holds the key or an image has come to have
// it in the meantime.
func (l *Library) unless(key string, do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[key] != nil {
		return nil
	}
	for _, r := range l.images {
		if slices.Contains(r.Layers, key) || hasBlob(r.Blobs, key) {
			return nil
		}
	}
	return do()
}

// wanted are the blobs and layers of the images on record.
func (l *Library) wanted(packed bool) (blobs, layers map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	blobs, layers = map[string]bool{}, map[string]bool{}
	for _, r := range l.images {
		for _, b := range r.Blobs {
			blobs[b.Digest] = true
		}
		for _, b := range r.Packed {
			blobs[b.Digest] = blobs[b.Digest] || !packed
		}
		for _, name := range r.Layers {
			layers[name] = true
		}
	}
	return blobs, layers
}

func hasBlob(blobs []blob, digest string) bool {
	return slices.ContainsFunc(blobs, func(b blob) bool { return b.Digest == digest })
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
