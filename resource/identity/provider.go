package identity

import (
	"strings"
	"time"

	"neargate/arn"
)

// OIDCProvider is an OpenID Connect identity provider whose users may assume roles.
type OIDCProvider struct {
	Account     string
	URL         string   // without https://
	ClientIDs   []string `json:",omitempty"` // audiences, oldest first
	Thumbprints []string `json:",omitempty"`
	CreatedAt   time.Time
	Tags        []Tag `json:",omitempty"`
}

// ARN is the provider's Amazon Resource Name.
func (p *OIDCProvider) ARN() string { return iamARN(p.Account, oidcPrefix+p.URL) }

// SAMLProvider is a SAML 2.0 identity provider.
type SAMLProvider struct {
	Account, Name string
	UUID          string
	Metadata      string // document as sent
	CreatedAt     time.Time
	ValidUntil    time.Time
	Tags          []Tag `json:",omitempty"`
}

// ARN is the provider's Amazon Resource Name.
func (p *SAMLProvider) ARN() string { return iamARN(p.Account, samlPrefix+p.Name) }

const oidcPrefix, samlPrefix = "oidc-provider/", "saml-provider/"

// OIDCName splits the ARN of an OpenID Connect provider into account and URL.
func OIDCName(providerARN string) (account, url string, ok bool) {
	return named(providerARN, oidcPrefix)
}

// SAMLName splits the ARN of a SAML provider into account and name.
func SAMLName(providerARN string) (account, name string, ok bool) {
	return named(providerARN, samlPrefix)
}

func named(text, prefix string) (account, name string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "iam" || a.Region != "" || !arn.ValidAccount(a.Account) {
		return "", "", false
	}
	name, ok = strings.CutPrefix(a.Resource, prefix)
	return a.Account, name, ok && name != ""
}
