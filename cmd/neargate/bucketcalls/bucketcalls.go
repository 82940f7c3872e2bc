// Package bucketcalls tells of calls of Amazon S3 as of those of other services.
package bucketcalls

import (
	"net/http"
	"slices"
	"strings"

	"neargate/audit"
	"neargate/service/s3"
	"neargate/wire"
)

// Of is a call as the front door would tell of it. What is told of calls about objects only
// with data is their Input.
func Of(c *s3.Call, data bool) wire.Call {
	out := wire.Call{
		ID: c.ID, Service: "s3", Operation: c.Operation, Region: c.Region, Account: c.Account, AccessKeyID: c.AccessKeyID,
		SourceIP: c.SourceIP, UserAgent: c.UserAgent, Status: c.Status, Code: c.Code, Message: c.Message, Start: c.Start, Duration: c.Duration,
		Err: c.Err, Principal: c.Caller, Host: c.Host, TLS: c.TLS,
	}
	switch {
	case !audit.OfObjects(c.Operation):
		out.Input = &struct{ Bucket *string }{&c.Bucket}
	case data:
		a := access(c)
		out.Input, out.Read = a, size(a)
	}
	return out
}

// access is what is told of a call about objects.
func access(c *s3.Call) *audit.Access {
	a := &audit.Access{
		Bucket: c.Bucket, Key: c.Key, Owner: c.Owner, Many: c.Key == "", Signature: c.SignedBy, Authentication: c.SignedIn,
		Encryption: encryption(c.Header, c.Answer), ID2: first(c.Answer, "x-amz-id-2"), In: c.In, Out: c.Out,
	}
	if a.Many {
		a.Key = c.Query.Get("prefix")
	}
	for name := range c.Query {
		if !hidden(name) {
			a.Parameters = append(a.Parameters, audit.Pair{Name: name, Value: c.Query.Get(name)})
		}
	}
	for name, values := range c.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !hidden(name) && !c.Query.Has(name) {
			a.Parameters = append(a.Parameters, audit.Pair{Name: name, Value: strings.Join(values, ",")})
		}
	}
	for _, name := range answers {
		if v := first(c.Answer, name); v != "" {
			a.Answers = append(a.Answers, audit.Pair{Name: name, Value: v})
		}
	}
	slices.SortFunc(a.Parameters, func(x, y audit.Pair) int { return strings.Compare(x.Name, y.Name) })
	a.Parameters = slices.CompactFunc(a.Parameters, func(x, y audit.Pair) bool { return x.Name == y.Name })
	return a
}

// answers are the headers of answers that are told of.
var answers = []string{
	"x-amz-delete-marker", "x-amz-expiration", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
	"x-amz-server-side-encryption-bucket-key-enabled", "x-amz-version-id",
}

// hidden reports whether a parameter or header is not told of: it proves who calls, is a
// customer's key or metadata, or says nothing.
func hidden(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "x-amz-credential", "x-amz-signature", "x-amz-security-token", "awsaccesskeyid", "signature", "x-amz-content-sha256", "x-amz-trailer", "x-amz-id", "x-id":
		return true
	}
	return strings.Contains(name, "customer-key") || strings.HasPrefix(name, "x-amz-meta-") || strings.HasPrefix(name, "x-amz-checksum-")
}

// encryption is how what was written is encrypted, and whether the call or the bucket
// said so.
func encryption(asked, answer http.Header) string {
	by := first(answer, "x-amz-server-side-encryption")
	switch {
	case asked.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "":
		return "SSE_C"
	case by == "":
		return ""
	}
	applied := "SSE_S3"
	if by == "aws:kms" {
		applied = "SSE_KMS"
	}
	if asked.Get("X-Amz-Server-Side-Encryption") == "" {
		applied = "Default_" + applied
	}
	return applied
}

// first is the value of a header by its name as Amazon S3 spells it.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// size is about how many bytes are kept until the call is recorded.
func size(a *audit.Access) (n int) {
	for _, p := range a.Parameters {
		n += len(p.Name) + len(p.Value)
	}
	return n + len(a.Key)
}
