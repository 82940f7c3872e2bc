package edge

import (
	"time"

	"neargate/resource/network"
)

// Amazon is the requester and owner of what interfaces of NAT gateways and VPC
// endpoints are attached to.
const Amazon = "amazon-aws"

// Interface is the interface of a NAT gateway or of a VPC endpoint in a subnet,
// still without addresses. kind is network.TypeNatGateway or network.TypeEndpoint,
// owner the id of the gateway or the endpoint.
func Interface(s *network.Subnet, id, attachment, kind, owner string, groups []string, at time.Time) network.NetworkInterface {
	e := network.NetworkInterface{
		Account: s.Account, Region: s.Region, ID: id, Vpc: s.Vpc, Subnet: s.ID, Zone: s.Zone,
		Description: "VPC Endpoint Interface " + owner, MAC: network.MAC(id), Type: kind, Groups: groups, SourceDestCheck: true,
		RequesterID: Amazon, RequesterManaged: true,
		Attachment: &network.InterfaceAttachment{ID: attachment, InstanceOwner: Amazon, DeviceIndex: 1, AttachedAt: at},
	}
	if kind == network.TypeNatGateway {
		e.Description, e.SourceDestCheck = "Interface for NAT Gateway "+owner, false
	}
	return e
}

// AttachmentPrefix begins the ids of attachments to what Amazon owns.
const AttachmentPrefix = "ela-attach"
