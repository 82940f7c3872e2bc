package ec2

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/filter"
	"neargate/wire/shape"
)

// Limits of tags. Source: Amazon EC2 User Guide, Tag your resources.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
	reservedTag = "aws:"
)

// wireTags shows tags; a resource without any has no member.
func wireTags(tags []network.Tag) []wire.Tag {
	if len(tags) == 0 {
		return nil
	}
	return listedTags(tags)
}

// listedTags shows tags; a resource without any has an empty list.
func listedTags(tags []network.Tag) []wire.Tag {
	out := make([]wire.Tag, len(tags))
	for i, t := range tags {
		out[i] = wire.Tag{Key: new(t.Key), Value: new(t.Value)}
	}
	return out
}

// checkTags refuses tags a customer may not set and returns the others.
func checkTags(in []wire.Tag) ([]network.Tag, error) {
	seen := map[string]string{}
	for _, t := range in {
		key, value := val(t.Key), val(t.Value)
		switch _, twice := seen[key]; {
		case key == "":
			return nil, invalid("Tag key cannot be null or empty.")
		case twice:
			return nil, invalid("Duplicate tag key '%s' specified.", key)
		case strings.HasPrefix(strings.ToLower(key), reservedTag):
			return nil, invalid("Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", key)
		case utf8.RuneCountInString(key) > maxTagKey:
			return nil, invalid("Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue:
			return nil, invalid("Tag value exceeds the maximum length of %d characters", maxTagValue)
		}
		seen[key] = value
	}
	return network.Tags(seen), checkCount(network.Tags(seen))
}

// checkCount refuses more tags than a resource may have; those of AWS do not count.
func checkCount(tags []network.Tag) error {
	own := 0
	for _, t := range tags {
		if !strings.HasPrefix(t.Key, reservedTag) {
			own++
		}
	}
	if own > maxTags {
		return shape.Errorf("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// specifiedTags returns the tags for a new resource of the type.
func specifiedTags(specs []wire.TagSpecification, typ string) ([]network.Tag, error) {
	var all []wire.Tag
	for _, s := range specs {
		switch val(s.ResourceType) {
		case typ:
			all = append(all, s.Tags...)
		case "":
			return nil, invalid("Tag specification resource type must have a value")
		default:
			return nil, invalid("'%s' is not a valid taggable resource type for this operation.", *s.ResourceType)
		}
	}
	return checkTags(all)
}

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
	if err := admit(in); err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missing("tagSet")
	}
	tags, err := checkTags(in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.retag(ctx, in.Resources, func(old []network.Tag) ([]network.Tag, error) {
		merged := network.MergeTags(old, tags)
		return merged, checkCount(merged)
	})
	return &wire.CreateTagsOutput{}, err
}

// DeleteTags removes tags: those named, with the value named if any, or all.
func (s *Service) DeleteTags(ctx context.Context, in *wire.DeleteTagsInput) (*wire.DeleteTagsOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	if _, err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	err := s.retag(ctx, in.Resources, func(old []network.Tag) ([]network.Tag, error) {
		var kept []network.Tag
		for _, t := range old {
			named := slices.ContainsFunc(in.Tags, func(w wire.Tag) bool {
				return *w.Key == t.Key && (w.Value == nil || *w.Value == t.Value)
			})
			all := len(in.Tags) == 0 && !strings.HasPrefix(t.Key, reservedTag)
			if !named && !all {
				kept = append(kept, t)
			}
		}
		return kept, nil
	})
	return &wire.DeleteTagsOutput{}, err
}

var tagFilters = filter.Set[wire.TagDescription]{
	Tags: func(t *wire.TagDescription) []filter.Tag { return []filter.Tag{{Key: val(t.Key), Value: val(t.Value)}} },
	Fields: map[string]func(*wire.TagDescription) []string{
		"key":           func(t *wire.TagDescription) []string { return text(t.Key) },
		"resource-id":   func(t *wire.TagDescription) []string { return text(t.ResourceId) },
		"resource-type": func(t *wire.TagDescription) []string { return text(t.ResourceType) },
		"value":         func(t *wire.TagDescription) []string { return text(t.Value) },
	},
}

// tagPosition orders tags as DescribeTags lists them: by key, then resource.
func tagPosition(t *wire.TagDescription) string { return *t.Key + "\x00" + *t.ResourceId }

// DescribeTags lists the tags of all resources.
func (s *Service) DescribeTags(ctx context.Context, in *wire.DescribeTagsInput) (*wire.DescribeTagsOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	match, err := tagFilters.Compile(filtersOf(in.Filters))
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
