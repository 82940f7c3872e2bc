package kms

import (
	"context"
	"maps"
	"slices"

	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/resource/key"
	"neargate/service/internal/guard"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/keys"
	"neargate/wire/shape"
)

// maxGrants is how many grants a key may have.
const maxGrants = 50000

// grantable are what a grant on a symmetric key can allow.
var grantable = []string{
	"CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
	"GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "RetireGrant",
}

// newGrant reads a grant from a request.
func (s *Service) newGrant(c auth.Caller, in *api.CreateGrantInput) (key.Grant, error) {
	g := key.Grant{
		ID: s.deps.IDs.Hex(64), Name: member.Or(in.Name, ""), CreatedAt: s.now(), Issuer: c.Account,
		Grantee: *in.GranteePrincipal, Retiring: member.Or(in.RetiringPrincipal, ""),
	}
	if in.GranteeServicePrincipal != nil || in.RetiringServicePrincipal != nil {
		return g, api.UnsupportedOperationException("Service principals are not supported in this region.")
	}
	if len(in.Operations) == 0 {
		return g, shape.Errorf("ValidationException", "The operation failed because Operations must not be empty.")
	}
	for _, op := range in.Operations {
		if !slices.Contains(grantable, op) {
			return g, shape.Errorf("ValidationException", "Grant operation %s is not supported for a key with KeySpec %s.", op, symmetric)
		}
	}
	g.Operations = slices.Compact(slices.Sorted(slices.Values(in.Operations)))
	if in.Constraints != nil {
		if len(in.Constraints.EncryptionContextEquals) > 0 { // none is no constraint
			g.Equals = in.Constraints.EncryptionContextEquals
		}
		if len(in.Constraints.EncryptionContextSubset) > 0 {
			g.Subset = in.Constraints.EncryptionContextSubset
		}
		switch {
		case in.Constraints.SourceArn != nil:
			return g, api.UnsupportedOperationException("SourceArn is not supported in this region.")
		case g.Equals != nil && g.Subset != nil:
			return g, shape.Errorf("ValidationException", "Only one of EncryptionContextSubset and EncryptionContextEquals can be specified.")
		}
	}
	return g, nil
}

// CreateGrant lets a principal use a key. Asked again for a named grant that is
// there already, it answers that one.
func (s *Service) CreateGrant(ctx context.Context, in *api.CreateGrantInput) (*api.CreateGrantOutput, error) {
	c := auth.CallerFrom(ctx)
	r, err := reference(c, *in.KeyId, false, true)
	if err != nil {
		return nil, err
	}
	g, err := s.newGrant(c, in)
	if err != nil {
		return nil, err
	}
	random := s.deps.IDs.Hex(64)
	out := &api.CreateGrantOutput{}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		k, err := find(tx, r)
		if err = firstOf(err, usable(&k), checkPrincipals(tx, &g), s.checkTokens(tx, c, in.GrantTokens), dryRun(in.DryRun)); err != nil {
			return err
		}
		g.Account, g.Region, g.Key = k.Account, k.Region, k.ID
		g.Token = g.MakeToken(random)
		if same, ok, err := sameGrant(tx, &g); err != nil || ok {
			out.GrantId, out.GrantToken = &same.ID, &same.Token
			return err
		}
		if tx.Count(store.Prefix(keys.Grants.Name, k.Account, k.Region, k.ID)) >= maxGrants {
			return api.LimitExceededException("You have exceeded the maximum number of grants for the key.")
		}
		out.GrantId, out.GrantToken = &g.ID, &g.Token
		return keys.Grants.Put(tx, &g)
	})
	return out, err
}

func checkPrincipals(tx store.Tx, g *key.Grant) error {
	for _, p := range []string{g.Grantee, g.Retiring} {
		if p == "" {
			continue
		}
		ok, err := guard.Exists(tx, p)
		if err != nil {
			return err
		}
		if !ok {
			return api.InvalidArnException("ARN does not refer to a valid principal: " + p)
		}
	}
	return nil
}

// checkTokens refuses tokens of grants that are not there. Grants count at once, so
// a token adds nothing.
func (s *Service) checkTokens(tx store.Tx, c auth.Caller, tokens []string) error {
	for _, t := range tokens {
		g, ok, err := byToken(tx, t)
		if err != nil {
			return err
		}
		if !ok || g.Region != c.Region {
			return api.InvalidGrantTokenException("Invalid grant token")
		}
	}
	return nil
}

func byToken(tx store.Tx, token string) (g key.Grant, ok bool, err error) {
	account, region, id, grant, ok := key.ParseToken(token)
	if !ok {
		return g, false, nil
	}
	g, ok, err = keys.Grants.Find(tx, account, region, id, grant)
	return g, ok && g.Token == token, err
}

// sameGrant finds a grant of the same name that is the same in all else.
func sameGrant(tx store.Tx, g *key.Grant) (key.Grant, bool, error) {
	if g.Name == "" {
		return key.Grant{}, false, nil
	}
	for o, err := range keys.Grants.List(tx, g.Account, g.Region, g.Key) {
		if err != nil {
			return o, false, err
		}
		if o.Name == g.Name && o.Grantee == g.Grantee && o.Retiring == g.Retiring && slices.Equal(o.Operations, g.Operations) &&
			maps.Equal(o.Equals, g.Equals) && maps.Equal(o.Subset, g.Subset) {
			return o, true, nil
		}
	}
	return key.Grant{}, false, nil
}

