// Package sigv4 proves who sent a request: it verifies AWS Signature Version 4
// in its three forms, the Authorization header, the presigned query string and
// the signed aws-chunked body. It signs what neargate itself sends to an AWS API, and
// the URLs that AWS hands out.
//
// A request passes in two steps, because the first tells where it is addressed:
// Parse reads what the request claims, Verifier.Verify proves the claim.
//
// The rules are those of the AWS General Reference, "Create a signed AWS API
// request", and, for the service s3, of the Amazon S3 API Reference,
// "Authenticating Requests (AWS Signature Version 4)".
package sigv4

import (
	"context"
	"errors"
	"sync"
	"time"

	"neargate/internal/recent"
)

// Keys looks up the secret of an access key. The session token is empty for
// long-term keys; an implementation answers ErrBadToken when the token given
// is not the one issued with the key.
type Keys interface {
	Key(ctx context.Context, accessKeyID, sessionToken string) (Key, error)
}

// Key is a usable access key.
type Key struct {
	Secret    string
	Account   string // 12 digits of the owning account
	Principal any    // whatever Keys wants to be told about the proven caller
}

// What Keys answers when there is no usable key. Any other error is a failure
// of the lookup itself, not of the request.
var (
	ErrUnknownKey   = errors.New("sigv4: unknown access key")
	ErrBadToken     = errors.New("sigv4: session token does not belong to the access key")
	ErrExpiredToken = errors.New("sigv4: session token has expired")
)

// Reason classifies a refusal; every protocol has its own code and status for
// each.
type Reason int

// The reasons for which a request is refused.
const (
	Missing        Reason = iota + 1 // not signed at all
	Incomplete                       // signed, but the signature cannot be read
	Mismatch                         // the signature is wrong, or for another scope
	TooOld                           // signed before the accepted window, or expired
	TooNew                           // signed after the accepted window
	UnknownKey                       // no such access key
	BadToken                         // the session token is not that of the key
	ExpiredToken                     // the session is over
	HeaderUnsigned                   // a header that must be signed is not
	BodyMismatch                     // the body is not the one that was signed
)

// Error is a refusal, with AWS's words for it.
type Error struct {
	Reason  Reason
	Message string
}

// Error implements error.
func (e *Error) Error() string { return "sigv4: " + e.Message }

// Windows in which a signature is accepted around the verifier's time.
// AWS services allow five minutes, Amazon S3 fifteen.
const (
	skew   = 5 * time.Minute
	skewS3 = 15 * time.Minute
	// presignedLife is how long services other than S3 accept a presigned
	// request, whatever its X-Amz-Expires.
	presignedLife = 15 * time.Minute
	// presignedMax bounds X-Amz-Expires.
	presignedMax = 7 * 24 * time.Hour
)

// Messages AWS uses whatever the request.
const (
	msgMismatch = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	msgMissing      = "Missing Authentication Token"
	msgUnknownKey   = "The security token included in the request is invalid."
	msgExpiredToken = "The security token included in the request is expired"
	msgBodyHash     = "The provided 'x-amz-content-sha256' header does not match what was computed."
)

// Verifier verifies requests. It is safe for concurrent use.
type Verifier struct {
	keys    Keys
	now     func() time.Time
	signing *recent.Cache[keyName, *signingKey]
	scratch sync.Pool // *[]byte, for canonical requests
}

// NewVerifier makes a verifier that asks keys for secrets and now for the time.
func NewVerifier(keys Keys, now func() time.Time) *Verifier {
	return &Verifier{
		keys:    keys,
		now:     now,
		signing: newSigningKeys(4096),
		scratch: sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }},
	}
}
