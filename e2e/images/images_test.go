package images

import (
	"archive/tar"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// pulled is an image as a client gets it from the library's registry, complete
// and verified.
func pulled(t *testing.T, server *httptest.Server, ref string, platform *v1.Platform) v1.Image {
	t.Helper()
	r, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/" + ref)
	ok(t, err)
	options := []remote.Option{remote.WithContext(t.Context())}
	if platform != nil {
		options = append(options, remote.WithPlatform(*platform))
	}
	image, err := remote.Image(r, options...)
	ok(t, err)
	ok(t, validate.Image(image))
	return image
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files are the names in an image's root file system.
func files(t *testing.T, image v1.Image) map[string]*tar.Header {
	t.Helper()
	r := mutate.Extract(image)
	defer r.Close()
	all := map[string]*tar.Header{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return all
		}
		ok(t, err)
		all[strings.TrimSuffix(h.Name, "/")] = h
	}
}

// The tutorial's image has what its task definition uses.
func TestHttpd(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads packages")
	}
	dir, err := DefaultDir()
	ok(t, err)
	library, err := Open(dir)
	ok(t, err)
	ok(t, library.EnsureNamed("httpd", "busybox"))
	server := httptest.NewServer(library)
	defer server.Close()
	for _, ref := range Httpd().Names {
		image := pulled(t, server, ref, nil)
		have := files(t, image)
		for _, want := range []string{"usr/bin/sh", "usr/bin/ls", "usr/local/apache2/htdocs/index.html", "usr/local/bin/httpd-foreground", "usr/sbin/apache2", "etc/passwd", "usr/lib/apache2/modules/mod_mpm_event.so", "bin"} {
			if have[want] == nil {
				t.Errorf("%s lacks %s", ref, want)
			}
		}
		c, err := image.ConfigFile()
		ok(t, err)
		if c.Config.StopSignal != "SIGWINCH" || c.Config.WorkingDir != "/usr/local/apache2" || len(c.Config.Cmd) != 1 {
			t.Errorf("%+v", c.Config)
		}
	}
	if files(t, pulled(t, server, "docker/library/busybox:latest", nil))["usr/bin/wget"] == nil {
		t.Error("busybox lacks wget")
	}
}

// An index gives each platform its own program; upper layers change lower ones.
func TestGuest(t *testing.T) {
	library, err := Open(t.TempDir())
	ok(t, err)
	ok(t, library.EnsureNamed("guest"))
	server := httptest.NewServer(library)
	defer server.Close()
	var digests []string
	for _, arch := range []string{"amd64", "arm64"} {
		image := pulled(t, server, "neargate/guest:latest", &v1.Platform{OS: "linux", Architecture: arch})
		c, err := image.ConfigFile()
		ok(t, err)
		if c.Architecture != arch || len(c.RootFS.DiffIDs) != 3 {
			t.Errorf("%+v", c)
		}
		have := files(t, image)
		if have["etc/removed"] != nil || have["guest"].Mode != 0o755 || have["home/app"].Uid != 1000 {
			t.Errorf("%v", have)
		}
		d, err := image.Digest()
		ok(t, err)
		digests = append(digests, d.String())
	}
	if digests[0] == digests[1] {
		t.Error("both platforms have the same image")
	}
	pulled(t, server, "neargate/guest@"+digests[0], nil)

	// Nothing is made twice, and what has changed is made anew.
	before, err := os.ReadFile(library.dir + "/index.json")
	ok(t, err)
	ok(t, library.EnsureNamed("guest"))
	if after, err := os.ReadFile(library.dir + "/index.json"); err != nil || string(after) != string(before) {
		t.Errorf("made again: %v\n%s", err, after)
	}
	made := 0
	r := Recipe{Names: []string{"neargate/guest:command"}, From: "another", Make: func() (mutate.Appendable, error) {
		made++
		return assemble("amd64", v1.Config{}, newTree())
	}}
	ok(t, library.Ensure(r, r))
	all, err := library.recipes()
	ok(t, err)
	if made != 1 || all["neargate/guest:command"] != "another" {
		t.Errorf("made %d times: %v", made, all)
	}
}

func TestRegistryRefuses(t *testing.T) {
	library, err := Open(t.TempDir())
	ok(t, err)
	ok(t, library.Ensure(Recipe{Names: []string{"a/b:c"}, From: "x", Make: func() (mutate.Appendable, error) { return assemble("amd64", v1.Config{}, newTree()) }}))
	server := httptest.NewServer(library)
	defer server.Close()
	absent := "sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/v2/", 200, ""},
		{"GET", "/v2/a/b/manifests/c", 200, ""},
		{"GET", "/v2/a/b/manifests/d", 404, "MANIFEST_UNKNOWN"},
		{"GET", "/v2/a/b/manifests/" + absent, 404, "MANIFEST_UNKNOWN"},
		{"GET", "/v2/a/b/blobs/" + absent, 404, "BLOB_UNKNOWN"},
		{"GET", "/v2/a/b/blobs/none", 400, "DIGEST_INVALID"},
		{"GET", "/v2/a/b/blobs/sha256:../../index.json", 404, "NAME_INVALID"},
		{"GET", "/v2/a/manifests/c", 404, "NAME_UNKNOWN"},
		{"GET", "/v2/../etc/passwd", 404, ""},
		{"PUT", "/v2/a/b/manifests/c", 405, "UNSUPPORTED"},
	} {
		r, err := http.NewRequest(c.method, server.URL+c.path, nil)
		ok(t, err)
		resp, err := http.DefaultClient.Do(r)
		ok(t, err)
		body, err := io.ReadAll(resp.Body)
		ok(t, err)
		resp.Body.Close()
		var said struct{ Errors []struct{ Code string } }
		if c.code != "" && (json.Unmarshal(body, &said) != nil || len(said.Errors) != 1 || said.Errors[0].Code != c.code) || resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, body)
		}
	}
}
