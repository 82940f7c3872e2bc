package gateway

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// maxEgressOnly is how many egress-only internet gateways an account may have in a
// region. Source: Amazon VPC quotas.
const maxEgressOnly = 5

func renderEgressOnly(_ call.Scope, g *edge.EgressOnlyGateway) (wire.EgressOnlyInternetGateway, error) {
	return wire.EgressOnlyInternetGateway{
		EgressOnlyInternetGatewayId: &g.ID, Tags: tag.Listed(g.Tags),
		Attachments: []wire.InternetGatewayAttachment{{State: new("attached"), VpcId: &g.Vpc}},
	}, nil
}

var describeEgressOnly = call.Listing[edge.EgressOnlyGateway, wire.EgressOnlyInternetGateway]{
	Op: "DescribeEgressOnlyInternetGateways", Kind: call.EgressOnlyGateways, IDs: "EgressOnlyInternetGatewayIds",
	Filters: filter.Set{Tags: "Tags"}, Render: renderEgressOnly,
}

// DescribeEgressOnlyInternetGateways lists egress-only internet gateways.
func (s *Handler) DescribeEgressOnlyInternetGateways(ctx context.Context, in *wire.DescribeEgressOnlyInternetGatewaysInput) (*wire.DescribeEgressOnlyInternetGatewaysOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeEgressOnly.Run(ctx, s.Env, call.Page(in.EgressOnlyInternetGatewayIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeEgressOnlyInternetGatewaysOutput{EgressOnlyInternetGateways: out, NextToken: next}, err
}

// CreateEgressOnlyInternetGateway gives a VPC a way out for IPv6 by which only answers
// come in.
func (s *Handler) CreateEgressOnlyInternetGateway(ctx context.Context, in *wire.CreateEgressOnlyInternetGatewayInput) (*wire.CreateEgressOnlyInternetGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.EgressOnlyGateways.Type)
	switch {
	case err != nil:
		return nil, err
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	}
	creation, err := call.CreationOf(in.ClientToken, "CreateEgressOnlyInternetGateway", s.Deps.Now(), in.VpcId, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	id := s.Deps.IDs.EC2(call.EgressOnlyGateways.Prefix)
	var out wire.EgressOnlyInternetGateway
	err = s.Update(ctx, func(sc call.Scope) error {
		old, given, found, err := call.Replayed(sc, creation, call.EgressOnlyGateways)
		if err != nil {
			return err
		}
		if found {
			out, err = renderEgressOnly(sc, &old)
			out.Tags = tag.Listed(given)
			return err
		}
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		if sc.Tx.Count(store.Prefix(edges.EgressOnlyGateways.Name, v.Account, v.Region)) >= maxEgressOnly {
			return shape.Errorf("EgressOnlyInternetGatewayLimitExceeded", "The maximum number of egress-only internet gateways has been reached.")
		}
		for g, err := range edges.EgressOnlyGateways.List(sc.Tx, v.Account, v.Region) {
			if err != nil {
				return err
			}
			if g.Vpc == v.ID {
				return call.Invalid("Network %s already has an egress-only internet gateway attached", v.ID)
			}
		}
		g := edge.EgressOnlyGateway{Account: v.Account, Region: v.Region, ID: id, Vpc: v.ID, Tags: tags}
		if out, err = renderEgressOnly(sc, &g); err != nil {
			return err
		}
		if err := creation.Remember(sc, id, tags); err != nil {
			return err
		}
		return edges.EgressOnlyGateways.Put(sc.Tx, &g)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateEgressOnlyInternetGatewayOutput{EgressOnlyInternetGateway: &out, ClientToken: call.Optional(creation.Token)}, nil
}

// DeleteEgressOnlyInternetGateway deletes a gateway. Routes to it stay and lead
// nowhere.
func (s *Handler) DeleteEgressOnlyInternetGateway(ctx context.Context, in *wire.DeleteEgressOnlyInternetGatewayInput) (*wire.DeleteEgressOnlyInternetGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.EgressOnlyInternetGatewayId == nil {
		return nil, call.Missing("egressOnlyInternetGatewayId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := call.EgressOnlyGateways.Get(sc, *in.EgressOnlyInternetGatewayId)
		if err != nil {
			return err
		}
		return edges.EgressOnlyGateways.Delete(sc.Tx, g.Account, g.Region, g.ID)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteEgressOnlyInternetGatewayOutput{ReturnCode: new(true)}, nil
}
