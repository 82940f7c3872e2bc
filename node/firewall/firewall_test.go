package firewall

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neargate/resource/network"
)

var update = flag.Bool("update", false, "write the golden files")

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// sample is a VPC with a public and a private subnet.
func sample() Policy {
	any4 := network.Permission{Egress: true, Protocol: "-1", From: -1, To: -1, IPv4: network.AnyIPv4}
	return Policy{
		CIDRs:   []netip.Prefix{prefix("10.0.0.0/16")},
		Gateway: "igw",
		Interfaces: []Interface{
			{Name: "eweb", Addresses: []netip.Addr{addr("10.0.1.10"), addr("10.0.1.11")}, Public: addr("198.18.4.1"),
				Groups: []string{"sg-web", "sg-ops"}, Subnet: prefix("10.0.1.0/24"), ACL: "acl-1"},
			{Name: "edb", Addresses: []netip.Addr{addr("10.0.2.10")}, Groups: []string{"sg-db"}, Subnet: prefix("10.0.2.0/24")},
		},
		Groups: []Group{
			{ID: "sg-web", Members: []netip.Addr{addr("10.0.1.10")}, Permissions: []network.Permission{
				any4, {Protocol: "tcp", From: 80, To: 443, IPv4: network.AnyIPv4},
				{Protocol: "icmp", From: 8, To: -1, IPv4: "10.0.0.0/16"}, {Protocol: "icmp", From: 3, To: 4, IPv4: network.AnyIPv4},
			}},
			{ID: "sg-ops", Permissions: []network.Permission{{Protocol: "tcp", From: 22, To: 22, IPv4: "203.0.113.7/32"}}},
			{ID: "sg-db", Members: []netip.Addr{addr("10.0.2.10")}, Permissions: []network.Permission{
				{Protocol: "tcp", From: 5432, To: 5432, Peer: "sg-web"}, {Protocol: "50", From: -1, To: -1, Peer: "sg-db"},
				{Protocol: "udp", From: 0, To: 65535, IPv6: "::/0"},
			}},
		},
		ACLs: []ACL{{ID: "acl-1", Entries: []network.NetworkAclEntry{
			{Number: 100, Protocol: "6", Action: "allow", CIDR: network.AnyIPv4, From: 0, To: 65535},
			{Number: 90, Protocol: "6", Action: "deny", CIDR: "192.0.2.0/24", From: 22, To: 22},
			{Egress: true, Number: 100, Protocol: "-1", Action: "allow", CIDR: network.AnyIPv4},
		}}},
		Endpoints: []Endpoint{{addr("10.0.0.2"), UDP, 53}, {addr("169.254.170.2"), TCP, 80}},
	}
}

// edges is sample with a NAT gateway, an appliance, a peer and a gateway endpoint.
func edges() Policy {
	p := sample()
	p.Interfaces = append(p.Interfaces,
		Interface{Name: "enat", Addresses: []netip.Addr{addr("10.0.1.20")}, Public: addr("198.18.4.2"), Subnet: prefix("10.0.1.0/24"),
			ACL: "acl-1", Forwards: true, Open: true},
		Interface{Name: "eproxy", Addresses: []netip.Addr{addr("10.0.2.30")}, Groups: []string{"sg-db"}, Subnet: prefix("10.0.2.0/24"), Forwards: true})
	p.Peers = []Peer{{"pone", []netip.Prefix{prefix("10.1.0.0/16"), prefix("10.2.0.0/16")}}}
	p.Services = []string{"es3"}
	return p
}

func TestGolden(t *testing.T) {
	host := Host{Tag: "tag1", Gateways: "ngtag1g*", Pool: prefix("198.18.0.0/15"), Address: addr("198.18.0.1"), Uplinks: []string{"eth0"}, Services: []netip.Addr{addr("198.18.0.2"), addr("198.18.0.16")}}
	host.Range = prefix("3fff:c61:2000::/35")
	dual := edges()
	dual.EgressOnly = "eigw"
	routed := host
	routed.Services = nil
	routed.Routed = true
	for name, r := range map[string]Ruleset{
		"vpc": Render(sample()), "edges": Render(edges()), "nat": RenderNAT([]netip.Addr{addr("10.0.1.20")}, []netip.Addr{addr("10.0.1.20")}),
		"nats":    RenderNAT([]netip.Addr{addr("10.0.1.20"), addr("10.0.1.21"), addr("10.0.1.22")}, []netip.Addr{addr("10.0.1.20"), addr("10.0.1.22")}),
		"service": RenderService(), "flows": RenderFlows([]string{"edb", "eweb"}, false),
		"flows6": RenderFlows([]string{"edb"}, true), "isolated": Render(Policy{CIDRs: sample().CIDRs}),
		"host": RenderHost(host), "routed": RenderHost(routed), "opened": RenderOpened("ng*", []string{"eth0"}),
		"vpc6": Render(six(dual)), "host6": RenderHostIPv6(host),
	} {
		file := filepath.Join("testdata", name+".nft")
		got := r.String()
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s differs (%v):\n%s", file, err, got)
		}
	}
}

