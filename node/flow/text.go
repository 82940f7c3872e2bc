package flow

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"neargate/arn"
	"neargate/node/firewall"
	data "neargate/node/network"
	"neargate/node/vpc"
	"neargate/resource/network"
)

// writer writes records of a VPC with fields.
type writer struct {
	fields  []string
	version int
	flows   *vpc.Flows
}

// none is the value of a field that has none.
const none = "-"

// text is a record of an interface.
func (w *writer) text(r *Record, e *network.NetworkInterface) string {
	values := make([]string, len(w.fields))
	for i, name := range w.fields {
		v := w.about(name, r, e)
		if v == "" && r.Status == OK {
			v = w.value(name, r, e)
		}
		if v == "" {
			v = none
		}
		values[i] = v
	}
	return strings.Join(values, " ")
}

// about is the value of a field that does not depend on a flow.
func (w *writer) about(name string, r *Record, e *network.NetworkInterface) string {
	switch name {
	case "version":
		return strconv.Itoa(w.version)
	case "account-id":
		return e.Account
	case "interface-id":
		return e.ID
	case "start":
		return strconv.FormatInt(r.Start.Unix(), 10)
	case "end":
		return strconv.FormatInt(r.End.Unix(), 10)
	case "log-status":
		return r.Status.String()
	case "vpc-id":
		return e.Vpc
	case "subnet-id":
		return e.Subnet
	case "region":
		return e.Region
	case "az-id":
		for _, z := range arn.Zones(e.Region) {
			if z.Name == e.Zone {
				return z.ID
			}
		}
	}
	return ""
}

// value is the value of a field of a flow. The address on the interface's side is
// always its primary one of IPv4. Source: Amazon VPC User Guide, Flow log limitations.
func (w *writer) value(name string, r *Record, e *network.NetworkInterface) string {
	switch name {
	case "srcaddr":
		if r.Egress {
			return own(e, r.Source)
		}
		return r.Source.String()
	case "dstaddr":
		if !r.Egress {
			return own(e, r.Destination)
		}
		return r.Destination.String()
	case "pkt-srcaddr":
		return r.Source.String()
	case "pkt-dstaddr":
		return r.Destination.String()
	case "srcport":
		return strconv.Itoa(r.SourcePort)
	case "dstport":
		return strconv.Itoa(r.DestinationPort)
	case "protocol":
		return strconv.Itoa(r.Protocol)
	case "packets":
		return strconv.FormatUint(r.Packets, 10)
	case "bytes":
		return strconv.FormatUint(r.Bytes, 10)
	case "action":
		return r.Action()
	case "tcp-flags":
		if r.Protocol == firewall.TCP {
			return strconv.Itoa(r.Flags)
		}
		return "0"
	case "type":
		if r.Source.Is6() {
			return "IPv6"
		}
		return "IPv4"
	case "pkt-src-aws-service":
		return w.service(r.Source)
	case "pkt-dst-aws-service":
		return w.service(r.Destination)
	case "flow-direction":
		if r.Egress {
			return "egress"
		}
		return "ingress"
	case "traffic-path":
		if r.Egress {
			return w.path(r.Destination, e)
		}
	}
	return ""
}

// own is the address that stands for one on the interface's side: of IPv6, the address
// itself if it is the interface's, else its first.
func own(e *network.NetworkInterface, a netip.Addr) string {
	switch {
	case a.Is4():
		return e.Primary()
	case slices.Contains(e.IPv6, a.String()) || len(e.IPv6) == 0:
		return a.String()
	}
	return e.IPv6[0]
}

// service is the part of AWS that a public address is of.
func (w *writer) service(a netip.Addr) string {
	pool := w.flows.Pool
	switch {
	case !pool.IsValid() || !pool.Contains(a):
		return ""
	case network.ObjectRange(pool).Contains(a):
		return "S3"
	case a == network.ServiceAddress(pool):
		return "AMAZON"
	case network.PublicPool(pool).Contains(a):
		return "EC2"
	}
	return ""
}

// Ways of what an interface sends. Source: Amazon VPC User Guide, Flow log records.
const (
	pathVPC     = "1"
	pathPeer    = "4"
	pathAbroad  = "5"
	pathGateway = "7" // endpoint
	pathOut     = "8" // internet gateway
)

// path is the way to a destination by the routes of the interface's subnet.
func (w *writer) path(to netip.Addr, e *network.NetworkInterface) string {
	v := &w.flows.VPC
	var best data.Route
	i := slices.IndexFunc(v.Subnets, func(s data.Subnet) bool { return s.ID == e.Subnet })
	if i >= 0 {
		for _, r := range v.Subnets[i].Routes {
			if r.Destination.Contains(to) && (!best.Destination.IsValid() || r.Destination.Bits() >= best.Destination.Bits()) {
				best = r
			}
		}
	}
	inside := slices.ContainsFunc(slices.Concat(v.CIDRs, v.IPv6), func(p netip.Prefix) bool {
		return p.Contains(to) && (!best.Destination.IsValid() || p.Bits() >= best.Destination.Bits())
	})
	switch {
	case inside:
		return pathVPC
	case best.Target == data.InternetGateway:
		return pathOut
	case best.Target != data.Device:
		return ""
	case slices.ContainsFunc(v.Gateways, func(g data.GatewayEndpoint) bool { return g.ID == best.ID }):
		return pathGateway
	case w.flows.Abroad[best.ID]:
		return pathAbroad
	case slices.ContainsFunc(v.Peers, func(p data.Peer) bool { return p.ID == best.ID }):
		return pathPeer
	}
	return pathVPC
}
