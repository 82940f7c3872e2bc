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

// Ended keeps trails that were deleted and still deliver, by account, home region, slot.
var Ended = store.Table[trail.Trail]{
	Name: "cloudtrail/ended",
	Key:  func(t *trail.Trail) []string { return []string{t.Account, t.Region, t.Slot()} },
}

// Deliveries keeps how far trails have come by account, home region, slot, and lane unless
// that is of management events.
var Deliveries = store.Table[trail.Delivery]{
	Name: "cloudtrail/delivery",
	Key:  func(d *trail.Delivery) []string { return deliveryKey(d.Account, d.Region, d.Name, d.Lane) },
}

func deliveryKey(account, region, name, lane string) []string {
	key := []string{account, region, name}
	if lane != "" {
		key = append(key, lane)
	}
	return key
}

// FindDelivery finds how far a trail has come in a lane.
func FindDelivery(tx store.Tx, t *trail.Trail, lane trail.Lane) (trail.Delivery, bool, error) {
	return Deliveries.Find(tx, deliveryKey(t.Account, t.Region, t.Slot(), lane.Name)...)
}

// Chains keeps how far digest files have come by account, home region, slot, region.
var Chains = store.Table[trail.Chain]{
	Name: "cloudtrail/chain",
	Key:  func(c *trail.Chain) []string { return []string{c.Account, c.Home, c.Name, c.Region} },
}

// Keys keeps what signs digest files by region, fingerprint.
var Keys = store.Table[trail.Key]{
	Name: "cloudtrail/key",
	Key:  func(k *trail.Key) []string { return []string{k.Region, k.Fingerprint} },
}

// Current finds a trail as it is now, in whatever table; not ok, there is none any more.
func Current(tx store.Tx, t *trail.Trail) (trail.Trail, bool, error) {
	table := Trails
	if t.Deleted {
		table = Ended
	}
	now, ok, err := table.Find(tx, t.Account, t.Region, t.Slot())
	return now, ok && now.ID == t.ID, err
}

// Forget forgets how far a trail has come, and a deleted one itself.
func Forget(tx store.Tx, t *trail.Trail) error {
	return move(tx, t, nil)
}

// Retire makes a trail that was found one that is deleted: what it is kept under is
// another's from then on.
func Retire(tx store.Tx, t trail.Trail) error {
	gone := t
	gone.Deleted = true
	if err := move(tx, &t, &gone); err != nil {
		return err
	}
	return Ended.Put(tx, &gone)
}

// move takes what is kept about the deliveries of a trail over to another's name. Where to
// is nil it is deleted.
func move(tx store.Tx, from, to *trail.Trail) error {
	for _, lane := range trail.Lanes() {
		d, ok, err := FindDelivery(tx, from, lane)
		if err != nil {
			return err
		}
		if err := Deliveries.Delete(tx, deliveryKey(from.Account, from.Region, from.Slot(), lane.Name)...); err != nil {
			return err
		}
		if !ok || to == nil {
			continue
		}
		d.Name = to.Slot()
		if err := Deliveries.Put(tx, &d); err != nil {
			return err
		}
	}
	chains, err := store.Collect(Chains.List(tx, from.Account, from.Region, from.Slot()))
	if err != nil {
		return err
	}
	for _, c := range chains {
		if err := Chains.Delete(tx, c.Account, c.Home, c.Name, c.Region); err != nil {
			return err
		}
		if to == nil {
			continue
		}
		c.Name = to.Slot()
		if err := Chains.Put(tx, &c); err != nil {
			return err
		}
	}
	if from.Deleted {
		return Ended.Delete(tx, from.Account, from.Region, from.Slot())
	}
	return Trails.Delete(tx, from.Account, from.Region, from.Name)
}
