package kern

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// Task is an interface in a task's namespace.
type Task struct {
	Device  string
	Address netip.Prefix
	Gateway netip.Addr
	IPv6    []netip.Addr // none: it speaks IPv4 only
	// GatewayIPv6 is the way out of IPv6, and Beyond the hardware address of the
	// interface's other end.
	GatewayIPv6 netip.Addr
	Beyond      net.HardwareAddr
}

// SetUp sets up the interface in the namespace that a file names, which has IPv6 on its
// loopback interface only unless the interface has it. k is a socket there.
func (t Task) SetUp(k *netlink.Handle, path string) error {
	if err := netns.Do(path, t.setSysctls); err != nil {
		return err
	}
	return WithLink(k, t.Device, func(l netlink.Link) error {
		if err := k.AddrAdd(l, &netlink.Addr{IPNet: IPNet(t.Address)}); err != nil {
			return err
		}
		if err := k.LinkSetUp(l); err != nil {
			return err
		}
		if err := k.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: t.Gateway.AsSlice()}); err != nil {
			return err
		}
		return t.setUpIPv6(k, l)
	})
}

// setSysctls sets what the interface needs set in the thread's namespace.
func (t Task) setSysctls() error {
	sysctls := []string{"disable_ipv6=1"}
	if len(t.IPv6) > 0 { // no addresses but those given, and at once
		sysctls = []string{"addr_gen_mode=1", "accept_ra=0", "accept_dad=0", "disable_ipv6=0"}
	}
	for _, x := range sysctls {
		name, value, _ := strings.Cut(x, "=")
		err := os.WriteFile(SysctlPath("ipv6/conf/"+t.Device+"/"+name), []byte(value), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// setUpIPv6 gives the interface addresses of IPv6 and its way out, with no need to ask
// for neighbours.
func (t Task) setUpIPv6(k *netlink.Handle, l netlink.Link) error {
	for _, a := range t.IPv6 {
		if err := k.AddrAdd(l, Address(a)); err != nil {
			return err
		}
	}
	if len(t.IPv6) == 0 {
		return nil
	}
	at := l.Attrs().Index
	return errors.Join(k.NeighSet(Permanent(at, t.GatewayIPv6, t.Beyond)), k.RouteAdd(&netlink.Route{
		LinkIndex: at, Dst: IPNet(netip.PrefixFrom(netip.IPv6Unspecified(), 0)), Gw: t.GatewayIPv6.AsSlice(), Flags: unix.RTNH_F_ONLINK}))
}
