package ec2

import (
	"neargate/arn"
	"neargate/auth/operation"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables/edges"
)

// edgeResources are those of operations on what leads out of a VPC.
var edgeResources = operation.Merge(
	operation.Each(func(in Request) []string { return in.arns("elastic-ip", nil, "*") }, "AllocateAddress"),
	operation.Each(func(in Request) []string { return in.arns("elastic-ip", nil, in.text("AllocationId")) }, "ReleaseAddress"),
	operation.Each(func(in Request) []string {
		return append(in.arns("elastic-ip", nil, in.text("AllocationId")), in.arns("network-interface", nil, in.text("NetworkInterfaceId"))...)
	}, "AssociateAddress"),
	operation.Each(Request.associated, "DisassociateAddress"),
	operation.Each(func(in Request) []string {
		return append(in.arns("natgateway", nil, "*"),
			append(in.arns("subnet", nil, in.text("SubnetId")), in.arns("elastic-ip", nil, in.text("AllocationId"))...)...)
	}, "CreateNatGateway"),
	operation.Each(func(in Request) []string { return in.arns("natgateway", nil, in.text("NatGatewayId")) }, "DeleteNatGateway"),
	operation.Each(func(in Request) []string {
		return append(append(in.arns("vpc-endpoint", nil, "*"), in.arns("vpc", nil, in.text("VpcId"))...), in.endpointParts()...)
	}, "CreateVpcEndpoint"),
	operation.Each(func(in Request) []string {
		return append(in.arns("vpc-endpoint", nil, in.text("VpcEndpointId")), in.endpointParts()...)
	}, "ModifyVpcEndpoint"),
	operation.Each(func(in Request) []string { return in.arns("vpc-endpoint", in.list("VpcEndpointIds"), "") }, "DeleteVpcEndpoints"),
	operation.Each(func(in Request) []string { return in.arns("prefix-list", nil, "*") }, "CreateManagedPrefixList"),
	operation.Each(func(in Request) []string { return in.arns("prefix-list", nil, in.text("PrefixListId")) },
		"ModifyManagedPrefixList", "DeleteManagedPrefixList", "RestoreManagedPrefixListVersion", "GetManagedPrefixListEntries",
		"GetManagedPrefixListAssociations"),
	operation.Each(func(in Request) []string {
		return append(in.arns("vpc-peering-connection", nil, "*"), in.arns("vpc", nil, in.text("VpcId"))...)
	}, "CreateVpcPeeringConnection"),
	operation.Each(Request.accepted, "AcceptVpcPeeringConnection"),
	operation.Each(func(in Request) []string {
		return in.arns("vpc-peering-connection", nil, in.text("VpcPeeringConnectionId"))
	},
		"RejectVpcPeeringConnection", "DeleteVpcPeeringConnection", "ModifyVpcPeeringConnectionOptions"),
	operation.Each(func(in Request) []string { return in.arns("network-interface", nil, in.text("NetworkInterfaceId")) },
		"AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
)

// endpointParts are the route tables, subnets and security groups that a request
// for a VPC endpoint names.
func (in Request) endpointParts() []string {
	var out []string
	for _, p := range []struct{ kind, member string }{
		{"route-table", "RouteTableIds"}, {"route-table", "AddRouteTableIds"}, {"route-table", "RemoveRouteTableIds"},
		{"subnet", "SubnetIds"}, {"subnet", "AddSubnetIds"}, {"subnet", "RemoveSubnetIds"},
		{"security-group", "SecurityGroupIds"}, {"security-group", "AddSecurityGroupIds"}, {"security-group", "RemoveSecurityGroupIds"},
	} {
		out = append(out, in.arns(p.kind, in.list(p.member), "")...)
	}
	for _, c := range in.all("SubnetConfigurations") {
		out = append(out, in.arns("subnet", nil, operation.Text(operation.Field(c, "SubnetId")))...)
	}
	return out
}

// associated are the address and the interface of the association that a request
// names.
func (in Request) associated() []string {
	id := in.text("AssociationId")
	for a, err := range edges.ElasticIPs.List(in.Tx, in.Account, in.Region) {
		if err == nil && id != "" && a.Association == id {
			return append(in.arns("elastic-ip", nil, a.ID), in.arns("network-interface", nil, a.ENI)...)
		}
	}
	return nil
}

// accepted are the connection that a request names and the VPC that it is to.
func (in Request) accepted() []string {
	id := in.text("VpcPeeringConnectionId")
	out := in.arns("vpc-peering-connection", nil, id)
	if p, ok, err := edges.Peerings.Find(in.Tx, id); err == nil && ok && p.Accepter.Account == in.Account {
		out = append(out, in.arns("vpc", nil, p.Accepter.Vpc)...)
	}
	return out
}

// edgeTags are the tags of what leads out of a VPC, by the prefix of its id.
func (in Request) edgeTags(a arn.ARN, prefix, id string) ([]identity.Tag, error) {
	switch prefix {
	case "eipalloc":
		r, _, err := edges.ElasticIPs.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "nat":
		r, _, err := edges.NatGateways.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "eigw":
		r, _, err := edges.EgressOnlyGateways.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "vpce":
		r, _, err := edges.Endpoints.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "pl":
		r, _, err := edges.PrefixLists.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "fl":
		r, _, err := edges.FlowLogs.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "pcx":
		r, ok, err := edges.Peerings.Find(in.Tx, id)
		switch {
		case !ok || err != nil:
			return nil, err
		case r.Requester.Account == a.Account && r.Requester.Region == a.Region:
			return operation.Tags(r.Tags), nil
		case r.Accepter.Account == a.Account && r.Accepter.Region == a.Region:
			return operation.Tags(r.AccepterTags), nil
		}
	}
	return nil, nil
}

// EndpointPolicy is the policy of a VPC endpoint; ok is false when there is no such
// endpoint.
func EndpointPolicy(tx store.Tx, account, region, id string) (text string, ok bool, err error) {
	e, ok, err := edges.Endpoints.Find(tx, account, region, id)
	return e.Policy, ok, err
}
