package s3

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

// post is a form: fields as "name: value", and a file, whose name is after a bar.
type post struct {
	w          *world
	user       string
	anywhere   bool   // no condition is about the bucket
	conditions string // beside those of the signature, and of the bucket where it is in none; "" for no policy
	fields     []string
	file       string
	region     string
	expires    time.Duration
	old        bool // signed by version 2
	change     func(name, value string) (string, bool)
	headers    []string
}

func (w *world) form(user, conditions, file string, fields ...string) *post {
	return &post{w: w, user: user, conditions: conditions, fields: fields, file: file, region: "us-east-1", expires: time.Hour,
		change: func(_, value string) (string, bool) { return value, true }}
}

func (p *post) to(target string) answer {
	p.w.t.Helper()
	fields := p.fields
	k := p.w.keys[p.user]
	if p.conditions != "" && !strings.Contains(p.conditions, `"bucket"`) && !p.anywhere {
		p.conditions += `, {"bucket": "bkt"}`
	}
	if p.conditions != "" {
		scope := p.w.now.UTC().Format("20060102") + "/" + p.region + "/s3/aws4_request"
		stamp := p.w.now.UTC().Format("20060102T150405Z")
		if !p.old {
			p.conditions += fmt.Sprintf(`, {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "%s/%s"}, {"x-amz-date": "%s"}`, k.ID, scope, stamp)
		}
		policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration": "` + p.w.now.Add(p.expires).UTC().Format("2006-01-02T15:04:05Z") + `", "conditions": [` + p.conditions + `]}`))
		if p.old {
			h := hmac.New(sha1.New, []byte(k.Secret))
			h.Write([]byte(policy))
			fields = append(fields, "AWSAccessKeyId: "+k.ID, "policy: "+policy, "signature: "+base64.StdEncoding.EncodeToString(h.Sum(nil)))
		} else {
			key := []byte("AWS4" + k.Secret)
			for part := range strings.SplitSeq(scope, "/") {
				key = mac(key, part)
			}
			fields = append(fields, "X-Amz-Algorithm: AWS4-HMAC-SHA256", "x-amz-credential: "+k.ID+"/"+scope, "x-amz-date: "+stamp, "Policy: "+policy, "x-amz-signature: "+hex.EncodeToString(mac(key, policy)))
		}
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		value, ok := p.change(name, value)
		if !ok {
			continue
		}
		if err := m.WriteField(name, value); err != nil {
			p.w.t.Fatal(err)
		}
	}
	if content, name, ok := strings.Cut(p.file, "|"); ok {
		part, err := m.CreateFormFile("file", name)
		if err != nil {
			p.w.t.Fatal(err)
		}
		if _, err := part.Write([]byte(content)); err != nil {
			p.w.t.Fatal(err)
		}
	}
	if err := m.WriteField("submit", "behind the file"); err != nil {
		p.w.t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		p.w.t.Fatal(err)
	}
	r, err := http.NewRequest("POST", p.w.server.URL+target, &b)
	if err != nil {
		p.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	for _, h := range p.headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	return p.w.send(r)
}

// TestForm takes forms, and answers as they ask.
func TestForm(t *testing.T) {
	http.DefaultClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { http.DefaultClient.CheckRedirect = nil })
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	a := w.must(w.form("root", `{"bucket": "bkt"}, ["starts-with", "$key", "in/"]`, "hello|C:\\dir\\a b.txt", "key: in/${filename}").to("/bkt"), 204, "", "Etag: \"5d41402abc4b2a76b9719d911017c592\"", "X-Amz-Checksum-Type: FULL_OBJECT")
	if at := a.header.Get("Location"); at != w.server.URL+"/bkt/in%2Fa%20b.txt" || a.body != "" {
		t.Error(at, a.body)
	}
	w.must(w.do("root", "GET /bkt/in/a%20b.txt", ""), 200, "hello", "Content-Type: binary/octet-stream")

	all := `{"bucket": "bkt"}, {"key": "k"}, {"Content-Type": "text/x"}, ["starts-with", "$x-amz-meta-who", ""], {"acl": "private"}, ["starts-with", "$tagging", ""], {"cache-control": "no-store"}, {"x-amz-storage-class": "STANDARD_IA"}, {"success_action_status": "201"}, ["content-length-range", "5", 5]`
	a = w.must(w.form("root", all, "hello|n", "key: k", "content-type: text/x", "x-amz-meta-WHO: me", "acl: private", "tagging: <Tagging><TagSet><Tag><Key>a</Key><Value>1&amp;2</Value></Tag></TagSet></Tagging>",
		"Cache-Control: no-store", "x-amz-storage-class: STANDARD_IA", "success_action_status: 201", "x-ignore-me: 1").to("/"+"bkt"), 201, "<Bucket>bkt</Bucket><Key>k</Key><ETag>&#34;5d41402abc4b2a76b9719d911017c592&#34;</ETag>")
	if at := element(a, "Location"); at != w.server.URL+"/bkt/k" || !strings.Contains(a.body, "<PostResponse><Location>") {
		t.Error(a.body)
	}
	w.must(w.do("root", "GET /bkt/k", ""), 200, "hello", "Content-Type: text/x", "X-Amz-Meta-Who: me", "Cache-Control: no-store", "X-Amz-Tagging-Count: 1", "X-Amz-Storage-Class: STANDARD_IA")
	w.must(w.do("root", "GET /bkt/k?tagging", ""), 200, "<Key>a</Key><Value>1&amp;2</Value>")

	old := w.form("root", `{"bucket": "bkt"}, {"key": "v2"}`, "x|n", "key: v2")
	old.old = true
	w.must(old.to("/bkt"), 204, "")
	host := w.form("root", `{"key": "h"}`, "x|n", "key: h")
	host.headers = []string{"Host: bkt.s3.localhost"}
	if a := w.must(host.to("/"), 204, ""); a.header.Get("Location") != "http://bkt.s3.localhost/h" {
		t.Error(a.header)
	}
	for target, want := range map[string]string{
		"http://h.example/done":       "http://h.example/done?bucket=bkt&key=d%2Fa+b&etag=%229dd4e461268c8034f5c8564e155c67a6%22",
		"http://h.example/done?a=b c": "http://h.example/done?a=b c&bucket=bkt&key=d%2Fa+b&etag=%229dd4e461268c8034f5c8564e155c67a6%22",
	} {
		a := w.must(w.form("root", `{"key": "d/a b"}, ["starts-with", "$success_action_redirect", ""]`, "x|n", "key: d/a b", "success_action_redirect: "+target).to("/bkt"), 303, "")
		if got := a.header.Get("Location"); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	w.must(w.form("root", `{"key": "r"}, {"success_action_redirect": "/relative"}, {"success_action_status": "404"}`, "x|n", "key: r", "success_action_redirect: /relative", "success_action_status: 404").to("/bkt"), 204, "")
	w.must(w.form("root", `{"key": "ok"}, {"success_action_status": "200"}`, "x|n", "key: ok", "success_action_status: 200").to("/bkt"), 200, "")
	big := strings.Repeat("0123456789abcdef", 1<<16)
	w.must(w.form("root", `{"key": "big"}`, big+"|n", "key: big").to("/bkt"), 204, "")
	if a := w.do("root", "GET /bkt/big", ""); a.body != big {
		t.Errorf("%d bytes", len(a.body))
	}
	for i, c := range w.calls {
		if c.Operation == "PostObject" && (c.Key == "" || c.AccessKeyID == "" || c.In == 0 || c.Code != "") {
			t.Errorf("call %d: %+v", i, c)
		}
	}
}

// TestFormRefused refuses forms in Amazon S3's words, and writes nothing.
func TestFormRefused(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	w.allow("bob", `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/bob/*","Condition":{"StringEquals":{"s3:authType":"POST","s3:signatureversion":"AWS4-HMAC-SHA256"}}}`)
	form := func() *post { return w.form("root", `{"key": "k"}`, "hello|n", "key: k") }
	without := func(names ...string) *post {
		p := form()
		p.change = func(name, value string) (string, bool) {
			for _, n := range names {
				if strings.EqualFold(n, name) {
					return "", false
				}
			}
			return value, true
		}
		return p
	}
	with := func(name string, f func(string) string) *post {
		p := form()
		p.change = func(n, value string) (string, bool) {
			if strings.EqualFold(n, name) {
				value = f(value)
			}
			return value, true
		}
		return p
	}
	to := func(v string) func(string) string { return func(string) string { return v } }
	expired, foreign, old, anywhere := form(), form(), form(), form()
	anywhere.anywhere = true
	expired.expires, foreign.region, old.old = -time.Second, "us-west-2", true
	old.change = without("AWSAccessKeyId").change
	const order = "  If it is specified, please check the order of the fields.</Message>"
	for name, tt := range map[string]struct {
		form   *post
		status int
		want   string
	}{
		"expired":       {expired, 403, "<Code>AccessDenied</Code><Message>Invalid according to Policy: Policy expired.</Message>"},
		"condition":     {w.form("root", `{"key": "other"}`, "x|n", "key: k"), 403, "Invalid according to Policy: Policy Condition failed: [&#34;eq&#34;, &#34;$key&#34;, &#34;other&#34;]"},
		"bucket":        {w.form("root", `{"bucket": "other"}, {"key": "k"}`, "x|n", "key: k"), 403, "Policy Condition failed: [&#34;eq&#34;, &#34;$bucket&#34;"},
		"any bucket":    {anywhere, 403, "Invalid according to Policy: Extra input fields: bucket"},
		"said twice":    {w.form("root", `["starts-with", "$key", "in/"]`, "x|n", "key: out", "KEY: in/a"), 403, "Policy Condition failed"},
		"file's name":   {w.form("root", `["starts-with", "$key", "in/"]`, "x|in/a", "key: ${filename}"), 403, "Policy Condition failed"},
		"extra":         {w.form("root", `{"key": "k"}`, "x|n", "key: k", "StorageClass: x"), 403, "Invalid according to Policy: Extra input fields: StorageClass"},
		"large":         {w.form("root", `{"key": "k"}, ["content-length-range", 5, 10]`, "123456789012|n", "key: k"), 400, "<Code>EntityTooLarge</Code><Message>Your proposed upload exceeds the maximum allowed size</Message><ProposedSize>12</ProposedSize><MaxSizeAllowed>10</MaxSizeAllowed>"},
		"small":         {w.form("root", `{"key": "k"}, ["content-length-range", 5, 10]`, "1|n", "key: k"), 400, "<Code>EntityTooSmall</Code><Message>Your proposed upload is smaller than the minimum allowed size</Message><ProposedSize>1</ProposedSize><MinSizeAllowed>5</MinSizeAllowed>"},
		"no key":        {w.form("root", `["starts-with", "$key", ""]`, "x|n"), 400, "<Message>Bucket POST must contain a field named 'key'." + order + "<ArgumentName>key</ArgumentName>"},
		"empty key":     {w.form("root", `["starts-with", "$key", ""]`, "x|n", "key: "), 400, "User key must have a length greater than 0."},
		"long key":      {w.form("root", `["starts-with", "$key", ""]`, "x|n", "key: "+strings.Repeat("k", 1025)), 400, "<Code>KeyTooLongError</Code>"},
		"no file":       {w.form("root", `{"key": "k"}`, "", "key: k"), 400, "<Code>InvalidArgument</Code><Message>POST requires exactly one file upload per request.</Message><ArgumentName>file</ArgumentName><ArgumentValue>0</ArgumentValue>"},
		"no signature":  {without("x-amz-signature"), 400, "Bucket POST must contain a field named 'X-Amz-Signature'." + order},
		"two absent":    {without("x-amz-algorithm", "x-amz-credential"), 400, "Bucket POST must contain a field named 'X-Amz-Algorithm'." + order},
		"no id":         {old, 400, "Bucket POST must contain a field named 'AWSAccessKeyId'." + order},
		"no policy":     {without("policy"), 400, "Bucket POST must contain a field named 'Policy'." + order},
		"unsigned":      {without("x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date"), 403, "<Code>AccessDenied</Code><Message>Access Denied</Message>"},
		"nobody":        {w.form("", "", "x|n", "key: k"), 403, "<Code>AccessDenied</Code><Message>Access Denied</Message>"},
		"signature":     {with("x-amz-signature", to("00")), 403, "<Code>SignatureDoesNotMatch</Code>"},
		"cut policy":    {with("policy", func(v string) string { return v[:len(v)-4] }), 403, "<SignatureProvided>"},
		"unknown key":   {with("x-amz-credential", func(v string) string { return "AKIANOBODY00000000000/" + v[strings.Index(v, "/")+1:] }), 403, "<Code>InvalidAccessKeyId</Code>"},
		"empty id":      {with("x-amz-credential", func(v string) string { return v[strings.Index(v, "/"):] }), 400, "a non-empty Access Key (AKID) must be provided in the credential."},
		"credential":    {with("x-amz-credential", to("x")), 400, "the Credential is mal-formed"},
		"day":           {with("x-amz-credential", to("a/2026/us-east-1/s3/aws4_request")), 400, "incorrect date format"},
		"service":       {with("x-amz-credential", to("a/20260301/us-east-1/sns/aws4_request")), 400, "incorrect service"},
		"terminal":      {with("x-amz-credential", to("a/20260301/us-east-1/s3/aws5")), 400, "incorrect terminal"},
		"algorithm":     {with("x-amz-algorithm", to("AWS4-ECDSA")), 400, "X-Amz-Algorithm only supports"},
		"date":          {with("x-amz-date", to("yesterday")), 400, "X-Amz-Date must be formated via ISO8601 Long format"},
		"region":        {foreign, 400, "<Code>InvalidArgument</Code><Message>the region 'us-west-2' is wrong; expecting 'us-east-1'</Message>"},
		"token":         {w.form("root", `{"key": "k"}, {"x-amz-security-token": "t"}`, "x|n", "key: k", "x-amz-security-token: t"), 403, "<Code>"},
		"public":        {w.form("root", `{"key": "k"}, {"acl": "public-read"}`, "x|n", "key: k", "acl: public-read"), 400, "<Code>AccessControlListNotSupported</Code>"},
		"class":         {w.form("root", `{"key": "k"}, {"x-amz-storage-class": "Fake"}`, "x|n", "key: k", "x-amz-storage-class: Fake"), 400, "<Code>InvalidStorageClass</Code>"},
		"tags":          {w.form("root", `{"key": "k"}, {"tagging": "not-xml"}`, "x|n", "key: k", "tagging: not-xml"), 400, "<Code>MalformedXML</Code>"},
		"checksum":      {w.form("root", `{"key": "k"}, ["starts-with", "$x-amz-checksum-sha256", ""]`, "x|n", "key: k", "x-amz-checksum-sha256: aTL9MeXa9HObn6eP93eygxsJlcwdCwCTysgGAZAgE7w="), 400, "<Code>BadDigest</Code>"},
		"MD5":           {w.form("root", `{"key": "k"}, ["starts-with", "$Content-MD5", ""]`, "x|n", "key: k", "Content-MD5: XUFAKrxLKna5cZ2REBfFkg=="), 400, "<Code>BadDigest</Code>"},
		"long fields":   {w.form("root", `["starts-with", "$key", ""], ["starts-with", "$x-amz-meta-a", ""]`, "x|n", "key: k", "x-amz-meta-a: "+strings.Repeat("x", 20<<10)), 400, "<Code>MaxPostPreDataLengthExceeded</Code>"},
		"longer fields": {w.form("root", `["starts-with", "$key", ""]`, "x|n", "key: k", "a: "+strings.Repeat("x", 1<<20)), 400, "<MaxPostPreDataLengthBytes>20480</MaxPostPreDataLengthBytes>"},
		"not allowed":   {w.form("ann", `{"key": "k"}`, "x|n", "key: k"), 403, "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: s3:PutObject on resource: &#34;arn:aws:s3:::bkt/k&#34;"},
		"another's":     {w.form("bob", `{"key": "ann/k"}`, "x|n", "key: ann/k"), 403, "is not authorized to perform: s3:PutObject"},
	} {
		a := tt.form.to("/bkt")
		if a.status != tt.status || !strings.Contains(strings.ReplaceAll(a.body, "&#39;", "'"), tt.want) {
			t.Errorf("%s: %d %s\nwant %d %s", name, a.status, a.body, tt.status, tt.want)
		}
	}
	w.must(w.do("", "POST /bkt", "x", "Content-Type: text/html"), 412, "<Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold</Message><Condition>Bucket POST must be of the enclosure-type multipart/form-data</Condition>")
	w.must(w.do("", "POST /bkt", "x", "Content-Type: multipart/form-data"), 400, "<Code>MalformedPOSTRequest</Code>")
	w.must(w.do("", "POST /bkt", "x", "Content-Type: multipart/form-data; boundary=b"), 400, "<Code>")
	w.must(w.do("", "POST /bkt", "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ncut", "Content-Type: multipart/form-data; boundary=b"), 403, "<Code>AccessDenied</Code>")
	w.must(w.do("", "POST /none", "x", "Content-Type: multipart/form-data; boundary=b"), 404, "<Code>NoSuchBucket</Code>")
	w.must(w.do("root", "GET /bkt?list-type=2", ""), 200, "<KeyCount>0</KeyCount>")

	w.must(w.form("bob", `{"key": "bob/k"}`, "x|n", "key: bob/k").to("/bkt"), 204, "")
	w.must(w.do("root", "DELETE /bkt?publicAccessBlock", ""), 204, "")
	w.must(w.do("root", "PUT /bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/open/*"}]}`), 204, "")
	w.must(w.form("", "", "x|n", "key: open/k").to("/bkt"), 204, "")
	w.must(w.form("", "", "x|n", "key: k").to("/bkt"), 403, "<Code>AccessDenied</Code>")
	cut := "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nopen/cut\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ncut"
	w.must(w.do("", "POST /bkt", cut, "Content-Type: multipart/form-data; boundary=b"), 400, "<Code>MalformedPOSTRequest</Code>")
	w.must(w.do("root", "HEAD /bkt/open/cut", ""), 404, "")
}
