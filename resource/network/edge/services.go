package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Service is an endpoint service of AWS that the installation offers in a region:
// what a VPC endpoint can lead to.
type Service struct {
	Name string // com.amazonaws.REGION.NAME
	Type string // InterfaceEndpoint or GatewayEndpoint
	ID   string // vpce-svc-…
	// Base is the name that an endpoint's own names end with, such as
	// api.ecr.us-east-1.vpce.amazonaws.com. Empty for gateway endpoints.
	Base string
	// Wild says that each of an endpoint's own names stands for all names below it,
	// as Amazon S3's do, whose buckets are in host names.
	Wild bool
	// Private are the public host names that lead to the endpoint inside a VPC with
	// private DNS, the principal one first; "*." at the start stands for one label or
	// more. Empty for gateway endpoints, which are reached by address.
	Private []string
	// Policy says that the service heeds endpoint policies.
	Policy bool
}

// offer is a service before its region is known.
type offer struct {
	name, host string // of com.amazonaws.REGION.name and host.REGION.amazonaws.com
	wild       bool   // host names below host lead there too, and only they where bare is false
	bare       bool
	policy     bool
}

// offers are the services of which interface endpoints can be made. Those that only
// agents of container instances talk to, ecs-agent and ecs-telemetry, are not among
// them: nobody would answer. Source: AWS
// PrivateLink Guide, services that integrate; each service's guide for its names.
var offers = []offer{
	{name: "cloudtrail", host: "cloudtrail", bare: true, policy: true},
	{name: "ec2", host: "ec2", bare: true, policy: true},
	{name: "ecr.api", host: "api.ecr", bare: true, policy: true},
	{name: "ecr.dkr", host: "dkr.ecr", wild: true, policy: true},
	{name: "ecs", host: "ecs", bare: true, policy: true},
	{name: "kms", host: "kms", bare: true, policy: true},
	{name: "logs", host: "logs", bare: true, policy: true},
	{name: objects, host: "s3", wild: true, bare: true, policy: true},
	{name: "secretsmanager", host: "secretsmanager", bare: true, policy: true},
	{name: "signer", host: "signer", bare: true, policy: true},
	{name: "ssm", host: "ssm", bare: true, policy: true},
	{name: "ssmmessages", host: "ssmmessages", bare: true, policy: true},
	{name: "sts", host: "sts", bare: true, policy: true},
}

// Services are the endpoint services of a region in order of name, at most one
// of each type with the same name.
func Services(region string) []Service {
	var out []Service
	for _, o := range offers {
		if o.name == objects {
			out = append(out, Service{
				Name: ServiceName(region, o.name), Type: GatewayEndpoint, ID: serviceID(region, o.name, GatewayEndpoint), Policy: true,
			})
		}
		out = append(out, o.in(region))
	}
	return out
}

func (o offer) in(region string) Service {
	s := Service{
		Name: ServiceName(region, o.name), Type: InterfaceEndpoint, ID: serviceID(region, o.name, InterfaceEndpoint),
		Base: o.host + "." + region + ".vpce.amazonaws.com", Wild: o.wild && o.bare, Policy: o.policy,
	}
	public := o.host + "." + region + ".amazonaws.com"
	if o.bare {
		s.Private = append(s.Private, public)
	}
	if o.wild {
		s.Private = append(s.Private, "*."+public)
	}
	return s
}

// ServiceNamed is the endpoint service with the name and type.
func ServiceNamed(region, name, kind string) (Service, bool) {
	for _, s := range Services(region) {
		if s.Name == name && s.Type == kind {
			return s, true
		}
	}
	return Service{}, false
}

// Serves reports whether host is one of the service's public host names.
func (s Service) Serves(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, name := range s.Private {
		if below, ok := strings.CutPrefix(name, "*"); ok {
			if len(host) > len(below) && strings.HasSuffix(host, below) {
				return true
			}
		} else if host == name {
			return true
		}
	}
	return false
}

// Names are the names of an endpoint with the id of the service: one for all its
// addresses, then one for each of zones. Those of a Wild service stand for all
// names below them.
func (s Service) Names(endpoint string, zones []string) []string {
	h := sha256.Sum256([]byte("vpce/" + endpoint))
	label := endpoint + "-" + encode(h[:])
	out := []string{label + "." + s.Base}
	for _, z := range zones {
		out = append(out, label+"-"+z+"."+s.Base)
	}
	return out
}

// encode is eight letters and digits that stand for h.
func encode(h []byte) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 8)
	for i := range b {
		b[i] = letters[int(h[i])%len(letters)]
	}
	return string(b)
}

func serviceID(region, name, kind string) string {
	h := sha256.Sum256([]byte("vpce-svc/" + region + "/" + name + "/" + kind))
	return "vpce-svc-" + hex.EncodeToString(h[:])[:17]
}
