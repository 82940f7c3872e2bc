// Package kern talks to the kernel of network namespaces: what packages of the network
// need of netlink and /proc/sys, and knows nothing of VPCs.
package kern

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// Steady is Inside, again while what fn lists changes.
func Steady(path string, fn func(*netlink.Handle) error) error {
	return Inside(path, func(k *netlink.Handle) error {
		return netns.Steady(func() error { return fn(k) })
	})
}

// Inside runs fn with a netlink socket in the namespace, and its thread there.
func Inside(path string, fn func(*netlink.Handle) error) error {
	return netns.Do(path, func() error {
		k, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer k.Close()
		return fn(k)
	})
}

// Families are those to look at.
func Families(six bool) []int {
	if six {
		return []int{netlink.FAMILY_V4, netlink.FAMILY_V6}
	}
	return []int{netlink.FAMILY_V4}
}

// EachRoute calls fn for the routes of a family in all tables.
func EachRoute(k *netlink.Handle, family int, fn func(netlink.Route)) error {
	return k.RouteListFilteredIter(family, &netlink.Route{}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		fn(r)
		return true
	})
}

// PrefixOf is n; invalid without one.
func PrefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(AddrOf(n.IP), bits)
}

// AddrOf is ip.
func AddrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// SysctlPath is the file of a setting below /proc/sys/net.
func SysctlPath(name string) string { return filepath.Join("/proc/sys/net", name) }

// ReadSysctls reads those named in want, in the thread's namespace. One that the
// kernel lacks is as wanted: a kernel without IPv6 needs no turning off, and none
// without connection tracking takes the rules.
func ReadSysctls(want, into map[string]string) error {
	for name, value := range want {
		b, err := os.ReadFile(SysctlPath(name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		switch {
		case err == nil:
			into[name] = strings.TrimSpace(string(b))
		case strings.HasPrefix(name, "ipv6/"), strings.HasPrefix(name, "netfilter/"):
			into[name] = value
		}
	}
	return nil
}

// Permanent is a neighbour that nobody has to look for.
func Permanent(link int, a netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: link, Family: netlink.FAMILY_V6, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac}
}

// Create makes a namespace named path, with its loopback interface up, and returns a
// netlink socket there.
func Create(path string) (k *netlink.Handle, err error) {
	err = netns.CreateWith(path, func() error {
		if k, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		return k.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: loopback}})
	})
	if err != nil && k != nil {
		k.Close()
	}
	return k, err
}

// loopback is the number of every namespace's loopback interface.
const loopback = 1

// Address is an address of its own, which nobody is asked about.
func Address(a netip.Addr) *netlink.Addr {
	x := &netlink.Addr{IPNet: IPNet(Alone(a))}
	if a.Is6() {
		x.Flags = unix.IFA_F_NODAD
	}
	return x
}

// SetAddress gives a device an address of its own.
func SetAddress(k *netlink.Handle, device string, a netip.Addr) error {
	return WithLink(k, device, func(l netlink.Link) error { return k.AddrReplace(l, Address(a)) })
}

// DropAddress takes an address from a device; one that it has not is fine.
func DropAddress(k *netlink.Handle, device string, a netip.Addr) error {
	return WithLink(k, device, func(l netlink.Link) error { return Ignore(k.AddrDel(l, Address(a)), unix.EADDRNOTAVAIL) })
}

// SetNeighbour says for good which hardware address an address at a device has.
func SetNeighbour(k *netlink.Handle, device string, a netip.Addr, mac string) error {
	hardware, err := Hardware(mac)
	if err != nil {
		return err
	}
	return WithLink(k, device, func(l netlink.Link) error { return k.NeighSet(Permanent(l.Attrs().Index, a, hardware)) })
}

// DropNeighbour forgets what SetNeighbour said; what is not known is fine.
func DropNeighbour(k *netlink.Handle, device string, a netip.Addr) error {
	return WithLink(k, device, func(l netlink.Link) error {
		return Ignore(k.NeighDel(Permanent(l.Attrs().Index, a, nil)), unix.ENOENT)
	})
}

// Remove deletes a device, if it is there.
func Remove(k *netlink.Handle, device string) error {
	return Ignore(WithLink(k, device, k.LinkDel), unix.ENODEV)
}

// WithLink runs fn with a device; the error is ENODEV where there is none.
func WithLink(k *netlink.Handle, name string, fn func(netlink.Link) error) error {
	l, err := k.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return unix.ENODEV
	}
	if err != nil {
		return err
	}
	return fn(l)
}

// Hardware reads a hardware address; empty: none.
func Hardware(mac string) (net.HardwareAddr, error) {
	if mac == "" {
		return nil, nil
	}
	return net.ParseMAC(mac)
}

// IPNet is p.
func IPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Ignore is err unless it is errno.
func Ignore(err error, errno unix.Errno) error {
	if errors.Is(err, errno) {
		return nil
	}
	return err
}

// Alone is the prefix of one address.
func Alone(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
