package gateway

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// maxNat is how many NAT gateways a zone may have. Source: Amazon VPC quotas.
const maxNat = 5

// CreateNatGateway orders a NAT gateway. It is pending until it has its addresses,
// or failed when it cannot have them.
func (s *Handler) CreateNatGateway(ctx context.Context, in *wire.CreateNatGatewayInput) (*wire.CreateNatGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	private, err := connectivity(in)
	if err != nil {
		return nil, err
	}
	secondary, err := secondaries(in, private)
	if err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.NatGateways.Type)
	if err != nil {
		return nil, err
	}
	token, key, err := call.Token(in.ClientToken)
	if err != nil {
		return nil, err
	}
	hash, err := call.Hash(in.SubnetId, in.AllocationId, in.PrivateIpAddress, private, secondary, tags)
	if err != nil {
		return nil, err
	}
	g := edge.NatGateway{
		ID: s.Deps.IDs.EC2(call.NatGateways.Prefix), Private: private, State: edge.Pending, CreatedAt: s.Deps.Now(), Tags: tags,
		Addresses: append([]edge.NatAddress{{PrivateIP: call.Val(in.PrivateIpAddress), Allocation: call.Val(in.AllocationId)}}, secondary...),
	}
	if key != "" {
		g.Token, g.TokenHash = key, hash
	}
	var out wire.NatGateway
	err = s.Update(ctx, func(sc call.Scope) error {
		subnet, err := call.Subnets.Get(sc, *in.SubnetId)
		if err != nil {
			return err
		}
		g.Account, g.Region, g.Vpc, g.Subnet = subnet.Account, subnet.Region, subnet.Vpc, subnet.ID
		old, found, err := replayed(sc, key, hash, token)
		switch {
		case err != nil:
			return err
		case found:
			out, err = renderNat(sc, &old)
			return err
		}
		if err := checkNat(sc, &subnet); err != nil {
			return err
		}
		if err := checkAddresses(&subnet, g.Addresses); err != nil {
			return err
		}
		if err := edges.NatGateways.Put(sc.Tx, &g); err != nil {
			return err
		}
		out, err = renderNat(sc, &g)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateNatGatewayOutput{NatGateway: &out, ClientToken: call.Optional(token)}, nil
}

// connectivity reports whether a request is for a private gateway, and whether it
// names what its kind needs.
func connectivity(in *wire.CreateNatGatewayInput) (private bool, err error) {
	private = call.Val(in.ConnectivityType) == "private"
	switch {
	case in.AvailabilityMode != nil && *in.AvailabilityMode != "zonal":
		return private, shape.Errorf("UnsupportedOperation", "The availability mode %s is not supported.", *in.AvailabilityMode)
	case in.ConnectivityType != nil && !private && *in.ConnectivityType != "public":
		return private, call.Invalid("Value (%s) for parameter ConnectivityType is invalid.", *in.ConnectivityType)
	case call.Val(in.SubnetId) == "":
		return private, call.Missing("SubnetId")
	case private && in.AllocationId != nil:
		return private, shape.Errorf("InvalidParameterCombination", "AllocationId cannot be specified for a private NAT gateway")
	case !private && call.Val(in.AllocationId) == "":
		return private, call.Missing("AllocationId")
	}
	return private, nil
}

// replayed finds the gateway that an earlier request with the token made.
func replayed(sc call.Scope, key, hash, token string) (g edge.NatGateway, found bool, err error) {
	if key == "" {
		return g, false, nil
	}
	account, region := sc.Tenant()
	for g, err := range edges.NatGateways.List(sc.Tx, account, region) {
		switch {
		case err != nil:
			return g, false, err
		case g.Token != key:
		case g.TokenHash != hash:
			return g, false, call.Mismatch(token)
		default:
			return g, true, nil
		}
	}
	return g, false, nil
}

// checkNat refuses a gateway more than the zone may have.
func checkNat(sc call.Scope, subnet *network.Subnet) error {
	in := 0
	for g, err := range edges.NatGateways.List(sc.Tx, subnet.Account, subnet.Region) {
		if err != nil {
			return err
		}
		if g.State == edge.Deleted || g.State == edge.Failed {
			continue
		}
		of, found, err := tables.Subnets.Find(sc.Tx, g.Account, g.Region, g.Subnet)
		if err != nil {
			return err
		}
		if found && of.Zone == subnet.Zone {
			in++
		}
	}
	if in >= maxNat {
		return shape.Errorf("NatGatewayLimitExceeded", "Performing this operation would exceed the limit of %d NAT gateways", maxNat)
	}
	return nil
}

// DeleteNatGateway orders the end of a NAT gateway. Routes to it stay, as black
// holes.
func (s *Handler) DeleteNatGateway(ctx context.Context, in *wire.DeleteNatGatewayInput) (*wire.DeleteNatGatewayOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.NatGatewayId == nil {
		return nil, call.Missing("NatGatewayId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := call.NatGateways.Get(sc, *in.NatGatewayId)
		switch {
		case err != nil:
			return err
		case g.State == edge.Deleted:
			return shape.Errorf(call.NatGateways.NotFound, call.NatGateways.Absent, g.ID)
		case g.State == edge.Deleting:
			return nil
		}
		g.State, g.DeletedAt = edge.Deleting, s.Deps.Now()
		return edges.NatGateways.Put(sc.Tx, &g)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteNatGatewayOutput{NatGatewayId: in.NatGatewayId}, nil
}

// addressStatus is what is becoming of a gateway's addresses, by the gateway's
// state.
var addressStatus = map[string]string{
	edge.Pending: edge.Associating, edge.Available: edge.Succeeded, edge.Failed: "failed", edge.Deleting: edge.Disassociating, edge.Deleted: edge.Succeeded,
}

// statusOf is what is becoming of an address of a gateway.
func statusOf(g *edge.NatGateway, a *edge.NatAddress) string {
	if g.State == edge.Available && a.Status != "" {
		return a.Status
	}
	return addressStatus[g.State]
}

func renderNat(sc call.Scope, g *edge.NatGateway) (wire.NatGateway, error) {
	w := wire.NatGateway{
		AvailabilityMode: new("zonal"), ConnectivityType: new("public"), CreateTime: &g.CreatedAt, FailureCode: call.Optional(g.FailureCode),
		FailureMessage: call.Optional(g.FailureMessage), NatGatewayAddresses: []wire.NatGatewayAddress{}, NatGatewayId: &g.ID,
		State: &g.State, SubnetId: &g.Subnet, Tags: tag.Listed(g.Tags), VpcId: &g.Vpc,
	}
	if g.Private {
		w.ConnectivityType = new("private")
	}
	if !g.DeletedAt.IsZero() {
		w.DeleteTime = &g.DeletedAt
	}
	subnet, _, err := tables.Subnets.Find(sc.Tx, g.Account, g.Region, g.Subnet)
	if err != nil {
		return w, err
	}
	for i, a := range g.Addresses {
		shown := wire.NatGatewayAddress{
			AllocationId: call.Optional(a.Allocation), AssociationId: call.Optional(a.Association), IsPrimary: new(i == 0),
			NetworkInterfaceId: call.Optional(a.ENI), PrivateIp: call.Optional(a.PrivateIP), PublicIp: call.Optional(a.PublicIP),
			Status: new(statusOf(g, &a)), FailureMessage: call.Optional(a.FailureMessage), AvailabilityZone: call.Optional(subnet.Zone), AvailabilityZoneId: call.Optional(subnet.ZoneID),
		}
		w.NatGatewayAddresses = append(w.NatGatewayAddresses, shown)
	}
	return w, nil
}

var describeNats = call.Listing[edge.NatGateway, wire.NatGateway]{
	Op: "DescribeNatGateways", Kind: call.NatGateways, IDs: "NatGatewayIds", Render: renderNat,
	Narrow: map[string]string{"vpc-id": edges.NatGatewaysByVpc},
	Filters: filter.Set{Tags: "Tags", Fields: map[string]string{
		"nat-gateway-id": "NatGatewayId", "state": "State", "subnet-id": "SubnetId", "vpc-id": "VpcId",
	}},
}

// DescribeNatGateways lists NAT gateways, also those deleted or failed within the
// hour.
func (s *Handler) DescribeNatGateways(ctx context.Context, in *wire.DescribeNatGatewaysInput) (*wire.DescribeNatGatewaysOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeNats.Run(ctx, s.Env, call.Page(in.NatGatewayIds, in.Filter, in.MaxResults, in.NextToken))
	return &wire.DescribeNatGatewaysOutput{NatGateways: out, NextToken: next}, err
}
