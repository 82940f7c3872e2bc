package sts

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"neargate/auth"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/store/tables/identities"
)

// idp is a SAML provider.
type idp struct {
	t    *testing.T
	sign *dsig.SigningContext
	cert []byte
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sign, err := dsig.NewSigningContext(key, [][]byte{cert})
	if err != nil {
		t.Fatal(err)
	}
	sign.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	return &idp{t, sign, cert}
}

func (p *idp) metadata() string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.com/saml"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + base64.StdEncoding.EncodeToString(p.cert) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>` +
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/"/></IDPSSODescriptor></EntityDescriptor>`
}

func stamped(after time.Duration) string { return start.Add(after).UTC().Format(time.RFC3339) }

// said is an assertion; replacements change it.
func said(role, provider string, replace ...string) string {
	a := `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="` + stamped(-time.Second) + `">` +
		`<saml:Issuer>https://idp.example.com/saml</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">carla</saml:NameID>` +
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="` + stamped(4*time.Minute) + `" Recipient="https://signin.aws.amazon.com/saml"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="` + stamped(-time.Minute) + `" NotOnOrAfter="` + stamped(4*time.Minute) + `"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AttributeStatement>` + attribute("Role", role+","+provider) + attribute("RoleSessionName", "carla@example.com") + attribute("SessionDuration", "1800") + attribute("PrincipalTag:team", "red") + `</saml:AttributeStatement></saml:Assertion>`
	return strings.NewReplacer(replace...).Replace(a)
}

func attribute(name, value string) string {
	return `<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/` + name + `"><saml:AttributeValue>` + value + `</saml:AttributeValue></saml:Attribute>`
}

// signed signs an element, which is left as it is where the provider is nil.
func (p *idp) signed(text string) string {
	if p == nil {
		return text
	}
	p.t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		p.t.Fatal(err)
	}
	el, err := p.sign.SignEnveloped(doc.Root())
	if err != nil {
		p.t.Fatal(err)
	}
	doc.SetRoot(el)
	out, err := doc.WriteToString()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func response(assertions string) string {
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` + assertions + `</samlp:Response>`
}

func TestAssumeRoleWithSAML(t *testing.T) {
	p, stranger := newIDP(t), newIDP(t)
	w := newWorld(t, "")
	provider := identity.SAMLProvider{Account: home, Name: "corp", Metadata: p.metadata(), ValidUntil: start.Add(time.Hour)}
	put(t, w, identities.SAMLProviders, &provider)
	trust := func(condition string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":%q},"Action":["sts:AssumeRoleWithSAML","sts:TagSession"],"Condition":{"StringEquals":{%s}}}]}`, provider.ARN(), condition)
	}
	role := w.role(t, home, "sso", trust(`"saml:aud":"https://signin.aws.amazon.com/saml","saml:iss":"https://idp.example.com/saml","saml:sub_type":"persistent","aws:RequestTag/team":"red"`))
	say := func(replace ...string) string { return said(role, provider.ARN(), replace...) }
	const refused, denied = "InvalidIdentityTokenException: ", "AccessDenied: Not authorized to perform sts:AssumeRoleWithSAML"
	good := response(p.signed(say()))
	evil := strings.Replace(say("carla", "mallory"), `ID="_a1"`, `ID="_a2"`, 1)
	for _, tt := range []struct{ name, response, want string }{
		{"signed assertion", good, ""},
		{"signed response", p.signed(response(say())), ""},
		{"role and provider turned", response(p.signed(say(role+","+provider.ARN(), provider.ARN()+","+role))), ""},
		{"nothing signed", response(say()), refused + "Response signature invalid"},
		{"signed by another", response(stranger.signed(say())), refused + "Response signature invalid"},
		{"changed", strings.Replace(good, ">carla<", ">mallory<", 1), refused + "Response signature invalid"},
		{"another assertion beside it", response(p.signed(say()) + evil), refused + "SAML Response is malformed"},
		{"wrapped", response(strings.Replace(evil, "</saml:Assertion>", p.signed(say())+"</saml:Assertion>", 1)), refused + "Response signature invalid"},
		{"none", response(""), refused + "SAML Response is malformed"},
		{"encrypted", response(`<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`), refused + "Encrypted SAML assertions are not supported."},
		{"no XML", "hello", refused + "SAML Response is malformed"},
		{"failure", strings.Replace(good, "status:Success", "status:Responder", 1), "IDPRejectedClaimException: The identity provider did not authenticate the subject."},
		{"issuer", response(p.signed(say("<saml:Issuer>https://idp", "<saml:Issuer>https://other"))), refused + "Issuer not present in specified provider"},
		{"audience", response(p.signed(say("urn:amazon:webservices", "urn:other"))), refused + "SAML Assertion does not contain the required audience or recipient"},
		{"recipient", response(p.signed(say("https://signin.aws.amazon.com/saml", "https://evil.example/saml"))), refused + "SAML Assertion does not contain the required audience or recipient"},
		{"expired", response(p.signed(say(stamped(4*time.Minute), stamped(-4*time.Minute)))), "ExpiredTokenException: Token must be redeemed within 5 minutes of issuance"},
		{"old", response(p.signed(say(stamped(-time.Second), stamped(-6*time.Minute)))), "ExpiredTokenException: Token must be redeemed within 5 minutes of issuance"},
		{"early", response(p.signed(say(stamped(-time.Minute), stamped(2*time.Minute)))), refused + "SAML Assertion is not valid yet"},
		{"another role", response(p.signed(say(":role/p/sso,", ":role/p/other,"))), denied},
		{"no session name", response(p.signed(say("RoleSessionName", "Other"))), refused + "RoleSessionName is required in AuthnResponse"},
		{"bad session name", response(p.signed(say("carla@example.com", "a b"))), refused + "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"},
		{"duration", response(p.signed(say(">1800<", ">60<"))), refused + "SessionDuration must be an integer between 900 and 43200"},
		{"tag", response(p.signed(say(">red<", ">blue<"))), denied},
		{"transient", response(p.signed(say("persistent", "transient"))), denied},
	} {
		out, err := w.AssumeRoleWithSAML(auth.WithCaller(t.Context(), auth.Caller{}), &api.AssumeRoleWithSAMLInput{
			RoleArn: &role, PrincipalArn: new(provider.ARN()), SAMLAssertion: new(base64.StdEncoding.EncodeToString([]byte(tt.response))),
		})
		if text(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if *out.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/sso/carla@example.com" || *out.Subject != "carla" || *out.SubjectType != "persistent" ||
			*out.Issuer != "https://idp.example.com/saml" || *out.Audience != "https://signin.aws.amazon.com/saml" || len(*out.NameQualifier) != 28 ||
			!out.Credentials.Expiration.Equal(start.UTC().Truncate(time.Second).Add(30*time.Minute)) {
			t.Errorf("%s: %+v", tt.name, out)
		}
	}
	ask := func(role, principal, text string) error {
		_, err := w.AssumeRoleWithSAML(auth.WithCaller(t.Context(), auth.Caller{}), &api.AssumeRoleWithSAMLInput{RoleArn: &role, PrincipalArn: &principal, SAMLAssertion: &text})
		return err
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(good))
	for want, err := range map[string]error{
		refused + "Specified provider doesn't exist": ask(role, "arn:aws:iam::123456789012:saml-provider/none", encoded),
		refused + "Invalid base64 SAMLResponse":      ask(role, provider.ARN(), "%%%%"),
		"ValidationError: x is invalid":              ask("x", provider.ARN(), encoded),
	} {
		if text(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
