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

// peering are the members of a permission that speak of groups in other VPCs.
var peering = []string{
	"IpPermissions.UserIdGroupPairs.VpcPeeringConnectionId", "IpPermissions.UserIdGroupPairs.PeeringStatus",
	"IpPermissions.UserIdGroupPairs.VpcId",
}

// refused lists the request members that ask for something not built, by request
// type; a dotted path reaches into structures and list elements.
var refused = map[string][]string{
	"AuthorizeSecurityGroupIngressInput":              peering,
	"RevokeSecurityGroupIngressInput":                 peering,
	"UpdateSecurityGroupRuleDescriptionsEgressInput":  peering,
	"UpdateSecurityGroupRuleDescriptionsIngressInput": peering,
	"AuthorizeSecurityGroupEgressInput": append([]string{
		"CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
	}, peering...),
	"RevokeSecurityGroupEgressInput": append([]string{
		"CidrIp", "FromPort", "IpProtocol", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort",
	}, peering...),
	"CreateNetworkInterfaceInput": {
		"ConnectionTrackingSpecification", "EnablePrimaryIpv6", "Ipv4PrefixCount", "Ipv4Prefixes",
		"Ipv6AddressCount", "Ipv6Addresses", "Ipv6PrefixCount", "Ipv6Prefixes", "Operator",
	},
	"ModifyNetworkInterfaceAttributeInput": {
		"AssociatePublicIpAddress", "AssociatedSubnetIds", "ConnectionTrackingSpecification", "EnaSrdSpecification",
		"EnablePrimaryIpv6", "Attachment.DefaultEnaQueueCount", "Attachment.EnaQueueCount",
	},
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
			return shape.Errorf("UnsupportedOperation", "The parameter %s is not supported.", path)
		}
	}
	return nil
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
