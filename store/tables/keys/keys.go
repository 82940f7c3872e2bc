// Package keys names the key spaces of AWS KMS.
package keys

import (
	"time"

	"neargate/resource/key"
	"neargate/store"
)

// Keys keeps keys by account, region, id.
var Keys = store.Table[key.Key]{
	Name: "kms/key",
	Key:  func(k *key.Key) []string { return []string{k.Account, k.Region, k.ID} },
	Indexes: []store.Index[key.Key]{{Name: ByDue, Keys: func(k *key.Key) [][]string {
		if at := k.Due(); !at.IsZero() {
			return [][]string{{at.UTC().Format(time.RFC3339)}}
		}
		return nil
	}}},
}

// ByDue orders keys by when something happens to them by itself.
const ByDue = "kms/key@due"

// Aliases keeps aliases by account, region, name.
var Aliases = store.Table[key.Alias]{
	Name: "kms/alias",
	Key:  func(a *key.Alias) []string { return []string{a.Account, a.Region, a.Name} },
	Indexes: []store.Index[key.Alias]{{Name: ByKey, Keys: func(a *key.Alias) [][]string {
		return [][]string{{a.Account, a.Region, a.Key}}
	}}},
}

// ByKey orders aliases by account, region and key.
const ByKey = "kms/alias@key"

// Grants keeps grants by account, region, key, id.
var Grants = store.Table[key.Grant]{
	Name: "kms/grant",
	Key:  func(g *key.Grant) []string { return []string{g.Account, g.Region, g.Key, g.ID} },
	Indexes: []store.Index[key.Grant]{{Name: ByRetiring, Keys: func(g *key.Grant) [][]string {
		if g.Retiring == "" {
			return nil
		}
		return [][]string{{g.Account, g.Region, g.Retiring}}
	}}},
}

// ByRetiring orders grants by account, region and retiring principal.
const ByRetiring = "kms/grant@retiring"

// Resolve finds the key that a reference means; ok is false when there is none.
func Resolve(tx store.Tx, r key.Reference) (k key.Key, ok bool, err error) {
	id := r.ID
	if r.Alias != "" {
		a, ok, err := Aliases.Find(tx, r.Account, r.Region, r.Alias)
		if err != nil || !ok {
			return k, false, err
		}
		id = a.Key
	}
	return Keys.Find(tx, r.Account, r.Region, id)
}
