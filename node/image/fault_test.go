package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// faultFunc is a way to misbehave.
type faultFunc = func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool

// slowly serves blobs in pieces with pauses between them.
func slowly(pieces int, pause time.Duration) faultFunc {
	return func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		if r.Method != http.MethodGet || kind(r) != "blobs" {
			return false
		}
		serve(&slow{w, pieces, pause})
		return true
	}
}

type slow struct {
	http.ResponseWriter
	pieces int
	pause  time.Duration
}

func (s *slow) Write(b []byte) (n int, err error) {
	step := max(len(b)/s.pieces, 4<<10)
	for len(b) > 0 {
		k, err := s.ResponseWriter.Write(b[:min(step, len(b))])
		n += k
		if err != nil {
			return n, err
		}
		b = b[k:]
		s.ResponseWriter.(http.Flusher).Flush()
		time.Sleep(s.pause)
	}
	return n, nil
}

// cut ends a connection after n bytes of an answer.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	if len(b) > c.left {
		c.ResponseWriter.Write(b[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(b)
	return c.ResponseWriter.Write(b)
}

// wrong changes the first byte of an answer.
type wrong struct{ http.ResponseWriter }

func (w wrong) Write(b []byte) (int, error) {
	c := append([]byte{b[0] ^ 1}, b[1:]...)
	return w.ResponseWriter.Write(c)
}

// blobs misbehaves for one blob.
func blobs(digest string, then faultFunc) faultFunc {
	return func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/blobs/"+digest) && then(w, r, serve)
	}
}

func topLayer(t *testing.T, img v1.Image) string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return digestOf(t, layers[len(layers)-1])
}

// times misbehaves some times.
func times(n int32, then faultFunc) faultFunc {
	var done atomic.Int32
	return func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		return done.Add(1) <= n && then(w, r, serve)
	}
}

func status(code int, body string, headers ...string) faultFunc {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, body)
		return true
	}
}

func manifests(then faultFunc) faultFunc {
	return func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
		return kind(r) == "manifests" && then(w, r, serve)
	}
}

