package path

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"neargate/resource/network"
)

// packet is a packet of a connection, or all packets that differ in their ports
// only.
type packet struct {
	from, to           netip.Addr
	protocol           int
	fromPorts, toPorts ports
	typ                int // of ICMP and ICMPv6; the code is 0
}

// Types of ICMP messages. Source: IANA, ICMP Parameters.
const (
	echo      = 8
	echoReply = 0
	echo6     = 128
	reply6    = 129
)

// answer is the packet that answers p.
func (p packet) answer() packet {
	p.from, p.to = p.to, p.from
	p.fromPorts, p.toPorts = p.toPorts, p.fromPorts
	p.typ = echoReply
	if p.protocol == ICMPv6 {
		p.typ = reply6
	}
	return p
}

func (p packet) hasPorts() bool { return p.protocol == TCP || p.protocol == UDP }

func (p packet) header() *Header {
	h := &Header{Source: p.from, Destination: p.to, Protocol: p.protocol}
	if p.hasPorts() {
		h.SourcePorts, h.DestinationPorts = p.fromPorts, p.toPorts
	}
	return h
}

// traffic is what a rule or an entry is about, its peer aside.
type traffic struct {
	protocol string
	from, to int
}

// Names of protocols in rules.
const (
	nameICMP = "icmp"
	nameICM6 = "icmpv6"
	nameTCP  = "tcp"
	nameUDP  = "udp"
)

// protocolNumber is the number a rule's protocol stands for; -1 is all.
func protocolNumber(s string) (int, bool) {
	switch s {
	case network.AllProtocols:
		return -1, true
	case nameICMP:
		return ICMP, true
	case nameICM6:
		return ICMPv6, true
	case nameTCP:
		return TCP, true
	case nameUDP:
		return UDP, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n < 256
}

// meets returns the destination ports of p that t is about.
func (t traffic) meets(p packet) ports {
	n, ok := protocolNumber(t.protocol)
	switch {
	case !ok:
		return nil
	case n == -1:
		return p.toPorts
	case n != p.protocol:
		return nil
	case p.hasPorts() && t.from >= 0:
		return p.toPorts.and(Range{t.from, t.to})
	case (n == ICMP || n == ICMPv6) && t.from >= 0 && (t.from != p.typ || t.to > 0):
		return nil
	}
	return p.toPorts
}

// verdict is what groups or a network ACL say of a packet.
type verdict struct {
	pass  ports // of its destination ports
	group string
	rule  *network.SecurityGroupRule
	entry *network.NetworkAclEntry
}

// judge is what the groups of e say of p, whose other end is peer in peerVpc.
func (x *index) judge(e *network.NetworkInterface, egress bool, p packet, peerVpc string) verdict {
	var v verdict
	peer := p.from
	if egress {
		peer = p.to
	}
	for _, id := range e.Groups {
		for _, r := range x.rules[id] {
			if r.Egress != egress || !x.peerMeets(e, r, peer, peerVpc) {
				continue
			}
			hit := traffic{r.Protocol, r.From, r.To}.meets(p)
			if len(hit) > 0 && v.rule == nil {
				v.rule, v.group = r, id
			}
			v.pass = v.pass.or(hit)
		}
	}
	return v
}

// peerMeets reports whether the other end of e's traffic is one that r is about.
// Members of groups are known by their addresses, in e's VPC or in the one that
// the traffic goes to or comes from, in the same region.
func (x *index) peerMeets(e *network.NetworkInterface, r *network.SecurityGroupRule, peer netip.Addr, peerVpc string) bool {
	switch {
	case r.Peer != "":
		m := x.private[site{peerVpc, peer}]
		return m != nil && m.Region == e.Region && slices.Contains(m.Groups, r.Peer)
	case r.PrefixList != "":
		return slices.ContainsFunc(x.prefixes(e.Region, r.PrefixList), func(c netip.Prefix) bool { return c.Contains(peer) })
	}
	c, err := netip.ParsePrefix(cmp.Or(r.IPv4, r.IPv6))
	return err == nil && c.Contains(peer)
}

// anyRule reports whether one of the interface's groups has a rule.
func (x *index) anyRule(e *network.NetworkInterface) bool {
	return slices.ContainsFunc(e.Groups, func(id string) bool { return len(x.rules[id]) > 0 })
}

// consult is what a network ACL says of p. The entry is that which decided first.
func consult(a *network.NetworkAcl, egress bool, p packet) verdict {
	entries := slices.Clone(a.Entries)
	network.SortAclEntries(entries)
	peer := p.from
	if egress {
		peer = p.to
	}
	var v verdict
	var denied *network.NetworkAclEntry
	left := p.toPorts
	for _, e := range entries {
		c, err := netip.ParsePrefix(cmp.Or(e.CIDR, e.IPv6))
		if e.Egress != egress || err != nil || !c.Contains(peer) {
			continue
		}
		rest := p
		rest.toPorts = left
		hit := traffic{e.Protocol, e.From, e.To}.meets(rest)
		for _, r := range hit {
			left = left.without(r)
		}
		switch {
		case len(hit) == 0:
		case e.Action != allow:
			if denied == nil {
				denied = new(e)
			}
		default:
			if v.entry == nil {
				v.entry = new(e)
			}
			v.pass = v.pass.or(hit)
		}
	}
	if v.entry == nil {
		v.entry = denied
	}
	return v
}

// allow is the action of an ACL entry that lets pass.
const allow = "allow"
