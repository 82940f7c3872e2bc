package eni

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/order"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// DescribeNetworkInterfaceAttribute shows one attribute of an interface.
func (s *Handler) DescribeNetworkInterfaceAttribute(ctx context.Context, in *wire.DescribeNetworkInterfaceAttributeInput) (*wire.DescribeNetworkInterfaceAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out := &wire.DescribeNetworkInterfaceAttributeOutput{}
	err := s.View(ctx, func(sc call.Scope) error {
		e, err := call.Interfaces.Get(sc, call.Val(in.NetworkInterfaceId))
		if err != nil {
			return err
		}
		w, err := renderInterface(sc, &e)
		if err != nil {
			return err
		}
		out.NetworkInterfaceId = &e.ID
		switch call.Val(in.Attribute) {
		case "description":
			out.Description = &wire.AttributeValue{Value: w.Description}
		case "groupSet":
			out.Groups = w.Groups
		case "sourceDestCheck":
			out.SourceDestCheck = &wire.AttributeBooleanValue{Value: w.SourceDestCheck}
		case "attachment":
			out.Attachment = w.Attachment
		case "associatePublicIpAddress":
			out.AssociatePublicIpAddress = new(e.PublicIP != "")
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

// ModifyNetworkInterfaceAttribute changes one attribute of a customer's
// interface.
func (s *Handler) ModifyNetworkInterfaceAttribute(ctx context.Context, in *wire.ModifyNetworkInterfaceAttributeInput) (*wire.ModifyNetworkInterfaceAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	given := 0
	for _, present := range []bool{in.Description != nil, in.SourceDestCheck != nil, in.Groups != nil, in.Attachment != nil} {
		if present {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, shape.Errorf("InvalidParameterCombination", "No attributes specified.")
	case given > 1:
		return nil, shape.Errorf("InvalidParameterCombination", "Fields for multiple attribute types specified")
	case len(in.Groups) > order.MaxGroups:
		return nil, order.TooManyGroups()
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		e, err := call.Interfaces.Get(sc, call.Val(in.NetworkInterfaceId))
		switch {
		case err != nil:
			return err
		case e.RequesterManaged:
			return call.NotYours()
		case in.Description != nil:
			e.Description = call.Val(in.Description.Value)
		case in.SourceDestCheck != nil:
			e.SourceDestCheck = call.Val(in.SourceDestCheck.Value)
		case in.Groups != nil:
			if e.Groups, err = call.GroupsFor(sc, e.Vpc, in.Groups); err != nil {
				return err
			}
		default:
			return modifyAttachment(in.Attachment)
		}
		return tables.NetworkInterfaces.Put(sc.Tx, &e)
	})
	return &wire.ModifyNetworkInterfaceAttributeOutput{}, err
}

// modifyAttachment refuses: no interface of a customer is attached to anything.
func modifyAttachment(a *wire.NetworkInterfaceAttachmentChanges) error {
	if a.AttachmentId == nil || a.DeleteOnTermination == nil {
		return call.Missing("attachment.attachmentId")
	}
	return noAttachment(*a.AttachmentId)
}
