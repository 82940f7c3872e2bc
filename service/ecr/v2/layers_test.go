package v2_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/dataplane/objects"
	"neargate/resource/image"
	"neargate/service/s3"
	"neargate/wire/sigv4"
)

// noKeys knows nobody.
type noKeys struct{}

func (noKeys) Key(context.Context, string, string) (sigv4.Key, error) {
	return sigv4.Key{}, sigv4.ErrUnknownKey
}

// aws is the world by AWS's names: the registries and Amazon S3.
func (w *world) aws(asked *atomic.Int64) *http.Client {
	engine, err := objects.Open(objects.Config{Dir: w.t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: w.Images().Now, IDs: w.Images().IDs})
	w.must(err)
	w.t.Cleanup(func() { w.must(engine.Close()) })
	deps := w.Images().Deps
	buckets := s3.New(s3.Config{
		Deps: deps, Engine: engine, Keys: noKeys{}, Auth: auth.NewDirectory(deps.Store, deps.Now),
		Log: slog.New(slog.DiscardHandler), Layers: w.blobs.Open,
	})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !s3.Serves(r) {
			w.server.Config.Handler.ServeHTTP(rw, r)
			return
		}
		asked.Add(1)
		buckets.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}}
}

// TestLayersFromBuckets pulls by AWS's names: layers come from Amazon S3.
func TestLayersFromBuckets(t *testing.T) {
	w := newWorld(t)
	w.repository("app", "MUTABLE")
	pushed := w.image(1<<10, 3)
	w.must(w.push("app:v1", pushed))
	var asked atomic.Int64
	client := w.aws(&asked)

	ref, err := name.ParseReference(account+".dkr.ecr."+region+".amazonaws.com/app:v1", name.Insecure)
	w.must(err)
	i, err := remote.Image(ref, remote.WithAuth(w.login), remote.WithTransport(client.Transport))
	w.must(err)
	w.must(validate.Image(i))
	before := asked.Load()
	if before < 4 { // three layers and the configuration
		t.Errorf("Amazon S3 was asked %d times", before)
	}

	// By another name layers come from the registry itself.
	i, err = remote.Image(w.ref("app:v1"), remote.WithAuth(w.login))
	w.must(err)
	w.must(validate.Image(i))
	if n := asked.Load(); n != before {
		t.Errorf("Amazon S3 was asked %d times", n-before)
	}
}

// TestLayerURLs asks for what the bearer of a layer's URL may have, and may not.
func TestLayerURLs(t *testing.T) {
	w := newWorld(t)
	w.repository("app", "MUTABLE")
	pushed := w.image(1<<10, 1)
	w.must(w.push("app:v1", pushed))
	layers, err := pushed.Layers()
	w.must(err)
	digest, err := layers[0].Digest()
	w.must(err)
	compressed, err := layers[0].Compressed()
	w.must(err)
	content, err := io.ReadAll(compressed)
	w.must(err)
	var asked atomic.Int64
	client := w.aws(&asked)

	link := func(host string) string {
		c := auth.CallerFrom(w.ctx)
		c.Host = host
		out, err := w.GetDownloadUrlForLayer(auth.WithCaller(w.ctx, c), &api.GetDownloadUrlForLayerInput{RepositoryName: new("app"), LayerDigest: new(digest.String())})
		w.must(err)
		return *out.DownloadUrl
	}
	if u := link("localhost:4566"); !strings.HasPrefix(u, w.server.URL+"/v2/_layers/") {
		t.Errorf("by localhost: %s", u)
	}
	text := link("api.ecr." + region + ".amazonaws.com")
	if want := "http://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/" + account + "/" + digest.Hex + "?X-Amz-Algorithm="; !strings.HasPrefix(text, want) {
		t.Fatalf("%s does not begin with %s", text, want)
	}
	bare, _, _ := strings.Cut(text, "?")
	other := strings.Repeat("0", 64)
	signed := func(method, host, path, region string) string {
		u := &url.URL{Scheme: "http", Host: host, Path: path}
		sigv4.Signer{AccessKeyID: image.LayerAccessKey, Secret: image.LayerSecret([32]byte{1}), Region: region, Service: "s3"}.Presign(method, u, w.now, time.Hour)
		return u.String()
	}
	host := image.LayerBucket(region) + ".s3." + region + ".amazonaws.com"
	for _, c := range []struct {
		name, method, url, rang string
		after                   time.Duration
		status                  int
		want                    string
	}{
		{name: "layer", url: text, status: 200, want: string(content)},
		{name: "range", url: text, rang: "bytes=5-9", status: 206, want: string(content[5:10])},
		{name: "by path", url: signed("GET", "s3."+region+".amazonaws.com", "/"+image.LayerBucket(region)+"/"+account+"/"+digest.Hex, region), status: 200, want: string(content)},
		{name: "expired", url: text, after: time.Hour + time.Second, status: 403, want: "<Code>AccessDenied</Code><Message>Request has expired</Message>"},
		{name: "unsigned", url: bare, status: 403, want: "<Code>AccessDenied</Code>"},
		{name: "other layer", url: strings.Replace(text, digest.Hex, other, 1), status: 403, want: "<Code>SignatureDoesNotMatch</Code>"},
		{name: "head", method: "HEAD", url: text, status: 403},
		{name: "put", method: "PUT", url: text, status: 403, want: "<Code>SignatureDoesNotMatch</Code>"},
		{name: "signed put", method: "PUT", url: signed("PUT", host, "/x/"+digest.Hex, region), status: 403, want: "<Code>AccessDenied</Code>"},
		{name: "no layer", url: signed("GET", host, "/"+account+"/"+other, region), status: 404, want: "<Code>NoSuchKey</Code>"},
		{name: "list", url: signed("GET", host, "/", region), status: 403, want: "<Code>AccessDenied</Code>"},
		{name: "make", method: "PUT", url: signed("PUT", host, "/", region), status: 409, want: "<Code>BucketAlreadyExists</Code>"},
		{name: "other region", url: signed("GET", host, "/"+account+"/"+digest.Hex, "eu-west-1"), status: 400, want: "<Region>us-east-1</Region>"},
		{name: "other bucket", url: signed("GET", "mine.s3.us-east-1.amazonaws.com", "/x", region), status: 404, want: "<Code>NoSuchBucket</Code>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, c.url, nil)
			w.must(err)
			if c.rang != "" {
				r.Header.Set("Range", c.rang)
			}
			w.now = w.now.Add(c.after)
			defer func() { w.now = w.now.Add(-c.after) }()
			resp, err := client.Do(r)
			w.must(err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			w.must(err)
			if resp.StatusCode != c.status || !strings.Contains(string(body), c.want) {
				t.Errorf("%d %.300s, want %d with %.80q", resp.StatusCode, body, c.status, c.want)
			}
		})
	}
}
