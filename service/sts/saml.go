package sts

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"neargate/auth/policy"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/service/sts/internal/saml"
	"neargate/store"
	"neargate/store/tables/identities"
)

// samlAction is what a trust policy has to allow.
const samlAction = "sts:AssumeRoleWithSAML"

// sessionName is what names of sessions look like.
var sessionName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)

// AssumeRoleWithSAML issues temporary credentials of a role to whoever has a response of a
// SAML 2.0 provider that the role trusts. It needs no signature.
func (s *Service) AssumeRoleWithSAML(ctx context.Context, in *api.AssumeRoleWithSAMLInput) (*api.AssumeRoleWithSAMLOutput, error) {
	account, _, ok := identity.RoleName(*in.RoleArn)
	if !ok {
		return nil, invalid("%s is invalid", *in.RoleArn)
	}
	now := s.deps.Now()
	provider, a, err := s.asserted(ctx, account, in, now)
	if err != nil {
		return nil, err
	}
	as, err := askedBySAML(in, a)
	if err != nil {
		return nil, err
	}
	session, secret, err := s.federate(ctx, samlAction, provider.ARN(), samlKeys(provider, a), as, now)
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleWithSAMLOutput{
		AssumedRoleUser: &api.AssumedRoleUser{Arn: new(session.ARN()), AssumedRoleId: new(session.UserID())},
		Credentials:     credentials(&session, &secret), PackedPolicySize: packedShare(&session),
		Audience: new(a.Recipient()), Issuer: &a.Issuer, Subject: &a.Subject.NameID.Text,
		SubjectType: new(subjectType(a)), NameQualifier: new(qualifier(provider, a)),
	}
	if session.SourceIdentity != "" {
		out.SourceIdentity = &session.SourceIdentity
	}
	return out, nil
}

// asserted finds the provider that the request names and verifies its response.
func (s *Service) asserted(ctx context.Context, account string, in *api.AssumeRoleWithSAMLInput, now time.Time) (*identity.SAMLProvider, *saml.Assertion, error) {
	owner, name, ok := identity.SAMLName(*in.PrincipalArn)
	if !ok {
		return nil, nil, invalid("%s is invalid", *in.PrincipalArn)
	}
	var p identity.SAMLProvider
	err := s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		p, ok, err = identities.SAMLProviders.Find(tx, owner, name)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if !ok || owner != account {
		return nil, nil, api.InvalidIdentityTokenException("Specified provider doesn't exist")
	}
	known, err := saml.Parse(p.Metadata)
	if err != nil {
		return nil, nil, err
	}
	a, err := known.Verify(*in.SAMLAssertion, now)
	if err == nil {
		err = a.ForAWS(now)
	}
	switch {
	case errors.Is(err, saml.ErrEncoding):
		err = api.InvalidIdentityTokenException("Invalid base64 SAMLResponse")
	case errors.Is(err, saml.ErrEncrypted):
		err = api.InvalidIdentityTokenException("Encrypted SAML assertions are not supported.")
	case errors.Is(err, saml.ErrMalformed):
		err = api.InvalidIdentityTokenException("SAML Response is malformed")
	case errors.Is(err, saml.ErrStatus):
		err = api.IDPRejectedClaimException("The identity provider did not authenticate the subject.")
	case errors.Is(err, saml.ErrSignature):
		err = api.InvalidIdentityTokenException("Response signature invalid")
	case errors.Is(err, saml.ErrExpired):
		err = api.ExpiredTokenException("Token must be redeemed within 5 minutes of issuance")
	case errors.Is(err, saml.ErrEarly):
		err = api.InvalidIdentityTokenException("SAML Assertion is not valid yet")
	case errors.Is(err, saml.ErrAudience):
		err = api.InvalidIdentityTokenException("SAML Assertion does not contain the required audience or recipient")
	case err == nil && a.Issuer != known.Issuer:
		err = api.InvalidIdentityTokenException("Issuer not present in specified provider")
	case err == nil && now.After(p.ValidUntil):
		err = api.ExpiredTokenException("The metadata of the provider has expired")
	}
	return &p, a, err
}

