package endpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

func render(sc call.Scope, e *edge.Endpoint) (wire.VpcEndpoint, error) {
	w := wire.VpcEndpoint{
		CreationTimestamp: &e.CreatedAt, DnsEntries: []wire.DnsEntry{}, Groups: []wire.SecurityGroupIdentifier{},
		NetworkInterfaceIds: orEmpty(e.ENIs), OwnerId: &e.Account, PolicyDocument: &e.Policy, PrivateDnsEnabled: &e.PrivateDNS,
		RequesterManaged: new(false), RouteTableIds: orEmpty(e.RouteTables), ServiceName: &e.Service, ServiceRegion: &e.Region,
		State: &e.State, SubnetIds: orEmpty(e.Subnets), Tags: tag.Listed(e.Tags), VpcEndpointId: &e.ID, VpcEndpointType: &e.Type, VpcId: &e.Vpc,
	}
	if e.Type == edge.GatewayEndpoint {
		return w, nil
	}
	service, _ := edge.ServiceNamed(e.Region, e.Service, e.Type)
	w.IpAddressType, w.DnsOptions = call.Optional(e.IPType), &wire.DnsOptions{DnsRecordIpType: call.Optional(e.DNSRecordIPType)}
	if service.Wild {
		w.DnsOptions.PrivateDnsOnlyForInboundResolverEndpoint = new(false)
	}
	for _, id := range e.Groups {
		g, found, err := tables.SecurityGroups.Find(sc.Tx, e.Account, e.Region, id)
		if err != nil {
			return w, err
		}
		shown := wire.SecurityGroupIdentifier{GroupId: new(id)}
		if found {
			shown.GroupName = &g.Name
		}
		w.Groups = append(w.Groups, shown)
	}
	var err error
	w.DnsEntries, err = names(sc, e, service)
	return w, err
}

// names are the endpoint's names: one for all zones, one for each, and the
// service's own where these lead here.
func names(sc call.Scope, e *edge.Endpoint, service edge.Service) ([]wire.DnsEntry, error) {
	var zones []string
	for _, id := range e.Subnets {
		subnet, found, err := tables.Subnets.Find(sc.Tx, e.Account, e.Region, id)
		if err != nil {
			return nil, err
		}
		if found {
			zones = append(zones, subnet.Zone)
		}
	}
	slices.Sort(zones)
	out := []wire.DnsEntry{}
	for _, name := range service.Names(e.ID, zones) {
		if service.Wild {
			name = "*." + name
		}
		out = append(out, wire.DnsEntry{DnsName: new(name), HostedZoneId: new(hostedZone("vpce/" + e.Region))})
	}
	if e.PrivateDNS {
		for _, name := range service.Private {
			out = append(out, wire.DnsEntry{DnsName: new(name), HostedZoneId: new(hostedZone("private/" + e.ID))})
		}
	}
	return out, nil
}

// hostedZone is the id of the zone that holds names.
func hostedZone(of string) string {
	h := sha256.Sum256([]byte(of))
	return "Z" + strings.ToUpper(hex.EncodeToString(h[:]))[:13]
}

func orEmpty(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids
}

var describeEndpoints = call.Listing[edge.Endpoint, wire.VpcEndpoint]{
	Op: "DescribeVpcEndpoints", Kind: call.Endpoints, IDs: "VpcEndpointIds", Render: render,
	Narrow: map[string]string{"vpc-id": edges.EndpointsByVpc},
	Filters: filter.Set{Tags: "Tags", Fields: map[string]string{
		"ip-address-type":    "IpAddressType",
		"service-name":       "ServiceName",
		"service-region":     "ServiceRegion",
		"vpc-endpoint-id":    "VpcEndpointId",
		"vpc-endpoint-state": "State",
		"vpc-endpoint-type":  "VpcEndpointType",
		"vpc-id":             "VpcId",
	}},
}

