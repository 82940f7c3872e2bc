package v2_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/dataplane/registry"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/ecr"
	tokens "neargate/service/ecr/registry"
	v2 "neargate/service/ecr/v2"
	"neargate/store/mem"
	"neargate/wire/shape"
)

const account, region = "123456789012", "us-east-1"

// world is an installation's ECR with the registry protocol on loopback.
type world struct {
	*ecr.Service
	t      *testing.T
	ctx    context.Context
	now    time.Time
	blobs  *registry.Store
	server *httptest.Server
	denied string // operation that nobody may call
	login  authn.Authenticator
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return w.now }
	s := mem.New()
	deps := service.Deps{Store: s, Now: now, IDs: arn.NewSource(fixed{}), TokenKey: [32]byte{1}}
	var err error
	if w.blobs, err = registry.Open(t.TempDir(), now); err != nil {
		t.Fatal(err)
	}
	w.Service = ecr.New(deps, w.blobs, nil, func() string { return w.server.URL })
	h := v2.New(v2.Config{
		Images: w.Images(), Repositories: w, Tokens: tokens.NewTokens(deps), Log: slog.New(slog.DiscardHandler),
		Gate: func(ctx context.Context, c auth.Caller, operation string, _ any) (context.Context, error) {
			if operation == w.denied {
				return nil, shape.NewError("AccessDeniedException", 400, "User: "+c.ARN+" is not authorized to perform: ecr:"+operation)
			}
			return auth.WithCaller(ctx, c), nil
		},
	})
	w.server = httptest.NewServer(h)
	t.Cleanup(w.server.Close)
	w.ctx = auth.WithCaller(t.Context(), auth.Caller{Account: account, Region: region, UserID: account, ARN: "arn:aws:iam::" + account + ":root"})
	w.signIn()
	return w
}

// signIn takes a new authorization token.
func (w *world) signIn() {
	w.t.Helper()
	out, err := w.GetAuthorizationToken(w.ctx, &api.GetAuthorizationTokenInput{})
	w.must(err)
	text, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	w.must(err)
	user, password, _ := strings.Cut(string(text), ":")
	if got := out.AuthorizationData[0]; user != "AWS" || *got.ProxyEndpoint != "https://"+account+".dkr.ecr."+region+".amazonaws.com" || got.ExpiresAt.Sub(w.now) != 12*time.Hour {
		w.t.Errorf("token of %s at %s until %s", user, *got.ProxyEndpoint, got.ExpiresAt)
	}
	w.login = &authn.Basic{Username: user, Password: password}
}

// fixed is a source of chance.
type fixed struct{}

func (fixed) Read(p []byte) (int, error) { return rand.Read(p) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) repository(repo string, mutability string) {
	w.t.Helper()
	_, err := w.CreateRepository(w.ctx, &api.CreateRepositoryInput{RepositoryName: &repo, ImageTagMutability: &mutability})
	w.must(err)
}

func (w *world) ref(text string) name.Reference {
	w.t.Helper()
	r, err := name.ParseReference(strings.TrimPrefix(w.server.URL, "http://") + "/" + text)
	w.must(err)
	return r
}

func (w *world) push(ref string, i v1.Image) error {
	return remote.Write(w.ref(ref), i, remote.WithAuth(w.login), remote.WithContext(w.t.Context()))
}

func (w *world) image(size int64, layers int64) v1.Image {
	w.t.Helper()
	i, err := random.Image(size, layers)
	w.must(err)
	return i
}

