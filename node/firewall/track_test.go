package firewall

import (
	"net/netip"
	"slices"
	"testing"

	"neargate/resource/network"
)

func TestCuts(t *testing.T) {
	rule := func(egress bool, protocol string, from, to int, cidr string) network.Permission {
		return network.Permission{Egress: egress, Protocol: protocol, From: from, To: to, IPv4: cidr}
	}
	in, out := rule(false, "tcp", 80, 80, network.AnyIPv4), rule(true, "-1", -1, -1, network.AnyIPv4)
	policy := func(list ...network.Permission) Policy {
		return Policy{CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, Gateway: "igw",
			Interfaces: []Interface{
				{Name: "e1", Addresses: []netip.Addr{addr("10.0.0.5")}, Public: addr("198.18.1.5"), Groups: []string{"sg-1"}},
				{Name: "edoor", Addresses: []netip.Addr{addr("10.0.0.9")}, Groups: []string{"sg-1"}, Tracked: true}},
			Groups: []Group{{ID: "sg-1", Permissions: list}},
			Peers:  []Peer{{"pone", []netip.Prefix{prefix("10.1.0.0/16")}}}}
	}
	flow := func(source, destination string, protocol, port int) Flow {
		return Flow{Source: addr(source), Destination: addr(destination), Protocol: protocol, Port: port,
			Names: []netip.Addr{addr(source), addr(destination)}}
	}
	translated := func(f Flow) Flow { f.Out = true; return f }
	moved, renamed := policy(in, out), policy(in, out)
	moved.Interfaces[0].Public = addr("198.18.1.6")
	renamed.Interfaces[0].Name = "e2"
	for _, c := range []struct {
		name     string
		old, now Policy
		flow     Flow
		cut      bool
	}{
		{"nothing changed", policy(in, out), policy(in, out), flow("10.0.0.7", "10.0.0.5", 6, 80), false},
		{"the rule goes", policy(in, out), policy(out), flow("10.0.0.7", "10.0.0.5", 6, 80), true},
		{"the rule goes, by the gateway", policy(in, out), policy(out), flow("8.8.8.8", "10.0.0.5", 6, 80), true},
		{"another port", policy(in, out), policy(out), flow("10.0.0.7", "10.0.0.5", 6, 81), false},
		{"ICMP is tracked", policy(rule(false, "-1", -1, -1, network.AnyIPv4), out), policy(out), flow("10.0.0.7", "10.0.0.5", 1, 0), false},
		{"of some addresses", policy(rule(false, "tcp", 80, 80, "10.0.0.0/8"), out), policy(out), flow("10.0.0.7", "10.0.0.5", 6, 80), false},
		{"answers to some ports", policy(in, rule(true, "tcp", 1024, 65535, network.AnyIPv4)), policy(), flow("10.0.0.7", "10.0.0.5", 6, 80), false},
		{"still let in by another", policy(in, out), policy(rule(false, "tcp", 0, 65535, "10.0.0.7/32"), out), flow("10.0.0.7", "10.0.0.5", 6, 80), false},
		{"out by the gateway", policy(rule(false, "-1", -1, -1, network.AnyIPv4), out), policy(rule(false, "-1", -1, -1, network.AnyIPv4)),
			translated(flow("10.0.0.5", "8.8.8.8", 6, 443)), true},
		{"out by a NAT gateway", policy(rule(false, "-1", -1, -1, network.AnyIPv4), out), policy(rule(false, "-1", -1, -1, network.AnyIPv4)),
			flow("10.0.0.5", "8.8.8.8", 6, 443), false},
		{"to a peer", policy(rule(false, "-1", -1, -1, network.AnyIPv4), out), policy(rule(false, "-1", -1, -1, network.AnyIPv4)),
			flow("10.0.0.5", "10.1.0.8", 6, 443), true},
		{"to an endpoint", policy(in, out), policy(out), flow("10.0.0.7", "10.0.0.9", 6, 80), false},
		{"another public address", policy(in, out), moved, flow("198.18.1.5", "8.8.8.8", 6, 80), true},
		{"of the address that stays", policy(in, out), moved, flow("10.0.0.7", "10.0.0.5", 6, 80), false},
		{"another interface", policy(in, out), renamed, flow("10.0.0.7", "10.0.0.5", 6, 80), true},
		{"of others", policy(in, out), renamed, flow("10.0.0.7", "10.0.0.9", 6, 80), false},
	} {
		cuts := c.now.Cuts(&c.old)
		if got := cuts != nil && cuts(c.flow); got != c.cut {
			t.Errorf("%s: cut %v", c.name, got)
		}
	}
	same := policy(in, out)
	reordered := policy(in, out)
	slices.Reverse(reordered.Interfaces)
	if same.Cuts(&reordered) != nil {
		t.Error("looks at connections although nothing changed")
	}
}