// DescribeVpcEndpoints lists VPC endpoints.
func (s *Handler) DescribeVpcEndpoints(ctx context.Context, in *wire.DescribeVpcEndpointsInput) (*wire.DescribeVpcEndpointsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeEndpoints.Run(ctx, s.Env, call.Page(in.VpcEndpointIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeVpcEndpointsOutput{VpcEndpoints: out, NextToken: next}, err
}

func detail(region string, s edge.Service) wire.ServiceDetail {
	w := wire.ServiceDetail{
		AcceptanceRequired: new(false), AvailabilityZones: []string{}, AvailabilityZoneIds: []string{}, BaseEndpointDnsNames: []string{},
		ManagesVpcEndpoints: new(false), Owner: new("amazon"), ServiceId: &s.ID, ServiceName: &s.Name, ServiceRegion: &region,
		ServiceType: []wire.ServiceTypeDetail{{ServiceType: &s.Type}}, SupportedIpAddressTypes: []string{ipv4}, Tags: []wire.Tag{},
		VpcEndpointPolicySupported: &s.Policy,
	}
	for _, z := range arn.Zones(region) {
		w.AvailabilityZones, w.AvailabilityZoneIds = append(w.AvailabilityZones, z.Name), append(w.AvailabilityZoneIds, z.ID)
	}
	if s.Type == edge.GatewayEndpoint {
		w.BaseEndpointDnsNames = append(w.BaseEndpointDnsNames, strings.TrimPrefix(s.Name, "com.amazonaws."+region+".")+"."+region+".amazonaws.com")
		return w
	}
	w.BaseEndpointDnsNames = append(w.BaseEndpointDnsNames, s.Base)
	w.PrivateDnsName, w.PrivateDnsNameVerificationState = new(s.Private[0]), new("verified")
	for _, name := range s.Private {
		w.PrivateDnsNames = append(w.PrivateDnsNames, wire.PrivateDnsDetails{PrivateDnsName: new(name)})
	}
	return w
}

var serviceFilters = filter.Set{Tags: "Tags", Fields: map[string]string{
	"owner": "Owner", "service-name": "ServiceName", "service-region": "ServiceRegion", "service-type": "ServiceType.ServiceType",
	"supported-ip-address-types": "SupportedIpAddressTypes",
}}

// DescribeVpcEndpointServices lists the services that endpoints can lead to.
func (s *Handler) DescribeVpcEndpointServices(ctx context.Context, in *wire.DescribeVpcEndpointServicesInput) (*wire.DescribeVpcEndpointServicesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.ServiceDetail](serviceFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := call.CheckPage("", call.Query{Max: in.MaxResults}); err != nil {
		return nil, err
	}
	out := &wire.DescribeVpcEndpointServicesOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		_, region := sc.Tenant()
		all := edge.Services(region)
		for _, name := range in.ServiceNames {
			if !slices.ContainsFunc(all, func(s edge.Service) bool { return s.Name == name }) {
				return noService(name)
			}
		}
		chosen := []wire.ServiceDetail{}
		for _, s := range all {
			w := detail(region, s)
			named := len(in.ServiceNames) == 0 || slices.Contains(in.ServiceNames, s.Name)
			here := len(in.ServiceRegions) == 0 || slices.Contains(in.ServiceRegions, region)
			if named && here && match(&w) {
				chosen = append(chosen, w)
			}
		}
		var err error
		// Services of one name are told apart by their type.
		out.ServiceDetails, out.NextToken, err = call.Cut(s.Env, sc, "DescribeVpcEndpointServices", in.MaxResults, in.NextToken, chosen,
			func(w *wire.ServiceDetail) string { return *w.ServiceName + " " + *w.ServiceType[0].ServiceType })
		out.ServiceNames = []string{}
		for _, w := range out.ServiceDetails {
			if !slices.Contains(out.ServiceNames, *w.ServiceName) {
				out.ServiceNames = append(out.ServiceNames, *w.ServiceName)
			}
		}
		return err
	})
	return out, err
}

var prefixFilters = filter.Set{Fields: map[string]string{"prefix-list-id": "PrefixListId", "prefix-list-name": "PrefixListName"}}

// DescribePrefixLists lists the prefix lists of AWS's services.
func (s *Handler) DescribePrefixLists(ctx context.Context, in *wire.DescribePrefixListsInput) (*wire.DescribePrefixListsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.PrefixList](prefixFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := call.CheckPage("PrefixListIds", call.Page(in.PrefixListIds, nil, in.MaxResults, in.NextToken)); err != nil {
		return nil, err
	}
	out := &wire.DescribePrefixListsOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		_, region := sc.Tenant()
		for _, id := range in.PrefixListIds {
			if _, found := edge.AmazonPrefixList(region, s.PublicRange(), id); !found {
				if _, err := call.PrefixLists.Get(sc, id); err != nil {
					return err
				}
			}
		}
		chosen := []wire.PrefixList{}
		for _, l := range edge.AmazonPrefixLists(region, s.PublicRange()) {
			w := wire.PrefixList{Cidrs: []string{}, PrefixListId: &l.ID, PrefixListName: &l.Name}
			for _, e := range l.Entries {
				w.Cidrs = append(w.Cidrs, e.CIDR)
			}
			if (len(in.PrefixListIds) == 0 || slices.Contains(in.PrefixListIds, l.ID)) && match(&w) {
				chosen = append(chosen, w)
			}
		}
		var err error
		out.PrefixLists, out.NextToken, err = call.Cut(s.Env, sc, "DescribePrefixLists", in.MaxResults, in.NextToken, chosen,
			func(w *wire.PrefixList) string { return *w.PrefixListId })
		return err
	})
	return out, err
}
