package ec2

import (
	"context"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/filter"
	"neargate/store/tables"
)

func renderInterface(sc scope, e *network.NetworkInterface) (wire.NetworkInterface, error) {
	w := wire.NetworkInterface{
		AvailabilityZone: &e.Zone, AvailabilityZoneId: optional(zoneID(e.Region, e.Zone)), Description: &e.Description,
		InterfaceType: new("interface"), Ipv6Addresses: []wire.NetworkInterfaceIpv6Address{}, MacAddress: &e.MAC,
		NetworkInterfaceId: &e.ID, OwnerId: &e.Account, PrivateIpAddress: optional(e.Primary()), PublicDnsName: new(""),
		RequesterId: optional(e.RequesterID), RequesterManaged: &e.RequesterManaged, SourceDestCheck: &e.SourceDestCheck,
		Operator: &wire.OperatorResponse{Managed: new(false), HiddenByDefault: new(false)},
		Status:   new(e.Status()), SubnetId: &e.Subnet, TagSet: listedTags(e.Tags), VpcId: &e.Vpc,
		Groups: []wire.GroupIdentifier{}, PrivateIpAddresses: []wire.NetworkInterfacePrivateIpAddress{},
	}
	for _, id := range e.Groups {
		g, err := tables.SecurityGroups.Get(sc.tx, e.Account, e.Region, id)
		if err != nil {
			return w, err
		}
		w.Groups = append(w.Groups, wire.GroupIdentifier{GroupId: new(id), GroupName: new(g.Name)})
	}
	vpc, err := tables.Vpcs.Get(sc.tx, e.Account, e.Region, e.Vpc)
	if err != nil {
		return w, err
	}
	if e.PublicIP != "" {
		w.Association = &wire.NetworkInterfaceAssociation{IpOwnerId: new("amazon"), PublicIp: &e.PublicIP, PublicDnsName: new("")}
		if vpc.DNSHostnames {
			w.Association.PublicDnsName = new(network.PublicDNSName(e.Region, e.PublicIP))
			w.PublicDnsName = w.Association.PublicDnsName
		}
	}
	for i, ip := range e.Addresses {
		w.PrivateIpAddresses = append(w.PrivateIpAddresses, privateAddress(e, &vpc, i, ip, w.Association))
	}
	if len(w.PrivateIpAddresses) > 0 {
		w.PrivateDnsName = w.PrivateIpAddresses[0].PrivateDnsName
	}
	w.Attachment = attachment(e.Attachment)
	return w, nil
}

// privateAddress shows the interface's i-th address. In a VPC without DNS host
// names the primary has no name and the others an empty one.
func privateAddress(e *network.NetworkInterface, vpc *network.Vpc, i int, ip string, public *wire.NetworkInterfaceAssociation) wire.NetworkInterfacePrivateIpAddress {
	w := wire.NetworkInterfacePrivateIpAddress{Primary: new(i == 0), PrivateIpAddress: new(ip)}
	if i == 0 {
		w.Association = public
	}
	switch {
	case vpc.DNSHostnames:
		w.PrivateDnsName = new(network.PrivateDNSName(e.Region, ip))
	case i > 0:
		w.PrivateDnsName = new("")
	}
	return w
}

