package network

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func testHost() Host {
	return Host{Tag: "t", Pool: netip.MustParsePrefix("198.18.0.0/15"), Address: netip.MustParseAddr("198.18.0.1"),
		Services: []netip.Addr{netip.MustParseAddr("198.18.200.2")}}
}

// TestPlanLeadsToWhatIsWanted plans between two random states and does the steps
// in a model of the kernel: then nothing is left to do.
func TestPlanLeadsToWhatIsWanted(t *testing.T) {
	steps := 0
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		k := model{spaces: map[string]space{"": {exists: true}}, files: map[string]bool{"ejunk": true, "vjunk": false}}
		for range 4 {
			want := wanted(testHost(), randomVPCs(rnd), space{})
			k.harm(rnd)
			for _, x := range plan(want, k.observe(), k.files, true) {
				if err := k.do(x); err != nil {
					t.Fatalf("seed %d: %s: %v", seed, x, err)
				}
				steps++
			}
			if rest := plan(want, k.observe(), k.files, true); rest != nil {
				t.Fatalf("seed %d: still to do: %v", seed, rest)
			}
			for n, w := range want {
				for l := range w.links {
					if !k.spaces[n].links[l].up {
						t.Fatalf("seed %d: link %s is down", seed, l)
					}
				}
			}
			for f := range k.files {
				if f == "ejunk" || f == "vjunk" {
					t.Fatalf("seed %d: %s was not removed", seed, f)
				}
			}
		}
	}
	if steps < 10000 {
		t.Errorf("only %d steps: the states hardly differ", steps)
	}
}

func TestPlanOfUpdateSparesOthers(t *testing.T) {
	h := testHost()
	one, two := VPC{ID: "1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, Gateway: true},
		VPC{ID: "2", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, Gateway: true}
	k := model{spaces: map[string]space{"": {exists: true}}, files: map[string]bool{"eother": true}}
	for _, x := range plan(wanted(h, []VPC{one, two}, space{}), k.observe(), k.files, false) {
		if err := k.do(x); err != nil {
			t.Fatal(err)
		}
	}
	want := wanted(h, []VPC{one, two}, space{})
	delete(want, nameVPC("2"))
	is := k.observe()
	delete(is, nameVPC("2"))
	if steps := plan(want, is, k.files, false); steps != nil {
		t.Errorf("an update without a change does %v", steps)
	}
}

// TestDeltaIsThePlan lets tasks' interfaces come and go: the steps of the difference
// leave nothing to do.
func TestDeltaIsThePlan(t *testing.T) {
	done := 0
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		vpcs := randomVPCs(rnd)
		if len(vpcs) == 0 {
			continue
		}
		k := model{spaces: map[string]space{"": {exists: true}}, files: map[string]bool{"eother": true}}
		for _, x := range plan(wanted(testHost(), vpcs, space{}), k.observe(), k.files, false) {
			if err := k.do(x); err != nil {
				t.Fatal(err)
			}
		}
		old := vpcs[0]
		vpcs[0].Interfaces = slices.DeleteFunc(slices.Clone(old.Interfaces), func(i Interface) bool { return i.Role == Task && rnd.IntN(2) == 0 })
		for i := range rnd.IntN(3) {
			vpcs[0].Interfaces = append(vpcs[0].Interfaces, Interface{ID: fmt.Sprint("new", i), Subnet: "0", Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(12 + i)})}})
		}
		d, ok := deltaOf(old, vpcs[0])
		if !ok {
			continue // one that forwards
		}
		done++
		byID := map[string]VPC{}
		for _, v := range vpcs {
			byID[v.ID] = v
		}
		for _, x := range d.steps(testHost(), byID, memory{k.observe(), k.files}) {
			if err := k.do(x); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, x, err)
			}
		}
		if rest := plan(wanted(testHost(), vpcs, space{}), k.observe(), k.files, false); rest != nil {
			t.Fatalf("seed %d: still to do: %v", seed, rest)
		}
	}
	if done < 200 {
		t.Errorf("only %d differences", done)
	}
}

