package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestJoin pulls two images that share a layer, many times at once.
func TestJoin(t *testing.T) {
	h := newHub(t)
	shared := noise(1, 256<<10)
	refs := []string{
		h.push(t, "one:1", simple(t, "amd64", shared, "one")),
		h.push(t, "two:1", simple(t, "amd64", shared, "two")),
	}
	h.misbehave(slowly(4, 2*time.Millisecond))
	l := open(t, Config{})
	var wg sync.WaitGroup
	for n := range 24 {
		wg.Go(func() {
			if _, err := l.Pull(t.Context(), Request{Task: fmt.Sprint(n), Ref: refs[n%2]}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := h.seen()
	if n := count(got, "GET blobs"); n != 5 {
		t.Errorf("%d blobs were downloaded, not two configurations and three layers", n)
	}
	if n := count(got, "GET manifests"); n != 2 {
		t.Errorf("%d manifests were downloaded, not two", n)
	}
	if entries, err := os.ReadDir(l.path("layers")); err != nil || len(entries) != 3 {
		t.Errorf("%d layers: %v", len(entries), err)
	}
	checkIdle(t, l)
}

// checkIdle checks that nothing is left of pulls that are over.
func checkIdle(t *testing.T, l *Library) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held)+len(l.fetching.slots)+len(l.making.slots)+len(l.downloads)+len(l.unpacks) > 0 {
		t.Errorf("left: %v %v %v %d %d", l.held, l.fetching.slots, l.making.slots, len(l.downloads), len(l.unpacks))
	}
	for _, dir := range []string{"unpack", "partial"} {
		if entries, err := os.ReadDir(l.path(dir)); err != nil || len(entries) > 0 {
			t.Errorf("left in %s: %v %v", dir, entries, err)
		}
	}
}

// TestLeaderEnds stops the pull that downloads for two: the other goes on where
// it was.
func TestLeaderEnds(t *testing.T) {
	h := newHub(t)
	img := simple(t, "amd64", noise(1, 512<<10))
	ref := h.push(t, "app:1", img)
	layer := topLayer(t, img)
	half, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.misbehave(blobs(layer, func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		if r.Header.Get("Range") != "" {
			return false
		}
		serve(&stopAt{ResponseWriter: w, left: 200 << 10, stop: func() {
			once.Do(func() { close(half) })
			select {
			case <-r.Context().Done():
			case <-goOn:
			}
		}})
		return true
	}))
	t.Cleanup(func() { close(goOn) })
	l := open(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := l.Pull(ctx, Request{Task: "first", Ref: ref})
		first <- err
	}()
	<-half
	second := make(chan error)
	go func() {
		_, err := l.Pull(t.Context(), Request{Task: "second", Ref: ref})
		second <- err
	}()
	until(t, "the second waits", func() bool {
		l.fetching.mu.Lock()
		defer l.fetching.mu.Unlock()
		s := l.fetching.slots[layer]
		return s != nil && s.users == 2
	})
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first ended with %v", err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ranges) != 1 {
		t.Errorf("ranges asked for: %v", h.ranges)
	}
	checkIdle(t, l)
}

// stopAt stops writing for a while after some bytes.
type stopAt struct {
	http.ResponseWriter
	left int
	stop func()
}

func (s *stopAt) Write(b []byte) (int, error) {
	if s.left > 0 && s.left < len(b) {
		n, err := s.ResponseWriter.Write(b[:s.left])
		if err != nil {
			return n, err
		}
		s.ResponseWriter.(http.Flusher).Flush()
		s.left = 0
		s.stop()
		k, err := s.ResponseWriter.Write(b[n:])
		return n + k, err
	}
	s.left -= len(b)
	return s.ResponseWriter.Write(b)
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 20 seconds: %s", what)
		}
	}
}

