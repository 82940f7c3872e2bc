package hosttest

import (
	"errors"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// Of IPv6 in the network that the tests plug sandboxes into, as package network makes
// it: neighbours are told, none is asked.
const (
	peerIPv6    = "3fff:c61::1"
	taskIPv6    = "3fff:c61::2"
	gatewayIPv6 = "fe80::1"
)

// plugIPv6 leads the peer to the task, and returns the hardware address of its end.
func (p peer) plugIPv6(task net.HardwareAddr) (near net.HardwareAddr) {
	p.h.t.Helper()
	p.h.ok(netns.Do(p.path, func() error {
		l, err := netlink.LinkByName("task")
		if err != nil {
			return err
		}
		near = l.Attrs().HardwareAddr
		to := net.ParseIP(taskIPv6)
		return errors.Join(addIPv6(l, peerIPv6), neighbour(l, taskIPv6, task),
			netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: &net.IPNet{IP: to, Mask: net.CIDRMask(128, 128)}}))
	}))
	return near
}

// prepareIPv6 lets the task's interface have the addresses it is given only.
func prepareIPv6() error {
	var errs error
	for name, value := range map[string]string{"addr_gen_mode": "1", "accept_ra": "0", "disable_ipv6": "0"} {
		errs = errors.Join(errs, os.WriteFile("/proc/sys/net/ipv6/conf/eth0/"+name, []byte(value), 0))
	}
	return errs
}

// setUpIPv6 gives the task its address and its way out, to the hardware address near.
func setUpIPv6(near net.HardwareAddr) error {
	l, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	return errors.Join(addIPv6(l, taskIPv6), neighbour(l, gatewayIPv6, near), netlink.RouteAdd(&netlink.Route{
		LinkIndex: l.Attrs().Index, Dst: &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		Gw: net.ParseIP(gatewayIPv6), Flags: unix.RTNH_F_ONLINK}))
}

func addIPv6(l netlink.Link, address string) error {
	a, err := netlink.ParseAddr(address + "/128")
	if err != nil {
		return err
	}
	a.Flags = unix.IFA_F_NODAD
	return netlink.AddrReplace(l, a)
}

func neighbour(l netlink.Link, address string, mac net.HardwareAddr) error {
	return netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, Family: netlink.FAMILY_V6, State: netlink.NUD_PERMANENT,
		IP: net.ParseIP(address), HardwareAddr: mac})
}