func TestAllows(t *testing.T) {
	p := sample()
	for _, c := range []struct {
		packet Packet
		by     string
	}{
		{Packet{Input: "igw", Output: "eweb", Source: addr("8.8.8.8"), Destination: addr("10.0.1.10"), Protocol: 6, Port: 80}, ""},
		{Packet{Input: "igw", Output: "eweb", Source: addr("8.8.8.8"), Destination: addr("10.0.1.10"), Protocol: 6, Port: 22}, "ingress"},
		{Packet{Input: "igw", Output: "eweb", Source: addr("203.0.113.7"), Destination: addr("10.0.1.10"), Protocol: 6, Port: 22}, ""},
		{Packet{Input: "igw", Output: "eweb", Source: addr("192.0.2.1"), Destination: addr("10.0.1.10"), Protocol: 6, Port: 22}, "acl-1"},
		{Packet{Input: "igw", Output: "eweb", Source: addr("10.0.2.10"), Destination: addr("10.0.1.10"), Protocol: 6, Port: 80}, "spoofed"},
		{Packet{Input: "eweb", Output: "edb", Source: addr("10.0.1.10"), Destination: addr("10.0.2.10"), Protocol: 6, Port: 5432}, ""},
		{Packet{Input: "eweb", Output: "edb", Source: addr("10.0.1.11"), Destination: addr("10.0.2.10"), Protocol: 6, Port: 5432}, "ingress"},
		{Packet{Input: "eweb", Output: "edb", Source: addr("10.0.2.10"), Destination: addr("10.0.2.10"), Protocol: 6, Port: 5432}, "spoofed"},
		{Packet{Input: "edb", Output: "eweb", Source: addr("10.0.2.10"), Destination: addr("10.0.1.10"), Protocol: 6, Port: 80}, "egress"},
		{Packet{Input: "edb", Output: "eweb", Source: addr("10.0.2.10"), Destination: addr("10.0.1.10"), Protocol: 6, Established: true}, ""},
		{Packet{Input: "eweb", Output: "igw", Source: addr("10.0.1.10"), Destination: addr("8.8.8.8"), Protocol: 17, Port: 53}, ""},
		{Packet{Input: "eweb", Output: "igw", Source: addr("10.0.1.11"), Destination: addr("8.8.8.8"), Protocol: 17, Port: 53}, "no public address"},
		{Packet{Input: "igw", Output: "eweb", Source: addr("8.8.8.8"), Destination: addr("10.0.1.10"), Protocol: 1, Type: 3, Code: 4}, "acl-1"},
	} {
		if ok, by := p.Allows(c.packet); by != c.by || ok != (c.by == "") {
			t.Errorf("%+v: %v by %q, want %q", c.packet, ok, by, c.by)
		}
	}
}

func TestAllowsAcrossEdges(t *testing.T) {
	p := edges()
	pass := func(in, out, source, destination string) Packet {
		return Packet{Input: in, Output: out, Source: addr(source), Destination: addr(destination), Protocol: 6, Port: 5432}
	}
	answer := func(k Packet) Packet { k.Established = true; return k }
	for _, c := range []struct {
		packet Packet
		by     string
	}{
		{pass("eweb", "enat", "10.0.1.10", "8.8.8.8"), ""},
		{pass("edb", "enat", "10.0.2.10", "8.8.8.8"), "egress"}, // nothing lets it out
		{pass("enat", "igw", "10.0.1.20", "8.8.8.8"), ""},
		{pass("enat", "igw", "10.0.1.10", "8.8.8.8"), "no public address"}, // that is another's
		{answer(pass("enat", "eweb", "8.8.8.8", "10.0.1.10")), ""},
		{pass("enat", "edb", "10.0.1.20", "10.0.2.10"), "ingress"},
		{pass("igw", "enat", "8.8.8.8", "10.0.1.20"), ""}, // its own namespace refuses
		{pass("eweb", "pone", "10.0.1.10", "10.1.0.5"), ""},
		{pass("pone", "edb", "10.1.0.5", "10.0.2.10"), "ingress"},
		{pass("pone", "eweb", "10.3.0.5", "10.0.1.10"), "spoofed"},
		{pass("pone", "igw", "10.1.0.5", "8.8.8.8"), "no public address"},
		{pass("pone", "pone", "10.1.0.5", "10.2.0.5"), "transit"},
		{pass("pone", "es3", "10.1.0.5", "198.18.0.16"), "transit"},
		{pass("igw", "es3", "8.8.8.8", "198.18.0.16"), "transit"},
		{pass("eweb", "es3", "10.0.1.10", "198.18.0.16"), ""},
		{pass("es3", "eweb", "198.18.0.16", "10.0.1.10"), "egress"},
		{pass("es3", "eproxy", "198.18.0.16", "10.0.2.30"), "egress"},
		{pass("eproxy", "eweb", "10.9.9.9", "10.0.1.10"), "egress"},
	} {
		if ok, by := p.Allows(c.packet); by != c.by || ok != (c.by == "") {
			t.Errorf("%+v: %v by %q, want %q", c.packet, ok, by, c.by)
		}
	}
}

