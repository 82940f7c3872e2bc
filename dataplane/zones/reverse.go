package zones

import (
	"context"
	"net/netip"

	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// Reverse is the name that its owner gave an Elastic IP address, of whatever account;
// empty: none. Who has an address may say so to all, since the name leads there.
func (z Zones) Reverse(ctx context.Context, a netip.Addr) (name string, err error) {
	err = z.Store.View(ctx, func(tx store.Tx) error {
		name = ""
		p, taken, err := tables.PublicAddresses.Find(tx, a.String())
		if err != nil || !taken || p.Allocation == "" {
			return err
		}
		e, _, err := edges.ElasticIPs.Find(tx, p.Account, p.Region, p.Allocation)
		name = e.Reverse
		return err
	})
	return name, err
}
