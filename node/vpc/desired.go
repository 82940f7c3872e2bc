package vpc

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"neargate/node/firewall"
	"neargate/node/network"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// Addresses and ports of what every VPC offers. Sources: Amazon VPC User Guide,
// Amazon DNS server; Amazon ECS Developer Guide, task metadata endpoint.
const (
	DNSPort      = 53
	MetadataPort = 80
)

// LinkLocalResolver answers in every VPC with DNS support, beside Resolver.
func LinkLocalResolver() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 169, 253}) }

// Metadata is the address of the task metadata endpoint.
func Metadata() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 170, 2}) }

// Resolver is the address of a VPC's resolver: the third of its range.
func Resolver(cidr netip.Prefix) netip.Addr { return cidr.Masked().Addr().Next().Next() }

// reader reads what is wanted of one VPC on one host.
type reader struct {
	tx                  store.Tx
	account, region, id string
	pool                netip.Prefix        // public addresses of the installation
	mine                map[string]plug     // the host's interfaces
	space               func(string) string // the namespace of an interface or gateway endpoint
	keep                bool                // also without interfaces of tasks
	had                 []network.Use       // by which tasks' interfaces have come

	want       network.VPC
	view       View
	peers      []peerVPC
	logs       []edge.FlowLog
	interfaces map[string]*record.NetworkInterface
}

// scope is an account and region.
type scope struct{ account, region string }

// peerVPC is the other VPC of a peering connection.
type peerVPC struct {
	scope
	id string
}

// read fills want and view. A VPC without interfaces of tasks on this host has
// nothing else there, unless it is kept.
func (r *reader) read() error {
	r.want = network.VPC{ID: r.id}
	var ok bool
	var err error
	if r.view.VPC, ok, err = tables.Vpcs.Find(r.tx, r.account, r.region, r.id); err != nil || !ok {
		return err
	}
	if r.want.CIDRs, err = parse(r.view.VPC.CIDRs()); err != nil {
		return fmt.Errorf("%s: %w", r.id, err)
	}
	if r.want.IPv6, err = blocks(r.view.VPC.IPv6); err != nil {
		return fmt.Errorf("%s: %w", r.id, err)
	}
	r.want.Endpoints = endpoints(&r.view.VPC, r.want.CIDRs[0])
	r.view.Interfaces, err = store.Collect(tables.NetworkInterfaces.By(r.tx, tables.InterfacesByVpc, r.account, r.region, r.id))
	if err != nil {
		return err
	}
	r.interfaces = map[string]*record.NetworkInterface{}
	for i := range r.view.Interfaces {
		r.interfaces[r.view.Interfaces[i].ID] = &r.view.Interfaces[i]
	}
	steps := []func() error{r.readTasks, r.readSubnets, r.keepUses, r.readACLs, r.readNATs, r.readEndpoints, r.readPeers, r.readGroups, r.readLogs}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		if len(r.want.Interfaces) == 0 && !r.keep {
			break
		}
	}
	return nil
}

