package vpc

import (
	"net/netip"

	"neargate/resource/network"
	"neargate/service/ec2/internal/call"
	"neargate/wire/shape"
)

// Bounds of the prefix lengths of VPCs and subnets. Source: Amazon VPC User Guide,
// VPC CIDR blocks.
const (
	minBits = 16
	maxBits = 28
)

// forbidden are the ranges that no VPC can have.
var forbidden = []netip.Prefix{
	prefix(0, 0, 8), prefix(127, 0, 8), prefix(169, 254, 16), prefix(224, 0, 4), prefix(240, 0, 4),
}

// Ranges whose VPCs take no ranges of the others. Source: Amazon VPC User Guide,
// IPv4 CIDR block association restrictions.
var (
	private = []netip.Prefix{prefix(10, 0, 8), prefix(172, 16, 12), prefix(192, 168, 16)}
	bench   = prefix(198, 19, 16)
)

func prefix(a, b byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), bits)
}

// cidrOf reads a range of addresses.
func cidrOf(s *string) (netip.Prefix, error) {
	p, ok := network.Canonical(call.Val(s), 4)
	if !ok {
		return p, call.Invalid("Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", call.Val(s))
	}
	return p, nil
}

// vpcRange reads a range for a VPC.
func vpcRange(s *string) (netip.Prefix, error) {
	p, err := cidrOf(s)
	if err != nil {
		return p, err
	}
	if p.Bits() < minBits || p.Bits() > maxBits || overlaps(p, forbidden...) {
		return p, shape.Errorf("InvalidVpc.Range", "The CIDR '%s' is invalid.", p)
	}
	return p, nil
}

func overlaps(p netip.Prefix, others ...netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}

// inside reports whether p is part of o.
func inside(p, o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) }

// restricted reports whether a VPC with the ranges has, of which the first decides,
// may not take the range p as well.
func restricted(has []netip.Prefix, p netip.Prefix) bool {
	for _, family := range append([]netip.Prefix{bench}, private...) {
		if inside(p, family) && !inside(has[0], family) {
			return true
		}
	}
	if inside(p, prefix(10, 0, 16)) && overlaps(prefix(10, 0, 15), has...) {
		return true
	}
	return inside(p, prefix(172, 31, 16))
}

// prefixes reads ranges of stored records, which are well-formed.
func prefixes(cidrs []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
