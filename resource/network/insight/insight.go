// Package insight holds the stored records of Amazon VPC Reachability Analyzer: the
// paths that are asked about and the analyses of them.
package insight

import (
	"net/netip"
	"time"

	"neargate/arn"
	"neargate/resource/network"
	"neargate/resource/network/path"
)

// Life is how long an analysis is kept. Source: Amazon VPC Reachability Analyzer
// guide, Considerations.
const Life = 120 * 24 * time.Hour

// Path is a question: may traffic pass from a source to a destination.
type Path struct {
	Account, Region, ID string // nip-…
	Source, Destination string // ids; no destination: an address
	SourceARN           string
	DestinationARN      string  `json:",omitempty"`
	SourceIP            string  `json:",omitempty"`
	DestinationIP       string  `json:",omitempty"`
	DestinationPort     int     `json:",omitempty"` // 0: any
	Protocol            string  // tcp or udp
	AtSource            *Filter `json:",omitempty"`
	AtDestination       *Filter `json:",omitempty"`
	CreatedAt           time.Time
	Tags                []network.Tag `json:",omitempty"`
}

// Filter is what the header of a packet must be at one end. What is not set may be
// anything.
type Filter struct {
	SourceAddress, DestinationAddress string      `json:",omitempty"`
	SourcePorts, DestinationPorts     *path.Range `json:",omitempty"`
}

// ARN is the path's Amazon Resource Name.
func (p *Path) ARN() string {
	return arn.New("ec2", p.Region, p.Account, "network-insights-path/"+p.ID)
}

// Analysis is an answer.
type Analysis struct {
	Account, Region, ID string // nia-…
	Path                string // nip-…
	StartedAt           time.Time
	FilterIn, FilterOut []string `json:",omitempty"` // ARNs
	Result              path.Result
	Tags                []network.Tag `json:",omitempty"`
}

// ARN is the analysis's Amazon Resource Name.
func (a *Analysis) ARN() string {
	return arn.New("ec2", a.Region, a.Account, "network-insights-analysis/"+a.ID)
}

// Protocols of a path.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Query is the path as package path is asked about it. gateway says that the source
// is an internet gateway, at which a private destination is not yet known.
func (p *Path) Query(gateway bool) path.Query {
	q := path.Query{Source: p.Source, Target: p.Destination, Protocol: path.TCP}
	if p.Protocol == UDP {
		q.Protocol = path.UDP
	}
	here, there := Filter{SourceAddress: p.SourceIP}, Filter{DestinationAddress: p.DestinationIP}
	if p.DestinationPort != 0 {
		here.DestinationPorts = &path.Range{From: p.DestinationPort, To: p.DestinationPort}
	}
	if p.AtSource != nil {
		here = *p.AtSource
	}
	if p.AtDestination != nil {
		there = *p.AtDestination
	}
	q.From, q.To, q.Ports, q.FromPorts = address(here.SourceAddress), address(here.DestinationAddress), ports(here.DestinationPorts), ports(here.SourcePorts)
	q.Arrive = path.Filter{Source: address(there.SourceAddress), Destination: address(there.DestinationAddress),
		SourcePorts: ports(there.SourcePorts), DestinationPorts: ports(there.DestinationPorts)}
	if !q.To.IsValid() && (!gateway || p.Destination == "") {
		q.To = q.Arrive.Destination
	}
	return q
}

func address(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a
}

func ports(r *path.Range) path.Range {
	if r == nil {
		return path.Range{}
	}
	return *r
}
