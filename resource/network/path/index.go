package path

import (
	"net/netip"
	"slices"

	"neargate/arn"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// index is a Network with ways to find things in it.
type index struct {
	*Network
	vpcs       map[string]*network.Vpc
	cidrs      map[string][]netip.Prefix // of a VPC
	subnets    map[string]*network.Subnet
	tables     map[string]*network.RouteTable // of a subnet
	acls       map[string]*network.NetworkAcl // of a subnet
	groups     map[string]*network.SecurityGroup
	rules      map[string][]*network.SecurityGroupRule // of a group
	interfaces map[string]*network.NetworkInterface
	private    map[site]*network.NetworkInterface
	public     map[netip.Addr]*network.NetworkInterface
	gateways   map[string]*network.InternetGateway
	attached   map[string]*network.InternetGateway // by VPC
	only       map[string]*edge.EgressOnlyGateway
	nats       map[string]*edge.NatGateway
	natOf      map[string]*edge.NatGateway // by interface
	endpoints  map[string]*edge.Endpoint
	endpointOf map[string]*edge.Endpoint // by interface
	lists      map[string]*edge.PrefixList
	peerings   map[string]*edge.Peering
}

// site is an address in a VPC.
type site struct {
	vpc     string
	address netip.Addr
}

func newIndex(n *Network) *index {
	x := &index{
		Network: n, vpcs: map[string]*network.Vpc{}, cidrs: map[string][]netip.Prefix{}, subnets: map[string]*network.Subnet{},
		tables: map[string]*network.RouteTable{}, acls: map[string]*network.NetworkAcl{}, groups: map[string]*network.SecurityGroup{},
		rules: map[string][]*network.SecurityGroupRule{}, interfaces: map[string]*network.NetworkInterface{},
		private: map[site]*network.NetworkInterface{}, public: map[netip.Addr]*network.NetworkInterface{},
		gateways: map[string]*network.InternetGateway{}, attached: map[string]*network.InternetGateway{}, only: map[string]*edge.EgressOnlyGateway{},
		nats: map[string]*edge.NatGateway{}, natOf: map[string]*edge.NatGateway{}, endpoints: map[string]*edge.Endpoint{},
		endpointOf: map[string]*edge.Endpoint{}, lists: map[string]*edge.PrefixList{}, peerings: map[string]*edge.Peering{},
	}
	for i := range n.Vpcs {
		v := &n.Vpcs[i]
		x.vpcs[v.ID] = v
		for _, s := range v.CIDRs() {
			if p, ok := network.Canonical(s, 4); ok {
				x.cidrs[v.ID] = append(x.cidrs[v.ID], p)
			}
		}
		for _, b := range v.IPv6 {
			if p, ok := network.Canonical(b.CIDR, 6); ok {
				x.cidrs[v.ID] = append(x.cidrs[v.ID], p)
			}
		}
	}
	x.addRouting(n)
	x.addEdges(n)
	x.addInterfaces(n)
	return x
}

func (x *index) addRouting(n *Network) {
	main := map[string]*network.RouteTable{}
	for i := range n.RouteTables {
		t := &n.RouteTables[i]
		for _, a := range t.Associations {
			if a.Main {
				main[t.Vpc] = t
			} else {
				x.tables[a.Subnet] = t
			}
		}
	}
	for i := range n.Subnets {
		s := &n.Subnets[i]
		x.subnets[s.ID] = s
		if x.tables[s.ID] == nil {
			x.tables[s.ID] = main[s.Vpc]
		}
	}
	for i := range n.Acls {
		for _, a := range n.Acls[i].Associations {
			x.acls[a.Subnet] = &n.Acls[i]
		}
	}
	for i := range n.Groups {
		x.groups[n.Groups[i].ID] = &n.Groups[i]
	}
	for i := range n.Rules {
		r := &n.Rules[i]
		x.rules[r.Group] = append(x.rules[r.Group], r)
	}
}

func (x *index) addInterfaces(n *Network) {
	for i := range n.Interfaces {
		e := &n.Interfaces[i]
		x.interfaces[e.ID] = e
		for _, a := range slices.Concat(addresses(e), addresses6(e)) {
			x.private[site{e.Vpc, a}] = e
		}
		for _, a := range addresses6(e) { // which are known everywhere
			x.public[a] = e
		}
		for _, m := range e.Mappings() {
			if a, err := netip.ParseAddr(m.PublicIP); err == nil {
				x.public[a] = e
			}
		}
	}
}

func (x *index) addEdges(n *Network) {
	for i := range n.Gateways {
		g := &n.Gateways[i]
		x.gateways[g.ID] = g
		if g.Vpc != "" {
			x.attached[g.Vpc] = g
		}
	}
	for i := range n.EgressOnly {
		x.only[n.EgressOnly[i].ID] = &n.EgressOnly[i]
	}
	for i := range n.NatGateways {
		g := &n.NatGateways[i]
		x.nats[g.ID] = g
		if len(g.Addresses) > 0 && living(g.State) {
			x.natOf[g.Addresses[0].ENI] = g
		}
	}
	for i := range n.Endpoints {
		e := &n.Endpoints[i]
		x.endpoints[e.ID] = e
		for _, id := range e.ENIs {
			x.endpointOf[id] = e
		}
	}
	for i := range n.PrefixLists {
		x.lists[n.PrefixLists[i].ID] = &n.PrefixLists[i]
	}
	for i := range n.Peerings {
		x.peerings[n.Peerings[i].ID] = &n.Peerings[i]
	}
}

// addresses are the private addresses of an interface, the primary first.
func addresses(e *network.NetworkInterface) []netip.Addr {
	var all []netip.Addr
	for _, s := range e.Addresses {
		if a, err := netip.ParseAddr(s); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// addresses6 are the IPv6 addresses of an interface.
func addresses6(e *network.NetworkInterface) []netip.Addr {
	var all []netip.Addr
	for _, s := range e.IPv6 {
		if a, err := netip.ParseAddr(s); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// has reports whether the interface has the address.
func has(e *network.NetworkInterface, a netip.Addr) bool {
	return slices.Contains(addresses(e), a) || slices.Contains(addresses6(e), a)
}

func primary(e *network.NetworkInterface) netip.Addr {
	if all := addresses(e); len(all) > 0 {
		return all[0]
	}
	return netip.Addr{}
}

// publicOf is the public address that stands for the primary one.
func (x *index) publicOf(e *network.NetworkInterface) (netip.Addr, bool) {
	s := e.PublicIP
	if g := x.natOf[e.ID]; g != nil {
		if s = ""; !g.Private {
			s = g.Addresses[0].PublicIP
		}
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil
}

// publicFor is the public address that stands for a private one of the interface's.
func (x *index) publicFor(e *network.NetworkInterface, private netip.Addr) (netip.Addr, bool) {
	if g := x.natOf[e.ID]; g != nil && g.Private {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(e.MappingOf(private.String()).PublicIP)
	return a, err == nil
}

// privateFor is the private address that a public one of the interface's stands for.
func privateFor(e *network.NetworkInterface, public netip.Addr) netip.Addr {
	for _, m := range e.Mappings() {
		if a, err := netip.ParseAddr(m.PrivateIP); err == nil && m.PublicIP == public.String() {
			return a
		}
	}
	return primary(e)
}

// near reports whether the address is one of the interface's subnet.
func (x *index) near(e *network.NetworkInterface, a netip.Addr) bool {
	s := x.subnets[e.Subnet]
	if s == nil {
		return false
	}
	if p, ok := network.Canonical(s.CIDR, 4); ok && p.Contains(a) {
		return true
	}
	return slices.ContainsFunc(s.IPv6, func(b network.CIDRBlock) bool {
		p, ok := network.Canonical(b.CIDR, 6)
		return ok && p.Contains(a)
	})
}

// within reports whether the address is one of the VPC's.
func (x *index) within(vpc string, a netip.Addr) bool {
	return slices.ContainsFunc(x.cidrs[vpc], func(c netip.Prefix) bool { return c.Contains(a) })
}

// prefixes are the entries of a prefix list, as seen from a region.
func (x *index) prefixes(region, id string) []netip.Prefix {
	var entries []edge.PrefixEntry
	if l := x.lists[id]; l != nil {
		entries = l.Entries
	} else if x.Pool.IsValid() {
		l, _ := edge.AmazonPrefixList(region, x.Pool, id)
		entries = l.Entries
	}
	var all []netip.Prefix
	for _, e := range entries {
		if p, err := netip.ParsePrefix(e.CIDR); err == nil {
			all = append(all, p.Masked())
		}
	}
	return all
}

// other is the side of a peering connection that vpc is not.
func other(p *edge.Peering, vpc string) edge.PeeringSide {
	if p.Requester.Vpc == vpc {
		return p.Accepter
	}
	return p.Requester
}

// peered is the active peering connection between two VPCs.
func (x *index) peered(a, b string) *edge.Peering {
	for i := range x.Peerings {
		p := &x.Peerings[i]
		if r, c := p.Requester.Vpc, p.Accepter.Vpc; p.State == edge.PeeringActive && (r == a && c == b || r == b && c == a) {
			return p
		}
	}
	return nil
}

// nameTag is the key of the tag that names a resource.
const nameTag = "Name"

func component(kind, account, region, id string, tags []network.Tag) Component {
	c := Component{Kind: kind, ID: id, ARN: arn.New("ec2", region, account, kind+"/"+id)}
	for _, t := range tags {
		if t.Key == nameTag {
			c.Name = t.Value
		}
	}
	return c
}

// component is the one with the id, as far as it is known.
func (x *index) component(kind, id string) Component {
	switch kind {
	case KindInterface:
		if e := x.interfaces[id]; e != nil {
			return component(kind, e.Account, e.Region, id, e.Tags)
		}
	case KindGroup:
		if g := x.groups[id]; g != nil {
			return component(kind, g.Account, g.Region, id, g.Tags)
		}
	case KindSubnet:
		if s := x.subnets[id]; s != nil {
			return component(kind, s.Account, s.Region, id, s.Tags)
		}
	case KindVpc:
		if v := x.vpcs[id]; v != nil {
			return component(kind, v.Account, v.Region, id, v.Tags)
		}
	case KindInternetGateway:
		if g := x.gateways[id]; g != nil {
			return component(kind, g.Account, g.Region, id, g.Tags)
		}
	case KindEgressOnly:
		if g := x.only[id]; g != nil {
			return component(kind, g.Account, g.Region, id, g.Tags)
		}
	case KindNatGateway:
		if g := x.nats[id]; g != nil {
			return component(kind, g.Account, g.Region, id, g.Tags)
		}
	case KindEndpoint:
		if e := x.endpoints[id]; e != nil {
			return component(kind, e.Account, e.Region, id, e.Tags)
		}
	case KindPeering:
		if p := x.peerings[id]; p != nil {
			return component(kind, p.Requester.Account, p.Requester.Region, id, p.Tags)
		}
	}
	return Component{Kind: kind, ID: id}
}

func aclComponent(a *network.NetworkAcl) Component {
	return component(KindAcl, a.Account, a.Region, a.ID, a.Tags)
}

func tableComponent(t *network.RouteTable) Component {
	return component(KindRouteTable, t.Account, t.Region, t.ID, t.Tags)
}
