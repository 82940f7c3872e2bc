// Package form reads the requests of the awsQuery and ec2Query protocols:
// URL-encoded pairs, from a body or a query string, into the structs described
// by a [shape.Plan].
//
// How strict each protocol is follows recorded answers of AWS: awsQuery ignores
// parameters it does not know but is strict about indexes and scalars, EC2 is the
// other way round.
package form

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"neargate/wire/shape"
)

// Bounds of a request: how many pairs, and how many dotted parts in a name.
const (
	maxPairs = 10000
	maxParts = 32
)

// Pair is one decoded parameter.
type Pair struct{ Name, Value string }

// Parse decodes URL-encoded pairs in their order. Text that is not properly
// encoded UTF-8, or has more pairs than any AWS request needs, is answered with
// MalformedQueryString.
func Parse(encoded string) ([]Pair, error) {
	count := strings.Count(encoded, "&") + 1
	if count > maxPairs {
		return nil, malformedQuery("The query string has too many parameters")
	}
	pairs := make([]Pair, 0, count)
	for part := range strings.SplitSeq(encoded, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, ok := decode(name)
		v, ok2 := decode(value)
		if !ok || !ok2 {
			return nil, malformedQuery("The query string contains a syntax error")
		}
		pairs = append(pairs, Pair{n, v})
	}
	return pairs, nil
}

// Get returns the last value of a parameter, "" if there is none.
func Get(pairs []Pair, name string) string {
	for i := len(pairs) - 1; i >= 0; i-- {
		if pairs[i].Name == name {
			return pairs[i].Value
		}
	}
	return ""
}

func malformedQuery(message string) error {
	return shape.NewError("MalformedQueryString", http.StatusNotFound, message)
}

// decode undoes URL encoding, + for a blank included.
func decode(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, utf8.ValidString(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := hexValue(s[i+1]), hexValue(s[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b = append(b, byte(high<<4|low))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), utf8.Valid(b)
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// node is a parameter name's part: the values given to the name that ends here,
// and the parts that follow, in the order they first came.
type node struct {
	path   string
	values []string
	names  []string
	kids   map[string]*node
}

// tree arranges pairs by the parts of their names. Indexes lose leading zeros, so
// that member.01 and member.1 are one.
func tree(pairs []Pair) (*node, error) {
	root := &node{}
	for _, p := range pairs {
		if strings.Count(p.Name, ".") >= maxParts {
			return nil, malformedQuery("The query string contains a parameter that is nested too deep")
		}
		n := root
		for part := range strings.SplitSeq(p.Name, ".") {
			n = n.kid(canonical(part))
		}
		n.values = append(n.values, p.Value)
	}
	return root, nil
}

func (n *node) kid(name string) *node {
	if k, ok := n.kids[name]; ok {
		return k
	}
	path := name
	if n.path != "" {
		path = n.path + "." + name
	}
	k := &node{path: path}
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.kids[name] = k
	n.names = append(n.names, name)
	return k
}

func canonical(part string) string {
	if !isDigits(part) {
		return part
	}
	if trimmed := strings.TrimLeft(part, "0"); trimmed != "" {
		return trimmed
	}
	return "0"
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// reserved reports whether a top-level parameter belongs to the protocol or to
// the signature rather than to the operation.
func reserved(name string) bool {
	switch name {
	case "Action", "Version", "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion",
		"SecurityToken", "Timestamp", "Expires":
		return true
	}
	return len(name) > 6 && strings.EqualFold(name[:6], "X-Amz-")
}
