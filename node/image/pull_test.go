package image

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func platform(os, arch, variant string) *v1.Platform {
	return &v1.Platform{OS: os, Architecture: arch, Variant: variant}
}

func index(entries ...mutate.IndexAddendum) v1.ImageIndex {
	return mutate.AppendManifests(empty.Index, entries...)
}

func entry(what mutate.Appendable, p *v1.Platform) mutate.IndexAddendum {
	return mutate.IndexAddendum{Add: what, Descriptor: v1.Descriptor{Platform: p}}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPull(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	amd, arm := simple(t, "amd64", "base", "amd"), simple(t, "arm64", "base", "arm")
	both := index(entry(amd, platform("linux", "amd64", "")), entry(arm, platform("linux", "arm64", "v8")))
	ref := h.push(t, "app:1", both)

	i := mustPull(t, l, "t1", ref)
	if i.Ref != ref || i.Digest != digestOf(t, both) || i.Manifest != digestOf(t, amd) {
		t.Errorf("got %+v", i)
	}
	if !slices.Equal(i.Config.Cmd, []string{"/amd64"}) || i.Size == 0 || len(i.Layers) != 2 {
		t.Errorf("got %+v", i)
	}
	if got := read(t, filepath.Join(i.Layers[0], "f1")); got != "amd" {
		t.Errorf("the uppermost layer has %q", got)
	}
	if got := count(h.seen(), "GET blobs"); got != 3 {
		t.Errorf("%d blobs were fetched, not the configuration and two layers", got)
	}

	// The second task asks what the tag means now, and nothing else.
	if again := mustPull(t, l, "t2", ref); !reflect.DeepEqual(again, i) {
		t.Errorf("got %+v, then %+v", i, again)
	}
	if got := h.seen(); !slices.Equal(got, []string{"HEAD manifests"}) {
		t.Errorf("an image that is here took %q", got)
	}

	// The other platform shares the lower layer on disk, and its download.
	other, err := l.Pull(t.Context(), Request{Task: "t3", Ref: ref, Arch: "ARM64"})
	if err != nil {
		t.Fatal(err)
	}
	if other.Manifest != digestOf(t, arm) || other.Digest != i.Digest || other.Layers[1] != i.Layers[1] || other.Layers[0] == i.Layers[0] {
		t.Errorf("got %+v beside %+v", other, i)
	}
	if got := count(h.seen(), "GET blobs"); got != 2 {
		t.Errorf("%d blobs were fetched, not a configuration and a layer", got)
	}

	// A digest, of the index or of a manifest in it.
	for _, img := range []interface{ Digest() (v1.Hash, error) }{both, amd} {
		d := digestOf(t, img)
		got := mustPull(t, l, "t4", h.host+"/app@"+d)
		if got.Digest != d || got.Manifest != i.Manifest {
			t.Errorf("by %s: %+v", d, got)
		}
	}

	// A tag moves.
	next := simple(t, "amd64", "base", "next")
	h.push(t, "app:1", next)
	moved := mustPull(t, l, "t1", ref)
	if moved.Digest != digestOf(t, next) || read(t, filepath.Join(moved.Layers[0], "f1")) != "next" {
		t.Errorf("got %+v", moved)
	}
	if got, ok, err := l.Find("t1", ref); !ok || err != nil || !reflect.DeepEqual(got, moved) {
		t.Errorf("found %+v %v %v", got, ok, err)
	}
	if got, ok, err := l.Find("t2", ref); !ok || err != nil || !reflect.DeepEqual(got, i) {
		t.Errorf("found %+v %v %v", got, ok, err)
	}
}

// TestPlatforms pulls what may or may not be for linux on an architecture.
func TestPlatforms(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	amd, arm := simple(t, "amd64", "amd"), simple(t, "arm64", "arm")
	attest := index(entry(amd, platform("unknown", "unknown", "")), entry(arm, platform("linux", "arm64", "")))
	tests := []struct {
		name, arch string
		what       interface {
			Digest() (v1.Hash, error)
			MediaType() (types.MediaType, error)
			RawManifest() ([]byte, error)
		}
		want string // the manifest; empty: there is none
	}{
		{"single", "X86_64", amd, digestOf(t, amd)},
		{"default", "", amd, digestOf(t, amd)},
		{"singleother", "X86_64", arm, ""},
		{"docker", "x86_64", asDocker(t, amd), digestOf(t, asDocker(t, amd))},
		{"oci", "x86_64", mutate.MediaType(amd, types.OCIManifestSchema1), digestOf(t, mutate.MediaType(amd, types.OCIManifestSchema1))},
		{"variant", "ARM64", index(entry(amd, platform("linux", "arm64", "v9")), entry(arm, platform("linux", "arm64", "v8"))), digestOf(t, arm)},
		{"windows", "X86_64", index(entry(amd, platform("windows", "amd64", ""))), ""},
		{"unknown", "X86_64", attest, ""},
		{"unsaid", "X86_64", index(entry(arm, nil), entry(amd, nil)), digestOf(t, amd)},
		{"unsaidother", "X86_64", index(entry(arm, nil)), ""},
		{"nested", "X86_64", index(entry(index(entry(arm, platform("linux", "arm64", ""))), nil), entry(index(entry(amd, platform("linux", "amd64", ""))), nil)), digestOf(t, amd)},
		{"empty", "X86_64", index(), ""},
	}
	for _, tt := range tests {
		ref := h.push(t, tt.name+":latest", tt.what)
		i, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref, Arch: tt.arch})
		if tt.want == "" {
			want := "pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'"
			checkError(t, tt.name, err, want)
			continue
		}
		if err != nil || i.Manifest != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, i.Manifest, err, tt.want)
		}
	}
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: h.host + "/single", Arch: "MIPS"}); err == nil {
		t.Error("an unknown architecture was pulled")
	}
}

