package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// get downloads a blob unless it is here, and tries again while that may help.
func (p *pull) get(ctx context.Context, desc ocispec.Descriptor) error {
	return p.try(ctx, stageRef, func() (int64, error) { return p.fetch(ctx, desc) })
}

// fetch downloads a blob unless it is here, or comes while it waits for another
// pull to do it. It returns how many bytes of it there are.
func (p *pull) fetch(ctx context.Context, desc ocispec.Descriptor) (int64, error) {
	key := desc.Digest.String()
	unlock, err := p.fetching.lock(ctx, key)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if _, err := p.content.Info(ctx, desc.Digest); err == nil {
		p.reached(key, desc.Size)
		return desc.Size, nil
	} else if !errdefs.IsNotFound(err) {
		return 0, err
	}
	give, err := take(ctx, p.downloads)
	if err != nil {
		return 0, err
	}
	defer give()
	reached, err := p.download(ctx, desc)
	if err != nil {
		return reached, err
	}
	now := p.now()
	return desc.Size, os.Chtimes(p.blobPath(desc.Digest.String()), now, now)
}

// blobPath is the file of a blob.
func (l *Library) blobPath(digest string) string {
	return l.path("content", "blobs", algorithm(digest), encoded(digest))
}

// download continues a download where it was interrupted, or begins it. What
// turns out to be wrong is thrown away.
func (p *pull) download(ctx context.Context, desc ocispec.Descriptor) (reached int64, err error) {
	ref := remotes.MakeRefKey(ctx, desc)
	w, err := p.content.Writer(ctx, content.WithRef(ref), content.WithDescriptor(desc))
	if err != nil {
		return 0, err
	}
	defer w.Close()
	at, err := w.Status()
	if err != nil {
		return 0, err
	}
	if err := p.room(desc.Size - at.Offset); err != nil {
		return at.Offset, fmt.Errorf("failed to copy: %w", err)
	}
	key := desc.Digest.String()
	p.reached(key, at.Offset)
	counted := &counted{ReadCloser: io.NopCloser(bytes.NewReader(nil)), at: at.Offset, tell: func(n int64) { p.reached(key, n) }}
	if at.Offset < desc.Size {
		if counted.ReadCloser, err = p.fetcher.Fetch(ctx, desc); err != nil {
			return at.Offset, err
		}
		defer counted.Close()
	}
	err = content.Copy(ctx, w, counted, desc.Size, desc.Digest)
	if errdefs.IsFailedPrecondition(err) { // too long, or another digest
		if e := p.content.Abort(ctx, ref); e != nil && !errdefs.IsNotFound(e) {
			return 0, e
		}
		return 0, err
	}
	return counted.at, err
}

// counted tells how far a reader is.
type counted struct {
	io.ReadCloser
	at   int64
	tell func(int64)
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	if n > 0 {
		c.at += int64(n)
		c.tell(c.at)
	}
	return n, err
}

// Seek implements io.Seeker.
func (c *counted) Seek(offset int64, whence int) (int64, error) {
	s, ok := c.ReadCloser.(io.Seeker)
	if !ok {
		return offset, nil // nothing is left to read
	}
	at, err := s.Seek(offset, whence)
	c.at = at
	return at, err
}

// room is an error unless n more bytes may be written.
func (l *Library) room(n int64) error {
	free, _, err := l.free(l.dir)
	if err != nil {
		return err
	}
	if free < l.reserve+uint64(max(n, 0)) {
		return syscall.ENOSPC
	}
	return nil
}
