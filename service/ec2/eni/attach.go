package eni

import (
	"context"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// instanceIDs is the kind of instances, of which there are none.
var instanceIDs = call.Kind[struct{}]{
	Prefix: "i", NotFound: "InvalidInstanceID.NotFound", Absent: "The instance ID '%s' does not exist",
	Malformed: "InvalidInstanceID.Malformed",
}

// AttachNetworkInterface refuses: there is no instance to attach an interface to.
func (s *Handler) AttachNetworkInterface(ctx context.Context, in *wire.AttachNetworkInterfaceInput) (*wire.AttachNetworkInterfaceOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.NetworkInterfaceId == nil:
		return nil, call.Missing("networkInterfaceId")
	case in.InstanceId == nil:
		return nil, call.Missing("instanceId")
	case in.DeviceIndex == nil:
		return nil, call.Missing("deviceIndex")
	}
	err := s.View(ctx, func(sc call.Scope) error {
		if _, err := call.Interfaces.Get(sc, *in.NetworkInterfaceId); err != nil {
			return err
		}
		if err := instanceIDs.Check(*in.InstanceId); err != nil {
			return err
		}
		return shape.Errorf(instanceIDs.NotFound, instanceIDs.Absent, *in.InstanceId)
	})
	return nil, err
}

// Prefixes of the ids of attachments: the service's own, and those of instances.
const (
	serviceAttachment  = "ela-attach-"
	instanceAttachment = "eni-attach-"
)

// DetachNetworkInterface refuses: what interfaces are attached to belongs to AWS
// services, which detach them.
func (s *Handler) DetachNetworkInterface(ctx context.Context, in *wire.DetachNetworkInterfaceInput) (*wire.DetachNetworkInterfaceOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	id := call.Val(in.AttachmentId)
	switch {
	case id == "":
		return nil, call.Missing("attachmentId")
	case strings.HasPrefix(id, serviceAttachment):
		return nil, shape.Errorf("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
	case !strings.HasPrefix(id, instanceAttachment):
		return nil, shape.Errorf("InvalidAttachmentID.Malformed", "Invalid id: \"%s\" (expecting \"eni-attach-...\")", id)
	}
	err := s.View(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		for e, err := range tables.NetworkInterfaces.List(sc.Tx, account, region) {
			if err != nil {
				return err
			}
			if attachedBy(&e, id) {
				return call.NotYours()
			}
		}
		return noAttachment(id)
	})
	return nil, err
}

func attachedBy(e *network.NetworkInterface, id string) bool {
	return e.Attachment != nil && e.Attachment.ID == id
}

func noAttachment(id string) error {
	return shape.Errorf("InvalidAttachmentID.NotFound", "The attachment ID '%s' does not exist", id)
}

// ResetNetworkInterfaceAttribute turns the source/destination check on again.
func (s *Handler) ResetNetworkInterfaceAttribute(ctx context.Context, in *wire.ResetNetworkInterfaceAttributeInput) (*wire.ResetNetworkInterfaceAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.NetworkInterfaceId == nil:
		return nil, call.Missing("networkInterfaceId")
	case in.SourceDestCheck == nil:
		return nil, shape.Errorf("InvalidParameterCombination", "No attributes specified.")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		e, err := ownInterface(sc, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		e.SourceDestCheck = true
		return tables.NetworkInterfaces.Put(sc.Tx, &e)
	})
	return &wire.ResetNetworkInterfaceAttributeOutput{}, err
}
