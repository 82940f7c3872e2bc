package network

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/internal/netns"
	"neargate/node/firewall"
)

// flows picks known connections of a namespace.
type flows func(firewall.Flow) bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (pick flows) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	there, back := f.Forward, f.Reverse
	names := []netip.Addr{addrOf(there.SrcIP), addrOf(there.DstIP), addrOf(back.SrcIP), addrOf(back.DstIP)}
	return pick(firewall.Flow{Source: names[0], Destination: names[2], Protocol: int(there.Protocol), Port: int(back.SrcPort),
		Out: names[0] != names[3], Names: names})
}

// cut ends known connections that the rules of a VPC's namespace no longer let
// pass, after they were changed.
func (m *Manager) cut(v VPC) error {
	policy := v.policy(m.vpcs)
	old, known := m.policies[v.ID]
	if pick := policy.Cuts(&old); known && pick != nil {
		err := netns.Do(m.Space(v.ID), func() error {
			k, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
			if err != nil {
				return err
			}
			defer k.Close()
			for range observations {
				_, err = k.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, flows(pick))
				if !errors.Is(err, netlink.ErrDumpInterrupted) {
					return err
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	m.policies[v.ID] = policy
	return nil
}