// readTasks finds the interfaces of the host's tasks.
func (r *reader) readTasks() error {
	for i := range r.view.Interfaces {
		if p, here := r.mine[r.view.Interfaces[i].ID]; here {
			if err := r.add(&r.view.Interfaces[i], network.Task, p.from); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) add(e *record.NetworkInterface, role network.Role, from string) error {
	i, err := interfaceOf(e)
	if err != nil {
		return err
	}
	i.Role, i.Namespace = role, from
	r.want.Interfaces = append(r.want.Interfaces, i)
	return nil
}

func parse(cidrs []string) (all []netip.Prefix, err error) {
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// blocks are the ranges of blocks.
func blocks(list []record.CIDRBlock) ([]netip.Prefix, error) {
	var cidrs []string
	for _, b := range list {
		cidrs = append(cidrs, b.CIDR)
	}
	return parse(cidrs)
}

func endpoints(v *record.Vpc, cidr netip.Prefix) []firewall.Endpoint {
	all := []firewall.Endpoint{{Address: Metadata(), Protocol: firewall.TCP, Port: MetadataPort}}
	if !v.DNSSupport {
		return all
	}
	for _, a := range []netip.Addr{Resolver(cidr), LinkLocalResolver()} {
		all = append(all,
			firewall.Endpoint{Address: a, Protocol: firewall.UDP, Port: DNSPort},
			firewall.Endpoint{Address: a, Protocol: firewall.TCP, Port: DNSPort})
	}
	return all
}

func interfaceOf(e *record.NetworkInterface) (network.Interface, error) {
	i := network.Interface{ID: e.ID, MAC: e.MAC, Subnet: e.Subnet, Groups: e.Groups, Forwards: !e.SourceDestCheck}
	for _, s := range e.Addresses {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return i, fmt.Errorf("%s: %w", e.ID, err)
		}
		i.Addresses = append(i.Addresses, a)
	}
	for _, s := range e.IPv6 {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return i, fmt.Errorf("%s: %w", e.ID, err)
		}
		i.IPv6 = append(i.IPv6, a)
	}
	for _, m := range e.Mappings() {
		private, err := netip.ParseAddr(m.PrivateIP)
		if err != nil {
			return i, fmt.Errorf("%s: %w", e.ID, err)
		}
		public, err := netip.ParseAddr(m.PublicIP)
		switch {
		case err != nil:
			return i, fmt.Errorf("%s: %w", e.ID, err)
		case m.PrivateIP == e.Primary():
			i.Public = public
		default:
			i.Mapped = append(i.Mapped, firewall.Mapping{Private: private, Public: public})
		}
	}
	return i, nil
}

// readSubnets finds the VPC's internet gateway and subnets, each with the routes of
// its route table.
func (r *reader) readSubnets() error {
	for g, err := range tables.InternetGateways.List(r.tx, r.account, r.region) {
		if err != nil {
			return err
		}
		r.want.Gateway = r.want.Gateway || g.Vpc == r.id
	}
	for g, err := range edges.EgressOnlyGateways.List(r.tx, r.account, r.region) {
		if err != nil {
			return err
		}
		r.want.EgressOnly = r.want.EgressOnly || g.Vpc == r.id && len(r.want.IPv6) > 0
	}
	var main *record.RouteTable
	explicit := map[string]*record.RouteTable{}
	for t, err := range tables.RouteTables.List(r.tx, r.account, r.region) {
		if err != nil {
			return err
		}
		if t.Vpc != r.id {
			continue
		}
		for _, a := range t.Associations {
			if a.Main {
				main = &t
			} else {
				explicit[a.Subnet] = &t
			}
		}
	}
	for s, err := range tables.Subnets.By(r.tx, tables.SubnetsByVpc, r.account, r.region, r.id) {
		if err != nil {
			return err
		}
		cidr, err := netip.ParsePrefix(s.CIDR)
		if err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		six, err := blocks(s.IPv6)
		if err != nil {
			return fmt.Errorf("%s: %w", s.ID, err)
		}
		routes, err := r.routes(cmp.Or(explicit[s.ID], main))
		if err != nil {
			return err
		}
		own := network.Subnet{ID: s.ID, CIDR: cidr, Routes: routes}
		if len(six) > 0 {
			own.IPv6 = six[0]
		}
		r.want.Subnets = append(r.want.Subnets, own)
	}
	return nil
}

// routes are those of a table; those for IPv6 only where the VPC has it. Where a prefix
// list has the destination of another route, that one is the later.
func (r *reader) routes(t *record.RouteTable) ([]network.Route, error) {
	var listed, single []network.Route
	if t == nil {
		return nil, nil
	}
	for _, x := range t.Routes {
		if x.Gateway == record.LocalGateway || x.Destination6 != "" && len(r.want.IPv6) == 0 {
			continue
		}
		to, err := r.target(t, &x)
		if err != nil {
			return nil, err
		}
		if x.PrefixList != "" {
			all, err := r.prefixes(x.PrefixList)
			if err != nil {
				return nil, err
			}
			for _, to.Destination = range all {
				listed = append(listed, to)
			}
			continue
		}
		if to.Destination, err = netip.ParsePrefix(cmp.Or(x.Destination, x.Destination6)); err != nil {
			return nil, fmt.Errorf("%s: %w", t.ID, err)
		}
		single = append(single, to)
	}
	return append(listed, single...), nil
}

// target is where a route leads, without its destination.
func (r *reader) target(t *record.RouteTable, x *record.Route) (network.Route, error) {
	active, err := edges.Active(r.tx, t, x)
	switch {
	case err != nil || !active:
		return network.Route{}, err
	case x.NatGateway != "":
		g, ok, err := edges.NatGateways.Find(r.tx, t.Account, t.Region, x.NatGateway)
		if err != nil || !ok || len(g.Addresses) == 0 {
			return network.Route{}, err
		}
		return network.Route{Target: network.Device, ID: g.Addresses[0].ENI}, nil
	case x.Interface != "", x.Peering != "":
		return network.Route{Target: network.Device, ID: cmp.Or(x.Interface, x.Peering)}, nil
	case x.EgressOnly != "":
		return network.Route{Target: network.EgressOnlyGateway}, nil
	}
	if _, ok, err := tables.InternetGateways.Find(r.tx, t.Account, t.Region, x.Gateway); ok || err != nil {
		return network.Route{Target: network.InternetGateway}, err
	}
	return network.Route{Target: network.Device, ID: x.Gateway}, nil
}

// prefixes are the ranges of a prefix list, those of IPv6 only where the VPC has it; of
// one that is gone, none.
func (r *reader) prefixes(id string) (all []netip.Prefix, err error) {
	list, ok := edge.AmazonPrefixList(r.region, r.pool, id)
	if !ok {
		if list, ok, err = edges.PrefixLists.Find(r.tx, r.account, r.region, id); err != nil || !ok {
			return nil, err
		}
	}
	for _, e := range list.Entries {
		p, err := netip.ParsePrefix(e.CIDR)
		if err == nil && (p.Addr().Is4() || len(r.want.IPv6) > 0) {
			all = append(all, p.Masked())
		}
	}
	return all, nil
}

// readACLs finds the VPC's network ACLs, and notes which one guards each subnet.
func (r *reader) readACLs() error {
	for a, err := range tables.NetworkAcls.List(r.tx, r.account, r.region) {
		if err != nil {
			return err
		}
		if a.Vpc != r.id {
			continue
		}
		r.want.ACLs = append(r.want.ACLs, firewall.ACL{ID: a.ID, Entries: a.Entries})
		for _, x := range a.Associations {
			for i := range r.want.Subnets {
				if r.want.Subnets[i].ID == x.Subnet {
					r.want.Subnets[i].ACL = a.ID
				}
			}
		}
	}
	return nil
}

// mostUses bounds for how many uses there are rules without interfaces.
const mostUses = 32

// keepUses keeps what the interfaces of tasks use, and have used lately: the next task
// is likely to do so.
func (r *reader) keepUses() error {
	keep := func(u network.Use) bool {
		known := slices.ContainsFunc(r.want.Kept, func(x network.Use) bool { return order(x, u) == 0 })
		if !known {
			r.want.Kept = append(r.want.Kept, u)
		}
		return !known
	}
	for _, i := range r.want.Interfaces {
		keep(network.Use{Subnet: i.Subnet, Groups: i.Groups})
	}
	spare := mostUses
	for _, u := range r.had {
		usable := spare > 0 && slices.ContainsFunc(r.want.Subnets, func(s network.Subnet) bool { return s.ID == u.Subnet })
		for _, id := range u.Groups {
			_, ok, err := tables.SecurityGroups.Find(r.tx, r.account, r.region, id)
			if err != nil {
				return err
			}
			usable = usable && ok
		}
		if usable && keep(u) {
			spare--
		}
	}
	slices.SortFunc(r.want.Kept, order)
	return nil
}

func order(a, b network.Use) int {
	return cmp.Or(cmp.Compare(a.Subnet, b.Subnet), slices.Compare(a.Groups, b.Groups))
}

// readGroups finds the security groups that interfaces here carry, or may, with their
// rules, and those their rules refer to, with their members.
func (r *reader) readGroups() error {
	used := map[string]bool{}
	for _, i := range r.want.Interfaces {
		for _, g := range i.Groups {
			used[g] = true
		}
	}
	for _, u := range r.want.Kept {
		for _, g := range u.Groups {
			used[g] = true
		}
	}
	found, referred := map[string]*firewall.Group{}, map[string]bool{}
	for id := range used {
		g := &firewall.Group{ID: id}
		found[id] = g
		for x, err := range tables.SecurityGroupRules.By(r.tx, tables.RulesByGroup, r.account, r.region, id) {
			if err != nil {
				return err
			}
			list, err := r.permissions(x.Permission)
			if err != nil {
				return err
			}
			g.Permissions = append(g.Permissions, list...)
			if x.Peer != "" {
				referred[x.Peer] = true
			}
		}
	}
	for id := range referred {
		if found[id] == nil {
			found[id] = &firewall.Group{ID: id}
		}
	}
	if err := r.readMembers(found, referred); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		slices.SortFunc(found[id].Members, netip.Addr.Compare)
		slices.SortFunc(found[id].MembersIPv6, netip.Addr.Compare)
		r.want.Groups = append(r.want.Groups, *found[id])
	}
	return nil
}