// asDocker makes an image one of Docker's media types.
func asDocker(t *testing.T, img v1.Image) v1.Image {
	t.Helper()
	return mutate.ConfigMediaType(mutate.MediaType(img, types.DockerManifestSchema2), types.DockerConfigJSON)
}

// checkError checks that an error is one that ECS shows with a text.
func checkError(t *testing.T, name string, err error, want string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.ECSName() != "CannotPullContainerError" || e.Error() != want {
		t.Errorf("%s:\n got %v\nwant %s", name, err, want)
	}
}

func TestNames(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for in, want := range map[string]string{
		"httpd":                             "docker.io/library/httpd:latest",
		"httpd:2.4":                         "docker.io/library/httpd:2.4",
		"me/app":                            "docker.io/me/app:latest",
		"index.docker.io/me/app":            "docker.io/me/app:latest",
		"localhost/app":                     "localhost/app:latest",
		"127.0.0.1:5000/app:1":              "127.0.0.1:5000/app:1",
		"httpd@" + digest:                   "docker.io/library/httpd@" + digest,
		"public.ecr.aws/a/b:1@" + digest:    "public.ecr.aws/a/b@" + digest,
		"Httpd":                             "",
		"":                                  "",
		"a b":                               "",
		"httpd@sha256:12":                   "",
		"httpd:" + strings.Repeat("t", 200): "",
	} {
		got, err := parse(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	l := open(t, Config{})
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: "Httpd"}); err == nil {
		t.Error("an invalid reference was pulled")
	} else if got := err.Error(); got != "invalid reference format: repository name (library/Httpd) must be lowercase" {
		t.Error(got)
	}
	for _, task := range []string{"", "..", "a/b", ".x", "x.tmp", strings.Repeat("x", 200)} {
		if _, err := l.Pull(t.Context(), Request{Task: task, Ref: "httpd"}); err == nil {
			t.Errorf("task %q pulled", task)
		}
	}
}

