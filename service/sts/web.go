package sts

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"neargate/auth/policy"
	api "neargate/aws/sts"
	"neargate/resource/identity"
	"neargate/service/sts/internal/oidc"
	"neargate/store"
	"neargate/store/tables/identities"
)

// webAction is what a trust policy has to allow.
const webAction = "sts:AssumeRoleWithWebIdentity"

// AssumeRoleWithWebIdentity issues temporary credentials of a role to whoever has a
// token of an OpenID Connect provider that the role trusts. It needs no signature.
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, in *api.AssumeRoleWithWebIdentityInput) (*api.AssumeRoleWithWebIdentityOutput, error) {
	account, _, ok := identity.RoleName(*in.RoleArn)
	if !ok {
		return nil, invalid("%s is invalid", *in.RoleArn)
	}
	token, err := oidc.Parse(*in.WebIdentityToken)
	if err != nil {
		return nil, api.InvalidIdentityTokenException("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	now := s.deps.Now()
	provider, err := s.vouched(ctx, account, token, now)
	if err != nil {
		return nil, err
	}
	as := asked(in, &token.Claims)
	session, secret, err := s.federate(ctx, webAction, provider.ARN(), webKeys(provider, &token.Claims), as, now)
	if err != nil {
		return nil, err
	}
	out := &api.AssumeRoleWithWebIdentityOutput{
		AssumedRoleUser:             &api.AssumedRoleUser{Arn: new(session.ARN()), AssumedRoleId: new(session.UserID())},
		Credentials:                 credentials(&session, &secret),
		PackedPolicySize:            packedShare(&session),
		SubjectFromWebIdentityToken: &token.Claims.Subject,
		Provider:                    new(provider.ARN()),
		Audience:                    new(audienceOf(&token.Claims, provider)),
	}
	if session.SourceIdentity != "" {
		out.SourceIdentity = &session.SourceIdentity
	}
	return out, nil
}

// vouched finds the provider of a token and verifies that the token is of it.
func (s *Service) vouched(ctx context.Context, account string, token *oidc.Token, now time.Time) (*identity.OIDCProvider, error) {
	c := &token.Claims
	var provider identity.OIDCProvider
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		address, secure := strings.CutPrefix(c.Issuer, "https://")
		p, ok, err := identities.OIDCProviders.Find(tx, account, address)
		if err == nil && (!ok || !secure) {
			err = api.InvalidIdentityTokenException("No OpenIDConnect provider found in your account for " + c.Issuer)
		}
		provider = p
		return err
	})
	if err != nil {
		return nil, err
	}
	switch err := token.Current(now); {
	case errors.Is(err, oidc.ErrExpired):
		return nil, api.ExpiredTokenException("Token expired: current date/time must be before the expiration date/time")
	case err != nil:
		return nil, api.InvalidIdentityTokenException("Token must not be accepted before the time it states")
	}
	if !slices.Contains(provider.ClientIDs, audienceOf(c, &provider)) {
		return nil, api.InvalidIdentityTokenException("Incorrect token audience")
	}
	keys, err := oidc.Keys(ctx, c.Issuer, provider.Thumbprints)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, api.InvalidIdentityTokenException("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	if err := token.Verify(keys); err != nil {
		return nil, api.InvalidIdentityTokenException("The token's signature is invalid.")
	}
	return &provider, nil
}

// audienceOf is whom a token was issued for: the authorized party if it names one, else
// the audience, of several the first that the provider knows.
func audienceOf(c *oidc.Claims, p *identity.OIDCProvider) string {
	if c.Authorized != "" || len(c.Audience) == 0 {
		return c.Authorized
	}
	if i := slices.IndexFunc(c.Audience, func(a string) bool { return slices.Contains(p.ClientIDs, a) }); i >= 0 {
		return c.Audience[i]
	}
	return c.Audience[0]
}

// asked is the request with what the token says, as AssumeRole has it.
func asked(in *api.AssumeRoleWithWebIdentityInput, c *oidc.Claims) *api.AssumeRoleInput {
	as := &api.AssumeRoleInput{
		RoleArn: in.RoleArn, RoleSessionName: in.RoleSessionName, DurationSeconds: in.DurationSeconds,
		Policy: in.Policy, PolicyArns: in.PolicyArns, TransitiveTagKeys: c.Tags.Transitive,
	}
	for _, key := range slices.Sorted(maps.Keys(c.Tags.Principal)) {
		if values := c.Tags.Principal[key]; len(values) == 1 {
			as.Tags = append(as.Tags, api.Tag{Key: &key, Value: &values[0]})
		}
	}
	if c.SourceIdentity != "" {
		as.SourceIdentity = &c.SourceIdentity
	}
	return as
}

// webKeys are the condition keys of a token.
func webKeys(provider *identity.OIDCProvider, c *oidc.Claims) policy.Context {
	keys := policy.Context{}
	keys.Set(provider.URL+":aud", audienceOf(c, provider))
	keys.Set(provider.URL+":sub", c.Subject)
	keys.Set(provider.URL+":amr", c.Methods...)
	if c.Authorized != "" {
		keys.Set(provider.URL+":oaud", c.Audience...)
	}
	return keys
}
