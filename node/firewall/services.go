package firewall

import "net/netip"

// Ports at which AWS's services answer. Source: Amazon VPC User Guide, Access an
// AWS service using an interface VPC endpoint.
const (
	PortHTTPS = 443
	PortHTTP  = 80
)

// The sets in the ruleset of RenderNAT.
const (
	setOwn     = "own"
	mapSources = "sources"
)

// RenderNAT is the ruleset of a NAT gateway's own namespace, which forwards what
// VPCs send under the gateway's addresses, and answers back. Connections that begin are
// spread over sources, some of the addresses; with none, none begins. The gateway itself
// answers nobody, and nothing passes it untranslated. Source: Amazon VPC User Guide,
// NAT gateway basics: TCP, UDP and ICMP.
func RenderNAT(addresses, sources []netip.Addr) Ruleset {
	stranger := Match{Field: Source, Not: true, Set: setOwn}
	var own, spread []Element
	for _, a := range addresses {
		own = append(own, Element{Address: a})
	}
	for i, a := range sources {
		spread = append(spread, Element{Number: i, To: a})
	}
	forward := []Rule{established(), {[]Match{{Field: Invalid}}, decide(Drop)}}
	if len(sources) == 0 {
		forward = append(forward, Rule{Do: decide(Drop)})
	}
	for _, protocol := range []int{protocolTCP, protocolUDP, protocolICMP} {
		forward = append(forward, Rule{[]Match{stranger, {Field: Protocol, Min: protocol, Max: protocol}}, decide(Accept)})
	}
	var nat []Rule
	switch len(sources) {
	case 0:
	case 1:
		nat = []Rule{{[]Match{stranger}, Statement{Op: SNATTo, To: sources[0]}}}
	default:
		nat = []Rule{{[]Match{stranger}, Statement{Op: SNATSpread, Set: mapSources, Size: len(sources)}}}
	}
	r := Ruleset{Table: TableVPC, Sets: []Set{newSet(setOwn, Addresses, own)}, Chains: []Chain{
		{"input", &Hook{"filter", "input", 0, Drop}, nil},
		{"forward", &Hook{"filter", "forward", 0, Drop}, forward},
		{"postrouting", &Hook{"nat", "postrouting", prioritySNAT, Accept}, nat},
	}}
	if len(sources) > 1 {
		r.Sets = append(r.Sets, newSet(mapSources, Choices, spread))
	}
	return r
}

// RenderService is the ruleset of an endpoint's own namespace, where a service of
// AWS answers.
func RenderService() Ruleset {
	input := []Rule{established()}
	for _, port := range []int{PortHTTPS, PortHTTP} {
		input = append(input, Rule{tcpTo(port), decide(Accept)})
	}
	return Ruleset{Table: TableVPC, Chains: []Chain{{"input", &Hook{"filter", "input", 0, Drop}, input}}}
}

func tcpTo(port int) []Match {
	return []Match{{Field: Protocol, Min: protocolTCP, Max: protocolTCP}, {Field: DestinationPort, Min: port, Max: port}}
}