// code is the code and message of a refusal.
func code(err error) string {
	if e, ok := errors.AsType[*transport.Error](err); ok && len(e.Errors) > 0 {
		return string(e.Errors[0].Code) + ": " + e.Errors[0].Message
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPushAndPull(t *testing.T) {
	w := newWorld(t)
	w.repository("team/app", image.Mutable)
	pushed := w.image(100_000, 3)
	w.must(w.push("team/app:v1", pushed))
	digest, err := pushed.Digest()
	w.must(err)

	pulled, err := remote.Image(w.ref("team/app:v1"), remote.WithAuth(w.login))
	w.must(err)
	w.must(validate.Image(pulled))
	if d, err := pulled.Digest(); err != nil || d != digest {
		t.Errorf("pulled %s, %v, want %s", d, err, digest)
	}

	shown, err := w.DescribeImages(w.ctx, &api.DescribeImagesInput{RepositoryName: new("team/app")})
	w.must(err)
	d := shown.ImageDetails[0]
	if len(shown.ImageDetails) != 1 || *d.ImageDigest != digest.String() || d.ImageTags[0] != "v1" || *d.ImageSizeInBytes < 300_000 || !d.ImagePushedAt.Equal(w.now) || d.LastRecordedPullTime == nil {
		t.Errorf("described %+v", d)
	}
	got, err := w.BatchGetImage(w.ctx, &api.BatchGetImageInput{RepositoryName: new("team/app"), ImageIds: []api.ImageIdentifier{{ImageTag: new("v1")}}})
	w.must(err)
	raw, err := pushed.RawManifest()
	w.must(err)
	if *got.Images[0].ImageManifest != string(raw) {
		t.Errorf("manifest %s, want %s", *got.Images[0].ImageManifest, raw)
	}

	// A tag put by the API is there for the protocol, at once.
	_, err = w.PutImage(w.ctx, &api.PutImageInput{RepositoryName: new("team/app"), ImageTag: new("again"), ImageManifest: new(string(raw))})
	w.must(err)
	tags, err := remote.List(w.ref("team/app").Context(), remote.WithAuth(w.login))
	w.must(err)
	if strings.Join(tags, " ") != "again v1" && strings.Join(tags, " ") != "v1 again" {
		t.Errorf("tags %v", tags)
	}
	if desc, err := remote.Head(w.ref("team/app:again"), remote.WithAuth(w.login)); err != nil || desc.Digest != digest {
		t.Errorf("head %+v, %v", desc, err)
	}
	w.must(w.push("team/app:v1", pushed)) // again, as it is
}

func TestIndexAndReferrers(t *testing.T) {
	w := newWorld(t)
	w.repository("app", image.Mutable)
	index, err := random.Index(1000, 1, 3)
	w.must(err)
	w.must(remote.WriteIndex(w.ref("app:all"), index, remote.WithAuth(w.login)))
	pulled, err := remote.Index(w.ref("app:all"), remote.WithAuth(w.login))
	w.must(err)
	w.must(validate.Index(pulled))
	manifest, err := pulled.IndexManifest()
	w.must(err)

	del, err := w.BatchDeleteImage(w.ctx, &api.BatchDeleteImageInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageDigest: new(manifest.Manifests[0].Digest.String())}}})
	w.must(err)
	if len(del.Failures) != 1 || *del.Failures[0].FailureCode != "ImageReferencedByManifestList" {
		t.Errorf("deleted from a list: %+v", del)
	}

	digest, err := pulled.Digest()
	w.must(err)
	subject, err := remote.Get(w.ref("app:all"), remote.WithAuth(w.login))
	w.must(err)
	artifact := mutate.Subject(w.image(10, 1), subject.Descriptor).(v1.Image)
	w.must(w.push("app:sig", artifact))
	refs, err := remote.Referrers(w.ref("app@"+digest.String()).(name.Digest), remote.WithAuth(w.login))
	w.must(err)
	list, err := refs.IndexManifest()
	w.must(err)
	if d, err := artifact.Digest(); err != nil || len(list.Manifests) != 1 || list.Manifests[0].Digest != d {
		t.Errorf("referrers %+v, want %s", list.Manifests, d)
	}
	// The artifact goes with what it refers to.
	del, err = w.BatchDeleteImage(w.ctx, &api.BatchDeleteImageInput{RepositoryName: new("app"), ImageIds: []api.ImageIdentifier{{ImageTag: new("all")}}})
	w.must(err)
	left, err := w.ListImages(w.ctx, &api.ListImagesInput{RepositoryName: new("app")})
	w.must(err)
	if len(del.Failures) != 0 || len(left.ImageIds) != 3 {
		t.Errorf("after the list went: %+v, failures %+v", left.ImageIds, del.Failures)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.repository("fixed", image.Immutable)
	first, second := w.image(100, 1), w.image(100, 1)
	w.must(w.push("fixed:v1", first))
	w.must(w.push("fixed:v1", first))
	const immutable = "TAG_INVALID: The image tag 'v1' already exists in the 'fixed' repository and cannot be overwritten because the tag is immutable."
	if got := code(w.push("fixed:v1", second)); got != immutable {
		t.Errorf("overwritten: %s", got)
	}
	const missing = "NAME_UNKNOWN: The repository with name 'none' does not exist in the registry with id '123456789012'"
	if got := code(w.push("none:v1", first)); got != missing {
		t.Errorf("pushed to no repository: %s", got)
	}
	get := func(ref string, o ...remote.Option) string {
		_, err := remote.Get(w.ref(ref), o...)
		return code(err)
	}
	in := remote.WithAuth(w.login)
	for want, got := range map[string]string{
		missing: get("none:v1", in),
		"MANIFEST_UNKNOWN: Requested image not found": get("fixed:none", in),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	w.denied = "BatchGetImage"
	if got := get("fixed:v1", in); got != "DENIED: User: arn:aws:iam::123456789012:root is not authorized to perform: ecr:BatchGetImage" {
		t.Errorf("denied: %s", got)
	}
	w.denied = ""
	w.now = w.now.Add(13 * time.Hour)
	if got := get("fixed:v1", in); got != "DENIED: Your authorization token has expired. Reauthenticate and try again." {
		t.Errorf("expired: %s", got)
	}
}

func TestAnonymous(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.server.URL + "/v2/app/manifests/v1")
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode != 401 || string(body) != "Not Authorized\n" || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		resp.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" || !strings.HasSuffix(resp.Header.Get("Www-Authenticate"), `service="ecr.amazonaws.com"`) {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	req, err := http.NewRequest(http.MethodGet, w.server.URL+"/v2/", nil)
	w.must(err)
	req.SetBasicAuth("AWS", "nonsense")
	resp, err = http.DefaultClient.Do(req)
	w.must(err)
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("nonsense: %s", resp.Status)
	}
}

