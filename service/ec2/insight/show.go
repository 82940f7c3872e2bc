package insight

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/insight"
	"neargate/resource/network/path"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
)

func renderAnalysis(_ call.Scope, a *insight.Analysis) (wire.NetworkInsightsAnalysis, error) {
	return wire.NetworkInsightsAnalysis{
		NetworkInsightsAnalysisId: &a.ID, NetworkInsightsAnalysisArn: new(a.ARN()), NetworkInsightsPathId: &a.Path,
		FilterInArns: a.FilterIn, FilterOutArns: a.FilterOut, StartDate: &a.StartedAt, Status: new(statusSucceeded),
		NetworkPathFound: &a.Result.Found, ForwardPathComponents: renderHops(a.Result.Forward), ReturnPathComponents: renderHops(a.Result.Return),
		Explanations: renderExplanations(a.Result.Explanations), WarningMessage: call.Optional(warning(&a.Result)), Tags: tag.Listed(a.Tags),
	}, nil
}

// warning tells of paths that only some source ports have.
func warning(r *path.Result) string {
	if len(r.Ports) == 0 {
		return ""
	}
	var words []string
	for _, p := range r.Ports {
		words = append(words, p.String())
	}
	return "Answers come back to the source ports " + strings.Join(words, ", ") + " only."
}

// renderHops shows the hops that are components of the caller's network or services
// of AWS.
func renderHops(hops []path.Hop) []wire.PathComponent {
	var out []wire.PathComponent
	for _, h := range hops {
		if h.Kind == path.KindInternet {
			continue
		}
		c := wire.PathComponent{
			SequenceNumber: new(int32(len(out) + 1)), Component: renderComponent(&h.Component), Vpc: renderComponent(h.Vpc), Subnet: renderComponent(h.Subnet),
			InboundHeader: renderHeader(h.In), OutboundHeader: renderHeader(h.Out), AclRule: renderEntry(h.Entry), RouteTableRoute: renderRoute(h.Route),
			SecurityGroupRule: renderRule(h.Rule), Explanations: renderExplanations(h.Explanations), AdditionalDetails: []wire.AdditionalDetail{},
		}
		if h.AttachedTo != "" {
			c.AttachedTo = &wire.AnalysisComponent{Id: new(h.AttachedTo)}
		}
		out = append(out, c)
	}
	return out
}

func renderComponent(c *path.Component) *wire.AnalysisComponent {
	if c == nil || c.ID == "" {
		return nil
	}
	return &wire.AnalysisComponent{Id: new(c.ID), Arn: call.Optional(c.ARN), Name: call.Optional(c.Name)}
}

func renderExplanations(all []path.Explanation) []wire.Explanation {
	out := []wire.Explanation{}
	for _, e := range all {
		w := wire.Explanation{ExplanationCode: new(e.Code), Direction: call.Optional(e.Direction), AclRule: renderEntry(e.Entry), RouteTableRoute: renderRoute(e.Route)}
		for i := range e.About {
			place(&w, &e.About[i])
		}
		if h := e.Header; h != nil && len(h.DestinationPorts) == 1 && h.DestinationPorts[0].From == h.DestinationPorts[0].To {
			w.Port, w.Protocols = new(int32(h.DestinationPorts[0].From)), []string{protocolName(h.Protocol)}
		}
		if e.Route != nil {
			w.State = w.RouteTableRoute.State
		}
		out = append(out, w)
	}
	return out
}

