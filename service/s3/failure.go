package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"neargate/resource/objects"
	"neargate/wire/sigv4"
)

// failure is an error as Amazon S3 answers it.
type failure struct {
	code     string
	status   int
	message  string
	elements []element // beside the usual ones
}

// element is one of an error's elements.
type element struct{ name, text string }

// Error implements error.
func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(code string, status int, message string, elements ...element) *failure {
	return &failure{code, status, message, elements}
}

// Errors without elements of their own.
var (
	errAccessDenied      = fail("AccessDenied", 403, "Access Denied")
	errNotImplemented    = fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented")
	errMalformedXML      = fail("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
	errPrecondition      = fail("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold")
	errNotModified       = fail("NotModified", 304, "Not Modified")
	errIncompleteBody    = fail("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errInternal          = fail("InternalError", 500, "We encountered an internal error. Please try again.")
	errBadDigest         = fail("BadDigest", 400, "The Content-MD5 you specified did not match what we received.")
	errInvalidDigest     = fail("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
	errTooLarge          = fail("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size", element{"MaxSizeAllowed", strconv.Itoa(objects.MaxPut)})
	errMissingLength     = fail("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
	errNoUpload          = fail("NoSuchUpload", 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errMethodNotAllowed  = fail("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
	errInvalidPart       = fail("InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errInvalidPartOrder  = fail("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errEntityTooSmall    = fail("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size")
	errConflict          = fail("OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource. Please try again.")
	errACLsNotSupported  = fail("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
	errUnsupportedDigest = fail("InvalidRequest", 400, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
)

func noSuchBucket(name string) *failure {
	return fail("NoSuchBucket", 404, "The specified bucket does not exist", element{"BucketName", name})
}

func noSuchKey(key string) *failure {
	return fail("NoSuchKey", 404, "The specified key does not exist.", element{"Key", key})
}

func noSuchVersion(key, id string) *failure {
	return fail("NoSuchVersion", 404, "The specified version does not exist.", element{"Key", key}, element{"VersionId", id})
}

func invalidArgument(message, name, value string) *failure {
	return fail("InvalidArgument", 400, message, element{"ArgumentName", name}, element{"ArgumentValue", value})
}

func wrongScope(text string, elements ...element) *failure {
	return fail("AuthorizationHeaderMalformed", 400, "The authorization header is malformed; "+text, elements...)
}

// fail answers an error. What is not one of Amazon S3's goes to the log under
// the request's id; the client learns only that the service failed.
func (x *request) fail(err error) {
	if x.sent {
		x.broken = true
		if !x.gone {
			x.translate(err)
		}
		return
	}
	f := x.translate(err)
	x.code = f.code
	x.status = f.status
	for _, e := range f.elements {
		if e.name == "Region" {
			x.set("x-amz-bucket-region", e.text)
		}
	}
	if f.status >= 400 && x.r.Body != nil && x.r.ContentLength != 0 {
		x.set("Connection", "close") // rather than read a body nobody wants
	}
	if f.status == http.StatusNotModified || x.r.Method == http.MethodHead {
		x.w.WriteHeader(f.status)
		return
	}
	x.set("Content-Type", "application/xml")
	x.w.WriteHeader(f.status)
	x.w.Write(f.document(x))
}

// document is an error's XML.
func (f *failure) document(x *request) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error>")
	all := append([]element{{"Code", f.code}, {"Message", f.message}}, f.elements...)
	for _, e := range append(all, element{"RequestId", x.id}, element{"HostId", x.id + x.id}) {
		b.WriteString("<" + e.name + ">")
		xml.EscapeText(&b, []byte(e.text))
		b.WriteString("</" + e.name + ">")
	}
	b.WriteString("</Error>")
	return b.Bytes()
}

func (x *request) translate(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if refused, ok := errors.AsType[*sigv4.Error](err); ok {
		return x.refusal(refused)
	}
	for _, t := range translations {
		if errors.Is(err, t.err) {
			return t.failure
		}
	}
	switch {
	case errors.Is(err, objects.ErrNoBucket):
		return noSuchBucket(x.place.bucket)
	case errors.Is(err, objects.ErrNoKey):
		return noSuchKey(x.place.key)
	case errors.Is(err, objects.ErrNoVersion):
		return noSuchVersion(x.place.key, x.query.Get("versionId"))
	case x.ctx.Err() != nil, x.r.Context().Err() != nil:
		return &failure{code: "RequestTimeout", status: 400, message: "Your socket connection to the server was not read from or written to within the timeout period."}
	}
	if reading, ok := errors.AsType[*bodyError](err); ok {
		if t, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](reading.err); ok && t.Timeout() {
			return fail("RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.")
		}
		return errIncompleteBody
	}
	x.failed = err
	x.cfg.Log.LogAttrs(x.ctx, slog.LevelError, "request failed", slog.String("request_id", x.id), slog.String("service", "s3"),
		slog.String("operation", x.op.name), slog.String("error", err.Error()))
	return errInternal
}

// translations are the engine's refusals in Amazon S3's words.
var translations = []struct {
	err     error
	failure *failure
}{
	{objects.ErrCondition, errPrecondition},
	{objects.ErrNoUpload, errNoUpload},
	{objects.ErrPart, errInvalidPart},
	{objects.ErrOrder, errInvalidPartOrder},
	{objects.ErrSmall, errEntityTooSmall},
	{objects.ErrNotEmpty, fail("BucketNotEmpty", 409, "The bucket you tried to delete is not empty")},
	{objects.ErrSize, fail("InvalidRequest", 400, "The provided 'x-amz-mp-object-size' header value does not match what was computed.")},
	{objects.ErrFull, fail("ServiceUnavailable", 503, "Reduce your request rate: there is no room for more objects.")},
}

// bodyError is a request's body that broke off.
type bodyError struct{ err error }

// Error implements error.
func (e *bodyError) Error() string { return "reading the request: " + e.err.Error() }

// Unwrap is what broke off.
func (e *bodyError) Unwrap() error { return e.err }

// refusal words a refused signature.
func (x *request) refusal(e *sigv4.Error) *failure {
	switch e.Reason {
	case sigv4.UnknownKey:
		return fail("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.", element{"AWSAccessKeyId", x.accessKeyID()})
	case sigv4.BadToken:
		return fail("InvalidToken", 400, "The provided token is malformed or otherwise invalid.")
	case sigv4.ExpiredToken:
		return fail("ExpiredToken", 400, "The provided token has expired.")
	case sigv4.TooOld, sigv4.TooNew:
		if x.claim != nil && x.claim.Presigned {
			if e.Reason == sigv4.TooNew {
				return fail("AccessDenied", 403, "Request is not valid yet")
			}
			return fail("AccessDenied", 403, "Request has expired", element{"ServerTime", x.start.UTC().Format("2006-01-02T15:04:05Z")})
		}
		return fail("RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.",
			element{"RequestTime", x.r.Header.Get("X-Amz-Date")}, element{"ServerTime", x.start.UTC().Format("2006-01-02T15:04:05Z")}, element{"MaxAllowedSkewMilliseconds", "900000"})
	case sigv4.HeaderUnsigned:
		return fail("AccessDenied", 403, "There were headers present in the request which were not signed")
	case sigv4.BodyMismatch:
		return fail("XAmzContentSHA256Mismatch", 400, e.Message)
	case sigv4.Incomplete:
		switch {
		case x.claim == nil && x.r.Header.Get("Authorization") == "":
			return fail("AuthorizationQueryParametersError", 400, e.Message)
		case x.claim == nil:
			return wrongScope(e.Message)
		}
		return fail("InvalidRequest", 400, e.Message)
	case sigv4.Missing:
		return errAccessDenied
	}
	return fail("SignatureDoesNotMatch", 403,
		"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		element{"AWSAccessKeyId", x.accessKeyID()})
}

func (x *request) accessKeyID() string {
	if x.claim == nil {
		return ""
	}
	return x.claim.AccessKeyID
}
