// Package edge makes what leads out of a VPC come and go: NAT gateways take their
// interfaces and addresses and return them, VPC endpoints become available and are
// removed, peering connections are checked, expire and are forgotten.
package edge

import (
	"neargate/arn"
	"neargate/control/loop"
	"neargate/store"
)

// Key names a resource of an account in a region.
type Key struct{ Account, Region, ID string }

// New are the controllers. ids mints the ids of interfaces.
func New(ids *arn.Source) []loop.Runner {
	return []loop.Runner{NatGateways(ids), Endpoints(), Peerings()}
}

// primary wakes a controller for a record that is or was written.
func primary(_ store.Tx, e store.Event) ([]Key, error) {
	if e.Val == nil {
		return nil, nil
	}
	_, s := store.Segments(e.Key)
	return []Key{{s[0], s[1], s[2]}}, nil
}
