package target

import (
	"neargate/arn"
	"neargate/auth/policy"
	"neargate/store/tables/edges"
)

// grantResources are those of operations on permissions on interfaces, on the reverse
// names of addresses, and on what does not exist: virtual private gateways and
// endpoint services of customers.
var grantResources = merge(
	each(func(in Input) []string { return in.ec2("network-interface", nil, in.text("NetworkInterfaceId")) }, granting),
	each(func(in Input) []string { return in.ec2("elastic-ip", nil, in.text("AllocationId")) },
		"ModifyAddressAttribute", "ResetAddressAttribute"),
	each(func(in Input) []string {
		return append(in.ec2("route-table", nil, in.text("RouteTableId")), in.ec2("vpn-gateway", nil, in.text("GatewayId"))...)
	}, "EnableVgwRoutePropagation", "DisableVgwRoutePropagation"),
	each(func(in Input) []string { return in.ec2("vpc-endpoint-service", nil, in.text("ServiceId")) },
		"AcceptVpcEndpointConnections", "RejectVpcEndpointConnections"),
)

// granting is the operation with condition keys of its own.
const granting = "CreateNetworkInterfacePermission"

// grantKeys sets what a permission lets whom do.
func (in Input) grantKeys(operation string, keys policy.Context) {
	if operation != granting {
		return
	}
	if t := in.text("Permission"); t != "" {
		keys.Set("ec2:Permission", t)
	}
	if a := in.text("AwsAccountId"); a != "" {
		keys.Set("ec2:AuthorizedUser", arn.New("iam", "", a, "root"))
	}
}

// interfaceFor is the interface that a request names: the caller's, or one whose owner
// lets the caller do what typ says.
func (in Input) interfaceFor(typ string) []string {
	id := in.text("NetworkInterfaceId")
	if id == "" {
		return nil
	}
	owner := in.Caller.Account
	if p, ok, err := edges.Permitted(in.Tx, owner, in.Caller.Region, id, typ); ok && err == nil {
		owner = p.Account
	}
	return []string{arn.New("ec2", in.Caller.Region, owner, "network-interface/"+id)}
}
