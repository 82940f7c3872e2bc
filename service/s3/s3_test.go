package s3

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"neargate/arn"
	"neargate/auth"
	engine "neargate/dataplane/objects"
	"neargate/resource/identity"
	"neargate/service"
	"neargate/service/kms"
	"neargate/store"
	"neargate/store/mem"
	"neargate/store/tables"
	"neargate/wire/sigv4"
)

const account, other = "123456789012", "210987654321"

// world is a server with the root users of two accounts and the users ann and bob
// of the first.
type world struct {
	t      testing.TB
	server *httptest.Server
	store  store.Store
	now    time.Time
	keys   map[string]identity.AccessKey // by user; root and other are root users
	calls  []Call
	kms    *kms.Service
	inside Inside
	folder string // of the engine
}

type keys struct{ directory *auth.Directory }

// Key implements sigv4.Keys.
func (k keys) Key(ctx context.Context, id, token string) (sigv4.Key, error) {
	c, err := k.directory.Lookup(ctx, id, token)
	if err != nil {
		return sigv4.Key{}, sigv4.ErrUnknownKey
	}
	return sigv4.Key{Secret: c.Secret, Account: c.Caller.Account, Principal: c.Caller}, nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ids := arn.NewSource(rand.Reader)
	w := &world{t: t, store: mem.New(mem.Paranoid()), now: time.Now().Truncate(time.Second), keys: map[string]identity.AccessKey{}}
	clock := func() time.Time { return w.now }
	w.folder = t.TempDir()
	objects, err := engine.Open(engine.Config{Dir: w.folder, Log: slog.New(slog.DiscardHandler), Now: clock, IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	w.update(func(tx store.Tx) error {
		for name, id := range map[string]string{"root": account, "other": other} {
			a, k := identity.NewAccount(id, name, w.now, ids)
			w.keys[name] = k
			if err := tables.Accounts.Put(tx, &a); err != nil {
				return err
			}
			if err := tables.AccessKeys.Put(tx, &k); err != nil {
				return err
			}
		}
		for _, name := range []string{"ann", "bob"} {
			k := identity.NewAccessKey(account, name, w.now, ids)
			w.keys[name] = k
			if err := tables.AccessKeys.Put(tx, &k); err != nil {
				return err
			}
			if err := tables.Users.Put(tx, &identity.User{Account: account, Path: "/", Name: name, ID: "AIDA" + name}); err != nil {
				return err
			}
		}
		return nil
	})
	directory := auth.NewDirectory(w.store, clock)
	w.kms = kms.New(service.Deps{Store: w.store, Now: clock, IDs: ids}, [32]byte{1})
	s := New(Config{
		Deps:   service.Deps{Store: w.store, Now: clock, IDs: ids},
		Engine: objects, Keys: keys{directory}, Vault: w.kms, Auth: directory, Log: slog.New(slog.DiscardHandler),
		Observe: func(c Call) { w.calls = append(w.calls, c) },
	})
	w.inside = s.Inside()
	w.server = httptest.NewServer(s)
	t.Cleanup(func() {
		w.server.Close()
		if err := objects.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) update(f func(store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

// allow gives a user a policy.
func (w *world) allow(user, statements string) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		u, err := tables.Users.Get(tx, account, user)
		if err != nil {
			return err
		}
		u.Inline = []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[` + statements + `]}`}}
		return tables.Users.Put(tx, &u)
	})
}

// sign signs a request as its user, "" for nobody, for a region.
func (w *world) sign(r *http.Request, user, region, payload string) {
	if user == "" {
		return
	}
	k := w.keys[user]
	stamp := w.now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	names := []string{"host"}
	for name := range r.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	var canonical strings.Builder
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), query)
	for _, name := range names {
		v := r.Header.Get(name)
		if name == "host" {
			v = r.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, v)
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", strings.Join(names, ";"), payload)
	scope := stamp[:8] + "/" + region + "/s3/aws4_request"
	sum := sha256.Sum256([]byte(canonical.String()))
	key := []byte("AWS4" + k.Secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+k.ID+"/"+scope+", SignedHeaders="+strings.Join(names, ";")+", Signature="+signature)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a request: METHOD target, then headers as "Name: value".
func (w *world) do(user, request, body string, headers ...string) answer {
	w.t.Helper()
	return w.in("us-east-1", user, request, body, headers...)
}

func (w *world) in(region, user, request, body string, headers ...string) answer {
	w.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	r, err := http.NewRequest(method, w.server.URL+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	w.sign(r, user, region, "UNSIGNED-PAYLOAD")
	return w.send(r)
}

func (w *world) send(r *http.Request) answer {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if bytes.Contains(b, []byte(`xmlns=""`)) {
		w.t.Errorf("an element without namespace:\n%s", b)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// must demands a status and a text in the body, and, where they are given, headers.
func (w *world) must(a answer, status int, text string, headers ...string) answer {
	w.t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		w.t.Fatalf("%d %v\n%s\nwant %d, %s", a.status, a.header, a.body, status, text)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if a.header.Get(name) != value {
			w.t.Errorf("%s: %q, want %q", name, a.header.Get(name), value)
		}
	}
	return a
}

func element(a answer, name string) string {
	m := regexp.MustCompile("<" + name + ">([^<]*)</" + name + ">").FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestBuckets(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /one", ""), 200, "", "Location: /one", "X-Amz-Bucket-Arn: arn:aws:s3:::one")
	w.must(w.do("root", "PUT /one", ""), 200, "")
	w.must(w.do("other", "PUT /one", ""), 409, "<Code>BucketAlreadyExists</Code>")
	const eu = `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>`
	w.must(w.in("eu-west-1", "root", "PUT /two", ""), 400, "<Code>IllegalLocationConstraintException</Code>")
	w.must(w.in("eu-west-1", "root", "PUT /two", eu), 200, "")
	w.must(w.in("eu-west-1", "root", "PUT /two", eu), 409, "<Code>BucketAlreadyOwnedByYou</Code>")
	w.must(w.in("eu-central-1", "root", "PUT /three", eu), 400, "<Code>IllegalLocationConstraintException</Code>")
	w.must(w.do("root", "GET /two?location", ""), 200, ">eu-west-1</LocationConstraint>")
	w.must(w.do("root", "GET /one?location", ""), 200, "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>")
	w.must(w.do("root", "GET /two", ""), 400, "<Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region &#39;us-east-1&#39; is wrong; expecting &#39;eu-west-1&#39;</Message><Region>eu-west-1</Region>")
	w.must(w.do("root", "HEAD /two", ""), 400, "", "X-Amz-Bucket-Region: eu-west-1")
	w.must(w.do("root", "HEAD /one", ""), 200, "", "X-Amz-Bucket-Region: us-east-1")
	w.must(w.do("root", "HEAD /none", ""), 404, "")
	w.must(w.do("root", "GET /none", ""), 404, "<Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><BucketName>none</BucketName>")
	for _, name := range []string{"UP", "ab", "a..b", "1.2.3.4", "xn--a", "a-s3alias", "-ab", strings.Repeat("a", 64), "a_b"} {
		w.must(w.do("root", "PUT /"+name, ""), 400, "<Code>InvalidBucketName</Code>")
	}
	a := w.must(w.do("root", "GET /", ""), 200, "<Name>one</Name>")
	if strings.Count(a.body, "<Bucket>") != 2 {
		t.Error(a.body)
	}
	a = w.must(w.do("root", "GET /?max-buckets=1", ""), 200, "<Name>one</Name>")
	a = w.must(w.do("root", "GET /?max-buckets=1&continuation-token="+url.QueryEscape(element(a, "ContinuationToken")), ""), 200, "<Name>two</Name>")
	if element(a, "ContinuationToken") != "" {
		t.Error(a.body)
	}
	w.must(w.do("other", "GET /", ""), 200, "<Buckets></Buckets>")
	w.must(w.do("root", "PUT /one/k", "x"), 200, "")
	w.must(w.do("root", "DELETE /one", ""), 409, "<Code>BucketNotEmpty</Code>")
	w.must(w.do("root", "DELETE /one/k", ""), 204, "")
	w.must(w.do("root", "POST /one/left?uploads", ""), 200, "<UploadId>")
	w.must(w.do("root", "DELETE /one", ""), 204, "")
	w.must(w.do("root", "PUT /one/k", "x"), 404, "<Code>NoSuchBucket</Code>")
}

func TestObjects(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	put := w.must(w.do("root", "PUT /bkt/dir/a%20b%2B.txt", "0123456789", "Content-Type: text/x", "Cache-Control: no-store", "X-Amz-Meta-Who: me", "X-Amz-Tagging: a=1&b=%20"),
		200, "", "Etag: \"781e5e245d69b566979b86e28d23f2c7\"", "X-Amz-Checksum-Crc64nvme: Ffmx7kz9nB0=", "X-Amz-Checksum-Type: FULL_OBJECT", "X-Amz-Server-Side-Encryption: AES256", "X-Amz-Version-Id: ")
	modified := w.must(w.do("root", "GET /bkt/dir/a%20b%2B.txt", "", "X-Amz-Checksum-Mode: ENABLED"), 200, "0123456789",
		"Content-Type: text/x", "Cache-Control: no-store", "X-Amz-Meta-Who: me", "X-Amz-Tagging-Count: 2", "X-Amz-Checksum-Crc64nvme: "+put.header.Get("X-Amz-Checksum-Crc64nvme"), "Accept-Ranges: bytes").header.Get("Last-Modified")
	w.must(w.do("root", "HEAD /bkt/dir/a%20b%2B.txt", ""), 200, "", "Content-Length: 10")
	etag := put.header.Get("Etag")
	reads := []struct {
		header string
		status int
		text   string
		extra  string
	}{
		{"Range: bytes=2-4", 206, "234", "Content-Range: bytes 2-4/10"},
		{"Range: bytes=8-", 206, "89", "Content-Range: bytes 8-9/10"},
		{"Range: bytes=-3", 206, "789", "Content-Range: bytes 7-9/10"},
		{"Range: bytes=-30", 206, "0123456789", "Content-Range: bytes 0-9/10"},
		{"Range: bytes=5-100", 206, "56789", "Content-Range: bytes 5-9/10"},
		{"Range: bytes=10-", 416, "<Code>InvalidRange</Code>", "Content-Range: bytes */10"},
		{"Range: bytes=1-2,4-5", 200, "0123456789", "Content-Length: 10"},
		{"Range: lines=1-2", 200, "0123456789", "Content-Length: 10"},
		{"Range: bytes=4-2", 200, "0123456789", "Content-Length: 10"},
		{"If-Match: " + etag, 200, "0123456789", ""},
		{"If-Match: \"x\"", 412, "<Code>PreconditionFailed</Code>", ""},
		{"If-None-Match: " + etag, 304, "", "Etag: " + etag},
		{"If-None-Match: \"x\"", 200, "0123456789", ""},
		{"If-Modified-Since: " + modified, 304, "", ""},
		{"If-Unmodified-Since: " + modified, 200, "0123456789", ""},
		{"If-Unmodified-Since: Sun, 01 Jan 2017 00:00:00 GMT", 412, "<Condition>If-Unmodified-Since</Condition>", ""},
	}
	for _, r := range reads {
		a := w.do("root", "GET /bkt/dir/a%20b%2B.txt", "", r.header)
		var extra []string
		if r.extra != "" {
			extra = []string{r.extra}
		}
		if w.must(a, r.status, r.text, extra...); r.status == 206 && a.body != r.text {
			t.Errorf("%q", a.body)
		}
	}
	w.must(w.do("root", "GET /bkt/dir/a%20b%2B.txt?response-content-type=text%2Fy", ""), 200, "", "Content-Type: text/y")
	w.must(w.do("root", "GET /bkt/none", ""), 404, "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>none</Key>")
	w.must(w.do("root", "GET /bkt/dir/a%20b%2B.txt?versionId=x", ""), 400, "<Code>InvalidArgument</Code><Message>Invalid version id specified</Message>")
	w.must(w.do("root", "GET /bkt/dir/a%20b%2B.txt?tagging", ""), 200, "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value> </Value></Tag>")
	w.must(w.do("root", "PUT /bkt/dir/a%20b%2B.txt?tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>"), 400, "<Code>InvalidTag</Code>")
	w.must(w.do("root", "DELETE /bkt/dir/a%20b%2B.txt?tagging", ""), 204, "")
	w.must(w.do("root", "GET /bkt/dir/a%20b%2B.txt?tagging", ""), 200, "<TagSet></TagSet>")
	w.must(w.do("root", "GET /bkt/dir/a%20b%2B.txt?attributes", "", "X-Amz-Object-Attributes: ETag,Checksum,ObjectSize,StorageClass"), 200, "<StorageClass>STANDARD</StorageClass><ObjectSize>10</ObjectSize>")

	writes := []struct {
		header string
		status int
		text   string
	}{
		{"If-None-Match: *", 412, "<Code>PreconditionFailed</Code>"},
		{"If-Match: " + etag, 200, ""},
		{"If-Match: \"y\"", 412, "<Code>PreconditionFailed</Code>"},
		{"Content-Md5: AAAAAAAAAAAAAAAAAAAAAA==", 400, "<Code>BadDigest</Code>"},
		{"Content-Md5: x", 400, "<Code>InvalidDigest</Code>"},
		{"X-Amz-Checksum-Crc32: AAAAAA==", 400, "<Code>BadDigest</Code><Message>The CRC32 you specified did not match the calculated checksum.</Message>"},
		{"X-Amz-Checksum-Crc32: AA==", 400, "<Code>InvalidRequest</Code>"},
		{"X-Amz-Checksum-Xxhash64: AA==", 400, "<Code>InvalidRequest</Code>"},
		{"X-Amz-Server-Side-Encryption: aws:kms:dsse", 501, "<Code>NotImplemented</Code>"},
		{"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256", 400, "<Code>InvalidArgument</Code>"},
		{"X-Amz-Object-Lock-Mode: GOVERNANCE", 501, "<Code>NotImplemented</Code>"},
		{"X-Amz-Acl: public-read", 400, "<Code>AccessControlListNotSupported</Code>"},
		{"X-Amz-Acl: bucket-owner-full-control", 200, ""},
		{"X-Amz-Storage-Class: GLACIER", 501, "<Code>NotImplemented</Code>"},
		{"X-Amz-Storage-Class: COLD", 400, "<Code>InvalidStorageClass</Code>"},
		{"X-Amz-Storage-Class: STANDARD_IA", 200, ""},
		{"X-Amz-Meta-Large: " + strings.Repeat("x", 2048), 400, "<Code>MetadataTooLarge</Code>"},
		{"X-Amz-Tagging: a=1&a=2", 400, "<Code>InvalidArgument</Code>"},
		{"X-Amz-Expected-Bucket-Owner: " + other, 403, "<Code>AccessDenied</Code>"},
	}
	for _, r := range writes {
		w.must(w.do("root", "PUT /bkt/dir/a%20b%2B.txt", "0123456789", r.header), r.status, r.text)
	}
	w.must(w.do("root", "PUT /bkt/"+strings.Repeat("k", 1025), "x"), 400, "<Code>KeyTooLongError</Code>")
	w.must(w.do("root", "PATCH /bkt/k", ""), 405, "<Code>MethodNotAllowed</Code>")
	w.must(w.do("root", "POST /bkt/k?select&select-type=2", "x"), 501, "<Code>NotImplemented</Code>")
	if last := w.calls[len(w.calls)-1]; last.Status != 501 || last.Code != "NotImplemented" || last.Account != account {
		t.Errorf("%+v", last)
	}
}

func TestCopies(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	w.must(w.do("root", "PUT /bkt/from", "content", "X-Amz-Meta-A: 1", "X-Amz-Tagging: t=1"), 200, "")
	w.must(w.do("root", "PUT /bkt/to", "", "X-Amz-Copy-Source: /bkt/from"), 200, "<CopyObjectResult")
	w.must(w.do("root", "GET /bkt/to", ""), 200, "content", "X-Amz-Meta-A: 1", "X-Amz-Tagging-Count: 1")
	w.must(w.do("root", "PUT /bkt/to", "", "X-Amz-Copy-Source: bkt/from", "X-Amz-Metadata-Directive: REPLACE", "X-Amz-Meta-B: 2", "X-Amz-Tagging-Directive: REPLACE"), 200, "")
	w.must(w.do("root", "HEAD /bkt/to", ""), 200, "", "X-Amz-Meta-A: ", "X-Amz-Meta-B: 2", "X-Amz-Tagging-Count: ")
	w.must(w.do("root", "PUT /bkt/to", "", "X-Amz-Copy-Source: bkt/to"), 400, "<Code>InvalidRequest</Code><Message>This copy request is illegal")
	w.must(w.do("root", "PUT /bkt/to", "", "X-Amz-Copy-Source: bkt/to", "X-Amz-Storage-Class: STANDARD_IA"), 200, "")
	w.must(w.do("root", "PUT /bkt/x", "", "X-Amz-Copy-Source: bkt/none"), 404, "<Key>none</Key>")
	w.must(w.do("root", "PUT /bkt/x", "", "X-Amz-Copy-Source: none/none"), 404, "<BucketName>none</BucketName>")
	w.must(w.do("root", "PUT /bkt/x", "", "X-Amz-Copy-Source: b"), 400, "<Code>InvalidArgument</Code>")
	w.must(w.do("root", "PUT /bkt/x", "", "X-Amz-Copy-Source: bkt/from", "X-Amz-Copy-Source-If-None-Match: *"), 412, "<Code>PreconditionFailed</Code>")
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	w.must(w.do("root", "PUT /bkt/k", "zero"), 200, "")
	w.must(w.do("root", "PUT /bkt?versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>"), 400, "<Code>MalformedXML</Code>")
	w.must(w.do("root", "PUT /bkt?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"), 200, "")
	w.must(w.do("root", "GET /bkt?versioning", ""), 200, "<Status>Enabled</Status>")
	one := w.must(w.do("root", "PUT /bkt/k", "one"), 200, "").header.Get("X-Amz-Version-Id")
	gone := w.must(w.do("root", "DELETE /bkt/k", ""), 204, "", "X-Amz-Delete-Marker: true").header.Get("X-Amz-Version-Id")
	w.must(w.do("root", "GET /bkt/k", ""), 404, "<Code>NoSuchKey</Code>", "X-Amz-Delete-Marker: true", "X-Amz-Version-Id: "+gone)
	w.must(w.do("root", "GET /bkt/k?versionId="+gone, ""), 405, "<Code>MethodNotAllowed</Code>")
	w.must(w.do("root", "GET /bkt/k?versionId="+one, ""), 200, "one")
	w.must(w.do("root", "GET /bkt/k?versionId=null", ""), 200, "zero")
	w.must(w.do("root", "GET /bkt/k?versionId="+strings.Repeat("A", 32), ""), 404, "<Code>NoSuchVersion</Code>")
	a := w.must(w.do("root", "GET /bkt?versions&max-keys=2", ""), 200, "<DeleteMarker><Key>k</Key><VersionId>"+gone+"</VersionId><IsLatest>true</IsLatest>")
	a = w.must(w.do("root", "GET /bkt?versions&max-keys=2&key-marker=k&version-id-marker="+element(a, "NextVersionIdMarker"), ""), 200, "<VersionId>null</VersionId><IsLatest>false</IsLatest>")
	if element(a, "IsTruncated") != "false" {
		t.Error(a.body)
	}
	w.must(w.do("root", "GET /bkt?list-type=2", ""), 200, "<KeyCount>0</KeyCount>")
	w.must(w.do("root", "POST /bkt?delete", "<Delete><Object><Key>k</Key><VersionId>"+gone+"</VersionId></Object><Object><Key>none</Key></Object></Delete>"), 400, "Content-MD5")
	body := "<Delete><Object><Key>k</Key><VersionId>" + gone + "</VersionId></Object></Delete>"
	w.must(w.do("root", "POST /bkt?delete", body, sha(body)), 200,
		"<Deleted><Key>k</Key><VersionId>"+gone+"</VersionId><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>"+gone+"</DeleteMarkerVersionId></Deleted>")
	w.must(w.do("root", "GET /bkt/k", ""), 200, "one")
	w.must(w.do("root", "DELETE /bkt/k?versionId="+one, ""), 204, "", "X-Amz-Version-Id: "+one)
	w.must(w.do("root", "GET /bkt/k", ""), 200, "zero", "X-Amz-Version-Id: null")
	w.must(w.do("root", "PUT /bkt?versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"), 200, "")
	w.must(w.do("root", "DELETE /bkt/k", ""), 204, "", "X-Amz-Version-Id: null")
	a = w.must(w.do("root", "GET /bkt?versions", ""), 200, "<DeleteMarker>")
	if strings.Contains(a.body, "<Version>") {
		t.Error(a.body)
	}
}

// sha is the header with the SHA-256 checksum of a body.
func sha(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "X-Amz-Checksum-Sha256: " + base64.StdEncoding.EncodeToString(sum[:])
}

func TestListing(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	for _, key := range []string{"a", "b/1", "b/2", "c%20d", "e/1"} {
		w.must(w.do("root", "PUT /bkt/"+key, "x"), 200, "")
	}
	a := w.must(w.do("root", "GET /bkt?list-type=2&delimiter=%2F&max-keys=2", ""), 200, "<Prefix>b/</Prefix>")
	if element(a, "KeyCount") != "2" || element(a, "IsTruncated") != "true" {
		t.Error(a.body)
	}
	a = w.must(w.do("root", "GET /bkt?list-type=2&delimiter=%2F&encoding-type=url&continuation-token="+url.QueryEscape(element(a, "NextContinuationToken")), ""), 200, "<Key>c+d</Key>")
	if element(a, "KeyCount") != "2" || element(a, "IsTruncated") != "false" || !strings.Contains(a.body, "<CommonPrefixes><Prefix>e/</Prefix></CommonPrefixes>") {
		t.Error(a.body)
	}
	a = w.must(w.do("root", "GET /bkt?delimiter=%2F&max-keys=2", ""), 200, "<NextMarker>b/</NextMarker>")
	w.must(w.do("root", "GET /bkt?delimiter=%2F&max-keys=2&marker=b%2F", ""), 200, "<Key>c d</Key>")
	w.must(w.do("root", "GET /bkt?list-type=2&start-after=c", ""), 200, "<KeyCount>2</KeyCount>")
	w.must(w.do("root", "GET /bkt?list-type=2&prefix=b%2F&fetch-owner=true", ""), 200, "<Owner><ID>")
	w.must(w.do("root", "GET /bkt?list-type=2&max-keys=0", ""), 200, "<IsTruncated>false</IsTruncated>")
	w.must(w.do("root", "GET /bkt?list-type=2&max-keys=-1", ""), 400, "<Code>InvalidArgument</Code>")
	w.must(w.do("root", "GET /bkt?list-type=2&continuation-token=x", ""), 400, "The continuation token provided is incorrect")
	w.must(w.do("root", "GET /bkt?list-type=2&encoding-type=gzip", ""), 400, "Invalid Encoding Method specified in Request")
}

func TestUploads(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	large := strings.Repeat("0123456789abcdef", 5<<16)
	begin := func(headers ...string) string {
		t.Helper()
		return element(w.must(w.do("root", "POST /bkt/big?uploads", "", headers...), 200, "<Key>big</Key>"), "UploadId")
	}
	id := begin("X-Amz-Checksum-Algorithm: SHA256", "X-Amz-Meta-A: 1")
	one := w.must(w.do("root", "PUT /bkt/big?partNumber=1&uploadId="+id, large, sha(large)), 200, "").header
	two := w.must(w.do("root", "PUT /bkt/big?partNumber=2&uploadId="+id, "tail", sha("tail")), 200, "").header
	w.must(w.do("root", "PUT /bkt/big?partNumber=0&uploadId="+id, "x"), 400, "Part number must be an integer between 1 and 10000, inclusive")
	w.must(w.do("root", "PUT /bkt/big?partNumber=1&uploadId=none", "x"), 404, "<Code>NoSuchUpload</Code>")
	w.must(w.do("root", "GET /bkt/big?uploadId="+id+"&max-parts=1", ""), 200, "<NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>")
	w.must(w.do("root", "GET /bkt?uploads", ""), 200, "<UploadId>"+id+"</UploadId>")
	part := func(n int, h http.Header) string {
		return fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part>", n, h.Get("Etag"), h.Get("X-Amz-Checksum-Sha256"))
	}
	complete := func(parts ...string) answer {
		return w.do("root", "POST /bkt/big?uploadId="+id, "<CompleteMultipartUpload>"+strings.Join(parts, "")+"</CompleteMultipartUpload>")
	}
	w.must(complete(), 400, "<Code>MalformedXML</Code>")
	w.must(complete(part(2, two), part(1, one)), 400, "<Code>InvalidPartOrder</Code>")
	w.must(complete(part(1, two)), 400, "<Code>InvalidPart</Code>")
	a := w.must(complete(part(1, one), part(2, two)), 200, "-2&#34;</ETag>")
	if !strings.HasSuffix(element(a, "ChecksumSHA256"), "-2") || element(a, "ChecksumType") != "COMPOSITE" {
		t.Error(a.body)
	}
	w.must(complete(part(1, one), part(2, two)), 200, "-2&#34;</ETag>")
	w.must(w.do("root", "GET /bkt/big?partNumber=2", ""), 206, "tail", "X-Amz-Mp-Parts-Count: 2", "X-Amz-Meta-A: 1")
	w.must(w.do("root", "GET /bkt/big?partNumber=3", ""), 416, "<Code>InvalidPartNumber</Code>")
	w.must(w.do("root", "GET /bkt/big?attributes", "", "X-Amz-Object-Attributes: ObjectParts"), 200, "<PartsCount>2</PartsCount>")

	id = begin()
	first := w.must(w.do("root", "PUT /bkt/big?partNumber=1&uploadId="+id, "", "X-Amz-Copy-Source: bkt/big", "X-Amz-Copy-Source-Range: bytes=0-5242879"), 200, "<CopyPartResult")
	second := w.must(w.do("root", "PUT /bkt/big?partNumber=2&uploadId="+id, "small"), 200, "")
	w.must(w.do("root", "PUT /bkt/big?partNumber=1&uploadId="+id, "", "X-Amz-Copy-Source: bkt/big", "X-Amz-Copy-Source-Range: bytes=0-99999999"), 400, "<Code>InvalidArgument</Code>")
	w.must(complete("<Part><PartNumber>1</PartNumber><ETag>"+strings.Trim(element(first, "ETag"), "&#34;")+"</ETag></Part>",
		"<Part><PartNumber>2</PartNumber><ETag>"+second.header.Get("Etag")+"</ETag></Part>"), 200, "<ChecksumType>FULL_OBJECT</ChecksumType>")
	if got := w.must(w.do("root", "GET /bkt/big", ""), 200, "small"); got.body != large+"small" {
		t.Errorf("%d bytes", len(got.body))
	}
	id = begin()
	w.must(w.do("root", "DELETE /bkt/big?uploadId="+id, ""), 204, "")
	w.must(w.do("root", "DELETE /bkt/big?uploadId="+id, ""), 404, "<Code>NoSuchUpload</Code>")
	w.must(w.do("root", "POST /bkt/big?uploads", "", "X-Amz-Checksum-Algorithm: SHA256", "X-Amz-Checksum-Type: FULL_OBJECT"), 400, "<Code>InvalidRequest</Code>")
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	w.must(w.do("root", "PUT /bkt/k", "x"), 200, "")
	w.must(w.do("ann", "GET /bkt/k", ""), 403, "<Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/ann is not authorized to perform: s3:GetObject on resource: "+
		"&#34;arn:aws:s3:::bkt/k&#34; because no identity-based policy allows the s3:GetObject action</Message>")
	w.allow("ann", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}`)
	w.must(w.do("ann", "GET /bkt/k", ""), 200, "x")
	w.must(w.do("ann", "GET /bkt/none", ""), 403, "s3:ListBucket") // it may not know that there is none
	w.must(w.do("ann", "PUT /bkt/k", "y"), 403, "s3:PutObject")
	w.must(w.do("ann", "PUT /bkt/k2", "", "X-Amz-Copy-Source: bkt/k"), 403, "s3:PutObject")
	w.must(w.do("ann", "GET /", ""), 403, "s3:ListAllMyBuckets on resource: &#34;*&#34;")
	w.allow("ann", `{"Effect":"Allow","Action":["s3:ListBucket","s3:PutObject"],"Resource":"*","Condition":{"StringEqualsIfExists":{"s3:prefix":"p/"}}},{"Effect":"Deny","Action":"s3:PutObjectTagging","Resource":"*"}`)
	w.must(w.do("ann", "GET /bkt?list-type=2&prefix=p%2F", ""), 200, "")
	w.must(w.do("ann", "GET /bkt?list-type=2&prefix=q%2F", ""), 403, "s3:ListBucket")
	w.must(w.do("ann", "PUT /bkt/t", "x", "X-Amz-Tagging: a=1"), 403, "with an explicit deny in an identity-based policy")
	w.must(w.do("ann", "PUT /bkt/t", "x"), 200, "")
	w.must(w.do("ann", "POST /bkt?delete", "<Delete><Object><Key>k</Key></Object></Delete>", sha("<Delete><Object><Key>k</Key></Object></Delete>")), 200, "<Error><Key>k</Key><Code>AccessDenied</Code>")

	policy := func(text string) answer { return w.do("root", "PUT /bkt?policy", text) }
	w.must(policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`), 403,
		"because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
	for text, message := range map[string]string{
		`x`: "Policies must be valid JSON and the first byte must be",
		`{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`:                                             "Missing required field Principal",
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:user/x"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`: "Invalid principal in policy",
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}]}`:        "Policy has invalid resource",
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt"}]}`:            "Action does not apply to any resource(s) in statement",
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"ec2:RunInstances","Resource":"arn:aws:s3:::bkt"}]}`:        "Policy has invalid action",
		`{"Statement":[{"Effect":"Maybe","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`:          "Invalid policy syntax.",
	} {
		w.must(policy(text), 400, "<Code>MalformedPolicy</Code><Message>"+message)
	}
	// Within the account the bucket's policy alone is enough; across, both must allow.
	w.must(policy(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/bob","`+other+`"]},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]},
		{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bkt/*"}]}`), 204, "")
	w.must(w.do("bob", "GET /bkt/k", ""), 200, "x")
	w.must(w.do("other", "GET /bkt/k", ""), 200, "x")
	w.must(w.do("other", "GET /bkt/none", ""), 404, "<Code>NoSuchKey</Code>")
	w.must(w.do("other", "PUT /bkt/k", "y"), 403, "<Message>Access Denied</Message>")
	w.must(w.do("root", "DELETE /bkt/k", ""), 403, "with an explicit deny in a resource-based policy")
	w.must(w.do("root", "GET /bkt?policy", ""), 200, `"s3:ListBucket"`)
	w.must(w.do("root", "GET /bkt?policyStatus", ""), 200, "<IsPublic>FALSE</IsPublic>")

	// Anyone, once the block is lifted.
	w.must(w.do("", "GET /bkt/k", ""), 403, "<Message>Access Denied</Message>")
	w.must(w.do("root", "DELETE /bkt?publicAccessBlock", ""), 204, "")
	w.must(w.do("root", "GET /bkt?publicAccessBlock", ""), 404, "<Code>NoSuchPublicAccessBlockConfiguration</Code>")
	w.must(policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`), 204, "")
	w.must(w.do("root", "GET /bkt?policyStatus", ""), 200, "<IsPublic>TRUE</IsPublic>")
	w.must(w.do("", "GET /bkt/k", ""), 200, "x")
	w.must(w.do("", "GET /k", "", "Host: bkt.s3.us-east-1.amazonaws.com"), 200, "x")
	w.must(w.do("", "GET /bkt/k?response-content-type=x", ""), 400, "<Code>InvalidRequest</Code>")
	w.must(w.do("", "PUT /bkt/k", "y"), 403, "<Message>Access Denied</Message>")
	w.must(w.do("root", "PUT /bkt?publicAccessBlock", "<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"), 200, "")
	w.must(w.do("", "GET /bkt/k", ""), 403, "<Message>Access Denied</Message>")
	w.must(w.do("other", "GET /bkt/k", ""), 403, "<Message>Access Denied</Message>")
	w.must(w.do("root", "DELETE /bkt?policy", ""), 204, "")
	w.must(w.do("root", "GET /bkt?policy", ""), 404, "<Code>NoSuchBucketPolicy</Code>")
}

func TestSignatures(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	request := func(change func(*http.Request)) answer {
		r, err := http.NewRequest("PUT", w.server.URL+"/bkt/k", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = r.URL.Host
		sum := sha256.Sum256([]byte("hello"))
		w.sign(r, "root", "us-east-1", hex.EncodeToString(sum[:]))
		change(r)
		return w.send(r)
	}
	w.must(request(func(r *http.Request) {}), 200, "")
	w.must(request(func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("jello")) }), 400, "<Code>XAmzContentSHA256Mismatch</Code>")
	w.must(request(func(r *http.Request) { r.URL.Path = "/bkt/other" }), 403, "<Code>SignatureDoesNotMatch</Code>")
	w.must(request(func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "1") }), 403, "<Code>AccessDenied</Code><Message>There were headers present in the request which were not signed</Message>")
	w.must(request(func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), w.keys["root"].ID, "AKIANONE", 1))
	}), 403, "<Code>InvalidAccessKeyId</Code>")
	w.must(request(func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/s3/", "/ecs/", 1))
	}), 400, "<Code>AuthorizationHeaderMalformed</Code>")
	w.must(request(func(r *http.Request) { w.now = w.now.Add(time.Hour) }), 403, "<Code>RequestTimeTooSkewed</Code>")
	w.must(w.do("root", "GET /bkt/k", ""), 200, "hello")
	w.must(w.do("", "GET /bkt/k", "", "Authorization: AWS "+w.keys["root"].ID+":c2lnbmF0dXJl"), 400, "Please use AWS4-HMAC-SHA256.")

	// What a client expects is answered even where there is nothing to go on with.
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PUT /bkt/k HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 25)
	if _, err := io.ReadFull(conn, first); err != nil || string(first) != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("%q %v", first, err)
	}
}

func TestConfigurations(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	for sub, code := range map[string]string{
		"tagging": "NoSuchTagSet", "policy": "NoSuchBucketPolicy", "lifecycle": "NoSuchLifecycleConfiguration", "cors": "NoSuchCORSConfiguration",
		"website": "NoSuchWebsiteConfiguration", "replication": "ReplicationConfigurationNotFoundError", "object-lock": "ObjectLockConfigurationNotFoundError",
		"metrics&id=x": "NoSuchConfiguration",
	} {
		w.must(w.do("root", "GET /bkt?"+sub, ""), 404, "<Code>"+code+"</Code>")
	}
	for sub, text := range map[string]string{
		"encryption": "<SSEAlgorithm>AES256</SSEAlgorithm>", "ownershipControls": "<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>", "acl": "<Permission>FULL_CONTROL</Permission>",
		"requestPayment": "<Payer>BucketOwner</Payer>", "logging": "<BucketLoggingStatus", "notification": "<NotificationConfiguration", "accelerate": "<AccelerateConfiguration",
		"publicAccessBlock": "<RestrictPublicBuckets>true</RestrictPublicBuckets>", "metrics": "<IsTruncated>false</IsTruncated>",
	} {
		w.must(w.do("root", "GET /bkt?"+sub, ""), 200, text)
	}
	refused := map[string]string{
		"website": "<WebsiteConfiguration/>", "replication": "<ReplicationConfiguration/>", "object-lock": "<ObjectLockConfiguration/>",
		"logging":        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket></LoggingEnabled></BucketLoggingStatus>",
		"notification":   "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
		"accelerate":     "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
		"encryption":     "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms:dsse</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
		"lifecycle":      "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>",
		"requestPayment": "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
		"abac":           "x",
	}
	for sub, body := range refused {
		w.must(w.do("root", "PUT /bkt?"+sub, body), 501, "<Code>NotImplemented</Code>")
	}
	w.must(w.do("root", "PUT /bkt?logging", "<BucketLoggingStatus/>"), 200, "")
	w.must(w.do("root", "PUT /bkt?notification", "<NotificationConfiguration/>"), 200, "")
	w.must(w.do("root", "PUT /bkt?accelerate", "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>"), 200, "")

	const tags = "<Tagging><TagSet><Tag><Key>K</Key><Value></Value></Tag><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
	w.must(w.do("root", "PUT /bkt?tagging", tags), 204, "")
	w.must(w.do("root", "PUT /bkt?tagging", strings.Replace(tags, ">K<", ">k<", 1)), 400, "<Code>InvalidTag</Code><Message>Cannot provide multiple Tags with the same key</Message><TagKey>k</TagKey>")
	w.must(w.do("root", "GET /bkt?tagging", ""), 200, "<Tag><Key>K</Key><Value></Value></Tag><Tag><Key>k</Key><Value>v</Value></Tag>")
	w.must(w.do("root", "PUT /bkt?tagging", "<Tagging><TagSet></TagSet></Tagging>"), 204, "")
	w.must(w.do("root", "GET /bkt?tagging", ""), 404, "<Code>NoSuchTagSet</Code>")

	rule := func(inner string) answer {
		return w.do("root", "PUT /bkt?lifecycle", "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>"+inner+"</Rule></LifecycleConfiguration>")
	}
	for inner, code := range map[string]string{
		"<Expiration><Days>1</Days></Expiration>": "MalformedXML",
		"<Filter/>": "InvalidRequest",
		"<Filter/><Expiration><Days>0</Days></Expiration>":                                                                  "InvalidArgument",
		"<Filter/><Expiration><Date>2030-01-01T10:00:00Z</Date></Expiration>":                                               "InvalidArgument",
		"<Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><Days>1</Days></Expiration>": "MalformedXML",
		"<Filter/><Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>":       "MalformedXML",
	} {
		w.must(rule(inner), 400, "<Code>"+code+"</Code>")
	}
	full := "<Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
	w.must(rule(full+"<Expiration><Days>3</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays></NoncurrentVersionExpiration>"), 200, "")
	w.must(w.do("root", "GET /bkt?lifecycle", ""), 200, full, "X-Amz-Transition-Default-Minimum-Object-Size: all_storage_classes_128K")
	w.must(w.do("root", "PUT /bkt/logs/x", "x", "X-Amz-Tagging: k=v"), 200, "", "X-Amz-Expiration: expiry-date=\""+w.now.UTC().AddDate(0, 0, 4).Truncate(24*time.Hour).Format(http.TimeFormat)+"\", rule-id=\"r\"")
	w.must(w.do("root", "PUT /bkt/logs/y", "x"), 200, "", "X-Amz-Expiration: ")
	w.must(w.do("root", "DELETE /bkt?lifecycle", ""), 204, "")

	w.must(w.do("root", "PUT /bkt?cors", "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>"), 200, "")
	w.must(w.do("", "OPTIONS /bkt/k", "", "Origin: https://a.example.com", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: X-A"), 200, "",
		"Access-Control-Allow-Origin: https://a.example.com", "Access-Control-Allow-Methods: GET", "Access-Control-Max-Age: 60")
	w.must(w.do("", "OPTIONS /bkt/k", "", "Origin: https://example.org", "Access-Control-Request-Method: GET"), 403, "<Code>AccessForbidden</Code>")
	w.must(w.do("root", "GET /bkt/logs/x", "", "Origin: https://a.example.com"), 200, "x", "Access-Control-Expose-Headers: ETag")
	w.must(w.do("root", "GET /bkt/logs/x", "", "Origin: https://example.org"), 200, "x", "Access-Control-Allow-Origin: ")
}

func TestServes(t *testing.T) {
	tests := []struct {
		host, target, authorization string
		serves                      bool
		bucket, key                 string
	}{
		{"localhost:4566", "/b/k", "AWS4-HMAC-SHA256 Credential=A/20260301/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0", true, "b", "k"},
		{"localhost:4566", "/b/k", "AWS4-HMAC-SHA256 Credential=A/20260301/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=0", false, "b", "k"},
		{"localhost:4566", "/b/k", "", false, "b", "k"},
		{"localhost:4566", "/b/k?AWSAccessKeyId=A&Signature=s&Expires=1", "", true, "b", "k"},
		{"127.0.0.1:4566", "/b//k%2F%20", "", false, "b", "/k/ "},
		{"s3.amazonaws.com", "/b/k", "", true, "b", "k"},
		{"s3.localhost:4566", "/b/k", "", true, "b", "k"},
		{"b.localhost:4566", "/k/l", "", false, "b", "k/l"},
		{"a.b.s3.eu-west-1.amazonaws.com", "/k", "", true, "a.b", "k"},
		{"b.s3-eu-west-1.amazonaws.com", "/", "", true, "b", ""},
		{"b.s3.dualstack.us-east-1.amazonaws.com", "/k", "", true, "b", "k"},
		{"s3.s3.localhost", "/k", "", true, "s3", "k"},
		{"example.com", "/b/k", "", false, "b", "k"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", tt.target, nil)
		r.Host = tt.host
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
			r.Header.Set("X-Amz-Date", "20260301T000000Z")
		}
		p := locate(r)
		if got := Serves(r); got != tt.serves || p.Bucket != tt.bucket || p.Key != tt.key {
			t.Errorf("%s%s: %v %+v", tt.host, tt.target, got, p)
		}
	}
}
