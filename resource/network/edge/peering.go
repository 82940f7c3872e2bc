package edge

import (
	"net/netip"
	"time"
)

const (
	// AcceptWithin is how long a request for a peering connection can be accepted.
	// Source: Amazon VPC Peering Guide, life cycle.
	AcceptWithin = 7 * 24 * time.Hour
	// EndedFor is how long a peering connection that came to an end is shown.
	EndedFor = 2 * time.Hour
)

// Over reports whether the peering connection has come to an end.
func (p *Peering) Over() bool {
	switch p.State {
	case PeeringRejected, PeeringExpired, PeeringDeleted, Failed:
		return true
	}
	return false
}

// End brings the peering connection to the state at the time.
func (p *Peering) End(state, message string, at time.Time) {
	p.State, p.Message, p.EndedAt = state, message, at
}

// PeeringFailure is what a failed peering connection says.
const PeeringFailure = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"

// Overlap reports whether a range of a is in common with one of b.
func Overlap(a, b []string) bool {
	for _, x := range a {
		p, err := netip.ParsePrefix(x)
		if err != nil {
			continue
		}
		for _, y := range b {
			if q, err := netip.ParsePrefix(y); err == nil && p.Overlaps(q) {
				return true
			}
		}
	}
	return false
}
