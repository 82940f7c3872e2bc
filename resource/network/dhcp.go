package network

import (
	"net/netip"
	"strings"
)

// Names of the DHCP options that say how names are found. Source: Amazon VPC User
// Guide, DHCP option sets.
const (
	OptionDomain  = "domain-name"
	OptionServers = "domain-name-servers"
)

// Naming says how what runs in a VPC finds names.
type Naming struct {
	Search  []string // domains in which names are completed
	Servers []netip.Addr
}

// Naming is what the DHCP options give to what runs in the VPC; the zero options
// give nothing.
func (v *Vpc) Naming(d *DhcpOptions) (Naming, error) {
	var n Naming
	for _, o := range d.Values {
		switch o.Key {
		case OptionDomain:
			for _, s := range o.Values {
				n.Search = append(n.Search, strings.Fields(s)...)
			}
		case OptionServers:
			for _, s := range o.Values {
				a, err := v.server(s)
				if err != nil {
					return n, err
				}
				n.Servers = append(n.Servers, a)
			}
		}
	}
	return n, nil
}

// server is the address of a name server among DHCP options. Amazon's is the third
// address of the VPC.
func (v *Vpc) server(s string) (netip.Addr, error) {
	if s != AmazonDNS {
		return netip.ParseAddr(s)
	}
	cidr, err := netip.ParsePrefix(v.CIDR)
	return cidr.Masked().Addr().Next().Next(), err
}
