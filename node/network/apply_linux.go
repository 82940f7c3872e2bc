package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// session does steps, with one netlink socket for each namespace.
type session struct {
	m     *Manager
	kerns map[string]*netlink.Handle
}

func (m *Manager) session() *session { return &session{m, map[string]*netlink.Handle{}} }

func (s *session) close() {
	for _, k := range s.kerns {
		k.Close()
	}
}

// kern is a socket in a namespace. The namespace lives at least as long.
func (s *session) kern(space string) (*netlink.Handle, error) {
	if k := s.kerns[space]; k != nil {
		return k, nil
	}
	var k *netlink.Handle
	err := netns.Do(s.m.path(space), func() (err error) {
		k, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	if err == nil {
		s.kerns[space] = k
	}
	return k, err
}

// do does the steps in their order. A step that fails does not keep others from
// being done: what it was needed for fails as well, and other VPCs go on.
func (s *session) do(steps []step) error {
	var errs error
	for _, x := range steps {
		err := s.one(x)
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s: %w", x, err))
		}
		if err != nil || s.m.seen.spaces != nil && !s.m.seen.note(x) {
			s.m.seen = memory{}
		}
	}
	return errs
}

func (s *session) one(x step) error {
	switch x.verb {
	case createSpace:
		return s.createSpace(x)
	case deleteSpace:
		if k := s.kerns[x.name]; k != nil {
			k.Close()
			delete(s.kerns, x.name)
		}
		return netns.Remove(s.m.path(x.name))
	case setSysctl, setDevice:
		return netns.Do(s.m.path(x.space), func() error { return os.WriteFile(sysctlPath(x.name), []byte(x.value), 0) })
	}
	k, err := s.kern(x.space)
	if err != nil {
		return err
	}
	switch x.verb {
	case deleteRule:
		return ignore(k.RuleDel(netlinkRule(x.rule)), unix.ENOENT)
	case addRule:
		return ignore(k.RuleAdd(netlinkRule(x.rule)), unix.EEXIST)
	case deleteRoute:
		return ignore(k.RouteDel(&netlink.Route{Dst: ipNet(x.to.prefix), Table: x.to.table, Priority: x.to.metric,
			Scope: netlink.SCOPE_NOWHERE}), unix.ESRCH)
	case setRoute:
		r, err := netlinkRoute(k, x.to, x.hop)
		if err != nil {
			return err
		}
		return k.RouteReplace(r)
	case addAddress, giveAddress, deleteAddress:
		return address(k, x)
	case setNeighbour, deleteNeighbour:
		return neighbour(k, x)
	case addLink:
		return s.addLink(k, x)
	case raiseLink:
		return withLink(k, x.name, k.LinkSetUp)
	case deleteLink:
		return remove(k, x.name)
	}
	return nil
}

func (s *session) createSpace(x step) error {
	path := s.m.path(x.name)
	if x.from != "" {
		return netns.Bind(x.from, path)
	}
	if err := netns.Create(path); err != nil {
		return err
	}
	k, err := s.kern(x.name)
	if err != nil {
		return err
	}
	return withLink(k, "lo", k.LinkSetUp)
}

// addLink makes a pair of devices and sets up the far end. An earlier pair, whose
// ends outlive its namespaces for a moment, is removed.
func (s *session) addLink(k *netlink.Handle, x step) error {
	f, err := os.Open(s.m.path(x.link.peer.space))
	if err != nil {
		return err
	}
	defer f.Close()
	mac, err := hardware(x.link.mac)
	if err != nil {
		return err
	}
	far, err := hardware(x.link.peer.mac)
	if err != nil {
		return err
	}
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: x.name, MTU: x.link.mtu, HardwareAddr: mac, Flags: net.FlagUp, TxQLen: -1},
		PeerName:  x.link.peer.device, PeerNamespace: netlink.NsFd(int(f.Fd())), PeerHardwareAddr: far, PeerMTU: uint32(x.link.mtu),
	}
	err = k.LinkAdd(veth)
	if errors.Is(err, unix.EEXIST) {
		peer, perr := s.kern(x.link.peer.space)
		if perr != nil {
			return errors.Join(err, perr)
		}
		if err := errors.Join(remove(k, x.name), remove(peer, x.link.peer.device)); err != nil {
			return err
		}
		err = k.LinkAdd(veth)
	}
	if err != nil {
		return err
	}
	if !x.link.peer.address.IsValid() {
		return s.setGateway(k, x)
	}
	err = netns.Do(s.m.path(x.space), func() error {
		return os.WriteFile(sysctlPath("ipv4/neigh/"+x.name+"/proxy_delay"), []byte("0"), 0)
	})
	if err != nil {
		return err
	}
	near, err := k.LinkByName(x.name)
	if err != nil {
		return err
	}
	return s.setTask(x.link.peer, near.Attrs().HardwareAddr)
}

// setGateway makes both ends do without ARP: their hardware addresses are equal.
func (s *session) setGateway(k *netlink.Handle, x step) error {
	if err := withLink(k, x.name, k.LinkSetARPOff); err != nil {
		return err
	}
	far, err := s.kern(x.link.peer.space)
	if err != nil {
		return err
	}
	return withLink(far, x.link.peer.device, func(l netlink.Link) error {
		return errors.Join(far.LinkSetARPOff(l), far.LinkSetUp(l))
	})
}

