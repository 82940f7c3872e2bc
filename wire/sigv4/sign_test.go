package sigv4

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

type loneKey Credentials

func (k loneKey) Key(_ context.Context, id, token string) (Key, error) {
	if id != k.AccessKeyID || token != k.Token {
		return Key{}, ErrUnknownKey
	}
	return Key{Secret: k.Secret}, nil
}

// TestSign holds what Sign signs against Verify, and the same request with anything
// of it changed.
func TestSign(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, with := range []Credentials{{"AKIAEXAMPLE", "secret", ""}, {"ASIAEXAMPLE", "secret", "token/with+signs="}} {
		for _, service := range []string{"ssm", "s3"} {
			verifier := NewVerifier(loneKey(with), func() time.Time { return now })
			signed := func() *http.Request {
				r, err := http.NewRequest(http.MethodPost, "https://ssm.us-east-1.amazonaws.com/a%20b/c?x=1&a=%2F", strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-Amz-Target", "AmazonSSM.GetParameters")
				r.Header.Set("User-Agent", "test")
				Sign(r, []byte("body"), with, service, "us-east-1", now)
				return r
			}
			verify := func(r *http.Request, body string) error {
				c, err := Parse(r)
				if err != nil {
					return err
				}
				_, err = verifier.Verify(t.Context(), r, c, []byte(body))
				return err
			}
			if err := verify(signed(), "body"); err != nil {
				t.Errorf("%s: %v", service, err)
			}
			for what, change := range map[string]func(r *http.Request){
				"target": func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonSSM.PutParameter") },
				"host":   func(r *http.Request) { r.Host = "other" },
				"path":   func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/other", "" },
				"query":  func(r *http.Request) { r.URL.RawQuery = "x=2" },
				"method": func(r *http.Request) { r.Method = http.MethodPut },
				"date":   func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261101T120001Z") },
			} {
				r := signed()
				change(r)
				if err := verify(r, "body"); !errors.As(err, new(*Error)) {
					t.Errorf("%s, another %s: %v", service, what, err)
				}
			}
			if err := verify(signed(), "other"); !errors.As(err, new(*Error)) {
				t.Errorf("%s, another body: %v", service, err)
			}
		}
	}
}
