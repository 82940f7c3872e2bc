package image

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Environment of the program that TestKill kills.
const (
	crashDir  = "IMAGE_CRASH_DIR"
	crashRefs = "IMAGE_CRASH_REFS"
)

// TestMain is also that program: it pulls, releases and collects.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := pullForEver(dir, strings.Fields(os.Getenv(crashRefs))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func pullForEver(dir string, refs []string) error {
	l, err := Open(Config{Dir: dir, Keep: time.Nanosecond, Pause: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for n, ref := range refs {
		go func() {
			for {
				task := fmt.Sprintf("task%d", n)
				if _, err := l.Pull(context.Background(), Request{Task: task, Ref: ref}); err != nil {
					failed <- err
				}
				fmt.Println(ref)
				if err := l.Release(task); err != nil {
					failed <- err
				}
				if err := l.Collect(context.Background(), time.Now().Add(2*abandoned)); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// TestKill kills a program at random moments of downloads, unpacking and removal.
// Whatever is in a library opened then is whole.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes for seconds")
	}
	h := newHub(t)
	var refs []string
	want := map[string][]string{}
	for n := range 3 {
		texts := []string{"shared" + noise(7, 200<<10), noise(int64(n), 100<<10) + strings.Repeat(fmt.Sprint(n), 1<<20)}
		ref := h.push(t, fmt.Sprintf("app%d:1", n), simple(t, "amd64", texts...))
		refs, want[ref] = append(refs, ref), texts
	}
	h.misbehave(slowly(4, time.Millisecond))
	dir := t.TempDir()
	r := rand.New(rand.NewSource(time.Now().UnixNano()))
	pulled, resumed := 0, 0
	for round := 0; round < 10 || round < 60 && (pulled == 0 || resumed == 0); round++ {
		out := runAndKill(t, dir, refs, time.Duration((20+r.Intn(400))*(1+round/10))*time.Millisecond)
		pulled += strings.Count(out, "\n")
		l := open(t, Config{Dir: dir})
		if entries, err := os.ReadDir(l.path("unpack")); err != nil || len(entries) > 0 {
			t.Errorf("left in unpack: %v %v", entries, err)
		}
		parts, _ := filepath.Glob(l.path("partial", "*"))
		resumed += len(parts)
		for n, ref := range refs {
			if i, ok, err := l.Find(fmt.Sprintf("task%d", n), ref); err != nil {
				t.Fatal(err)
			} else if ok {
				checkLayers(t, i, want[ref])
			}
		}
		for _, ref := range refs {
			checkLayers(t, mustPull(t, l, "check", ref), want[ref])
		}
		if err := l.Release("check"); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d pulls, %d interrupted downloads", pulled, resumed)
	if pulled == 0 || resumed == 0 {
		t.Errorf("%d pulls, %d interrupted downloads", pulled, resumed)
	}
}

func checkLayers(t *testing.T, i Image, texts []string) {
	t.Helper()
	for n, layer := range i.Layers {
		k := len(texts) - 1 - n
		if got := read(t, filepath.Join(layer, fmt.Sprintf("f%d", k))); got != texts[k] {
			t.Errorf("layer %d has %d bytes, not %d", k, len(got), len(texts[k]))
		}
	}
}

// runAndKill returns what the program said until it was killed.
func runAndKill(t *testing.T, dir string, refs []string, after time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashRefs+"="+strings.Join(refs, " "))
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	if errs.Len() > 0 {
		t.Fatal(errs.String())
	}
	return out.String()
}

// TestKillAt kills the program in the middle of a download, and
// looks that the next one goes on with what is there.
func TestKillAt(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	h := newHub(t)
	img := simple(t, "amd64", noise(1, 1<<20))
	ref := h.push(t, "app:1", img)
	layer := topLayer(t, img)
	half, end := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(end) })
	h.misbehave(blobs(layer, times(1, func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		serve(&stopAt{ResponseWriter: w, left: 500 << 10, stop: func() {
			close(half)
			select {
			case <-r.Context().Done():
			case <-end:
			}
		}})
		return true
	})))
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashRefs+"="+ref)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-half
	part := filepath.Join(dir, "partial", layer)
	until(t, "half of the layer is on disk", func() bool {
		info, err := os.Stat(part)
		return err == nil && info.Size() >= 256<<10
	})
	cmd.Process.Kill()
	cmd.Wait()
	had := fileSize(t, part)
	l := open(t, Config{Dir: dir})
	mustPull(t, l, "t", ref)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ranges) != 1 || h.ranges[0] != fmt.Sprintf("bytes=%d-", had) {
		t.Errorf("asked for %v with %d bytes on disk", h.ranges, had)
	}
}

// TestKillUnpack kills the program while it unpacks a layer.
func TestKillUnpack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	h := newHub(t)
	ref := h.push(t, "app:1", simple(t, "amd64", strings.Repeat("0", 64<<20)))
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashRefs+"="+ref)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "something is unpacked", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "unpack", "*", "f0"))
		return len(files) > 0
	})
	cmd.Process.Kill()
	cmd.Wait()
	half, _ := filepath.Glob(filepath.Join(dir, "unpack", "*", "f0"))
	whole, _ := filepath.Glob(filepath.Join(dir, "layers", "*"))
	if len(half) != 1 || len(whole) != 0 {
		t.Fatalf("half %v, whole %v", half, whole)
	}
	l := open(t, Config{Dir: dir})
	h.seen()
	i := mustPull(t, l, "t", ref)
	if n := fileSize(t, filepath.Join(i.Layers[0], "f0")); n != 64<<20 {
		t.Errorf("%d bytes", n)
	}
	if n := count(h.seen(), "GET blobs"); n != 0 {
		t.Errorf("%d blobs were downloaded again", n)
	}
	checkIdle(t, l)
}
