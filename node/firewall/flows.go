package firewall

import "net/netip"

// TableFlows is the table that counts flows in a VPC's namespace. It is one of its
// own, so that changes of rules do not lose counts.
const TableFlows = "neargate-flows"

// The sets of TableFlows: packets that interfaces sent, those of them that their
// network ACL and security groups let out; packets that came to interfaces, and
// those that they got.
const (
	FlowsSent = "sent"
	FlowsLeft = "left"
	FlowsMet  = "met"
	FlowsGot  = "got"
)

// FlowKey tells a flow of an interface from others. It has ports with TCP and UDP.
type FlowKey struct {
	Interface                             string
	Source, Destination                   netip.Addr
	Protocol, SourcePort, DestinationPort int
}

// FlowCount is how much a flow was.
type FlowCount struct{ Packets, Bytes uint64 }

// Between the chains of Render.
const (
	prioritySent = -30
	priorityMid  = -5
	priorityGot  = 10
)

// RenderFlows counts the flows, of IPv4 or of IPv6, of all interfaces at either side of the chains of
// Render that judge them. It decides nothing.
func RenderFlows(ipv6 bool) Ruleset {
	r := Ruleset{IPv6: ipv6, Table: TableFlows}
	for _, x := range []struct {
		name     string
		op       Op
		priority int
	}{{FlowsSent, CountInput, prioritySent}, {FlowsLeft, CountInput, priorityMid}, {FlowsMet, CountOutput, priorityMid}, {FlowsGot, CountOutput, priorityGot}} {
		ports := x.name + "-ports"
		r.Sets = append(r.Sets, newSet(x.name, Flows, nil))
		r.Chains = append(r.Chains,
			Chain{x.name, &Hook{"filter", "forward", x.priority, Accept}, []Rule{
				{[]Match{{Field: Protocol, Min: protocolTCP, Max: protocolTCP}}, Statement{Verdict: to(ports)}},
				{[]Match{{Field: Protocol, Min: protocolUDP, Max: protocolUDP}}, Statement{Verdict: to(ports)}},
				{Do: Statement{Op: x.op, Set: x.name}}}},
			Chain{Name: ports, Rules: []Rule{{Do: Statement{Op: x.op, Set: x.name, Ports: true}}}})
	}
	return r
}
