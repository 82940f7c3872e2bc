package call

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

// Failure is an error as Amazon S3 answers it.
type Failure struct {
	Code     string
	Status   int
	Message  string
	elements []Element // beside the usual ones
}

// Element is one of an error's elements.
type Element struct{ Name, Text string }

// With is an element.
func With(name, text string) Element { return Element{name, text} }

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// Fail makes an error of Amazon S3.
func Fail(code string, status int, message string, elements ...Element) *Failure {
	return &Failure{code, status, message, elements}
}

// Errors without elements of their own.
var (
	errAccessDenied      = Fail("AccessDenied", 403, "Access Denied")
	ErrNotImplemented    = Fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented")
	ErrMalformedXML      = Fail("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
	errPrecondition      = Fail("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold")
	errNotModified       = Fail("NotModified", 304, "Not Modified")
	errIncompleteBody    = Fail("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
	errInternal          = Fail("InternalError", 500, "We encountered an internal error. Please try again.")
	errBadDigest         = Fail("BadDigest", 400, "The Content-MD5 you specified did not match what we received.")
	errInvalidDigest     = Fail("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
	ErrTooLarge          = Fail("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size", Element{"MaxSizeAllowed", strconv.Itoa(objects.MaxPut)})
	errMissingLength     = Fail("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
	errNoUpload          = Fail("NoSuchUpload", 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	errInvalidPart       = Fail("InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
	errInvalidPartOrder  = Fail("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.")
	errEntityTooSmall    = Fail("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size")
	ErrACLsNotSupported  = Fail("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
	ErrUnsupportedDigest = Fail("InvalidRequest", 400, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
)

func noSuchBucket(name string) *Failure {
	return Fail("NoSuchBucket", 404, "The specified bucket does not exist", Element{"BucketName", name})
}

// NoSuchKey says that a key is not there.
func NoSuchKey(key string) *Failure {
	return Fail("NoSuchKey", 404, "The specified key does not exist.", Element{"Key", key})
}

func noSuchVersion(key, id string) *Failure {
	return Fail("NoSuchVersion", 404, "The specified version does not exist.", Element{"Key", key}, Element{"VersionId", id})
}

// InvalidArgument says that an argument has no valid value.
func InvalidArgument(message, name, value string) *Failure {
	return Fail("InvalidArgument", 400, message, Element{"ArgumentName", name}, Element{"ArgumentValue", value})
}

// WrongScope says that a signature is for elsewhere.
func WrongScope(text string, elements ...Element) *Failure {
	return Fail("AuthorizationHeaderMalformed", 400, "The authorization header is malformed; "+text, elements...)
}

// Fail answers an error. What is not one of Amazon S3's goes to the log under
// the request's id; the client learns only that the service failed.
func (x *Request) Fail(err error) {
	if x.Sent {
		x.Broken = true
		if !x.Gone {
			x.Translate(err)
		}
		return
	}
	f := x.Translate(err)
	x.Code, x.Message = f.Code, f.Message
	x.Status = f.Status
	for _, e := range f.elements {
		if e.Name == "Region" {
			x.Set("x-amz-bucket-region", e.Text)
		}
	}
	if f.Status >= 400 && x.R.Body != nil && x.R.ContentLength != 0 {
		x.Set("Connection", "close") // rather than read a body nobody wants
	}
	if f.Status == http.StatusNotModified || x.R.Method == http.MethodHead {
		x.W.WriteHeader(f.Status)
		return
	}
	x.Set("Content-Type", "application/xml")
	x.W.WriteHeader(f.Status)
	x.W.Write(f.document(x))
}

// document is an error's XML.
func (f *Failure) document(x *Request) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error>")
	all := append([]Element{{"Code", f.Code}, {"Message", f.Message}}, f.elements...)
	for _, e := range append(all, Element{"RequestId", x.ID}, Element{"HostId", x.ID + x.ID}) {
		b.WriteString("<" + e.Name + ">")
		xml.EscapeText(&b, []byte(e.Text))
		b.WriteString("</" + e.Name + ">")
	}
	b.WriteString("</Error>")
	return b.Bytes()
}

// Translate turns any error into one of Amazon S3. What is none goes to the log, and the client learns only that the service failed.
func (x *Request) Translate(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
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
		return noSuchBucket(x.Place.Bucket)
	case errors.Is(err, objects.ErrNoKey):
		return NoSuchKey(x.Place.Key)
	case errors.Is(err, objects.ErrNoVersion):
		return noSuchVersion(x.Place.Key, x.Query.Get("versionId"))
	case x.Ctx.Err() != nil, x.R.Context().Err() != nil:
		return &Failure{Code: "RequestTimeout", Status: 400, Message: "Your socket connection to the server was not read from or written to within the timeout period."}
	}
	if reading, ok := errors.AsType[*bodyError](err); ok {
		if t, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](reading.err); ok && t.Timeout() {
			return Fail("RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.")
		}
		return errIncompleteBody
	}
	x.Failed = err
	x.Log.LogAttrs(x.Ctx, slog.LevelError, "request failed", slog.String("request_id", x.ID), slog.String("service", "s3"),
		slog.String("operation", x.Op.Name), slog.String("error", err.Error()))
	return errInternal
}

// translations are the engine's refusals in Amazon S3's words.
var translations = []struct {
	err     error
	failure *Failure
}{
	{objects.ErrCondition, errPrecondition},
	{objects.ErrNoUpload, errNoUpload},
	{objects.ErrPart, errInvalidPart},
	{objects.ErrOrder, errInvalidPartOrder},
	{objects.ErrSmall, errEntityTooSmall},
	{objects.ErrNotEmpty, Fail("BucketNotEmpty", 409, "The bucket you tried to delete is not empty")},
	{objects.ErrSize, Fail("InvalidRequest", 400, "The provided 'x-amz-mp-object-size' header value does not match what was computed.")},
	{objects.ErrFull, Fail("ServiceUnavailable", 503, "Reduce your request rate: there is no room for more objects.")},
}

// bodyError is a request's body that broke off.
type bodyError struct{ err error }

// Error implements error.
func (e *bodyError) Error() string { return "reading the request: " + e.err.Error() }

// Unwrap is what broke off.
func (e *bodyError) Unwrap() error { return e.err }

// refusal words a refused signature.
func (x *Request) refusal(e *sigv4.Error) *Failure {
	switch e.Reason {
	case sigv4.UnknownKey:
		return Fail("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.", Element{"AWSAccessKeyId", x.AccessKeyID()})
	case sigv4.BadToken:
		return Fail("InvalidToken", 400, "The provided token is malformed or otherwise invalid.")
	case sigv4.ExpiredToken:
		return Fail("ExpiredToken", 400, "The provided token has expired.")
	case sigv4.TooOld, sigv4.TooNew:
		if x.Claim != nil && x.Claim.Presigned {
			if e.Reason == sigv4.TooNew {
				return Fail("AccessDenied", 403, "Request is not valid yet")
			}
			return Fail("AccessDenied", 403, "Request has expired", Element{"ServerTime", x.Start.UTC().Format("2006-01-02T15:04:05Z")})
		}
		return Fail("RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.",
			Element{"RequestTime", x.R.Header.Get("X-Amz-Date")}, Element{"ServerTime", x.Start.UTC().Format("2006-01-02T15:04:05Z")}, Element{"MaxAllowedSkewMilliseconds", "900000"})
	case sigv4.HeaderUnsigned:
		return Fail("AccessDenied", 403, "There were headers present in the request which were not signed")
	case sigv4.BodyMismatch:
		return Fail("XAmzContentSHA256Mismatch", 400, e.Message)
	case sigv4.Incomplete:
		switch {
		case x.Claim == nil && x.R.Header.Get("Authorization") == "":
			return Fail("AuthorizationQueryParametersError", 400, e.Message)
		case x.Claim == nil:
			return WrongScope(e.Message)
		}
		return Fail("InvalidRequest", 400, e.Message)
	case sigv4.Missing:
		return errAccessDenied
	}
	return Fail("SignatureDoesNotMatch", 403,
		"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		Element{"AWSAccessKeyId", x.AccessKeyID()})
}
