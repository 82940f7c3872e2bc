// Package ec2 says what calls of Amazon EC2 need permission for. Source: AWS
// Service Authorization Reference.
package ec2

import (
	"reflect"
	"strings"

	"neargate/arn"
	"neargate/auth/operation"
	"neargate/auth/policy"
	"neargate/resource/identity"
	"neargate/store"
	"neargate/store/tables"
)

// Request is a call of Amazon EC2.
type Request struct {
	Input           reflect.Value // a structure
	Account, Region string        // of the caller
	Tx              store.Tx
}

func (in Request) text(name string) string { return operation.Text(operation.Field(in.Input, name)) }

func (in Request) list(name string) []string { return operation.List(in.Input, name) }

func (in Request) all(name string) []reflect.Value { return operation.All(in.Input, name) }

// Permission is what a call needs besides the permission for itself.
type Permission struct {
	Action    string
	Resources []string
	Context   policy.Context
}

// Resources gives the ARNs an operation is about; operations left out are about
// "*".
var Resources = operation.Merge(edgeResources,
	operation.Each(func(in Request) []string { return in.arns("security-group", in.list("GroupIds"), in.text("GroupId")) },
		"AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress",
		"RevokeSecurityGroupIngress", "DeleteSecurityGroup", "ModifySecurityGroupRules",
		"UpdateSecurityGroupRuleDescriptionsEgress", "UpdateSecurityGroupRuleDescriptionsIngress"),
	operation.Each(func(in Request) []string {
		return append(in.arns("security-group", nil, "*"), in.arns("vpc", nil, in.text("VpcId"))...)
	}, "CreateSecurityGroup"),
	operation.Each(func(in Request) []string { return in.arns("network-interface", nil, in.text("NetworkInterfaceId")) },
		"DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute"),
	operation.Each(func(in Request) []string {
		return append(in.arns("network-interface", nil, "*"), in.arns("subnet", nil, in.text("SubnetId"))...)
	}, "CreateNetworkInterface"),
	operation.Each(func(in Request) []string {
		var out []string
		for _, id := range in.list("Resources") {
			out = append(out, arn.New("ec2", in.Region, in.Account, ec2Type(id)+"/"+id))
		}
		return out
	}, "CreateTags", "DeleteTags"),
	vpcResources,
	insightResources,
)

// ec2Type is the resource type in the ARN of an EC2 id.
func ec2Type(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	if t, ok := map[string]string{
		"sg": "security-group", "sgr": "security-group-rule", "eni": "network-interface", "rtb": "route-table",
		"igw": "internet-gateway", "acl": "network-acl", "dopt": "dhcp-options", "vpc": "vpc", "subnet": "subnet",
		"eipalloc": "elastic-ip", "nat": "natgateway", "eigw": "egress-only-internet-gateway", "vpce": "vpc-endpoint", "pl": "prefix-list",
		"pcx": "vpc-peering-connection", "fl": "vpc-flow-log",
		"nip": "network-insights-path", "nia": "network-insights-analysis",
	}[prefix]; ok {
		return t
	}
	return "*"
}

func (in Request) arns(kind string, ids []string, id string) []string {
	if id != "" {
		ids = append(ids, id)
	}
	var out []string
	for _, id := range ids {
		out = append(out, arn.New("ec2", in.Region, in.Account, kind+"/"+id))
	}
	return out
}

// Tags are the tags of an EC2 resource.
func (in Request) Tags(resource string) ([]identity.Tag, error) {
	a, err := arn.Parse(resource)
	if err != nil {
		return nil, nil
	}
	_, id, _ := strings.Cut(a.Resource, "/")
	switch prefix, _, _ := strings.Cut(id, "-"); prefix {
	case "vpc":
		r, _, err := tables.Vpcs.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "subnet":
		r, _, err := tables.Subnets.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "sg":
		r, _, err := tables.SecurityGroups.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "sgr":
		r, _, err := tables.SecurityGroupRules.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "eni":
		r, _, err := tables.NetworkInterfaces.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "rtb":
		r, _, err := tables.RouteTables.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "igw":
		r, _, err := tables.InternetGateways.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "acl":
		r, _, err := tables.NetworkAcls.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "dopt":
		r, _, err := tables.DhcpOptions.Find(in.Tx, a.Account, a.Region, id)
		return operation.Tags(r.Tags), err
	case "nip", "nia":
		return in.insightTags(a, prefix, id)
	default:
		return in.edgeTags(a, prefix, id)
	}
}
