package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// oneKey is a Keys that knows one key, with or without a session token.
type oneKey struct{ id, secret, token string }

func (k oneKey) Key(_ context.Context, id, token string) (Key, error) {
	switch {
	case id != k.id:
		return Key{}, ErrUnknownKey
	case token != k.token:
		return Key{}, ErrBadToken
	}
	return Key{Secret: k.secret, Account: "123456789012", Principal: id}, nil
}

func at(stamp string) func() time.Time {
	t, err := time.Parse(basicTime, stamp)
	if err != nil {
		panic(err)
	}
	return func() time.Time { return t }
}

// request parses a raw HTTP/1.1 request as a server would.
func request(t testing.TB, raw string) (*http.Request, []byte) {
	t.Helper()
	head, body, _ := strings.Cut(raw, "\n\n")
	head = strings.ReplaceAll(head, "\n", "\r\n")
	if body != "" && !strings.Contains(strings.ToLower(head), "content-length:") {
		head += fmt.Sprintf("\r\nContent-Length: %d", len(body))
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return r, data
}

func verify(v *Verifier, r *http.Request, body []byte) error {
	c, err := Parse(r)
	if err != nil {
		return err
	}
	_, err = v.Verify(context.Background(), r, c, body)
	return err
}

func reason(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

const suiteAuth = "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=%s, Signature=%s"

// TestSuite holds the verifier against signatures of the published SigV4 test
// suite.
func TestSuite(t *testing.T) {
	const dateHost = "host;x-amz-date"
	const vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	const token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	tests := []struct{ name, head, signed, signature, body, token string }{
		{"get-vanilla", "GET / HTTP/1.1", dateHost, vanilla, "", ""},
		{"get-relative", "GET /example/.. HTTP/1.1", dateHost, vanilla, "", ""},
		{"get-relative-relative", "GET /example1/example2/../.. HTTP/1.1", dateHost, vanilla, "", ""},
		{"get-slash-dot-slash", "GET /./ HTTP/1.1", dateHost, vanilla, "", ""},
		{"get-slash", "GET // HTTP/1.1", dateHost, vanilla, "", ""},
		{"get-slashes", "GET //example// HTTP/1.1", dateHost, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", "", ""},
		{"get-slash-pointless-dot", "GET /./example HTTP/1.1", dateHost, "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5", "", ""},
		{"get-unreserved", "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1", dateHost, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f", "", ""},
		{"get-vanilla-query-order-key-case", "GET /?Param2=value2&Param1=value1 HTTP/1.1", dateHost, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", "", ""},
		{"get-vanilla-utf8-query", "GET /?%E1%88%B4=bar HTTP/1.1", dateHost, "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", "", ""},
		{"get-header-key-duplicate", "GET / HTTP/1.1\nMy-Header1: value2\nMy-Header1: value2\nMy-Header1: value1", "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea", "", ""},
		{"get-header-value-order", "GET / HTTP/1.1\nMy-Header1: value4\nMy-Header1: value1\nMy-Header1: value3\nMy-Header1: value2", "host;my-header1;x-amz-date", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01", "", ""},
		{"get-header-value-trim", "GET / HTTP/1.1\nMy-Header1:  value1\nMy-Header2:  \"a   b   c\"", "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", "", ""},
		{"post-vanilla", "POST / HTTP/1.1", dateHost, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "", ""},
		{"post-vanilla-query", "POST /?Param1=value1 HTTP/1.1", dateHost, "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", "", ""},
		{"post-header-key-sort", "POST / HTTP/1.1\nMy-Header1: value1", "host;my-header1;x-amz-date", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c", "", ""},
		{"post-x-www-form-urlencoded", "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a", "Param1=value1", ""},
		{"post-sts-header-before", "POST / HTTP/1.1\nX-Amz-Security-Token: " + token, "host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead", "", token},
		{"post-sts-header-after", "POST / HTTP/1.1\nX-Amz-Security-Token: " + token, dateHost, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "", token},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := NewVerifier(oneKey{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", tt.token}, at("20150830T123600Z"))
			raw := tt.head + "\nHost: example.amazonaws.com\nX-Amz-Date: 20150830T123600Z\n" + fmt.Sprintf(suiteAuth, tt.signed, tt.signature) + "\n\n" + tt.body
			r, body := request(t, raw)
			if err := verify(v, r, body); err != nil {
				t.Fatal(err)
			}
			last := tt.signature[len(tt.signature)-1]
			forged := strings.Replace(raw, tt.signature, tt.signature[:63]+string("0f"[b2i(last == '0')]), 1)
			r, body = request(t, forged)
			if err := verify(v, r, body); reason(err) != Mismatch {
				t.Fatalf("forged signature: %v", err)
			}
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

const (
	s3Key    = "AKIAIOSFODNN7EXAMPLE"
	s3Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	s3Auth   = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s"
)

// TestS3Examples are the worked examples of the Amazon S3 API Reference.
func TestS3Examples(t *testing.T) {
	const common = "\nHost: examplebucket.s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n"
	const empty = "x-amz-content-sha256: " + emptyHash + "\n"
	tests := []struct{ name, raw string }{
		{"get object", "GET /test.txt HTTP/1.1" + common + empty + "Range: bytes=0-9\n" +
			fmt.Sprintf(s3Auth, "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")},
		{"put object", "PUT /test$file.text HTTP/1.1" + common + "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n" +
			"Date: Fri, 24 May 2013 00:00:00 GMT\nx-amz-storage-class: REDUCED_REDUNDANCY\n" +
			fmt.Sprintf(s3Auth, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") +
			"\n\nWelcome to Amazon S3."},
		{"get lifecycle", "GET /?lifecycle HTTP/1.1" + common + empty +
			fmt.Sprintf(s3Auth, "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")},
		{"list objects", "GET /?max-keys=2&prefix=J HTTP/1.1" + common + empty +
			fmt.Sprintf(s3Auth, "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")},
		{"presigned", "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
			"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\nHost: examplebucket.s3.amazonaws.com"},
	}
	v := NewVerifier(oneKey{s3Key, s3Secret, ""}, at("20130524T000500Z"))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, want := request(t, tt.raw)
			got, err := verifyStream(v, r)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
	put := tests[1].raw
	r, _ := request(t, strings.Replace(put, "Welcome", "welcome", 1))
	if _, err := verifyStream(v, r); reason(err) != BodyMismatch {
		t.Fatalf("changed body: %v", err)
	}
	presigned := tests[4].raw
	r, _ = request(t, presigned)
	late := NewVerifier(oneKey{s3Key, s3Secret, ""}, at("20130525T000001Z"))
	if _, err := verifyStream(late, r); reason(err) != TooOld || !strings.Contains(err.Error(), "Request has expired") {
		t.Fatalf("expired: %v", err)
	}
}

func verifyStream(v *Verifier, r *http.Request) ([]byte, error) {
	c, err := Parse(r)
	if err != nil {
		return nil, err
	}
	_, body, err := v.VerifyStream(context.Background(), r, c)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// chunkedExample is the signed chunk upload of the Amazon S3 API Reference.
func chunkedExample() string {
	a := func(n int) string { return strings.Repeat("a", n) }
	return "PUT /examplebucket/chunkObject.txt HTTP/1.1\nHost: s3.amazonaws.com\nx-amz-date: 20130524T000000Z\n" +
		"x-amz-storage-class: REDUCED_REDUNDANCY\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n" +
		"Content-Encoding: aws-chunked\nx-amz-decoded-content-length: 66560\nContent-Length: 66824\n" +
		fmt.Sprintf(s3Auth, "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9") + "\n\n" +
		"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + a(65536) + "\r\n" +
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + a(1024) + "\r\n" +
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
}

func TestChunkedExample(t *testing.T) {
	v := NewVerifier(oneKey{s3Key, s3Secret, ""}, at("20130524T000000Z"))
	raw := chunkedExample()
	r, _ := request(t, raw)
	got, err := verifyStream(v, r)
	if err != nil || len(got) != 66560 || strings.Trim(string(got), "a") != "" {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	tests := []struct{ name, old, new string }{
		{"a byte of the first chunk", "aaaa\r\n400;", "aaab\r\n400;"},
		{"a byte of the second chunk", "aaaa\r\n0;", "aaab\r\n0;"},
		{"chunk signature", "ad80c730", "ad80c731"},
		{"last signature", "b6c6ea8a", "b6c6ea8b"},
		{"chunk boundaries moved", "10000;", "0ffff;"},
		{"second chunk dropped", "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) + "\r\n", ""},
		{"no chunk signature", ";chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", ""},
		{"last chunk dropped", "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n", ""},
		{"huge chunk announced", "10000;", "7fffffffffffffff;"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := strings.Index(raw, "\n\n") + 2
			head, body := raw[:i], strings.Replace(raw[i:], tt.old, tt.new, 1)
			if body == raw[i:] {
				t.Fatal("mutation did not apply")
			}
			r, _ := request(t, head+strings.Repeat(" ", 66824))
			r.Body = io.NopCloser(strings.NewReader(body))
			if _, err := verifyStream(v, r); err == nil {
				t.Fatal("verified")
			}
		})
	}
}
