package provider

import (
	"context"
	"encoding/xml"
	"time"

	"neargate/auth"
	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
	"neargate/service/iam/internal/tag"
	"neargate/store"
	"neargate/store/tables/identities"
)

// lifetime is how long a SAML provider is valid whose metadata does not say.
const lifetime = 100 * 365 * 24 * time.Hour

// saml returns the caller's SAML provider with the ARN.
func saml(ctx context.Context, tx store.Tx, providerARN string) (identity.SAMLProvider, error) {
	account, name, ok := identity.SAMLName(providerARN)
	if !ok {
		return identity.SAMLProvider{}, call.Invalid("Invalid ARN:  %s", providerARN)
	}
	p, found, err := identities.SAMLProviders.Find(tx, account, name)
	if err == nil && (!found || account != auth.CallerFrom(ctx).Account) {
		err = api.NoSuchEntityException("Manifest not found for arn " + providerARN)
	}
	return p, err
}

func (h *Handler) changeSAML(ctx context.Context, providerARN *string, f func(*identity.SAMLProvider) error) error {
	return h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := saml(ctx, tx, *providerARN)
		if err != nil {
			return err
		}
		if err := f(&p); err != nil {
			return err
		}
		return identities.SAMLProviders.Put(tx, &p)
	})
}

func (h *Handler) viewSAML(ctx context.Context, providerARN *string) (p identity.SAMLProvider, err error) {
	err = h.env.Store.View(ctx, func(tx store.Tx) error {
		p, err = saml(ctx, tx, *providerARN)
		return err
	})
	return p, err
}

// metadata checks a provider's metadata and says until when it is valid.
func metadata(document string, now time.Time) (time.Time, error) {
	var entity struct {
		XMLName    xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
		ID         string   `xml:"entityID,attr"`
		ValidUntil string   `xml:"validUntil,attr"`
		Providers  []struct {
			SignOn []struct{} `xml:"SingleSignOnService"`
		} `xml:"IDPSSODescriptor"`
	}
	if err := xml.Unmarshal([]byte(document), &entity); err != nil || entity.ID == "" || len(entity.Providers) == 0 {
		return time.Time{}, api.InvalidInputException("Could not parse metadata")
	}
	if entity.ValidUntil == "" {
		return now.Add(lifetime), nil
	}
	until, err := time.Parse(time.RFC3339, entity.ValidUntil)
	if err != nil {
		return time.Time{}, api.InvalidInputException("Could not parse metadata")
	}
	return until.UTC().Truncate(time.Second), nil
}

// encryption refuses encrypted assertions: nothing here reads any.
func encryption(key, mode *string) error {
	if key != nil || call.Deref(mode, "Allowed") == "Required" {
		return api.InvalidInputException("Encrypted SAML assertions are not supported.")
	}
	return nil
}

