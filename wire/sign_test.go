package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// signer signs requests the plain way: everything in the request is signed.
type signer struct {
	id, secret, service, region string
	at                          time.Time
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func (s signer) signature(canonical string) (scope, signature string) {
	day := s.at.Format("20060102")
	scope = day + "/" + s.region + "/" + s.service + "/aws4_request"
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{day, s.region, s.service, "aws4_request",
		"AWS4-HMAC-SHA256\n" + s.at.Format("20060102T150405Z") + "\n" + scope + "\n" + sum(canonical)} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return scope, hex.EncodeToString(key)
}

// sign adds an Authorization header for the body to r.
func (s signer) sign(r *http.Request, body string) *http.Request {
	r.Header.Set("X-Amz-Date", s.at.Format("20060102T150405Z"))
	names := []string{"host"}
	for name := range r.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	var headers strings.Builder
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	canonical := strings.Join([]string{r.Method, r.URL.Path, r.URL.RawQuery, headers.String(), strings.Join(names, ";"), sum(body)}, "\n")
	scope, signature := s.signature(canonical)
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		s.id, scope, strings.Join(names, ";"), signature))
	return r
}

// presign returns the target of a presigned GET.
func (s signer) presign(host string, q url.Values) string {
	scope, _ := s.signature("")
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Credential", s.id+"/"+scope)
	q.Set("X-Amz-Date", s.at.Format("20060102T150405Z"))
	q.Set("X-Amz-SignedHeaders", "host")
	query := strings.ReplaceAll(q.Encode(), "+", "%20")
	_, signature := s.signature(strings.Join([]string{"GET", "/", query, "host:" + host + "\n", "host", sum("")}, "\n"))
	return "/?" + query + "&X-Amz-Signature=" + signature
}

// post makes an unsigned POST from name and value pairs of headers.
func post(target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Host = "localhost:4566"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func do(t testing.TB, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
