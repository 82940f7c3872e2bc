package network

import "net/netip"

// Reserved is a part of a subnet's range that no address is chosen from (a subnet CIDR
// reservation): interfaces have addresses there only when they are named.
type Reserved struct {
	ID          string // scr-…
	CIDR        string // canonical prefix
	Type        string // one of the Reserved constants
	Description string `json:",omitempty"`
	Tags        []Tag  `json:",omitempty"`
}

// Types of reservations: for prefixes that Amazon chooses, or for addresses that the
// customer names.
const (
	ReservedPrefix   = "prefix"
	ReservedExplicit = "explicit"
)

// MayChoose reports whether an address of the subnet may be given to who named none.
func (s *Subnet) MayChoose(a netip.Addr) bool {
	for _, r := range s.Reservations {
		if p, err := netip.ParsePrefix(r.CIDR); err == nil && p.Contains(a) {
			return false
		}
	}
	return true
}
