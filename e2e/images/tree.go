package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// epoch is when every file of an image was changed, so that equal recipes make
// equal images.
var epoch = time.Unix(1_700_000_000, 0)

// tree is the content of a layer, by name.
type tree struct{ entries map[string]entry }

type entry struct {
	header  tar.Header
	content []byte
}

func newTree() *tree { return &tree{map[string]entry{}} }

func (t *tree) add(h tar.Header, content []byte) {
	h.ModTime, h.AccessTime, h.ChangeTime, h.Format, h.PAXRecords = epoch, time.Time{}, time.Time{}, tar.FormatUnknown, nil
	h.Size = int64(len(content))
	t.entries[h.Name] = entry{h, content}
}

// dir, file and link add what belongs to root.
func (t *tree) dir(name string, mode int64) { t.owned(name, mode, 0) }

func (t *tree) owned(name string, mode int64, owner int) {
	t.add(tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (t *tree) file(name string, mode int64, content string) {
	t.add(tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode}, []byte(content))
}

func (t *tree) link(name, to string) {
	t.add(tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to, Mode: 0o777}, nil)
}

// content is a regular file's, or empty.
func (t *tree) content(name string) string { return string(t.entries[name].content) }

// layer is the tree as a layer. Directories come before what is in them, hard
// links after all else.
func (t *tree) layer() (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	names := slices.SortedFunc(maps.Keys(t.entries), func(a, b string) int { return strings.Compare(a, b) })
	for _, links := range []bool{false, true} {
		for _, name := range names {
			e := t.entries[name]
			if links != (e.header.Typeflag == tar.TypeLink) {
				continue
			}
			h := e.header
			if h.Typeflag == tar.TypeDir {
				h.Name = path.Clean(h.Name) + "/"
			}
			if err := w.WriteHeader(&h); err != nil {
				return nil, err
			}
			if _, err := w.Write(e.content); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}, tarball.WithCompressionLevel(gzip.BestSpeed))
}
