package call

import (
	"neargate/resource/network"
	"neargate/resource/network/grant"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// Attachable is the interface with the id if it is the caller's, or if its owner lets
// the caller attach it; else AWS's error.
func (s Scope) Attachable(id string) (network.NetworkInterface, error) {
	return s.permitted(id, grant.Attach)
}

// Associable is Attachable for giving the interface an Elastic IP address.
func (s Scope) Associable(id string) (network.NetworkInterface, error) {
	return s.permitted(id, grant.Associate)
}

func (s Scope) permitted(id, typ string) (network.NetworkInterface, error) {
	e, absent := Interfaces.Get(s, id)
	if !shape.IsCode(absent, Interfaces.NotFound) {
		return e, absent
	}
	account, region := s.Tenant()
	p, found, err := edges.Permitted(s.Tx, account, region, id, typ)
	switch {
	case err != nil:
		return e, err
	case !found:
		return e, absent
	}
	return tables.NetworkInterfaces.Get(s.Tx, p.Account, p.Region, p.Interface)
}
