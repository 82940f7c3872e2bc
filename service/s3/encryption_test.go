package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neargate/auth"
	awskms "neargate/aws/kms"
	"neargate/resource/identity"
	"neargate/resource/objects"
)

// caller is a user's or root's context, as KMS sees it.
func (w *world) caller(user string) context.Context {
	c := auth.Caller{Account: account, Region: "us-east-1", Partition: "aws", ARN: identity.RootARN(account), UserID: account}
	if user != "root" {
		c.ARN, c.UserID = "arn:aws:iam::"+account+":user/"+user, "AIDA"+user
	}
	return auth.WithCaller(w.t.Context(), c)
}

// newKey makes a KMS key, with a policy where one is given, and returns its ARN.
func (w *world) newKey(policy string) string {
	w.t.Helper()
	in := &awskms.CreateKeyInput{}
	if policy != "" {
		in.Policy = &policy
	}
	out, err := w.kms.CreateKey(w.caller("root"), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.KeyMetadata.Arn
}

// onDisk reports whether a text is in any of the engine's files.
func (w *world) onDisk(text string) bool {
	w.t.Helper()
	found := false
	err := filepath.WalkDir(w.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

const (
	kmsHeader = "X-Amz-Server-Side-Encryption: aws:kms"
	keyHeader = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: "
)

// TestKMS writes, copies and reads objects under keys of KMS, small and large, and in
// parts, with the permissions that it takes.
func TestKMS(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	arn := w.newKey("")
	large := strings.Repeat("secret of many", 1<<14)
	for name, content := range map[string]string{"small": "secret of few", "large": large, "none": ""} {
		a := w.must(w.do("root", "PUT /bkt/"+name, content, kmsHeader, keyHeader+arn), 200, "",
			"X-Amz-Server-Side-Encryption: aws:kms", keyHeader+arn, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: ")
		plain := w.must(w.do("root", "PUT /bkt/plain", content), 200, "", "X-Amz-Server-Side-Encryption: AES256")
		if a.header.Get("Etag") == plain.header.Get("Etag") || len(a.header.Get("Etag")) != 34 {
			t.Error("the ETag tells the content", a.header.Get("Etag"))
		}
		w.must(w.do("root", "HEAD /bkt/"+name, ""), 200, "", "X-Amz-Server-Side-Encryption: aws:kms", keyHeader+arn)
		if got := w.must(w.do("root", "GET /bkt/"+name, ""), 200, "", "Etag: "+a.header.Get("Etag")); got.body != content {
			t.Errorf("%s: %d bytes", name, len(got.body))
		}
	}
	if got := w.must(w.do("root", "GET /bkt/large", "", "Range: bytes=100001-100010"), 206, ""); got.body != large[100001:100011] {
		t.Errorf("%q", got.body)
	}
	if w.onDisk("secret of") {
		t.Error("content is on disk as it is")
	}
	w.must(w.do("", "GET /bkt/small", ""), 403, "")

	// What ann may do with the object does not give her the key.
	w.allow("ann", `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
	w.must(w.do("ann", "PUT /bkt/hers", "x", kmsHeader, keyHeader+arn), 403, "<Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/ann is not authorized to perform: kms:GenerateDataKey on resource: "+arn+" because no identity-based policy allows the kms:GenerateDataKey action")
	w.must(w.do("ann", "GET /bkt/small", ""), 403, "<Code>AccessDenied</Code>")
	w.must(w.do("ann", "PUT /bkt/copy", "", "X-Amz-Copy-Source: /bkt/small"), 403, "<Code>AccessDenied</Code>")
	w.must(w.do("ann", "HEAD /bkt/small", ""), 200, "")
	w.allow("ann", `{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::bkt/small","kms:ViaService":"s3.us-east-1.amazonaws.com"}}}`)
	w.must(w.do("ann", "GET /bkt/small", ""), 200, "secret of few")
	w.must(w.do("ann", "GET /bkt/large", ""), 403, "<Code>AccessDenied</Code>")
	w.must(w.do("ann", "PUT /bkt/copy", "", "X-Amz-Copy-Source: /bkt/small"), 200, "<CopyObjectResult", "X-Amz-Server-Side-Encryption: AES256")
	w.must(w.do("ann", "GET /bkt/copy", ""), 200, "secret of few")
	w.must(w.do("ann", "POST /bkt/parts?uploads", "", kmsHeader, keyHeader+arn), 403, "")

	// In parts, of which one is a copy.
	begun := w.must(w.do("root", "POST /bkt/parts?uploads", "", kmsHeader, keyHeader+arn, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: true"), 200, "",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: true", keyHeader+arn)
	id := element(begun, "UploadId")
	first := strings.Repeat("secret of parts", 1<<19)
	one := w.must(w.do("root", "PUT /bkt/parts?partNumber=1&uploadId="+id, first), 200, "", "X-Amz-Server-Side-Encryption: aws:kms").header.Get("Etag")
	w.must(w.do("ann", "PUT /bkt/parts?partNumber=1&uploadId="+id, "y"), 403, "")
	two := element(w.must(w.do("root", "PUT /bkt/parts?partNumber=2&uploadId="+id, "", "X-Amz-Copy-Source: /bkt/small"), 200, "<ETag>"), "ETag")
	w.must(w.do("root", "POST /bkt/parts?uploadId="+id, `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>`+one+`</ETag></Part><Part><PartNumber>2</PartNumber><ETag>`+strings.ReplaceAll(two, "&#34;", "")+`</ETag></Part></CompleteMultipartUpload>`),
		200, "", "X-Amz-Server-Side-Encryption: aws:kms", keyHeader+arn)
	if got := w.must(w.do("root", "GET /bkt/parts", ""), 200, ""); got.body != first+"secret of few" {
		t.Errorf("%d bytes", len(got.body))
	}
	w.allow("ann", `{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"kms:Decrypt","Resource":"`+arn+`","Condition":{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::bkt"}}}`)
	w.must(w.do("ann", "GET /bkt/parts", "", "Range: bytes=0-5"), 206, "secret")

	// A key that is disabled, or gone.
	if _, err := w.kms.DisableKey(w.caller("root"), &awskms.DisableKeyInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	w.must(w.do("root", "GET /bkt/small", ""), 400, "<Code>KMS.DisabledException</Code><Message>"+arn+" is disabled.</Message>")
	w.must(w.do("root", "PUT /bkt/again", "x", kmsHeader, keyHeader+arn), 400, "<Code>KMS.DisabledException</Code>")
	w.must(w.do("root", "HEAD /bkt/again", ""), 404, "")
	if _, err := w.kms.ScheduleKeyDeletion(w.caller("root"), &awskms.ScheduleKeyDeletionInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	w.must(w.do("root", "GET /bkt/small", ""), 400, "<Code>KMS.KMSInvalidStateException</Code>")
}

// TestKMSHeaders refuses what the headers cannot mean, and lists an own context.
func TestKMSHeaders(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	arn := w.newKey("")
	context := base64.StdEncoding.EncodeToString([]byte(`{"team":"web"}`))
	const contextHeader = "X-Amz-Server-Side-Encryption-Context: "
	for _, tt := range []struct {
		headers []string
		status  int
		text    string
	}{
		{[]string{keyHeader + arn}, 400, "<Code>InvalidArgument</Code><Message>Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms</Message>"},
		{[]string{keyHeader + arn, "X-Amz-Server-Side-Encryption: AES256"}, 400, "<Code>InvalidArgument</Code>"},
		{[]string{kmsHeader, contextHeader + "%"}, 400, "shall be Base64-encoded"},
		{[]string{kmsHeader, contextHeader + base64.StdEncoding.EncodeToString([]byte(`["a"]`))}, 400, "shall be Base64-encoded"},
		{[]string{kmsHeader, contextHeader + base64.StdEncoding.EncodeToString([]byte(`null`))}, 400, "shall be Base64-encoded"},
		{[]string{kmsHeader, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: perhaps"}, 400, "<Code>InvalidArgument</Code>"},
		{[]string{kmsHeader, keyHeader + "11111111-2222-3333-4444-555555555555"}, 400, "<Code>KMS.NotFoundException</Code><Message>Key &#39;arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555&#39; does not exist</Message>"},
		{[]string{kmsHeader, keyHeader + "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"}, 400, "<Code>KMS.NotFoundException</Code>"},
		{[]string{"X-Amz-Server-Side-Encryption: aws:kms:dsse"}, 501, "<Code>NotImplemented</Code>"},
		{[]string{"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256"}, 400, "must provide an appropriate secret key."},
		{[]string{kmsHeader, keyHeader + arn, contextHeader + context}, 200, ""},
		{[]string{kmsHeader}, 200, ""},
	} {
		a := w.must(w.do("root", "PUT /bkt/k", "x", tt.headers...), tt.status, tt.text)
		if tt.status != 200 {
			w.must(w.do("root", "HEAD /bkt/k", ""), 404, "")
			continue
		}
		if sent := len(tt.headers) == 3; (a.header.Get("X-Amz-Server-Side-Encryption-Context") == context) != sent {
			t.Error(a.header)
		}
		w.must(w.do("root", "GET /bkt/k", ""), 200, "x")
		w.must(w.do("root", "DELETE /bkt/k", ""), 204, "")
	}
	begun := element(w.must(w.do("root", "POST /bkt/p?uploads", ""), 200, ""), "UploadId")
	w.must(w.do("root", "PUT /bkt/p?partNumber=1&uploadId="+begun, "x", kmsHeader), 400, "<Code>InvalidArgument</Code>")
}

// TestDefaultEncryption has a bucket encrypt what names nothing.
func TestDefaultEncryption(t *testing.T) {
	w := newWorld(t)
	w.must(w.do("root", "PUT /bkt", ""), 200, "")
	arn := w.newKey("")
	config := func(key string) string {
		return `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>` + key + `</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`
	}
	w.must(w.do("root", "PUT /bkt?encryption", config("<KMSMasterKeyID>"+arn+"</KMSMasterKeyID>")), 200, "")
	w.must(w.do("root", "GET /bkt?encryption", ""), 200, "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>"+arn+"</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>")
	w.must(w.do("root", "PUT /bkt/k", "x"), 200, "", kmsHeader, keyHeader+arn, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled: true")
	w.must(w.do("root", "PUT /bkt/own", "x", "X-Amz-Server-Side-Encryption: AES256"), 200, "", "X-Amz-Server-Side-Encryption: AES256")
	w.must(w.do("root", "PUT /bkt/copy", "", "X-Amz-Copy-Source: /bkt/own"), 200, "", kmsHeader)
	w.must(w.do("root", "PUT /bkt?encryption", config("")), 200, "")
	a := w.must(w.do("root", "PUT /bkt/k", "x"), 200, "", kmsHeader)
	if key := a.header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); key == arn || !strings.HasPrefix(key, "arn:aws:kms:us-east-1:123456789012:key/") {
		t.Error(key)
	}
	w.must(w.do("root", "GET /bkt/k", ""), 200, "x")

	// Parts of neargate: as a caller, and as a service, which the key's policy must let.
	var c = auth.CallerFrom(w.caller("root"))
	if _, err := w.inside.Put(t.Context(), c, "bkt", "inside", objects.About{}, strings.NewReader("in")); err != nil {
		t.Fatal(err)
	}
	content, err := w.inside.Get(t.Context(), c, "bkt", "inside", "")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(content.Range(0, 2)); err != nil || string(b) != "in" {
		t.Errorf("%q, %v", b, err)
	}
	if err := content.Close(); err != nil {
		t.Error(err)
	}
	agent := Agent{Service: "cloudtrail.amazonaws.com", Account: account, Region: "us-east-1", Source: "arn:aws:cloudtrail:us-east-1:123456789012:trail/t"}
	w.must(w.do("root", "PUT /bkt?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/*"}]}`), 204, "")
	put := func(want *Wanted) error {
		return w.inside.PutNewFor(t.Context(), agent, "bkt", "file", objects.About{}, want, strings.NewReader("events"))
	}
	if err := put(nil); Refusal(err) != "AccessDenied" {
		t.Error(err)
	}
	shared := w.newKey(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"kms:GenerateDataKey*","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:aws:cloudtrail:arn":"` + agent.Source + `","aws:SourceArn":"` + agent.Source + `"}}}]}`)
	if err := put(&Wanted{Key: shared}); Refusal(err) != "AccessDenied" {
		t.Error(err)
	}
	for range 2 {
		if err := put(&Wanted{Key: shared, Context: base64.StdEncoding.EncodeToString([]byte(`{"aws:cloudtrail:arn":"` + agent.Source + `"}`))}); err != nil {
			t.Error(err)
		}
	}
	w.must(w.do("root", "GET /bkt/file", ""), 200, "events", kmsHeader, keyHeader+shared)
	agent.Service = "logs.amazonaws.com"
	if err := put(nil); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	w.must(w.do("root", "DELETE /bkt?encryption", ""), 204, "")
	w.must(w.do("root", "PUT /bkt/k", "x"), 200, "", "X-Amz-Server-Side-Encryption: AES256")
}
