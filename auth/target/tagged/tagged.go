// Package tagged finds tags of resources, for rules that need nothing else of their
// records, or hardly more.
package tagged

import (
	"strings"

	"neargate/arn"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables/budgets"
	"neargate/store/tables/trails"
)

// Budget are the tags of a budget of an account, given by ARN.
func Budget(tx store.Tx, account, resource string) ([]identity.Tag, error) {
	_, name, _ := strings.Cut(resource, ":budget/")
	b, _, err := budgets.Budgets.Find(tx, account, name)
	return Of(b.Tags), err
}

// Trail are the tags of a trail, given by ARN; none for what is no trail.
func Trail(tx store.Tx, resource string) ([]identity.Tag, error) {
	a, err := arn.Parse(resource)
	name, ok := strings.CutPrefix(a.Resource, "trail/")
	if err != nil || !ok {
		return nil, nil
	}
	t, _, err := trails.Trails.Find(tx, a.Account, a.Region, name)
	return Of(t.Tags), err
}

// Of are tags of any kind as those of IAM.
func Of[T ~struct{ Key, Value string }](tags []T) []identity.Tag {
	out := make([]identity.Tag, len(tags))
	for i, t := range tags {
		out[i] = identity.Tag(t)
	}
	return out
}
