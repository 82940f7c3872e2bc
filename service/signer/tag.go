package signer

import (
	"context"
	"slices"

	"neargate/auth"
	api "neargate/aws/signer"
	"neargate/resource/signing"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/signings"
	"neargate/wire/shape"
)

// maxTags is how many tags a profile may have.
const maxTags = 200

// addTags returns the tags with others added, by key; refuse makes the error for those
// that cannot be.
func addTags(have []signing.Tag, add map[string]string, refuse func(string) *shape.Error) ([]signing.Tag, error) {
	out := slices.Clone(have)
	for key, value := range add {
		if member.ReservedTag(key) {
			return nil, refuse("Tag key " + key + " begins with aws:, which is reserved.")
		}
		out = member.SetTag(out, key, value)
	}
	if len(out) > maxTags {
		return nil, refuse("A signing profile can have at most 200 tags.")
	}
	member.SortTags(out)
	return out, nil
}

func showTags(tags []signing.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// tagged finds the profile whose tags a request is about.
func tagged(ctx context.Context, tx store.Tx, resource string) (p signing.Profile, err error) {
	c := auth.CallerFrom(ctx)
	account, region, name, version, ok := signing.ParseProfile(resource)
	if !ok || version != "" {
		return p, api.BadRequestException("Invalid resource ARN: " + resource)
	}
	found := false
	if account == c.Account && region == c.Region {
		p, found, err = signings.Profiles.Find(tx, account, region, name)
	}
	switch {
	case err != nil:
	case !found:
		err = api.NotFoundException("Resource " + resource + " not found.")
	case p.Status != signing.Active:
		err = api.BadRequestException(ended(&p))
	}
	return p, err
}

// retag changes the tags of a profile.
func (s *Service) retag(ctx context.Context, resource string, f func([]signing.Tag) ([]signing.Tag, error)) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		p, err := tagged(ctx, tx, resource)
		if err != nil {
			return err
		}
		if p.Tags, err = f(p.Tags); err != nil {
			return err
		}
		return signings.Profiles.Put(tx, &p)
	})
}

// TagResource adds tags to a profile.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := s.retag(ctx, *in.ResourceArn, func(tags []signing.Tag) ([]signing.Tag, error) {
		return addTags(tags, in.Tags, api.BadRequestException)
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource removes tags from a profile; keys of tags that are not there are fine.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.retag(ctx, *in.ResourceArn, func(tags []signing.Tag) ([]signing.Tag, error) {
		return member.WithoutTags(tags, in.TagKeys), nil
	})
	return &api.UntagResourceOutput{}, err
}

// ListTagsForResource lists the tags of a profile.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	out := &api.ListTagsForResourceOutput{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		p, err := tagged(ctx, tx, *in.ResourceArn)
		out.Tags = showTags(p.Tags)
		return err
	})
	return out, err
}
