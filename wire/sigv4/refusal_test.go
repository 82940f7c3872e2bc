package sigv4

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

const ecsAuth = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=" +
	"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

func TestRefusals(t *testing.T) {
	const presigned = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
	auth := func(old, new string) http.Header {
		return http.Header{"Authorization": {strings.Replace(ecsAuth, old, new, 1)}, "X-Amz-Date": {"20150830T123600Z"}}
	}
	with := func(h http.Header, name, value string) http.Header {
		h.Set(name, value)
		return h
	}
	target := func(old, new string) string { return strings.Replace(presigned, old, new, 1) }
	tests := []struct {
		name, target string
		header       http.Header
		now          string
		reason       Reason
		message      string
	}{
		{"unsigned", "/", nil, "", Missing, "Missing Authentication Token"},
		{"unsigned with a query", "/?Action=GetCallerIdentity&X-Amz-Date=1", nil, "", Missing, "Missing Authentication Token"},
		{"bearer", "/", http.Header{"Authorization": {"Bearer abc"}}, "", Incomplete,
			"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. " +
				"(Hashed with SHA-256 and encoded with Base64) Authorization=w1Xc6WwWEogNEZQP/dkBTThsJT4MNlKmzQanIm970rY="},
		{"no signature", "/", auth(", Signature="+vanillaSignature, ""), "", Incomplete, "Authorization header requires 'Signature' parameter. (Hashed"},
		{"blank in the key", "/", auth("AKIDEXAMPLE", "AKIDEXAMPLE "), "", Incomplete, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed"},
		{"sigv4a", "/", auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), "", Incomplete, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{"short scope", "/", auth("AKIDEXAMPLE/20150830", "AKIDEXAMPLE"), "", Incomplete,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/us-east-1/ecs/aws4_request'"},
		{"terminator", "/", auth("aws4_request", "aws5_request"), "", Mismatch, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{"scope date", "/", auth("20150830", "20150829"), "", Mismatch,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'."},
		{"date format", "/", with(auth("", ""), "X-Amz-Date", "2015"), "", Incomplete,
			"Date must be in ISO-8601 'basic format'. Got '2015'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"host not signed", "/", auth("host;", ""), "", HeaderUnsigned, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"target not signed", "/", with(auth("", ""), "X-Amz-Target", "T.Op"), "", HeaderUnsigned, "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
		{"too old", "/", auth("", ""), "20150830T124101Z", TooOld,
			"Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"},
		{"too new", "/", auth("", ""), "20150830T123059Z", TooNew,
			"Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)"},
		{"at the edge", "/", auth("", ""), "20150830T124100Z", Mismatch, msgMismatch},
		{"unknown key", "/", auth("AKIDEXAMPLE", "AKIDOTHER"), "", UnknownKey, "The security token included in the request is invalid."},
		{"token of another key", "/", with(auth("", ""), "X-Amz-Security-Token", "stolen"), "", BadToken, "The security token included in the request is invalid."},
		{"wrong signature", "/", auth("", ""), "", Mismatch, msgMismatch},
		{"upper-case header list", "/", auth("host;", "Host;"), "", HeaderUnsigned, ""},
		{"unsorted header list", "/", auth("host;x-amz-date", "x-amz-date;host"), "", Mismatch, msgMismatch},
		{"body hash", "/", with(auth("", ""), "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), "", BodyMismatch, msgMismatch},
		{"presigned without anything", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", nil, "", Incomplete,
			"AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. " +
				"AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		{"presigned for too long", target("Expires=60", "Expires=604801"), nil, "", Incomplete, "X-Amz-Expires must be less than a week"},
		{"presigned for a negative time", target("Expires=60", "Expires=-1"), nil, "", Incomplete, "X-Amz-Expires must be non-negative"},
		{"presigned for no number", target("Expires=60", "Expires=x"), nil, "", Incomplete, "X-Amz-Expires should be a number"},
		{"presigned, forged", presigned, nil, "", Mismatch, msgMismatch},
		{"presigned, 15 minutes old", presigned, nil, "20150830T125101Z", TooOld,
			"Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := tt.now
			if now == "" {
				now = "20150830T123600Z"
			}
			v := NewVerifier(oneKey{"AKIDEXAMPLE", "secret", ""}, at(now))
			r, _ := request(t, "GET "+tt.target+" HTTP/1.1\nHost: localhost")
			if tt.header != nil {
				r.Header = tt.header
			}
			err := verify(v, r, nil)
			var e *Error
			if !errors.As(err, &e) || e.Reason != tt.reason || !strings.HasPrefix(e.Message, tt.message) {
				t.Fatalf("got %+v, want reason %d, %q", err, tt.reason, tt.message)
			}
		})
	}
}

const vanillaSignature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

// failing is a Keys whose store is down or whose session is over.
type failing struct{ err error }

func (f failing) Key(context.Context, string, string) (Key, error) { return Key{}, f.err }

func TestKeyFailures(t *testing.T) {
	r, _ := request(t, "GET / HTTP/1.1\nHost: localhost\nX-Amz-Date: 20150830T123600Z\nAuthorization: "+ecsAuth)
	if err := verify(NewVerifier(failing{ErrExpiredToken}, at("20150830T123600Z")), r, nil); reason(err) != ExpiredToken {
		t.Errorf("expired session: %v", err)
	}
	down := errors.New("store is down")
	if err := verify(NewVerifier(failing{down}, at("20150830T123600Z")), r, nil); err != down {
		t.Errorf("a failed lookup became %v", err)
	}
	if err := verify(NewVerifier(failing{nil}, at("20150830T123600Z")), r, nil); reason(err) != UnknownKey {
		t.Errorf("a key without secret: %v", err)
	}
}

// TestDateHeader signs with a Date header alone, as some hand-written clients
// do.
func TestDateHeader(t *testing.T) {
	c, err := Parse(&http.Request{Header: http.Header{"Authorization": {ecsAuth}, "Date": {"Sun, 30 Aug 2015 12:36:00 GMT"}}})
	if err != nil || c.stamp != "20150830T123600Z" || !c.Time.Equal(at(c.stamp)()) {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := Parse(&http.Request{Header: http.Header{"Authorization": {ecsAuth}, "Date": {"today"}}}); reason(err) != Incomplete {
		t.Fatal(err)
	}
}

func TestHeaderLookup(t *testing.T) {
	for _, name := range []string{"host", "x-amz-date", "content-type", "x--a", "a-1b", "x_y-z", "x-amz-meta-" + strings.Repeat("long", 20)} {
		h := http.Header{}
		h.Set(name, "v")
		if v := values(h, name); len(v) != 1 {
			t.Errorf("%q not found in %v", name, h)
		}
	}
}
