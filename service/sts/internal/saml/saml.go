// Package saml reads responses of SAML 2.0 identity providers, of which it believes what
// is signed.
package saml

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// Namespaces.
const (
	protocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	signature = "http://www.w3.org/2000/09/xmldsig#"
)

// Why a response is refused.
var (
	ErrEncoding  = errors.New("saml: not base64")
	ErrMalformed = errors.New("saml: no response with one assertion")
	ErrEncrypted = errors.New("saml: the assertion is encrypted")
	ErrSignature = errors.New("saml: nothing is signed by the provider")
	ErrStatus    = errors.New("saml: the response tells of a failure")
	ErrExpired   = errors.New("saml: expired")
	ErrEarly     = errors.New("saml: not valid yet")
	ErrAudience  = errors.New("saml: for another audience")
)

// Skew is how far the clock of a provider may be off, and Lifetime how long after it was
// issued an assertion can be used.
const (
	Skew     = time.Minute
	Lifetime = 5 * time.Minute
)

// Provider is what a provider's metadata tell.
type Provider struct {
	Issuer string // entity ID
	certs  []*x509.Certificate
}

// Parse reads the metadata of a provider.
func Parse(metadata string) (*Provider, error) {
	var entity struct {
		XMLName   xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
		ID        string   `xml:"entityID,attr"`
		Providers []struct {
			Keys []struct {
				Use   string   `xml:"use,attr"`
				Certs []string `xml:"KeyInfo>X509Data>X509Certificate"`
			} `xml:"KeyDescriptor"`
		} `xml:"IDPSSODescriptor"`
	}
	if err := xml.Unmarshal([]byte(metadata), &entity); err != nil {
		return nil, err
	}
	p := &Provider{Issuer: entity.ID}
	for _, idp := range entity.Providers {
		for _, k := range idp.Keys {
			for _, text := range k.Certs {
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
				if err != nil || k.Use == "encryption" {
					continue
				}
				if c, err := x509.ParseCertificate(der); err == nil {
					p.certs = append(p.certs, c)
				}
			}
		}
	}
	return p, nil
}

// Assertion is what a provider says of somebody.
type Assertion struct {
	Issuer       string    `xml:"Issuer"`
	IssueInstant time.Time `xml:"IssueInstant,attr"`
	Subject      struct {
		NameID struct {
			Format string `xml:"Format,attr"`
			Text   string `xml:",chardata"`
		}
		Confirmations []struct {
			Method string `xml:"Method,attr"`
			Data   struct {
				Recipient    string    `xml:"Recipient,attr"`
				NotOnOrAfter time.Time `xml:"NotOnOrAfter,attr"`
			} `xml:"SubjectConfirmationData"`
		} `xml:"SubjectConfirmation"`
	}
	Conditions struct {
		NotBefore    *time.Time `xml:"NotBefore,attr"`
		NotOnOrAfter *time.Time `xml:"NotOnOrAfter,attr"`
		Restrictions []struct {
			Audiences []string `xml:"Audience"`
		} `xml:"AudienceRestriction"`
	}
	Attributes []struct {
		Name   string   `xml:"Name,attr"`
		Values []string `xml:"AttributeValue"`
	} `xml:"AttributeStatement>Attribute"`
}

// Attribute prefixes the names of attributes that mean something to AWS.
const Attribute = "https://aws.amazon.com/SAML/Attributes/"

// Values are the values of an attribute of AWS; nil for none.
func (a *Assertion) Values(name string) (out []string) {
	for _, at := range a.Attributes {
		if at.Name == Attribute+name {
			for _, v := range at.Values {
				out = append(out, strings.TrimSpace(v))
			}
		}
	}
	return out
}

// Recipient is whom the assertion was made for.
func (a *Assertion) Recipient() string {
	for _, c := range a.Subject.Confirmations {
		if c.Data.Recipient != "" {
			return c.Data.Recipient
		}
	}
	return ""
}