// TestRulesAreThePolicy compares the policy's own judgement with what the
// rendered rules do to the packet.
func TestRulesAreThePolicy(t *testing.T) {
	allowed := 0
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := randomPolicy(rnd)
		r := Render(p)
		for range 100 {
			k := randomPacket(rnd, p)
			want, by := p.Allows(k)
			if got := passes(t, r, k); got != want {
				t.Fatalf("seed %d: %+v: policy says %v (%s), rules say %v\n%s", seed, k, want, by, got, r)
			}
			if want {
				allowed++
			}
		}
	}
	if allowed < 2000 {
		t.Errorf("only %d packets of 40000 were allowed: the test sees too little", allowed)
	}
}

func TestRenderDoesNotDependOnOrder(t *testing.T) {
	a, b := sample(), sample()
	slices.Reverse(b.Interfaces)
	slices.Reverse(b.Interfaces[1].Groups)
	if Render(a).String() != Render(b).String() {
		t.Error("rulesets differ")
	}
}

func TestDiff(t *testing.T) {
	a := sample()
	old := Render(a)
	if changes, ok := Render(a).Diff(old); !ok || changes != nil {
		t.Errorf("equal rulesets: %v, %v", changes, ok)
	}
	a.Groups[0].Members = []netip.Addr{addr("10.0.9.9"), addr("10.0.1.11")}
	changes, ok := Render(a).Diff(old)
	if !ok || len(changes) != 1 || changes[0].Set.Name != "sg-web" || len(changes[0].Add) != 2 || changes[0].Remove[0].Address != addr("10.0.1.10") {
		t.Errorf("changed members: %+v, %v", changes, ok)
	}
	a.Groups[0].Permissions = a.Groups[0].Permissions[1:]
	if _, ok := Render(a).Diff(old); ok {
		t.Error("changed rules pass as a change of elements")
	}
}

// TestDeltaIsTheRuleset compares rulesets changed by differences of policies with
// rulesets rendered anew.
func TestDeltaIsTheRuleset(t *testing.T) {
	done, rules, kept := 0, 0, 0
	for seed := range uint64(4000) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		old := randomPolicy(rnd)
		if seed%2 == 0 { // the rules for all of them stay
			old.Kept = old.Interfaces
		}
		now := old
		now.Interfaces, now.Groups = nil, slices.Clone(old.Groups)
		before, after := old, old
		before.Interfaces, after.Interfaces = nil, nil
		for _, i := range old.Interfaces {
			if rnd.IntN(3) == 0 {
				before.Interfaces = append(before.Interfaces, i)
			} else {
				now.Interfaces = append(now.Interfaces, i)
			}
		}
		for n := range rnd.IntN(3) {
			i := old.Interfaces[rnd.IntN(len(old.Interfaces))]
			i.Name, i.Addresses = fmt.Sprint("new", n), []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 7, byte(n)})}
			after.Interfaces, now.Interfaces = append(after.Interfaces, i), append(now.Interfaces, i)
		}
		for g := range now.Groups {
			if rnd.IntN(2) == 0 {
				now.Groups[g].Members = append(slices.Clone(now.Groups[g].Members), randomAddr(rnd))[rnd.IntN(2):]
			}
		}
		after.Groups = now.Groups
		r, want := Render(old), Render(now)
		changes, ok := r.Delta(before, after)
		if !ok && old.Kept != nil {
			t.Fatalf("seed %d: rules differ though they are kept", seed)
		}
		if old.Kept != nil {
			kept++
		}
		if !ok {
			rules++
			continue
		}
		done++
		if got := r.With(changes); got.String() != want.String() {
			t.Fatalf("seed %d: changed\n%s\nwant\n%s", seed, got, want)
		}
	}
	if done < kept+200 || rules < 200 {
		t.Errorf("%d differences of sets, %d of rules: too few of one kind", done, rules)
	}
}

