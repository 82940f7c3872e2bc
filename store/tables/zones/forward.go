package zones

import (
	"slices"

	"neargate/resource/zone"
	"neargate/store"
)

// maxAliases is how many aliases are followed from one record set.
const maxAliases = 16

// Leads reports whether a canonical name has an IPv4 address by the public zones of an
// account. A name that is another name's, or that is left to other name servers, has
// none there.
func Leads(tx store.Tx, account, name, address string) (bool, error) {
	z, err := public(tx, account, name)
	if z == nil || err != nil {
		return false, err
	}
	for at := name; at != z.Name; at = zone.Parent(at) {
		if away, err := Sets(tx, z, at, "NS"); len(away) > 0 || err != nil {
			return false, err
		}
	}
	owner := name
	if !Exists(tx, z, name) {
		for owner != z.Name && !Exists(tx, z, owner) {
			owner = zone.Parent(owner)
		}
		owner = zone.Wildcard(owner)
	}
	return has(tx, z, owner, address, maxAliases)
}

// public is the public zone of an account with the longest name that holds a name; of
// equal names the oldest; nil, when there is none.
func public(tx store.Tx, account, name string) (best *zone.Zone, err error) {
	for at := name; best == nil; at = zone.Parent(at) {
		for z, err := range Zones.By(tx, ByName, account, zone.Order(at)) {
			if err != nil {
				return nil, err
			}
			if !z.Private && (best == nil || z.CreatedAt.Before(best.CreatedAt)) {
				best = &z
			}
		}
		if at == "." {
			break
		}
	}
	return best, nil
}

// has reports whether a record set of a name, or one behind its aliases, has the address.
func has(tx store.Tx, z *zone.Zone, owner, address string, aliases int) (bool, error) {
	sets, err := Sets(tx, z, owner, "A")
	if err != nil {
		return false, err
	}
	for _, r := range sets {
		if slices.Contains(r.Values, address) {
			return true, nil
		}
		if r.Alias == nil || r.Alias.Zone != z.ID || aliases == 0 {
			continue
		}
		if ok, err := has(tx, z, r.Alias.Name, address, aliases-1); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
