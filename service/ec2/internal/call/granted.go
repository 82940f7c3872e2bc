package call

import (
	"neargate/resource/network"
	"neargate/store/tables"
	"neargate/store/tables/grants"
	"neargate/wire/shape"
)

// InterfaceFor is the interface with the id if it is the caller's, or if its owner lets
// the caller do what typ says; else AWS's error.
func InterfaceFor(s Scope, id, typ string) (network.NetworkInterface, error) {
	e, absent := Interfaces.Get(s, id)
	if !shape.IsCode(absent, Interfaces.NotFound) {
		return e, absent
	}
	account, region := s.Tenant()
	p, found, err := grants.Find(s.Tx, account, region, id, typ)
	switch {
	case err != nil:
		return e, err
	case !found:
		return e, absent
	}
	return tables.NetworkInterfaces.Get(s.Tx, p.Account, p.Region, p.Interface)
}
