package route53

import (
	"context"
	"slices"
	"strings"

	api "neargate/aws/route53"
	"neargate/resource/zone"
	"neargate/store"
)

// maxTags is how many tags a hosted zone may have.
const maxTags = 50

// noHealthCheck is the answer for health checks, of which there are none.
func noHealthCheck(id string) error {
	return api.NoSuchHealthCheck("A health check with id " + id + " does not exist.")
}

// ChangeTagsForResource removes tags of a hosted zone and adds others.
func (s *Service) ChangeTagsForResource(ctx context.Context, in *api.ChangeTagsForResourceInput) (*api.ChangeTagsForResourceOutput, error) {
	if *in.ResourceType != "hostedzone" {
		return nil, noHealthCheck(*in.ResourceId)
	}
	if len(in.AddTags)+len(in.RemoveTagKeys) == 0 {
		return nil, api.InvalidInput("You must specify at least one of AddTags and RemoveTagKeys.")
	}
	err := s.update(ctx, *in.ResourceId, func(_ store.Tx, z *zone.Zone) error {
		tags := slices.DeleteFunc(slices.Clone(z.Tags), func(t zone.Tag) bool { return slices.Contains(in.RemoveTagKeys, t.Key) })
		for _, t := range in.AddTags {
			k := deref(t.Key)
			switch {
			case k == "":
				return api.InvalidInput("The tag key must not be empty.")
			case strings.HasPrefix(strings.ToLower(k), "aws:"):
				return api.InvalidInput("The tag key " + k + " begins with aws:, which is reserved.")
			}
			if i := slices.IndexFunc(tags, func(o zone.Tag) bool { return o.Key == k }); i >= 0 {
				tags[i].Value = deref(t.Value)
				continue
			}
			tags = append(tags, zone.Tag{Key: k, Value: deref(t.Value)})
		}
		if len(tags) > maxTags {
			return api.InvalidInput("A hosted zone can have at most 50 tags.")
		}
		z.Tags = tags
		return nil
	})
	return &api.ChangeTagsForResourceOutput{}, err
}

// ListTagsForResource lists the tags of a hosted zone.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	sets, err := s.tags(ctx, *in.ResourceType, []string{*in.ResourceId})
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceOutput{ResourceTagSet: &sets[0]}, nil
}

// ListTagsForResources lists the tags of several hosted zones.
func (s *Service) ListTagsForResources(ctx context.Context, in *api.ListTagsForResourcesInput) (*api.ListTagsForResourcesOutput, error) {
	sets, err := s.tags(ctx, *in.ResourceType, in.ResourceIds)
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourcesOutput{ResourceTagSets: sets}, nil
}

func (s *Service) tags(ctx context.Context, kind string, ids []string) (sets []api.ResourceTagSet, err error) {
	if kind != "hostedzone" {
		return nil, noHealthCheck(strings.Join(ids, ", "))
	}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		sets = nil
		for _, id := range ids {
			z, err := find(ctx, tx, id)
			if err != nil {
				return err
			}
			set := api.ResourceTagSet{ResourceType: &kind, ResourceId: &z.ID, Tags: []api.Tag{}}
			for _, t := range z.Tags {
				set.Tags = append(set.Tags, api.Tag{Key: &t.Key, Value: &t.Value})
			}
			sets = append(sets, set)
		}
		return nil
	})
	return sets, err
}
