package vpc

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"neargate/node/firewall"
	"neargate/node/network"
	record "neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
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

// desired is what is wanted of a VPC on a host that has the interfaces mine.
func desired(tx store.Tx, account, region, id string, mine map[string]plug) (network.VPC, View, error) {
	want, view := network.VPC{ID: id}, View{}
	var ok bool
	var err error
	if view.VPC, ok, err = tables.Vpcs.Find(tx, account, region, id); err != nil || !ok {
		return want, view, err
	}
	cidr, err := netip.ParsePrefix(view.VPC.CIDR)
	if err != nil {
		return want, view, fmt.Errorf("%s: %w", id, err)
	}
	want.CIDRs = []netip.Prefix{cidr}
	want.Endpoints = endpoints(&view.VPC, cidr)
	if want.Subnets, want.Gateway, err = subnets(tx, account, region, id); err != nil {
		return want, view, err
	}
	if want.ACLs, err = acls(tx, account, region, id, want.Subnets); err != nil {
		return want, view, err
	}
	if view.Interfaces, err = store.Collect(tables.NetworkInterfaces.By(tx, tables.InterfacesByVpc, account, region, id)); err != nil {
		return want, view, err
	}
	used := map[string]bool{}
	for _, e := range view.Interfaces {
		p, here := mine[e.ID]
		if !here {
			continue
		}
		i, err := interfaceOf(&e)
		if err != nil {
			return want, view, err
		}
		i.Namespace = p.from
		want.Interfaces = append(want.Interfaces, i)
		for _, g := range e.Groups {
			used[g] = true
		}
	}
	want.Groups, err = groups(tx, account, region, used, view.Interfaces)
	return want, view, err
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
	i := network.Interface{ID: e.ID, MAC: e.MAC, Subnet: e.Subnet, Groups: e.Groups}
	for _, s := range e.Addresses {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return i, fmt.Errorf("%s: %w", e.ID, err)
		}
		i.Addresses = append(i.Addresses, a)
	}
	if e.PublicIP == "" {
		return i, nil
	}
	var err error
	if i.Public, err = netip.ParseAddr(e.PublicIP); err != nil {
		return i, fmt.Errorf("%s: %w", e.ID, err)
	}
	return i, nil
}

// subnets are the VPC's, each with the routes of its route table.
func subnets(tx store.Tx, account, region, id string) (all []network.Subnet, gateway bool, err error) {
	igw := ""
	for g, err := range tables.InternetGateways.List(tx, account, region) {
		if err != nil {
			return nil, false, err
		}
		if g.Vpc == id {
			igw = g.ID
		}
	}
	var main *record.RouteTable
	explicit := map[string]*record.RouteTable{}
	for t, err := range tables.RouteTables.List(tx, account, region) {
		if err != nil {
			return nil, false, err
		}
		if t.Vpc != id {
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
	for s, err := range tables.Subnets.By(tx, tables.SubnetsByVpc, account, region, id) {
		if err != nil {
			return nil, false, err
		}
		cidr, err := netip.ParsePrefix(s.CIDR)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", s.ID, err)
		}
		table := explicit[s.ID]
		if table == nil {
			table = main
		}
		routes, err := routesOf(table, igw)
		if err != nil {
			return nil, false, err
		}
		all = append(all, network.Subnet{ID: s.ID, CIDR: cidr, Routes: routes})
	}
	return all, igw != "", nil
}

func routesOf(t *record.RouteTable, igw string) (all []network.Route, err error) {
	if t == nil {
		return nil, nil
	}
	for _, r := range t.Routes {
		if r.Gateway == record.LocalGateway {
			continue
		}
		to, err := netip.ParsePrefix(r.Destination)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.ID, err)
		}
		target := network.Blackhole
		if r.Gateway == igw {
			target = network.InternetGateway
		}
		all = append(all, network.Route{Destination: to, Target: target})
	}
	return all, nil
}

// acls are the VPC's network ACLs; it notes in subnets which one guards each.
func acls(tx store.Tx, account, region, id string, subnets []network.Subnet) (all []firewall.ACL, err error) {
	for a, err := range tables.NetworkAcls.List(tx, account, region) {
		if err != nil {
			return nil, err
		}
		if a.Vpc != id {
			continue
		}
		all = append(all, firewall.ACL{ID: a.ID, Entries: a.Entries})
		for _, x := range a.Associations {
			for i := range subnets {
				if subnets[i].ID == x.Subnet {
					subnets[i].ACL = a.ID
				}
			}
		}
	}
	return all, nil
}

// groups are the security groups in used, with their rules, and those their rules
// refer to, with their members.
func groups(tx store.Tx, account, region string, used map[string]bool, interfaces []record.NetworkInterface) ([]firewall.Group, error) {
	found := map[string]*firewall.Group{}
	var peers []string
	for _, id := range slices.Sorted(maps.Keys(used)) {
		g := &firewall.Group{ID: id}
		found[id] = g
		for r, err := range tables.SecurityGroupRules.By(tx, tables.RulesByGroup, account, region, id) {
			if err != nil {
				return nil, err
			}
			g.Permissions = append(g.Permissions, r.Permission)
			if r.Peer != "" {
				peers = append(peers, r.Peer)
			}
		}
	}
	referred := map[string]bool{}
	for _, id := range peers {
		referred[id] = true
		if found[id] == nil {
			found[id] = &firewall.Group{ID: id}
		}
	}
	for _, e := range interfaces {
		for _, id := range e.Groups {
			if !referred[id] {
				continue
			}
			for _, s := range e.Addresses {
				if a, err := netip.ParseAddr(s); err == nil {
					found[id].Members = append(found[id].Members, a)
				}
			}
		}
	}
	var all []firewall.Group
	for _, id := range slices.Sorted(maps.Keys(found)) {
		slices.SortFunc(found[id].Members, netip.Addr.Compare)
		all = append(all, *found[id])
	}
	return all, nil
}

// equal reports whether two VPCs are wanted to be the same. Where an interface was
// plugged into does not count after it was.
func equal(a, b network.VPC) bool {
	return reflect.DeepEqual(a, b)
}
