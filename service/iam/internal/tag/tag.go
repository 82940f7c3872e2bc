// Package tag changes the tags of IAM's resources.
package tag

import (
	"slices"
	"strings"

	api "neargate/aws/iam"
	"neargate/resource/identity"
	"neargate/service/iam/internal/call"
)

// maxTags is how many tags a resource may have.
const maxTags = 50

// sameKey compares tag keys: those of users and roles without regard to case,
// those of policies exactly.
func sameKey(a, b string, fold bool) bool {
	if fold {
		return identity.Fold(a) == identity.Fold(b)
	}
	return a == b
}

// Merge returns the tags with others added. A key that is there already
// takes the new value and spelling.
func Merge(tags []identity.Tag, add []api.Tag, fold bool) ([]identity.Tag, error) {
	out := slices.Clone(tags)
	for i, t := range add {
		switch {
		case strings.TrimSpace(*t.Key) == "":
			return nil, call.Invalid("1 validation error detected: Value '%s' at 'tags.%d.member.key' failed to satisfy constraint: Member must not be blank", *t.Key, i+1)
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

// Add is Merge for the tagging operations, which need at least one tag.
func Add(tags []identity.Tag, add []api.Tag, fold bool) ([]identity.Tag, error) {
	if len(add) == 0 {
		return nil, api.InvalidInputException("Tags must not be empty.")
	}
	return Merge(tags, add, fold)
}

// Drop returns the tags without some keys; keys that are not there are fine.
func Drop(tags []identity.Tag, keys []string, fold bool) []identity.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t identity.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return sameKey(t.Key, k, fold) })
	})
}

// List is nil without tags.
func List(tags []identity.Tag) []api.Tag {
	var out []api.Tag
	for _, t := range tags {
		out = append(out, api.Tag{Key: &t.Key, Value: &t.Value})
	}
	return out
}
