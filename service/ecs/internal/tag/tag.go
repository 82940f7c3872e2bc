// Package tag checks, merges and shows the tags of ECS resources. It is pure.
package tag

import (
	"slices"
	"strings"

	"neargate/aws/ecs"
	"neargate/resource/compute"
)

// Limit is how many tags a resource may have.
const Limit = 50

// Read checks the tags of a request and returns them as they are stored.
func Read(tags []ecs.Tag) ([]compute.Tag, error) {
	if len(tags) > Limit {
		return nil, tooMany()
	}
	var out []compute.Tag
	for _, t := range tags {
		switch {
		case t.Key == nil || *t.Key == "":
			return nil, ecs.ClientException("Tag key can not be null.")
		case t.Value == nil:
			return nil, ecs.ClientException("Tag value can not be null.")
		case reserved(*t.Key):
			return nil, ecs.InvalidParameterException("aws: prefixed tag key names are not allowed for external use.")
		case find(out, *t.Key) >= 0:
			return nil, ecs.InvalidParameterException("Duplicate tag keys are not allowed.")
		}
		out = append(out, compute.Tag{Key: *t.Key, Value: *t.Value})
	}
	return out, nil
}

func reserved(key string) bool {
	return len(key) >= 4 && strings.EqualFold(key[:4], "aws:")
}

// Merge returns the tags with the additions, which win over equal keys, or an
// error when that makes too many.
func Merge(tags, additions []compute.Tag) ([]compute.Tag, error) {
	out := slices.Clone(tags)
	for _, t := range additions {
		if i := find(out, t.Key); i >= 0 {
			out[i] = t
		} else {
			out = append(out, t)
		}
	}
	if len(out) > Limit {
		return nil, tooMany()
	}
	return out, nil
}

// Without returns the tags whose keys are not among the given ones.
func Without(tags []compute.Tag, keys []string) []compute.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t compute.Tag) bool { return slices.Contains(keys, t.Key) })
}

// Show returns stored tags as an answer has them, never nil.
func Show(tags []compute.Tag) []ecs.Tag {
	out := make([]ecs.Tag, len(tags))
	for i, t := range tags {
		out[i] = ecs.Tag{Key: &t.Key, Value: &t.Value}
	}
	return out
}

func find(tags []compute.Tag, key string) int {
	return slices.IndexFunc(tags, func(t compute.Tag) bool { return t.Key == key })
}

func tooMany() error {
	return ecs.InvalidParameterException("The number of tags exceeds the limit of 50.")
}
