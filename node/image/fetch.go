package image

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/containerd/containerd/v2/core/remotes"
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
	if exists(p.path("blobs", key)) {
		p.reached(key, desc.Size)
		return desc.Size, nil
	}
	give, err := take(ctx, p.downloads)
	if err != nil {
		return 0, err
	}
	defer give()
	return p.download(ctx, desc)
}

// download continues a download where it was interrupted, or begins it. What
// turns out to be wrong is thrown away.
func (p *pull) download(ctx context.Context, desc ocispec.Descriptor) (at int64, err error) {
	key := desc.Digest.String()
	part := p.path("partial", key)
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		now := p.now()
		err = errors.Join(err, os.Chtimes(part, now, now))
		if err == nil {
			err = os.Rename(part, p.path("blobs", key))
		}
	}()
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := desc.Digest.Algorithm().Hash()
	if at, err = io.Copy(sum, f); err != nil {
		return 0, err
	}
	p.reached(key, at)
	if at < desc.Size {
		if err = p.room(desc.Size - at); err == nil {
			at, err = p.copy(ctx, f, sum, at, desc)
		}
		if err != nil && err != errTooLong {
			return at, err
		}
	}
	got := fmt.Sprintf("%s:%x", desc.Digest.Algorithm(), sum.Sum(nil))
	if at != desc.Size || got != key {
		return 0, errors.Join(fmt.Errorf("failed commit on ref %q: unexpected commit digest %s, expected %s", remotes.MakeRefKey(ctx, desc), got, key), f.Truncate(0))
	}
	return at, nil
}

// errTooLong says that a registry sends more than the blob has.
var errTooLong = errors.New("too long")

// copy downloads what is missing of a blob after the first bytes.
func (p *pull) copy(ctx context.Context, f io.Writer, sum hash.Hash, at int64, desc ocispec.Descriptor) (int64, error) {
	key, first := desc.Digest.String(), at
	p.came.Store(true)
	rc, err := p.fetcher.Fetch(ctx, desc)
	if err != nil {
		return at, fmt.Errorf("failed to copy: %w", err)
	}
	defer rc.Close()
	if at > 0 {
		s, ok := rc.(io.Seeker)
		if !ok {
			return at, fmt.Errorf("unable to resume write to %v", key)
		}
		if _, err := s.Seek(at, io.SeekStart); err != nil {
			return at, fmt.Errorf("unable to resume write to %v: %w", key, err)
		}
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := rc.Read(buf)
		if at+int64(n) > desc.Size {
			return at, errTooLong
		}
		if n > 0 {
			if _, e := f.Write(buf[:n]); e != nil {
				return at, fmt.Errorf("failed to copy: %w", e)
			}
			sum.Write(buf[:n])
			at += int64(n)
			p.reached(key, at)
		}
		switch {
		case err == nil:
		case err == io.EOF && at == desc.Size:
			return at, nil
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return at, fmt.Errorf("short read: expected %d bytes but got %d: %w", desc.Size-first, at-first, io.ErrUnexpectedEOF)
		default:
			return at, fmt.Errorf("failed to copy: %w", err)
		}
	}
}

// room is an error unless n more bytes may be written.
func (l *Library) room(n int64) error {
	free, _, err := l.free(l.dir)
	if err != nil {
		return err
	}
	if free < l.reserve+uint64(max(n, 0)) {
		return &fs.PathError{Op: "write", Path: "blobs", Err: syscall.ENOSPC}
	}
	return nil
}