func TestSubtract(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func() []Element {
		var list []Element
		for range rnd.IntN(8) {
			list = append(list, Element{Address: netip.AddrFrom4([4]byte{byte(rnd.IntN(6))})})
		}
		return newSet("", Addresses, list).Elements
	}
	for range 2000 {
		a, b := random(), random()
		var want []Element
		for _, e := range a {
			if !slices.Contains(b, e) {
				want = append(want, e)
			}
		}
		if got := subtract(a, b); !slices.Equal(got, want) {
			t.Fatalf("%v without %v: %v", a, b, got)
		}
	}
}

func randomPolicy(r *rand.Rand) Policy {
	p := Policy{CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}}
	if r.IntN(4) > 0 {
		p.Gateway = "igw"
	}
	for i := range r.IntN(4) {
		g := Group{ID: fmt.Sprintf("sg-%d", i)}
		for range r.IntN(3) {
			g.Members = append(g.Members, randomAddr(r))
		}
		for range r.IntN(4) {
			proto, from, to := randomTraffic(r)
			perm := network.Permission{Egress: r.IntN(2) == 0, Protocol: proto, From: from, To: to}
			if r.IntN(3) == 0 {
				perm.Peer = fmt.Sprintf("sg-%d", r.IntN(4))
			} else {
				perm.IPv4 = randomPrefix(r)
			}
			g.Permissions = append(g.Permissions, perm)
		}
		p.Groups = append(p.Groups, g)
	}
	for i := range r.IntN(3) {
		a := ACL{ID: fmt.Sprintf("acl-%d", i)}
		for n := range r.IntN(6) {
			proto, from, to := randomTraffic(r)
			a.Entries = append(a.Entries, network.NetworkAclEntry{
				Egress: r.IntN(2) == 0, Number: 10 * ((n * 7) % 11), Protocol: proto, From: from, To: to,
				Action: []string{"allow", "allow", "deny"}[r.IntN(3)], CIDR: randomPrefix(r)})
		}
		p.ACLs = append(p.ACLs, a)
	}
	for i := range 1 + r.IntN(4) {
		e := Interface{Name: fmt.Sprintf("e%d", i), Subnet: prefix(fmt.Sprintf("10.0.%d.0/24", r.IntN(2)))}
		e.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, e.Subnet.Addr().As4()[2], byte(i + 1)})}
		if r.IntN(2) == 0 {
			e.Public = netip.AddrFrom4([4]byte{198, 18, 4, byte(i)})
		}
		for range r.IntN(3) {
			e.Groups = append(e.Groups, fmt.Sprintf("sg-%d", r.IntN(4)))
		}
		if len(p.ACLs) > 0 && r.IntN(2) == 0 {
			e.ACL = p.ACLs[r.IntN(len(p.ACLs))].ID
		}
		e.Forwards, e.Open = r.IntN(4) == 0, r.IntN(6) == 0
		p.Interfaces = append(p.Interfaces, e)
	}
	for i := range r.IntN(3) {
		p.Peers = append(p.Peers, Peer{fmt.Sprint("p", i), []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(1 + i)}), 16)}})
	}
	if r.IntN(2) == 0 {
		p.Services = []string{"es3"}
	}
	return p
}

func randomTraffic(r *rand.Rand) (proto string, from, to int) {
	switch r.IntN(5) {
	case 0:
		return "-1", -1, -1
	case 1:
		return []string{"icmp", "1"}[r.IntN(2)], r.IntN(3) - 1, r.IntN(3) - 1
	case 2:
		return "47", -1, -1
	}
	low := r.IntN(3)
	return []string{"tcp", "6", "udp", "17"}[r.IntN(4)], low, []int{low, low + 1, 65535}[r.IntN(3)]
}

func randomAddr(r *rand.Rand) netip.Addr {
	if r.IntN(4) == 0 {
		return netip.AddrFrom4([4]byte{8, 8, 8, byte(r.IntN(2))})
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(5))})
}

func randomPrefix(r *rand.Rand) string {
	p, _ := randomAddr(r).Prefix([]int{0, 0, 8, 24, 30, 32}[r.IntN(6)])
	return p.String()
}

