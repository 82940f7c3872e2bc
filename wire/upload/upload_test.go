package upload

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"neargate/wire/sigv4"
)

var with = sigv4.Credentials{AccessKeyID: "AKIAEXAMPLE", Secret: "s"}

type keys struct{}

// Key implements sigv4.Keys.
func (keys) Key(_ context.Context, id, _ string) (sigv4.Key, error) {
	if id != with.AccessKeyID {
		return sigv4.Key{}, sigv4.ErrUnknownKey
	}
	return sigv4.Key{Secret: with.Secret}, nil
}

// bucket is a bucket in eu-west-1 that keeps what it is told.
type bucket struct {
	t       *testing.T
	now     func() time.Time
	objects map[string]string
	parts   map[string]string
	calls   []string
	refuse  string // method and query that are refused
}

// ServeHTTP implements http.Handler.
func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	claim, err := sigv4.Parse(r)
	if err == nil {
		_, err = sigv4.NewVerifier(keys{}, b.now).Verify(r.Context(), r, claim, body)
	}
	if err != nil {
		b.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	b.calls = append(b.calls, r.Method+" "+r.URL.RawQuery)
	switch {
	case name != "here":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead:
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		w.WriteHeader(http.StatusMovedPermanently)
	case claim.Region != "eu-west-1":
		b.t.Errorf("asked in %s", claim.Region)
	case b.refuse != "" && b.refuse == r.Method+" "+r.URL.RawQuery:
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
	case r.Method == http.MethodPut && q.Has("partNumber"):
		b.parts[q.Get("partNumber")] = string(body)
		w.Header().Set("ETag", `"e`+q.Get("partNumber")+`"`)
	case r.Method == http.MethodPut:
		b.objects[key] = r.Header.Get("Content-Type") + ":" + string(body)
	case r.Method == http.MethodDelete:
		clear(b.parts)
	case q.Has("uploads"):
		io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>`)
	default:
		var done struct{ Part []sent }
		if err := xml.Unmarshal(body, &done); err != nil {
			b.t.Error(err)
		}
		whole := ""
		for i, p := range done.Part {
			if p.PartNumber != i+1 || p.ETag != fmt.Sprintf(`"e%d"`, i+1) {
				b.t.Errorf("%+v", p)
			}
			whole += b.parts[fmt.Sprint(p.PartNumber)]
		}
		b.objects[key] = whole
	}
}

func open(t *testing.T) (*bucket, Bucket) {
	now := func() time.Time { return time.Unix(1_790_000_000, 0) }
	b := &bucket{t: t, now: now, objects: map[string]string{}, parts: map[string]string{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, Bucket{HTTP: http.DefaultTransport, Endpoint: server.URL, Name: "here", Region: "us-east-1", With: with, Now: now}
}

func TestPut(t *testing.T) {
	for _, size := range []int{0, 1, PartSize - 1, PartSize, PartSize + 1, 2 * PartSize} {
		b, to := open(t)
		body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		if err := to.Put(t.Context(), "a b/ü+.csv", "text/csv", bytes.NewReader(body)); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		want := string(body)
		if size < PartSize {
			want = "text/csv:" + want
		}
		if b.objects["a b/ü+.csv"] != want {
			t.Errorf("%d bytes: there are %d, by %v", size, len(b.objects["a b/ü+.csv"]), b.calls)
		}
	}
}

// broken fails after some bytes.
type broken struct{ left int }

var errBroken = errors.New("broken")

// Read implements io.Reader.
func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errBroken
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

// TestFailures wants no object and no parts to be left.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name, refuse string
		body         io.Reader
		says         string
	}{
		{"source, at once", "", &broken{}, "broken"},
		{"source, later", "", &broken{PartSize + 5}, "broken"},
		{"refused", "PUT ", strings.NewReader("x"), "AccessDenied: no"},
		{"first part", "PUT partNumber=1&uploadId=u-1", bytes.NewReader(make([]byte, PartSize+1)), "AccessDenied: no"},
		{"the end", "POST uploadId=u-1", bytes.NewReader(make([]byte, PartSize+1)), "AccessDenied: no"},
	} {
		b, to := open(t)
		b.refuse = c.refuse
		err := to.Put(t.Context(), "k", "text/csv", c.body)
		if err == nil || !strings.Contains(err.Error(), c.says) || len(b.objects) != 0 || len(b.parts) != 0 {
			t.Errorf("%s: %v; left %d objects, %d parts", c.name, err, len(b.objects), len(b.parts))
		}
	}
	_, to := open(t)
	to.Name = "elsewhere"
	if err := to.Put(t.Context(), "k", "text/csv", strings.NewReader("x")); err == nil || err.Error() != "there is no bucket elsewhere" {
		t.Error(err)
	}
}
