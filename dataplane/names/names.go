// Package names knows under which host names a VPC finds the AWS services that an
// installation serves, and where.
//
// A name leads to the public address of AWS's services or of Amazon S3, unless an
// interface endpoint of the VPC with private DNS has it. An endpoint's own names
// always lead to its interfaces.
package names

import (
	"net/netip"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/resource/network"
	"neargate/resource/network/edge"
)

// Lookup answers a host name in lower case, without the last dot; ok is false for
// one that it does not know.
type Lookup func(name string) (addresses []netip.Addr, ok bool)

// Config is what is the same in all VPCs of an installation.
type Config struct {
	// Services are what host names of services begin with, before the region, such
	// as api.ecr. Registries and Amazon S3 are served besides.
	Services []string
	Pool     netip.Prefix // public range
	Others   Lookup       // of names that are not AWS's; may be nil
}

// VPC is what decides in one VPC.
type VPC struct {
	Region     string
	Endpoints  []edge.Endpoint
	Interfaces []network.NetworkInterface // at least those of the endpoints
}

// Domains of host names.
const (
	domain          = ".amazonaws.com"
	domainChina     = ".amazonaws.com.cn"
	domainDualStack = ".api.aws"
)

// global are the services that also have a host name without a region. Source: AWS
// General Reference, Service endpoints and quotas.
var global = []string{"budgets", "ec2", "iam", "route53", "sts"}

// private is an interface endpoint with private DNS.
type private struct {
	service   edge.Service
	addresses []netip.Addr
}

// Hidden are the names of services that interface endpoints of one VPC have taken
// over, each with the private zone it is in, and the addresses there; zone is empty
// for other names.
func (c Config) Hidden(v VPC) func(name string) (zone string, addresses []netip.Addr) {
	var hidden []private
	for _, e := range v.Endpoints {
		s, ok := edge.ServiceNamed(v.Region, e.Service, e.Type)
		if !ok || e.Type != edge.InterfaceEndpoint || e.State != edge.Available || !e.PrivateDNS {
			continue
		}
		if all, _ := addresses(&e, v.Interfaces); len(all) > 0 {
			hidden = append(hidden, private{s, all})
		}
	}
	return func(name string) (string, []netip.Addr) {
		for _, p := range hidden {
			if p.service.Serves(name) {
				return strings.TrimPrefix(p.service.Private[0], "*."), p.addresses
			}
		}
		return "", nil
	}
}

// In is the lookup of one VPC.
func (c Config) In(v VPC) Lookup {
	services, objects := []netip.Addr{network.ServiceAddress(c.Pool)}, []netip.Addr{network.ObjectRange(c.Pool).Addr()}
	hidden := c.Hidden(v)
	own, wild := map[string][]netip.Addr{}, map[string][]netip.Addr{}
	for _, e := range v.Endpoints {
		s, ok := edge.ServiceNamed(v.Region, e.Service, e.Type)
		if !ok || e.Type != edge.InterfaceEndpoint || e.State != edge.Available {
			continue
		}
		all, zones := addresses(&e, v.Interfaces)
		for name, a := range ownNames(s, e.ID, all, zones) {
			own[name] = a
			if s.Wild {
				wild[name] = a
			}
		}
	}
	return func(name string) ([]netip.Addr, bool) {
		if _, all := hidden(name); all != nil {
			return all, true
		}
		if a, ok := own[name]; ok {
			return a, true
		}
		switch {
		case strings.HasSuffix(name, ".vpce"+domain):
			return below(wild, name)
		case IsObjects(name):
			return objects, true
		case c.isService(name):
			return services, true
		case c.Others != nil:
			return c.Others(name)
		}
		return nil, false
	}
}

// addresses are those of an endpoint's interfaces, and by zone.
func addresses(e *edge.Endpoint, interfaces []network.NetworkInterface) (all []netip.Addr, zones map[string][]netip.Addr) {
	zones = map[string][]netip.Addr{}
	for _, i := range interfaces {
		if !slices.Contains(e.ENIs, i.ID) {
			continue
		}
		if a, err := netip.ParseAddr(i.Primary()); err == nil {
			all, zones[i.Zone] = append(all, a), append(zones[i.Zone], a)
		}
	}
	return all, zones
}

// ownNames are the names of an endpoint itself with where they lead.
func ownNames(s edge.Service, id string, all []netip.Addr, zones map[string][]netip.Addr) map[string][]netip.Addr {
	out := map[string][]netip.Addr{}
	if len(all) > 0 {
		out[s.Names(id, nil)[0]] = all
	}
	for z, a := range zones {
		out[s.Names(id, []string{z})[1]] = a
	}
	return out
}

// below finds a name below one that stands for all such.
func below(wild map[string][]netip.Addr, name string) ([]netip.Addr, bool) {
	for {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return nil, false
		}
		if a, ok := wild[rest]; ok {
			return a, true
		}
		name = rest
	}
}

// isService reports whether a name is that of a service, all but Amazon S3, or of a
// registry.
func (c Config) isService(name string) bool {
	host, region, kind := split(name)
	if kind == "" {
		return false
	}
	if region == "" {
		return kind == domain && slices.Contains(global, host) && slices.Contains(c.Services, host)
	}
	if region == "global" {
		return kind == domainDualStack && host == "iam" && slices.Contains(c.Services, host)
	}
	if kind == domainDualStack && host == "ecr" {
		host = "api.ecr" // as it is called there
	}
	if account, ok := strings.CutSuffix(host, ".dkr.ecr"); ok && kind != domainDualStack {
		return arn.ValidAccount(account)
	}
	return slices.Contains(c.Services, host)
}

// split takes the name of a service apart: what is before the region, the region, ""
// where there is none, and the domain, "" for any other name.
func split(name string) (host, region, kind string) {
	for _, kind = range []string{domain, domainChina, domainDualStack} {
		rest, ok := strings.CutSuffix(name, kind)
		if !ok {
			continue
		}
		i := strings.LastIndexByte(rest, '.')
		last := rest[i+1:]
		switch {
		case arn.KnownRegion(last) && i > 0 && (kind == domainDualStack || (arn.Partition(last) == "aws-cn") == (kind == domainChina)):
			return rest[:i], last, kind
		case kind == domainDualStack && last == "global" && i > 0:
			return rest[:i], last, kind
		}
		return rest, "", kind
	}
	return "", "", ""
}

// IsObjects reports whether a name is that of Amazon S3, or of a bucket there.
func IsObjects(name string) bool {
	host, region, kind := split(name)
	if kind == "" || kind == domainDualStack {
		return false
	}
	if region != "" {
		host = strings.TrimSuffix(host, ".dualstack")
	}
	label := host[strings.LastIndexByte(host, '.')+1:]
	switch old, dashed := strings.CutPrefix(label, "s3-"); {
	case label == "s3":
		return region != "" || kind == domain
	case dashed:
		return region == "" && kind == domain && (arn.KnownRegion(old) || old == "external-1")
	}
	return false
}
