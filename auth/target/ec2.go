package target

import (
	"strings"

	"neargate/arn"
	"neargate/auth/target/tagged"
	"neargate/resource/identity"
	"neargate/store/tables"
)

// ec2Rules are those of Amazon EC2.
var ec2Rules = rules{
	tags:    Input.ec2Tags,
	context: Input.ec2Keys,
	also: func(in Input, operation string) []Target {
		return append(in.ec2Tagging(operation), in.flowUses(operation)...)
	},
	resources: merge(edgeResources,
		each(func(in Input) []string { return in.ec2("security-group", in.list("GroupIds"), in.text("GroupId")) },
			"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress",
			"RevokeSecurityGroupIngress", "DeleteSecurityGroup", "ModifySecurityGroupRules",
			"UpdateSecurityGroupRuleDescriptionsEgress", "UpdateSecurityGroupRuleDescriptionsIngress"),
		each(func(in Input) []string {
			return append(in.ec2("security-group", nil, "*"), in.ec2("vpc", nil, in.text("VpcId"))...)
		}, "CreateSecurityGroup"),
		each(func(in Input) []string { return in.ec2("network-interface", nil, in.text("NetworkInterfaceId")) },
			"DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute"),
		each(func(in Input) []string {
			return append(in.ec2("network-interface", nil, "*"), in.ec2("subnet", nil, in.text("SubnetId"))...)
		}, "CreateNetworkInterface"),
		each(func(in Input) []string {
			var out []string
			for _, id := range in.list("Resources") {
				out = append(out, arn.New("ec2", in.Caller.Region, in.Caller.Account, ec2Type(id)+"/"+id))
			}
			return out
		}, "CreateTags", "DeleteTags"),
		vpcResources,
		groupResources,
		insightResources,
		flowResources,
	),
}

// ec2Type is the resource type in the ARN of an EC2 id.
func ec2Type(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	if t, ok := map[string]string{
		"sg": "security-group", "sgr": "security-group-rule", "eni": "network-interface", "rtb": "route-table",
		"igw": "internet-gateway", "acl": "network-acl", "dopt": "dhcp-options", "vpc": "vpc", "subnet": "subnet",
		"eipalloc": "elastic-ip", "nat": "natgateway", "eigw": "egress-only-internet-gateway", "vpce": "vpc-endpoint", "pl": "prefix-list",
		"pcx": "vpc-peering-connection", "fl": "vpc-flow-log",
		"nip": "network-insights-path", "nia": "network-insights-analysis",
		"scr": "subnet-cidr-reservation",
	}[prefix]; ok {
		return t
	}
	return "*"
}

func (in Input) ec2(kind string, ids []string, id string) []string {
	if id != "" {
		ids = append(ids, id)
	}
	var out []string
	for _, id := range ids {
		out = append(out, arn.New("ec2", in.Caller.Region, in.Caller.Account, kind+"/"+id))
	}
	return out
}

// ec2Tags are the tags of an EC2 resource.
func (in Input) ec2Tags(resource string) ([]identity.Tag, error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return nil, nil
	}
	_, id, _ := strings.Cut(a.Resource, "/")
	switch prefix, _, _ := strings.Cut(id, "-"); prefix {
	case "vpc":
		r, _, err := tables.Vpcs.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "subnet":
		r, _, err := tables.Subnets.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "sg":
		r, _, err := tables.SecurityGroups.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "sgr":
		r, _, err := tables.SecurityGroupRules.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "eni":
		r, _, err := tables.NetworkInterfaces.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "rtb":
		r, _, err := tables.RouteTables.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "igw":
		r, _, err := tables.InternetGateways.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "acl":
		r, _, err := tables.NetworkAcls.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "dopt":
		r, _, err := tables.DhcpOptions.Find(in.Tx, a.Account, a.Region, id)
		return tagged.Of(r.Tags), err
	case "nip", "nia":
		return in.insightTags(a, prefix, id)
	default:
		return in.edgeTags(a, prefix, id)
	}
}