// askedBySAML is the request with what the assertion says, as AssumeRole has it.
func askedBySAML(in *api.AssumeRoleWithSAMLInput, a *saml.Assertion) (*api.AssumeRoleInput, error) {
	as := &api.AssumeRoleInput{RoleArn: in.RoleArn, DurationSeconds: in.DurationSeconds, Policy: in.Policy, PolicyArns: in.PolicyArns,
		MinimumSessionTokenSize: in.MinimumSessionTokenSize, TransitiveTagKeys: a.Values("TransitiveTagKeys")}
	offered := slices.ContainsFunc(a.Values("Role"), func(v string) bool {
		one, other, ok := strings.Cut(v, ",")
		one, other = strings.TrimSpace(one), strings.TrimSpace(other)
		return ok && (one == *in.RoleArn && other == *in.PrincipalArn || other == *in.RoleArn && one == *in.PrincipalArn)
	})
	if !offered {
		return nil, notAuthorized(samlAction)
	}
	switch names := a.Values("RoleSessionName"); {
	case len(names) != 1:
		return nil, api.InvalidIdentityTokenException("RoleSessionName is required in AuthnResponse")
	case !sessionName.MatchString(names[0]):
		return nil, api.InvalidIdentityTokenException("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}")
	default:
		as.RoleSessionName = &names[0]
	}
	switch source := a.Values("SourceIdentity"); {
	case len(source) == 0:
	case len(source) > 1 || !sessionName.MatchString(source[0]) || strings.HasPrefix(source[0], "aws:"):
		return nil, api.InvalidIdentityTokenException("Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"")
	default:
		as.SourceIdentity = &source[0]
	}
	if limits := a.Values("SessionDuration"); len(limits) > 0 {
		seconds, err := strconv.ParseInt(limits[0], 10, 32)
		if err != nil || len(limits) > 1 || seconds < 900 || seconds > 43200 {
			return nil, api.InvalidIdentityTokenException("SessionDuration must be an integer between 900 and 43200")
		}
		if as.DurationSeconds == nil || *as.DurationSeconds > int32(seconds) {
			as.DurationSeconds = new(int32(seconds))
		}
	}
	for _, at := range a.Attributes {
		if key, ok := strings.CutPrefix(at.Name, saml.Attribute+"PrincipalTag:"); ok && len(at.Values) == 1 {
			as.Tags = append(as.Tags, api.Tag{Key: &key, Value: new(strings.TrimSpace(at.Values[0]))})
		}
	}
	return as, nil
}

// subjectType is the format of the subject's name: persistent, transient, or all of it.
func subjectType(a *saml.Assertion) string {
	const prefix = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
	if short, ok := strings.CutPrefix(a.Subject.NameID.Format, prefix); ok && (short == "persistent" || short == "transient") {
		return short
	}
	return a.Subject.NameID.Format
}

// qualifier tells the subjects of different providers apart.
func qualifier(p *identity.SAMLProvider, a *saml.Assertion) string {
	sum := sha1.Sum([]byte(a.Issuer + p.Account + "/" + p.Name))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// samlKeys are the condition keys of an assertion.
// Source: IAM User Guide, "Available keys for SAML-based AWS STS federation".
func samlKeys(p *identity.SAMLProvider, a *saml.Assertion) policy.Context {
	keys := policy.Context{}
	keys.Set("saml:aud", a.Recipient())
	keys.Set("saml:iss", a.Issuer)
	keys.Set("saml:sub", a.Subject.NameID.Text)
	keys.Set("saml:sub_type", subjectType(a))
	keys.Set("saml:namequalifier", qualifier(p, a))
	keys.Set("saml:doc", p.Account+"/"+p.Name)
	return keys
}
