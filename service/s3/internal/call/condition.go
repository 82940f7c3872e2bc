package call

import (
	"net/http"
	"strings"
	"time"

	"neargate/resource/objects"
)

// Version is the version id a request names, "" for none.
func (x *Request) Version() (string, error) {
	id := x.Query.Get("versionId")
	switch {
	case id != "" && id != objects.Null && len(id) != 32:
		return "", InvalidArgument("Invalid version id specified", "versionId", id)
	case id == "" && x.Query.Has("versionId"):
		return "", InvalidArgument("Version id cannot be the empty string", "versionId", "")
	}
	return id, nil
}

// Present turns a version that is a delete marker into Amazon S3's refusal.
func (x *Request) Present(v *objects.Version) error {
	if !v.Marker {
		return nil
	}
	x.Set("x-amz-delete-marker", "true")
	x.VersionID(v.ID)
	if x.Query.Get("versionId") == "" {
		return x.Missing(&x.Bucket, NoSuchKey(v.Key))
	}
	x.Set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	x.Set("Allow", "DELETE")
	return Fail("MethodNotAllowed", 405, "The specified method is not allowed against this resource.", Element{"Method", x.R.Method}, Element{"ResourceType", "DeleteMarker"})
}

// VersionID names a version in the answer, in buckets that have or had versioning.
func (x *Request) VersionID(id string) {
	if x.Bucket.Versioning != "" {
		x.Set("x-amz-version-id", id)
	}
}

// Quoted is an ETag as headers and documents have it.
func Quoted(etag string) string { return `"` + etag + `"` }

// Conditions holds a version against the request's If- headers (RFC 9110, 13.2.2).
func (x *Request) Conditions(v *objects.Version) error {
	h := x.R.Header
	return x.hold(v, h.Get("If-Match"), h.Get("If-None-Match"), h.Get("If-Modified-Since"), h.Get("If-Unmodified-Since"), true)
}

func (x *Request) hold(v *objects.Version, match, noneMatch, modifiedSince, unmodifiedSince string, reading bool) error {
	modified := v.Modified.Truncate(time.Second)
	refused := func(condition string) error {
		return Fail("PreconditionFailed", 412, errPrecondition.Message, Element{"Condition", condition})
	}
	if match != "" {
		if !matches(match, v.ETag) {
			return refused("If-Match")
		}
	} else if t, err := http.ParseTime(unmodifiedSince); err == nil && modified.After(t) {
		return refused("If-Unmodified-Since")
	}
	unmodified := func(condition string) error {
		if !reading {
			return refused(condition)
		}
		x.Set("ETag", Quoted(v.ETag))
		x.Set("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
		x.VersionID(v.ID)
		return errNotModified
	}
	if noneMatch != "" {
		if matches(noneMatch, v.ETag) {
			return unmodified("If-None-Match")
		}
	} else if t, err := http.ParseTime(modifiedSince); err == nil && !modified.After(t) && !t.After(x.Start) {
		return unmodified("If-Modified-Since")
	}
	return nil
}

// matches reports whether an ETag is among those of a header.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || Unquote(part) == etag {
			return true
		}
	}
	return false
}

// Unquote is the ETag in a header or document.
func Unquote(etag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
}

// WriteCondition reads the conditions of a write.
func (x *Request) WriteCondition() (c objects.Condition, err error) {
	h := x.R.Header
	switch v := h.Get("If-None-Match"); v {
	case "":
	case "*":
		c.IfNoneMatch = true
	default:
		return c, Fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented", Element{"Header", "If-None-Match"})
	}
	if v := h.Get("If-Match"); v != "" {
		if c.IfNoneMatch {
			return c, Fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented", Element{"Header", "If-Match"})
		}
		c.IfMatch = Unquote(v)
	}
	return c, nil
}
