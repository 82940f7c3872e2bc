// Package sigv4_test sends requests signed by the official signer of the AWS
// SDK for Go v2 over HTTP and holds wire/sigv4 against them.
package sigv4_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"neargate/wire/sigv4"
)

const (
	id, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	token      = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaDmFwLW5v+token=="
)

type keys struct{}

func (keys) Key(_ context.Context, accessKeyID, sessionToken string) (sigv4.Key, error) {
	switch {
	case accessKeyID != id:
		return sigv4.Key{}, sigv4.ErrUnknownKey
	case sessionToken != "" && sessionToken != token:
		return sigv4.Key{}, sigv4.ErrBadToken
	}
	return sigv4.Key{Secret: secret}, nil
}

// serve answers 200 with the proven body, or 403 with the reason.
func serve(t *testing.T) *httptest.Server {
	v := sigv4.NewVerifier(keys{}, time.Now)
	prove := func(r *http.Request) ([]byte, error) {
		claim, err := sigv4.Parse(r)
		if err != nil {
			return nil, err
		}
		if claim.Service == "s3" {
			_, body, err := v.VerifyStream(r.Context(), r, claim)
			if err != nil {
				return nil, err
			}
			return io.ReadAll(body)
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = v.Verify(r.Context(), r, claim, body)
		}
		return body, err
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := prove(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s
}

func send(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func hash(b string) string {
	sum := sha256.Sum256([]byte(b))
	return hex.EncodeToString(sum[:])
}

func s3Options(service string) func(*v4.SignerOptions) {
	return func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }
}

var paths = []string{
	"/", "", "/a%20b", "/%E3%81%82/x", "/a%2Fb", "//double//slash", "/a/../b/./c", "/tilde~/-_.", "/%25/(x)", "/a+b=c:d@e,f;g!*'",
	"/?a=1&b=2", "/?b=2&a=1", "/?a=2&a=1&a=", "/?empty=&flag", "/?sp=a%20b&uni=%E3%81%82", "/?plus=a+b", "/?s=%2Fx%3Dy%26z", "/?A=1&a=2", "/?x=~-_.&y=%2B",
}

func TestSignedHeaders(t *testing.T) {
	s := serve(t)
	signer := v4.NewSigner()
	for _, service := range []string{"ecs", "s3"} {
		for _, session := range []string{"", token} {
			for _, target := range paths {
				t.Run(service+" "+target, func(t *testing.T) {
					const body = `{"cluster":"あ"}`
					r, err := http.NewRequest("POST", s.URL+target, strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("X-Amz-Target", "T.Op")
					r.Header.Set("X-Custom", "  a   b ")
					r.Header.Set("X-Amz-Content-Sha256", hash(body))
					creds := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: session}
					if err := signer.SignHTTP(t.Context(), creds, r, hash(body), service, "eu-west-1", time.Now(), s3Options(service)); err != nil {
						t.Fatal(err)
					}
					if code, got := send(t, r); code != 200 || got != body {
						t.Fatalf("%d %s", code, got)
					}
					r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "あ", "い", 1)))
					if code, got := send(t, r); code == 200 && got != body {
						t.Fatal("a changed body was verified")
					}
				})
			}
		}
	}
}

func TestPresigned(t *testing.T) {
	s := serve(t)
	signer := v4.NewSigner()
	for _, service := range []string{"sts", "s3"} {
		for _, session := range []string{"", token} {
			for _, target := range paths {
				t.Run(service+" "+target, func(t *testing.T) {
					r, err := http.NewRequest("GET", s.URL+target, nil)
					if err != nil {
						t.Fatal(err)
					}
					payload := hash("")
					if service == "s3" {
						payload = "UNSIGNED-PAYLOAD"
						q := r.URL.Query()
						q.Set("X-Amz-Expires", "60")
						r.URL.RawQuery = q.Encode()
					}
					creds := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: session}
					u, header, err := signer.PresignHTTP(t.Context(), creds, r, payload, service, "eu-west-1", time.Now(), s3Options(service))
					if err != nil {
						t.Fatal(err)
					}
					r, err = http.NewRequest("GET", u, nil)
					if err != nil {
						t.Fatal(err)
					}
					for name, values := range header {
						if name != "Host" {
							r.Header[name] = values
						}
					}
					if code, got := send(t, r); code != 200 {
						t.Fatalf("%d %s\n%s", code, got, u)
					}
					r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Date=2", "X-Amz-Date=3", 1)
					if code, _ := send(t, r); code == 200 {
						t.Fatal("a changed date was verified")
					}
				})
			}
		}
	}
}

// TestTokenAddedAfterSigning is how some clients presign with a session: the
// token joins the query when the signature is made already.
func TestTokenAddedAfterSigning(t *testing.T) {
	s := serve(t)
	r, err := http.NewRequest("GET", s.URL+"/?Action=GetCallerIdentity", nil)
	if err != nil {
		t.Fatal(err)
	}
	creds := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	u, _, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hash(""), "sts", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"IQoJb3JpZ2luX2VjEXAMPLE%2F%2F%2F%2F%2F%2F%2F%2F%2F%2FwEaDmFwLW5v%2Btoken%3D%3D": 200, "other": 403} {
		r, err := http.NewRequest("GET", u+"&X-Amz-Security-Token="+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if code, got := send(t, r); code != want {
			t.Errorf("%s: %d %s", query, code, got)
		}
	}
}

// TestUnsignedTrailer sends the aws-chunked form SDKs use for streams over TLS.
func TestUnsignedTrailer(t *testing.T) {
	s := serve(t)
	const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	body := "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
	r, err := http.NewRequest("PUT", s.URL+"/bucket/key", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = -1
	for name, value := range map[string]string{
		"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "11",
		"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Content-Sha256": payload,
	} {
		r.Header.Set(name, value)
	}
	creds := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, payload, "s3", "eu-west-1", time.Now(), s3Options("s3")); err != nil {
		t.Fatal(err)
	}
	if code, got := send(t, r); code != 200 || got != "hello world" {
		t.Fatalf("%d %q", code, got)
	}
}
