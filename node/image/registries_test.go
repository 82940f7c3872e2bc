package image

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neargate/internal/registries"
)

func registriesOf(t *testing.T, text string) registries.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registries.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := registries.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMirrors pulls names whose registries do not exist.
func TestMirrors(t *testing.T) {
	h, other := newHub(t), newHub(t)
	h.push(t, "docker/library/httpd:latest", simple(t, "amd64", "httpd"))
	h.push(t, "cache/library/alpine:3", simple(t, "amd64", "alpine"))
	other.push(t, "second:1", simple(t, "amd64", "second"))
	l := open(t, Config{Registries: registriesOf(t, `{"registries":{
		"public.ecr.aws":{"mirrors":["`+h.URL+`"],"only":true},
		"docker.io":{"mirrors":["`+h.URL+`/cache/"],"only":true},
		"two.example":{"mirrors":["`+h.URL+`","`+other.URL+`"],"only":true},
		"`+other.host+`":{"mirrors":["`+h.URL+`"]}}}`)})
	for ref, want := range map[string]string{
		"public.ecr.aws/docker/library/httpd:latest": "httpd",
		"alpine:3":               "alpine",
		"two.example/second:1":   "second",
		other.host + "/second:1": "second", // the registry itself, after the mirror
	} {
		i, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if got := read(t, filepath.Join(i.Layers[0], "f0")); got != want {
			t.Errorf("%s has %q", ref, got)
		}
	}
	_, err := l.Pull(t.Context(), Request{Task: "t", Ref: "nosuch"})
	checkError(t, "absent from the only mirror", err,
		"pull image manifest has been retried 1 time(s): failed to resolve ref docker.io/library/nosuch:latest: docker.io/library/nosuch:latest: not found")
	if !slices.Contains(other.seen(), "GET blobs") {
		t.Error("the second mirror was not used")
	}
}

// TestTLS pulls from registries with certificates of their own.
func TestTLS(t *testing.T) {
	h := newHub(t)
	h.push(t, "app:1", simple(t, "amd64", "a"))
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Config.Handler.ServeHTTP(w, r) }))
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	t.Cleanup(secure.Close)
	host := strings.TrimPrefix(secure.URL, "https://")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server's name is in its certificate, but it is not on loopback by name.
	for _, tt := range []struct{ name, conf, want string }{
		{"ca", `"example.com":{"mirrors":["https://` + host + `"],"only":true},"` + host + `":{"ca":"` + ca + `"}`, ""},
		{"loopback", `"example.com":{"mirrors":["https://` + host + `"],"only":true}`, ""},
	} {
		l := open(t, Config{Registries: registriesOf(t, `{"registries":{`+tt.conf+`}}`)})
		if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: "example.com/app:1"}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, tt := range []struct {
		name, conf string
		ok         bool
	}{
		{"unknown", `{}`, false},
		{"insecure", `{"registries":{"example.com":{"insecure":true}}}`, true},
		{"ca", `{"registries":{"example.com":{"ca":"` + ca + `"}}}`, true},
	} {
		l := open(t, Config{Registries: registriesOf(t, tt.conf)})
		_, err := l.Pull(t.Context(), Request{Task: "t", Ref: "example.com/app:1", Dial: to(host)})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !tt.ok && !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
