package firewall

import "net/netip"

// Host is what the host itself lets pass between the internet gateways of an
// installation's VPCs and everything else.
type Host struct {
	Tag      string       // of the installation
	Gateways string       // the devices that lead to gateways, as "prefix*"
	Pool     netip.Prefix // public addresses
	Range    netip.Prefix // IPv6 addresses
	Address  netip.Addr   // by which the host shows itself to tasks
	Uplinks  []string     // devices to the internet
	Services []netip.Addr // of Pool, at which services of AWS answer, beyond a gateway's device
	// Routed says that the network beyond the uplinks sends the pool's packets to
	// this host. Otherwise tasks reach the internet as the host, and only the host
	// reaches them.
	Routed bool
}

// unroutable are destinations that no internet gateway forwards to: private,
// shared, link-local, loopback, multicast and reserved addresses. Sources:
// Amazon VPC User Guide, Internet gateways; RFC 6890.
var unroutable = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
}

// RenderHost is the ruleset of h for the host's own namespace. It has no say on
// packets that neither come from a gateway nor go to one, and nothing from a
// gateway reaches the host itself except answers. Services are reached by the host
// and through gateways only.
func RenderHost(h Host) Ruleset {
	gateway := func(f Field) Match { return Match{Field: f, Name: h.Gateways} }
	forward := []Rule{{[]Match{gateway(Input)}, Statement{Verdict: jump("leave")}}}
	if len(h.Services) > 0 {
		forward = append(forward, Rule{[]Match{{Field: Destination, Set: setServices}}, decide(Drop)})
	}
	leave := []Rule{{[]Match{{Field: Source, Not: true, Prefix: h.Pool}}, decide(Drop)}, established()}
	for _, p := range unroutable {
		leave = append(leave, Rule{[]Match{{Field: Destination, Prefix: netip.MustParsePrefix(p)}}, decide(Drop)})
	}
	leave = append(leave, Rule{[]Match{gateway(Output)}, decide(Accept)})
	nat := []Rule{{[]Match{gateway(Output), {Field: LocalSource}}, Statement{Op: SNATTo, To: h.Address}}}
	for _, u := range h.Uplinks {
		leave = append(leave, Rule{[]Match{{Field: Output, Name: u}}, decide(Accept)})
		if !h.Routed {
			forward = append(forward,
				Rule{[]Match{{Field: Input, Name: u}, gateway(Output), {Field: Established}}, decide(Accept)},
				Rule{[]Match{{Field: Input, Name: u}, gateway(Output)}, decide(Drop)})
			nat = append(nat, Rule{[]Match{{Field: Output, Name: u}, {Field: Source, Prefix: h.Pool}}, Statement{Op: Masquerade}})
		}
	}
	input := []Rule{{[]Match{gateway(Input), {Field: Established}}, decide(Accept)}, {[]Match{gateway(Input)}, decide(Drop)}}
	return Ruleset{Table: "neargate-" + h.Tag, Sets: h.sets(), Chains: []Chain{
		{"input", &Hook{"filter", "input", 0, Accept}, input},
		{"forward", &Hook{"filter", "forward", 0, Accept}, forward},
		{"postrouting", &Hook{"nat", "postrouting", prioritySNAT, Accept}, nat},
		{Name: "leave", Rules: append(leave, Rule{Do: decide(Drop)})},
	}}
}

// RenderHostIPv6 is the ruleset of h for packets of IPv6: they pass between gateways,
// and nothing from a gateway reaches anything else but as an answer to the host.
func RenderHostIPv6(h Host) Ruleset {
	gateway := func(f Field) Match { return Match{Field: f, Name: h.Gateways} }
	return Ruleset{IPv6: true, Table: "neargate-" + h.Tag, Chains: []Chain{
		{"input", &Hook{"filter", "input", 0, Accept}, []Rule{
			{[]Match{gateway(Input), {Field: Established}}, decide(Accept)},
			{[]Match{gateway(Input)}, decide(Drop)}}},
		{"forward", &Hook{"filter", "forward", 0, Accept}, []Rule{
			{[]Match{gateway(Input), gateway(Output), {Field: Source, Prefix: h.Range}}, decide(Accept)},
			{[]Match{gateway(Input)}, decide(Drop)},
			{[]Match{gateway(Output)}, decide(Drop)}}},
	}}
}

// setServices is a set in the ruleset of RenderHost.
const setServices = "services"

func (h Host) sets() []Set {
	if len(h.Services) == 0 {
		return nil
	}
	var list []Element
	for _, a := range h.Services {
		list = append(list, Element{Address: a})
	}
	return []Set{newSet(setServices, Addresses, list)}
}

// RenderOpened keeps a host that forwarded nothing before from forwarding more
// than what goes to gateways (devices named "prefix*", of any installation),
// although forwarding was turned on for its uplinks. The ruleset is shared by
// the installations of a machine; its set of uplinks is the memory of what to
// turn off again.
func RenderOpened(gateways string, uplinks []string) Ruleset {
	var elements []Element
	for _, u := range uplinks {
		elements = append(elements, Element{Interface: u, Verdict: jump("confine")})
	}
	return Ruleset{Table: TableOpened, Sets: []Set{newSet(SetOpened, Verdicts, elements)}, Chains: []Chain{
		{"forward", &Hook{"filter", "forward", 0, Accept}, []Rule{{Do: Statement{Op: LookupInput, Set: SetOpened}}}},
		{Name: "confine", Rules: []Rule{{[]Match{{Field: Output, Not: true, Name: gateways}}, decide(Drop)}}},
	}}
}

// Names in the ruleset of RenderOpened.
const (
	TableOpened = "neargate"
	SetOpened   = "opened"
)
