// Package ranges keeps which IPv6 blocks and addresses are taken, and takes them. Two
// transactions conflict only when they want the same.
package ranges

import (
	"errors"
	"net/netip"

	"neargate/resource/network"
	"neargate/resource/network/ipv6"
	"neargate/store"
	"neargate/store/tables/address"
)

// Blocks keeps the blocks that VPCs have, by range.
var Blocks = store.Table[ipv6.Block]{
	Name: "ec2/ipv6-block",
	Key:  func(b *ipv6.Block) []string { return []string{b.CIDR} },
}

// Addresses keeps the IPv6 addresses that interfaces have, by account, region, subnet,
// address.
var Addresses = store.Table[network.PrivateAddress]{
	Name: "ec2/ipv6-address",
	Key: func(a *network.PrivateAddress) []string {
		return []string{a.Account, a.Region, a.Subnet, a.Address}
	},
}

// TakeBlock gives the VPC a free block of the installation's range r.
func TakeBlock(tx store.Tx, r netip.Prefix, v *network.Vpc, seed string) (string, error) {
	for p := range ipv6.Blocks(r, seed) {
		_, taken, err := Blocks.Find(tx, p.String())
		if err != nil {
			return "", err
		}
		if !taken {
			b := ipv6.Block{CIDR: p.String(), Account: v.Account, Region: v.Region, Vpc: v.ID}
			return b.CIDR, Blocks.Put(tx, &b)
		}
	}
	return "", address.ErrExhausted
}

// Assign takes a free IPv6 address of the subnet for the interface. seed tells apart
// what it asks for at once.
func Assign(tx store.Tx, s *network.Subnet, eni, seed string) (string, error) {
	p, err := rangeOf(s)
	if err != nil {
		return "", err
	}
	for a := range ipv6.Candidates(p, eni+"/"+seed) {
		if !s.MayChoose(a) {
			continue
		}
		switch err := Take(tx, s, eni, a.String()); {
		case err == nil:
			return a.String(), nil
		case !errors.Is(err, address.ErrInUse):
			return "", err
		}
	}
	return "", address.ErrExhausted
}

// Take takes one particular IPv6 address of the subnet for the interface.
func Take(tx store.Tx, s *network.Subnet, eni, addr string) error {
	p, err := rangeOf(s)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || !ipv6.Assignable(p, a) {
		return address.ErrOutside
	}
	r := network.PrivateAddress{Account: s.Account, Region: s.Region, Subnet: s.ID, Address: a.String(), ENI: eni}
	if _, taken, err := Addresses.Find(tx, Addresses.Key(&r)...); err != nil {
		return err
	} else if taken {
		return address.ErrInUse
	}
	return Addresses.Put(tx, &r)
}

// Release gives the interface's IPv6 addresses back.
func Release(tx store.Tx, e *network.NetworkInterface, addrs ...string) error {
	for _, a := range addrs {
		if err := Addresses.Delete(tx, e.Account, e.Region, e.Subnet, a); err != nil {
			return err
		}
	}
	return nil
}

// DeleteInterface deletes the interface and releases all its addresses, as
// address.DeleteInterface does, those of IPv6 among them.
func DeleteInterface(tx store.Tx, e *network.NetworkInterface) error {
	if err := Release(tx, e, e.IPv6...); err != nil {
		return err
	}
	return address.DeleteInterface(tx, e)
}

// ErrNone reports a subnet without IPv6.
var ErrNone = errors.New("ranges: the subnet has no IPv6 range")

func rangeOf(s *network.Subnet) (netip.Prefix, error) {
	if len(s.IPv6) == 0 {
		return netip.Prefix{}, ErrNone
	}
	return netip.ParsePrefix(s.IPv6[0].CIDR)
}
