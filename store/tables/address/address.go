// Package address hands out the addresses of network interfaces. Two
// transactions conflict only when they want the same address: a free one is found
// by reading single keys, not the set of taken ones.
package address

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"

	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
)

// ErrInUse reports that the wanted address is taken.
var ErrInUse = errors.New("address: in use")

// ErrExhausted reports that no address is free.
var ErrExhausted = errors.New("address: none free")

// ErrOutside reports an address that the subnet does not hand out.
var ErrOutside = errors.New("address: outside the subnet or reserved")

// probes is how many single addresses are tried before the whole set of taken
// ones is read. With a pool nine tenths full, one allocation in thirty gets that
// far.
const probes = 32

// Allocate takes a free private address of the subnet for the interface.
func Allocate(tx store.Tx, s *network.Subnet, eni string) (string, error) {
	pool, err := subnetPool(s)
	if err != nil {
		return "", err
	}
	free := filter(pool.Candidates(eni), s.MayChoose)
	return pick(tx, free, tables.PrivateAddresses, []string{s.Account, s.Region, s.ID}, func(addr string) network.PrivateAddress {
		return network.PrivateAddress{Account: s.Account, Region: s.Region, Subnet: s.ID, Address: addr, ENI: eni}
	})
}

// Take takes one particular private address of the subnet for the interface.
func Take(tx store.Tx, s *network.Subnet, eni, addr string) error {
	pool, err := subnetPool(s)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || !pool.Contains(a) {
		return ErrOutside
	}
	r := network.PrivateAddress{Account: s.Account, Region: s.Region, Subnet: s.ID, Address: a.String(), ENI: eni}
	_, taken, err := tables.PrivateAddresses.Find(tx, tables.PrivateAddresses.Key(&r)...)
	if err != nil {
		return err
	}
	if taken {
		return ErrInUse
	}
	return tables.PrivateAddresses.Put(tx, &r)
}

// AllocatePublic takes a free address of the installation's public pool for the
// interface.
func AllocatePublic(tx store.Tx, pool network.Pool, account, region, eni string) (string, error) {
	return pick(tx, pool.Candidates(eni), tables.PublicAddresses, nil, func(addr string) network.PublicAddress {
		return network.PublicAddress{Address: addr, Account: account, Region: region, ENI: eni}
	})
}

// Available is how many private addresses of the subnet are free. It reads the
// whole set of taken ones, so it conflicts with every allocation in the subnet.
func Available(tx store.Tx, s *network.Subnet) (int, error) {
	pool, err := subnetPool(s)
	if err != nil {
		return 0, err
	}
	taken := tx.Count(store.Prefix(tables.PrivateAddresses.Name, s.Account, s.Region, s.ID))
	return max(pool.Size()-taken, 0), nil
}

// DeleteInterface deletes the interface and releases all its addresses; an Elastic
// IP address stays allocated.
func DeleteInterface(tx store.Tx, e *network.NetworkInterface) error {
	for _, a := range e.Addresses {
		if err := tables.PrivateAddresses.Delete(tx, e.Account, e.Region, e.Subnet, a); err != nil {
			return err
		}
	}
	for _, m := range e.Mappings() {
		if err := LetGo(tx, e, m.PrivateIP); err != nil {
			return err
		}
	}
	return tables.NetworkInterfaces.Delete(tx, e.Account, e.Region, e.ID)
}

func subnetPool(s *network.Subnet) (network.Pool, error) {
	cidr, err := netip.ParsePrefix(s.CIDR)
	if err != nil {
		return network.Pool{}, fmt.Errorf("subnet %s: %w", s.ID, err)
	}
	return network.SubnetPool(cidr), nil
}

// filter yields what of the candidates may be chosen.
func filter(candidates iter.Seq[netip.Addr], may func(netip.Addr) bool) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for a := range candidates {
			if may(a) && !yield(a) {
				return
			}
		}
	}
}

// pick records the first free candidate in the table, whose keys are the segments
// followed by the address.
func pick[T any](tx store.Tx, candidates iter.Seq[netip.Addr], table store.Table[T], segments []string, record func(string) T) (string, error) {
	var taken map[string]bool
	tried := 0
	for a := range candidates {
		r := record(a.String())
		key := store.Key(table.Name, table.Key(&r)...)
		if tried++; tried > probes {
			if taken == nil {
				taken = keys(tx.List(store.Prefix(table.Name, segments...), "", 0))
			}
			if taken[key] {
				continue
			}
			return a.String(), table.Put(tx, &r)
		}
		switch _, err := tx.Get(key); {
		case errors.Is(err, store.ErrNotFound):
			return a.String(), table.Put(tx, &r)
		case err != nil:
			return "", err
		}
	}
	return "", ErrExhausted
}

func keys(list iter.Seq2[string, store.Value]) map[string]bool {
	set := map[string]bool{}
	for k := range list {
		set[k] = true
	}
	return set
}
