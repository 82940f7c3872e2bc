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
	return pick(tx, pool, allocation, tables.PublicAddresses, nil, func(addr string) network.PublicAddress {
		return network.PublicAddress{Address: addr, Account: account, Region: region, Allocation: allocation}
	})
}

// Associate gives the Elastic IP address to the interface's primary private
// address. What either had before is let go: a displaced Elastic IP address stays
// allocated, one that Amazon lent is released. Both records are written.
func Associate(tx store.Tx, a *edge.ElasticIP, e *network.NetworkInterface, association string) error {
	if a.ENI != "" && a.ENI != e.ID {
		if err := Disassociate(tx, a); err != nil {
			return err
		}
	}
	if e.Allocation != a.ID {
		if err := letGo(tx, e); err != nil {
			return err
		}
	}
	a.Association, a.ENI, a.PrivateIP = association, e.ID, e.Primary()
	e.PublicIP, e.Allocation, e.Association = a.Address, a.ID, association
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
		if ok && e.Allocation == a.ID {
			e.PublicIP, e.Allocation, e.Association = "", "", ""
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

// letGo frees the interface's public address in the other records, not in e.
func letGo(tx store.Tx, e *network.NetworkInterface) error {
	switch {
	case e.PublicIP == "":
		return nil
	case e.Allocation == "":
		return tables.PublicAddresses.Delete(tx, e.PublicIP)
	}
	a, ok, err := edges.ElasticIPs.Find(tx, e.Account, e.Region, e.Allocation)
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
