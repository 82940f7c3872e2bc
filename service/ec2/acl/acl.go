package acl

import (
	"cmp"
	"context"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
)

// Protocol numbers with ports or types. Source: IANA protocol numbers.
const (
	protocolICMP = "1"
	protocolTCP  = "6"
	protocolUDP  = "17"

	protocolICMPv6 = "58"
)

func renderAcl(_ call.Scope, a *network.NetworkAcl) (wire.NetworkAcl, error) {
	entries := []wire.NetworkAclEntry{}
	for _, e := range a.Entries {
		w := wire.NetworkAclEntry{
			CidrBlock: call.Optional(e.CIDR), Ipv6CidrBlock: call.Optional(e.IPv6), Egress: new(e.Egress), Protocol: new(e.Protocol), RuleAction: new(e.Action),
			RuleNumber: new(int32(e.Number)),
		}
		switch e.Protocol {
		case protocolTCP, protocolUDP:
			w.PortRange = &wire.PortRange{From: new(int32(e.From)), To: new(int32(e.To))}
		case protocolICMP, protocolICMPv6:
			w.IcmpTypeCode = &wire.IcmpTypeCode{Type: new(int32(e.From)), Code: new(int32(e.To))}
		}
		entries = append(entries, w)
	}
	associations := []wire.NetworkAclAssociation{}
	for _, x := range a.Associations {
		associations = append(associations, wire.NetworkAclAssociation{
			NetworkAclAssociationId: new(x.ID), NetworkAclId: &a.ID, SubnetId: new(x.Subnet),
		})
	}
	return wire.NetworkAcl{
		Associations: associations, Entries: entries, IsDefault: &a.Default, NetworkAclId: &a.ID,
		OwnerId: &a.Account, Tags: tag.Listed(a.Tags), VpcId: &a.Vpc,
	}, nil
}

// protocolNumbers are the protocols that a filter may name.
var protocolNumbers = map[string]string{"icmp": protocolICMP, "tcp": protocolTCP, "udp": protocolUDP}

// numbered returns the filters with protocols by number.
func numbered(filters []wire.Filter) []wire.Filter {
	out := slices.Clone(filters)
	for i, f := range out {
		if call.Val(f.Name) != "entry.protocol" {
			continue
		}
		out[i].Values = slices.Clone(f.Values)
		for j, v := range f.Values {
			out[i].Values[j] = cmp.Or(protocolNumbers[v], v)
		}
	}
	return out
}

var describeAcls = call.Listing[network.NetworkAcl, wire.NetworkAcl]{
	Op: "DescribeNetworkAcls", Kind: call.NetworkAcls, IDs: "NetworkAclIds", Render: renderAcl,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"association.association-id": "Associations.NetworkAclAssociationId",
			"association.network-acl-id": "Associations.NetworkAclId",
			"association.subnet-id":      "Associations.SubnetId",
			"default":                    "IsDefault",
			"entry.cidr":                 "Entries.CidrBlock",
			"entry.egress":               "Entries.Egress",
			"entry.icmp.code":            "Entries.IcmpTypeCode.Code",
			"entry.icmp.type":            "Entries.IcmpTypeCode.Type",
			"entry.ipv6-cidr":            "Entries.Ipv6CidrBlock",
			"entry.port-range.from":      "Entries.PortRange.From",
			"entry.port-range.to":        "Entries.PortRange.To",
			"entry.protocol":             "Entries.Protocol",
			"entry.rule-action":          "Entries.RuleAction",
			"entry.rule-number":          "Entries.RuleNumber",
			"network-acl-id":             "NetworkAclId",
			"owner-id":                   "OwnerId",
			"vpc-id":                     "VpcId",
		},
	},
}

// DescribeNetworkAcls lists network ACLs.
func (s *Handler) DescribeNetworkAcls(ctx context.Context, in *wire.DescribeNetworkAclsInput) (*wire.DescribeNetworkAclsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeAcls.Run(ctx, s.Env, call.Page(in.NetworkAclIds, numbered(in.Filters), in.MaxResults, in.NextToken))
	return &wire.DescribeNetworkAclsOutput{NetworkAcls: out, NextToken: next}, err
}
