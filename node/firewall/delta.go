package firewall

import (
	"net/netip"
	"slices"
	"strings"
)

// Delta returns the changes of r, the ruleset of a policy, that make it the one of
// another with other interfaces and other members of groups. Of the two policies,
// before and after have the interfaces that only one has; all else of them is
// whole. Its cost hardly depends on the other interfaces. ok is false when rules
// change too, so that r is to be rendered anew.
func (r Ruleset) Delta(before, after Policy) (changes []Change, ok bool) {
	old, now := sets(withoutMembers(before)), sets(withoutMembers(after))
	for _, s := range r.Sets {
		c := Change{Set: Set{Name: s.Name, Kind: s.Kind}}
		if strings.HasPrefix(s.Name, "sg-") {
			c.Remove, c.Add = members(before.group(s.Name).Members, after.group(s.Name).Members)
		} else {
			o, n := find(old, s.Name), find(now, s.Name)
			c.Remove, c.Add = subtract(o, n), subtract(n, o)
		}
		if c.Remove != nil || c.Add != nil {
			changes = append(changes, c)
		}
	}
	for _, i := range after.Interfaces {
		for _, name := range chainsOf(&i) {
			if !slices.ContainsFunc(r.Chains, func(c Chain) bool { return c.Name == name }) {
				return nil, false
			}
		}
	}
	return changes, r.using(before, after)
}

// using reports whether the chains of interfaces that before has are still those of
// others.
func (r Ruleset) using(before, after Policy) bool {
	left := map[string]bool{}
	for _, i := range before.Interfaces {
		for _, name := range chainsOf(&i) {
			left[name] = true
		}
	}
	for _, i := range after.carriers() {
		for _, name := range chainsOf(&i) {
			delete(left, name)
		}
	}
	for _, set := range []string{mapEgress, mapACLOut} {
		for _, e := range find(r.Sets, set) {
			if !slices.ContainsFunc(before.Interfaces, func(i Interface) bool { return i.Name == e.Interface }) {
				delete(left, e.Verdict.Chain)
			}
		}
	}
	return len(left) == 0
}

// chainsOf are the outward chains of an interface; the inward ones go with them.
func chainsOf(i *Interface) (names []string) {
	if len(i.Groups) > 0 && !i.Open {
		names = append(names, unionName(i.Groups)+suffixOut)
	}
	if i.ACL != "" {
		names = append(names, aclName(i)+suffixOut)
	}
	return names
}

func withoutMembers(p Policy) Policy {
	p.Groups = slices.Clone(p.Groups)
	for i := range p.Groups {
		p.Groups[i].Members = nil
	}
	return p
}

func find(list []Set, name string) []Element {
	for _, s := range list {
		if s.Name == name {
			return s.Elements
		}
	}
	return nil
}

// members are the differences of two lists of addresses.
func members(old, now []netip.Addr) (remove, add []Element) {
	if slices.Equal(old, now) {
		return nil, nil
	}
	elements := func(list, without []netip.Addr) (all []Element) {
		for _, a := range list {
			if _, there := slices.BinarySearchFunc(without, a, netip.Addr.Compare); !there {
				all = append(all, Element{Address: a})
			}
		}
		return newSet("", Addresses, all).Elements
	}
	return elements(old, sorted(now)), elements(now, sorted(old))
}

func sorted(list []netip.Addr) []netip.Addr {
	if slices.IsSortedFunc(list, netip.Addr.Compare) {
		return list
	}
	list = slices.Clone(list)
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// With is r after changes of its sets.
func (r Ruleset) With(changes []Change) Ruleset {
	r.Sets = slices.Clone(r.Sets)
	for _, c := range changes {
		i := slices.IndexFunc(r.Sets, func(s Set) bool { return s.Name == c.Set.Name })
		old := r.Sets[i].Elements
		list := make([]Element, 0, len(old)+len(c.Add))
		gone, come := c.Remove, c.Add
		for _, e := range old {
			for len(come) > 0 && compareElements(come[0], e) < 0 {
				list, come = append(list, come[0]), come[1:]
			}
			if len(gone) > 0 && gone[0] == e {
				gone = gone[1:]
				continue
			}
			list = append(list, e)
		}
		r.Sets[i].Elements = append(list, come...)
	}
	return r
}
