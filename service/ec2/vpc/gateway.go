package vpc

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxGateways is how many internet gateways an account may have in a region.
// Source: Amazon VPC quotas.
const maxGateways = 5

func renderGateway(_ call.Scope, g *network.InternetGateway) (wire.InternetGateway, error) {
	attachments := []wire.InternetGatewayAttachment{}
	if g.Vpc != "" {
		attachments = append(attachments, wire.InternetGatewayAttachment{State: new("available"), VpcId: &g.Vpc})
	}
	return wire.InternetGateway{
		Attachments: attachments, InternetGatewayId: &g.ID, OwnerId: &g.Account, Tags: tag.Listed(g.Tags),
	}, nil
}

var describeGateways = call.Listing[network.InternetGateway, wire.InternetGateway]{
	Op: "DescribeInternetGateways", Kind: call.InternetGateways, IDs: "InternetGatewayIds", Render: renderGateway,
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"attachment.state":    "Attachments.State",
			"attachment.vpc-id":   "Attachments.VpcId",
			"internet-gateway-id": "InternetGatewayId",
			"owner-id":            "OwnerId",
		},
	},
}

// DescribeInternetGateways lists internet gateways.
func (s *Handler) DescribeInternetGateways(ctx context.Context, in *wire.DescribeInternetGatewaysInput) (*wire.DescribeInternetGatewaysOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeGateways.Run(ctx, s.Env, call.Page(in.InternetGatewayIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeInternetGatewaysOutput{InternetGateways: out, NextToken: next}, err
}

// CreateInternetGateway makes a gateway that is attached to no VPC.
func (s *Handler) CreateInternetGateway(ctx context.Context, in *wire.CreateInternetGatewayInput) (*wire.CreateInternetGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.InternetGateways.Type)
	if err != nil {
		return nil, err
	}
	id := s.newID(call.InternetGateways.Prefix)
	var out wire.InternetGateway
	err = s.Update(ctx, func(sc call.Scope) error {
		if err := roomForGateway(sc); err != nil {
			return err
		}
		account, region := sc.Tenant()
		g := network.InternetGateway{Account: account, Region: region, ID: id, Tags: tags}
		var err error
		if out, err = renderGateway(sc, &g); err != nil {
			return err
		}
		return tables.InternetGateways.Put(sc.Tx, &g)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateInternetGatewayOutput{InternetGateway: &out}, nil
}

func roomForGateway(sc call.Scope) error {
	account, region := sc.Tenant()
	if sc.Tx.Count(store.Prefix(tables.InternetGateways.Name, account, region)) >= maxGateways {
		return shape.Errorf("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")
	}
	return nil
}

// gatewayOf is the internet gateway attached to the VPC; without one it has no id.
func gatewayOf(sc call.Scope, vpc string) (network.InternetGateway, error) {
	account, region := sc.Tenant()
	for g, err := range tables.InternetGateways.List(sc.Tx, account, region) {
		if err != nil || g.Vpc == vpc {
			return g, err
		}
	}
	return network.InternetGateway{}, nil
}

// AttachInternetGateway gives a VPC its way to the internet.
func (s *Handler) AttachInternetGateway(ctx context.Context, in *wire.AttachInternetGatewayInput) (*wire.AttachInternetGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, v, err := gatewayAndVpc(sc, in.InternetGatewayId, in.VpcId)
		if err != nil {
			return err
		}
		if g.Vpc != "" {
			return shape.Errorf("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.ID, g.Vpc)
		}
		if old, err := gatewayOf(sc, v.ID); err != nil {
			return err
		} else if old.ID != "" {
			return call.Invalid("Network %s already has an internet gateway attached", v.ID)
		}
		g.Vpc = v.ID
		return tables.InternetGateways.Put(sc.Tx, &g)
	})
	return &wire.AttachInternetGatewayOutput{}, err
}

// gatewayAndVpc finds what a request about an attachment names.
func gatewayAndVpc(sc call.Scope, gateway, vpc *string) (g network.InternetGateway, v network.Vpc, err error) {
	switch {
	case gateway == nil:
		return g, v, call.Missing("internetGatewayId")
	case vpc == nil:
		return g, v, call.Missing("vpcId")
	}
	if g, err = call.InternetGateways.Get(sc, *gateway); err != nil {
		return g, v, err
	}
	v, err = call.Vpcs.Get(sc, *vpc)
	return g, v, err
}

// DetachInternetGateway takes the way to the internet from a VPC in which nothing
// has a public address. Routes to the gateway stay and lead nowhere.
func (s *Handler) DetachInternetGateway(ctx context.Context, in *wire.DetachInternetGatewayInput) (*wire.DetachInternetGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := call.InternetGateways.Get(sc, call.Val(in.InternetGatewayId))
		if err != nil {
			return err
		}
		id := call.Val(in.VpcId)
		if err := call.Vpcs.Check(id); err != nil {
			return err
		}
		if g.Vpc != id { // a VPC that is gone has none
			return shape.Errorf("Gateway.NotAttached", "resource %s is not attached to network %s", g.ID, id)
		}
		v, err := call.Vpcs.Get(sc, id)
		if err != nil {
			return err
		}
		if mapped, err := hasPublic(sc, &v); err != nil {
			return err
		} else if mapped {
			return shape.Errorf("DependencyViolation", "Network %s has some mapped public address(es). "+
				"Please unmap those public address(es) before detaching the gateway.", v.ID)
		}
		g.Vpc = ""
		return tables.InternetGateways.Put(sc.Tx, &g)
	})
	return &wire.DetachInternetGatewayOutput{}, err
}

// hasPublic reports whether an interface in the VPC has a public address. Those of
// NAT gateways are among them.
func hasPublic(sc call.Scope, v *network.Vpc) (bool, error) {
	for e, err := range tables.NetworkInterfaces.By(sc.Tx, tables.InterfacesByVpc, v.Account, v.Region, v.ID) {
		if err != nil || len(e.Mappings()) > 0 {
			return true, err
		}
	}
	return false, nil
}

// DeleteInternetGateway deletes a gateway that is attached to no VPC.
func (s *Handler) DeleteInternetGateway(ctx context.Context, in *wire.DeleteInternetGatewayInput) (*wire.DeleteInternetGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.InternetGatewayId == nil {
		return nil, call.Missing("internetGatewayId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := call.InternetGateways.Get(sc, *in.InternetGatewayId)
		if err != nil {
			return err
		}
		if g.Vpc != "" {
			return dependency("internetGateway", g.ID)
		}
		return tables.InternetGateways.Delete(sc.Tx, g.Account, g.Region, g.ID)
	})
	return &wire.DeleteInternetGatewayOutput{}, err
}
