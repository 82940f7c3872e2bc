package ec2

import (
	"context"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/wire/shape"
)

// taggable is what tagging needs of a kind of resource.
type taggable struct {
	prefix, typ string
	// edit replaces the tags of a resource by what change returns.
	edit func(sc scope, id string, change func([]network.Tag) ([]network.Tag, error)) error
	// list calls visit for each resource with tags.
	list func(sc scope, visit func(id string, tags []network.Tag)) error
}

func (k kind[R]) taggable() taggable {
	return taggable{
		prefix: k.prefix, typ: k.typ,
		edit: func(sc scope, id string, change func([]network.Tag) ([]network.Tag, error)) error {
			r, err := k.get(sc, id)
			if err != nil {
				return err
			}
			tags, err := change(*k.tags(&r))
			if err != nil {
				return err
			}
			*k.tags(&r) = tags
			return k.table.Put(sc.tx, &r)
		},
		list: func(sc scope, visit func(string, []network.Tag)) error {
			account, region := sc.tenant()
			for r, err := range k.table.List(sc.tx, account, region) {
				if err != nil {
					return err
				}
				visit(k.id(&r), *k.tags(&r))
			}
			return nil
		},
	}
}

// taggables are the kinds of resource that have tags.
func taggables() []taggable {
	return []taggable{
		dhcpOptions.taggable(), gateways.taggable(), acls.taggable(), interfaces.taggable(), routeTables.taggable(),
		groups.taggable(), rules.taggable(), subnets.taggable(), vpcs.taggable(),
	}
}

// retag changes the tags of each resource, or of none if one cannot be.
func (s *Service) retag(ctx context.Context, ids []string, change func([]network.Tag) ([]network.Tag, error)) error {
	if len(ids) == 0 {
		return missing("resourceIdSet")
	}
	kinds := taggables()
	return s.update(ctx, func(sc scope) error {
		for _, id := range ids {
			prefix, _, _ := strings.Cut(id, "-")
			i := slices.IndexFunc(kinds, func(t taggable) bool { return t.prefix == prefix })
			if i < 0 {
				return shape.Errorf("InvalidID", "The ID '%s' is not valid", id)
			}
			if err := kinds[i].edit(sc, id, change); err != nil {
				return err
			}
		}
		return nil
	})
}

// CreateTags adds tags to resources or overwrites them.
func (s *Service) CreateTags(ctx context.Context, in *wire.CreateTagsInput) (*wire.CreateTagsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missing("tagSet")
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
func (s *Service) DeleteTags(ctx context.Context, in *wire.DeleteTagsInput) (*wire.DeleteTagsOutput, error) {
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
func (s *Service) DescribeTags(ctx context.Context, in *wire.DescribeTagsInput) (*wire.DescribeTagsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.TagDescription](tagFilters, filtersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := checkPage("", query{max: in.MaxResults}); err != nil {
		return nil, err
	}
	var out *wire.DescribeTagsOutput
	err = s.view(ctx, func(sc scope) error {
		account, region := sc.tenant()
		bound := []string{account, region, "DescribeTags"}
		after, err := openToken(s.sealer, in.NextToken, bound)
		if err != nil {
			return err
		}
		found := []wire.TagDescription{}
		for _, k := range taggables() {
			err := k.list(sc, func(id string, tags []network.Tag) {
				for _, t := range tags {
					w := wire.TagDescription{Key: new(t.Key), Value: new(t.Value), ResourceId: new(id), ResourceType: new(k.typ)}
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
			out.NextToken = new(s.sealer.Seal(tagPosition(&out.Tags[len(out.Tags)-1]), bound...))
		}
		return nil
	})
	return out, err
}
