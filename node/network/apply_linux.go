package network

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/network/kern"
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
		return netns.Do(s.m.path(x.space), func() error { return os.WriteFile(kern.SysctlPath(x.name), []byte(x.value), 0) })
	}
	k, err := s.kern(x.space)
	if err != nil {
		return err
	}
	switch x.verb {
	case deleteRule:
		return kern.Ignore(k.RuleDel(netlinkRule(x.rule)), unix.ENOENT)
	case addRule:
		return kern.Ignore(k.RuleAdd(netlinkRule(x.rule)), unix.EEXIST)
	case deleteRoute:
		return kern.Ignore(k.RouteDel(&netlink.Route{Dst: kern.IPNet(x.to.prefix), Table: x.to.table, Priority: x.to.metric,
			Scope: netlink.SCOPE_NOWHERE}), unix.ESRCH)
	case setRoute:
		r, err := netlinkRoute(k, x.to, x.hop)
		if err != nil {
			return err
		}
		return k.RouteReplace(r)
	case addAddress, giveAddress:
		return kern.SetAddress(k, x.address.device, x.address.address)
	case deleteAddress:
		return kern.DropAddress(k, x.address.device, x.address.address)
	case setNeighbour:
		return kern.SetNeighbour(k, x.address.device, x.address.address, x.value)
	case deleteNeighbour:
		return kern.DropNeighbour(k, x.address.device, x.address.address)
	case addLink:
		return s.addLink(k, x)
	case raiseLink:
		return kern.WithLink(k, x.name, k.LinkSetUp)
	case deleteLink:
		return kern.Remove(k, x.name)
	}
	return nil
}

func (s *session) createSpace(x step) error {
	path := s.m.path(x.name)
	if x.from != "" {
		return netns.Bind(x.from, path)
	}
	k, err := kern.Create(path)
	if err == nil {
		s.kerns[x.name] = k
	}
	return err
}

// addLink makes a pair of devices and sets up the far end. An earlier pair, whose
// ends outlive its namespaces for a moment, is removed.
func (s *session) addLink(k *netlink.Handle, x step) error {
	f, err := os.Open(s.m.path(x.link.peer.space))
	if err != nil {
		return err
	}
	defer f.Close()
	mac, err := kern.Hardware(x.link.mac)
	if err != nil {
		return err
	}
	far, err := kern.Hardware(x.link.peer.mac)
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
		if err := errors.Join(kern.Remove(k, x.name), kern.Remove(peer, x.link.peer.device)); err != nil {
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
		return os.WriteFile(kern.SysctlPath("ipv4/neigh/"+x.name+"/proxy_delay"), []byte("0"), 0)
	})
	if err != nil {
		return err
	}
	p := x.link.peer
	t := kern.Task{Device: p.device, Address: p.address, Gateway: p.gateway, IPv6: p.six, GatewayIPv6: linkLocalIPv6}
	if len(p.six) > 0 {
		near, err := k.LinkByName(x.name)
		if err != nil {
			return err
		}
		t.Beyond = near.Attrs().HardwareAddr
	}
	peer, err := s.kern(p.space)
	if err != nil {
		return err
	}
	return t.SetUp(peer, s.m.path(p.space))
}

// setGateway makes both ends do without ARP: their hardware addresses are equal.
func (s *session) setGateway(k *netlink.Handle, x step) error {
	if err := kern.WithLink(k, x.name, k.LinkSetARPOff); err != nil {
		return err
	}
	far, err := s.kern(x.link.peer.space)
	if err != nil {
		return err
	}
	return kern.WithLink(far, x.link.peer.device, func(l netlink.Link) error {
		return errors.Join(far.LinkSetARPOff(l), far.LinkSetUp(l))
	})
}

func netlinkRule(r rule) *netlink.Rule {
	x := netlink.NewRule()
	x.Family, x.Priority, x.Table, x.IifName = netlink.FAMILY_V4, r.preference, r.table, r.device
	if r.ipv6() {
		x.Family = netlink.FAMILY_V6
	}
	if r.from.IsValid() {
		x.Src = kern.IPNet(r.from)
	}
	if r.to.IsValid() {
		x.Dst = kern.IPNet(r.to)
	}
	return x
}

func netlinkRoute(k *netlink.Handle, d destination, h hop) (*netlink.Route, error) {
	r := &netlink.Route{Dst: kern.IPNet(d.prefix), Table: d.table, Priority: d.metric, Protocol: kern.ProtocolRoutes, Type: unix.RTN_BLACKHOLE}
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
	return r, kern.WithLink(k, h.device, func(l netlink.Link) error {
		r.LinkIndex = l.Attrs().Index
		return nil
	})
}