// Verify reads a response, in base64, and returns the assertion in it, if that or all of
// the response is signed with a key of the provider.
func (p *Provider) Verify(response string, now time.Time) (*Assertion, error) {
	text, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return nil, ErrEncoding
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil || doc.Root() == nil {
		return nil, ErrMalformed
	}
	root := doc.Root()
	if root.Tag != "Response" || root.NamespaceURI() != protocol {
		return nil, ErrMalformed
	}
	if status := root.FindElement("./Status/StatusCode"); status != nil && !strings.HasSuffix(status.SelectAttrValue("Value", ""), ":status:Success") {
		return nil, ErrStatus
	}
	check := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: p.certs})
	check.Clock = dsig.NewFakeClockAt(now)
	whole := len(children(root, signature, "Signature")) > 0
	if whole {
		if root, err = check.Validate(root); err != nil {
			return nil, ErrSignature
		}
	}
	if len(children(root, assertion, "EncryptedAssertion")) > 0 {
		return nil, ErrEncrypted
	}
	all := children(root, assertion, "Assertion")
	if len(all) != 1 {
		return nil, ErrMalformed
	}
	one, err := detached(root, all[0])
	if err == nil && !whole {
		one, err = check.Validate(one)
	}
	if err != nil {
		return nil, ErrSignature
	}
	// Only what has been validated is read.
	signed := etree.NewDocument()
	signed.SetRoot(one.Copy())
	b, err := signed.WriteToBytes()
	if err != nil {
		return nil, err
	}
	a := &Assertion{}
	if err := xml.Unmarshal(b, a); err != nil {
		return nil, ErrMalformed
	}
	a.Issuer, a.Subject.NameID.Text = strings.TrimSpace(a.Issuer), strings.TrimSpace(a.Subject.NameID.Text)
	return a, nil
}

// children are the elements directly below one.
func children(of *etree.Element, space, tag string) (out []*etree.Element) {
	for _, c := range of.ChildElements() {
		if c.Tag == tag && c.NamespaceURI() == space {
			out = append(out, c)
		}
	}
	return out
}

// detached is an element by itself, with the namespaces that it has from those around it.
func detached(root, el *etree.Element) (*etree.Element, error) {
	around, err := etreeutils.NewDefaultNSContext().SubContext(root)
	if err != nil {
		return nil, err
	}
	return etreeutils.NSDetatch(around, el)
}

// audiences are AWS's names as a service provider.
var audiences = []string{"https://signin.aws.amazon.com/saml", "urn:amazon:webservices"}

// ForAWS refuses an assertion that is not for AWS, or not for now.
func (a *Assertion) ForAWS(now time.Time) error {
	c := &a.Conditions
	switch {
	case c.NotBefore != nil && now.Add(Skew).Before(*c.NotBefore):
		return ErrEarly
	case c.NotOnOrAfter != nil && !now.Add(-Skew).Before(*c.NotOnOrAfter), now.After(a.IssueInstant.Add(Lifetime)):
		return ErrExpired
	}
	for _, r := range c.Restrictions {
		if !slices.ContainsFunc(r.Audiences, func(v string) bool { return slices.Contains(audiences, strings.TrimSpace(v)) }) {
			return ErrAudience
		}
	}
	if len(c.Restrictions) == 0 {
		return ErrAudience
	}
	for _, s := range a.Subject.Confirmations {
		if s.Method != "urn:oasis:names:tc:SAML:2.0:cm:bearer" || !signIn(s.Data.Recipient) {
			continue
		}
		if !now.Add(-Skew).Before(s.Data.NotOnOrAfter) {
			return ErrExpired
		}
		return nil
	}
	return ErrAudience
}

// signIn reports whether an address is where AWS takes responses.
func signIn(address string) bool {
	host, ok := strings.CutPrefix(address, "https://")
	host, ok2 := strings.CutSuffix(strings.TrimSuffix(host, "/acs"), "/saml")
	return ok && ok2 && (host == "signin.aws.amazon.com" || strings.HasSuffix(host, ".signin.aws.amazon.com"))
}