func TestRangesOfTheHostAreNotBlackholed(t *testing.T) {
	v := VPC{ID: "1", CIDRs: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16"), netip.MustParsePrefix("10.9.0.0/16")}}
	is := space{foreign: []netip.Prefix{netip.MustParsePrefix("172.31.16.0/20")}}
	routes := wanted(testHost(), []VPC{v}, is)[""].routes
	var got []string
	for d, h := range routes {
		got = append(got, fmt.Sprint(d.prefix, h.device))
	}
	slices.Sort(got)
	if want := []string{"10.9.0.0/16", "198.18.0.0/15", "198.18.200.2/32ng-sesoktse4mhf"}; !slices.Equal(got, want) {
		t.Errorf("blackholes %v, want %v", got, want)
	}
}

func TestNames(t *testing.T) {
	h := testHost()
	for _, n := range []string{Name("eni-0123456789abcdef0"), nameVPC("vpc-1"), h.gatewayName("vpc-1")} {
		if len(n) > 15 {
			t.Errorf("%s is too long for a device", n)
		}
	}
	if other := (Host{Tag: "u"}); other.gatewayPrefix() == h.gatewayPrefix() || other.metric() == h.metric() {
		t.Error("two installations look the same")
	}
}

func wanted(h Host, vpcs []VPC, host space) map[string]space {
	all := map[string]space{"": wantedHost(h, vpcs, host)}
	maps.Copy(all, wantedServices(h))
	byID := map[string]VPC{}
	for _, v := range vpcs {
		byID[v.ID] = v
	}
	for _, v := range vpcs {
		maps.Copy(all, wantedVPC(v, byID))
	}
	return all
}

func randomVPCs(r *rand.Rand) []VPC {
	var list []VPC
	count := r.IntN(4)
	for n := range count {
		v := VPC{ID: fmt.Sprint(n), Gateway: r.IntN(2) == 0, CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}
		for i := range r.IntN(5) {
			e := Interface{ID: fmt.Sprint(n, "/", i), Subnet: "0", Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)})}}
			e.Role, e.Forwards = Role(r.IntN(3)), r.IntN(4) == 0
			if r.IntN(2) == 0 {
				e.Public = netip.AddrFrom4([4]byte{198, 18, byte(n), byte(i)})
			}
			v.Interfaces = append(v.Interfaces, e)
		}
		if r.IntN(2) == 0 {
			v.Gateways = []GatewayEndpoint{{ID: fmt.Sprint("vpce-", n), Range: netip.MustParsePrefix("198.18.0.16/28")}}
		}
		for other := range count { // which may not want it
			if r.IntN(2) == 0 && other != n {
				v.Peers = append(v.Peers, Peer{ID: fmt.Sprint("pcx-", min(n, other), max(n, other)), VPC: fmt.Sprint(other)})
			}
		}
		ids := []string{"gone", fmt.Sprint("vpce-", n)}
		for i := range 4 {
			ids = append(ids, fmt.Sprint(n, "/", i), fmt.Sprint("pcx-", min(n, i), max(n, i)))
		}
		for s := range 1 + r.IntN(2) {
			sub := Subnet{ID: fmt.Sprint(s), CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(s)}), 24)}
			for _, d := range []string{"0.0.0.0/0", "10.0.1.0/24", "10.9.0.0/16"} {
				if r.IntN(2) == 0 {
					sub.Routes = append(sub.Routes, Route{netip.MustParsePrefix(d), Target(r.IntN(3)), ids[r.IntN(len(ids))]})
				}
			}
			v.Subnets = append(v.Subnets, sub)
		}
		list = append(list, v)
	}
	return list
}

// model is what the kernel makes of steps.
type model struct {
	spaces map[string]space
	files  map[string]bool
}

// observe is what a look at the kernel gives.
func (m model) observe() map[string]space {
	out := map[string]space{}
	for n, s := range m.spaces {
		s.links, s.routes, s.sysctls, s.ends = maps.Clone(s.links), maps.Clone(s.routes), maps.Clone(s.sysctls), maps.Clone(s.ends)
		out[n] = s
	}
	for _, s := range m.spaces {
		for name, l := range s.links {
			if other, ok := out[l.peer.space]; ok && strings.HasPrefix(name, prefixPeer) {
				other.links[l.peer.device] = link{up: other.ends[l.peer.device]}
			}
		}
	}
	return out
}