// CreateSAMLProvider registers a SAML provider.
func (h *Handler) CreateSAMLProvider(ctx context.Context, in *api.CreateSAMLProviderInput) (*api.CreateSAMLProviderOutput, error) {
	p := identity.SAMLProvider{
		Account: auth.CallerFrom(ctx).Account, Name: *in.Name, UUID: h.env.IDs.IAM("SAMLP"), Metadata: *in.SAMLMetadataDocument, CreatedAt: h.env.Time(),
	}
	if err := encryption(in.AddPrivateKey, in.AssertionEncryptionMode); err != nil {
		return nil, err
	}
	var err error
	if p.ValidUntil, err = metadata(p.Metadata, p.CreatedAt); err != nil {
		return nil, err
	}
	if p.Tags, err = tag.Merge(nil, in.Tags, false); err != nil {
		return nil, err
	}
	err = h.env.Store.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := identities.SAMLProviders.Find(tx, p.Account, p.Name); ok || err != nil {
			return call.Either(err, api.EntityAlreadyExistsException("SAMLProvider with name "+p.Name+" already exists."))
		}
		if tx.Count(store.Prefix(identities.SAMLProviders.Name, p.Account)) >= maxProviders {
			return call.Quota("SAMLProvidersPerAccount", maxProviders)
		}
		return identities.SAMLProviders.Put(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateSAMLProviderOutput{SAMLProviderArn: new(p.ARN()), Tags: tag.List(p.Tags)}, nil
}

// GetSAMLProvider describes a provider with its metadata.
func (h *Handler) GetSAMLProvider(ctx context.Context, in *api.GetSAMLProviderInput) (*api.GetSAMLProviderOutput, error) {
	p, err := h.viewSAML(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.GetSAMLProviderOutput{
		SAMLMetadataDocument: &p.Metadata, SAMLProviderUUID: &p.UUID, CreateDate: &p.CreatedAt, ValidUntil: &p.ValidUntil, Tags: tag.List(p.Tags),
	}, nil
}

// UpdateSAMLProvider replaces a provider's metadata.
func (h *Handler) UpdateSAMLProvider(ctx context.Context, in *api.UpdateSAMLProviderInput) (*api.UpdateSAMLProviderOutput, error) {
	if err := encryption(in.AddPrivateKey, in.AssertionEncryptionMode); err != nil {
		return nil, err
	}
	until, err := metadata(*in.SAMLMetadataDocument, h.env.Time())
	if err != nil {
		return nil, err
	}
	err = h.changeSAML(ctx, in.SAMLProviderArn, func(p *identity.SAMLProvider) error {
		p.Metadata, p.ValidUntil = *in.SAMLMetadataDocument, until
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateSAMLProviderOutput{SAMLProviderArn: in.SAMLProviderArn}, nil
}

// DeleteSAMLProvider forgets a provider. Roles that trust it stay.
func (h *Handler) DeleteSAMLProvider(ctx context.Context, in *api.DeleteSAMLProviderInput) (*api.DeleteSAMLProviderOutput, error) {
	return &api.DeleteSAMLProviderOutput{}, h.env.Store.Update(ctx, func(tx store.Tx) error {
		p, err := saml(ctx, tx, *in.SAMLProviderArn)
		if err != nil {
			return err
		}
		return identities.SAMLProviders.Delete(tx, p.Account, p.Name)
	})
}

// ListSAMLProviders lists all providers.
func (h *Handler) ListSAMLProviders(ctx context.Context, _ *api.ListSAMLProvidersInput) (*api.ListSAMLProvidersOutput, error) {
	out := &api.ListSAMLProvidersOutput{SAMLProviderList: []api.SAMLProviderListEntry{}}
	err := h.env.Store.View(ctx, func(tx store.Tx) error {
		all, err := store.Collect(identities.SAMLProviders.List(tx, auth.CallerFrom(ctx).Account))
		for _, p := range all {
			out.SAMLProviderList = append(out.SAMLProviderList, api.SAMLProviderListEntry{Arn: new(p.ARN()), CreateDate: &p.CreatedAt, ValidUntil: &p.ValidUntil})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// TagSAMLProvider adds tags to a provider.
func (h *Handler) TagSAMLProvider(ctx context.Context, in *api.TagSAMLProviderInput) (*api.TagSAMLProviderOutput, error) {
	return &api.TagSAMLProviderOutput{}, h.changeSAML(ctx, in.SAMLProviderArn, func(p *identity.SAMLProvider) (err error) {
		p.Tags, err = tag.Add(p.Tags, in.Tags, false)
		return err
	})
}

// UntagSAMLProvider removes tags from a provider.
func (h *Handler) UntagSAMLProvider(ctx context.Context, in *api.UntagSAMLProviderInput) (*api.UntagSAMLProviderOutput, error) {
	return &api.UntagSAMLProviderOutput{}, h.changeSAML(ctx, in.SAMLProviderArn, func(p *identity.SAMLProvider) (err error) {
		p.Tags, err = untag(p.Tags, in.TagKeys)
		return err
	})
}

// ListSAMLProviderTags lists the tags of a provider.
func (h *Handler) ListSAMLProviderTags(ctx context.Context, in *api.ListSAMLProviderTagsInput) (*api.ListSAMLProviderTagsOutput, error) {
	w, err := h.env.Window(ctx, in.Marker, in.MaxItems, "ListSAMLProviderTags", *in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	p, err := h.viewSAML(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListSAMLProviderTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = call.Numbered(h.env, w, tag.List(p.Tags))
	return out, nil
}
