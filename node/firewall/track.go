package firewall

import (
	"net/netip"
	"slices"

	"neargate/resource/network"
)

// Flow is a known connection, or what stands for one in protocols without.
type Flow struct {
	Source, Destination netip.Addr   // private addresses where interfaces are meant
	Protocol, Port      int          // Port of the destination
	Out                 bool         // its source is translated on its way to the internet
	Names               []netip.Addr // all addresses in its packets, translated and not
}

// Cuts is which known connections end when p follows old; nil: none.
//
// A change of rules does not end a connection that is tracked. One that a rule for
// everyone let pass, with a rule that lets everything pass the other way, is not
// tracked, and ends with the rule. Connections through NAT gateways and VPC
// endpoints are always tracked. An address that goes from one interface to another
// takes no connection along. Source: Amazon EC2 User Guide, Security group
// connection tracking.
func (p *Policy) Cuts(old *Policy) func(Flow) bool {
	dead, changed := map[netip.Addr]bool{}, map[string]bool{}
	now := map[string]*Interface{}
	for i := range p.Interfaces {
		now[p.Interfaces[i].Name] = &p.Interfaces[i]
	}
	was, judged := map[netip.Addr]*Interface{}, map[[2]string]bool{}
	for i := range old.Interfaces {
		before := &old.Interfaces[i]
		after := now[before.Name]
		for _, a := range before.Addresses {
			was[a] = before
			if after == nil || !slices.Contains(after.Addresses, a) {
				dead[a] = true
			}
		}
		for _, m := range before.mappings() {
			if after == nil || !slices.Contains(after.mappings(), m) {
				dead[m.Public] = true
			}
		}
		if after == nil || before.Open || before.Tracked {
			continue
		}
		key := [2]string{unionName(before.Groups), unionName(after.Groups)}
		if _, known := judged[key]; !known {
			judged[key] = !slices.Equal(old.permissions(before), p.permissions(after))
		}
		changed[before.Name] = judged[key]
	}
	if len(dead) == 0 && !anyTrue(judged) {
		return nil
	}
	return func(f Flow) bool {
		if slices.ContainsFunc(f.Names, func(a netip.Addr) bool { return dead[a] }) {
			return true
		}
		k := Packet{Source: f.Source, Destination: f.Destination, Protocol: f.Protocol, Port: f.Port}
		from, to := was[f.Source], was[f.Destination]
		if to != nil && to.Tracked || to == nil && !f.Out && !old.IPv6 && !old.peers(f.Destination) {
			return false
		}
		return from != nil && changed[from.Name] && old.untracked(from, true, f.Destination, k) && !p.groupsAllow(now[from.Name], true, f.Destination, k) ||
			to != nil && changed[to.Name] && old.untracked(to, false, f.Source, k) && !p.groupsAllow(now[to.Name], false, f.Source, k)
	}
}

func anyTrue[K comparable](m map[K]bool) bool {
	for _, v := range m {
		if v {
			return true
		}
	}
	return false
}

// permissions are what i's groups permit.
func (p *Policy) permissions(i *Interface) (all []network.Permission) {
	for _, id := range unique(slices.Clone(i.Groups)) {
		all = append(all, p.group(id).Permissions...)
	}
	return all
}

// peers reports whether a is an address of a peer.
func (p *Policy) peers(a netip.Addr) bool {
	return slices.ContainsFunc(p.Peers, func(x Peer) bool {
		return slices.ContainsFunc(x.CIDRs, func(c netip.Prefix) bool { return c.Contains(a) })
	})
}

// untracked reports whether the connection that k opened passes i without being
// tracked.
func (p *Policy) untracked(i *Interface, egress bool, peer netip.Addr, k Packet) bool {
	if k.Protocol != protocolTCP && k.Protocol != protocolUDP {
		return false
	}
	there, back := false, false
	for _, perm := range p.permissions(i) {
		t, ok := p.trafficOf(perm)
		if !ok || t.group != "" || t.peer.Bits() != 0 {
			continue
		}
		there = there || perm.Egress == egress && p.meets(t, peer, k)
		back = back || perm.Egress != egress && (t.protocol < 0 || t.protocol == k.Protocol && !t.ports())
	}
	return there && back
}