// permissions are what p permits, a prefix list taken apart.
func (r *reader) permissions(p record.Permission) (all []record.Permission, err error) {
	if p.PrefixList == "" {
		return []record.Permission{p}, nil
	}
	list, err := r.prefixes(p.PrefixList)
	p.PrefixList = ""
	for _, x := range list {
		if p.IPv4, p.IPv6 = x.String(), ""; x.Addr().Is6() {
			p.IPv4, p.IPv6 = "", x.String()
		}
		all = append(all, p)
	}
	return all, err
}

// readMembers finds the members of groups that rules refer to, in this VPC and in
// its peers.
func (r *reader) readMembers(groups map[string]*firewall.Group, referred map[string]bool) error {
	add := func(e *record.NetworkInterface) {
		for _, id := range e.Groups {
			if !referred[id] {
				continue
			}
			for _, s := range e.Addresses {
				if a, err := netip.ParseAddr(s); err == nil {
					groups[id].Members = append(groups[id].Members, a)
				}
			}
			if len(r.want.IPv6) == 0 {
				continue
			}
			for _, s := range e.IPv6 {
				if a, err := netip.ParseAddr(s); err == nil {
					groups[id].MembersIPv6 = append(groups[id].MembersIPv6, a)
				}
			}
		}
	}
	for i := range r.view.Interfaces {
		add(&r.view.Interfaces[i])
	}
	elsewhere := false
	for id := range referred {
		g, ok, err := tables.SecurityGroups.Find(r.tx, r.account, r.region, id)
		if err != nil {
			return err
		}
		elsewhere = elsewhere || !ok || g.Vpc != r.id || len(g.Associated) > 0
	}
	if !elsewhere {
		return nil
	}
	for _, p := range r.peers {
		if p.region != r.region { // Source: Amazon VPC Peering Guide, limitations.
			continue
		}
		for e, err := range tables.NetworkInterfaces.By(r.tx, tables.InterfacesByVpc, p.account, p.region, p.id) {
			if err != nil {
				return err
			}
			add(&e)
		}
	}
	return nil
}

// equal reports whether two VPCs are wanted to be the same. Where an interface was
// plugged into does not count after it was.
func equal(a, b network.VPC) bool {
	return reflect.DeepEqual(a, b)
}
