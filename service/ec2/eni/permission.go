package eni

import (
	"context"

	"neargate/arn"
	wire "neargate/aws/ec2"
	"neargate/resource/network/grant"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// Pages of DescribeNetworkInterfacePermissions. Source: Amazon EC2 API Reference.
const (
	usualPermissions = 50
	maxPermissions   = 255
)

// permissions is the kind of permissions on interfaces. They have no tags.
var permissions = call.Kind[grant.Permission]{
	Table: edges.Permissions, Prefix: "eni-perm",
	NotFound: "InvalidPermissionID.NotFound", Absent: "The permission ID '%s' does not exist",
	Malformed: "InvalidPermissionID.Malformed",
	ID:        func(p *grant.Permission) string { return p.ID },
}

// granted is the state of a permission from its creation on, as AWS writes it, not as
// its API reference does. Source: AWS CLI Command Reference, examples.
const granted = "GRANTED"

func renderPermission(_ call.Scope, p *grant.Permission) (wire.NetworkInterfacePermission, error) {
	return wire.NetworkInterfacePermission{
		AwsAccountId: &p.Grantee, NetworkInterfaceId: &p.Interface, NetworkInterfacePermissionId: &p.ID, Permission: &p.Type,
		PermissionState: &wire.NetworkInterfacePermissionState{State: new(granted)},
	}, nil
}

// CreateNetworkInterfacePermission lets another account do something with an interface
// of the caller. That an AWS service may is refused, as it is by AWS.
func (s *Handler) CreateNetworkInterfacePermission(ctx context.Context, in *wire.CreateNetworkInterfacePermissionInput) (*wire.CreateNetworkInterfacePermissionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	typ := call.Val(in.Permission)
	switch {
	case in.NetworkInterfaceId == nil:
		return nil, call.Missing("networkInterfaceId")
	case in.Permission == nil:
		return nil, call.Missing("permission")
	case typ != grant.Attach && typ != grant.Associate:
		return nil, call.Invalid("Value (%s) for parameter permission is invalid.", typ)
	case in.AwsAccountId == nil:
		return nil, call.Missing("awsAccountId")
	case !arn.ValidAccount(*in.AwsAccountId):
		return nil, call.Invalid("Value (%s) for parameter awsAccountId is invalid.", *in.AwsAccountId)
	}
	p := grant.Permission{ID: s.Deps.IDs.EC2(permissions.Prefix), Grantee: *in.AwsAccountId, Type: typ}
	var out wire.NetworkInterfacePermission
	err := s.Update(ctx, func(sc call.Scope) error {
		e, err := ownInterface(sc, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		p.Account, p.Region, p.Interface = e.Account, e.Region, e.ID
		switch _, twice, err := edges.Permitted(sc.Tx, p.Grantee, p.Region, p.Interface, p.Type); {
		case err != nil:
			return err
		case twice:
			return shape.Errorf("InvalidPermission.Duplicate", "The account %s already has the permission %s for network interface '%s'", p.Grantee, p.Type, p.Interface)
		}
		if out, err = renderPermission(sc, &p); err != nil {
			return err
		}
		return edges.Permissions.Put(sc.Tx, &p)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateNetworkInterfacePermissionOutput{InterfacePermission: &out}, nil
}

// DeleteNetworkInterfacePermission takes a permission back. What was done with it
// stays. There is no instance that could have the interface, so force changes nothing.
func (s *Handler) DeleteNetworkInterfacePermission(ctx context.Context, in *wire.DeleteNetworkInterfacePermissionInput) (*wire.DeleteNetworkInterfacePermissionOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.NetworkInterfacePermissionId == nil {
		return nil, call.Missing("networkInterfacePermissionId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		p, err := permissions.Get(sc, *in.NetworkInterfacePermissionId)
		if err != nil {
			return err
		}
		return edges.Permissions.Delete(sc.Tx, p.Account, p.Region, p.ID)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteNetworkInterfacePermissionOutput{Return: new(true)}, nil
}

var describePermissions = call.Listing[grant.Permission, wire.NetworkInterfacePermission]{
	Op: "DescribeNetworkInterfacePermissions", Kind: permissions, IDs: "NetworkInterfacePermissionIds", Render: renderPermission,
	Narrow: map[string]string{"network-interface-permission.network-interface-id": edges.PermissionsByInterface},
	Filters: filter.Set{Fields: map[string]string{
		"network-interface-permission.aws-account-id":                  "AwsAccountId",
		"network-interface-permission.aws-service":                     "AwsService",
		"network-interface-permission.network-interface-id":            "NetworkInterfaceId",
		"network-interface-permission.network-interface-permission-id": "NetworkInterfacePermissionId",
		"network-interface-permission.permission":                      "Permission",
	}},
}

// DescribeNetworkInterfacePermissions lists what other accounts may do with the
// caller's interfaces.
func (s *Handler) DescribeNetworkInterfacePermissions(ctx context.Context, in *wire.DescribeNetworkInterfacePermissionsInput) (*wire.DescribeNetworkInterfacePermissionsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	q := call.Page(in.NetworkInterfacePermissionIds, in.Filters, in.MaxResults, in.NextToken)
	switch {
	case q.Max == nil && len(q.IDs) == 0:
		q.Max = new(int32(usualPermissions))
	case q.Max != nil && *q.Max > maxPermissions:
		return nil, call.Invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value smaller than or equal to %d.", *q.Max, maxPermissions)
	}
	out, next, err := describePermissions.Run(ctx, s.Env, q)
	return &wire.DescribeNetworkInterfacePermissionsOutput{NetworkInterfacePermissions: out, NextToken: next}, err
}
