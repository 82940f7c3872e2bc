// Package ipv6 says which IPv6 addresses an installation has, what VPCs, subnets and
// network interfaces get of them, and what a VPC has besides as soon as it has any.
package ipv6

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"net/netip"

	"neargate/resource/network"
)

// Any is the prefix of all IPv6 addresses.
const Any = "::/0"

// Lengths of prefixes: of what Amazon gives a VPC, and of what a subnet may have.
// Source: Amazon VPC User Guide, VPC CIDR blocks; Subnet CIDR blocks.
const (
	BitsVpc      = 56
	bitsSubnet   = 64
	stepOfSubnet = 4
)

// Addresses of a subnet that no interface gets. Source: Amazon VPC User Guide,
// Subnet CIDR blocks.
const (
	reservedLow = 4 // the first ones
	last        = ^uint64(0)
)

// attempts is how many free places are looked for by chance before giving up.
const attempts = 256

// documentation is set aside for examples (RFC 9637): no network anywhere has it, and
// hosts prefer it to IPv4 like addresses of the internet.
var documentation = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x3f, 0xff}), 20)

// Range is where an installation with the range p of public IPv4 addresses takes its
// IPv6 addresses from. Ranges of installations whose p have nothing in common have
// nothing in common.
func Range(p netip.Prefix) netip.Prefix {
	b, v4 := documentation.Addr().As16(), p.Masked().Addr().As4()
	for i, x := range v4 { // documentation ends in the middle of a byte
		b[2+i] |= x >> 4
		b[3+i] |= x << 4
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), documentation.Bits()+p.Bits())
}

// Host is the address of the range by which the host shows itself to tasks. It is in
// the first block, which no VPC gets.
func Host(r netip.Prefix) netip.Addr { return r.Masked().Addr().Next() }

// Blocks yields blocks of the range for a VPC, in an order that depends on the seed.
func Blocks(r netip.Prefix, seed string) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		n := uint64(1) << (BitsVpc - r.Bits())
		for i := range attempts {
			at := chance(seed, i)%(n-1) + 1 // the first is the installation's own
			b := r.Masked().Addr().As16()
			high := binary.BigEndian.Uint64(b[:8]) | at<<(bitsSubnet-BitsVpc)
			binary.BigEndian.PutUint64(b[:8], high)
			if !yield(netip.PrefixFrom(netip.AddrFrom16(b), BitsVpc)) {
				return
			}
		}
	}
}

// Candidates yields addresses of a subnet's range for an interface, in an order that
// depends on the seed.
func Candidates(subnet netip.Prefix, seed string) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for i := range attempts {
			b := subnet.Masked().Addr().As16()
			binary.BigEndian.PutUint64(b[8:], chance(seed, i))
			if a := netip.AddrFrom16(b); Assignable(subnet, a) && !yield(a) {
				return
			}
		}
	}
}

// Assignable reports whether an interface in a subnet with the range may have a.
func Assignable(subnet netip.Prefix, a netip.Addr) bool {
	if !subnet.Contains(a) || a.Zone() != "" {
		return false
	}
	b, first := a.As16(), subnet.Masked().Addr().As16()
	low := binary.BigEndian.Uint64(b[8:])
	inFirst := [8]byte(b[:8]) == [8]byte(first[:8])
	inLast := [8]byte(b[:8]) == lastHigh(subnet)
	return !(inFirst && low < reservedLow) && !(inLast && low == last)
}

// lastHigh is the first half of the last address of the range.
func lastHigh(p netip.Prefix) (high [8]byte) {
	b := p.Masked().Addr().As16()
	n := binary.BigEndian.Uint64(b[:8]) | (uint64(1)<<(bitsSubnet-p.Bits()) - 1)
	binary.BigEndian.PutUint64(high[:], n)
	return high
}

// SubnetLength reports whether a subnet's range may have that many bits.
func SubnetLength(bits int) bool {
	return bits >= BitsVpc-3*stepOfSubnet && bits <= bitsSubnet && bits%stepOfSubnet == 0
}

func chance(seed string, i int) uint64 {
	h := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(seed), uint32(i)))
	return binary.BigEndian.Uint64(h[:])
}

// Block says that a VPC has a block of the installation's range. Blocks are unique in
// the whole installation.
type Block struct {
	CIDR                 string
	Account, Region, Vpc string
}

// Numbers of the entries of network ACLs about IPv6. Source: Amazon VPC User Guide,
// Default network ACL.
const (
	allowEntry = 101
	LastEntry  = 32768
)

// Guard adds to the network ACL of a VPC what it has as soon as the VPC has IPv6: what
// no other entry decides is denied; and the default one lets everything through, in
// directions in which the customer did not change it. Source: Amazon VPC User Guide,
// Default network ACL.
func Guard(a *network.NetworkAcl) {
	var entries []network.NetworkAclEntry
	for _, egress := range []bool{true, false} {
		var own []network.NetworkAclEntry
		closed, plain := false, a.Default
		for _, e := range a.Entries {
			if e.Egress != egress {
				continue
			}
			own = append(own, e)
			closed = closed || e.Number == LastEntry
			plain = plain && (e.Number == network.LastAclEntry || e == standing(egress, 100, "allow", network.AnyIPv4, ""))
		}
		if !closed {
			if plain && len(own) == 2 {
				own = append(own, standing(egress, allowEntry, "allow", "", Any))
			}
			own = append(own, standing(egress, LastEntry, "deny", "", Any))
		}
		entries = append(entries, own...)
	}
	network.SortAclEntries(entries)
	a.Entries = entries
}

func standing(egress bool, number int, action, cidr, six string) network.NetworkAclEntry {
	return network.NetworkAclEntry{
		Egress: egress, Number: number, Protocol: network.AllProtocols, Action: action, CIDR: cidr, IPv6: six,
	}
}

// LetOut is the rule that security groups of a VPC with IPv6 are born with besides the
// one for IPv4.
func LetOut() network.Permission {
	return network.Permission{Egress: true, Protocol: network.AllProtocols, From: -1, To: -1, IPv6: Any}
}

// Unchanged reports whether the outbound rules of a security group are those it was
// born with in a VPC without IPv6.
func Unchanged(rules []network.SecurityGroupRule) bool {
	n, plain := 0, false
	born := LetOut()
	born.IPv6, born.IPv4 = "", network.AnyIPv4
	for _, r := range rules {
		if r.Egress {
			n++
			plain = r.Permission == born
		}
	}
	return n == 1 && plain
}
