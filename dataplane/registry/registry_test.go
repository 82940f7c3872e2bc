package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"neargate/resource/image"
)

const (
	id    = "00000000-0000-4000-8000-000000000001"
	other = "00000000-0000-4000-8000-000000000002"
)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newStore(t *testing.T) (*Store, *clock) {
	t.Helper()
	c := &clock{at: time.Now()}
	s, err := Open(t.TempDir(), c.now)
	ok(t, err)
	return s, c
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Store) text(t *testing.T, digest string) string {
	t.Helper()
	f, err := s.Open(digest)
	ok(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	ok(t, err)
	return string(b)
}

// nobody has any blob.
func nobody(context.Context, string) (bool, error) { return false, nil }

func TestUpload(t *testing.T) {
	s, _ := newStore(t)
	ok(t, s.Begin("a", id))
	n, err := s.Append("a", id, 0, strings.NewReader("one "))
	if n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for name, try := range map[string]struct {
		err  error
		want error
	}{
		"of another owner":     {second(s.Append("b", id, 4, strings.NewReader("x"))), image.ErrNoUpload},
		"of another id":        {second(s.Append("a", other, 4, strings.NewReader("x"))), image.ErrNoUpload},
		"of an id that climbs": {second(s.Append("a", "../../../../../../../../../etc/passwd", 0, strings.NewReader("x"))), image.ErrNoUpload},
		"elsewhere":            {second(s.Append("a", id, 3, strings.NewReader("x"))), image.ErrOffset},
		"size of another":      {second(s.Size("b", id)), image.ErrNoUpload},
		"abort of another":     {s.Abort("b", id), image.ErrNoUpload},
	} {
		if !errors.Is(try.err, try.want) {
			t.Errorf("%s: %v", name, try.err)
		}
	}
	// A body that breaks off leaves what came, and the upload goes on from there.
	n, err = s.Append("a", id, 4, io.MultiReader(strings.NewReader("two "), broken{}))
	if n != 8 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken off: %d, %v", n, err)
	}
	// So it does after a restart of the process.
	again, err := Open(s.dir, s.now)
	ok(t, err)
	if n, err = again.Size("a", id); n != 8 || err != nil {
		t.Errorf("after a restart: %d, %v", n, err)
	}
	if n, err = again.Append("a", id, -1, strings.NewReader("three")); n != 13 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	const content = "one two three"
	digest := image.DigestOf([]byte(content))
	size, release, err := again.Commit("a", id, digest)
	ok(t, err)
	release()
	if got := s.text(t, digest); size != 13 || got != content {
		t.Errorf("%d bytes: %q", size, got)
	}
	if _, err := again.Size("a", id); !errors.Is(err, image.ErrNoUpload) {
		t.Errorf("the upload is still there: %v", err)
	}
}

func second(_ int64, err error) error { return err }

// broken is a body that ends too early.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWrongDigest(t *testing.T) {
	s, _ := newStore(t)
	ok(t, s.Begin("a", id))
	_, err := s.Append("a", id, 0, strings.NewReader("content"))
	ok(t, err)
	_, _, err = s.Commit("a", id, image.DigestOf([]byte("other")))
	if !errors.Is(err, image.ErrDigest) {
		t.Fatalf("committed: %v", err)
	}
	if _, _, err := s.Hold(image.DigestOf([]byte("content"))); !errors.Is(err, image.ErrNoBlob) {
		t.Errorf("the blob is there: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "uploads")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCollect(t *testing.T) {
	s, c := newStore(t)
	digest, release, err := s.Add([]byte("a manifest"))
	ok(t, err)
	ok(t, s.Begin("a", id))
	_, err = s.Append("a", id, 0, strings.NewReader("part"))
	ok(t, err)
	collect := func(used func(context.Context, string) (bool, error)) Collected {
		t.Helper()
		got, err := s.Collect(t.Context(), used)
		ok(t, err)
		return got
	}
	if got := collect(nobody); got != (Collected{}) {
		t.Errorf("at once: %+v", got)
	}
	c.pass(2 * BlobKeep)
	if got := collect(nobody); got != (Collected{}) {
		t.Errorf("while it is held: %+v", got)
	}
	release()
	release() // does nothing more
	if got := collect(func(context.Context, string) (bool, error) { return true, nil }); got != (Collected{}) {
		t.Errorf("while it is used: %+v", got)
	}
	if got := collect(nobody); got != (Collected{Blobs: 1, Bytes: 10}) {
		t.Errorf("nobody has it: %+v", got)
	}
	if _, err := s.Open(digest); !errors.Is(err, image.ErrNoBlob) {
		t.Errorf("it is still there: %v", err)
	}
	c.pass(UploadKeep)
	if got := collect(nobody); got.Uploads != 1 {
		t.Errorf("an old upload: %+v", got)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "uploads")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestCollectWhilePushing pushes the same blobs again and again while garbage is
// collected that is old at once: what a push was told is there stays there.
func TestCollectWhilePushing(t *testing.T) {
	s, c := newStore(t)
	var mu sync.Mutex
	linked := map[string]int{}
	used := func(_ context.Context, digest string) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return linked[digest] > 0, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var collecting, pushing sync.WaitGroup
	var collected atomic.Int64
	collecting.Go(func() {
		for ctx.Err() == nil {
			c.pass(BlobKeep)
			var got Collected
			if err := s.collectBlobs(ctx, used, &got); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			collected.Add(int64(got.Blobs))
		}
	})
	for p := range 4 {
		pushing.Go(func() {
			for n := 0; n < 100 || collected.Load() == 0 && n < 10_000; n++ { // until the collector had its turn, too
				text := fmt.Appendf(nil, "blob %d", (n+p)%5)
				digest, release, err := s.Add(text)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				linked[digest]++
				mu.Unlock()
				release()
				if f, err := s.Open(digest); err != nil {
					t.Errorf("a blob that is linked: %v", err)
				} else if b, err := io.ReadAll(f); err != nil || !bytes.Equal(b, text) {
					t.Errorf("%q, %v", b, err)
				} else {
					f.Close()
				}
				mu.Lock()
				linked[digest]--
				mu.Unlock()
			}
		})
	}
	pushing.Wait()
	cancel()
	collecting.Wait()
	if collected.Load() == 0 {
		t.Error("nothing was collected: the test proves nothing")
	}
}
