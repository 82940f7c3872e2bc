// Package provider answers IAM's operations on identity providers.
package provider

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/tag"
	"neargate/store"
	"neargate/store/tables/identities"
)

// Quotas, as AWS sets them.
const (
	maxProviders   = 100
	maxClientIDs   = 100
	maxThumbprints = 5
)

// Handler answers the operations.
type Handler struct{ env call.Env }

// New makes the handler.
func New(e call.Env) *Handler { return &Handler{e} }

// oidc returns the caller's OpenID Connect provider with the ARN.
func oidc(ctx context.Context, tx store.Tx, providerARN string) (identity.OIDCProvider, error) {
	account, address, ok := identity.OIDCName(providerARN)
	if !ok {
		return identity.OIDCProvider{}, call.Invalid("Invalid ARN:  %s", providerARN)
	}
	p, found, err := identities.OIDCProviders.Find(tx, account, address)
	if err == nil && (!found || account != auth.CallerFrom(ctx).Account) {
		err = api.NoSuchEntityException("OpenIDConnect Provider not found for arn " + providerARN)
	}
	return p, err
}

func (h *Handler) changeOIDC(ctx context.Context, providerARN *string, f func(*identity.OIDCProvider) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := oidc(ctx, tx, *providerARN)
		if err != nil {
			return err
		}
		if err := f(&p); err != nil {
			return err
		}
		return identities.OIDCProviders.Put(tx, &p)
	})
}

func (h *Handler) viewOIDC(ctx context.Context, providerARN *string) (p identity.OIDCProvider, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		p, err = oidc(ctx, tx, *providerARN)
		return err
	})
	return p, err
}

// address is the URL of a provider without its scheme.
func address(text string) (string, error) {
	rest, ok := strings.CutPrefix(text, "https://")
	u, err := url.Parse(text)
	if err != nil || !ok || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", call.Invalid("Invalid Open ID Connect Provider URL")
	}
	return rest, nil
}

func checkThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return api.InvalidInputException("Thumbprint list must contain fewer than 5 entries.")
	}
	return nil
}

// CreateOpenIDConnectProvider registers an OpenID Connect provider.
func (h *Handler) CreateOpenIDConnectProvider(ctx context.Context, in *api.CreateOpenIDConnectProviderInput) (*api.CreateOpenIDConnectProviderOutput, error) {
	p := identity.OIDCProvider{
		Account: auth.CallerFrom(ctx).Account, ClientIDs: in.ClientIDList, Thumbprints: in.ThumbprintList, CreatedAt: h.env.Time(),
	}
	var err error
	if p.URL, err = address(*in.Url); err != nil {
		return nil, err
	}
	if err := checkThumbprints(p.Thumbprints); err != nil {
		return nil, err
	}
	if len(p.ClientIDs) > maxClientIDs {
		return nil, call.Quota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
	}
	if p.Tags, err = tag.Merge(nil, in.Tags, false); err != nil {
		return nil, err
	}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := identities.OIDCProviders.Find(tx, p.Account, p.URL); ok || err != nil {
			return call.Either(err, api.EntityAlreadyExistsException("Provider with url "+*in.Url+" already exists."))
		}
		if tx.Count(store.Prefix(identities.OIDCProviders.Name, p.Account)) >= maxProviders {
			return call.Quota("OpenIdConnectProvidersPerAccount", maxProviders)
		}
		return identities.OIDCProviders.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: new(p.ARN()), Tags: tag.List(p.Tags)}, nil
}

