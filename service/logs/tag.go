package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/logs"
	"neargate/resource/logs"
	"neargate/service/internal/member"
	"neargate/store"
)

// mergeTags returns the tags with others added, by key.
func mergeTags(tags []logs.Tag, add map[string]string) ([]logs.Tag, error) {
	out := slices.Clone(tags)
	for k, v := range add {
		if member.ReservedTag(k) {
			return nil, api.InvalidParameterException("Tag keys beginning with aws: are reserved for system use.")
		}
		out = member.SetTag(out, k, v)
	}
	if len(out) > maxTags {
		return nil, api.TooManyTagsException(fmt.Sprintf("A resource can have no more than %d tags.", maxTags))
	}
	member.SortTags(out)
	return out, nil
}

func (s *Service) tag(ctx context.Context, group string, tags map[string]string) error {
	return s.changeGroup(ctx, group, func(g *logs.Group) (err error) {
		g.Tags, err = mergeTags(g.Tags, tags)
		return err
	})
}

func (s *Service) untag(ctx context.Context, group string, keys []string) error {
	return s.changeGroup(ctx, group, func(g *logs.Group) error {
		g.Tags = member.WithoutTags(g.Tags, keys)
		return nil
	})
}

func (s *Service) tags(ctx context.Context, group string) (map[string]string, error) {
	out := map[string]string{}
	err := s.deps.Store.View(ctx, func(tx store.Tx) error {
		g, err := findGroup(ctx, tx, group)
		for _, t := range g.Tags {
			out[t.Key] = t.Value
		}
		return err
	})
	return out, err
}

// tagged is the log group a tagging operation is about.
func tagged(ctx context.Context, resourceARN *string) (string, error) {
	if !strings.HasPrefix(*resourceARN, "arn:") {
		return "", api.InvalidParameterException("The specified resource ARN is invalid.")
	}
	return groupName(auth.CallerFrom(ctx), *resourceARN)
}

// TagResource adds tags to a log group given by ARN.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	group, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, s.tag(ctx, group, in.Tags)
}

// UntagResource removes tags from a log group given by ARN; keys that are not
// there are fine.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	group, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, s.untag(ctx, group, in.TagKeys)
}

// ListTagsForResource lists the tags of a log group given by ARN.
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	group, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := s.tags(ctx, group)
	return &api.ListTagsForResourceOutput{Tags: tags}, err
}

// TagLogGroup adds tags to a log group given by name.
func (s *Service) TagLogGroup(ctx context.Context, in *api.TagLogGroupInput) (*api.TagLogGroupOutput, error) {
	return &api.TagLogGroupOutput{}, s.tag(ctx, *in.LogGroupName, in.Tags)
}

// UntagLogGroup removes tags from a log group given by name.
func (s *Service) UntagLogGroup(ctx context.Context, in *api.UntagLogGroupInput) (*api.UntagLogGroupOutput, error) {
	return &api.UntagLogGroupOutput{}, s.untag(ctx, *in.LogGroupName, in.Tags)
}

// ListTagsLogGroup lists the tags of a log group given by name.
func (s *Service) ListTagsLogGroup(ctx context.Context, in *api.ListTagsLogGroupInput) (*api.ListTagsLogGroupOutput, error) {
	tags, err := s.tags(ctx, *in.LogGroupName)
	return &api.ListTagsLogGroupOutput{Tags: tags}, err
}

// list prints numbers as AWS does: [1, 3, 5].
func list(numbers []int32) string {
	return strings.ReplaceAll(fmt.Sprint(numbers), " ", ", ")
}
