package target

import "neargate/store/tables"

// groupResources are those of operations on security groups in further VPCs, of
// attachments of interfaces, and of reserved parts of subnets.
var groupResources = merge(
	each(func(in Input) []string {
		return append(in.ec2("security-group", nil, in.text("GroupId")), in.ec2("vpc", nil, in.text("VpcId"))...)
	}, "AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc"),
	each(func(in Input) []string {
		return append(in.ec2("instance", nil, in.text("InstanceId")), in.ec2("network-interface", nil, in.text("NetworkInterfaceId"))...)
	}, "AttachNetworkInterface"),
	each(Input.attached, "DetachNetworkInterface"),
	each(func(in Input) []string { return in.ec2("network-interface", nil, in.text("NetworkInterfaceId")) }, "ResetNetworkInterfaceAttribute"),
	each(func(in Input) []string { return in.ec2("subnet", nil, in.text("SubnetId")) }, "CreateSubnetCidrReservation"),
)

// attached is the interface with the attachment that a request names.
func (in Input) attached() []string {
	for e, err := range tables.NetworkInterfaces.List(in.Tx, in.Caller.Account, in.Caller.Region) {
		if err == nil && e.Attachment != nil && e.Attachment.ID == in.text("AttachmentId") {
			return in.ec2("network-interface", nil, e.ID)
		}
	}
	return nil
}
