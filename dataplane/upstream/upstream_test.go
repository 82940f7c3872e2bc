package upstream_test

import (
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"neargate/dataplane/upstream"
	"neargate/internal/registries"
	"neargate/resource/image"
)

func TestMirror(t *testing.T) {
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := random.Image(5000, 2)
	ok(err)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/library/app:1")
	ok(err)
	ok(remote.Write(ref, made))
	conf := filepath.Join(t.TempDir(), "registries.json")
	ok(os.WriteFile(conf, []byte(`{"registries":{"public.ecr.aws":{"mirrors":["`+server.URL+`"],"only":true}}}`), 0o600))
	mirrors, err := registries.Read(conf)
	ok(err)
	u := upstream.New(mirrors)

	text, kind, err := u.Manifest(t.Context(), "public.ecr.aws", "library/app", "1")
	ok(err)
	raw, err := made.RawManifest()
	ok(err)
	if string(text) != string(raw) || kind != image.DockerManifest {
		t.Errorf("%s: %s", kind, text)
	}
	if again, _, err := u.Manifest(t.Context(), "public.ecr.aws", "library/app", image.DigestOf(raw)); err != nil || string(again) != string(raw) {
		t.Errorf("by digest: %v", err)
	}
	layers, err := made.Layers()
	ok(err)
	digest, err := layers[0].Digest()
	ok(err)
	body, err := u.Blob(t.Context(), "public.ecr.aws", "library/app", digest.String())
	ok(err)
	blob, err := io.ReadAll(body)
	ok(err)
	body.Close()
	if image.DigestOf(blob) != digest.String() {
		t.Errorf("blob of %d bytes is another", len(blob))
	}
	if _, _, err := u.Manifest(t.Context(), "public.ecr.aws", "library/none", "1"); !errors.Is(err, image.ErrNoBlob) {
		t.Errorf("no image: %v", err)
	}
	if _, err := u.Blob(t.Context(), "public.ecr.aws", "library/app", image.DigestOf(nil)); err == nil {
		t.Errorf("no blob: %v", err)
	}
	server.Close()
	if _, _, err := u.Manifest(t.Context(), "public.ecr.aws", "library/app", "1"); err == nil || errors.Is(err, image.ErrNoBlob) {
		t.Errorf("unreachable: %v", err)
	}
}
