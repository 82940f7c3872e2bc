package secretsmanager

import (
	"context"
	"slices"
	"strings"

	"neargate/auth"
	api "neargate/aws/secretsmanager"
	"neargate/resource/secret"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/secrets"
)

// ListSecrets lists secrets by when they were created, or in another order.
func (s *Service) ListSecrets(ctx context.Context, in *api.ListSecretsInput) (*api.ListSecretsOutput, error) {
	c := auth.CallerFrom(ctx)
	scope := []string{"ListSecrets", member.Or(in.SortBy, ""), member.Or(in.SortOrder, "")}
	for _, f := range in.Filters {
		if f.Key == nil || len(f.Values) == 0 {
			return nil, api.InvalidParameterException("Invalid filter.")
		}
		scope = append(scope, *f.Key, strings.Join(f.Values, "\x00"))
	}
	if member.Or(in.IncludePlannedDeletion, false) {
		scope = append(scope, "planned")
	}
	last, scope, err := s.position(ctx, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	key := order(member.Or(in.SortBy, "created-date"))
	descending := member.Or(in.SortOrder, "desc") == "desc"
	if in.SortBy != nil && *in.SortBy == "name" && in.SortOrder == nil {
		descending = false
	}
	out := &api.ListSecretsOutput{}
	err = s.deps.Store.View(ctx, func(tx store.Tx) error {
		*out = api.ListSecretsOutput{SecretList: []api.SecretListEntry{}}
		var all []secret.Secret
		for sec, err := range secrets.Secrets.List(tx, c.Account, c.Region) {
			if err != nil {
				return err
			}
			if (!sec.Deleted() || member.Or(in.IncludePlannedDeletion, false)) && matches(in.Filters, &sec) {
				all = append(all, sec)
			}
		}
		compare := func(a, b string) int {
			if descending {
				a, b = b, a
			}
			return strings.Compare(a, b)
		}
		slices.SortFunc(all, func(a, b secret.Secret) int { return compare(key(&a), key(&b)) })
		limit := int(member.Or(in.MaxResults, 100))
		position := ""
		for i := range all {
			sec := &all[i]
			if last != "" && compare(key(sec), last) <= 0 {
				continue
			}
			if len(out.SecretList) == limit {
				out.NextToken = new(s.pages.Seal(position, scope...))
				return nil
			}
			position = key(sec)
			out.SecretList = append(out.SecretList, api.SecretListEntry{
				ARN: new(sec.ARN()), Name: &sec.Name, Description: text(sec.Description), KmsKeyId: text(sec.KeyID), CreatedDate: &sec.CreatedAt,
				LastChangedDate: &sec.ChangedAt, LastAccessedDate: date(sec.AccessedAt), DeletedDate: date(sec.DeletedAt),
				Tags: tagsOf(sec), SecretVersionsToStages: stagesOf(sec),
			})
		}
		return nil
	})
	return out, err
}

// order is the key that secrets are sorted by; the name decides between equals.
func order(by string) func(*secret.Secret) string {
	return func(s *secret.Secret) string {
		at := s.CreatedAt
		switch by {
		case "name":
			return s.Name
		case "last-changed-date":
			at = s.ChangedAt
		case "last-accessed-date":
			at = s.AccessedAt
		}
		return at.Format(stamp) + s.Name
	}
}

func matches(filters []api.Filter, sec *secret.Secret) bool {
	for i := range filters {
		if !slices.ContainsFunc(filters[i].Values, func(v string) bool { return match(*filters[i].Key, v, sec) }) {
			return false
		}
	}
	return true
}

// match reports whether a secret is found by a word of a filter; one after "!" is not
// to be found.
func match(key, word string, sec *secret.Secret) bool {
	if rest, not := strings.CutPrefix(word, "!"); not && rest != "" {
		return !match(key, rest, sec)
	}
	fold := func(s string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(word)) }
	words := func(s string) bool { return fold(s) || slices.ContainsFunc(strings.Fields(s), fold) }
	tag := func(f func(secret.Tag) bool) bool { return slices.ContainsFunc(sec.Tags, f) }
	switch key {
	case "name":
		return strings.HasPrefix(sec.Name, word)
	case "description":
		return words(sec.Description)
	case "tag-key":
		return tag(func(t secret.Tag) bool { return strings.HasPrefix(t.Key, word) })
	case "tag-value":
		return tag(func(t secret.Tag) bool { return strings.HasPrefix(t.Value, word) })
	case "primary-region", "owning-service":
		return false
	}
	parts := strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(" /_+=.@-", r) })
	return len(parts) > 0 && !slices.ContainsFunc(parts, func(part string) bool {
		part = strings.ToLower(part)
		has := func(s string) bool { return strings.Contains(strings.ToLower(s), part) }
		return !has(sec.Name) && !has(sec.Description) && !tag(func(t secret.Tag) bool { return has(t.Key) || has(t.Value) })
	})
}

// maxTags is how many tags a secret may have.
const maxTags = 50

// mergeTags returns the tags with others added.
func mergeTags(tags []secret.Tag, add []api.Tag) ([]secret.Tag, error) {
	out := slices.Clone(tags)
	for _, t := range add {
		k := member.Or(t.Key, "")
		switch {
		case k == "":
			return nil, api.InvalidParameterException("Tag keys must not be null.")
		case member.ReservedTag(k):
			return nil, api.InvalidParameterException("Tag keys can't begin with aws:.")
		}
		out = member.SetTag(out, k, member.Or(t.Value, ""))
	}
	if len(out) > maxTags {
		return nil, api.LimitExceededException("You have exceeded the maximum number of tags for this secret.")
	}
	return out, nil
}

// tagsOf are the tags of a secret; nil where it never had any.
func tagsOf(sec *secret.Secret) []api.Tag {
	if !sec.Tagged {
		return nil
	}
	out := []api.Tag{}
	for _, t := range sec.Tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}

// TagResource adds tags to a secret.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, err := s.change(ctx, *in.SecretId, func(_ store.Tx, sec *secret.Secret) (err error) {
		sec.Tags, err = mergeTags(sec.Tags, in.Tags)
		sec.Tagged = sec.Tagged || len(sec.Tags) > 0
		return err
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource removes tags from a secret; keys that are not there are fine.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.change(ctx, *in.SecretId, func(_ store.Tx, sec *secret.Secret) error {
		sec.Tags = member.WithoutTags(sec.Tags, in.TagKeys)
		return nil
	})
	return &api.UntagResourceOutput{}, err
}
