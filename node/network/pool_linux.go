package network

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
// gets the same range where it can. root names the host's namespace, as in Open.
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
	own := Host{Tag: tag}.metric()
	err = steady(root, func(k *netlink.Handle) error {
		taken = nil
		return eachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
			d := destinationOf(r)
			ours := r.Protocol == protocolRoutes && d.metric == own
			away := r.Protocol != protocolRoutes && d.prefix.Bits() < within.Bits()
			if !ours && !away && (r.Type == unix.RTN_BLACKHOLE || r.Type == unix.RTN_UNICAST) {
				taken = append(taken, d.prefix)
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
	err = steady(root, func(k *netlink.Handle) error {
		names = nil
		devices := map[int]string{}
		links, err := k.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			devices[l.Attrs().Index] = l.Attrs().Name
		}
		return eachRoute(k, netlink.FAMILY_V4, func(r netlink.Route) {
			name := devices[r.LinkIndex]
			if r.Table == tableMain && r.Type == unix.RTN_UNICAST && destinationOf(r).prefix.Bits() == 0 && name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		})
	})
	return names, err
}