// TestPins checks what tasks keep, across restarts.
func TestPins(t *testing.T) {
	h := newHub(t)
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	a, b := h.push(t, "aa:1", simple(t, "amd64", "a")), h.push(t, "bb:1", simple(t, "amd64", "b"))
	want := map[[2]string]Image{}
	for _, p := range [][2]string{{"t1", a}, {"t1", b}, {"t2", a}, {"t3", b}} {
		want[p] = mustPull(t, l, p[0], p[1])
	}
	check := func() {
		t.Helper()
		for _, task := range []string{"t1", "t2", "t3", "t4"} {
			for _, ref := range []string{a, b} {
				got, ok, err := l.Find(task, ref)
				w, wok := want[[2]string{task, ref}]
				if err != nil || ok != wok || !reflect.DeepEqual(got, w) {
					t.Errorf("%s, %s: got %+v %v %v; want %+v", task, ref, got, ok, err, w)
				}
			}
		}
	}
	check()
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Fatal("a library was opened twice")
	}
	if _, err := Open(Config{Dir: t.TempDir() + "/a:b"}); err == nil {
		t.Fatal("a library was opened whose layers cannot be mounted")
	}
	reopen := func() {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, Config{Dir: dir})
	}
	reopen()
	check()
	if err := errors.Join(l.Release("t2"), l.Release("t2"), l.Release("nobody")); err != nil {
		t.Fatal(err)
	}
	delete(want, [2]string{"t2", a})
	check()
	if err := l.Retain([]string{"t3", "t9"}); err != nil {
		t.Fatal(err)
	}
	delete(want, [2]string{"t1", a})
	delete(want, [2]string{"t1", b})
	check()
	reopen()
	check()
	if _, _, err := l.Find("t3", "B A D"); err == nil {
		t.Error("an invalid reference was found")
	}

	// A pin file and a record that power failure emptied are forgotten, as are
	// images whose layers are gone.
	mustPull(t, l, "t1", a)
	for _, f := range []string{filepath.Join("pins", "t3"), filepath.Join("images", encoded(want[[2]string{"t3", b}].Manifest))} {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	delete(want, [2]string{"t3", b})
	reopen()
	i, ok, err := l.Find("t1", a)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	want[[2]string{"t1", a}] = i
	check()
	if err := os.RemoveAll(i.Layers[0]); err != nil {
		t.Fatal(err)
	}
	reopen()
	delete(want, [2]string{"t1", a})
	check()
	want[[2]string{"t1", a}] = mustPull(t, l, "t1", a)
	check()
}

// TestProgress checks that a pull tells how far it is and ends with all.
func TestProgress(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	img := simple(t, "amd64", noise(1, 300<<10), noise(2, 200<<10))
	ref := h.push(t, "big:1", img)
	var total int64
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		n, err := layer.Size()
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	h.misbehave(slowly(2, progressEvery/4))
	for _, atLeast := range []int{3, 1} {
		var told []Progress
		if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref, Progress: func(p Progress) { told = append(told, p) }}); err != nil {
			t.Fatal(err)
		}
		if len(told) < atLeast || told[len(told)-1] != (Progress{total, total}) {
			t.Errorf("told %v of %d", told, total)
		}
		if !slices.IsSortedFunc(told, func(a, b Progress) int { return int(a.Done - b.Done) }) {
			t.Errorf("went back: %v", told)
		}
	}
}

// TestRecord checks that records hold what they say, by their names.
func TestRecord(t *testing.T) {
	h := newHub(t)
	l := open(t, Config{})
	i := mustPull(t, l, "t", h.push(t, "aa:1", simple(t, "amd64", "a", "b")))
	var r record
	if err := json.Unmarshal([]byte(read(t, l.path("images", encoded(i.Manifest)))), &r); err != nil {
		t.Fatal(err)
	}
	for _, b := range slices.Concat(r.Blobs, r.Packed) {
		if info, err := os.Stat(l.path("blobs", b.Digest)); err != nil || info.Size() != b.Size {
			t.Errorf("%+v: %v %v", b, info, err)
		}
	}
	if len(r.Blobs) != 2 || len(r.Packed) != 2 {
		t.Errorf("%+v", r)
	}
	for _, dir := range []string{"", "layers", "blobs", "partial", "pins", "images", "unpack"} {
		if info, err := os.Stat(l.path(dir)); err != nil || info.Mode().Perm()&0o077 != 0 && dir == "" {
			t.Errorf("%s: %v %v", dir, info.Mode(), err)
		}
	}
}