// ListGrants lists the grants of a key.
func (s *Service) ListGrants(ctx context.Context, in *api.ListGrantsInput) (*api.ListGrantsOutput, error) {
	c := auth.CallerFrom(ctx)
	r, err := reference(c, *in.KeyId, false, true)
	if err != nil {
		return nil, err
	}
	last, scope, err := s.marker(ctx, in.Marker, "ListGrants", *in.KeyId, member.Or(in.GrantId, ""), member.Or(in.GranteePrincipal, ""))
	if err != nil {
		return nil, err
	}
	limit := int(member.Or(in.Limit, 50))
	out := &api.ListGrantsOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListGrantsOutput{Grants: []api.GrantListEntry{}, Truncated: new(false)}
		k, err := find(tx, r)
		if err != nil {
			return err
		}
		of := []string{k.Account, k.Region, k.ID}
		var after []string
		if last != "" {
			after = append(slices.Clone(of), last)
		}
		for g, err := range keys.Grants.Page(tx, of, after, 0) {
			switch {
			case err != nil:
				return err
			case in.GrantId != nil && g.ID != *in.GrantId, in.GranteePrincipal != nil && g.Grantee != *in.GranteePrincipal:
				continue
			case len(out.Grants) == limit:
				out.Truncated = new(true)
				out.NextMarker = new(s.pages.Seal(*out.Grants[limit-1].GrantId, scope...))
				return nil
			}
			out.Grants = append(out.Grants, grantEntry(&g))
		}
		if in.GrantId != nil && len(out.Grants) == 0 {
			return api.InvalidGrantIdException("Invalid grant id")
		}
		return nil
	})
	return out, err
}

func grantEntry(g *key.Grant) api.GrantListEntry {
	e := api.GrantListEntry{
		KeyId: new(key.ARN(g.Account, g.Region, g.Key)), GrantId: &g.ID, Name: &g.Name, CreationDate: &g.CreatedAt,
		GranteePrincipal: &g.Grantee, IssuingAccount: new("arn:aws:iam::" + g.Issuer + ":root"), Operations: g.Operations,
	}
	if g.Retiring != "" {
		e.RetiringPrincipal = &g.Retiring
	}
	if g.Equals != nil || g.Subset != nil {
		e.Constraints = &api.GrantConstraints{EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset}
	}
	return e
}

// ListRetirableGrants lists the grants that a principal may retire.
func (s *Service) ListRetirableGrants(ctx context.Context, in *api.ListRetirableGrantsInput) (*api.ListRetirableGrantsOutput, error) {
	c := auth.CallerFrom(ctx)
	last, scope, err := s.marker(ctx, in.Marker, "ListRetirableGrants", *in.RetiringPrincipal)
	if err != nil {
		return nil, err
	}
	limit := int(member.Or(in.Limit, 50))
	out := &api.ListRetirableGrantsOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListRetirableGrantsOutput{Grants: []api.GrantListEntry{}, Truncated: new(false)}
		after := ""
		if last != "" {
			after = store.Key(keys.ByRetiring, c.Account, c.Region, *in.RetiringPrincipal, last)
		}
		found, err := store.Collect(keys.Grants.ByPage(tx, keys.ByRetiring, []string{c.Account, c.Region, *in.RetiringPrincipal}, after, limit+1))
		if err != nil {
			return err
		}
		if len(found) > limit {
			found, out.Truncated = found[:limit], new(true)
			g := &found[limit-1]
			out.NextMarker = new(s.pages.Seal(store.Key(g.Account, g.Region, g.Key, g.ID), scope...))
		}
		for i := range found {
			out.Grants = append(out.Grants, grantEntry(&found[i]))
		}
		return nil
	})
	return out, err
}

// RevokeGrant takes a grant of a key back.
func (s *Service) RevokeGrant(ctx context.Context, in *api.RevokeGrantInput) (*api.RevokeGrantOutput, error) {
	r, err := reference(auth.CallerFrom(ctx), *in.KeyId, false, true)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Tx) error {
		k, err := find(tx, r)
		if err != nil {
			return err
		}
		return s.dropGrant(tx, &k, *in.GrantId, in.DryRun)
	})
	return &api.RevokeGrantOutput{}, err
}

func (s *Service) dropGrant(tx store.Tx, k *key.Key, id string, dry *bool) error {
	_, ok, err := keys.Grants.Find(tx, k.Account, k.Region, k.ID, id)
	if err == nil && !ok {
		err = api.NotFoundException("Grant ID " + id + " not found")
	}
	if err = firstOf(err, dryRun(dry)); err != nil {
		return err
	}
	return keys.Grants.Delete(tx, k.Account, k.Region, k.ID, id)
}

// RetireGrant ends a grant, given by its token or by key and id.
func (s *Service) RetireGrant(ctx context.Context, in *api.RetireGrantInput) (*api.RetireGrantOutput, error) {
	c := auth.CallerFrom(ctx)
	if (in.GrantToken == nil) == (in.GrantId == nil || in.KeyId == nil) {
		return nil, shape.Errorf("ValidationException", "Must specify either a grant token, or both a grant ID and a key ARN.")
	}
	err := s.deps.Store.Update(ctx, func(tx store.Tx) error {
		if in.GrantToken != nil {
			g, ok, err := byToken(tx, *in.GrantToken)
			if err == nil && !ok {
				err = api.InvalidGrantTokenException("Invalid grant token")
			}
			if err != nil {
				return err
			}
			return s.dropGrant(tx, &key.Key{Account: g.Account, Region: g.Region, ID: g.Key}, g.ID, in.DryRun)
		}
		r, err := reference(c, *in.KeyId, false, true)
		if err != nil {
			return err
		}
		k, err := find(tx, r)
		if err != nil {
			return err
		}
		return s.dropGrant(tx, &k, *in.GrantId, in.DryRun)
	})
	return &api.RetireGrantOutput{}, err
}
