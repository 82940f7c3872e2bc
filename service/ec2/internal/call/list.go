package call

import (
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// ListSize is how many rules or routes a prefix list, of the caller or of AWS,
// stands for: as many as it may hold.
func ListSize(sc Scope, id string) (int, error) {
	account, region := sc.Tenant()
	// The ids of AWS's lists do not depend on the public range.
	if l, ok := edge.AmazonPrefixList(region, network.PublicRange(), id); ok {
		return len(l.Entries), nil
	}
	l, ok, err := edges.PrefixLists.Find(sc.Tx, account, region, id)
	if err == nil && !ok {
		err = shape.Errorf("InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist", id)
	}
	return l.MaxEntries, err
}