// do makes a request of the protocol and returns the answer without its body.
func (w *world) do(method, path string, body []byte, header ...string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, bytes.NewReader(body))
	w.must(err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	l := w.login.(*authn.Basic)
	req.SetBasicAuth(l.Username, l.Password)
	resp, err := http.DefaultTransport.RoundTrip(req)
	w.must(err)
	_, err = io.Copy(io.Discard, resp.Body)
	w.must(err)
	resp.Body.Close()
	return resp
}

func TestChunks(t *testing.T) {
	w := newWorld(t)
	w.repository("app", image.Mutable)
	content := bytes.Repeat([]byte("neargate"), 1000)
	digest := image.DigestOf(content)
	resp := w.do("POST", "/v2/app/blobs/uploads/", nil)
	at := resp.Header.Get("Location")
	if resp.StatusCode != 202 || at == "" || resp.Header.Get("Range") != "0-0" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	if resp = w.do("PATCH", at, content[:3000], "Content-Range", "0-2999"); resp.StatusCode != 202 || resp.Header.Get("Range") != "0-2999" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	if resp = w.do("PATCH", at, content[5000:], "Content-Range", "5000-7999"); resp.StatusCode != 416 || resp.Header.Get("Range") != "0-2999" {
		t.Errorf("out of order: %s %v", resp.Status, resp.Header)
	}
	if resp = w.do("GET", at, nil); resp.StatusCode != 204 || resp.Header.Get("Range") != "0-2999" {
		t.Errorf("status: %s %v", resp.Status, resp.Header)
	}
	if resp = w.do("PUT", at+"?digest="+digest, content[3000:]); resp.StatusCode != 201 || resp.Header.Get("Docker-Content-Digest") != digest {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	if resp = w.do("GET", at, nil); resp.StatusCode != 404 {
		t.Errorf("the upload is still there: %s", resp.Status)
	}
	if resp = w.do("HEAD", "/v2/app/blobs/"+digest, nil); resp.StatusCode != 200 || resp.ContentLength != int64(len(content)) {
		t.Errorf("%s, %d bytes", resp.Status, resp.ContentLength)
	}
	if resp = w.do("GET", "/v2/app/blobs/"+digest, nil, "Range", "bytes=8-15"); resp.StatusCode != 206 || resp.ContentLength != 8 {
		t.Errorf("range: %s, %d bytes", resp.Status, resp.ContentLength)
	}
	// Another digest, and nothing is left of the upload.
	at = w.do("POST", "/v2/app/blobs/uploads/", nil).Header.Get("Location")
	if resp = w.do("PUT", at+"?digest="+image.DigestOf([]byte("other")), content); resp.StatusCode != 400 {
		t.Errorf("wrong digest: %s", resp.Status)
	}
	if resp = w.do("PUT", at+"?digest="+digest, content); resp.StatusCode != 404 {
		t.Errorf("after a wrong digest: %s", resp.Status)
	}
	at = w.do("POST", "/v2/app/blobs/uploads/", nil).Header.Get("Location")
	if resp = w.do("DELETE", at, nil); resp.StatusCode != 204 {
		t.Errorf("cancelled: %s", resp.Status)
	}
	if resp = w.do("POST", "/v2/app/blobs/uploads/?digest="+digest, content); resp.StatusCode != 201 {
		t.Errorf("at once: %s", resp.Status)
	}
}

func TestDownloadURL(t *testing.T) {
	w := newWorld(t)
	w.repository("app", image.Mutable)
	content := []byte("a layer")
	digest := image.DigestOf(content)
	w.do("POST", "/v2/app/blobs/uploads/?digest="+digest, content)
	out, err := w.GetDownloadUrlForLayer(w.ctx, &api.GetDownloadUrlForLayerInput{RepositoryName: new("app"), LayerDigest: &digest})
	w.must(err)
	get := func() (int, string) {
		resp, err := http.Get(*out.DownloadUrl)
		w.must(err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		w.must(err)
		return resp.StatusCode, string(body)
	}
	if status, body := get(); status != 200 || body != "a layer" {
		t.Errorf("%d %q", status, body)
	}
	w.now = w.now.Add(2 * time.Hour)
	if status, _ := get(); status != 403 {
		t.Errorf("after two hours: %d", status)
	}
}
