package image

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// collectEvery is how often Run looks what may be removed; abandoned is how long
// that stays which belongs to no image, for a pull that goes on with it.
const (
	collectEvery = time.Minute
	abandoned    = time.Hour
)

// Run removes what nobody uses, and sees to it that layers reach the disk, now and
// every minute until ctx ends.
func (l *Library) Run(ctx context.Context) error {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := errors.Join(l.settle(), l.Collect(ctx, l.now())); err != nil && ctx.Err() == nil {
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
	l.collecting.Lock()
	defer l.collecting.Unlock()
	l.forget(func(r *record) bool { return now.Sub(r.used) > l.keep })
	if _, err := l.sweep(now.Add(-abandoned), false); err != nil || !full {
		return err
	}
	for ctx.Err() == nil {
		relaxed, _, err := l.fullness()
		if err != nil || relaxed {
			return err
		}
		if freed, err := l.shrink(now); err != nil || !freed {
			return err
		}
	}
	return ctx.Err()
}

// relieve makes some room at once and reports whether it could.
func (l *Library) relieve() (freed bool, err error) {
	l.collecting.Lock()
	defer l.collecting.Unlock()
	return l.shrink(l.now())
}

// shrink removes what is only good to have, or else the image that was not used
// for longest.
func (l *Library) shrink(now time.Time) (freed bool, err error) {
	all := now.Add(abandoned) // whatever its age
	if freed, err = l.sweep(all, true); freed || err != nil {
		return freed, err
	}
	oldest := l.oldest()
	if oldest == nil {
		return false, nil
	}
	l.forget(func(r *record) bool { return r == oldest })
	return l.sweep(all, true)
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
func (l *Library) sweep(before time.Time, packed bool) (freed bool, err error) {
	blobs, layers := l.wanted(packed)
	remove := func(path string) error {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a pull finished it, or threw it away
		}
		freed = true
		return err
	}
	err = errors.Join(
		l.sweepDir("blobs", before, blobs, remove),
		l.sweepDir("partial", before, nil, remove),
		l.sweepDir("layers", before, layers, func(dir string) error {
			freed = true
			return os.Rename(dir, l.path("unpack", gonePrefix+filepath.Base(dir)))
		}))
	gone, e := filepath.Glob(l.path("unpack", gonePrefix+"*"))
	err = errors.Join(err, e)
	for _, dir := range gone {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return freed, err
}

// gonePrefix begins the names of directories that are being removed.
const gonePrefix = "gone-"

// sweepDir removes what is in a directory, but nothing that is wanted, is not
// older than a time, or is held.
func (l *Library) sweepDir(dir string, before time.Time, wanted map[string]bool, remove func(path string) error) error {
	entries, err := os.ReadDir(l.path(dir))
	for _, e := range entries {
		info, statErr := e.Info()
		if statErr != nil || wanted[e.Name()] || !info.ModTime().Before(before) {
			continue
		}
		err = errors.Join(err, l.unless(e.Name(), func() error { return remove(l.path(dir, e.Name())) }))
	}
	return err
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
