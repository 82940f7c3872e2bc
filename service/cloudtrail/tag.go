package cloudtrail

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"neargate/arn"
	api "neargate/aws/cloudtrail"
	"neargate/resource/trail"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/wire/shape"
)

// AddTags gives a trail tags, or other values of tags it has.
func (s *Service) AddTags(ctx context.Context, in *api.AddTagsInput) (*api.AddTagsOutput, error) {
	if err := isTrail(*in.ResourceId); err != nil {
		return nil, err
	}
	_, err := s.change(ctx, *in.ResourceId, func(_ store.Tx, t *trail.Trail) (err error) {
		t.Tags, err = merge(t.Tags, in.TagsList)
		return err
	})
	return &api.AddTagsOutput{}, missing(err, *in.ResourceId)
}

// RemoveTags takes tags away; a tag with a value only if it has that.
func (s *Service) RemoveTags(ctx context.Context, in *api.RemoveTagsInput) (*api.RemoveTagsOutput, error) {
	if err := isTrail(*in.ResourceId); err != nil {
		return nil, err
	}
	_, err := s.change(ctx, *in.ResourceId, func(_ store.Tx, t *trail.Trail) error {
		t.Tags = slices.DeleteFunc(slices.Clone(t.Tags), func(have trail.Tag) bool {
			return slices.ContainsFunc(in.TagsList, func(g api.Tag) bool {
				return *g.Key == have.Key && (g.Value == nil || *g.Value == have.Value)
			})
		})
		return nil
	})
	return &api.RemoveTagsOutput{}, missing(err, *in.ResourceId)
}

// maxListed is how many resources ListTags is asked about at a time.
const maxListed = 20

// ListTags shows the tags of trails. There is never another page.
func (s *Service) ListTags(ctx context.Context, in *api.ListTagsInput) (*api.ListTagsOutput, error) {
	switch {
	case in.NextToken != nil && *in.NextToken != "":
		return nil, api.InvalidTokenException("The token is invalid.")
	case len(in.ResourceIdList) == 0, len(in.ResourceIdList) > maxListed:
		return nil, shape.Errorf("ValidationException", "ResourceIdList must have between 1 and %d entries.", maxListed)
	}
	out := &api.ListTagsOutput{ResourceTagList: []api.ResourceTag{}}
	return out, s.deps.Store.View(ctx, func(tx store.Tx) error {
		for _, id := range in.ResourceIdList {
			if err := isTrail(id); err != nil {
				return err
			}
			t, err := find(ctx, tx, id)
			if err != nil {
				return missing(err, id)
			}
			v := api.ResourceTag{ResourceId: &id, TagsList: []api.Tag{}}
			for _, g := range t.Tags {
				v.TagsList = append(v.TagsList, api.Tag{Key: &g.Key, Value: &g.Value})
			}
			out.ResourceTagList = append(out.ResourceTagList, v)
		}
		return nil
	})
}

// isTrail refuses what is not the ARN of a resource that may have tags.
func isTrail(id string) error {
	a, err := arn.Parse(id)
	if err != nil || a.Service != "cloudtrail" {
		return api.CloudTrailARNInvalidException("Invalid ARN: " + id)
	}
	if !strings.HasPrefix(a.Resource, "trail/") {
		return api.ResourceTypeNotSupportedException("Resource type is not supported: " + id)
	}
	return nil
}

// missing words that a resource with tags is not there.
func missing(err error, id string) error {
	if shape.IsCode(err, "TrailNotFoundException") {
		return api.ResourceNotFoundException("Resource " + id + " does not exist.")
	}
	return err
}

// merge gives tags new values, in the order of keys.
func merge(old []trail.Tag, in []api.Tag) ([]trail.Tag, error) {
	out, seen := slices.Clone(old), map[string]bool{}
	for _, g := range in {
		switch {
		case seen[*g.Key]:
			return nil, api.InvalidTagParameterException("Tag key " + *g.Key + " is given more than once.")
		case member.ReservedTag(*g.Key):
			return nil, api.InvalidTagParameterException("Tag keys that begin with aws: are reserved.")
		}
		seen[*g.Key] = true
		out = member.SetTag(out, *g.Key, member.Or(g.Value, ""))
	}
	if len(out) > trail.MaxTags {
		return nil, api.TagsLimitExceededException(fmt.Sprintf("A trail can have at most %d tags.", trail.MaxTags))
	}
	member.SortTags(out)
	return out, nil
}
