package network

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"neargate/node/firewall"
	"neargate/resource/network"
)

// leg is a packet's way through one VPC's namespace.
type leg struct {
	vpc         *VPC
	in, out     string
	source, dst netip.Addr
}

// journey is a connection over one or more legs.
type journey struct {
	space, to string
	legs      []leg
}

// TestPolicyIsWhatPacketsMeetAtEdges opens connections between tasks of peered
// VPCs, to endpoints, and to the internet over both kinds of gateways, under random
// policies, and compares with what the policies say of each leg there and back.
func TestPolicyIsWhatPacketsMeetAtEdges(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	one, two := edged("1", 1), edged("2", 2)
	one.Peers, two.Peers = []Peer{{"pcx-1", two.ID, two.CIDRs}}, []Peer{{"pcx-1", one.ID, one.CIDRs}}
	for s := range 2 {
		one.Subnets[s].Routes = append(one.Subnets[s].Routes, Route{two.CIDRs[0], Device, "pcx-1"})
		two.Subnets[s].Routes = append(two.Subnets[s].Routes, Route{one.CIDRs[0], Device, "pcx-1"})
	}
	w.reconcile(m, one, two)
	for _, port := range []int{80, 443} {
		for _, id := range []string{"eni-1a", "eni-1c", "eni-2a", "eni-2c", "eni-1vpce", "eni-2vpce", "vpce-1", "vpce-2"} {
			w.serve(m.Namespace(id), id, port)
		}
		w.serve(w.internet, "internet", port)
	}
	rnd := rand.New(rand.NewPCG(5, 11))
	passed, dropped := map[int]int{}, map[int]int{}
	for round := range 12 {
		randomEdges(rnd, &one)
		randomEdges(rnd, &two)
		w.update(m, one)
		w.update(m, two)
		var wg sync.WaitGroup
		var mu sync.Mutex
		for kind, j := range journeys(m, &one, &two) {
			for _, port := range []int{80, 443} {
				want, by := m.allows(j, port)
				wg.Go(func() {
					wait := impatience
					if want {
						wait = patience
					}
					c, err := dial(j.space, "tcp", fmt.Sprint(j.to, ":", port), wait)
					if err == nil {
						defer c.Close()
						_, err = ask(c, wait)
					}
					mu.Lock()
					defer mu.Unlock()
					if got := err == nil; got != want {
						t.Errorf("round %d: %+v port %d: policies say %v %s, packets %v (%v)", round, j, port, want, by, got, err)
					}
					if err == nil {
						passed[kind]++
					} else {
						dropped[kind]++
					}
				})
			}
		}
		wg.Wait()
	}
	t.Logf("passed %v, dropped %v", passed, dropped)
	if len(passed) < len(journeys(m, &one, &two))*3/4 || len(dropped) < len(journeys(m, &one, &two))*3/4 {
		t.Error("too many journeys ended all alike")
	}
	w.must(m.Remove())
	w.clean()
}

// allows asks the policies about each leg, there and back.
func (m *Manager) allows(j journey, port int) (bool, string) {
	for _, l := range j.legs {
		p := l.vpc.policy(m.vpcs)
		k := firewall.Packet{Input: l.in, Output: l.out, Source: l.source, Destination: l.dst, Protocol: firewall.TCP, Port: port}
		if ok, by := p.Allows(k); !ok {
			return false, fmt.Sprintf("there %s %s>%s: %s", l.vpc.ID, l.in, l.out, by)
		}
		k.Input, k.Output, k.Source, k.Destination, k.Port, k.Established = k.Output, k.Input, k.Destination, k.Source, 50000, true
		if ok, by := p.Allows(k); !ok {
			return false, fmt.Sprintf("back %s %s>%s: %s", l.vpc.ID, l.out, l.in, by)
		}
	}
	return true, ""
}

