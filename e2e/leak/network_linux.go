package leak

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
)

// network lists what the host's own network namespace has.
func (s Snapshot) network() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	var now Snapshot
	err = netns.Steady(func() error {
		now = Snapshot{}
		return errors.Join(now.links(h), now.routes(h), now.rules(h), now.tables())
	})
	maps.Copy(s, now)
	return err
}

func (s Snapshot) links(h *netlink.Handle) error {
	links, err := h.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		s.add(Link, fmt.Sprint(a.Index, a.Name), fmt.Sprintf("%s (%s)", a.Name, l.Type()))
		addresses, err := h.AddrList(l, netlink.FAMILY_ALL)
		var missing netlink.LinkNotFoundError
		if err != nil && !errors.As(err, &missing) && !errors.Is(err, unix.ENODEV) {
			return err
		}
		for _, x := range addresses {
			s.located(Address, x.String()+a.Name, x.IPNet, fmt.Sprintf("%s on %s", x.IPNet, a.Name))
		}
	}
	return nil
}

// located adds an object that has to do with addresses.
func (s Snapshot) located(kind, key string, n *net.IPNet, text string) {
	s.add(kind, key, text)
	if n == nil {
		return
	}
	if ip, ok := netip.AddrFromSlice(n.IP); ok {
		ones, _ := n.Mask.Size()
		o := s[kind+"\x00"+key]
		o.at = netip.PrefixFrom(ip.Unmap(), ones)
		s[kind+"\x00"+key] = o
	}
}

func (s Snapshot) routes(h *netlink.Handle) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := h.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return err
		}
		for _, r := range routes {
			text := fmt.Sprint("to ", r.Dst)
			if r.LinkIndex > 0 {
				name := fmt.Sprint("link ", r.LinkIndex)
				if l, err := h.LinkByIndex(r.LinkIndex); err == nil {
					name = l.Attrs().Name
				}
				text += " by " + name
			}
			if r.Type != unix.RTN_UNICAST {
				text += fmt.Sprint(", type ", r.Type)
			}
			text += fmt.Sprintf(", table %d, protocol %d", r.Table, r.Protocol)
			s.located(Route, text, r.Dst, text)
		}
	}
	return nil
}

func (s Snapshot) rules(h *netlink.Handle) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rules, err := h.RuleList(family)
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			return err
		}
		for _, r := range rules {
			text := fmt.Sprintf("%d from %v to %v table %d", r.Priority, r.Src, r.Dst, r.Table)
			s.located(Rule, text, r.Dst, text)
		}
	}
	return nil
}

func (s Snapshot) tables() error {
	if os.Getuid() != 0 {
		return nil
	}
	c, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := c.ListTables()
	if err != nil && !strings.Contains(err.Error(), "operation not supported") {
		return err
	}
	for _, t := range tables {
		s.add(Table, fmt.Sprint(t.Family, t.Name), t.Name)
	}
	return nil
}
