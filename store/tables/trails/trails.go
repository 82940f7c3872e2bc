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

// Deliveries keeps how far trails have come by account, home region, name, and lane unless
// that is of management events.
var Deliveries = store.Table[trail.Delivery]{
	Name: "cloudtrail/delivery",
	Key:  func(d *trail.Delivery) []string { return deliveryKey(d.Account, d.Region, d.Name, d.Lane) },
}

func deliveryKey(account, region, name, lane string) []string {
	key := []string{account, region, name}
	if lane != trail.LaneManagement {
		key = append(key, lane)
	}
	return key
}

// FindDelivery finds how far a trail has come in a lane.
func FindDelivery(tx store.Tx, t *trail.Trail, lane string) (trail.Delivery, bool, error) {
	return Deliveries.Find(tx, deliveryKey(t.Account, t.Region, t.Name, lane)...)
}

// DeleteDeliveries forgets how far a trail has come.
func DeleteDeliveries(tx store.Tx, t *trail.Trail) error {
	for _, lane := range trail.Lanes() {
		if err := Deliveries.Delete(tx, deliveryKey(t.Account, t.Region, t.Name, lane)...); err != nil {
			return err
		}
	}
	return nil
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
