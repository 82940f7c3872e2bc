package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// variant selects among forms of one request that mean the same and that
// official signers canonicalise differently.
type variant struct {
	rawPath   bool // the path as sent: not normalised, or for Amazon S3 not re-encoded
	barePort  bool // the host without the scheme's default port
	lateToken bool // X-Amz-Security-Token was added to the query after signing
}

// variants lists the forms in which r may have been signed beside the usual
// one. Each covers exactly what was sent.
func variants(r *http.Request, c *Claim) []variant {
	forms := []variant{{}}
	add := func(change func(*variant)) {
		for _, v := range forms {
			change(&v)
			forms = append(forms, v)
		}
	}
	path := r.URL.EscapedPath()
	if c.s3() && string(appendPath(nil, path, true, false)) != path || !c.s3() && normalise(path) != path {
		add(func(v *variant) { v.rawPath = true })
	}
	if trimDefaultPort(r.Host) != r.Host {
		add(func(v *variant) { v.barePort = true })
	}
	if c.Presigned && c.query.Has("X-Amz-Security-Token") {
		add(func(v *variant) { v.lateToken = true })
	}
	return forms[1:]
}

// appendCanonical appends the canonical request of r to dst.
func appendCanonical(dst []byte, r *http.Request, c *Claim, payload string, v variant) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, '\n')
	dst = appendPath(dst, r.URL.EscapedPath(), c.s3(), v.rawPath)
	dst = append(dst, '\n')
	dst = appendQuery(dst, r.URL.RawQuery, c.Presigned, v.lateToken)
	dst = append(dst, '\n')
	for _, name := range c.signedHeaders {
		dst = append(dst, name...)
		dst = append(dst, ':')
		dst = appendHeader(dst, r, name, v.barePort)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	dst = append(dst, c.headerList...)
	dst = append(dst, '\n')
	return append(dst, payload...)
}

// appendPath appends the canonical path of the escaped path p. Amazon S3 keeps
// the path and encodes its bytes once; all other services normalise it and
// encode the escaped form once more.
func appendPath(dst []byte, p string, s3, raw bool) []byte {
	if p == "" {
		return append(dst, '/')
	}
	if !s3 {
		if !raw {
			p = normalise(p)
		}
		return appendEscaped(dst, p)
	}
	if raw {
		return append(dst, p...)
	}
	for i := 0; i < len(p); i++ {
		b := p[i]
		if b == '%' && i+2 < len(p) && isHex(p[i+1]) && isHex(p[i+2]) {
			b = unhex(p[i+1])<<4 | unhex(p[i+2])
			i += 2
			dst = appendByte(dst, b, false)
			continue
		}
		dst = appendByte(dst, b, true)
	}
	return dst
}

// normalise removes dot segments and empty segments from a path (RFC 3986
// section 5.2.4, and no consecutive slashes). A final slash stays.
func normalise(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return p
	}
	var out []string
	for seg := range strings.SplitSeq(p, "/") {
		switch seg {
		case "", ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, seg)
		}
	}
	if len(out) == 0 {
		return "/"
	}
	clean := "/" + strings.Join(out, "/")
	if strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}

// appendQuery appends the canonical query string: every name and value decoded
// and encoded again, sorted by encoded name, then encoded value. A presigned
// request's signature is no part of it.
func appendQuery(dst []byte, raw string, presigned, dropToken bool) []byte {
	if raw == "" {
		return dst
	}
	type pair struct{ name, value string }
	pairs := make([]pair, 0, strings.Count(raw, "&")+1)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		p := pair{reescape(name), reescape(value)}
		if presigned && (p.name == "X-Amz-Signature" || dropToken && p.name == "X-Amz-Security-Token") {
			continue
		}
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if n := strings.Compare(a.name, b.name); n != 0 {
			return n
		}
		return strings.Compare(a.value, b.value)
	})
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, p.name...)
		dst = append(dst, '=')
		dst = append(dst, p.value...)
	}
	return dst
}

// reescape brings an escaped query component to its canonical escaping. A
// percent sign that escapes nothing stands for itself.
func reescape(s string) string {
	if plain(s) {
		return s
	}
	out := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case b == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		case b == '+':
			b = ' '
		}
		out = appendByte(out, b, false)
	}
	return string(out)
}

func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			return false
		}
	}
	return true
}

// appendHeader appends the canonical value of the signed header name: values
// joined by commas, trimmed, runs of blanks folded to one space.
func appendHeader(dst []byte, r *http.Request, name string, barePort bool) []byte {
	switch name {
	case "host":
		if barePort {
			return append(dst, trimDefaultPort(r.Host)...)
		}
		return append(dst, r.Host...)
	case "content-length":
		if len(r.Header["Content-Length"]) == 0 && r.ContentLength >= 0 {
			return strconv.AppendInt(dst, r.ContentLength, 10)
		}
	case "transfer-encoding":
		return append(dst, strings.Join(r.TransferEncoding, ",")...)
	}
	for i, v := range values(r.Header, name) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFolded(dst, v)
	}
	return dst
}

// values looks up a header by its lower-case name, without allocating the
// canonical spelling.
func values(h http.Header, name string) []string {
	var buf [64]byte
	if len(name) > len(buf) {
		return h[http.CanonicalHeaderKey(name)]
	}
	key := append(buf[:0], name...)
	for i, b := range key {
		if 'a' <= b && b <= 'z' && (i == 0 || key[i-1] == '-') {
			key[i] = b - 'a' + 'A'
		}
	}
	return h[string(key)]
}

func appendFolded(dst []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	blank := false
	for i := 0; i < len(v); i++ {
		if v[i] == ' ' || v[i] == '\t' {
			blank = true
			continue
		}
		if blank {
			dst = append(dst, ' ')
			blank = false
		}
		dst = append(dst, v[i])
	}
	return dst
}

func trimDefaultPort(host string) string {
	if h, ok := strings.CutSuffix(host, ":80"); ok {
		return h
	}
	return strings.TrimSuffix(host, ":443")
}

func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		dst = appendByte(dst, s[i], true)
	}
	return dst
}

func appendByte(dst []byte, b byte, keepSlash bool) []byte {
	if unreserved(b) || keepSlash && b == '/' {
		return append(dst, b)
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[b>>4], digits[b&15])
}

// unreserved are the characters URIs never need to escape (RFC 3986 section 2.3).
func unreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		b == '-' || b == '.' || b == '_' || b == '~'
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func unhex(b byte) byte {
	switch {
	case b <= '9':
		return b - '0'
	case b <= 'F':
		return b - 'A' + 10
	default:
		return b - 'a' + 10
	}
}
