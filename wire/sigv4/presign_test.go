package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPresign holds a URL against the example of the Amazon S3 API Reference,
// "Authenticating Requests: Using Query Parameters".
func TestPresign(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "examplebucket.s3.amazonaws.com", Path: "/test.txt"}
	s := Signer{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"}
	s.Presign(http.MethodGet, u, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), 24*time.Hour)
	if got, want := u.Query().Get("X-Amz-Signature"), "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// TestPresigned lets the verifier see what the signer made, and what others made of it.
func TestPresigned(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	made := func(host string) *url.URL {
		u := &url.URL{Scheme: "https", Host: host, Path: "/111122223333/sha256:00 ff"}
		Signer{"AKIAEXAMPLE", "secret", "eu-west-1", "s3"}.Presign(http.MethodGet, u, now, time.Hour)
		return u
	}
	for _, c := range []struct {
		name, host, change, to string
		after                  time.Duration
		want                   string
	}{
		{name: "as made", host: "b.s3.eu-west-1.amazonaws.com"},
		{name: "with a port", host: "b.s3.eu-west-1.localhost:4566"},
		{name: "with the scheme's port", host: "b.s3.eu-west-1.amazonaws.com:443"},
		{name: "late", host: "b.s3.eu-west-1.amazonaws.com", after: time.Hour},
		{name: "too late", host: "b.s3.eu-west-1.amazonaws.com", after: time.Hour + time.Second, want: "sigv4: Request has expired"},
		{name: "other object", host: "b.s3.eu-west-1.amazonaws.com", change: "00%20ff", to: "00%20fe", want: "sigv4: " + msgMismatch},
		{name: "longer", host: "b.s3.eu-west-1.amazonaws.com", change: "Expires=3600", to: "Expires=7200", want: "sigv4: " + msgMismatch},
		{name: "other key", host: "b.s3.eu-west-1.amazonaws.com", change: "AKIAEXAMPLE", to: "AKIAOTHER", want: "sigv4: " + msgUnknownKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := made(c.host).String()
			if c.change != "" && !strings.Contains(text, c.change) {
				t.Fatalf("%s has no %s", text, c.change)
			}
			r, err := http.NewRequest(http.MethodGet, strings.ReplaceAll(text, c.change, c.to), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			v := NewVerifier(oneKey{"AKIAEXAMPLE", "secret", ""}, func() time.Time { return now.Add(c.after) })
			_, err = verifyStream(v, r)
			if got := errorText(err); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