// place shows a component in the member of w that is for its kind; the first is what
// the explanation is about.
func place(w *wire.Explanation, c *path.Component) {
	shown := renderComponent(c)
	if shown == nil {
		return
	}
	if w.Component == nil {
		w.Component = shown
	}
	if c.Kind == path.KindGroup {
		w.SecurityGroups = append(w.SecurityGroups, *shown)
		return
	}
	member := map[string]**wire.AnalysisComponent{
		path.KindInterface: &w.NetworkInterface, path.KindAcl: &w.Acl, path.KindRouteTable: &w.RouteTable, path.KindInternetGateway: &w.InternetGateway,
		path.KindNatGateway: &w.NatGateway, path.KindEndpoint: &w.VpcEndpoint, path.KindPeering: &w.VpcPeeringConnection, path.KindSubnet: &w.Subnet,
		path.KindVpc: &w.Vpc, path.KindPrefixList: &w.PrefixList,
	}[c.Kind]
	if member != nil && *member == nil {
		*member = shown
	}
}

func renderHeader(h *path.Header) *wire.AnalysisPacketHeader {
	if h == nil {
		return nil
	}
	host := func(a netip.Addr) []string { return []string{netip.PrefixFrom(a, a.BitLen()).String()} }
	return &wire.AnalysisPacketHeader{
		SourceAddresses: host(h.Source), DestinationAddresses: host(h.Destination), Protocol: new(fmt.Sprint(h.Protocol)),
		SourcePortRanges: renderPorts(h.SourcePorts), DestinationPortRanges: renderPorts(h.DestinationPorts),
	}
}

func renderPorts(ranges []path.Range) []wire.PortRange {
	var out []wire.PortRange
	for _, r := range ranges {
		out = append(out, wire.PortRange{From: new(int32(r.From)), To: new(int32(r.To))})
	}
	return out
}

func renderEntry(e *network.NetworkAclEntry) *wire.AnalysisAclRule {
	if e == nil {
		return nil
	}
	name := e.Protocol
	for n, s := range map[string]string{"6": "tcp", "17": "udp", "1": "icmp", network.AllProtocols: "all"} {
		if e.Protocol == n {
			name = s
		}
	}
	return &wire.AnalysisAclRule{
		Cidr: call.Optional(cmp.Or(e.CIDR, e.IPv6)), Egress: new(e.Egress), Protocol: &name, RuleAction: new(e.Action), RuleNumber: new(int32(e.Number)),
		PortRange: portRange(name, e.From, e.To),
	}
}

func renderRule(r *network.SecurityGroupRule) *wire.AnalysisSecurityGroupRule {
	if r == nil {
		return nil
	}
	name, direction := r.Protocol, path.Ingress
	if name == network.AllProtocols {
		name = "all"
	}
	if r.Egress {
		direction = path.Egress
	}
	return &wire.AnalysisSecurityGroupRule{
		Cidr: call.Optional(cmp.Or(r.IPv4, r.IPv6)), Direction: &direction, Protocol: &name, SecurityGroupId: call.Optional(r.Peer),
		PrefixListId: call.Optional(r.PrefixList), PortRange: portRange(name, r.From, r.To),
	}
}

func portRange(protocol string, from, to int) *wire.PortRange {
	if protocol != insight.TCP && protocol != insight.UDP || from < 0 {
		return nil
	}
	return &wire.PortRange{From: new(int32(from)), To: new(int32(to))}
}

func renderRoute(r *path.Route) *wire.AnalysisRouteTableRoute {
	if r == nil {
		return nil
	}
	state := "active"
	if !r.Active {
		state = "blackhole"
	}
	return &wire.AnalysisRouteTableRoute{
		DestinationCidr: call.Optional(cmp.Or(r.Destination, r.Destination6)), DestinationPrefixListId: call.Optional(r.PrefixList), GatewayId: call.Optional(r.Gateway),
		NatGatewayId: call.Optional(r.NatGateway), NetworkInterfaceId: call.Optional(r.Interface), VpcPeeringConnectionId: call.Optional(r.Peering),
		EgressOnlyInternetGatewayId: call.Optional(r.EgressOnly), Origin: new(strings.ToLower(r.Origin)), State: &state,
	}
}

func protocolName(n int) string {
	switch n {
	case path.TCP:
		return insight.TCP
	case path.UDP:
		return insight.UDP
	}
	return fmt.Sprint(n)
}
