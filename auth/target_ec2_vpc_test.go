package auth

import (
	"testing"

	"neargate/resource/identity"
	"neargate/resource/network"
	"neargate/resource/network/grant"
	"neargate/store/tables"
	"neargate/store/tables/edges"
)

// TestVpcPermissions decides about calls that build VPCs by policies that name
// what they are about.
func TestVpcPermissions(t *testing.T) {
	type tag struct{ Key, Value *string }
	type spec struct {
		ResourceType *string
		Tags         []tag
	}
	type part struct {
		VpcId, SubnetId, RouteTableId, NetworkAclId, InternetGatewayId, AssociationId    *string
		NetworkInterfaceId, AwsAccountId, Permission, GatewayId, ServiceId, AllocationId *string
		TagSpecifications                                                                []spec
	}
	const here = `arn:aws:ec2:us-east-1:123456789012:`
	allow := func(action, resource, condition string) string {
		return `{"Effect":"Allow","Action":"` + action + `","Resource":` + resource + `,"Condition":{` + condition + `}}`
	}
	dev := []spec{{new("subnet"), []tag{{new("stage"), new("dev")}}}}
	for _, tt := range []struct {
		name, statements string
		operation        string
		in               part
		want             bool
	}{
		{"a table", allow("ec2:DeleteRouteTable", `"`+here+`route-table/rtb-1"`, ""), "DeleteRouteTable", part{RouteTableId: new("rtb-1")}, true},
		{"another table", allow("ec2:DeleteRouteTable", `"`+here+`route-table/rtb-1"`, ""), "DeleteRouteTable", part{RouteTableId: new("rtb-2")}, false},
		{"a table of a VPC", allow("ec2:CreateRoute", `"*"`, `"ArnEquals":{"ec2:Vpc":"`+here+`vpc/vpc-1"}`), "CreateRoute", part{RouteTableId: new("rtb-1")}, true},
		{"a table of another VPC", allow("ec2:CreateRoute", `"*"`, `"ArnEquals":{"ec2:Vpc":"`+here+`vpc/vpc-1"}`), "CreateRoute", part{RouteTableId: new("rtb-2")}, false},
		{"gateway but not VPC", allow("ec2:AttachInternetGateway", `"`+here+`internet-gateway/*"`, ""), "AttachInternetGateway", part{VpcId: new("vpc-1"), InternetGatewayId: new("igw-1")}, false},
		{"gateway and VPC", allow("ec2:AttachInternetGateway", `["`+here+`internet-gateway/*","`+here+`vpc/vpc-1"]`, ""), "AttachInternetGateway", part{VpcId: new("vpc-1"), InternetGatewayId: new("igw-1")}, true},
		{"association's table and subnet", allow("ec2:DisassociateRouteTable", `["`+here+`route-table/rtb-1","`+here+`subnet/subnet-1"]`, ""), "DisassociateRouteTable", part{AssociationId: new("rtbassoc-1")}, true},
		{"association's table only", allow("ec2:DisassociateRouteTable", `"`+here+`route-table/rtb-1"`, ""), "DisassociateRouteTable", part{AssociationId: new("rtbassoc-1")}, false},
		{"both tables of a replacement", allow("ec2:ReplaceRouteTableAssociation", `["`+here+`route-table/rtb-2","`+here+`subnet/subnet-1"]`, ""), "ReplaceRouteTableAssociation", part{AssociationId: new("rtbassoc-1"), RouteTableId: new("rtb-2")}, false},
		{"both ACLs of a replacement", allow("ec2:ReplaceNetworkAclAssociation", `["`+here+`network-acl/*","`+here+`subnet/subnet-1"]`, ""), "ReplaceNetworkAclAssociation", part{AssociationId: new("aclassoc-1"), NetworkAclId: new("acl-2")}, true},
		{"range of a VPC", allow("ec2:DisassociateVpcCidrBlock", `"`+here+`vpc/vpc-1"`, ""), "DisassociateVpcCidrBlock", part{AssociationId: new("vpc-cidr-assoc-2")}, true},
		{"range of no VPC", allow("ec2:DisassociateVpcCidrBlock", `"`+here+`vpc/vpc-1"`, ""), "DisassociateVpcCidrBlock", part{AssociationId: new("vpc-cidr-assoc-3")}, false},
		{"tags without CreateTags", allow("ec2:CreateSubnet", `"*"`, ""), "CreateSubnet", part{VpcId: new("vpc-1"), TagSpecifications: dev}, false},
		{"tags at this creation", allow("ec2:CreateSubnet", `"*"`, "") + "," + allow("ec2:CreateTags", `"`+here+`subnet/*"`, `"StringEquals":{"ec2:CreateAction":"CreateSubnet"}`), "CreateSubnet", part{VpcId: new("vpc-1"), TagSpecifications: dev}, true},
		{"tags at another creation", allow("ec2:CreateSubnet", `"*"`, "") + "," + allow("ec2:CreateTags", `"*"`, `"StringEquals":{"ec2:CreateAction":"CreateVpc"}`), "CreateSubnet", part{VpcId: new("vpc-1"), TagSpecifications: dev}, false},
		{"the tags asked for", allow("ec2:*", `"*"`, `"StringEquals":{"aws:RequestTag/stage":"dev"},"ForAllValues:StringEquals":{"aws:TagKeys":["stage"]}`), "CreateSubnet", part{VpcId: new("vpc-1"), TagSpecifications: dev}, true},
		{"other tags", allow("ec2:*", `"*"`, `"StringEquals":{"aws:RequestTag/stage":"prod"}`), "CreateSubnet", part{VpcId: new("vpc-1"), TagSpecifications: dev}, false},
		{"a permission", allow("ec2:CreateNetworkInterfacePermission", `"`+here+`network-interface/eni-1"`, `"StringEquals":{"ec2:Permission":"EIP-ASSOCIATE"},"ArnEquals":{"ec2:AuthorizedUser":"arn:aws:iam::210987654321:root"}`), "CreateNetworkInterfacePermission", part{NetworkInterfaceId: new("eni-1"), AwsAccountId: new("210987654321"), Permission: new("EIP-ASSOCIATE")}, true},
		{"a permission for another", allow("ec2:*", `"*"`, `"ArnEquals":{"ec2:AuthorizedUser":"arn:aws:iam::210987654321:root"}`), "CreateNetworkInterfacePermission", part{NetworkInterfaceId: new("eni-1"), AwsAccountId: new("333333333333"), Permission: new("EIP-ASSOCIATE")}, false},
		{"another permission", allow("ec2:*", `"*"`, `"StringEquals":{"ec2:Permission":"EIP-ASSOCIATE"}`), "CreateNetworkInterfacePermission", part{NetworkInterfaceId: new("eni-1"), AwsAccountId: new("210987654321"), Permission: new("INSTANCE-ATTACH")}, false},
		{"an interface of an account that lets one", allow("ec2:AssociateAddress", `["`+here+`elastic-ip/*","arn:aws:ec2:us-east-1:210987654321:network-interface/eni-9"]`, ""), "AssociateAddress", part{AllocationId: new("eipalloc-1"), NetworkInterfaceId: new("eni-9")}, true},
		{"only interfaces of one's own", allow("ec2:AssociateAddress", `["`+here+`elastic-ip/*","`+here+`network-interface/*"]`, ""), "AssociateAddress", part{AllocationId: new("eipalloc-1"), NetworkInterfaceId: new("eni-9")}, false},
		{"an interface of one's own", allow("ec2:AssociateAddress", `["`+here+`elastic-ip/*","`+here+`network-interface/eni-1"]`, ""), "AssociateAddress", part{AllocationId: new("eipalloc-1"), NetworkInterfaceId: new("eni-1")}, true},
		{"a reverse name", allow("ec2:ModifyAddressAttribute", `"`+here+`elastic-ip/eipalloc-1"`, ""), "ModifyAddressAttribute", part{AllocationId: new("eipalloc-1")}, true},
		{"another's reverse name", allow("ec2:ResetAddressAttribute", `"`+here+`elastic-ip/eipalloc-1"`, ""), "ResetAddressAttribute", part{AllocationId: new("eipalloc-2")}, false},
		{"propagation into a table", allow("ec2:EnableVgwRoutePropagation", `["`+here+`route-table/rtb-1","`+here+`vpn-gateway/*"]`, ""), "EnableVgwRoutePropagation", part{RouteTableId: new("rtb-1"), GatewayId: new("vgw-1")}, true},
		{"propagation without the gateway", allow("ec2:DisableVgwRoutePropagation", `"`+here+`route-table/rtb-1"`, ""), "DisableVgwRoutePropagation", part{RouteTableId: new("rtb-1"), GatewayId: new("vgw-1")}, false},
		{"a service's connections", allow("ec2:RejectVpcEndpointConnections", `"`+here+`vpc-endpoint-service/vpce-svc-1"`, ""), "RejectVpcEndpointConnections", part{ServiceId: new("vpce-svc-1")}, true},
		{"no tags", allow("ec2:CreateSubnet", `["`+here+`subnet/*","`+here+`vpc/vpc-1"]`, ""), "CreateSubnet", part{VpcId: new("vpc-1")}, true},
	} {
		w := newWorld(t, identity.Grants{Inline: []identity.Inline{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[` + tt.statements + `]}`}}})
		own := func(id, vpc string) network.RouteTable {
			return network.RouteTable{Account: account, Region: "us-east-1", ID: id, Vpc: vpc}
		}
		one, two := own("rtb-1", "vpc-1"), own("rtb-2", "vpc-2")
		one.Associations = []network.RouteTableAssociation{{ID: "rtbassoc-1", Subnet: "subnet-1"}}
		put(t, w.store, tables.RouteTables, &one, &two)
		put(t, w.store, tables.NetworkAcls, &network.NetworkAcl{Account: account, Region: "us-east-1", ID: "acl-1", Vpc: "vpc-1",
			Associations: []network.NetworkAclAssociation{{ID: "aclassoc-1", Subnet: "subnet-1"}}})
		put(t, w.store, tables.Vpcs, &network.Vpc{Account: account, Region: "us-east-1", ID: "vpc-1", CIDRAssociation: "vpc-cidr-assoc-1",
			Secondary: []network.CIDRBlock{{Association: "vpc-cidr-assoc-2", CIDR: "10.1.0.0/16"}}})
		put(t, w.store, edges.Permissions, &grant.Permission{Account: "210987654321", Region: "us-east-1", ID: "eni-perm-1", Interface: "eni-9",
			Grantee: account, Type: grant.Associate})
		cred, err := w.Lookup(t.Context(), w.alice.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		cred.Caller.Region = "us-east-1"
		if err := w.Authorize(t.Context(), cred.Caller, Call{"ec2", tt.operation, &tt.in}); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