// TestResume interrupts a download and goes on with it in a library opened anew.
func TestResume(t *testing.T) {
	h := newHub(t)
	img := simple(t, "amd64", noise(1, 256<<10))
	ref := h.push(t, "app:1", img)
	layer := topLayer(t, img)
	h.misbehave(blobs(layer, func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		if r.Header.Get("Range") != "" {
			return status(500, "")(w, r, serve)
		}
		serve(&cut{w, 100 << 10})
		return true
	}))
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref}); err == nil {
		t.Fatal("a cut layer was pulled")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(l.path("partial", layer))
	if err != nil || info.Size() == 0 {
		t.Fatal(info, err)
	}
	h.misbehave(nil)
	h.seen()
	h.mu.Lock()
	h.ranges, h.sent[layer] = nil, 0
	h.mu.Unlock()
	l = open(t, Config{Dir: dir})
	mustPull(t, l, "t", ref)
	h.mu.Lock()
	defer h.mu.Unlock()
	size := fileSize(t, l.path("blobs", layer))
	if len(h.ranges) != 1 || h.ranges[0] != fmt.Sprintf("bytes=%d-", info.Size()) || h.sent[layer] != size-info.Size() {
		t.Errorf("asked for %v, %d bytes were sent; had %d of %d", h.ranges, h.sent[layer], info.Size(), size)
	}
}

func fileSize(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestBounded checks that several downloads go on at a time, and no more than
// allowed.
func TestBounded(t *testing.T) {
	h := newHub(t)
	var now, most atomic.Int32
	h.misbehave(func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		if r.Method != http.MethodGet || kind(r) != "blobs" {
			return false
		}
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		for end := time.Now().Add(20 * time.Second); most.Load() < 2 && strings.Contains(r.URL.Path, "app") && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Millisecond)
		now.Add(-1) // before the client can be done
		serve(w)
		return true
	})
	l := open(t, Config{Parallel: 2})
	var wg sync.WaitGroup
	for n := range 6 {
		ref := h.push(t, fmt.Sprintf("app%d:1", n), simple(t, "amd64", fmt.Sprint(n, "a"), fmt.Sprint(n, "b"), fmt.Sprint(n, "c")))
		wg.Go(func() {
			if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m := most.Load(); m != 2 {
		t.Errorf("%d downloads at a time", m)
	}
	one := open(t, Config{})
	most.Store(0)
	var texts []string
	for n := range 12 {
		texts = append(texts, fmt.Sprint("layer", n))
	}
	ref := h.push(t, "many:1", simple(t, "amd64", texts...))
	mustPull(t, one, "t", ref)
	if m := most.Load(); m > downloadsPerPull {
		t.Errorf("%d downloads at a time for one image", m)
	}
}

// TestStopped stops pulls at many moments; each leaves the library as if it had
// not been, but for what is half there.
func TestStopped(t *testing.T) {
	h := newHub(t)
	var texts []string
	for n := range 4 {
		texts = append(texts, noise(int64(n), 64<<10)+strings.Repeat("x", 1<<20))
	}
	ref := h.push(t, "app:1", simple(t, "amd64", texts...))
	h.misbehave(slowly(4, time.Millisecond))
	l := open(t, Config{})
	stopped := 0
	for n := range 30 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*3*time.Millisecond)
		_, err := l.Pull(ctx, Request{Task: "t", Ref: ref})
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			stopped++
		case err != nil:
			t.Fatal(err)
		}
		l.mu.Lock()
		left := len(l.held) + len(l.fetching.slots) + len(l.making.slots) + len(l.downloads) + len(l.unpacks)
		l.mu.Unlock()
		if left > 0 {
			t.Fatalf("after %d: something goes on", n)
		}
	}
	i := mustPull(t, l, "t", ref)
	for n, layer := range i.Layers {
		if got := read(t, fmt.Sprintf("%s/f%d", layer, 3-n)); got != texts[3-n] {
			t.Errorf("layer %d is wrong", n)
		}
	}
	if stopped < 3 {
		t.Errorf("only %d pulls were stopped", stopped)
	}
	checkIdle(t, l)
}
