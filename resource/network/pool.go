package network

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"net/netip"
)

// Pool is a range of IPv4 addresses that are handed out one at a time, some at
// either end excepted.
type Pool struct {
	prefix netip.Prefix
	first  int // offset of the first address that may be handed out
	size   int
}

// newPool returns the pool of prefix without its first low and last high
// addresses.
func newPool(prefix netip.Prefix, low, high int) Pool {
	n := 1<<(32-prefix.Bits()) - low - high
	return Pool{prefix: prefix.Masked(), first: low, size: max(n, 0)}
}

// SubnetPool is the pool of a subnet: AWS reserves the first four addresses and
// the last. Source: Amazon VPC User Guide, Subnet CIDR blocks.
func SubnetPool(cidr netip.Prefix) Pool { return newPool(cidr, 4, 1) }

// publicReserved is how many addresses at the start of a public pool are kept for
// the host, which has the second, and for service endpoints.
const publicReserved = 256

// Offsets in a public range of what the installation itself has there.
const (
	offsetServices = 2  // AWS's service endpoints, all but Amazon S3's
	offsetObjects  = 16 // the first address of Amazon S3's range
	offsetMirrors  = 64 // the first address of mirrored registries
	bitsObjects    = 28
	sizeMirrors    = publicReserved - offsetMirrors
)

// ServiceAddress is the public address of AWS's service endpoints, all but Amazon
// S3's, in an installation with the public range p.
func ServiceAddress(p netip.Prefix) netip.Addr { return newPool(p, 0, 0).at(offsetServices) }

// ObjectRange holds Amazon S3's public addresses, which are what the prefix list
// com.amazonaws.REGION.s3 lists. The first of them answers.
func ObjectRange(p netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(newPool(p, 0, 0).at(offsetObjects), bitsObjects)
}

// MirrorAddress is the public address that stands for the i-th registry that the
// installation reaches through a mirror; ok is false when there are too many.
func MirrorAddress(p netip.Prefix, i int) (a netip.Addr, ok bool) {
	if i < 0 || i >= sizeMirrors {
		return a, false
	}
	return newPool(p, 0, 0).at(offsetMirrors + i), true
}

// PublicRange is where installations take their public addresses from: the range
// set aside for benchmarking (RFC 2544), which no real host has.
func PublicRange() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18}), 15) }

// PublicPool is the pool of public addresses of an installation that has the
// range p.
func PublicPool(p netip.Prefix) Pool { return newPool(p, publicReserved, 1) }

// Size is how many addresses the pool hands out.
func (p Pool) Size() int { return p.size }

// Contains reports whether the pool may hand a out.
func (p Pool) Contains(a netip.Addr) bool {
	if !p.prefix.Contains(a) {
		return false
	}
	i := int(number(a)-number(p.prefix.Addr())) - p.first
	return i >= 0 && i < p.size
}

// Candidates yields every address of the pool once, in an order that depends on
// the seed only. Different seeds start at different places and take different
// steps, so that concurrent allocations rarely try the same address.
func (p Pool) Candidates(seed string) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if p.size == 0 {
			return
		}
		h := sha256.Sum256([]byte(seed))
		n := uint64(p.size)
		i := binary.BigEndian.Uint64(h[:8]) % n
		step := coprime(binary.BigEndian.Uint64(h[8:16])%n, n)
		for range p.size {
			if !yield(p.at(int(i))) {
				return
			}
			i = (i + step) % n
		}
	}
}

func (p Pool) at(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], number(p.prefix.Addr())+uint32(p.first+i))
	return netip.AddrFrom4(b)
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// coprime returns the smallest number from x upwards, at least 1, that shares no
// divisor with n: stepping by it visits every residue of n.
func coprime(x, n uint64) uint64 {
	for x = max(x, 1); ; x++ {
		a, b := x, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return x
		}
	}
}