// setTask sets up the interface in a task's namespace, which has IPv6 on its
// loopback interface only unless the interface has it. gateway is the hardware address
// of the other end.
func (s *session) setTask(p peer, gateway net.HardwareAddr) error {
	return inside(s.m.path(p.space), func(k *netlink.Handle) error {
		sysctls := []string{"disable_ipv6=1"}
		if len(p.six) > 0 { // no addresses but those given, and at once
			sysctls = []string{"addr_gen_mode=1", "accept_ra=0", "accept_dad=0", "disable_ipv6=0"}
		}
		for _, x := range sysctls {
			name, value, _ := strings.Cut(x, "=")
			err := os.WriteFile(sysctlPath("ipv6/conf/"+p.device+"/"+name), []byte(value), 0)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return withLink(k, p.device, func(l netlink.Link) error {
			if err := k.AddrAdd(l, &netlink.Addr{IPNet: ipNet(p.address)}); err != nil {
				return err
			}
			if err := k.LinkSetUp(l); err != nil {
				return err
			}
			if err := k.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: p.gateway.AsSlice()}); err != nil {
				return err
			}
			return setTaskIPv6(k, l, p.six, gateway)
		})
	})
}

// setTaskIPv6 gives an interface addresses of IPv6 and its way out, with no need to
// ask for neighbours.
func setTaskIPv6(k *netlink.Handle, l netlink.Link, addrs []netip.Addr, gateway net.HardwareAddr) error {
	for _, a := range addrs {
		if err := k.AddrAdd(l, &netlink.Addr{IPNet: ipNet(alone(a)), Flags: unix.IFA_F_NODAD}); err != nil {
			return err
		}
	}
	if len(addrs) == 0 {
		return nil
	}
	at := l.Attrs().Index
	return errors.Join(k.NeighSet(permanent(at, linkLocalIPv6, gateway)), k.RouteAdd(&netlink.Route{
		LinkIndex: at, Dst: ipNet(everywhereIPv6), Gw: linkLocalIPv6.AsSlice(), Flags: unix.RTNH_F_ONLINK}))
}

// permanent is a neighbour that nobody has to look for.
func permanent(link int, a netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: link, Family: netlink.FAMILY_V6, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac}
}

func neighbour(k *netlink.Handle, x step) error {
	return withLink(k, x.address.device, func(l netlink.Link) error {
		if x.verb == deleteNeighbour {
			return ignore(k.NeighDel(permanent(l.Attrs().Index, x.address.address, nil)), unix.ENOENT)
		}
		mac, err := hardware(x.value)
		if err != nil {
			return err
		}
		return k.NeighSet(permanent(l.Attrs().Index, x.address.address, mac))
	})
}

func address(k *netlink.Handle, x step) error {
	return withLink(k, x.address.device, func(l netlink.Link) error {
		a := &netlink.Addr{IPNet: ipNet(alone(x.address.address))}
		if x.address.address.Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if x.verb == deleteAddress {
			return ignore(k.AddrDel(l, a), unix.EADDRNOTAVAIL)
		}
		return k.AddrReplace(l, a)
	})
}

func netlinkRule(r rule) *netlink.Rule {
	x := netlink.NewRule()
	x.Family, x.Priority, x.Table, x.IifName = netlink.FAMILY_V4, r.preference, r.table, r.device
	if r.ipv6() {
		x.Family = netlink.FAMILY_V6
	}
	if r.from.IsValid() {
		x.Src = ipNet(r.from)
	}
	if r.to.IsValid() {
		x.Dst = ipNet(r.to)
	}
	return x
}

func netlinkRoute(k *netlink.Handle, d destination, h hop) (*netlink.Route, error) {
	r := &netlink.Route{Dst: ipNet(d.prefix), Table: d.table, Priority: d.metric, Protocol: protocolRoutes, Type: unix.RTN_BLACKHOLE}
	if h.device == "" {
		return r, nil
	}
	r.Type, r.Scope = unix.RTN_UNICAST, netlink.SCOPE_LINK
	if h.device == deviceLocal {
		r.Type, r.Scope = unix.RTN_LOCAL, netlink.SCOPE_HOST
	}
	if h.via.IsValid() {
		r.Gw, r.Flags, r.Scope = h.via.AsSlice(), unix.RTNH_F_ONLINK, netlink.SCOPE_UNIVERSE
	}
	return r, withLink(k, h.device, func(l netlink.Link) error {
		r.LinkIndex = l.Attrs().Index
		return nil
	})
}

func remove(k *netlink.Handle, device string) error {
	return ignore(withLink(k, device, k.LinkDel), unix.ENODEV)
}

func withLink(k *netlink.Handle, name string, fn func(netlink.Link) error) error {
	l, err := k.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return unix.ENODEV
	}
	if err != nil {
		return err
	}
	return fn(l)
}

func hardware(mac string) (net.HardwareAddr, error) {
	if mac == "" {
		return nil, nil
	}
	return net.ParseMAC(mac)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// ignore is err unless it is errno.
func ignore(err error, errno unix.Errno) error {
	if errors.Is(err, errno) {
		return nil
	}
	return err
}
