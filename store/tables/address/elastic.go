package address

import (
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// AllocateElastic takes a free address of the installation's public pool for an
// Elastic IP address.
func AllocateElastic(tx store.Tx, pool network.Pool, account, region, allocation string) (string, error) {
	return pick(tx, pool.Candidates(allocation), tables.PublicAddresses, nil, func(addr string) network.PublicAddress {
		return network.PublicAddress{Address: addr, Account: account, Region: region, Allocation: allocation}
	})
}

// Associate gives the Elastic IP address to one of the interface's private addresses.
// What either had before is let go: a displaced Elastic IP address stays allocated,
// one that Amazon lent is released. Both records are written.
func Associate(tx store.Tx, a *edge.ElasticIP, e *network.NetworkInterface, private, association string) error {
	switch {
	case a.ENI == e.ID && a.PrivateIP != private:
		e.Map(network.Mapping{PrivateIP: a.PrivateIP})
	case a.ENI != "" && a.ENI != e.ID:
		if err := Disassociate(tx, a); err != nil {
			return err
		}
	}
	if e.MappingOf(private).Allocation != a.ID {
		if err := LetGo(tx, e, private); err != nil {
			return err
		}
	}
	a.Association, a.ENI, a.PrivateIP = association, e.ID, private
	e.Map(network.Mapping{PrivateIP: private, PublicIP: a.Address, Allocation: a.ID, Association: association})
	if err := putElastic(tx, a); err != nil {
		return err
	}
	return tables.NetworkInterfaces.Put(tx, e)
}

// Disassociate takes the Elastic IP address from the interface that has it, if
// any.
func Disassociate(tx store.Tx, a *edge.ElasticIP) error {
	if a.ENI != "" {
		e, ok, err := tables.NetworkInterfaces.Find(tx, a.Account, a.Region, a.ENI)
		if err != nil {
			return err
		}
		if ok && e.MappingOf(a.PrivateIP).Allocation == a.ID {
			e.Map(network.Mapping{PrivateIP: a.PrivateIP})
			if err := tables.NetworkInterfaces.Put(tx, &e); err != nil {
				return err
			}
		}
	}
	a.Association, a.ENI, a.PrivateIP, a.NatGateway = "", "", "", ""
	return putElastic(tx, a)
}

// ReleaseElastic gives the Elastic IP address up. It must have no interface.
func ReleaseElastic(tx store.Tx, a *edge.ElasticIP) error {
	if err := tables.PublicAddresses.Delete(tx, a.Address); err != nil {
		return err
	}
	return edges.ElasticIPs.Delete(tx, a.Account, a.Region, a.ID)
}

// LetGo frees the public address of one of the interface's private addresses, if it has
// one. The interface is changed, not written.
func LetGo(tx store.Tx, e *network.NetworkInterface, private string) error {
	m := e.MappingOf(private)
	e.Map(network.Mapping{PrivateIP: private})
	switch {
	case m.PublicIP == "":
		return nil
	case m.Allocation == "":
		return tables.PublicAddresses.Delete(tx, m.PublicIP)
	}
	a, ok, err := edges.ElasticIPs.Find(tx, e.Account, e.Region, m.Allocation)
	if err != nil || !ok {
		return err
	}
	a.Association, a.ENI, a.PrivateIP, a.NatGateway = "", "", "", ""
	return putElastic(tx, &a)
}

// putElastic writes the Elastic IP address and that its public address is taken.
func putElastic(tx store.Tx, a *edge.ElasticIP) error {
	p := network.PublicAddress{Address: a.Address, Account: a.Account, Region: a.Region, ENI: a.ENI, Allocation: a.ID}
	if err := tables.PublicAddresses.Put(tx, &p); err != nil {
		return err
	}
	return edges.ElasticIPs.Put(tx, a)
}