func randomPacket(r *rand.Rand, p Policy) Packet {
	k := Packet{Source: randomAddr(r), Destination: randomAddr(r), Protocol: []int{1, 6, 6, 17, 47}[r.IntN(5)], Established: r.IntN(8) == 0}
	switch k.Protocol {
	case 1:
		k.Type, k.Code = r.IntN(2), r.IntN(2)
	case 6, 17:
		k.Port = r.IntN(4)
	}
	side := func() (string, netip.Addr) {
		if i := r.IntN(len(p.Interfaces) + 1); i < len(p.Interfaces) {
			return p.Interfaces[i].Name, p.Interfaces[i].Addresses[0]
		}
		if i := r.IntN(len(p.Peers) + 1); i < len(p.Peers) {
			return p.Peers[i].Name, netip.AddrFrom4([4]byte{10, byte(1 + r.IntN(2)), 0, 5})
		}
		if len(p.Services) > 0 && r.IntN(2) == 0 {
			return p.Services[0], netip.AddrFrom4([4]byte{198, 18, 0, 16})
		}
		return p.Gateway, netip.AddrFrom4([4]byte{8, 8, 8, byte(r.IntN(2))})
	}
	var from, to netip.Addr
	k.Input, from = side()
	k.Output, to = side()
	if r.IntN(6) > 0 {
		k.Source, k.Destination = from, to
	}
	return k
}

// passes runs a packet through the filter chains of the forward hook as nf_tables
// does: in the order of priorities, each until a final verdict.
func passes(t *testing.T, r Ruleset, k Packet) bool {
	t.Helper()
	var base []Chain
	for _, c := range r.Chains {
		if c.Hook != nil && c.Hook.Name == "forward" {
			base = append(base, c)
		}
	}
	slices.SortStableFunc(base, func(a, b Chain) int { return a.Hook.Priority - b.Hook.Priority })
	m := machine{r, k}
	for _, c := range base {
		v := m.run(c)
		if v == Undecided || v == Return {
			v = c.Hook.Policy
		}
		if v == Drop {
			return false
		}
	}
	return true
}

type machine struct {
	rules  Ruleset
	packet Packet
}

func (m machine) run(c Chain) Code {
	for _, r := range c.Rules {
		if slices.ContainsFunc(r.Matches, func(x Match) bool { return !m.match(x) }) {
			continue
		}
		v := r.Do.Verdict
		switch r.Do.Op {
		case LookupInput:
			v = m.lookup(r.Do.Set, m.packet.Input)
		case LookupOutput:
			v = m.lookup(r.Do.Set, m.packet.Output)
		case ClampMSS:
			v = Verdict{}
		}
		switch v.Code {
		case Goto:
			i := slices.IndexFunc(m.rules.Chains, func(c Chain) bool { return c.Name == v.Chain })
			if code := m.run(m.rules.Chains[i]); code == Accept || code == Drop {
				return code
			}
			return Undecided
		case Jump:
			i := slices.IndexFunc(m.rules.Chains, func(c Chain) bool { return c.Name == v.Chain })
			if code := m.run(m.rules.Chains[i]); code == Accept || code == Drop {
				return code
			}
		case Accept, Drop, Return:
			return v.Code
		}
	}
	return Undecided
}

func (m machine) set(name string) Set {
	return m.rules.Sets[slices.IndexFunc(m.rules.Sets, func(s Set) bool { return s.Name == name })]
}

func (m machine) lookup(set, device string) Verdict {
	for _, e := range m.set(set).Elements {
		if e.Interface == device {
			return e.Verdict
		}
	}
	return Verdict{}
}

func (m machine) match(x Match) bool {
	k := m.packet
	between := func(n int) bool { return x.Min <= n && n <= x.Max }
	named := func(device string) bool {
		if p, ok := strings.CutSuffix(x.Name, "*"); ok {
			return strings.HasPrefix(device, p)
		}
		return device == x.Name
	}
	peer := func(a netip.Addr) bool {
		if x.Set == "" {
			return x.Prefix.Contains(a)
		}
		return slices.ContainsFunc(m.set(x.Set).Elements, func(e Element) bool { return e.Address == a })
	}
	var ok bool
	switch x.Field {
	case Established:
		ok = k.Established
	case Input:
		ok = named(k.Input)
	case Output:
		ok = named(k.Output)
	case InputSource:
		ok = slices.Contains(m.set(x.Set).Elements, Element{Interface: k.Input, Address: k.Source})
	case Source:
		ok = peer(k.Source)
	case Destination:
		ok = peer(k.Destination)
	case Protocol:
		ok = between(k.Protocol)
	case DestinationPort:
		ok = between(k.Port)
	case ICMPType:
		ok = between(k.Type)
	case ICMPCode:
		ok = between(k.Code)
	case Reply:
		ok = k.Reply
	case Syn:
		ok = k.Protocol == protocolTCP && !k.Established
	}
	return ok != x.Not
}