// TestFaults pulls from registries with something wrong. Each pull begins with an
// empty library.
func TestFaults(t *testing.T) {
	h := newHub(t)
	img := simple(t, "amd64", "base", noise(1, 64<<10))
	ref := h.push(t, "app:1", img)
	top := topLayer(t, img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	diff, err := layers[1].DiffID()
	if err != nil {
		t.Fatal(err)
	}
	_ = diff
	size, err := layers[1].Size()
	if err != nil {
		t.Fatal(err)
	}
	cutAt := func(n int) faultFunc {
		return func(w http.ResponseWriter, _ *http.Request, serve func(http.ResponseWriter)) bool {
			serve(&cut{w, n})
			return true
		}
	}
	spoil := func(w http.ResponseWriter, _ *http.Request, serve func(http.ResponseWriter)) bool {
		serve(wrong{w})
		return true
	}
	manifestURL := "http://" + h.host + "/v2/app/manifests/1"
	blobURL := "http://" + h.host + "/v2/app/blobs/" + top
	tests := []struct {
		name  string
		ref   string
		fault faultFunc
		want  string // the error; empty: none
	}{
		{"no such image", h.host + "/nosuch:1", nil,
			"pull image manifest has been retried 1 time(s): failed to resolve ref " + h.host + "/nosuch:1: " + h.host + "/nosuch:1: not found"},
		{"no such tag", h.host + "/app:2", nil,
			"pull image manifest has been retried 1 time(s): failed to resolve ref " + h.host + "/app:2: " + h.host + "/app:2: not found"},
		{"manifest refused once", ref, manifests(times(1, status(500, ""))), ""},
		{"manifest fails", ref, manifests(status(502, "")),
			"pull image manifest has been retried 5 time(s): failed to resolve ref " + ref + ": unexpected status from HEAD request to " + manifestURL + ": 502 Bad Gateway"},
		{"denied", ref, manifests(status(403, `{"errors":[{"code":"DENIED","message":"you may not"}]}`)),
			"pull image manifest has been retried 1 time(s): failed to resolve ref " + ref + ": unexpected status from HEAD request to " + manifestURL + ": 403 Forbidden - Server message: denied: you may not"},
		{"too many", ref, manifests(status(429, "", "Retry-After", "0")),
			"pull image manifest has been retried 5 time(s): failed to resolve ref " + ref + ": unexpected status from HEAD request to " + manifestURL + ": 429 Too Many Requests"},
		{"too many for a moment", ref, manifests(times(3, status(429, "", "Retry-After", "0"))), ""},
		{"unauthorized", ref, manifests(status(401, "")),
			"pull image manifest has been retried 1 time(s): failed to resolve ref " + ref + ": unexpected status from HEAD request to " + manifestURL + ": 401 Unauthorized"},
		{"layer gone", ref, blobs(top, status(404, "")),
			"ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: could not fetch content descriptor " + top + " (application/vnd.docker.image.rootfs.diff.tar.gzip) from remote: not found"},
		{"layer denied", ref, blobs(top, status(403, `{"errors":[{"code":"DENIED","message":"quota"}]}`)),
			"ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code " + blobURL + ": 403 Forbidden - Server message: denied: quota"},
		{"layer fails", ref, blobs(top, status(503, "")),
			"ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code " + blobURL + ": 503 Service Unavailable"},
		{"layer fails twice", ref, blobs(top, times(2, status(500, ""))), ""},
		{"cut once", ref, blobs(top, times(1, cutAt(40000))), ""},
		{"cut often", ref, blobs(top, times(15, cutAt(6000))), ""},
		{"cut at once", ref, blobs(top, cutAt(0)), "ref pull has been retried 5 time(s): short read: expected "},
		{"spoilt once", ref, blobs(top, times(1, spoil)), ""},
		{"spoilt", ref, blobs(top, spoil), "ref pull has been retried 5 time(s): failed commit on ref \"layer-" + top + "\": unexpected commit digest "},
		{"spoilt manifest", ref, manifests(func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
			return r.Method == http.MethodGet && spoil(w, r, serve)
		}), "pull image manifest has been retried 5 time(s): failed commit on ref \"manifest-" + digestOf(t, img) + "\": unexpected commit digest "},
		{"too long", ref, blobs(top, func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) bool {
			fmt.Fprint(w, strings.Repeat("x", int(size)+5))
			return true
		}), "ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: read past expected size"},
		{"ranges ignored", ref, blobs(top, func(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) bool {
			r.Header.Del("Range")
			serve(&cut{w, 40000 + int(r.ContentLength)})
			return true
		}), "ref pull has been retried 5 time(s): "},
	}
	for _, tt := range tests {
		h.misbehave(tt.fault)
		h.seen()
		l := open(t, Config{})
		_, err := l.Pull(t.Context(), Request{Task: "t", Ref: tt.ref})
		h.misbehave(nil)
		e, ok := errors.AsType[*Error](err)
		switch {
		case tt.want == "" && err == nil:
		case !ok || !strings.HasPrefix(e.Error(), tt.want) || tt.want == "":
			t.Errorf("%s:\n got %v\nwant %s", tt.name, err, tt.want)
		case strings.Contains(e.Error(), l.dir):
			t.Errorf("%s: tells of the host: %v", tt.name, err)
		}
		// What failed left nothing wrong behind.
		if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref}); err != nil {
			t.Errorf("%s: afterwards: %v", tt.name, err)
		}
	}
}

