package firewall

import "slices"

// Change is what to remove from a set and then add to it.
type Change struct {
	Set         Set // without elements
	Remove, Add []Element
}

// Diff returns the changes of sets that make old equal to r. Rulesets that
// differ in more than elements are replaced as a whole: then ok is false.
func (r Ruleset) Diff(old Ruleset) (changes []Change, ok bool) {
	same := slices.EqualFunc(r.Chains, old.Chains, func(a, b Chain) bool {
		return a.Name == b.Name && slices.EqualFunc(a.Rules, b.Rules, equalRules) &&
			(a.Hook == nil) == (b.Hook == nil) && (a.Hook == nil || *a.Hook == *b.Hook)
	})
	if !same || r.Table != old.Table || r.IPv6 != old.IPv6 || len(r.Sets) != len(old.Sets) {
		return nil, false
	}
	for i, s := range r.Sets {
		o := old.Sets[i]
		if s.Name != o.Name || s.Kind != o.Kind {
			return nil, false
		}
		c := Change{Set: Set{Name: s.Name, Kind: s.Kind}}
		c.Remove, c.Add = subtract(o.Elements, s.Elements), subtract(s.Elements, o.Elements)
		if c.Remove != nil || c.Add != nil {
			changes = append(changes, c)
		}
	}
	return changes, true
}

func equalRules(a, b Rule) bool { return a.Do == b.Do && slices.Equal(a.Matches, b.Matches) }

// subtract returns the elements of a that b lacks; both are sorted.
func subtract(a, b []Element) []Element {
	var rest []Element
	for _, e := range a {
		for len(b) > 0 && compareElements(b[0], e) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != e {
			rest = append(rest, e)
		}
	}
	return rest
}
