package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	client "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// hub is a registry on loopback that can be made to misbehave.
type hub struct {
	*httptest.Server
	host string

	mu       sync.Mutex
	requests []string // METHOD kind, kind one of manifests, blobs, other
	ranges   []string // of blob requests
	sent     map[string]int64
	fault    func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool
}

// newHub starts a registry. Blobs are served with ranges, which the registry
// itself cannot.
func newHub(t testing.TB) *hub {
	h := &hub{sent: map[string]int64{}}
	inner := server.New(server.Logger(log.New(io.Discard, "", 0)))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve := func(w http.ResponseWriter) { inner.ServeHTTP(w, r) }
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/sha256:") {
			serve = func(w http.ResponseWriter) { h.blob(w, r, inner) }
		}
		h.mu.Lock()
		h.requests = append(h.requests, r.Method+" "+kind(r))
		if rg := r.Header.Get("Range"); rg != "" {
			h.ranges = append(h.ranges, rg)
		}
		fault := h.fault
		h.mu.Unlock()
		if fault == nil || !fault(w, r, serve) {
			serve(w)
		}
	}))
	t.Cleanup(h.Close)
	h.host = strings.TrimPrefix(h.URL, "http://")
	return h
}

func kind(r *http.Request) string {
	for _, k := range []string{"manifests", "blobs"} {
		if strings.Contains(r.URL.Path, "/"+k+"/") {
			return k
		}
	}
	return "other"
}

func (h *hub) blob(w http.ResponseWriter, r *http.Request, inner http.Handler) {
	whole := r.Clone(r.Context())
	whole.Header.Del("Range")
	rec := httptest.NewRecorder()
	inner.ServeHTTP(rec, whole)
	if rec.Code != http.StatusOK {
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
		return
	}
	digest := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	http.ServeContent(&counting{ResponseWriter: w, add: func(n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent[digest] += int64(n)
	}}, r, "", time.Time{}, bytes.NewReader(rec.Body.Bytes()))
}

type counting struct {
	http.ResponseWriter
	add func(int)
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.add(n)
	return n, err
}

// misbehave sets what is done instead of serving; it returns whether it did.
func (h *hub) misbehave(fault func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = fault
}

// seen returns and forgets the requests since the last time.
func (h *hub) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.requests
	h.requests = nil
	return r
}

func count(requests []string, want string) (n int) {
	for _, r := range requests {
		if r == want {
			n++
		}
	}
	return n
}

func (h *hub) push(t testing.TB, ref string, what client.Taggable) string {
	t.Helper()
	tag, err := name.NewTag(h.host+"/"+ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.Image:
		err = client.Write(tag, what)
	case v1.ImageIndex:
		err = client.WriteIndex(tag, what)
	default:
		err = client.Put(tag, what)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.seen()
	return h.host + "/" + ref
}

// file is an entry of a layer.
type file struct {
	name, data string
	kind       byte // 0: a regular file, or a directory if name ends in /
	link       string
	mode       int64 // 0: 0644, 0755
	uid, gid   int
	time       int64
	dev        [2]int64
	attrs      map[string]string
}

// pack makes an archive.
func pack(t testing.TB, files ...file) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: f.kind, Linkname: f.link, Mode: f.mode, Uid: f.uid, Gid: f.gid,
			ModTime: time.Unix(f.time, 0), Devmajor: f.dev[0], Devminor: f.dev[1], Format: tar.FormatPAX}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
			if strings.HasSuffix(f.name, "/") {
				h.Typeflag = tar.TypeDir
			}
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(f.data))
		}
		for k, v := range f.attrs {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords["SCHILY.xattr."+k] = v
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(f.data)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func layerOf(t testing.TB, archive []byte, c compression.Compression) v1.Layer {
	t.Helper()
	if c == compression.None {
		return static.NewLayer(archive, types.OCIUncompressedLayer)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil },
		tarball.WithCompression(c))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// build makes an image for an architecture.
func build(t testing.TB, arch string, config v1.Config, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Config = "linux", arch, config
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

// simple makes an image with a layer for each text, and what says which it is.
func simple(t testing.TB, arch string, texts ...string) v1.Image {
	t.Helper()
	var layers []v1.Layer
	for i, text := range texts {
		layers = append(layers, layerOf(t, pack(t, file{name: fmt.Sprintf("f%d", i), data: text}), compression.GZip))
	}
	return build(t, arch, v1.Config{Cmd: []string{"/" + arch}}, layers...)
}

// noise is data that does not compress.
func noise(seed int64, n int) string {
	b := make([]byte, n)
	rand.New(rand.NewSource(seed)).Read(b)
	return string(b)
}

func digestOf(t testing.TB, what interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	d, err := what.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// open opens a library that does not wait long.
func open(t testing.TB, c Config) *Library {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Pause == 0 {
		c.Pause = time.Millisecond
	}
	if c.Free == nil { // the machine's own disk may be full, which makes libraries collect
		c.Free = func(string) (free, total uint64, err error) { return 90 << 40, 100 << 40, nil }
	}
	c.Log = slog.New(slog.DiscardHandler)
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustPull(t testing.TB, l *Library, task, ref string) Image {
	t.Helper()
	i, err := l.Pull(t.Context(), Request{Task: task, Ref: ref})
	if err != nil {
		t.Fatal(err)
	}
	return i
}