// harm takes something away, as a person with root would.
func (m model) harm(r *rand.Rand) {
	for _, n := range slices.Sorted(maps.Keys(m.spaces)) {
		s := m.spaces[n]
		for _, l := range slices.Sorted(maps.Keys(s.links)) {
			switch x := s.links[l]; r.IntN(8) {
			case 0:
				m.unlink(n, l)
			case 1:
				x.up = false
				s.links[l] = x
			case 2: // the other end is down
				if other, ok := m.spaces[x.peer.space]; ok {
					delete(other.ends, x.peer.device)
					dropRoutes(other.routes, x.peer.device)
				}
			}
		}
		maps.DeleteFunc(s.routes, func(destination, hop) bool { return r.IntN(8) == 0 })
		maps.DeleteFunc(s.rules, func(rule, bool) bool { return r.IntN(8) == 0 })
		if n != "" && r.IntN(10) == 0 {
			m.remove(n)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(m.files)) {
		if _, held := m.spaces[f]; !held && f[0] == 'e' && r.IntN(10) == 0 {
			delete(m.files, f) // the kernel has yet to take its link away
		}
	}
}

func (m model) unlink(space, name string) {
	s := m.spaces[space]
	l, near := s.links[name]
	if !near {
		for n, other := range m.spaces {
			if x, ok := other.links[name]; ok && x.peer.space == space {
				m.unlink(n, name)
			}
		}
		return
	}
	delete(s.links, name)
	delete(s.sysctls, forwardingName(name))
	dropRoutes(s.routes, name)
	if other, ok := m.spaces[l.peer.space]; ok {
		delete(other.ends, l.peer.device)
		dropRoutes(other.routes, l.peer.device)
	}
}

func (m model) remove(name string) {
	delete(m.files, name)
	for n, s := range m.spaces {
		for l, x := range s.links {
			if n == name || x.peer.space == name {
				m.unlink(n, l)
			}
		}
	}
	delete(m.spaces, name)
}

func (m model) do(x step) error {
	s, ok := m.spaces[x.space]
	if !ok && x.verb != createSpace && x.verb != deleteSpace {
		return fmt.Errorf("no namespace %s", x.space)
	}
	switch x.verb {
	case createSpace:
		if m.files[x.name] {
			return fmt.Errorf("exists")
		}
		m.files[x.name] = true
		m.spaces[x.name] = emptySpace(map[string]string{})
		return nil
	case deleteSpace:
		m.remove(x.name)
		return nil
	case deleteLink:
		m.unlink(x.space, x.name)
		return nil
	case addLink:
		p := x.link.peer
		other, there := m.spaces[p.space]
		if _, ok := s.links[x.name]; ok || !there || other.ends[p.device] {
			return fmt.Errorf("cannot add")
		}
		set(&s.links, x.name, link{up: true, peer: p})
		if !p.address.IsValid() {
			other.ends[p.device] = true
		}
	case raiseLink:
		set(&s.links, x.name, link{up: true, peer: s.links[x.name].peer})
	case setSysctl, setDevice:
		set(&s.sysctls, x.name, x.value)
	case setRoute:
		_, near := s.links[x.hop.device]
		if d := x.hop.device; !near && d != "" && d != deviceLocal && !s.ends[d] {
			return fmt.Errorf("no device %s", d)
		}
		set(&s.routes, x.to, x.hop)
	case deleteRoute:
		delete(s.routes, x.to)
	case addRule:
		set(&s.rules, x.rule, true)
	case deleteRule:
		delete(s.rules, x.rule)
	case giveAddress:
		if _, ok := s.links[x.address.device]; !ok {
			return fmt.Errorf("no device %s", x.address.device)
		}
		set(&s.addresses, x.address, true)
	case setNeighbour:
		if _, ok := s.links[x.address.device]; !ok {
			return fmt.Errorf("no device %s", x.address.device)
		}
		set(&s.neighbours, x.address, x.value)
	case deleteNeighbour:
		delete(s.neighbours, x.address)
	case addAddress:
		set(&s.addresses, x.address, true)
	case deleteAddress:
		delete(s.addresses, x.address)
	}
	m.spaces[x.space] = s
	return nil
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}
