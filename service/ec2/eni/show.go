package eni

import (
	"cmp"
	"context"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
)

func renderInterface(sc call.Scope, e *network.NetworkInterface) (wire.NetworkInterface, error) {
	w := wire.NetworkInterface{
		AvailabilityZone: &e.Zone, AvailabilityZoneId: call.Optional(zoneID(e.Region, e.Zone)), Description: &e.Description,
		InterfaceType: new(e.Kind()), Ipv6Addresses: shown6(e), Ipv6Address: first(e.IPv6), MacAddress: &e.MAC,
		NetworkInterfaceId: &e.ID, OwnerId: &e.Account, PrivateIpAddress: call.Optional(e.Primary()), PublicDnsName: new(""),
		RequesterId: call.Optional(e.RequesterID), RequesterManaged: &e.RequesterManaged, SourceDestCheck: &e.SourceDestCheck,
		Operator: &wire.OperatorResponse{Managed: new(false), HiddenByDefault: new(false)},
		Status:   new(e.Status()), SubnetId: &e.Subnet, TagSet: tag.Listed(e.Tags), VpcId: &e.Vpc,
		Groups: []wire.GroupIdentifier{}, PrivateIpAddresses: []wire.NetworkInterfacePrivateIpAddress{},
	}
	for _, id := range e.Groups {
		g, found, err := tables.SecurityGroups.Find(sc.Tx, e.Account, e.Region, id)
		if err != nil {
			return w, err
		}
		shown := wire.GroupIdentifier{GroupId: new(id)}
		if found {
			shown.GroupName = &g.Name
		}
		w.Groups = append(w.Groups, shown)
	}
	vpc, err := tables.Vpcs.Get(sc.Tx, e.Account, e.Region, e.Vpc)
	if err != nil {
		return w, err
	}
	for i, ip := range e.Addresses {
		w.PrivateIpAddresses = append(w.PrivateIpAddresses, privateAddress(e, &vpc, i, ip))
	}
	if len(e.Addresses) > 0 {
		w.Association = w.PrivateIpAddresses[0].Association
	}
	if w.Association != nil && vpc.DNSHostnames {
		w.PublicDnsName = w.Association.PublicDnsName
	}
	if len(w.PrivateIpAddresses) > 0 {
		w.PrivateDnsName = w.PrivateIpAddresses[0].PrivateDnsName
	}
	w.Attachment = attachment(e.Attachment)
	return w, nil
}

// privateAddress shows the interface's i-th address. In a VPC without DNS host
// names the primary has no name and the others an empty one.
func privateAddress(e *network.NetworkInterface, vpc *network.Vpc, i int, ip string) wire.NetworkInterfacePrivateIpAddress {
	w := wire.NetworkInterfacePrivateIpAddress{Primary: new(i == 0), PrivateIpAddress: new(ip), Association: association(e, vpc, ip)}
	switch {
	case vpc.DNSHostnames:
		w.PrivateDnsName = new(network.PrivateDNSName(e.Region, ip))
	case i > 0:
		w.PrivateDnsName = new("")
	}
	return w
}

// association shows the public address of a private one.
func association(e *network.NetworkInterface, vpc *network.Vpc, ip string) *wire.NetworkInterfaceAssociation {
	m := e.MappingOf(ip)
	if m.PublicIP == "" {
		return nil
	}
	w := &wire.NetworkInterfaceAssociation{IpOwnerId: new("amazon"), PublicIp: &m.PublicIP, PublicDnsName: new("")}
	if m.Allocation != "" {
		w.IpOwnerId, w.AllocationId, w.AssociationId = new(cmp.Or(m.Lender, e.Account)), &m.Allocation, &m.Association
	}
	if vpc.DNSHostnames {
		w.PublicDnsName = new(network.PublicDNSName(e.Region, m.PublicIP))
	}
	return w
}

func attachment(a *network.InterfaceAttachment) *wire.NetworkInterfaceAttachment {
	if a == nil {
		return nil
	}
	return &wire.NetworkInterfaceAttachment{
		AttachTime: &a.AttachedAt, AttachmentId: &a.ID, DeleteOnTermination: &a.DeleteOnTermination,
		DeviceIndex: new(int32(a.DeviceIndex)), InstanceId: call.Optional(a.Instance), InstanceOwnerId: &a.InstanceOwner,
		NetworkCardIndex: new(int32(0)), Status: new("attached"),
	}
}

func zoneID(region, zone string) string {
	for _, z := range arn.Zones(region) {
		if z.Name == zone {
			return z.ID
		}
	}
	return ""
}

var describeInterfaces = call.Listing[network.NetworkInterface, wire.NetworkInterface]{
	Op: "DescribeNetworkInterfaces", Kind: call.Interfaces, IDs: "NetworkInterfaceIds", Render: renderInterface,
	Narrow: map[string]string{"vpc-id": tables.InterfacesByVpc, "group-id": tables.InterfacesByGroup},
	Filters: filter.Set{
		Tags: "TagSet",
		Fields: map[string]string{
			"addresses.association.owner-id":   "PrivateIpAddresses.Association.IpOwnerId",
			"addresses.association.public-ip":  "PrivateIpAddresses.Association.PublicIp",
			"addresses.primary":                "PrivateIpAddresses.Primary",
			"addresses.private-ip-address":     "PrivateIpAddresses.PrivateIpAddress",
			"association.allocation-id":        "Association.AllocationId",
			"association.association-id":       "Association.AssociationId",
			"association.ip-owner-id":          "Association.IpOwnerId",
			"association.public-dns-name":      "Association.PublicDnsName",
			"association.public-ip":            "Association.PublicIp",
			"attachment.attach-time":           "Attachment.AttachTime",
			"attachment.attachment-id":         "Attachment.AttachmentId",
			"attachment.delete-on-termination": "Attachment.DeleteOnTermination",
			"attachment.device-index":          "Attachment.DeviceIndex",
			"attachment.instance-id":           "Attachment.InstanceId",
			"attachment.instance-owner-id":     "Attachment.InstanceOwnerId",
			"attachment.status":                "Attachment.Status",
			"availability-zone":                "AvailabilityZone",
			"availability-zone-id":             "AvailabilityZoneId",
			"description":                      "Description",
			"group-id":                         "Groups.GroupId",
			"group-name":                       "Groups.GroupName",
			"interface-type":                   "InterfaceType",
			"ipv6-addresses.ipv6-address":      "Ipv6Addresses.Ipv6Address",
			"mac-address":                      "MacAddress",
			"network-interface-id":             "NetworkInterfaceId",
			"operator.managed":                 "Operator.Managed",
			"operator.principal":               "Operator.Principal",
			"owner-id":                         "OwnerId",
			"private-dns-name":                 "PrivateDnsName",
			"private-ip-address":               "PrivateIpAddress",
			"requester-id":                     "RequesterId",
			"requester-managed":                "RequesterManaged",
			"source-dest-check":                "SourceDestCheck",
			"status":                           "Status",
			"subnet-id":                        "SubnetId",
			"vpc-id":                           "VpcId",
		},
	},
}

// DescribeNetworkInterfaces lists network interfaces. None is hidden by default,
// so asking for managed ones too adds none.
func (s *Handler) DescribeNetworkInterfaces(ctx context.Context, in *wire.DescribeNetworkInterfacesInput) (*wire.DescribeNetworkInterfacesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeInterfaces.Run(ctx, s.Env, call.Page(in.NetworkInterfaceIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeNetworkInterfacesOutput{NetworkInterfaces: out, NextToken: next}, err
}
