// Package tagset changes the tags of resources, whatever type a domain gives them.
package tagset

import (
	"slices"
	"strings"
)

// pair is what the type of a domain's tags is made of.
type pair = struct{ Key, Value string }

// Set returns the tags with one set: a key that is there gets the value, in its place,
// another one comes last. The tags given stay as they are.
func Set[T ~pair](tags []T, key, value string) []T {
	out := slices.Clone(tags)
	if i := slices.IndexFunc(out, func(t T) bool { return pair(t).Key == key }); i >= 0 {
		out[i] = T(pair{key, value})
		return out
	}
	return append(out, T(pair{key, value}))
}

// Without returns the tags but those with one of the keys. The tags given stay as they
// are.
func Without[T ~pair](tags []T, keys []string) []T {
	return slices.DeleteFunc(slices.Clone(tags), func(t T) bool { return slices.Contains(keys, pair(t).Key) })
}

// Sort orders tags by their keys.
func Sort[T ~pair](tags []T) {
	slices.SortFunc(tags, func(a, b T) int { return strings.Compare(pair(a).Key, pair(b).Key) })
}

// Reserved reports whether a key is one of AWS's own.
func Reserved(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }
