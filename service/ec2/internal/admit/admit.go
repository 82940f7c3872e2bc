// Package admit decides what no operation goes on with: dry runs, and requests
// for something that is not built.
package admit

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"neargate/wire/shape"
)

// ranges are the members that ask for addresses of a pool, or for particular ones of IPv6.
var ranges = []string{
	"Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6CidrBlock", "Ipv6CidrBlockNetworkBorderGroup", "Ipv6IpamPoolId",
	"Ipv6NetmaskLength", "Ipv6Pool",
}

// targets are the members of a route that lead to what does not exist here.
var targets = []string{
	"CarrierGatewayId", "CoreNetworkArn", "InstanceId",
	"LocalGatewayId", "OdbNetworkArn", "TransitGatewayId",
}

// refused lists the request members that ask for something not built, by request
// type; a dotted path reaches into structures and list elements.
var refused = map[string][]string{
	"AuthorizeSecurityGroupEgressInput": {
		"CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
	},
	"RevokeSecurityGroupEgressInput": {
		"CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
	},
	"CreateNetworkInterfaceInput": {
		"ConnectionTrackingSpecification", "EnablePrimaryIpv6", "Ipv4PrefixCount", "Ipv4Prefixes",
		"Ipv6Addresses.IsPrimaryIpv6", "Ipv6PrefixCount", "Ipv6Prefixes", "Operator",
	},
	"ModifyNetworkInterfaceAttributeInput": {
		"AssociatePublicIpAddress", "AssociatedSubnetIds", "ConnectionTrackingSpecification", "EnaSrdSpecification",
		"EnablePrimaryIpv6", "Attachment.DefaultEnaQueueCount", "Attachment.EnaQueueCount",
	},
	"CreateVpcInput":             append([]string{"VpcEncryptionControl"}, ranges...),
	"AssociateVpcCidrBlockInput": ranges,
	"CreateSubnetInput": {
		"Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength", "OutpostArn",
	},
	"AssociateSubnetCidrBlockInput": {"Ipv6IpamPoolId", "Ipv6NetmaskLength"},
	"AssignIpv6AddressesInput":      {"Ipv6PrefixCount", "Ipv6Prefixes"},
	"UnassignIpv6AddressesInput":    {"Ipv6Prefixes"},
	"ModifySubnetAttributeInput": {
		"CustomerOwnedIpv4Pool", "DisableLniAtDeviceIndex", "EnableLniAtDeviceIndex", "MapCustomerOwnedIpOnLaunch",
	},
	"StartNetworkInsightsAnalysisInput": {
		"AdditionalAccounts",
	},
	"AssociateRouteTableInput": {"GatewayId", "PublicIpv4Pool"},
	"CreateRouteInput":         targets,
	"ReplaceRouteInput":        targets,
}

// Refused lists the members of the request type that are refused.
func Refused(typ string) []string { return append(slices.Clone(refused[typ]), refusedEdge[typ]...) }

// Check is the first check of every operation: a dry run ends here, and members
// that ask for something not built are refused. in points to the request.
func Check(in any) error {
	v := reflect.ValueOf(in).Elem()
	if dry := v.FieldByName("DryRun"); dry.IsValid() && !dry.IsNil() && dry.Elem().Bool() {
		return shape.NewError("DryRunOperation", http.StatusPreconditionFailed,
			"Request would have succeeded, but DryRun flag is set.")
	}
	for _, path := range Refused(v.Type().Name()) {
		if given(v, strings.Split(path, ".")) {
			return Unsupported(path)
		}
	}
	return nil
}

// Unsupported refuses a member of a request that asks for something not built.
func Unsupported(path string) error {
	return shape.Errorf("UnsupportedOperation", "The parameter %s is not supported.", path)
}

// given reports whether the member at the path has a value.
func given(v reflect.Value, path []string) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && (len(path) == 0 || given(v.Elem(), path))
	case reflect.Slice:
		for i := range v.Len() {
			if len(path) == 0 || given(v.Index(i), path) {
				return true
			}
		}
		return false
	}
	return given(v.FieldByName(path[0]), path[1:])
}
