package sigv4

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Values of X-Amz-Content-Sha256 that are no hash; Amazon S3 only.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	signedChunks    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// emptyHash is the SHA-256 of nothing.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Verify proves that r, with the given raw body, was signed by the access key
// the claim names. The body is what was sent: still compressed if it was. The
// error is an *Error, or whatever Keys failed with.
func (v *Verifier) Verify(ctx context.Context, r *http.Request, c *Claim, body []byte) (Key, error) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if h := r.Header.Get("X-Amz-Content-Sha256"); h != "" && h != hash {
		return Key{}, &Error{BodyMismatch, msgMismatch}
	}
	key, _, err := v.prove(ctx, r, c, hash)
	return key, err
}

// VerifyStream proves the head of r as Verify does and returns a reader of the
// body, which it proves while it is read: a reader that reaches io.EOF has
// delivered exactly what was signed. An aws-chunked body comes out decoded.
// The payload may be unsigned, so it is for Amazon S3's operations only.
func (v *Verifier) VerifyStream(ctx context.Context, r *http.Request, c *Claim) (Key, *Body, error) {
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" && c.Presigned {
		payload = c.query.Get("X-Amz-Content-Sha256")
		if payload == "" {
			payload = unsignedPayload
		}
	}
	if payload == "" {
		return Key{}, nil, &Error{Incomplete, "Missing required header for this request: x-amz-content-sha256"}
	}
	key, signing, err := v.prove(ctx, r, c, payload)
	if err != nil {
		return Key{}, nil, err
	}
	body, err := newBody(r, c, payload, signing)
	return key, body, err
}

// prove checks everything about a request but its body, for which payload
// stands.
func (v *Verifier) prove(ctx context.Context, r *http.Request, c *Claim, payload string) (Key, []byte, error) {
	if err := c.check(r, v.now()); err != nil {
		return Key{}, nil, err
	}
	key, err := v.keys.Key(ctx, c.AccessKeyID, c.SessionToken)
	if err != nil {
		return Key{}, nil, refusal(err)
	}
	if key.Secret == "" {
		return Key{}, nil, &Error{UnknownKey, msgUnknownKey}
	}
	signing := v.signing.Get(keyName{c.AccessKeyID, key.Secret, c.date, c.Region, c.Service})
	if !v.matches(r, c, payload, signing, variant{}) &&
		!slices.ContainsFunc(variants(r, c), func(f variant) bool { return v.matches(r, c, payload, signing, f) }) {
		return Key{}, nil, &Error{Mismatch, msgMismatch}
	}
	return key, signing.bytes, nil
}

// matches reports whether the claimed signature is that of r in the given form.
func (v *Verifier) matches(r *http.Request, c *Claim, payload string, signing *signingKey, form variant) bool {
	buf := v.scratch.Get().(*[]byte)
	defer v.scratch.Put(buf)
	*buf = appendCanonical((*buf)[:0], r, c, payload, form)
	sum := sha256.Sum256(*buf)
	*buf = appendStringToSign((*buf)[:0], c, sum)
	proof := signing.mac(*buf)
	*buf = hex.AppendEncode((*buf)[:0], proof[:])
	return subtle.ConstantTimeCompare(*buf, []byte(c.signature)) == 1
}

func appendStringToSign(dst []byte, c *Claim, canonical [sha256.Size]byte) []byte {
	dst = append(dst, algorithm...)
	dst = append(dst, '\n')
	dst = append(dst, c.stamp...)
	dst = append(dst, '\n')
	dst = append(dst, c.scope()...)
	dst = append(dst, '\n')
	return hex.AppendEncode(dst, canonical[:])
}

func refusal(err error) error {
	switch {
	case errors.Is(err, ErrUnknownKey):
		return &Error{UnknownKey, msgUnknownKey}
	case errors.Is(err, ErrBadToken):
		return &Error{BadToken, msgUnknownKey}
	case errors.Is(err, ErrExpiredToken):
		return &Error{ExpiredToken, msgExpiredToken}
	}
	return err
}

// check holds the claim against the rules that need no secret.
func (c *Claim) check(r *http.Request, now time.Time) error {
	if c.terminator != terminator {
		return &Error{Mismatch, "Credential should be scoped with a valid terminator: 'aws4_request', not '" + c.terminator + "'."}
	}
	if day := c.stamp[:len(basicDate)]; c.date != day {
		return &Error{Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			c.date + "' != '" + day + "', from '" + c.stamp + "'."}
	}
	if err := c.checkHeaders(r); err != nil {
		return err
	}
	return c.checkTime(now.UTC())
}

// covered are headers the signature covers without naming them: the date and
// the payload hash are part of what is signed, the token belongs to the key.
var covered = [...]string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"}

// checkHeaders demands that the host and every x-amz- header present be signed,
// that every signed header be present, and that their list be canonical.
func (c *Claim) checkHeaders(r *http.Request) error {
	if !c.signed("host") {
		return &Error{HeaderUnsigned, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."}
	}
	for i, name := range c.signedHeaders {
		if !headerName(name) || i > 0 && c.signedHeaders[i-1] >= name || !present(r, name) {
			return &Error{Mismatch, msgMismatch}
		}
	}
	for name := range r.Header {
		if !strings.HasPrefix(name, "X-Amz-") || slices.Contains(covered[:], name) {
			continue
		}
		if lower := strings.ToLower(name); !c.signed(lower) {
			return &Error{HeaderUnsigned, "'" + lower + "' must be a 'SignedHeader' in the AWS Authorization."}
		}
	}
	return nil
}

// headerName reports whether s can be a header's name in a canonical list: in
// lower case, without blanks, line ends, colons and commas.
func headerName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', c <= ' ', c == ':', c == ',', c >= utf8.RuneSelf:
			return false
		}
	}
	return s != ""
}

// present reports whether r has the header; net/http keeps some of them outside
// Request.Header.
func present(r *http.Request, name string) bool {
	switch name {
	case "host", "content-length", "transfer-encoding":
		return true
	}
	return values(r.Header, name) != nil
}

func (c *Claim) checkTime(now time.Time) error {
	before, after := skew, skew
	if c.s3() {
		before, after = skewS3, skewS3
	}
	if c.Presigned {
		before = presignedLife
		if c.s3() {
			before = c.expires
		}
	}
	if earliest := now.Add(-before); c.Time.Before(earliest) {
		if c.s3() && c.Presigned {
			return &Error{TooOld, "Request has expired"}
		}
		return &Error{TooOld, "Signature expired: " + c.stamp + " is now earlier than " +
			earliest.Format(basicTime) + " (" + now.Format(basicTime) + " - " + minutes(before) + " min.)"}
	}
	if latest := now.Add(after); c.Time.After(latest) {
		return &Error{TooNew, "Signature not yet current: " + c.stamp + " is still later than " +
			latest.Format(basicTime) + " (" + now.Format(basicTime) + " + " + minutes(after) + " min.)"}
	}
	return nil
}

func minutes(d time.Duration) string {
	if d == skewS3 {
		return "15"
	}
	return "5"
}
