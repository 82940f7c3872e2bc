package target

import "neargate/auth/target/stored"

// edgeResources are those of operations on what leads out of a VPC.
var edgeResources = merge(
	each(func(in Input) []string { return in.ec2("elastic-ip", nil, "*") }, "AllocateAddress"),
	each(func(in Input) []string { return in.ec2("elastic-ip", nil, in.text("AllocationId")) }, "ReleaseAddress"),
	each(func(in Input) []string {
		return append(in.ec2("elastic-ip", nil, in.text("AllocationId")), in.ec2("network-interface", nil, in.text("NetworkInterfaceId"))...)
	}, "AssociateAddress"),
	each(Input.associated, "DisassociateAddress"),
	each(func(in Input) []string {
		return append(in.ec2("natgateway", nil, "*"),
			append(in.ec2("subnet", nil, in.text("SubnetId")), in.ec2("elastic-ip", nil, in.text("AllocationId"))...)...)
	}, "CreateNatGateway"),
	each(func(in Input) []string { return in.ec2("natgateway", nil, in.text("NatGatewayId")) }, "DeleteNatGateway"),
	each(func(in Input) []string {
		return append(append(in.ec2("vpc-endpoint", nil, "*"), in.ec2("vpc", nil, in.text("VpcId"))...), in.endpointParts()...)
	}, "CreateVpcEndpoint"),
	each(func(in Input) []string {
		return append(in.ec2("vpc-endpoint", nil, in.text("VpcEndpointId")), in.endpointParts()...)
	}, "ModifyVpcEndpoint"),
	each(func(in Input) []string { return in.ec2("vpc-endpoint", in.list("VpcEndpointIds"), "") }, "DeleteVpcEndpoints"),
	each(func(in Input) []string { return in.ec2("prefix-list", nil, "*") }, "CreateManagedPrefixList"),
	each(func(in Input) []string { return in.ec2("prefix-list", nil, in.text("PrefixListId")) },
		"ModifyManagedPrefixList", "DeleteManagedPrefixList", "RestoreManagedPrefixListVersion", "GetManagedPrefixListEntries",
		"GetManagedPrefixListAssociations"),
	each(func(in Input) []string {
		return append(in.ec2("vpc-peering-connection", nil, "*"), in.ec2("vpc", nil, in.text("VpcId"))...)
	}, "CreateVpcPeeringConnection"),
	each(Input.accepted, "AcceptVpcPeeringConnection"),
	each(func(in Input) []string {
		return in.ec2("vpc-peering-connection", nil, in.text("VpcPeeringConnectionId"))
	},
		"RejectVpcPeeringConnection", "DeleteVpcPeeringConnection", "ModifyVpcPeeringConnectionOptions"),
	each(func(in Input) []string { return in.ec2("network-interface", nil, in.text("NetworkInterfaceId")) },
		"AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
)

// endpointParts are the route tables, subnets and security groups that a request
// for a VPC endpoint names.
func (in Input) endpointParts() []string {
	var out []string
	for _, p := range []struct{ kind, member string }{
		{"route-table", "RouteTableIds"}, {"route-table", "AddRouteTableIds"}, {"route-table", "RemoveRouteTableIds"},
		{"subnet", "SubnetIds"}, {"subnet", "AddSubnetIds"}, {"subnet", "RemoveSubnetIds"},
		{"security-group", "SecurityGroupIds"}, {"security-group", "AddSecurityGroupIds"}, {"security-group", "RemoveSecurityGroupIds"},
	} {
		out = append(out, in.ec2(p.kind, in.list(p.member), "")...)
	}
	for _, c := range in.all("SubnetConfigurations") {
		out = append(out, in.ec2("subnet", nil, asText(in.field(c, "SubnetId")))...)
	}
	return out
}

// associated are the address and the interface of the association that a request
// names.
func (in Input) associated() []string {
	allocation, eni := stored.Associated(in.Tx, in.Caller.Account, in.Caller.Region, in.text("AssociationId"))
	return append(in.ec2("elastic-ip", nil, allocation), in.ec2("network-interface", nil, eni)...)
}

// accepted are the connection that a request names and the VPC that it is to.
func (in Input) accepted() []string {
	id := in.text("VpcPeeringConnectionId")
	return append(in.ec2("vpc-peering-connection", nil, id), in.ec2("vpc", nil, stored.Accepter(in.Tx, in.Caller.Account, id))...)
}
