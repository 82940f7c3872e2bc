package path

import (
	"fmt"
	"slices"
	"strings"
)

// Range is a range of ports, both ends included.
type Range struct{ From, To int }

// Ranges of ports: all, and those that programs and gateways take when any will do.
// Source: Amazon VPC User Guide, Network ACLs, Ephemeral ports.
func allPorts() Range  { return Range{0, 65535} }
func ephemeral() Range { return Range{1024, 65535} }

// String is the range as people write it.
func (r Range) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// ports is a set of ports: ranges in ascending order that do not touch.
type ports []Range

func (p ports) String() string {
	var words []string
	for _, r := range p {
		words = append(words, r.String())
	}
	return strings.Join(words, ",")
}

// and are the ports of both.
func (p ports) and(r Range) ports {
	var out ports
	for _, x := range p {
		if lo, hi := max(x.From, r.From), min(x.To, r.To); lo <= hi {
			out = append(out, Range{lo, hi})
		}
	}
	return out
}

// without are the ports of p that are not in r.
func (p ports) without(r Range) ports {
	var out ports
	for _, x := range p {
		if lo, hi := x.From, min(x.To, r.From-1); lo <= hi {
			out = append(out, Range{lo, hi})
		}
		if lo, hi := max(x.From, r.To+1), x.To; lo <= hi {
			out = append(out, Range{lo, hi})
		}
	}
	return out
}

// or are the ports of either.
func (p ports) or(q ports) ports {
	all := append(slices.Clone(p), q...)
	slices.SortFunc(all, func(a, b Range) int { return a.From - b.From })
	var out ports
	for _, r := range all {
		if n := len(out); n > 0 && r.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}
