package ssm

import (
	"context"
	"slices"

	api "neargate/aws/ssm"
	"neargate/resource/param"
	"neargate/service/internal/member"
	"neargate/store"
)

// maxTags is how many tags a parameter may have.
const maxTags = 50

// mergeTags returns the tags with others added, by key.
func mergeTags(tags []param.Tag, add []api.Tag) ([]param.Tag, error) {
	out := slices.Clone(tags)
	for _, t := range add {
		if member.ReservedTag(*t.Key) {
			return nil, invalid("Tag keys that begin with aws: are reserved for system use.")
		}
		out = member.SetTag(out, *t.Key, *t.Value)
	}
	if len(out) > maxTags {
		return nil, api.TooManyTagsError("").WithoutMessage()
	}
	member.SortTags(out)
	return out, nil
}

// tagged finds the parameter a tagging operation is about. There are no other
// resources.
func tagged(ctx context.Context, kind, id string) (param.Reference, error) {
	r, err := plain(ctx, id)
	if err != nil || kind != "Parameter" {
		return r, noResource()
	}
	return r, nil
}

func noResource() error { return api.InvalidResourceId("").WithoutMessage() }

// missing is err with the words for tags where there is no such parameter.
func missing(err error) error {
	if err != nil && err.Error() == notFound().Error() {
		return noResource()
	}
	return err
}

// AddTagsToResource adds tags to a parameter.
func (s *Service) AddTagsToResource(ctx context.Context, in *api.AddTagsToResourceInput) (*api.AddTagsToResourceOutput, error) {
	r, err := tagged(ctx, *in.ResourceType, *in.ResourceId)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, r, func(_ store.Tx, p *param.Parameter) (err error) {
		p.Tags, err = mergeTags(p.Tags, in.Tags)
		return err
	})
	return &api.AddTagsToResourceOutput{}, missing(err)
}

// RemoveTagsFromResource removes tags from a parameter; keys that are not there are
// fine.
func (s *Service) RemoveTagsFromResource(ctx context.Context, in *api.RemoveTagsFromResourceInput) (*api.RemoveTagsFromResourceOutput, error) {
	r, err := tagged(ctx, *in.ResourceType, *in.ResourceId)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, r, func(_ store.Tx, p *param.Parameter) error {
		p.Tags = member.WithoutTags(p.Tags, in.TagKeys)
		return nil
	})
	return &api.RemoveTagsFromResourceOutput{}, missing(err)
}

// ListTagsForResource lists the tags of a parameter.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	r, err := tagged(ctx, *in.ResourceType, *in.ResourceId)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, r)
		out.TagList = []api.Tag{}
		for _, t := range p.Tags {
			out.TagList = append(out.TagList, api.Tag{Key: &t.Key, Value: &t.Value})
		}
		return err
	})
	return out, missing(err)
}
