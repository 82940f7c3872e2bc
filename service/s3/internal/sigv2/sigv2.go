// Package sigv2 proves who presigned a URL with AWS Signature Version 2. The AWS
// CLI version 1 and boto3 still presign so for Amazon S3 where nobody says
// otherwise. No other form of that version is understood.
//
// Source: Amazon S3 User Guide, "Signing and authenticating REST requests", query
// string request authentication alternative.
package sigv2

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Claim is what a URL says of its signature.
type Claim struct {
	AccessKeyID  string
	SessionToken string
	Expires      time.Time
	signature    string
}

// Parse reads a URL's claim; ok is false when it has none.
func Parse(query url.Values) (c Claim, ok bool) {
	seconds, err := strconv.ParseInt(query.Get("Expires"), 10, 64)
	c = Claim{
		AccessKeyID: query.Get("AWSAccessKeyId"), SessionToken: query.Get("x-amz-security-token"),
		Expires: time.Unix(seconds, 0), signature: query.Get("Signature"),
	}
	return c, err == nil && c.AccessKeyID != "" && c.signature != ""
}

// subresources are the parameters that are signed.
var subresources = []string{
	"accelerate", "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type",
	"response-expires", "restore", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// Proves reports whether the claimed signature is that of the request. The bucket
// is the one in the host name, if any.
func (c Claim) Proves(r *http.Request, query url.Values, bucket, secret string) bool {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(stringToSign(r, query, bucket)))
	want := base64.StdEncoding.EncodeToString(h.Sum(nil))
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) == 1
}

func stringToSign(r *http.Request, query url.Values, bucket string) string {
	header := func(name string) string {
		if v := r.Header.Get(name); v != "" {
			return v
		}
		return query.Get(strings.ToLower(name))
	}
	lines := []string{r.Method, header("Content-Md5"), header("Content-Type"), query.Get("Expires")}
	lines = append(lines, amzHeaders(r.Header, query)...)
	return strings.Join(lines, "\n") + "\n" + resource(r.URL, query, bucket)
}

// amzHeaders are the x-amz- headers, some of which signers move to the query.
func amzHeaders(h http.Header, query url.Values) []string {
	values := map[string]string{}
	for _, from := range []map[string][]string{query, h} {
		for name, v := range from {
			if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
				values[name] = strings.TrimSpace(strings.Join(v, ","))
			}
		}
	}
	var lines []string
	for name, v := range values {
		lines = append(lines, name+":"+v)
	}
	slices.Sort(lines)
	return lines
}

func resource(u *url.URL, query url.Values, bucket string) string {
	path := u.EscapedPath()
	if bucket != "" {
		path = "/" + bucket + path
	}
	var parts []string
	for _, name := range subresources {
		if !query.Has(name) {
			continue
		}
		if v := query.Get(name); v != "" {
			name += "=" + v
		}
		parts = append(parts, name)
	}
	if len(parts) == 0 {
		return path
	}
	return path + "?" + strings.Join(parts, "&")
}
