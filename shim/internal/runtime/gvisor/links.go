package gvisor

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/runsc/boot"
	"gvisor.dev/gvisor/runsc/config"
)

// createLinks is the call by which a sandbox gets its links, once. runsc makes it
// while the sandbox starts.
const createLinks = "Network.CreateLinksAndRoutes"

// buffer of a link's socket, as runsc sets it.
const buffer = 4 << 20

// links are those of this process's network namespace, given to a sandbox: it
// speaks for their addresses, through raw sockets.
type links struct {
	addresses []linkAddress // still the host's as well
}

type linkAddress struct {
	link    netlink.Link
	address netlink.Addr
}

// attach gives the sandbox behind a control socket every link that is up, with
// addresses and routes. The host's network stack knows them until release.
func (l *links) attach(socket string, conf *config.Config) error {
	var args boot.CreateLinksAndRoutesArgs
	defer func() {
		for _, f := range args.Files {
			f.Close()
		}
	}()
	var err error
	for range 20 { // what is listed may change meanwhile
		if err = l.collectAll(conf, &args); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return err
	}
	conn, err := client.ConnectTo(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Call(createLinks, &args, nil)
}

// collectAll makes args, and the addresses to take and give back, those of all links
// that are up.
func (l *links) collectAll(conf *config.Config, args *boot.CreateLinksAndRoutesArgs) error {
	for _, f := range args.Files {
		f.Close()
	}
	l.addresses, *args = nil, boot.CreateLinksAndRoutesArgs{}
	all, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	for _, link := range all {
		if link.Attrs().Flags&net.FlagUp == 0 {
			continue
		}
		if err := l.collect(link, conf, args); err != nil {
			return fmt.Errorf("link %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

// collect adds a link to what the sandbox is told.
func (l *links) collect(link netlink.Link, conf *config.Config, args *boot.CreateLinksAndRoutesArgs) error {
	at := link.Attrs()
	addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	var own []boot.IPWithPrefix
	for _, a := range addresses {
		bits, _ := a.Mask.Size()
		own = append(own, boot.IPWithPrefix{Address: a.IP, PrefixLen: bits})
	}
	if at.Flags&net.FlagLoopback != 0 {
		lo := boot.LoopbackLink{Name: at.Name, Addresses: own, GVisorGRO: conf.GVisorGRO}
		for _, a := range addresses { // the kernel has these routes in its table local
			lo.Routes = append(lo.Routes, boot.Route{Destination: net.IPNet{IP: a.IP.Mask(a.Mask), Mask: a.Mask}})
		}
		args.LoopbackLinks = append(args.LoopbackLinks, lo)
		return nil
	}
	if len(own) == 0 {
		return nil
	}
	for _, a := range addresses {
		l.addresses = append(l.addresses, linkAddress{link, a})
	}
	b := boot.FDBasedLink{
		Name: at.Name, InterfaceIndex: at.Index, MTU: at.MTU, LinkAddress: at.HardwareAddr, Addresses: own,
		TXChecksumOffload: conf.TXChecksumOffload, RXChecksumOffload: conf.RXChecksumOffload, GVisorGRO: conf.GVisorGRO,
		NumChannels: 1, ProcessorsPerChannel: conf.NetworkProcessorsPerChannel,
		QDisc: conf.QDisc, TBFRate: conf.TBFRate, TBFBurst: uint32(conf.TBFBurst),
		IsPacket: []bool{true}, PreConfigured: true, // the sandbox may not ask by now
	}
	if b.GSOMaxSize = at.GSOMaxSize; b.GSOMaxSize == 0 || !conf.HostGSO {
		b.GSOMaxSize, b.GVisorGSOEnabled = stack.GVisorGSOMaxSize, true
	}
	if b.Routes, err = routesOf(link, args); err != nil {
		return err
	}
	if b.Neighbors, err = neighboursOf(link); err != nil {
		return err
	}
	f, err := rawSocket(at.Index, !b.GVisorGSOEnabled)
	if err != nil {
		return err
	}
	args.FDBasedLinks, args.Files = append(args.FDBasedLinks, b), append(args.Files, f)
	return nil
}

// routesOf are a link's routes; a default route goes to args.
func routesOf(link netlink.Link, args *boot.CreateLinksAndRoutesArgs) (all []boot.Route, err error) {
	routes, err := netlink.RouteList(link, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		to := boot.Route{Gateway: r.Gw, MTU: uint32(r.MTU)}
		bits := 0
		if r.Dst != nil {
			to.Destination = net.IPNet{IP: r.Dst.IP.Mask(r.Dst.Mask), Mask: r.Dst.Mask}
			bits, _ = r.Dst.Mask.Size()
		}
		if bits > 0 {
			all = append(all, to)
			continue
		}
		gateway, zero, mask := &args.Defaultv4Gateway, net.IPv4zero, net.CIDRMask(0, 32)
		if r.Family == netlink.FAMILY_V6 {
			gateway, zero, mask = &args.Defaultv6Gateway, net.IPv6zero, net.CIDRMask(0, 128)
		}
		if r.Gw == nil || !gateway.Route.Empty() {
			return nil, fmt.Errorf("default route %s", r)
		}
		to.Destination = net.IPNet{IP: zero, Mask: mask}
		*gateway = boot.DefaultRoute{Name: link.Attrs().Name, Route: to}
	}
	return all, nil
}

// neighboursOf are the neighbours of a link that nobody has to look for.
func neighboursOf(link netlink.Link) (all []boot.Neighbor, err error) {
	list, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_V6)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		if n.State&netlink.NUD_PERMANENT != 0 && !n.IP.IsMulticast() {
			all = append(all, boot.Neighbor{IP: n.IP, HardwareAddr: n.HardwareAddr})
		}
	}
	return all, nil
}

// rawSocket receives and sends all packets of a link; with offload, also those
// that the kernel has yet to cut.
func rawSocket(index int, offload bool) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "raw")
	if offload {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	}
	for _, o := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], buffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[1], buffer) // as much as there may be
		}
	}
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network byte order
	err = errors.Join(err, os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: index})))
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// release takes the addresses away from the host's network stack, which would
// answer, too.
func (l *links) release() error {
	for _, a := range l.addresses {
		if err := netlink.AddrDel(a.link, &a.address); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("address %s: %w", a.address, err)
		}
	}
	return nil
}
