package target

import (
	"reflect"
	"slices"

	"neargate/arn"
	"neargate/auth/policy"
	"neargate/store"
	"neargate/store/tables"
)

// vpcResources are those of operations on VPCs and their parts.
var vpcResources = merge(
	each(func(in Input) []string { return in.ec2("vpc", nil, "*") }, "CreateVpc"),
	each(func(in Input) []string { return in.ec2("vpc", nil, in.text("VpcId")) },
		"DeleteVpc", "ModifyVpcAttribute", "ModifyVpcTenancy", "AssociateVpcCidrBlock", "GetSecurityGroupsForVpc"),
	each(Input.withRange, "DisassociateVpcCidrBlock"),
	each(func(in Input) []string { return in.inVpc("subnet", "*") }, "CreateSubnet"),
	each(func(in Input) []string { return in.ec2("subnet", nil, in.text("SubnetId")) }, "DeleteSubnet", "ModifySubnetAttribute", "AssociateSubnetCidrBlock"),
	each(Input.subnetWithRange, "DisassociateSubnetCidrBlock"),
	each(func(in Input) []string { return in.ec2("dhcp-options", nil, "*") }, "CreateDhcpOptions"),
	each(func(in Input) []string { return in.ec2("dhcp-options", nil, in.text("DhcpOptionsId")) }, "DeleteDhcpOptions"),
	each(func(in Input) []string { return in.inVpc("dhcp-options", in.text("DhcpOptionsId")) }, "AssociateDhcpOptions"),
	each(func(in Input) []string { return in.ec2("internet-gateway", nil, "*") }, "CreateInternetGateway"),
	each(func(in Input) []string { return in.ec2("internet-gateway", nil, in.text("InternetGatewayId")) }, "DeleteInternetGateway"),
	each(func(in Input) []string { return in.inVpc("internet-gateway", in.text("InternetGatewayId")) },
		"AttachInternetGateway", "DetachInternetGateway"),
	each(func(in Input) []string { return in.inVpc("route-table", "*") }, "CreateRouteTable"),
	each(func(in Input) []string { return in.ec2("route-table", nil, in.text("RouteTableId")) },
		"DeleteRouteTable", "CreateRoute", "ReplaceRoute", "DeleteRoute"),
	each(func(in Input) []string {
		return append(in.ec2("route-table", nil, in.text("RouteTableId")), in.ec2("subnet", nil, in.text("SubnetId"))...)
	}, "AssociateRouteTable"),
	each(Input.routedBy, "DisassociateRouteTable", "ReplaceRouteTableAssociation"),
	each(func(in Input) []string { return in.inVpc("network-acl", "*") }, "CreateNetworkAcl"),
	each(func(in Input) []string { return in.ec2("network-acl", nil, in.text("NetworkAclId")) },
		"DeleteNetworkAcl", "CreateNetworkAclEntry", "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry"),
	each(Input.filteredBy, "ReplaceNetworkAclAssociation"),
)

// inVpc are the ARNs of a resource and of the VPC that the request names.
func (in Input) inVpc(kind, id string) []string {
	return append(in.ec2(kind, nil, id), in.ec2("vpc", nil, in.text("VpcId"))...)
}

// withRange is the ARN of the VPC that has a range of addresses by an association.
func (in Input) withRange() []string {
	id := in.text("AssociationId")
	for v, err := range tables.Vpcs.List(in.Tx, in.Caller.Account, in.Caller.Region) {
		if err != nil {
			return nil
		}
		found := v.CIDRAssociation == id
		for _, b := range slices.Concat(v.Secondary, v.IPv6) {
			found = found || b.Association == id
		}
		if found {
			return in.ec2("vpc", nil, v.ID)
		}
	}
	return nil
}

// subnetWithRange is the ARN of the subnet that has a range by an association.
func (in Input) subnetWithRange() []string {
	id := in.text("AssociationId")
	for s, err := range tables.Subnets.List(in.Tx, in.Caller.Account, in.Caller.Region) {
		if err != nil {
			return nil
		}
		for _, b := range s.IPv6 {
			if b.Association == id {
				return in.ec2("subnet", nil, s.ID)
			}
		}
	}
	return nil
}

// routedBy are the ARNs of the route table and the subnet of an association, and of
// the route table that shall take its place.
func (in Input) routedBy() []string {
	out := in.ec2("route-table", nil, in.text("RouteTableId"))
	for t, err := range tables.RouteTables.List(in.Tx, in.Caller.Account, in.Caller.Region) {
		if err != nil {
			return out
		}
		for _, a := range t.Associations {
			if a.ID == in.text("AssociationId") {
				return append(append(out, in.ec2("route-table", nil, t.ID)...), in.ec2("subnet", nil, a.Subnet)...)
			}
		}
	}
	return out
}

// filteredBy are the ARNs of the network ACL and the subnet of an association, and
// of the ACL that shall take its place.
func (in Input) filteredBy() []string {
	out := in.ec2("network-acl", nil, in.text("NetworkAclId"))
	for l, err := range tables.NetworkAcls.List(in.Tx, in.Caller.Account, in.Caller.Region) {
		if err != nil {
			return out
		}
		for _, a := range l.Associations {
			if a.ID == in.text("AssociationId") {
				return append(append(out, in.ec2("network-acl", nil, l.ID)...), in.ec2("subnet", nil, a.Subnet)...)
			}
		}
	}
	return out
}

// ec2Keys sets the condition keys of Amazon EC2 and, from tags given at a creation,
// those of the request's tags.
func (in Input) ec2Keys(operation string, keys policy.Context) {
	keys.Set("ec2:Region", in.Caller.Region)
	in.grantKeys(operation, keys)
	if vpc := in.vpcOf(); vpc != "" {
		keys.Set("ec2:VpcID", vpc)
		keys.Set("ec2:Vpc", arn.New("ec2", in.Caller.Region, in.Caller.Account, "vpc/"+vpc))
	}
	var names []string
	for _, spec := range in.all("TagSpecifications") {
		tags := in.field(spec, "Tags")
		for i := range count(tags) {
			key := asText(in.field(tags.Index(i), "Key"))
			names = append(names, key)
			keys.Set("aws:RequestTag/"+key, asText(in.field(tags.Index(i), "Value")))
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
func (in Input) vpcOf() string {
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
func find[R any](in Input, table store.Table[R], member string) (r R, ok bool) {
	id := in.text(member)
	if id == "" {
		return r, false
	}
	r, ok, err := table.Find(in.Tx, in.Caller.Account, in.Caller.Region, id)
	return r, ok && err == nil
}

// ec2Tagging is the permission to tag what an operation creates with tags.
func (in Input) ec2Tagging(operation string) []Target {
	var out []Target
	for _, spec := range in.all("TagSpecifications") {
		tags := in.field(spec, "Tags")
		if count(tags) == 0 {
			continue
		}
		keys := policy.Context{}
		in.ec2Keys(operation, keys)
		keys.Set("ec2:CreateAction", operation)
		out = append(out, Target{"ec2:CreateTags", in.ec2(asText(in.field(spec, "ResourceType")), nil, "*"), keys})
	}
	return out
}
