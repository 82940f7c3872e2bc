package image

import (
	"context"
	"fmt"
	"maps"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestCollect does at random what may happen to a library, and compares what is
// left with a model: pins and uses decide what stays.
func TestCollect(t *testing.T) {
	h := newHub(t)
	var refs []string
	layersOf := map[string][]v1.Layer{}
	pool := []v1.Layer{}
	for n := range 5 {
		pool = append(pool, layerOf(t, pack(t, file{name: fmt.Sprint("f", n), data: fmt.Sprint(n)}), compression.GZip))
	}
	for n, pick := range [][]int{{0, 1}, {0, 2}, {3}, {0, 1, 4}} {
		var layers []v1.Layer
		for _, k := range pick {
			layers = append(layers, pool[k])
		}
		ref := h.push(t, fmt.Sprintf("app%d:1", n), build(t, "amd64", v1.Config{}, layers...))
		refs, layersOf[ref] = append(refs, ref), layers
	}
	for seed := range int64(12) {
		r := rand.New(rand.NewSource(seed))
		now := time.Now().Add(-1000 * time.Hour).Truncate(time.Second)
		var used atomic.Int64 // percent
		c := Config{Dir: t.TempDir(), Now: func() time.Time { return now },
			Free: func(string) (uint64, uint64, error) { return uint64(100-used.Load()) << 40, 100 << 40, nil }}
		l := open(t, c)
		pins, last := map[string]map[string]bool{}, map[string]time.Time{} // by task, by ref
		images := map[string]Image{}
		pinned := func(ref string) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(pins)), func(p map[string]bool) bool { return p[ref] })
		}
		for step := range 60 {
			task, ref := fmt.Sprint("t", r.Intn(3)), refs[r.Intn(len(refs))]
			now = now.Add(time.Duration(r.Intn(8)) * time.Hour)
			switch r.Intn(5) {
			case 0, 1:
				images[ref] = mustPull(t, l, task, ref)
				if pins[task] == nil {
					pins[task] = map[string]bool{}
				}
				pins[task][ref], last[ref] = true, now
			case 2:
				if err := l.Release(task); err != nil {
					t.Fatal(err)
				}
				for ref := range pins[task] {
					last[ref] = now
				}
				delete(pins, task)
			case 3:
				used.Store(int64(r.Intn(100)))
				if err := l.Collect(t.Context(), now); err != nil {
					t.Fatal(err)
				}
				for _, ref := range refs {
					if !pinned(ref) && (now.Sub(last[ref]) > keep || used.Load() > high) {
						delete(last, ref) // all, as nothing lowers the use
					}
				}
			case 4:
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open(t, c)
			}
			checkKept(t, fmt.Sprintf("seed %d, step %d", seed, step), l, last, images)
			if t.Failed() {
				return
			}
		}
	}
}

// checkKept checks that a library has the images of a model. After a collection
// there is nothing else; before, there may be.
func checkKept(t *testing.T, when string, l *Library, last map[string]time.Time, images map[string]Image) {
	t.Helper()
	want := map[string]bool{}
	for ref := range last {
		i := images[ref]
		for _, layer := range i.Layers {
			want[layer] = true
			if entries, err := os.ReadDir(layer); err != nil || len(entries) == 0 {
				t.Errorf("%s: a layer of %s is gone: %v", when, ref, err)
			}
		}
		if !exists(l.path("blobs", i.Manifest)) || !exists(l.path("images", encoded(i.Manifest))) {
			t.Errorf("%s: the manifest or record of %s is gone", when, ref)
		}
	}
	records, _ := filepath.Glob(l.path("images", "*"))
	if len(records) != len(last) {
		t.Errorf("%s: %d images, not %d", when, len(records), len(last))
	}
	there, _ := filepath.Glob(l.path("layers", "*"))
	// A layer may outlive its image by an hour.
	if len(there) < len(want) {
		t.Errorf("%s: %d layers, not %d", when, len(there), len(want))
	}
}