func journeys(m *Manager, one, two *VPC) (all []journey) {
	internet := addr("203.0.113.9")
	for _, v := range []*VPC{one, two} {
		other, n := two, v.ID[len("vpc-"):]
		if v == two {
			other = one
		}
		a, c, nat := &v.Interfaces[0], &v.Interfaces[1], &v.Interfaces[2]
		direct := func(from *Interface, vpc *VPC, to *Interface) {
			j := journey{space: m.Namespace(from.ID), to: to.Addresses[0].String()}
			out, in := Name(to.ID), Name(from.ID)
			if vpc != v {
				out = namePeer("pcx-1")
			}
			j.legs = append(j.legs, leg{v, in, out, from.Addresses[0], to.Addresses[0]})
			if vpc != v {
				j.legs = append(j.legs, leg{vpc, out, Name(to.ID), from.Addresses[0], to.Addresses[0]})
			}
			all = append(all, j)
		}
		for _, from := range []*Interface{a, c} {
			for _, vpc := range []*VPC{v, other} {
				for k := range vpc.Interfaces {
					if to := &vpc.Interfaces[k]; to != from && to.Role != NAT {
						direct(from, vpc, to)
					}
				}
			}
		}
		s3 := addr("198.18.0.16")
		all = append(all,
			journey{m.Namespace(a.ID), internet.String(), []leg{{v, Name(a.ID), deviceGateway, a.Addresses[0], internet}}},
			journey{m.Namespace(c.ID), internet.String(), []leg{{v, Name(c.ID), Name(nat.ID), c.Addresses[0], internet},
				{v, Name(nat.ID), deviceGateway, nat.Addresses[0], internet}}},
			journey{m.Namespace(c.ID), s3.String(), []leg{{v, Name(c.ID), Name("vpce-" + n), c.Addresses[0], s3}}})
	}
	return all
}

// randomEdges gives the VPC other groups and ACLs; members are interfaces of both.
func randomEdges(r *rand.Rand, v *VPC) {
	ranges := []string{network.AnyIPv4, network.AnyIPv4, "10.1.0.0/16", "10.2.2.0/24", "198.18.0.16/28", "203.0.113.0/24"}
	members := []netip.Addr{addr("10.1.1.10"), addr("10.1.2.10"), addr("10.2.1.10"), addr("10.2.2.10")}
	traffic := func() (string, int, int) {
		switch r.IntN(4) {
		case 0:
			return "-1", -1, -1
		case 1:
			return "udp", 80, 443
		case 2:
			return "tcp", 0, 65535
		}
		port := []int{80, 443}[r.IntN(2)]
		return "tcp", port, port
	}
	v.Groups, v.ACLs = nil, nil
	for g := range 3 {
		group := firewall.Group{ID: fmt.Sprint("sg-", g)}
		for i := range 6 {
			proto, from, to := traffic()
			p := network.Permission{Egress: i%2 == 0, Protocol: proto, From: from, To: to, IPv4: ranges[r.IntN(len(ranges))]}
			if r.IntN(4) == 0 {
				p.IPv4, p.Peer = "", fmt.Sprint("sg-", r.IntN(3))
			}
			group.Permissions = append(group.Permissions, p)
		}
		for _, a := range members {
			if r.IntN(2) == 0 {
				group.Members = append(group.Members, a)
			}
		}
		v.Groups = append(v.Groups, group)
	}
	v.Interfaces = append([]Interface(nil), v.Interfaces...)
	for i := range v.Interfaces {
		if v.Interfaces[i].Groups = nil; v.Interfaces[i].Role != NAT {
			v.Interfaces[i].Groups = []string{fmt.Sprint("sg-", r.IntN(3)), fmt.Sprint("sg-", r.IntN(3))}
		}
	}
	v.Subnets = append([]Subnet(nil), v.Subnets...)
	for s := range v.Subnets {
		v.Subnets[s].ACL = ""
		if r.IntN(2) == 0 {
			continue
		}
		a := firewall.ACL{ID: fmt.Sprint("acl-", s)}
		for _, egress := range []bool{true, false} {
			proto, from, to := traffic()
			a.Entries = append(a.Entries,
				network.NetworkAclEntry{Egress: egress, Number: 10, Protocol: proto, From: from, To: to, Action: "deny", CIDR: ranges[2+r.IntN(4)]},
				network.NetworkAclEntry{Egress: egress, Number: 20, Protocol: "-1", Action: "allow", CIDR: network.AnyIPv4})
		}
		v.ACLs, v.Subnets[s].ACL = append(v.ACLs, a), a.ID
	}
}
