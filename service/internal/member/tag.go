package member

import (
	"slices"
	"strings"
)

// pair is what the type of a domain's tags is made of, whatever its name.
type pair = struct{ Key, Value string }

// SetTag returns the tags with one set: a key that is there gets the value, in its place,
// another one comes last. The tags given stay as they are.
func SetTag[T ~pair](tags []T, key, value string) []T {
	out := slices.Clone(tags)
	if i := slices.IndexFunc(out, func(t T) bool { return pair(t).Key == key }); i >= 0 {
		out[i] = T(pair{key, value})
		return out
	}
	return append(out, T(pair{key, value}))
}

// WithoutTags returns the tags but those with one of the keys. The tags given stay as they
// are.
func WithoutTags[T ~pair](tags []T, keys []string) []T {
	return slices.DeleteFunc(slices.Clone(tags), func(t T) bool { return slices.Contains(keys, pair(t).Key) })
}

// SortTags orders tags by their keys.
func SortTags[T ~pair](tags []T) {
	slices.SortFunc(tags, func(a, b T) int { return strings.Compare(pair(a).Key, pair(b).Key) })
}

// ReservedTag reports whether a key is one of AWS's own.
func ReservedTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }
