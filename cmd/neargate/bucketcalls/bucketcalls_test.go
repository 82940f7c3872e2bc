package bucketcalls

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"neargate/audit"
	"neargate/service/s3"
)

// TestOf tells of calls what events may show, and no secrets.
func TestOf(t *testing.T) {
	c := &s3.Call{Operation: "PutObject", Bucket: "b", Key: "k", Owner: "1", SignedBy: "SigV4", SignedIn: "QueryString", In: 3,
		Query: url.Values{"X-Amz-Signature": {"s3cr3t"}, "X-Amz-Credential": {"s3cr3t"}, "X-Amz-Security-Token": {"s3cr3t"}, "X-Amz-Expires": {"60"}, "x-id": {"PutObject"}, "partNumber": {"1"}},
		Header: http.Header{"X-Amz-Acl": {"private"}, "X-Amz-Meta-A": {"s3cr3t"}, "X-Amz-Server-Side-Encryption-Customer-Key": {"s3cr3t"}, "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key": {"s3cr3t"},
			"X-Amz-Server-Side-Encryption-Customer-Algorithm": {"AES256"}, "Authorization": {"s3cr3t"}, "X-Amz-Security-Token": {"s3cr3t"}},
		Answer: http.Header{"x-amz-version-id": {"v"}, "x-amz-id-2": {"id2"}, "Content-Length": {"0"}},
	}
	if out := Of(c, false); out.Input != nil || out.Service != "s3" || out.Operation != "PutObject" {
		t.Errorf("%+v", out)
	}
	want := audit.Access{
		Bucket: "b", Key: "k", Owner: "1", Signature: "SigV4", Authentication: "QueryString", Encryption: "SSE_C", ID2: "id2", In: 3,
		Parameters: []audit.Pair{{Name: "X-Amz-Expires", Value: "60"}, {Name: "partNumber", Value: "1"}, {Name: "x-amz-acl", Value: "private"}, {Name: "x-amz-server-side-encryption-customer-algorithm", Value: "AES256"}},
		Answers:    []audit.Pair{{Name: "x-amz-version-id", Value: "v"}},
	}
	out := Of(c, true)
	if got, ok := out.Input.(*audit.Access); !ok || fmt.Sprint(*got) != fmt.Sprint(want) || out.Read == 0 {
		t.Errorf("%+v, want %+v", out.Input, want)
	}
	list := Of(&s3.Call{Operation: "ListObjectsV2", Bucket: "b", Query: url.Values{"prefix": {"p/"}}}, true)
	if a := list.Input.(*audit.Access); !a.Many || a.Key != "p/" {
		t.Errorf("%+v", a)
	}
	if of := Of(&s3.Call{Operation: "PutBucketPolicy", Bucket: "b"}, true); fmt.Sprintf("%T", of.Input) != "*struct { Bucket *string }" {
		t.Errorf("%T", of.Input)
	}
}

// TestEncryption says how content is encrypted and who wanted it so.
func TestEncryption(t *testing.T) {
	for want, tt := range map[string]struct{ asked, answered string }{
		"": {}, "Default_SSE_S3": {"", "AES256"}, "SSE_S3": {"AES256", "AES256"}, "Default_SSE_KMS": {"", "aws:kms"}, "SSE_KMS": {"aws:kms", "aws:kms"},
	} {
		asked, answered := http.Header{}, http.Header{}
		if tt.asked != "" {
			asked.Set("X-Amz-Server-Side-Encryption", tt.asked)
		}
		if tt.answered != "" {
			answered["x-amz-server-side-encryption"] = []string{tt.answered}
		}
		if got := encryption(asked, answered); got != want {
			t.Errorf("%+v: %s, want %s", tt, got, want)
		}
	}
}