func attachment(a *network.InterfaceAttachment) *wire.NetworkInterfaceAttachment {
	if a == nil {
		return nil
	}
	return &wire.NetworkInterfaceAttachment{
		AttachTime: &a.AttachedAt, AttachmentId: &a.ID, DeleteOnTermination: &a.DeleteOnTermination,
		DeviceIndex: new(int32(a.DeviceIndex)), InstanceId: optional(a.Instance), InstanceOwnerId: &a.InstanceOwner,
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

// ofAddresses is the filter on a member of an interface's private addresses.
func ofAddresses(value func(*wire.NetworkInterfacePrivateIpAddress) []string) func(*wire.NetworkInterface) []string {
	return func(e *wire.NetworkInterface) []string { return each(e.PrivateIpAddresses, value) }
}

// ofAssociation is the filter on a member of an interface's public address.
func ofAssociation(value func(*wire.NetworkInterfaceAssociation) []string) func(*wire.NetworkInterface) []string {
	return func(e *wire.NetworkInterface) []string { return within(e.Association, value) }
}

// ofAttachment is the filter on a member of an interface's attachment.
func ofAttachment(value func(*wire.NetworkInterfaceAttachment) []string) func(*wire.NetworkInterface) []string {
	return func(e *wire.NetworkInterface) []string { return within(e.Attachment, value) }
}

// ofInterfaceGroups is the filter on a member of an interface's groups.
func ofInterfaceGroups(value func(*wire.GroupIdentifier) []string) func(*wire.NetworkInterface) []string {
	return func(e *wire.NetworkInterface) []string { return each(e.Groups, value) }
}

var describeInterfaces = listing[network.NetworkInterface, wire.NetworkInterface]{
	op: "DescribeNetworkInterfaces", kind: interfaces, ids: "NetworkInterfaceIds", render: renderInterface,
	narrow: map[string]string{"vpc-id": tables.InterfacesByVpc, "group-id": tables.InterfacesByGroup},
	filters: filter.Set[wire.NetworkInterface]{
		Tags: tagsAs(func(e *wire.NetworkInterface) []wire.Tag { return e.TagSet }),
		Fields: union(associationFilters, map[string]func(*wire.NetworkInterface) []string{
			"attachment.attach-time":           ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return moment(a.AttachTime) }),
			"attachment.attachment-id":         ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return text(a.AttachmentId) }),
			"attachment.delete-on-termination": ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return text(a.DeleteOnTermination) }),
			"attachment.device-index":          ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return text(a.DeviceIndex) }),
			"attachment.instance-id":           ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return text(a.InstanceId) }),
			"attachment.instance-owner-id":     ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return text(a.InstanceOwnerId) }),
			"attachment.status":                ofAttachment(func(a *wire.NetworkInterfaceAttachment) []string { return text(a.Status) }),
			"availability-zone":                func(e *wire.NetworkInterface) []string { return text(e.AvailabilityZone) },
			"availability-zone-id":             func(e *wire.NetworkInterface) []string { return text(e.AvailabilityZoneId) },
			"description":                      func(e *wire.NetworkInterface) []string { return text(e.Description) },
			"group-id":                         ofInterfaceGroups(func(g *wire.GroupIdentifier) []string { return text(g.GroupId) }),
			"group-name":                       ofInterfaceGroups(func(g *wire.GroupIdentifier) []string { return text(g.GroupName) }),
			"interface-type":                   func(e *wire.NetworkInterface) []string { return text(e.InterfaceType) },
			"ipv6-addresses.ipv6-address":      none[wire.NetworkInterface],
			"mac-address":                      func(e *wire.NetworkInterface) []string { return text(e.MacAddress) },
			"network-interface-id":             func(e *wire.NetworkInterface) []string { return text(e.NetworkInterfaceId) },
			"operator.managed":                 func(e *wire.NetworkInterface) []string { return text(e.Operator.Managed) },
			"operator.principal":               none[wire.NetworkInterface],
			"owner-id":                         func(e *wire.NetworkInterface) []string { return text(e.OwnerId) },
			"private-dns-name":                 func(e *wire.NetworkInterface) []string { return text(e.PrivateDnsName) },
			"private-ip-address":               func(e *wire.NetworkInterface) []string { return text(e.PrivateIpAddress) },
			"requester-id":                     func(e *wire.NetworkInterface) []string { return text(e.RequesterId) },
			"requester-managed":                func(e *wire.NetworkInterface) []string { return text(e.RequesterManaged) },
			"source-dest-check":                func(e *wire.NetworkInterface) []string { return text(e.SourceDestCheck) },
			"status":                           func(e *wire.NetworkInterface) []string { return text(e.Status) },
			"subnet-id":                        func(e *wire.NetworkInterface) []string { return text(e.SubnetId) },
			"vpc-id":                           func(e *wire.NetworkInterface) []string { return text(e.VpcId) },
		}),
	},
}

// associationFilters are the filters on addresses and what is public of them.
var associationFilters = map[string]func(*wire.NetworkInterface) []string{
	"addresses.primary":            ofAddresses(func(a *wire.NetworkInterfacePrivateIpAddress) []string { return text(a.Primary) }),
	"addresses.private-ip-address": ofAddresses(func(a *wire.NetworkInterfacePrivateIpAddress) []string { return text(a.PrivateIpAddress) }),
	"addresses.association.owner-id": ofAddresses(func(a *wire.NetworkInterfacePrivateIpAddress) []string {
		return within(a.Association, func(p *wire.NetworkInterfaceAssociation) []string { return text(p.IpOwnerId) })
	}),
	"addresses.association.public-ip": ofAddresses(func(a *wire.NetworkInterfacePrivateIpAddress) []string {
		return within(a.Association, func(p *wire.NetworkInterfaceAssociation) []string { return text(p.PublicIp) })
	}),
	"association.allocation-id":   none[wire.NetworkInterface],
	"association.association-id":  none[wire.NetworkInterface],
	"association.ip-owner-id":     ofAssociation(func(p *wire.NetworkInterfaceAssociation) []string { return text(p.IpOwnerId) }),
	"association.public-dns-name": ofAssociation(func(p *wire.NetworkInterfaceAssociation) []string { return text(p.PublicDnsName) }),
	"association.public-ip":       ofAssociation(func(p *wire.NetworkInterfaceAssociation) []string { return text(p.PublicIp) }),
}

// DescribeNetworkInterfaces lists network interfaces. None is hidden by default,
// so asking for managed ones too adds none.
func (s *Service) DescribeNetworkInterfaces(ctx context.Context, in *wire.DescribeNetworkInterfacesInput) (*wire.DescribeNetworkInterfacesOutput, error) {
	if err := admit(in); err != nil {
		return nil, err
	}
	out, next, err := describeInterfaces.run(ctx, s, query{in.NetworkInterfaceIds, in.Filters, in.MaxResults, in.NextToken})
	return &wire.DescribeNetworkInterfacesOutput{NetworkInterfaces: out, NextToken: next}, err
}
