package admit

// refusedEdge lists the refused members of requests about what leads out of a VPC,
// in the form of refused.
var refusedEdge = map[string][]string{
	"AttachNetworkInterfaceInput":     {"EnaQueueCount", "EnaSrdSpecification"},
	"AllocateAddressInput":            {"Address", "CustomerOwnedIpv4Pool", "IpamPoolId"},
	"CreateNatGatewayInput":           {"AvailabilityZoneAddresses", "VpcId"},
	"AssociateNatGatewayAddressInput": {"AvailabilityZone", "AvailabilityZoneId"},
	"CreateVpcEndpointInput":          endpoint("ResourceConfigurationArn", "ServiceNetworkArn"),
	"CreateFlowLogsInput":             {"DeliverCrossAccountRole", "TagFieldSpecifications"},
	"ModifyVpcEndpointInput":          endpoint(),
	"AssignPrivateIpAddressesInput":   {"Ipv4PrefixCount", "Ipv4Prefixes"},
	"UnassignPrivateIpAddressesInput": {"Ipv4Prefixes"},
	"ModifyManagedPrefixListInput":    {"IpamPrefixListResolverSyncEnabled"},
}

// endpoint are what requests for VPC endpoints have in common, and more.
func endpoint(more ...string) []string {
	return append([]string{
		"DnsOptions.PrivateDnsPreference", "DnsOptions.PrivateDnsSpecifiedDomains", "SubnetConfigurations.Ipv6",
	}, more...)
}
