package iam

import (
	"context"
	"slices"
	"strings"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// sameKey compares tag keys: those of users and roles without regard to case,
// those of policies exactly.
func sameKey(a, b string, fold bool) bool {
	if fold {
		return identity.Fold(a) == identity.Fold(b)
	}
	return a == b
}

// mergeTags returns the tags with others added. A key that is there already
// takes the new value and spelling.
func mergeTags(tags []identity.Tag, add []api.Tag, fold bool) ([]identity.Tag, error) {
	out := slices.Clone(tags)
	for i, t := range add {
		switch {
		case strings.TrimSpace(*t.Key) == "":
			return nil, invalid("1 validation error detected: Value '%s' at 'tags.%d.member.key' failed to satisfy constraint: Member must not be blank", *t.Key, i+1)
		case strings.HasPrefix(strings.ToLower(*t.Key), "aws:"):
			return nil, api.InvalidInputException("Tag keys beginning with aws: are reserved for system use.")
		case slices.ContainsFunc(add[:i], func(o api.Tag) bool { return sameKey(*o.Key, *t.Key, fold) }):
			return nil, api.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tag := identity.Tag{Key: *t.Key, Value: *t.Value}
		if j := slices.IndexFunc(out, func(o identity.Tag) bool { return sameKey(o.Key, tag.Key, fold) }); j >= 0 {
			out[j] = tag
		} else {
			out = append(out, tag)
		}
	}
	if len(out) > maxTags {
		return nil, api.LimitExceededException("The number of tags has reached the maximum limit.")
	}
	return out, nil
}

// addTags is mergeTags for the tagging operations, which need at least one tag.
func addTags(tags []identity.Tag, add []api.Tag, fold bool) ([]identity.Tag, error) {
	if len(add) == 0 {
		return nil, api.InvalidInputException("Tags must not be empty.")
	}
	return mergeTags(tags, add, fold)
}

// dropTags returns the tags without some keys; keys that are not there are fine.
func dropTags(tags []identity.Tag, keys []string, fold bool) []identity.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t identity.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return sameKey(t.Key, k, fold) })
	})
}

// roleTags lets f change the tags of a role; service-linked roles may be tagged.
func (s *Service) roleTags(ctx context.Context, name *string, f func([]identity.Tag) ([]identity.Tag, error)) error {
	return s.deps.Store.Update(ctx, func(tx store.Tx) error {
		r, err := findRole(ctx, tx, name)
		if err != nil {
			return err
		}
		if r.Tags, err = f(r.Tags); err != nil {
			return err
		}
		return tables.Roles.Put(tx, &r)
	})
}

// TagRole adds tags to a role.
func (s *Service) TagRole(ctx context.Context, in *api.TagRoleInput) (*api.TagRoleOutput, error) {
	return &api.TagRoleOutput{}, s.roleTags(ctx, in.RoleName, func(tags []identity.Tag) ([]identity.Tag, error) {
		return addTags(tags, in.Tags, true)
	})
}

// UntagRole removes tags from a role.
func (s *Service) UntagRole(ctx context.Context, in *api.UntagRoleInput) (*api.UntagRoleOutput, error) {
	return &api.UntagRoleOutput{}, s.roleTags(ctx, in.RoleName, func(tags []identity.Tag) ([]identity.Tag, error) {
		return dropTags(tags, in.TagKeys, true), nil
	})
}

// ListRoleTags lists the tags of a role.
func (s *Service) ListRoleTags(ctx context.Context, in *api.ListRoleTagsInput) (*api.ListRoleTagsOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListRoleTags", identity.Fold(*in.RoleName))
	if err != nil {
		return nil, err
	}
	role, err := s.viewRole(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := &api.ListRoleTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = numbered(s, w, tagList(role.Tags))
	return out, nil
}

// TagPolicy adds tags to a customer managed policy.
func (s *Service) TagPolicy(ctx context.Context, in *api.TagPolicyInput) (*api.TagPolicyOutput, error) {
	return &api.TagPolicyOutput{}, s.changePolicy(ctx, "TagPolicy", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) (err error) {
		p.Tags, err = addTags(p.Tags, in.Tags, false)
		return err
	})
}

// UntagPolicy removes tags from a customer managed policy.
func (s *Service) UntagPolicy(ctx context.Context, in *api.UntagPolicyInput) (*api.UntagPolicyOutput, error) {
	return &api.UntagPolicyOutput{}, s.changePolicy(ctx, "UntagPolicy", *in.PolicyArn, func(_ store.Tx, p *identity.Policy) error {
		p.Tags = dropTags(p.Tags, in.TagKeys, false)
		return nil
	})
}

// ListPolicyTags lists the tags of a managed policy.
func (s *Service) ListPolicyTags(ctx context.Context, in *api.ListPolicyTagsInput) (*api.ListPolicyTagsOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListPolicyTags", *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p, err := s.viewPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListPolicyTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = numbered(s, w, tagList(p.Tags))
	return out, nil
}

// TagUser adds tags to a user.
func (s *Service) TagUser(ctx context.Context, in *api.TagUserInput) (*api.TagUserOutput, error) {
	return &api.TagUserOutput{}, s.changeUser(ctx, in.UserName, func(_ store.Tx, u *identity.User) (err error) {
		u.Tags, err = addTags(u.Tags, in.Tags, true)
		return err
	})
}

// UntagUser removes tags from a user.
func (s *Service) UntagUser(ctx context.Context, in *api.UntagUserInput) (*api.UntagUserOutput, error) {
	return &api.UntagUserOutput{}, s.changeUser(ctx, in.UserName, func(_ store.Tx, u *identity.User) error {
		u.Tags = dropTags(u.Tags, in.TagKeys, true)
		return nil
	})
}

// ListUserTags lists the tags of a user.
func (s *Service) ListUserTags(ctx context.Context, in *api.ListUserTagsInput) (*api.ListUserTagsOutput, error) {
	w, err := s.window(ctx, in.Marker, in.MaxItems, "ListUserTags", identity.Fold(*in.UserName))
	if err != nil {
		return nil, err
	}
	user, err := s.viewUser(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.ListUserTagsOutput{}
	out.Tags, out.IsTruncated, out.Marker = numbered(s, w, tagList(user.Tags))
	return out, nil
}