// TestPressure fills a file system: first the layers as they came go, then the
// images that were not used for longest, and only as far as need be.
func TestPressure(t *testing.T) {
	h := newHub(t)
	now := time.Now()
	var dir string
	over := func() uint64 { // every layer takes 5 percent, blobs 1
		layers, _ := filepath.Glob(filepath.Join(dir, "layers", "*"))
		blobs, _ := filepath.Glob(filepath.Join(dir, "blobs", "*"))
		return uint64(30 + 5*len(layers) + len(blobs))
	}
	dir = t.TempDir()
	l := open(t, Config{Dir: dir, Now: func() time.Time { return now },
		Free: func(string) (uint64, uint64, error) { return (100 - min(over(), 100)) << 40, 100 << 40, nil }})
	images := map[int]Image{}
	pull := func(n int) {
		now = now.Add(time.Minute)
		images[n] = mustPull(t, l, fmt.Sprint("t", n), h.push(t, fmt.Sprintf("app%d:1", n), simple(t, "amd64", fmt.Sprint(n))))
	}
	collect := func(want ...int) {
		t.Helper()
		if err := l.Collect(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		var got []int
		for n, i := range images {
			if exists(i.Layers[0]) {
				got = append(got, n)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%v are left, not %v; %d%% used", got, want, over())
		}
	}
	for n := range 6 {
		pull(n)
	}
	collect(0, 1, 2, 3, 4, 5) // 30 + 30 + 18 = 78
	for n := range 6 {
		if n != 0 {
			if err := l.Release(fmt.Sprint("t", n)); err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Second)
		}
	}
	collect(0, 1, 2, 3, 4, 5)
	pull(6) // 86: seven layers as they came go
	collect(0, 1, 2, 3, 4, 5, 6)
	if got := over(); got != 30+35+14 {
		t.Errorf("%d%% used", got)
	}
	pull(7) // 87: a blob, 86, and the oldest that is not in use
	collect(0, 2, 3, 4, 5, 6, 7)
	// An image whose blob went is used without it.
	h.seen()
	mustPull(t, l, "again", images[2].Ref)
	if n := count(h.seen(), "GET blobs"); n != 0 {
		t.Errorf("%d blobs were downloaded for an image that is here", n)
	}
	for n := 8; n < 12; n++ {
		pull(n)
	}
	collect(0, 2, 6, 7, 8, 9, 10, 11)
}

// TestAbandoned checks when that goes which is left of pulls that failed: not
// before an hour, for one that goes on with it.
func TestAbandoned(t *testing.T) {
	h := newHub(t)
	img := simple(t, "amd64", "base", noise(1, 64<<10))
	ref := h.push(t, "app:1", img)
	now := time.Now()
	l := open(t, Config{Now: func() time.Time { return now }})
	h.misbehave(blobs(topLayer(t, img), func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		if r.Header.Get("Range") != "" {
			return status(403, "")(w, r, serve)
		}
		serve(&cut{w, 40000})
		return true
	}))
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref}); err == nil {
		t.Fatal("a cut layer was pulled")
	}
	left := func() map[string]int {
		out := map[string]int{}
		for _, dir := range []string{"partial", "blobs", "layers", "images", "pins"} {
			entries, err := os.ReadDir(l.path(dir))
			if err != nil {
				t.Fatal(err)
			}
			out[dir] = len(entries)
		}
		return out
	}
	before := left()
	if before["partial"] != 1 || before["blobs"] < 2 || before["images"]+before["pins"] > 0 {
		t.Errorf("left: %v", before)
	}
	now = now.Add(abandoned - time.Minute)
	if err := l.Collect(t.Context(), now); err != nil || !maps.Equal(left(), before) {
		t.Errorf("%v; left: %v, not %v", err, left(), before)
	}
	now = now.Add(2 * time.Minute)
	if err := l.Collect(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	for dir, n := range left() {
		if n > 0 {
			t.Errorf("%d left in %s", n, dir)
		}
	}
}

// TestCollectBusy collects all the time, with no mercy for what is not used, while
// pulls go on: none may lose what it needs.
func TestCollectBusy(t *testing.T) {
	h := newHub(t)
	var refs []string
	for n := range 3 {
		refs = append(refs, h.push(t, fmt.Sprintf("app%d:1", n), simple(t, "amd64", "shared", fmt.Sprint("own", n))))
	}
	l := open(t, Config{Keep: time.Nanosecond, Free: func(string) (uint64, uint64, error) { return 5 << 40, 100 << 40, nil }})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := l.Collect(context.Background(), time.Now().Add(2*abandoned)); err != nil {
				t.Error(err)
			}
		}
	})
	var pulls sync.WaitGroup
	for n := range 6 {
		pulls.Go(func() {
			task := fmt.Sprint("t", n)
			for range 20 {
				i, err := l.Pull(t.Context(), Request{Task: task, Ref: refs[n%3]})
				if err != nil {
					t.Error(err)
					return
				}
				for k, layer := range i.Layers {
					if _, err := os.Stat(filepath.Join(layer, fmt.Sprint("f", 1-k))); err != nil {
						t.Error(err)
					}
				}
				if err := l.Release(task); err != nil {
					t.Error(err)
				}
			}
		})
	}
	pulls.Wait()
	cancel()
	wg.Wait()
	if err := l.Collect(t.Context(), time.Now().Add(2*abandoned)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"layers", "blobs", "images", "pins", "unpack", "partial"} {
		if entries, err := os.ReadDir(l.path(dir)); err != nil || len(entries) > 0 {
			t.Errorf("left in %s: %v %v", dir, entries, err)
		}
	}
}
