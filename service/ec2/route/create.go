package route

import (
	"context"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// maxTables is how many route tables a VPC may have. Source: Amazon VPC quotas.
const maxTables = 200

// CreateRouteTable makes a route table that keeps packets in its VPC and decides
// for no subnet yet.
func (s *Handler) CreateRouteTable(ctx context.Context, in *wire.CreateRouteTableInput) (*wire.CreateRouteTableOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.RouteTables.Type)
	switch {
	case err != nil:
		return nil, err
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	}
	creation, err := call.CreationOf(in.ClientToken, "CreateRouteTable", s.Deps.Now(), in.VpcId, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	id := s.Deps.IDs.EC2(call.RouteTables.Prefix)
	var out wire.RouteTable
	err = s.Update(ctx, func(sc call.Scope) error {
		old, given, found, err := call.Replayed(sc, creation, call.RouteTables)
		if err != nil {
			return err
		}
		if found {
			out, err = renderRouteTable(sc, &old)
			out.Tags = tag.Listed(given)
			return err
		}
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		if err := room(sc, &v); err != nil {
			return err
		}
		t := network.RouteTable{Account: v.Account, Region: v.Region, ID: id, Vpc: v.ID, Routes: v.LocalRoutes(), Tags: tags}
		if out, err = renderRouteTable(sc, &t); err != nil {
			return err
		}
		if err := creation.Remember(sc, id, tags); err != nil {
			return err
		}
		return tables.RouteTables.Put(sc.Tx, &t)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateRouteTableOutput{RouteTable: &out, ClientToken: call.Optional(creation.Token)}, nil
}

func room(sc call.Scope, v *network.Vpc) error {
	n := 0
	for t, err := range tables.RouteTables.List(sc.Tx, v.Account, v.Region) {
		if err != nil {
			return err
		}
		if t.Vpc == v.ID {
			n++
		}
	}
	if n >= maxTables {
		return shape.Errorf("RouteTableLimitExceeded", "The maximum number of route tables has been reached.")
	}
	return nil
}

// DeleteRouteTable deletes a route table that decides for no subnet. Gateway
// endpoints that had a route in it lose that.
func (s *Handler) DeleteRouteTable(ctx context.Context, in *wire.DeleteRouteTableInput) (*wire.DeleteRouteTableOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.RouteTableId == nil {
		return nil, call.Missing("routeTableId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		t, err := call.RouteTables.Get(sc, *in.RouteTableId)
		if err != nil {
			return err
		}
		if len(t.Associations) > 0 {
			return shape.Errorf("DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", t.ID)
		}
		if err := leave(sc, &t); err != nil {
			return err
		}
		return tables.RouteTables.Delete(sc.Tx, t.Account, t.Region, t.ID)
	})
	return &wire.DeleteRouteTableOutput{}, err
}

// leave takes the route table out of the gateway endpoints of its VPC.
func leave(sc call.Scope, t *network.RouteTable) error {
	all, err := store.Collect(edges.Endpoints.By(sc.Tx, edges.EndpointsByVpc, t.Account, t.Region, t.Vpc))
	if err != nil {
		return err
	}
	for _, e := range all {
		i := slices.Index(e.RouteTables, t.ID)
		if i < 0 {
			continue
		}
		e.RouteTables = slices.Delete(slices.Clone(e.RouteTables), i, i+1)
		if err := edges.Endpoints.Put(sc.Tx, &e); err != nil {
			return err
		}
	}
	return nil
}
