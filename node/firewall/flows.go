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

// FlowCount is how much a flow was. Flags are those of FIN, SYN, RST and ACK that
// some of its packets had, in their places in TCP's header; ACK counts only where
// it answers SYN.
type FlowCount struct {
	Packets, Bytes uint64
	Flags          int
}

// FlowFlags are the flags of TCP's header that flows are counted by.
const FlowFlags = FlagFIN | FlagSYN | FlagRST | FlagACK

// Flags of TCP's header.
const (
	FlagFIN = 1 << iota
	FlagSYN
	FlagRST
	_
	FlagACK
)

// And is the count of both.
func (c FlowCount) And(d FlowCount) FlowCount {
	return FlowCount{c.Packets + d.Packets, c.Bytes + d.Bytes, c.Flags | d.Flags}
}

// Between the chains of Render.
const (
	prioritySent = -30
	priorityMid  = -5
	priorityGot  = 10
)

// RenderFlows counts the flows of the interfaces with the names at either side of
// the chains of Render that judge them, those of IPv6 or the others. It decides nothing.
func RenderFlows(interfaces []string, ipv6 bool) Ruleset {
	r := Ruleset{Table: TableFlows, IPv6: ipv6}
	for _, x := range []struct {
		name     string
		look, op Op
		priority int
	}{{FlowsSent, LookupInput, CountInput, prioritySent}, {FlowsLeft, LookupInput, CountInput, priorityMid},
		{FlowsMet, LookupOutput, CountOutput, priorityMid}, {FlowsGot, LookupOutput, CountOutput, priorityGot}} {
		of, count, ports, flags := x.name+"-of", x.name+"-count", x.name+"-ports", x.name+"-flags"
		var counted []Element
		for _, i := range interfaces {
			counted = append(counted, Element{Interface: i, Verdict: to(count)})
		}
		r.Sets = append(r.Sets, newSet(x.name, Flows, nil), newSet(of, Verdicts, counted))
		r.Chains = append(r.Chains,
			Chain{x.name, &Hook{"filter", "forward", x.priority, Accept}, []Rule{{Do: Statement{Op: x.look, Set: of}}}},
			Chain{Name: count, Rules: []Rule{
				{[]Match{{Field: Protocol, Min: protocolTCP, Max: protocolTCP}}, Statement{Verdict: to(flags)}},
				{[]Match{{Field: Protocol, Min: protocolUDP, Max: protocolUDP}}, Statement{Verdict: to(ports)}},
				{Do: Statement{Op: x.op, Set: x.name}}}},
			Chain{Name: ports, Rules: []Rule{{Do: Statement{Op: x.op, Set: x.name, Ports: true}}}},
			Chain{Name: flags, Rules: []Rule{{Do: Statement{Op: x.op, Set: x.name, Ports: true, Flags: true}}}})
	}
	return r
}
