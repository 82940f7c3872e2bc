// Package zones names the key spaces of Amazon Route 53, which is global: keys
// carry no region.
package zones

import (
	"time"

	"neargate/resource/zone"
	"neargate/store"
)

// Indexes of Zones: by id, by account and caller reference, by account and name in
// the order of names, and by region, VPC and name in their order.
const (
	ByID        = "route53/zone@id"
	ByReference = "route53/zone@reference"
	ByName      = "route53/zone@name"
	ByVPC       = "route53/zone@vpc"
)

// Zones keeps hosted zones by account, id.
var Zones = store.Table[zone.Zone]{
	Name: "route53/zone",
	Key:  func(z *zone.Zone) []string { return []string{z.Account, z.ID} },
	Indexes: []store.Index[zone.Zone]{
		{Name: ByID, Keys: func(z *zone.Zone) [][]string { return [][]string{{z.ID}} }},
		{Name: ByReference, Keys: func(z *zone.Zone) [][]string { return [][]string{{z.Account, z.CallerReference}} }},
		{Name: ByName, Keys: func(z *zone.Zone) [][]string { return [][]string{{z.Account, zone.Order(z.Name)}} }},
		{Name: ByVPC, Keys: func(z *zone.Zone) (all [][]string) {
			for _, v := range z.VPCs {
				all = append(all, []string{v.Region, v.ID, zone.Order(z.Name)})
			}
			return all
		}},
	},
}

// Find is the hosted zone with an id, of whatever account.
func Find(tx store.Tx, id string) (z zone.Zone, ok bool, err error) {
	for z, err = range Zones.By(tx, ByID, id) {
		return z, err == nil, err
	}
	return z, false, nil
}

// RecordSets keeps resource record sets by account, zone, name in the order of
// names, type, set identifier: the order they are listed in.
var RecordSets = store.Table[zone.RecordSet]{
	Name: "route53/rrset",
	Key: func(r *zone.RecordSet) []string {
		return []string{r.Account, r.Zone, zone.Order(r.Name), r.Type, r.SetID}
	},
}

// Sets are the record sets of a name in a zone, of one type where one is given.
func Sets(tx store.Tx, z *zone.Zone, name string, types ...string) ([]zone.RecordSet, error) {
	return store.Collect(RecordSets.List(tx, append([]string{z.Account, z.ID, zone.Order(name)}, types...)...))
}

// Exists reports whether a name or any below it has records in a zone.
func Exists(tx store.Tx, z *zone.Zone, name string) bool {
	for range tx.List(store.Prefix(RecordSets.Name, z.Account, z.ID)+zone.Order(name), "", 1) {
		return true
	}
	return false
}

// ByTime orders the changes of an account by when they were submitted.
const ByTime = "route53/change@time"

// Changes keeps changes by account, id.
var Changes = store.Table[zone.Change]{
	Name: "route53/change",
	Key:  func(c *zone.Change) []string { return []string{c.Account, c.ID} },
	Indexes: []store.Index[zone.Change]{{Name: ByTime, Keys: func(c *zone.Change) [][]string {
		return [][]string{{c.Account, c.SubmittedAt.UTC().Format(time.RFC3339)}}
	}}},
}
