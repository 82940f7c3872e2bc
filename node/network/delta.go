package network

import (
	"net/netip"
	"reflect"
	"slices"
)

// delta is what there is to do about a VPC of which only tasks' interfaces come
// and go and groups change members.
type delta struct {
	before, after VPC // with the interfaces that only one has, and those that routes may lead to
	gone, come    []Interface
}

// deltaOf compares two states of a VPC; ok is false when more differs.
func deltaOf(old, v VPC) (d delta, ok bool) {
	d = delta{before: old, after: v}
	d.before.Interfaces, d.after.Interfaces = nil, nil
	before, after := d.before, d.after
	before.Groups, after.Groups = nil, nil
	same := func(a, b int) bool {
		x, y := old.Groups[a], v.Groups[b]
		return x.ID == y.ID && slices.Equal(x.Permissions, y.Permissions)
	}
	if len(old.Groups) != len(v.Groups) || !reflect.DeepEqual(before, after) {
		return d, false
	}
	for i := range v.Groups {
		if !same(i, i) {
			return d, false
		}
	}
	was := make(map[string]*Interface, len(old.Interfaces))
	for i := range old.Interfaces {
		was[old.Interfaces[i].ID] = &old.Interfaces[i]
	}
	for _, i := range v.Interfaces {
		o := was[i.ID]
		delete(was, i.ID)
		plain := i.Role == Task && !i.Forwards
		switch {
		case o == nil && !plain, o != nil && !equalInterfaces(o, &i):
			return d, false
		case o == nil:
			d.come = append(d.come, i)
		case !plain:
			d.before.Interfaces, d.after.Interfaces = append(d.before.Interfaces, i), append(d.after.Interfaces, i)
		}
	}
	for _, i := range old.Interfaces {
		if was[i.ID] == nil {
			continue
		}
		if i.Role != Task || i.Forwards {
			return d, false
		}
		d.gone = append(d.gone, i)
	}
	d.before.Interfaces, d.after.Interfaces = append(d.before.Interfaces, d.gone...), append(d.after.Interfaces, d.come...)
	return d, true
}

func equalInterfaces(a, b *Interface) bool {
	return a.MAC == b.MAC && a.Public == b.Public && slices.Equal(a.Mapped, b.Mapped) && slices.Equal(a.Draining, b.Draining) &&
		a.Subnet == b.Subnet && a.Role == b.Role && a.Forwards == b.Forwards &&
		a.Flows == b.Flows && a.Namespace == b.Namespace && slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.IPv6, b.IPv6) &&
		slices.Equal(a.Groups, b.Groups)
}

// flows reports whether interfaces come or go whose flows are counted.
func (d delta) flows() bool {
	return slices.ContainsFunc(slices.Concat(d.gone, d.come), func(i Interface) bool { return i.Flows })
}

// steps are those from before to after, as far as is, what was seen, is not after
// already. What neither wants is not looked at.
func (d delta) steps(h Host, all map[string]VPC, seen memory) []step {
	want, old, is := wantedVPC(d.after, all), wantedVPC(d.before, all), map[string]space{}
	want[""], old[""] = wantedHost(h, []VPC{d.after}, seen.spaces[""]), wantedHost(h, []VPC{d.before}, seen.spaces[""])
	for name, w := range want {
		o, s := old[name], seen.spaces[name]
		is[name] = space{exists: s.exists, ends: s.ends, foreign: s.foreign, others: s.others,
			links: part(s.links, w.links, o.links), addresses: part(s.addresses, w.addresses, o.addresses), neighbours: part(s.neighbours, w.neighbours, o.neighbours),
			routes: part(s.routes, w.routes, o.routes), rules: part(s.rules, w.rules, o.rules), sysctls: part(s.sysctls, w.sysctls, o.sysctls)}
	}
	return plan(want, is, seen.files, false)
}

// part are the entries of m whose key one of others has.
func part[K comparable, V any](m map[K]V, others ...map[K]V) map[K]V {
	out := map[K]V{}
	for _, o := range others {
		for k := range o {
			if v, ok := m[k]; ok {
				out[k] = v
			}
		}
	}
	return out
}

// names are the addresses by which interfaces are known in packets.
func names(list []Interface) (all []netip.Addr) {
	for _, i := range list {
		all = append(all, i.Addresses...)
		all = append(all, i.IPv6...)
		all = append(all, i.publics()...)
	}
	return all
}
