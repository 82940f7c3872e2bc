// Package images makes the container images of the stories from Debian's
// packages and from programs of this repository, and serves them as a registry:
// nothing is fetched from a registry on the internet.
package images

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Annotations of an image in the library's index.
const (
	annotationName   = "org.opencontainers.image.ref.name" // its repository and tag, as docker/library/httpd:latest
	annotationRecipe = "neargate.recipe"                   // what it was made from
)

// Library is a directory of images, an OCI image layout. Many processes may use
// it at once.
type Library struct{ dir string }

// DefaultDir is where a user's images are kept for all runs on the machine.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "neargate", "images"), err
}

// Open returns the library in dir, which is made if it does not exist.
func Open(dir string) (*Library, error) {
	l := &Library{dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := l.lock("index.lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := layout.FromPath(dir); errors.Is(err, os.ErrNotExist) {
		_, err := layout.Write(dir, empty.Index)
		return l, err
	} else if err != nil {
		return nil, fmt.Errorf("images in %s: %w", dir, err)
	}
	return l, nil
}

// Recipe is an image to be made: an image or an index under some names.
type Recipe struct {
	Names []string // repository and tag, as docker/library/httpd:latest
	From  string   // tells whether an image under these names is up to date
	Make  func() (mutate.Appendable, error)
}

// Ensure makes what is missing or was made from something else.
func (l *Library) Ensure(recipes ...Recipe) error {
	unlock, err := l.lock("make.lock")
	if err != nil {
		return err
	}
	defer unlock()
	for _, r := range recipes {
		have, err := l.recipes()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(r.Names, func(n string) bool { return have[n] != r.From }) {
			continue
		}
		image, err := r.Make()
		if err != nil {
			return fmt.Errorf("image %s: %w", r.Names[0], err)
		}
		if err := l.put(r, image); err != nil {
			return fmt.Errorf("image %s: %w", r.Names[0], err)
		}
	}
	return nil
}

// recipes are the recipes of what there is, by name.
func (l *Library) recipes() (map[string]string, error) {
	descriptors, err := l.descriptors()
	have := map[string]string{}
	for name, d := range descriptors {
		have[name] = d.Annotations[annotationRecipe]
	}
	return have, err
}

// descriptors are all images by name.
func (l *Library) descriptors() (map[string]v1.Descriptor, error) {
	index, err := layout.ImageIndexFromPath(l.dir)
	if err != nil {
		return nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	all := map[string]v1.Descriptor{}
	for _, d := range m.Manifests {
		all[d.Annotations[annotationName]] = d
	}
	return all, nil
}

// put writes the blobs first and the index last, so that a crash leaves nothing
// that is named and not complete.
func (l *Library) put(r Recipe, image mutate.Appendable) error {
	p := layout.Path(l.dir)
	var err error
	switch i := image.(type) {
	case v1.Image:
		err = p.WriteImage(i)
	case v1.ImageIndex:
		err = p.WriteIndex(i)
	default:
		return fmt.Errorf("neither an image nor an index: %T", image)
	}
	if err != nil {
		return err
	}
	unlock, err := l.lock("index.lock")
	if err != nil {
		return err
	}
	defer unlock()
	index, err := p.ImageIndex()
	if err != nil {
		return err
	}
	index = mutate.RemoveManifests(index, func(d v1.Descriptor) bool { return slices.Contains(r.Names, d.Annotations[annotationName]) })
	for _, name := range r.Names {
		if !strings.Contains(name, ":") {
			return fmt.Errorf("%q has no tag", name)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Annotations: map[string]string{annotationName: name, annotationRecipe: r.From}}})
	}
	raw, err := index.RawManifest()
	if err != nil {
		return err
	}
	next := filepath.Join(l.dir, "index.json.next")
	if err := os.WriteFile(next, raw, 0o644); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(l.dir, "index.json"))
}

// lock takes a lock among processes and returns what releases it.
func (l *Library) lock(name string) (func() error, error) {
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}
