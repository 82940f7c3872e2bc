package ec2

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/filter"
	"neargate/store/tables"
	"neargate/store/tables/address"
)

func renderSubnet(sc scope, r *network.Subnet) (wire.Subnet, error) {
	free, err := address.Available(sc.tx, r)
	return wire.Subnet{
		AssignIpv6AddressOnCreation: new(false),
		AvailabilityZone:            &r.Zone, AvailabilityZoneId: &r.ZoneID,
		AvailableIpAddressCount: new(int32(free)),
		BlockPublicAccessStates: openToInternet(),
		CidrBlock:               &r.CIDR, DefaultForAz: &r.DefaultForAZ, EnableDns64: new(false),
		Ipv6CidrBlockAssociationSet: []wire.SubnetIpv6CidrBlockAssociation{}, Ipv6Native: new(false),
		MapCustomerOwnedIpOnLaunch: new(false), MapPublicIpOnLaunch: &r.MapPublicIP, OwnerId: &r.Account,
		PrivateDnsNameOptionsOnLaunch: &wire.PrivateDnsNameOptionsOnLaunch{
			HostnameType: new("ip-name"), EnableResourceNameDnsARecord: new(false), EnableResourceNameDnsAAAARecord: new(false),
		},
		State: new("available"), SubnetArn: new(r.ARN()), SubnetId: &r.ID, Tags: wireTags(r.Tags), VpcId: &r.Vpc,
	}, err
}

var describeSubnets = listing[network.Subnet, wire.Subnet]{
	op: "DescribeSubnets", kind: subnets, ids: "SubnetIds", render: renderSubnet,
	filters: filter.Set[wire.Subnet]{
		Tags: tagsAs(func(s *wire.Subnet) []wire.Tag { return s.Tags }),
		Fields: map[string]func(*wire.Subnet) []string{
			"availability-zone":          func(s *wire.Subnet) []string { return text(s.AvailabilityZone) },
			"availabilityZone":           func(s *wire.Subnet) []string { return text(s.AvailabilityZone) },
			"availability-zone-id":       func(s *wire.Subnet) []string { return text(s.AvailabilityZoneId) },
			"availabilityZoneId":         func(s *wire.Subnet) []string { return text(s.AvailabilityZoneId) },
			"available-ip-address-count": func(s *wire.Subnet) []string { return text(s.AvailableIpAddressCount) },
			"cidr-block":                 func(s *wire.Subnet) []string { return text(s.CidrBlock) },
			"cidr":                       func(s *wire.Subnet) []string { return text(s.CidrBlock) },
			"cidrBlock":                  func(s *wire.Subnet) []string { return text(s.CidrBlock) },
			"customer-owned-ipv4-pool":   none[wire.Subnet],
			"default-for-az":             func(s *wire.Subnet) []string { return text(s.DefaultForAz) },
			"defaultForAz":               func(s *wire.Subnet) []string { return text(s.DefaultForAz) },
			"enable-dns64":               func(s *wire.Subnet) []string { return text(s.EnableDns64) },
			"enable-lni-at-device-index": none[wire.Subnet],
			"ipv6-cidr-block-association.ipv6-cidr-block": none[wire.Subnet],
			"ipv6-cidr-block-association.association-id":  none[wire.Subnet],
			"ipv6-cidr-block-association.state":           none[wire.Subnet],
			"ipv6-native":                                 func(s *wire.Subnet) []string { return text(s.Ipv6Native) },
			"map-customer-owned-ip-on-launch":             func(s *wire.Subnet) []string { return text(s.MapCustomerOwnedIpOnLaunch) },
			"map-public-ip-on-launch":                     func(s *wire.Subnet) []string { return text(s.MapPublicIpOnLaunch) },
			"outpost-arn":                                 none[wire.Subnet],
			"owner-id":                                    func(s *wire.Subnet) []string { return text(s.OwnerId) },
			"private-dns-name-options-on-launch.hostname-type": func(s *wire.Subnet) []string {
				return text(s.PrivateDnsNameOptionsOnLaunch.HostnameType)
			},
			"private-dns-name-options-on-launch.enable-resource-name-dns-a-record": func(s *wire.Subnet) []string {
				return text(s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord)
			},
			"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": func(s *wire.Subnet) []string {
				return text(s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord)
			},
			"state":      func(s *wire.Subnet) []string { return text(s.State) },
			"subnet-arn": func(s *wire.Subnet) []string { return text(s.SubnetArn) },
			"subnet-id":  func(s *wire.Subnet) []string { return text(s.SubnetId) },
			"vpc-id":     func(s *wire.Subnet) []string { return text(s.VpcId) },
		},
	},
}

// DescribeSubnets lists subnets.
func (s *Service) DescribeSubnets(ctx context.Context, in *wire.DescribeSubnetsInput) (*wire.DescribeSubnetsOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	out, next, err := describeSubnets.run(ctx, s, query{in.SubnetIds, in.Filters, in.MaxResults, in.NextToken})
	return &wire.DescribeSubnetsOutput{Subnets: out, NextToken: next}, err
}

var describeGateways = listing[network.InternetGateway, wire.InternetGateway]{
	op: "DescribeInternetGateways", kind: gateways, ids: "InternetGatewayIds",
	render: func(_ scope, g *network.InternetGateway) (wire.InternetGateway, error) {
		attachments := []wire.InternetGatewayAttachment{}
		if g.Vpc != "" {
			attachments = append(attachments, wire.InternetGatewayAttachment{State: new("available"), VpcId: &g.Vpc})
		}
		return wire.InternetGateway{
			Attachments: attachments, InternetGatewayId: &g.ID, OwnerId: &g.Account, Tags: listedTags(g.Tags),
		}, nil
	},
	filters: filter.Set[wire.InternetGateway]{
		Tags: tagsAs(func(g *wire.InternetGateway) []wire.Tag { return g.Tags }),
		Fields: map[string]func(*wire.InternetGateway) []string{
			"attachment.state": func(g *wire.InternetGateway) []string {
				return each(g.Attachments, func(a *wire.InternetGatewayAttachment) []string { return text(a.State) })
			},
			"attachment.vpc-id": func(g *wire.InternetGateway) []string {
				return each(g.Attachments, func(a *wire.InternetGatewayAttachment) []string { return text(a.VpcId) })
			},
			"internet-gateway-id": func(g *wire.InternetGateway) []string { return text(g.InternetGatewayId) },
			"owner-id":            func(g *wire.InternetGateway) []string { return text(g.OwnerId) },
		},
	},
}

// DescribeInternetGateways lists internet gateways.
func (s *Service) DescribeInternetGateways(ctx context.Context, in *wire.DescribeInternetGatewaysInput) (*wire.DescribeInternetGatewaysOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	out, next, err := describeGateways.run(ctx, s, query{in.InternetGatewayIds, in.Filters, in.MaxResults, in.NextToken})
	return &wire.DescribeInternetGatewaysOutput{InternetGateways: out, NextToken: next}, err
}

// defaultVpc returns the id of the caller's default VPC, "" when there is none.
func defaultVpc(sc scope) (string, error) {
	account, region := sc.tenant()
	d, _, err := tables.DefaultNetworks.Find(sc.tx, account, region)
	return d.Vpc, err
}
