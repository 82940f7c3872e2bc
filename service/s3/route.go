package s3

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/service/s3/internal/call"
	"neargate/service/s3/internal/sigv2"
	"neargate/wire/sigv4"
)

// Serves reports whether a request is for Amazon S3: its signature says so, or,
// where there is none, the host.
func Serves(r *http.Request) bool {
	if plainlyOthers(r) {
		return false
	}
	if _, old := sigv2.Parse(r.URL.Query()); old || oldHeader(r) {
		return true
	}
	claim, err := sigv4.Parse(r)
	if claim != nil {
		return claim.Service == "s3"
	}
	if refused, ok := err.(*sigv4.Error); ok && refused.Reason != sigv4.Missing {
		return strings.Contains(r.Header.Get("Authorization"), "/s3/") || strings.Contains(r.URL.RawQuery, "%2Fs3%2F") || ofS3(r.Host)
	}
	return ofS3(r.Host)
}

// plainlyOthers reports whether a request is for another service, without reading its
// signature: it is signed in the header, and nothing says S3 there or in the host.
func plainlyOthers(r *http.Request) bool {
	signed := r.Header.Get("Authorization")
	return r.URL.RawQuery == "" && strings.HasPrefix(signed, "AWS4-") && !strings.Contains(signed, "/s3/") && !strings.Contains(strings.ToLower(r.Host), "s3")
}

// oldHeader reports whether a request is signed in the header the old way, as only
// Amazon S3's were.
func oldHeader(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Authorization"), "AWS ") }

// ofS3 reports whether a host name is Amazon S3's, or a bucket's.
func ofS3(host string) bool {
	_, endpoint := splitHost(hostName(host))
	return endpoint
}

// Unsigned reports whether a request without signature, that no other service
// would know, may be for a bucket: by path, at the front door's own name.
func Unsigned(r *http.Request) (bucket string, may bool) {
	if r.Header.Get("Authorization") != "" || r.Header.Get("X-Amz-Target") != "" || r.URL.Query().Has("Action") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return "", false
	}
	p := locate(r)
	return p.Bucket, p.Bucket != ""
}

// locate finds bucket and key, in the host name or in the path.
func locate(r *http.Request) call.Place {
	bucket, _ := splitHost(hostName(r.Host))
	path := strings.TrimPrefix(r.URL.Path, "/")
	if bucket != "" {
		return call.Place{Bucket: bucket, Key: path}
	}
	bucket, key, _ := strings.Cut(path, "/")
	return call.Place{Bucket: bucket, Key: key}
}

// splitHost splits a host name into the bucket before an endpoint of Amazon S3,
// if any, and whether there is such an endpoint: s3.REGION.amazonaws.com with its
// variants, the names of VPC endpoints, and s3.localhost. A bucket may also stand
// before localhost itself.
func splitHost(host string) (bucket string, endpoint bool) {
	labels := strings.Split(host, ".")
	for i := len(labels) - 1; i >= 0; i-- {
		if endpointLabel(labels[i]) && knownDomain(labels[i+1:]) {
			if slices.Contains(labels[i:], "vpce") {
				return ofEndpoint(labels[:i]), true
			}
			return strings.Join(labels[:i], "."), true
		}
	}
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok && !strings.Contains(bucket, ".") && bucket != "s3" {
		return bucket, false
	}
	return "", false
}

// ofEndpoint is the bucket in what is before a VPC endpoint's s3.REGION: it stands
// before the label bucket and the endpoint's own.
// Source: AWS PrivateLink for Amazon S3, Amazon S3 User Guide.
func ofEndpoint(labels []string) string {
	if n := len(labels) - 2; n > 0 && labels[n] == "bucket" {
		return strings.Join(labels[:n], ".")
	}
	return ""
}

func endpointLabel(label string) bool {
	region, ok := strings.CutPrefix(label, "s3-")
	return label == "s3" || ok && (arn.KnownRegion(region) || region == "external-1" || region == "accelerate")
}

// knownDomain reports whether labels can follow an endpoint's first.
func knownDomain(labels []string) bool {
	for len(labels) > 0 && (labels[0] == "dualstack" || labels[0] == "vpce" || arn.KnownRegion(labels[0])) {
		labels = labels[1:]
	}
	switch strings.Join(labels, ".") {
	case "amazonaws.com", "amazonaws.com.cn", "localhost":
		return true
	}
	return false
}

// hostName is the host in lower case without port, "" for an address.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return ""
	}
	return strings.ToLower(host)
}

// subresources are the query parameters that tell operations apart.
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "location", "logging", "metadataConfiguration", "metadataTable", "metrics", "notification",
	"object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment",
	"restore", "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
}

// route finds the operation of a request.
func (s *Server) route(p call.Place, method string, query url.Values, h http.Header) (call.Operation, error) {
	level := "service"
	switch {
	case p.Key != "":
		level = "object"
	case p.Bucket != "":
		level = "bucket"
	}
	sub := ""
	for _, name := range subresources {
		if query.Has(name) {
			sub = name
			break
		}
	}
	if level == "bucket" && method == http.MethodGet && sub == "" && query.Get("list-type") == "2" {
		sub = "list-type"
	}
	if level == "object" && method == http.MethodPut && h.Get("X-Amz-Copy-Source") != "" && (sub == "" || sub == "uploadId") {
		sub += "copy"
	}
	op, ok := s.operations[method+" "+level+" "+sub]
	if ok {
		return op, nil
	}
	if sub != "" {
		return call.Operation{Name: method + " " + sub}, call.ErrNotImplemented
	}
	return op, call.Fail("MethodNotAllowed", http.StatusMethodNotAllowed, "The specified method is not allowed against this resource.", call.With("Method", method), call.With("ResourceType", strings.ToUpper(level)))
}
