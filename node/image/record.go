package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// record is what is known of an image: the file images/ENCODED, where ENCODED is
// the digest of its manifest. The file's time is when the image was last used.
type record struct {
	Manifest string
	Blobs    []blob   // index, manifest, configuration
	Packed   []blob   // layers as they came: good to have, but not needed
	Layers   []string // names, the lowermost first
	Config   ocispec.ImageConfig
	Size     int64

	used time.Time
}

// blob names a blob.
type blob struct {
	Digest string
	Size   int64
}

// pin says that a task uses an image: one entry of the file pins/TASK.
type pin struct {
	Ref, Digest, Manifest string
}

// load reads what records and pins there are. One that cannot be read, after the
// machine lost power, is removed.
func (l *Library) load() error {
	l.images, l.pins = map[string]*record{}, map[string][]pin{}
	err := each(l.path("images"), func(path string) error {
		r := new(record)
		known, err := readJSON(path, r)
		if err != nil {
			return err
		}
		if !known || filepath.Base(path) != encoded(r.Manifest) || !l.whole(r) {
			l.log.Warn("an image is not whole and is forgotten", "file", path)
			return os.Remove(path)
		}
		info, err := os.Stat(path)
		if err == nil {
			r.used = info.ModTime()
			l.images[r.Manifest] = r
		}
		return err
	})
	if err != nil {
		return err
	}
	return each(l.path("pins"), func(path string) error {
		var p []pin
		known, err := readJSON(path, &p)
		if err != nil {
			return err
		}
		if !known {
			l.log.Warn("a task's images are unknown", "file", path)
			return os.Remove(path)
		}
		l.pins[filepath.Base(path)] = p
		return nil
	})
}

// whole reports whether an image's layers are there.
func (l *Library) whole(r *record) bool {
	return !slices.ContainsFunc(r.Layers, func(name string) bool { return !exists(l.path("layers", name)) })
}

// image is a pinned image as its users see it.
func (l *Library) image(p pin, r *record) Image {
	i := Image{Ref: p.Ref, Digest: p.Digest, Manifest: p.Manifest, Config: r.Config, Size: r.Size}
	for _, name := range slices.Backward(r.Layers) {
		i.Layers = append(i.Layers, l.path("layers", name))
	}
	return i
}

// pinned records an image, unless it is on record, and that a task uses it.
// l.mu is locked.
func (l *Library) pinned(task string, p pin, r *record) error {
	r.used = l.now()
	file := l.path("images", encoded(r.Manifest))
	if old := l.images[r.Manifest]; old == nil || !slices.Equal(old.Blobs, r.Blobs) {
		if err := writeJSON(file, r); err != nil {
			return err
		}
	}
	if err := os.Chtimes(file, r.used, r.used); err != nil {
		return err
	}
	l.images[r.Manifest] = r
	pins := l.pins[task]
	pins = append(slices.DeleteFunc(slices.Clone(pins), func(old pin) bool { return old == p }), p)
	if err := writeJSON(l.path("pins", task), pins); err != nil {
		return err
	}
	l.pins[task] = pins
	return nil
}

// unpin drops a task's pins. l.mu is locked.
func (l *Library) unpin(task string) error {
	pins, ok := l.pins[task]
	if !ok {
		return nil
	}
	if err := os.Remove(l.path("pins", task)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(l.pins, task)
	now := l.now()
	for _, p := range pins {
		if r := l.images[p.Manifest]; r != nil {
			r.used = now
			if err := os.Chtimes(l.path("images", encoded(r.Manifest)), now, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTask reports whether a task's id can name a file.
func checkTask(task string) error {
	if task == "" || len(task) > 128 || task[0] == '.' || strings.ContainsAny(task, "/\x00") || strings.HasSuffix(task, tmpSuffix) {
		return &Error{Text: fmt.Sprintf("the task id %q cannot name a file", task)}
	}
	return nil
}

// encoded is a digest without its algorithm.
func encoded(digest string) string {
	_, e, _ := strings.Cut(digest, ":")
	return e
}

const tmpSuffix = ".tmp"

// writeJSON replaces a file as a whole.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+tmpSuffix, data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+tmpSuffix, path)
}

// readJSON reports whether a file holds what writeJSON wrote.
func readJSON(path string, v any) (bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	return json.Unmarshal(data, v) == nil, nil
}

// each calls do for every file of a directory, and removes what writeJSON left
// when it was interrupted.
func each(dir string, do func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(path, tmpSuffix) {
			err = os.Remove(path)
		} else {
			err = do(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
