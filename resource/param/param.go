// Package param holds the stored records of SSM Parameter Store.
package param

import (
	"strconv"
	"strings"
	"time"

	"neargate/arn"
)

// Types of parameters.
const (
	String       = "String"
	StringList   = "StringList"
	SecureString = "SecureString"
)

// Tiers of parameters.
const (
	Standard = "Standard"
	Advanced = "Advanced"
)

// DefaultKey encrypts parameters that name no key.
const DefaultKey = "alias/aws/ssm"

// Tag is a key and a value attached to a parameter.
type Tag struct{ Key, Value string }

// Parameter is a parameter with its latest version.
type Parameter struct {
	Account, Region string
	Path            string // the name with a slash before it, also where Name has none
	Name            string // as it was created
	Tags            []Tag  `json:",omitempty"` // by key
	Latest          Version
	Oldest          int64            // number of the oldest version kept
	Labels          map[string]int64 `json:",omitempty"` // which version has a label
}

// Version is one version of a parameter.
type Version struct {
	Account, Region, Path string
	Number                int64
	Type                  string
	Value                 string `json:",omitempty"` // of a String or StringList
	Sealed                []byte `json:",omitempty"` // of a SecureString: a ciphertext of KMS
	KeyID                 string `json:",omitempty"` // as given
	Description           string `json:",omitempty"`
	AllowedPattern        string `json:",omitempty"`
	DataType              string
	Tier                  string
	Policies              []Policy `json:",omitempty"`
	ModifiedAt            time.Time
	User                  string // ARN of who made it
}

// Policy is a policy of an advanced parameter. The only kind is Expiration.
type Policy struct {
	Text string // as given
	At   time.Time
}

// ARN is the parameter's Amazon Resource Name.
func (p *Parameter) ARN() string { return ARN(p.Account, p.Region, p.Path) }

// Expires is when the parameter is deleted; zero for never.
func (p *Parameter) Expires() (at time.Time) {
	for _, x := range p.Latest.Policies {
		if at.IsZero() || x.At.Before(at) {
			at = x.At
		}
	}
	return at
}

// LabelsOf are the labels of a version, sorted.
func (p *Parameter) LabelsOf(number int64) []string {
	out := []string{}
	for l, n := range p.Labels {
		if n == number {
			out = append(out, l)
		}
	}
	return sorted(out)
}

// Path is a parameter's name with a slash before it.
func Path(name string) string { return "/" + strings.TrimPrefix(name, "/") }

// ARN prints the ARN of a parameter.
func ARN(account, region, name string) string {
	return arn.New("ssm", region, account, "parameter"+Path(name))
}

// Reference is what a request names a parameter by.
type Reference struct {
	Account, Region string
	Path            string
	Name            string // as given, without the selector
	Selector        string // as given, with its colon; "" for none
	Version         int64  // that the selector names; 0 for none
	Label           string // that the selector names
}

// Parse reads a parameter given by name or ARN, with or without a selector, as a
// caller in an account and region means it. ok is false for an empty selector, two
// selectors, and what is no ARN of a parameter though it looks like one.
func Parse(text, account, region string) (r Reference, ok bool) {
	r = Reference{Account: account, Region: region, Name: text}
	name := text
	if arn.Is(text) {
		a, err := arn.Parse(text)
		rest, found := strings.CutPrefix(a.Resource, "parameter/")
		if err != nil || a.Service != "ssm" || !found {
			return r, false
		}
		r.Account, r.Region, name = a.Account, a.Region, rest
	}
	bare, selector, has := strings.Cut(name, ":")
	r.Path = Path(bare)
	if !has {
		return r, bare != ""
	}
	if selector == "" || strings.Contains(selector, ":") || bare == "" {
		return r, false
	}
	r.Name, r.Selector = strings.TrimSuffix(text, ":"+selector), ":"+selector
	if n, err := strconv.ParseInt(selector, 10, 64); err == nil {
		r.Version = n
	} else {
		r.Label = selector
	}
	return r, true
}
