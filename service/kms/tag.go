package kms

import (
	"context"
	"slices"

	api "neargate/aws/kms"
	"neargate/resource/key"
	"neargate/service/internal/member"
	"neargate/store"
)

// maxTags is how many tags a key may have.
const maxTags = 50

// mergeTags returns the tags with others added, by key.
func mergeTags(tags []key.Tag, add []api.Tag) ([]key.Tag, error) {
	out := slices.Clone(tags)
	var seen []string
	for _, t := range add {
		k, v := *t.TagKey, *t.TagValue
		switch {
		case member.ReservedTag(k):
			return nil, api.TagException("Tags beginning with aws: are reserved")
		case slices.Contains(seen, k):
			return nil, api.TagException("Duplicate tag keys")
		}
		seen = append(seen, k)
		out = member.SetTag(out, k, v)
	}
	if len(out) > maxTags {
		return nil, api.TagException("Too many tags")
	}
	member.SortTags(out)
	return out, nil
}

// TagResource adds tags to a key.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) (err error) {
		if err := firstOf(customers(ctx, k, "TagResource"), living(k)); err != nil {
			return err
		}
		k.Tags, err = mergeTags(k.Tags, in.Tags)
		return err
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource removes tags from a key; keys of tags that are not there are fine.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.change(ctx, *in.KeyId, func(k *key.Key) error {
		if err := firstOf(customers(ctx, k, "UntagResource"), living(k)); err != nil {
			return err
		}
		k.Tags = member.WithoutTags(k.Tags, in.TagKeys)
		return nil
	})
	return &api.UntagResourceOutput{}, err
}

// ListResourceTags lists the tags of a key.
func (s *Service) ListResourceTags(ctx context.Context, in *api.ListResourceTagsInput) (*api.ListResourceTagsOutput, error) {
	after, scope, err := s.marker(ctx, in.Marker, "ListResourceTags", *in.KeyId)
	if err != nil {
		return nil, err
	}
	all := []api.Tag{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		k, err := own(ctx, tx, *in.KeyId)
		all = all[:0]
		for _, t := range k.Tags {
			all = append(all, api.Tag{TagKey: &t.Key, TagValue: &t.Value})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.ListResourceTagsOutput{}
	out.Tags, out.NextMarker, out.Truncated, err = cut(s, all, after, in.Limit, scope)
	return out, err
}