// TestToken pulls from a registry that wants tokens, with and without the right
// password.
func TestToken(t *testing.T) {
	h := newHub(t)
	ref := h.push(t, "private:1", simple(t, "amd64", "a"))
	var tokens atomic.Int32
	h.misbehave(func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) bool {
		if r.URL.Path == "/token" {
			user, password, _ := r.BasicAuth()
			if r.Method == http.MethodPost {
				user, password = r.PostFormValue("username"), r.PostFormValue("password")
			}
			if user != "me" || password != "secret" {
				return status(401, "")(w, r, nil)
			}
			tokens.Add(1)
			return status(200, `{"token":"T","access_token":"T","expires_in":300}`)(w, r, nil)
		}
		if r.Header.Get("Authorization") == "Bearer T" {
			return false
		}
		return status(401, "", "WWW-Authenticate", `Bearer realm="http://`+h.host+`/token",service="hub"`)(w, r, nil)
	})
	l := open(t, Config{})
	login := func(password string, fail error) func(string) (string, string, error) {
		return func(host string) (string, string, error) {
			if host != h.host {
				t.Errorf("asked for credentials of %s", host)
			}
			return "me", password, fail
		}
	}
	tests := []struct {
		name, want  string
		credentials func(string) (string, string, error)
	}{
		{"anonymous", "pull image manifest has been retried 1 time(s): failed to resolve ref " + ref + ": ", nil},
		{"wrong", "pull image manifest has been retried 1 time(s): failed to resolve ref " + ref + ": ", login("guess", nil)},
		{"no secret", "pull image manifest has been retried 1 time(s): failed to resolve ref " + ref + ": the secret is gone", login("", errors.New("the secret is gone"))},
		{"right", "", login("secret", nil)},
	}
	for _, tt := range tests {
		_, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref, Credentials: tt.credentials})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: %v; want %s", tt.name, err, tt.want)
		} else {
			t.Logf("%s: %v", tt.name, err)
		}
	}
	if tokens.Load() == 0 {
		t.Error("no token was asked for")
	}
	// Being here does not make an image anybody's.
	if _, err := l.Pull(t.Context(), Request{Task: "t2", Ref: ref}); err == nil {
		t.Error("an image was pulled without credentials, from disk")
	}
}

// TestStall pulls from a registry that falls silent, and from nowhere.
func TestStall(t *testing.T) {
	h := newHub(t)
	img := simple(t, "amd64", "base", noise(1, 64<<10))
	ref := h.push(t, "app:1", img)
	l := open(t, Config{})
	l.idleTimeout, l.dialTimeout = 500*time.Millisecond, 200*time.Millisecond
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	h.misbehave(blobs(topLayer(t, img), times(1, func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) bool {
		w.Header().Set("Content-Length", "65000")
		w.Write(make([]byte, 1000))
		w.(http.Flusher).Flush()
		<-release
		return true
	})))
	// The thousand bytes were wrong, which shows at the end.
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: ref}); err != nil {
		t.Error(err)
	}
	never := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	_, err := l.Pull(t.Context(), Request{Task: "t", Ref: "registry.example/app:1", Dial: never})
	checkError(t, "nobody answers", err, `pull image manifest has been retried 5 time(s): failed to resolve ref registry.example/app:1: failed to do request: Head "https://registry.example/v2/app/manifests/1": dial tcp registry.example:443: i/o timeout`)

	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("the task was stopped")
	dialed := make(chan struct{}, 100)
	done := make(chan error)
	go func() {
		_, err := l.Pull(ctx, Request{Task: "t", Ref: "registry.example/app:1", Dial: func(ctx context.Context, n, a string) (net.Conn, error) {
			dialed <- struct{}{}
			return never(ctx, n, a)
		}})
		done <- err
	}()
	<-dialed
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) {
		t.Errorf("a stopped pull ended with %v", err)
	}
}

// TestDial checks that registries are dialed from the task, and mirrors are not.
func TestDial(t *testing.T) {
	h := newHub(t)
	h.push(t, "app:1", simple(t, "amd64", "a"))
	var addrs []string
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		addrs = append(addrs, addr)
		return (&net.Dialer{}).DialContext(ctx, network, h.host)
	}
	l := open(t, Config{Registries: registriesOf(t, `{"registries":{
		"registry.example":{"insecure":true},
		"mirrored.example":{"mirrors":["`+h.URL+`"],"only":true}}}`)})
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: "mirrored.example/app:1", Dial: dial}); err != nil || len(addrs) > 0 {
		t.Errorf("%v, dialed %v", err, addrs)
	}
	if _, err := l.Pull(t.Context(), Request{Task: "t", Ref: "registry.example/app:1", Dial: dial}); err != nil {
		t.Error(err)
	}
	if len(addrs) == 0 || !strings.HasPrefix(addrs[0], "registry.example:") {
		t.Errorf("dialed %v", addrs)
	}
}

// to dials an address whatever is asked for.
func to(host string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, host)
	}
}
