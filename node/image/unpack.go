package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"neargate/node/image/layered"
)

const (
	mostWindow   = 128 << 20 // bytes of memory that a zstd layer may want
	checkRoom    = 64 << 20  // bytes unpacked before the file system is looked at again
	whiteoutMark = ".wh."
)

// unpack makes the directory of layer i, whose lower layers are there, unless it
// is there or comes while it waits for another pull to do it.
func (p *pull) unpack(ctx context.Context, i int) error {
	layer := p.layers[i]
	return p.try(ctx, stageRef, func() (int64, error) {
		unlock, err := p.making.lock(ctx, layer.name)
		if err != nil {
			return 0, err
		}
		defer unlock()
		if exists(p.path("layers", layer.name)) {
			return 0, nil
		}
		if _, err := p.fetch(ctx, layer.packed); err != nil { // it is here, unless it was found damaged
			return 0, err
		}
		give, err := take(ctx, p.unpacks)
		if err != nil {
			return 0, err
		}
		defer give()
		err = p.make(ctx, i)
		if err == nil || ctx.Err() != nil {
			return 0, err
		}
		err = fmt.Errorf("failed to extract layer %s: %w", layer.diff.Digest, err)
		if !isFull(err) && !p.damaged(layer.packed) {
			err = permanent{err}
		}
		return 0, err
	})
}

// damaged removes a blob that is no longer what it was when it came.
func (l *Library) damaged(d ocispec.Descriptor) bool {
	file := l.path("blobs", d.Digest.String())
	f, err := os.Open(file)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	v := d.Digest.Verifier()
	if _, err := io.Copy(v, f); err != nil || v.Verified() {
		return false
	}
	l.log.Warn("a blob is damaged and is downloaded again", "digest", d.Digest)
	return os.Remove(file) == nil
}

// make unpacks layer i beside the others, and puts it there when it is whole.
func (p *pull) make(ctx context.Context, i int) error {
	dir, err := os.MkdirTemp(p.path("unpack"), "")
	if err != nil {
		return err
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			p.log.Error("an unpacked layer could not be removed", "error", err)
		}
	}()
	if err := p.extract(ctx, i, dir); err != nil {
		return within(dir, err)
	}
	now := p.now()
	if err := os.Chtimes(dir, now, now); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.made(p.layers[i].name); err != nil {
		return err
	}
	return os.Rename(dir, p.path("layers", p.layers[i].name))
}

// extract unpacks layer i into a directory and verifies that it is the archive
// the image's configuration names.
func (p *pull) extract(ctx context.Context, i int, dir string) error {
	blob, err := os.Open(p.path("blobs", p.layers[i].packed.Digest.String()))
	if err != nil {
		return err
	}
	defer blob.Close()
	plain, err := decompress(blob)
	if err != nil {
		return err
	}
	defer plain.Close()
	diff := p.layers[i].diff.Digest
	sum := diff.Algorithm().Digester()
	source := &metered{Reader: io.TeeReader(plain, sum.Hash()), ctx: ctx, room: func() error { return p.room(0) }}
	var parents []string
	for k := i - 1; k >= 0; k-- {
		parents = append(parents, p.path("layers", p.layers[k].name))
	}
	var t tree
	_, err = archive.Apply(ctx, dir, source,
		archive.WithFilter(t.filter), archive.WithConvertWhiteout(t.whiteout), archive.WithParents(parents))
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, source); err != nil { // what follows the archive's end
		return err
	}
	if sum.Digest() != diff {
		return fmt.Errorf("wrong diff id calculated on extraction %q", sum.Digest())
	}
	return t.finish(dir, parents)
}

// decompress reads gzip, zstd or plain data, whatever it begins like.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 256<<10)
	magic, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b, 8}):
		return gzip.NewReader(buffered)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18}):
		d, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(mostWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}

