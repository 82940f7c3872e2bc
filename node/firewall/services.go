package firewall

import "net/netip"

// Ports at which AWS's services answer. Source: Amazon VPC User Guide, Access an
// AWS service using an interface VPC endpoint.
const (
	PortHTTPS = 443
	PortHTTP  = 80
)

// RenderNAT is the ruleset of a NAT gateway's own namespace, which forwards what
// VPCs send under the gateway's address, and answers back. The gateway itself
// answers nobody. Source: Amazon VPC User Guide, NAT gateway basics: TCP, UDP and
// ICMP.
func RenderNAT(address netip.Addr) Ruleset {
	stranger := Match{Field: Source, Not: true, Prefix: netip.PrefixFrom(address, address.BitLen())}
	forward := []Rule{established()}
	for _, protocol := range []int{protocolTCP, protocolUDP, protocolICMP} {
		forward = append(forward, Rule{[]Match{stranger, {Field: Protocol, Min: protocol, Max: protocol}}, decide(Accept)})
	}
	return Ruleset{Table: TableVPC, Chains: []Chain{
		{"input", &Hook{"filter", "input", 0, Drop}, nil},
		{"forward", &Hook{"filter", "forward", 0, Drop}, forward},
		{"postrouting", &Hook{"nat", "postrouting", prioritySNAT, Accept}, []Rule{
			{[]Match{stranger}, Statement{Op: SNATTo, To: address}}}},
	}}
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
