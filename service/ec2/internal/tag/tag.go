// Package tag checks the tags of requests and shows those of resources.
package tag

import (
	"strings"
	"unicode/utf8"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/wire/shape"
)

// Limits of tags. Source: Amazon EC2 User Guide, Tag your resources.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
	reserved    = "aws:"
)

// Shown shows tags where a resource without any has no member.
func Shown(tags []network.Tag) []wire.Tag {
	if len(tags) == 0 {
		return nil
	}
	return Listed(tags)
}

// Listed shows tags where a resource without any has an empty list.
func Listed(tags []network.Tag) []wire.Tag {
	out := make([]wire.Tag, len(tags))
	for i, t := range tags {
		out[i] = wire.Tag{Key: new(t.Key), Value: new(t.Value)}
	}
	return out
}

// Check refuses tags a customer may not set and returns the others.
func Check(in []wire.Tag) ([]network.Tag, error) {
	seen := map[string]string{}
	for _, t := range in {
		key, value := val(t.Key), val(t.Value)
		switch _, twice := seen[key]; {
		case key == "":
			return nil, invalid("Tag key cannot be null or empty.")
		case twice:
			return nil, invalid("Duplicate tag key '%s' specified.", key)
		case Reserved(key):
			return nil, invalid("Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", key)
		case utf8.RuneCountInString(key) > maxTagKey:
			return nil, invalid("Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue:
			return nil, invalid("Tag value exceeds the maximum length of %d characters", maxTagValue)
		}
		seen[key] = value
	}
	return network.Tags(seen), CheckCount(network.Tags(seen))
}

// CheckCount refuses more tags than a resource may have; those of AWS do not count.
func CheckCount(tags []network.Tag) error {
	own := 0
	for _, t := range tags {
		if !Reserved(t.Key) {
			own++
		}
	}
	if own > maxTags {
		return shape.Errorf("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// Specified returns the tags for a new resource of the type.
func Specified(specs []wire.TagSpecification, typ string) ([]network.Tag, error) {
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
	return Check(all)
}

// Reserved reports whether only AWS may set tags with the key.
func Reserved(key string) bool { return strings.HasPrefix(strings.ToLower(key), reserved) }

func invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", format, args...)
}

func val(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
