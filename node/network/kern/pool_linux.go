package kern

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// FreePool is a range with so many leading bits inside within that neither another
// installation of the machine nor a network of the host overlaps. The same tag
// gets the same range where it can. root names the host's
// namespace by a file; empty: the one of this process.
func FreePool(root, tag string, within netip.Prefix, bits int) (netip.Prefix, error) {
	taken, err := takenBy(root, tag, within)
	if err != nil {
		return netip.Prefix{}, err
	}
	h := sha256.Sum256([]byte(tag))
	n := uint32(1) << (bits - within.Bits())
	first := binary.BigEndian.Uint32(h[:]) % n
	for i := range n {
		p := subrange(within, bits, (first+i)%n)
		if !slices.ContainsFunc(taken, p.Overlaps) {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("network: no range of /%d is free in %s", bits, within)
}

// Taken reports whether another installation than tag's or a network of the host
// overlaps pool, a range inside within, and where its route leads to.
func Taken(root, tag string, within, pool netip.Prefix) (by netip.Prefix, taken bool, err error) {
	all, err := takenBy(root, tag, within)
	i := slices.IndexFunc(all, pool.Overlaps)
	if err != nil || i < 0 {
		return by, false, err
	}
	return all[i], true, nil
}

// takenBy are the destinations of others' routes. One of the host's with room for
// more than within leads to no network in it, but away, as a default route does.
func takenBy(root, tag string, within netip.Prefix) (taken []netip.Prefix, err error) {
	own := Metric(tag)
	err = Steady(root, func(k *netlink.Handle) error {
		taken = nil
		return EachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
			p := destination(r)
			ours := r.Protocol == ProtocolRoutes && r.Priority == own
			away := r.Protocol != ProtocolRoutes && p.Bits() < within.Bits()
			if !ours && !away && (r.Type == unix.RTN_BLACKHOLE || r.Type == unix.RTN_UNICAST) {
				taken = append(taken, p)
			}
		})
	})
	return taken, err
}

// subrange is the i-th range with so many bits of p.
func subrange(p netip.Prefix, bits int, i uint32) netip.Prefix {
	b := p.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+i<<(32-bits))
	return netip.PrefixFrom(netip.AddrFrom4(b), bits)
}

// DefaultUplinks are the devices that the host's default routes lead over.
func DefaultUplinks(root string) (names []string, err error) {
	err = Steady(root, func(k *netlink.Handle) error {
		names = nil
		devices := map[int]string{}
		links, err := k.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			devices[l.Attrs().Index] = l.Attrs().Name
		}
		return EachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
			name := devices[r.LinkIndex]
			if r.Table == unix.RT_TABLE_MAIN && r.Type == unix.RTN_UNICAST && destination(r).Bits() == 0 && name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		})
	})
	return names, err
}

func destination(r netlink.Route) netip.Prefix {
	if p := PrefixOf(r.Dst); p.IsValid() {
		return p
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// ProtocolRoutes is the protocol of routes of all installations (rtnetlink(7),
// rtm_protocol).
const ProtocolRoutes = 110

// Metric marks the routes of the installation with the tag, and makes them yield to all
// others with the same destination.
func Metric(tag string) int {
	d := sha256.Sum256([]byte(tag))
	return int(binary.BigEndian.Uint32(d[:]) | 1<<31)
}