// tree is what has to be known of an archive beyond single entries.
type tree struct {
	root *tar.Header // the entry of the root directory, if there is one
	gone []string    // paths that lower layers do not show through
}

// filter refuses what would be outside, and keeps out attributes that are not the
// image's to set.
func (t *tree) filter(h *tar.Header) (bool, error) {
	if outside(h.Name) || h.Typeflag == tar.TypeLink && outside(h.Linkname) {
		return false, fmt.Errorf("invalid archive: %q leads out of the layer", h.Name)
	}
	maps.DeleteFunc(h.PAXRecords, func(k, _ string) bool {
		attr, ok := strings.CutPrefix(k, "SCHILY.xattr.")
		return ok && attr != "security.capability" && (!strings.HasPrefix(attr, "user.") || strings.HasPrefix(attr, "user.overlay."))
	})
	if h.Name != "." && h.Name != "/" {
		return true, nil
	}
	if h.Typeflag == tar.TypeDir {
		t.root = h
	}
	return false, nil
}

func outside(name string) bool {
	name = path.Clean(name)
	return name == ".." || strings.HasPrefix(name, "../")
}

// whiteout makes overlayfs's marks of what an archive says is gone. What the same
// archive has at the place stays, whichever comes first.
func (t *tree) whiteout(h *tar.Header, file string) (bool, error) {
	dir := filepath.Dir(file)
	name, ok := strings.CutPrefix(filepath.Base(file), whiteoutMark)
	switch {
	case !ok:
		return true, nil
	case name == whiteoutMark+".opq":
		return false, setOpaque(dir)
	case strings.HasPrefix(name, whiteoutMark): // AUFS's own
		return false, nil
	}
	target := filepath.Join(dir, name)
	t.gone = append(t.gone, target)
	if err := unix.Mknod(target, unix.S_IFCHR, 0); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, fmt.Errorf("mknod %s: %w", target, err)
	}
	return false, nil
}

// finish does what can be done when all entries are there: directories in place
// of what is gone hide it, and the root gets its owner and mode.
func (t *tree) finish(dir string, parents []string) error {
	for _, path := range t.gone {
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			if err := setOpaque(path); err != nil {
				return err
			}
		}
	}
	mode, uid, gid := fs.FileMode(0o755), 0, 0
	switch {
	case t.root != nil:
		mode, uid, gid = t.root.FileInfo().Mode(), t.root.Uid, t.root.Gid
	case len(parents) > 0:
		info, err := os.Lstat(parents[0])
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		mode, uid, gid = info.Mode(), int(st.Uid), int(st.Gid)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

func setOpaque(dir string) error {
	if err := unix.Lsetxattr(dir, layered.OpaqueAttr, []byte("y"), 0); err != nil {
		return fmt.Errorf("setxattr %s: %w", dir, err)
	}
	return nil
}

// within takes the path of a directory out of an error's text.
func within(dir string, err error) error {
	return &relative{error: err, dir: dir}
}

type relative struct {
	error
	dir string
}

func (r *relative) Error() string { return strings.ReplaceAll(r.error.Error(), r.dir, "") }
func (r *relative) Unwrap() error { return r.error }

// metered stops reading when ctx ends or the file system gets full.
type metered struct {
	io.Reader
	ctx  context.Context
	room func() error
	left int
}

// Read implements io.Reader.
func (m *metered) Read(b []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	if m.left <= 0 {
		m.left = checkRoom
		if err := m.room(); err != nil {
			return 0, fmt.Errorf("write: %w", err)
		}
	}
	n, err := m.Reader.Read(b)
	m.left -= n
	return n, err
}

// diskUsage is what the files of a layer take; hard links count once.
func diskUsage(dir string) (total int64, err error) {
	seen := map[uint64]bool{}
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		if st.Nlink == 1 || d.IsDir() || !seen[st.Ino] {
			total += st.Blocks * 512
		}
		seen[st.Ino] = true
		return nil
	})
	return total, err
}
