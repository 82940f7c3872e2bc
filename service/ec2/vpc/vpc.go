package vpc

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
)

// openToInternet is the state of a resource that no public access block covers.
func openToInternet() *wire.BlockPublicAccessStates {
	return &wire.BlockPublicAccessStates{InternetGatewayBlockMode: new("off")}
}

func renderVpc(_ call.Scope, v *network.Vpc) (wire.Vpc, error) {
	w := wire.Vpc{
		BlockPublicAccessStates: openToInternet(), CidrBlock: &v.CIDR,
		CidrBlockAssociationSet: []wire.VpcCidrBlockAssociation{association(v.CIDRAssociation, v.CIDR, "associated")},
		DhcpOptionsId:           &v.DhcpOptions, InstanceTenancy: &v.Tenancy, IsDefault: &v.Default,
		OwnerId: &v.Account, State: new("available"), Tags: tag.Shown(v.Tags), VpcId: &v.ID,
	}
	for _, b := range v.Secondary {
		w.CidrBlockAssociationSet = append(w.CidrBlockAssociationSet, association(b.Association, b.CIDR, "associated"))
	}
	for _, b := range v.IPv6 {
		w.Ipv6CidrBlockAssociationSet = append(w.Ipv6CidrBlockAssociationSet, association6(v.Region, b, "associated"))
	}
	return w, nil
}

// association shows a range of a VPC.
func association(id, cidr, state string) wire.VpcCidrBlockAssociation {
	return wire.VpcCidrBlockAssociation{
		AssociationId: &id, CidrBlock: &cidr, CidrBlockState: &wire.VpcCidrBlockState{State: &state},
	}
}

var describeVpcs = call.Listing[network.Vpc, wire.Vpc]{
	Op: "DescribeVpcs", Kind: call.Vpcs, IDs: "VpcIds", Render: renderVpc,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"cidr":                                        "CidrBlock",
			"cidr-block":                                  "CidrBlock",
			"cidr-block-association.association-id":       "CidrBlockAssociationSet.AssociationId",
			"cidr-block-association.cidr-block":           "CidrBlockAssociationSet.CidrBlock",
			"cidr-block-association.state":                "CidrBlockAssociationSet.CidrBlockState.State",
			"dhcp-options-id":                             "DhcpOptionsId",
			"ipv6-cidr-block-association.association-id":  "Ipv6CidrBlockAssociationSet.AssociationId",
			"ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
			"ipv6-cidr-block-association.ipv6-pool":       "Ipv6CidrBlockAssociationSet.Ipv6Pool",
			"ipv6-cidr-block-association.state":           "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State",
			"is-default":                                  "IsDefault",
			"isDefault":                                   "IsDefault",
			"owner-id":                                    "OwnerId",
			"state":                                       "State",
			"vpc-id":                                      "VpcId",
		},
	},
}

// DescribeVpcs lists VPCs.
func (s *Handler) DescribeVpcs(ctx context.Context, in *wire.DescribeVpcsInput) (*wire.DescribeVpcsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeVpcs.Run(ctx, s.Env, call.Page(in.VpcIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeVpcsOutput{Vpcs: out, NextToken: next}, err
}

// DescribeVpcAttribute shows one attribute of a VPC.
func (s *Handler) DescribeVpcAttribute(ctx context.Context, in *wire.DescribeVpcAttributeInput) (*wire.DescribeVpcAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out := &wire.DescribeVpcAttributeOutput{}
	err := s.View(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, call.Val(in.VpcId))
		if err != nil {
			return err
		}
		out.VpcId = &v.ID
		switch call.Val(in.Attribute) {
		case "enableDnsSupport":
			out.EnableDnsSupport = &wire.AttributeBooleanValue{Value: &v.DNSSupport}
		case "enableDnsHostnames":
			out.EnableDnsHostnames = &wire.AttributeBooleanValue{Value: &v.DNSHostnames}
		case "enableNetworkAddressUsageMetrics":
			out.EnableNetworkAddressUsageMetrics = &wire.AttributeBooleanValue{Value: &v.AddressUsageMetrics}
		case "":
			return call.Missing("attribute")
		default:
			return call.Invalid("Value (%s) for parameter attribute is invalid. Unknown attribute.", *in.Attribute)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
