package names

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"neargate/resource/network"
	"neargate/resource/network/edge"
)

var config = Config{
	Services: []string{"api.ecr", "ec2", "ecs", "iam", "kms", "logs", "sts"}, Pool: netip.MustParsePrefix("198.18.0.0/20"),
	Others: func(name string) ([]netip.Addr, bool) {
		return []netip.Addr{netip.MustParseAddr("198.18.0.64")}, name == "public.ecr.aws"
	},
}

const (
	services = "[198.18.0.2]"
	objects  = "[198.18.0.16]"
	nothing  = "-"
)

func endpoint(id, service string, private bool, enis ...string) edge.Endpoint {
	return edge.Endpoint{ID: id, Service: edge.ServiceName("eu-west-1", service), Type: edge.InterfaceEndpoint, State: edge.Available, PrivateDNS: private, ENIs: enis}
}

func ask(l Lookup, name string) string {
	a, ok := l(name)
	if !ok {
		return nothing
	}
	slices.SortFunc(a, netip.Addr.Compare)
	return fmt.Sprint(a)
}

func TestPublicNames(t *testing.T) {
	l := config.In(VPC{Region: "eu-west-1"})
	for name, want := range map[string]string{
		"ecs.eu-west-1.amazonaws.com":                                     services,
		"ecs.us-east-1.amazonaws.com":                                     services,
		"api.ecr.eu-west-1.amazonaws.com":                                 services,
		"ecr.eu-west-1.api.aws":                                           services,
		"sts.eu-west-1.api.aws":                                           services,
		"sts.amazonaws.com":                                               services,
		"iam.amazonaws.com":                                               services,
		"iam.global.api.aws":                                              services,
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":                    services,
		"ecs.cn-north-1.amazonaws.com.cn":                                 services,
		"s3.eu-west-1.amazonaws.com":                                      objects,
		"s3.amazonaws.com":                                                objects,
		"s3-eu-west-1.amazonaws.com":                                      objects,
		"s3.dualstack.eu-west-1.amazonaws.com":                            objects,
		"bucket.s3.eu-west-1.amazonaws.com":                               objects,
		"a.bucket.with.dots.s3.amazonaws.com":                             objects,
		"bucket.s3-eu-west-1.amazonaws.com":                               objects,
		"prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com": objects,
		"bucket.s3.dualstack.eu-west-1.amazonaws.com":                     objects,
		"bucket.s3.cn-north-1.amazonaws.com.cn":                           objects,
		"public.ecr.aws":                                                  "[198.18.0.64]",
		"amazonaws.com":                                                   nothing,
		".amazonaws.com":                                                  nothing,
		"eu-west-1.amazonaws.com":                                         nothing,
		"ecs.amazonaws.com":                                               nothing,
		"kms.amazonaws.com":                                               nothing,
		"ecs.cn-north-1.amazonaws.com":                                    nothing,
		"ecs.eu-west-1.amazonaws.com.cn":                                  nothing,
		"dynamodb.eu-west-1.amazonaws.com":                                nothing,
		"budgets.amazonaws.com":                                           nothing,
		"x.ecs.eu-west-1.amazonaws.com":                                   nothing,
		"ecs.mars-north-1.amazonaws.com":                                  nothing,
		"12345.dkr.ecr.eu-west-1.amazonaws.com":                           nothing,
		"dkr.ecr.eu-west-1.amazonaws.com":                                 nothing,
		"s3-control.eu-west-1.amazonaws.com":                              nothing,
		"s3-accelerate.amazonaws.com":                                     nothing,
		"s3.amazonaws.com.example.org":                                    nothing,
		"examples3.amazonaws.com":                                         nothing,
		"ec2-198-18-1-1.eu-west-1.compute.amazonaws.com":                  nothing,
		"vpce-1.s3.eu-west-1.vpce.amazonaws.com":                          nothing,
		"example.org":                                                     nothing,
		"":                                                                nothing,
	} {
		if got := ask(l, name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	off, bucket := endpoint("vpce-3", "sts", false, "eni-4"), endpoint("vpce-4", "s3", false, "eni-5")
	pending, gateway := endpoint("vpce-5", "ec2", true, "eni-6"), endpoint("vpce-6", "s3", true)
	pending.State, gateway.Type = edge.Pending, edge.GatewayEndpoint
	v := VPC{Region: "eu-west-1", Endpoints: []edge.Endpoint{
		endpoint("vpce-1", "ecr.api", true, "eni-1", "eni-2"), endpoint("vpce-2", "ecr.dkr", true, "eni-3"), off, bucket, pending, gateway,
	}}
	for i := 1; i <= 6; i++ {
		v.Interfaces = append(v.Interfaces, network.NetworkInterface{
			ID: fmt.Sprint("eni-", i), Zone: fmt.Sprint("eu-west-1", string(rune('a'+i%2))), Addresses: []string{fmt.Sprint("10.0.0.", i)},
		})
	}
	own := func(e edge.Endpoint, zones ...string) string {
		s, _ := edge.ServiceNamed("eu-west-1", e.Service, e.Type)
		names := s.Names(e.ID, zones)
		return names[len(names)-1]
	}
	l := config.In(v)
	for name, want := range map[string]string{
		"api.ecr.eu-west-1.amazonaws.com":              "[10.0.0.1 10.0.0.2]",
		"api.ecr.us-east-1.amazonaws.com":              services,
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com": "[10.0.0.3]",
		"sts.eu-west-1.amazonaws.com":                  services,
		"ec2.eu-west-1.amazonaws.com":                  services,
		"s3.eu-west-1.amazonaws.com":                   objects,
		own(v.Endpoints[0]):                            "[10.0.0.1 10.0.0.2]",
		own(v.Endpoints[0], "eu-west-1a"):              "[10.0.0.2]",
		own(v.Endpoints[0], "eu-west-1b"):              "[10.0.0.1]",
		own(v.Endpoints[0], "eu-west-1c"):              nothing,
		"x." + own(v.Endpoints[0]):                     nothing,
		own(off):                                       "[10.0.0.4]",
		own(pending):                                   nothing,
		"mine.bucket." + own(bucket):                   "[10.0.0.5]",
		"bucket." + own(bucket, "eu-west-1b"):          "[10.0.0.5]",
	} {
		if got := ask(l, name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// FuzzLookup answers any name without failing.
func FuzzLookup(f *testing.F) {
	for _, s := range []string{".", "s3.", ".s3.amazonaws.com", ".dualstack.eu-west-1.amazonaws.com", "..vpce.amazonaws.com", ".api.aws", ".global.api.aws"} {
		f.Add(s)
	}
	l := config.In(VPC{Region: "eu-west-1", Endpoints: []edge.Endpoint{endpoint("vpce-1", "s3", true, "eni-1")}})
	f.Fuzz(func(t *testing.T, name string) { l(name) })
}
