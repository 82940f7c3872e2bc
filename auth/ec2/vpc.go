package ec2

import (
	"reflect"
	"slices"

	"neargate/arn"
	"neargate/auth/operation"
	"neargate/auth/policy"
	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
)

// vpcResources are those of operations on VPCs and their parts.
var vpcResources = operation.Merge(
	operation.Each(func(in Request) []string { return in.arns("vpc", nil, "*") }, "CreateVpc"),
	operation.Each(func(in Request) []string { return in.arns("vpc", nil, in.text("VpcId")) },
		"DeleteVpc", "ModifyVpcAttribute", "ModifyVpcTenancy", "AssociateVpcCidrBlock", "GetSecurityGroupsForVpc"),
	operation.Each(Request.withRange, "DisassociateVpcCidrBlock"),
	operation.Each(func(in Request) []string { return in.inVpc("subnet", "*") }, "CreateSubnet"),
	operation.Each(func(in Request) []string { return in.arns("subnet", nil, in.text("SubnetId")) }, "DeleteSubnet", "ModifySubnetAttribute"),
	operation.Each(func(in Request) []string { return in.arns("dhcp-options", nil, "*") }, "CreateDhcpOptions"),
	operation.Each(func(in Request) []string { return in.arns("dhcp-options", nil, in.text("DhcpOptionsId")) }, "DeleteDhcpOptions"),
	operation.Each(func(in Request) []string { return in.inVpc("dhcp-options", in.text("DhcpOptionsId")) }, "AssociateDhcpOptions"),
	operation.Each(func(in Request) []string { return in.arns("internet-gateway", nil, "*") }, "CreateInternetGateway"),
	operation.Each(func(in Request) []string { return in.arns("internet-gateway", nil, in.text("InternetGatewayId")) }, "DeleteInternetGateway"),
	operation.Each(func(in Request) []string { return in.inVpc("internet-gateway", in.text("InternetGatewayId")) },
		"AttachInternetGateway", "DetachInternetGateway"),
	operation.Each(func(in Request) []string { return in.inVpc("route-table", "*") }, "CreateRouteTable"),
	operation.Each(func(in Request) []string { return in.arns("route-table", nil, in.text("RouteTableId")) },
		"DeleteRouteTable", "CreateRoute", "ReplaceRoute", "DeleteRoute"),
	operation.Each(func(in Request) []string {
		return append(in.arns("route-table", nil, in.text("RouteTableId")), in.arns("subnet", nil, in.text("SubnetId"))...)
	}, "AssociateRouteTable"),
	operation.Each(Request.routedBy, "DisassociateRouteTable", "ReplaceRouteTableAssociation"),
	operation.Each(func(in Request) []string { return in.inVpc("network-acl", "*") }, "CreateNetworkAcl"),
	operation.Each(func(in Request) []string { return in.arns("network-acl", nil, in.text("NetworkAclId")) },
		"DeleteNetworkAcl", "CreateNetworkAclEntry", "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry"),
	operation.Each(Request.filteredBy, "ReplaceNetworkAclAssociation"),
)

// inVpc are the ARNs of a resource and of the VPC that the request names.
func (in Request) inVpc(kind, id string) []string {
	return append(in.arns(kind, nil, id), in.arns("vpc", nil, in.text("VpcId"))...)
}

// withRange is the ARN of the VPC that has a range of addresses by an association.
func (in Request) withRange() []string {
	id := in.text("AssociationId")
	for v, err := range tables.Vpcs.List(in.Tx, in.Account, in.Region) {
		if err != nil {
			return nil
		}
		if v.CIDRAssociation == id || slices.ContainsFunc(v.Secondary, func(b network.CIDRBlock) bool { return b.Association == id }) {
			return in.arns("vpc", nil, v.ID)
		}
	}
	return nil
}

// routedBy are the ARNs of the route table and the subnet of an association, and of
// the route table that shall take its place.
func (in Request) routedBy() []string {
	out := in.arns("route-table", nil, in.text("RouteTableId"))
	for t, err := range tables.RouteTables.List(in.Tx, in.Account, in.Region) {
		if err != nil {
			return out
		}
		for _, a := range t.Associations {
			if a.ID == in.text("AssociationId") {
				return append(append(out, in.arns("route-table", nil, t.ID)...), in.arns("subnet", nil, a.Subnet)...)
			}
		}
	}
	return out
}

// filteredBy are the ARNs of the network ACL and the subnet of an association, and
// of the ACL that shall take its place.
func (in Request) filteredBy() []string {
	out := in.arns("network-acl", nil, in.text("NetworkAclId"))
	for l, err := range tables.NetworkAcls.List(in.Tx, in.Account, in.Region) {
		if err != nil {
			return out
		}
		for _, a := range l.Associations {
			if a.ID == in.text("AssociationId") {
				return append(append(out, in.arns("network-acl", nil, l.ID)...), in.arns("subnet", nil, a.Subnet)...)
			}
		}
	}
	return out
}

// Keys sets the condition keys of Amazon EC2 and, from tags given at a creation,
// those of the request's tags.
func (in Request) Keys(keys policy.Context) {
	keys.Set("ec2:Region", in.Region)
	if vpc := in.vpcOf(); vpc != "" {
		keys.Set("ec2:VpcID", vpc)
		keys.Set("ec2:Vpc", arn.New("ec2", in.Region, in.Account, "vpc/"+vpc))
	}
	var names []string
	for _, spec := range in.all("TagSpecifications") {
		tags := operation.Field(spec, "Tags")
		for i := range count(tags) {
			key := operation.Text(operation.Field(tags.Index(i), "Key"))
			names = append(names, key)
			keys.Set("aws:RequestTag/"+key, operation.Text(operation.Field(tags.Index(i), "Value")))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		keys.Set("aws:TagKeys", names...)
	}
}

// count is how many elements a list has, if it is one.
func count(list reflect.Value) int {
	if list.Kind() != reflect.Slice {
		return 0
	}
	return list.Len()
}

// vpcOf is the id of the VPC that a request is about: the one it names, or that of
// a part it names.
func (in Request) vpcOf() string {
	if id := in.text("VpcId"); id != "" {
		return id
	}
	if r, ok := find(in, tables.Subnets, "SubnetId"); ok {
		return r.Vpc
	}
	if r, ok := find(in, tables.RouteTables, "RouteTableId"); ok {
		return r.Vpc
	}
	if r, ok := find(in, tables.NetworkAcls, "NetworkAclId"); ok {
		return r.Vpc
	}
	if r, ok := find(in, tables.SecurityGroups, "GroupId"); ok {
		return r.Vpc
	}
	r, _ := find(in, tables.NetworkInterfaces, "NetworkInterfaceId")
	return r.Vpc
}

// find is the caller's record whose id a member of the request is.
func find[R any](in Request, table store.Table[R], member string) (r R, ok bool) {
	id := in.text(member)
	if id == "" {
		return r, false
	}
	r, ok, err := table.Find(in.Tx, in.Account, in.Region, id)
	return r, ok && err == nil
}

// Tagging is the permission to tag what an operation creates with tags.
func (in Request) Tagging(name string) []Permission {
	var out []Permission
	for _, spec := range in.all("TagSpecifications") {
		tags := operation.Field(spec, "Tags")
		if count(tags) == 0 {
			continue
		}
		keys := policy.Context{}
		in.Keys(keys)
		keys.Set("ec2:CreateAction", name)
		out = append(out, Permission{"ec2:CreateTags", in.arns(operation.Text(operation.Field(spec, "ResourceType")), nil, "*"), keys})
	}
	return out
}
