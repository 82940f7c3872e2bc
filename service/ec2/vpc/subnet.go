package vpc

import (
	"cmp"
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables/address"
)

// Kinds of host names of instances, of which there are none.
const (
	hostnameIP       = "ip-name"
	hostnameResource = "resource-name"
)

func renderSubnet(sc call.Scope, r *network.Subnet) (wire.Subnet, error) {
	free, err := address.Available(sc.Tx, r)
	return wire.Subnet{
		AssignIpv6AddressOnCreation: &r.AssignIPv6,
		AvailabilityZone:            &r.Zone, AvailabilityZoneId: &r.ZoneID,
		AvailableIpAddressCount: new(int32(free)),
		BlockPublicAccessStates: openToInternet(),
		CidrBlock:               &r.CIDR, DefaultForAz: &r.DefaultForAZ, EnableDns64: &r.DNS64,
		Ipv6CidrBlockAssociationSet: subnetRanges(r), Ipv6Native: new(false),
		MapCustomerOwnedIpOnLaunch: new(false), MapPublicIpOnLaunch: &r.MapPublicIP, OwnerId: &r.Account,
		PrivateDnsNameOptionsOnLaunch: &wire.PrivateDnsNameOptionsOnLaunch{
			HostnameType:                 new(cmp.Or(r.HostnameType, hostnameIP)),
			EnableResourceNameDnsARecord: &r.HostnameA, EnableResourceNameDnsAAAARecord: &r.HostnameAAAA,
		},
		State: new("available"), SubnetArn: new(r.ARN()), SubnetId: &r.ID, Tags: tag.Shown(r.Tags), VpcId: &r.Vpc,
	}, err
}

var describeSubnets = call.Listing[network.Subnet, wire.Subnet]{
	Op: "DescribeSubnets", Kind: call.Subnets, IDs: "SubnetIds", Render: renderSubnet,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"availability-zone":          "AvailabilityZone",
			"availabilityZone":           "AvailabilityZone",
			"availability-zone-id":       "AvailabilityZoneId",
			"availabilityZoneId":         "AvailabilityZoneId",
			"available-ip-address-count": "AvailableIpAddressCount",
			"cidr":                       "CidrBlock",
			"cidr-block":                 "CidrBlock",
			"cidrBlock":                  "CidrBlock",
			"customer-owned-ipv4-pool":   "CustomerOwnedIpv4Pool",
			"default-for-az":             "DefaultForAz",
			"defaultForAz":               "DefaultForAz",
			"enable-dns64":               "EnableDns64",
			"enable-lni-at-device-index": "EnableLniAtDeviceIndex",
			"ipv6-cidr-block-association.association-id":  "Ipv6CidrBlockAssociationSet.AssociationId",
			"ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
			"ipv6-cidr-block-association.state":           "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State",
			"ipv6-native":                                 "Ipv6Native",
			"map-customer-owned-ip-on-launch":             "MapCustomerOwnedIpOnLaunch",
			"map-public-ip-on-launch":                     "MapPublicIpOnLaunch",
			"outpost-arn":                                 "OutpostArn",
			"owner-id":                                    "OwnerId",
			"private-dns-name-options-on-launch.enable-resource-name-dns-a-record":    "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord",
			"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": "PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord",
			"private-dns-name-options-on-launch.hostname-type":                        "PrivateDnsNameOptionsOnLaunch.HostnameType",
			"state":      "State",
			"subnet-arn": "SubnetArn",
			"subnet-id":  "SubnetId",
			"vpc-id":     "VpcId",
		},
	},
}

// DescribeSubnets lists subnets.
func (s *Handler) DescribeSubnets(ctx context.Context, in *wire.DescribeSubnetsInput) (*wire.DescribeSubnetsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeSubnets.Run(ctx, s.Env, call.Page(in.SubnetIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeSubnetsOutput{Subnets: out, NextToken: next}, err
}
