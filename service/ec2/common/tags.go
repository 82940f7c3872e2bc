package common

import (
	"context"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/wire/shape"
)

// retag changes the tags of each resource, or of none if one cannot be.
func (s *Handler) retag(ctx context.Context, ids []string, change func([]network.Tag) ([]network.Tag, error)) error {
	if len(ids) == 0 {
		return call.Missing("resourceIdSet")
	}
	kinds := call.Taggables()
	return s.Update(ctx, func(sc call.Scope) error {
		for _, id := range ids {
			prefix, _, _ := strings.Cut(id, "-")
			i := slices.IndexFunc(kinds, func(t call.Taggable) bool { return t.Prefix == prefix })
			if i < 0 {
				return shape.Errorf("InvalidID", "The ID '%s' is not valid", id)
			}
			if err := kinds[i].Edit(sc, id, change); err != nil {
				return err
			}
		}
		return nil
	})
}

// CreateTags adds tags to resources or overwrites them.
func (s *Handler) CreateTags(ctx context.Context, in *wire.CreateTagsInput) (*wire.CreateTagsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, call.Missing("tagSet")
	}
	tags, err := tag.Check(in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.retag(ctx, in.Resources, func(old []network.Tag) ([]network.Tag, error) {
		merged := network.MergeTags(old, tags)
		return merged, tag.CheckCount(merged)
	})
	return &wire.CreateTagsOutput{}, err
}

// DeleteTags removes tags: those named, with the value named if any, or all.
func (s *Handler) DeleteTags(ctx context.Context, in *wire.DeleteTagsInput) (*wire.DeleteTagsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if _, err := tag.Check(in.Tags); err != nil {
		return nil, err
	}
	err := s.retag(ctx, in.Resources, func(old []network.Tag) ([]network.Tag, error) {
		var kept []network.Tag
		for _, t := range old {
			named := slices.ContainsFunc(in.Tags, func(w wire.Tag) bool {
				return *w.Key == t.Key && (w.Value == nil || *w.Value == t.Value)
			})
			all := len(in.Tags) == 0 && !tag.Reserved(t.Key)
			if !named && !all {
				kept = append(kept, t)
			}
		}
		return kept, nil
	})
	return &wire.DeleteTagsOutput{}, err
}

var tagFilters = filter.Set{Tags: filter.Self, Fields: map[string]string{
	"key": "Key", "resource-id": "ResourceId", "resource-type": "ResourceType", "value": "Value",
}}

// tagPosition orders tags as DescribeTags lists them: by key, then resource.
func tagPosition(t *wire.TagDescription) string { return *t.Key + "\x00" + *t.ResourceId }

// DescribeTags lists the tags of all resources.
func (s *Handler) DescribeTags(ctx context.Context, in *wire.DescribeTagsInput) (*wire.DescribeTagsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.TagDescription](tagFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := call.CheckPage("", call.Query{Max: in.MaxResults}); err != nil {
		return nil, err
	}
	var out *wire.DescribeTagsOutput
	err = s.View(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		bound := []string{account, region, "DescribeTags"}
		after, err := call.OpenToken(s.Pages, in.NextToken, bound)
		if err != nil {
			return err
		}
		found := []wire.TagDescription{}
		for _, k := range call.Taggables() {
			err := k.List(sc, func(id string, tags []network.Tag) {
				for _, t := range tags {
					w := wire.TagDescription{Key: new(t.Key), Value: new(t.Value), ResourceId: new(id), ResourceType: new(k.Type)}
					if match(&w) && tagPosition(&w) > after {
						found = append(found, w)
					}
				}
			})
			if err != nil {
				return err
			}
		}
		slices.SortFunc(found, func(a, b wire.TagDescription) int { return strings.Compare(tagPosition(&a), tagPosition(&b)) })
		out = &wire.DescribeTagsOutput{Tags: found}
		if in.MaxResults != nil && len(found) > int(*in.MaxResults) {
			out.Tags = found[:*in.MaxResults]
			out.NextToken = new(s.Pages.Seal(tagPosition(&out.Tags[len(out.Tags)-1]), bound...))
		}
		return nil
	})
	return out, err
}
