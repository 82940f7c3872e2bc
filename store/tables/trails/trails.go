// Package trails names the key spaces of AWS CloudTrail.
package trails

import (
	"neargate/resource/trail"
	"neargate/store"
)

// Trails keeps trails by account, home region, name.
var Trails = store.Table[trail.Trail]{
	Name: "cloudtrail/trail",
	Key:  func(t *trail.Trail) []string { return []string{t.Account, t.Region, t.Name} },
}

// Deliveries keeps how far trails have come by account, home region, name.
var Deliveries = store.Table[trail.Delivery]{
	Name: "cloudtrail/delivery",
	Key:  func(d *trail.Delivery) []string { return []string{d.Account, d.Region, d.Name} },
}

// Chains keeps how far digest files have come by account, home region, name, region.
var Chains = store.Table[trail.Chain]{
	Name: "cloudtrail/chain",
	Key:  func(c *trail.Chain) []string { return []string{c.Account, c.Home, c.Name, c.Region} },
}

// Keys keeps what signs digest files by region, fingerprint.
var Keys = store.Table[trail.Key]{
	Name: "cloudtrail/key",
	Key:  func(k *trail.Key) []string { return []string{k.Region, k.Fingerprint} },
}