// GetOpenIDConnectProvider describes a provider.
func (h *Handler) GetOpenIDConnectProvider(ctx context.Context, in *api.GetOpenIDConnectProviderInput) (*api.GetOpenIDConnectProviderOutput, error) {
	p, err := h.viewOIDC(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.GetOpenIDConnectProviderOutput{
		Url: &p.URL, CreateDate: &p.CreatedAt, Tags: tag.List(p.Tags),
		ClientIDList: append([]string{}, p.ClientIDs...), ThumbprintList: append([]string{}, p.Thumbprints...),
	}, nil
}

// ListOpenIDConnectProviders lists the ARNs of all providers.
func (h *Handler) ListOpenIDConnectProviders(ctx context.Context, _ *api.ListOpenIDConnectProvidersInput) (*api.ListOpenIDConnectProvidersOutput, error) {
	out := &api.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: []api.OpenIDConnectProviderListEntry{}}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		all, err := store.Collect(identities.OIDCProviders.List(tx, auth.CallerFrom(ctx).Account))
		for _, p := range all {
			out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, api.OpenIDConnectProviderListEntry{Arn: new(p.ARN())})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteOpenIDConnectProvider forgets a provider. Roles that trust it stay.
func (h *Handler) DeleteOpenIDConnectProvider(ctx context.Context, in *api.DeleteOpenIDConnectProviderInput) (*api.DeleteOpenIDConnectProviderOutput, error) {
	return &api.DeleteOpenIDConnectProviderOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := oidc(ctx, tx, *in.OpenIDConnectProviderArn)
		if err != nil {
			return err
		}
		return identities.OIDCProviders.Delete(tx, p.Account, p.URL)
	})
}

// AddClientIDToOpenIDConnectProvider adds an audience; one that is there stays.
func (h *Handler) AddClientIDToOpenIDConnectProvider(ctx context.Context, in *api.AddClientIDToOpenIDConnectProviderInput) (*api.AddClientIDToOpenIDConnectProviderOutput, error) {
	return &api.AddClientIDToOpenIDConnectProviderOutput{}, h.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *identity.OIDCProvider) error {
		switch {
		case slices.Contains(p.ClientIDs, *in.ClientID):
			return nil
		case len(p.ClientIDs) >= maxClientIDs:
			return call.Quota("ClientIdsPerOpenIdConnectProvider", maxClientIDs)
		}
		p.ClientIDs = append(slices.Clip(p.ClientIDs), *in.ClientID)
		return nil
	})
}

// RemoveClientIDFromOpenIDConnectProvider removes an audience; one that is not there
// is fine.
func (h *Handler) RemoveClientIDFromOpenIDConnectProvider(ctx context.Context, in *api.RemoveClientIDFromOpenIDConnectProviderInput) (*api.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return &api.RemoveClientIDFromOpenIDConnectProviderOutput{}, h.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *identity.OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(slices.Clone(p.ClientIDs), func(c string) bool { return c == *in.ClientID })
		return nil
	})
}

// UpdateOpenIDConnectProviderThumbprint replaces the thumbprints.
func (h *Handler) UpdateOpenIDConnectProviderThumbprint(ctx context.Context, in *api.UpdateOpenIDConnectProviderThumbprintInput) (*api.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	if err := checkThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	return &api.UpdateOpenIDConnectProviderThumbprintOutput{}, h.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *identity.OIDCProvider) error {
		p.Thumbprints = in.ThumbprintList
		return nil
	})
}

// TagOpenIDConnectProvider adds tags to a provider.
func (h *Handler) TagOpenIDConnectProvider(ctx context.Context, in *api.TagOpenIDConnectProviderInput) (*api.TagOpenIDConnectProviderOutput, error) {
	return &api.TagOpenIDConnectProviderOutput{}, h.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *identity.OIDCProvider) (err error) {
		p.Tags, err = tag.Add(p.Tags, in.Tags, false)
		return err
	})
}

// UntagOpenIDConnectProvider removes tags from a provider.
func (h *Handler) UntagOpenIDConnectProvider(ctx context.Context, in *api.UntagOpenIDConnectProviderInput) (*api.UntagOpenIDConnectProviderOutput, error) {
	return &api.UntagOpenIDConnectProviderOutput{}, h.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *identity.OIDCProvider) (err error) {
		p.Tags, err = untag(p.Tags, in.TagKeys)
		return err
	})
}

// untag removes tags; providers want at least one key.
func untag(tags []identity.Tag, keys []string) ([]identity.Tag, error) {
	if len(keys) == 0 {
		return nil, api.InvalidInputException("Tag keys must not be empty.")
	}
	return tag.Drop(tags, keys, false), nil
}

// ListOpenIDConnectProviderTags lists the tags of a provider.
func (h *Handler) ListOpenIDConnectProviderTags(ctx context.Context, in *api.ListOpenIDConnectProviderTagsInput) (*api.ListOpenIDConnectProviderTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListOpenIDConnectProviderTags", *in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	p, err := h.viewOIDC(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListOpenIDConnectProviderTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(p.Tags))
	return out, nil
}
