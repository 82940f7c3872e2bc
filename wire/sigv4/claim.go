package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	basicTime  = "20060102T150405Z"
	basicDate  = "20060102"
)

// Claim is what a request says of its signature: who signed it, when, and for
// which region and service. Nothing in it is proven before Verify has agreed.
type Claim struct {
	AccessKeyID  string
	SessionToken string
	Region       string
	Service      string
	Time         time.Time // when it was signed, UTC
	Presigned    bool      // signed in the query string

	date          string // date of the credential scope, YYYYMMDD
	terminator    string
	stamp         string // Time in ISO 8601 basic format
	signedHeaders []string
	headerList    string // signedHeaders as given
	signature     string
	expires       time.Duration // presigned only; 0 when not given
	query         url.Values    // presigned only
}

// Scope is the claim's credential scope, date/region/service/aws4_request.
func (c *Claim) scope() string {
	return c.date + "/" + c.Region + "/" + c.Service + "/" + terminator
}

// Signed reports whether the lower-case header name is among the signed ones.
func (c *Claim) signed(name string) bool { return slices.Contains(c.signedHeaders, name) }

// s3 reports whether Amazon S3's variant of the rules applies.
func (c *Claim) s3() bool { return strings.HasPrefix(c.Service, "s3") }

// Parse reads a request's claim. The error is an *Error: Missing when the
// request is not signed, Incomplete when its signature cannot be read.
func Parse(r *http.Request) (*Claim, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return parseHeader(r, h)
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-") {
		q := r.URL.Query()
		if q.Has("X-Amz-Algorithm") || q.Has("X-Amz-Credential") || q.Has("X-Amz-Signature") {
			return parseQuery(q, r.Header.Get("X-Amz-Security-Token"))
		}
	}
	return nil, &Error{Missing, msgMissing}
}

func parseHeader(r *http.Request, header string) (*Claim, error) {
	c := &Claim{SessionToken: r.Header.Get("X-Amz-Security-Token")}
	credential, err := c.readAuthorization(header)
	if err != nil {
		return nil, err
	}
	date := r.Header.Get("X-Amz-Date")
	var missing strings.Builder
	for _, p := range []struct{ name, value string }{
		{"Credential", credential}, {"Signature", c.signature}, {"SignedHeaders", c.headerList},
	} {
		if p.value == "" {
			missing.WriteString("Authorization header requires '" + p.name + "' parameter. ")
		}
	}
	if date == "" && r.Header.Get("Date") == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return nil, &Error{Incomplete, missing.String() + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + digest(header)}
	}
	if err := c.readCredential(credential); err != nil {
		return nil, err
	}
	if date == "" {
		date = isoDate(r.Header.Get("Date"))
	}
	if err := c.readTime(date); err != nil {
		return nil, err
	}
	return c, nil
}

// isoDate brings an HTTP date to ISO 8601 basic format; anything else stays.
func isoDate(s string) string {
	if t, err := http.ParseTime(s); err == nil {
		return t.UTC().Format(basicTime)
	}
	return s
}

// readAuthorization splits an Authorization header into its parameters. Header
// values are quoted in messages only as a digest, so that no part of a secret
// pasted in the wrong place comes back in an answer or a log.
func (c *Claim) readAuthorization(header string) (credential string, err error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		if strings.HasPrefix(scheme, "AWS4-") {
			return "", &Error{Incomplete, "Unsupported AWS 'algorithm': '" + scheme + "'."}
		}
		return "", nil
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || strings.ContainsAny(value, " \t") {
			return "", &Error{Incomplete,
				"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" + digest(header) + "'."}
		}
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			c.headerList = value
			c.signedHeaders = strings.Split(value, ";")
		case "Signature":
			c.signature = value
		}
	}
	return credential, nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func parseQuery(q url.Values, headerToken string) (*Claim, error) {
	var missing strings.Builder
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if q.Get(name) == "" {
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return nil, &Error{Incomplete, missing.String() + "Re-examine the query-string parameters."}
	}
	if a := q.Get("X-Amz-Algorithm"); a != algorithm {
		return nil, &Error{Incomplete, "Unsupported AWS 'algorithm': '" + a + "'."}
	}
	c := &Claim{
		Presigned:    true,
		SessionToken: q.Get("X-Amz-Security-Token"),
		headerList:   q.Get("X-Amz-SignedHeaders"),
		signature:    q.Get("X-Amz-Signature"),
		query:        q,
	}
	if c.SessionToken == "" {
		c.SessionToken = headerToken
	}
	c.signedHeaders = strings.Split(c.headerList, ";")
	if err := c.readCredential(q.Get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	if err := c.readTime(q.Get("X-Amz-Date")); err != nil {
		return nil, err
	}
	if err := c.readExpires(q.Get("X-Amz-Expires")); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Claim) readCredential(s string) error {
	f := strings.Split(s, "/")
	if len(f) < 5 {
		return &Error{Incomplete,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + s + "'"}
	}
	n := len(f) - 4 // an access key id may itself contain slashes
	c.AccessKeyID = strings.Join(f[:n], "/")
	c.date, c.Region, c.Service, c.terminator = f[n], f[n+1], f[n+2], f[n+3]
	return nil
}

func (c *Claim) readTime(s string) error {
	t, err := parseTime(s)
	if err != nil {
		return &Error{Incomplete, "Date must be in ISO-8601 'basic format'. Got '" + s + "'. See http://en.wikipedia.org/wiki/ISO_8601"}
	}
	c.Time, c.stamp = t, s
	return nil
}

// parseTime is time.Parse of basicTime, faster for times that are as they should be.
func parseTime(s string) (time.Time, error) {
	if len(s) != len(basicTime) || s[8] != 'T' || s[15] != 'Z' {
		return time.Parse(basicTime, s)
	}
	var n [7]int // century and year, then what follows
	for i, at := range [...]int{0, 2, 4, 6, 9, 11, 13} {
		ten, one := s[at]-'0', s[at+1]-'0'
		if ten > 9 || one > 9 {
			return time.Parse(basicTime, s)
		}
		n[i] = 10*int(ten) + int(one)
	}
	t := time.Date(100*n[0]+n[1], time.Month(n[2]), n[3], n[4], n[5], n[6], 0, time.UTC)
	if int(t.Month()) != n[2] || t.Day() != n[3] || n[4] > 23 || n[5] > 59 || n[6] > 59 {
		return time.Parse(basicTime, s) // the 30th of February became another day
	}
	return t, nil
}

func (c *Claim) readExpires(s string) error {
	if s == "" {
		if c.s3() {
			return &Error{Incomplete, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
				"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."}
		}
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return &Error{Incomplete, "X-Amz-Expires should be a number"}
	case n < 0:
		return &Error{Incomplete, "X-Amz-Expires must be non-negative"}
	case n > int64(presignedMax/time.Second):
		return &Error{Incomplete, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"}
	}
	c.expires = time.Duration(n) * time.Second
	return nil
}
