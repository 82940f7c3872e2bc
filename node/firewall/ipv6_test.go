package firewall

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"neargate/resource/network"
)

// to6 is the address of IPv6 that stands for one of IPv4 here.
func to6(a netip.Addr) netip.Addr {
	b := [16]byte{0x3f, 0xff, 0x0c}
	v4 := a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}

func range6(p netip.Prefix) netip.Prefix {
	if p.Bits() == 0 {
		return prefix("::/0")
	}
	return netip.PrefixFrom(to6(p.Addr()), p.Bits()+96)
}

func all[T any](list []T, f func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = f(list[i])
	}
	return list
}

// six is the policy with all its addresses and ranges replaced by those of IPv6.
func six(p Policy) Policy {
	cidr := func(s string) string {
		if s == "" {
			return ""
		}
		return range6(prefix(s)).String()
	}
	protocol := func(s string) string {
		switch s {
		case "icmp":
			return "icmpv6"
		case "1":
			return "58"
		}
		return s
	}
	p.IPv6, p.Endpoints = true, nil
	p.CIDRs = all(p.CIDRs, range6)
	p.Interfaces = all(p.Interfaces, func(i Interface) Interface {
		i.Addresses, i.Subnet, i.Public = all(i.Addresses, to6), range6(i.Subnet), netip.Addr{}
		return i
	})
	p.Groups = all(p.Groups, func(g Group) Group {
		g.Members = all(g.Members, to6)
		g.Permissions = all(g.Permissions, func(x network.Permission) network.Permission {
			x.IPv4, x.IPv6, x.Protocol = "", cidr(x.IPv4), protocol(x.Protocol)
			return x
		})
		return g
	})
	p.ACLs = all(p.ACLs, func(a ACL) ACL {
		a.Entries = all(a.Entries, func(e network.NetworkAclEntry) network.NetworkAclEntry {
			e.CIDR, e.IPv6, e.Protocol = "", cidr(e.CIDR), protocol(e.Protocol)
			return e
		})
		return a
	})
	p.Peers = all(p.Peers, func(x Peer) Peer {
		x.CIDRs = all(x.CIDRs, range6)
		return x
	})
	return p
}

func TestRulesAreThePolicyOfIPv6(t *testing.T) {
	allowed, answers := 0, 0
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		p := randomPolicy(rnd)
		if rnd.IntN(2) == 0 {
			p.EgressOnly = "eigw"
		}
		p6 := six(p)
		r := Render(p6)
		for range 100 {
			k := randomPacket(rnd, p)
			if p.EgressOnly != "" && rnd.IntN(3) == 0 {
				if k.Output == p.Gateway {
					k.Output = p.EgressOnly
				} else if k.Input == p.Gateway {
					k.Input = p.EgressOnly
				}
			}
			k.Source, k.Destination = to6(k.Source), to6(k.Destination)
			if k.Protocol == protocolICMP {
				k.Protocol = protocolICMPv6
			}
			k.Reply = k.Established && rnd.IntN(2) == 0
			want, by := p6.Allows(k)
			if got := passes(t, r, k); got != want {
				t.Fatalf("seed %d: %+v: policy says %v (%s), rules say %v\n%s", seed, k, want, by, got, r)
			}
			if want {
				allowed++
			}
			if by == "egress-only" {
				answers++
			}
		}
	}
	if allowed < 2000 || answers < 50 {
		t.Errorf("%d packets of 40000 were allowed, %d stopped as from outside: the test sees too little", allowed, answers)
	}
}

func TestDeltaOfIPv6(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 6))
	done := 0
	for range 200 {
		old := six(randomPolicy(rnd))
		before, after, now := old, old, old
		gone := rnd.IntN(len(old.Interfaces))
		before.Interfaces = old.Interfaces[gone : gone+1]
		now.Interfaces = slices.Delete(slices.Clone(old.Interfaces), gone, gone+1)
		after.Interfaces = nil
		changes, ok := Render(old).Delta(before, after)
		if !ok {
			continue
		}
		done++
		if got, want := Render(old).With(changes).String(), Render(now).String(); got != want {
			t.Fatalf("changed\n%s\nwant\n%s", got, want)
		}
	}
	if done < 20 {
		t.Errorf("%d differences of sets: too few", done)
	}
}
