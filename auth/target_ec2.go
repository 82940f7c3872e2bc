package auth

import (
	"strings"

	"neargate/arn"
)

// ec2Rules are those of Amazon EC2.
var ec2Rules = rules{
	resources: merge(
		each(func(in input) []string { return in.ec2("security-group", in.list("GroupIds"), in.text("GroupId")) },
			"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress",
			"RevokeSecurityGroupIngress", "DeleteSecurityGroup", "ModifySecurityGroupRules",
			"UpdateSecurityGroupRuleDescriptionsEgress", "UpdateSecurityGroupRuleDescriptionsIngress"),
		each(func(in input) []string {
			return append(in.ec2("security-group", nil, "*"), in.ec2("vpc", nil, in.text("VpcId"))...)
		}, "CreateSecurityGroup"),
		each(func(in input) []string { return in.ec2("network-interface", nil, in.text("NetworkInterfaceId")) },
			"DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute"),
		each(func(in input) []string {
			return append(in.ec2("network-interface", nil, "*"), in.ec2("subnet", nil, in.text("SubnetId"))...)
		}, "CreateNetworkInterface"),
		each(func(in input) []string {
			var out []string
			for _, id := range in.list("Resources") {
				out = append(out, arn.New("ec2", in.caller.Region, in.caller.Account, ec2Type(id)+"/"+id))
			}
			return out
		}, "CreateTags", "DeleteTags"),
	),
}

// ec2Type is the resource type in the ARN of an EC2 id.
func ec2Type(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	if t, ok := map[string]string{
		"sg": "security-group", "sgr": "security-group-rule", "eni": "network-interface", "rtb": "route-table",
		"igw": "internet-gateway", "acl": "network-acl", "dopt": "dhcp-options", "vpc": "vpc", "subnet": "subnet",
	}[prefix]; ok {
		return t
	}
	return "*"
}

func (in input) ec2(kind string, ids []string, id string) []string {
	if id != "" {
		ids = append(ids, id)
	}
	var out []string
	for _, id := range ids {
		out = append(out, arn.New("ec2", in.caller.Region, in.caller.Account, kind+"/"+id))
	}
	return out
}
