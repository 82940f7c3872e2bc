package target

import (
	"slices"

	"neargate/arn"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
	"neargate/store/tables/edges"
)

// edgeResources are those of operations on what leads out of a VPC.
var edgeResources = merge(
	each(func(in Input) []string { return in.ec2("elastic-ip", nil, "*") }, "AllocateAddress"),
	each(func(in Input) []string { return in.ec2("elastic-ip", nil, in.text("AllocationId")) }, "ReleaseAddress"),
	each(func(in Input) []string {
		return append(in.ec2("elastic-ip", nil, in.text("AllocationId")), in.interfaceFor("EIP-ASSOCIATE")...)
	}, "AssociateAddress"),
	each(Input.associated, "DisassociateAddress"),
	each(func(in Input) []string {
		return append(in.ec2("natgateway", nil, "*"),
			append(in.ec2("subnet", nil, in.text("SubnetId")), in.ec2("elastic-ip", in.list("SecondaryAllocationIds"), in.text("AllocationId"))...)...)
	}, "CreateNatGateway"),
	each(func(in Input) []string { return in.ec2("natgateway", nil, in.text("NatGatewayId")) },
		"DeleteNatGateway", "AssignPrivateNatGatewayAddress", "UnassignPrivateNatGatewayAddress"),
	each(func(in Input) []string {
		return append(in.ec2("natgateway", nil, in.text("NatGatewayId")), in.ec2("elastic-ip", in.list("AllocationIds"), "")...)
	}, "AssociateNatGatewayAddress"),
	each(Input.associatedNat, "DisassociateNatGatewayAddress"),
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
		"AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "AssignIpv6Addresses", "UnassignIpv6Addresses"),
	each(func(in Input) []string {
		return append(in.ec2("egress-only-internet-gateway", nil, "*"), in.ec2("vpc", nil, in.text("VpcId"))...)
	}, "CreateEgressOnlyInternetGateway"),
	each(func(in Input) []string {
		return in.ec2("egress-only-internet-gateway", nil, in.text("EgressOnlyInternetGatewayId"))
	}, "DeleteEgressOnlyInternetGateway"),
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
	id := in.text("AssociationId")
	for a, err := range edges.ElasticIPs.List(in.Tx, in.Caller.Account, in.Caller.Region) {
		if err == nil && id != "" && a.Association == id {
			return append(in.ec2("elastic-ip", nil, a.ID), arn.New("ec2", a.Region, a.Holder(), "network-interface/"+a.ENI))
		}
	}
	return nil
}

// associatedNat are the gateway that a request names and the addresses of the
// associations that it names.
func (in Input) associatedNat() []string {
	out := in.ec2("natgateway", nil, in.text("NatGatewayId"))
	g, _, err := edges.NatGateways.Find(in.Tx, in.Caller.Account, in.Caller.Region, in.text("NatGatewayId"))
	for _, a := range g.Addresses {
		if err == nil && a.Association != "" && slices.Contains(in.list("AssociationIds"), a.Association) {
			out = append(out, in.ec2("elastic-ip", nil, a.Allocation)...)
		}
	}
	return out
}

// accepted are the connection that a request names and the VPC that it is to.
func (in Input) accepted() []string {
	id := in.text("VpcPeeringConnectionId")
	out := in.ec2("vpc-peering-connection", nil, id)
	if p, ok, err := edges.Peerings.Find(in.Tx, id); err == nil && ok && p.Accepter.Account == in.Caller.Account {
		out = append(out, in.ec2("vpc", nil, p.Accepter.Vpc)...)
	}
	return out
}

// edgeTags are the tags of what leads out of a VPC, by the prefix of its id.
func (in Input) edgeTags(a arn.ARN, prefix, id string) ([]identity.Tag, error) {
	switch prefix {
	case "eipalloc":
		r, _, err := edges.ElasticIPs.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "nat":
		r, _, err := edges.NatGateways.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "eigw":
		r, _, err := edges.EgressOnlyGateways.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "vpce":
		r, _, err := edges.Endpoints.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "pl":
		r, _, err := edges.PrefixLists.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "fl":
		r, _, err := edges.FlowLogs.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "pcx":
		r, ok, err := edges.Peerings.Find(in.Tx, id)
		switch {
		case !ok || err != nil:
			return nil, err
		case r.Requester.Account == a.Account && r.Requester.Region == a.Region:
			return tagged.Of(r.Tags), nil
		case r.Accepter.Account == a.Account && r.Accepter.Region == a.Region:
			return tagged.Of(r.AccepterTags), nil
		}
	}
	return nil, nil
}
