package route

import (
	"context"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxRoutes is how many routes a table may have besides the local ones; a prefix
// list counts as many as it may hold. Source: Amazon VPC quotas.
const maxRoutes = 500

// CreateRoute adds a route. The same once more is no error.
func (s *Handler) CreateRoute(ctx context.Context, in *wire.CreateRouteInput) (*wire.CreateRouteOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	r, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	switch {
	case in.RouteTableId == nil:
		return nil, call.Missing("routeTableId")
	case err != nil:
		return nil, err
	}
	r.Origin = network.OriginCreateRoute
	err = s.Update(ctx, func(sc call.Scope) error {
		t, err := call.RouteTables.Get(sc, *in.RouteTableId)
		if err != nil {
			return err
		}
		r := r
		err = aim(sc, &t, &r, asked{in.GatewayId, in.NatGatewayId, in.NetworkInterfaceId, in.VpcPeeringConnectionId, in.VpcEndpointId, in.EgressOnlyInternetGatewayId})
		if err != nil {
			return err
		}
		if i := find(&t, r); i >= 0 && t.Routes[i] == r {
			return nil
		} else if i >= 0 {
			return shape.Errorf("RouteAlreadyExists", "The route identified by %s already exists.", named(r))
		}
		if err := mayLead(sc, &t, r); err != nil {
			return err
		}
		t.Routes = slices.Insert(slices.Clone(t.Routes), 0, r)
		if full, err := tooMany(sc, &t); err != nil {
			return err
		} else if full {
			return shape.Errorf("RouteLimitExceeded", "The maximum number of routes has been reached.")
		}
		return tables.RouteTables.Put(sc.Tx, &t)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateRouteOutput{Return: new(true)}, nil
}

// mayLead refuses a destination that the table's VPC does not allow with the
// route's target.
func mayLead(sc call.Scope, t *network.RouteTable, r network.Route) error {
	v, err := tables.Vpcs.Get(sc.Tx, t.Account, t.Region, t.Vpc)
	if err != nil {
		return err
	}
	return allowed(sc, &v, r)
}

// tooMany reports whether the table has more routes than allowed.
func tooMany(sc call.Scope, t *network.RouteTable) (bool, error) {
	n := 0
	for _, r := range t.Routes {
		if r.Gateway == network.LocalGateway {
			continue
		}
		size := 1
		if r.PrefixList != "" {
			var err error
			if size, err = call.ListSize(sc, r.PrefixList); err != nil {
				return false, err
			}
		}
		n += size
	}
	return n > maxRoutes, nil
}

// ReplaceRoute gives a route another target.
func (s *Handler) ReplaceRoute(ctx context.Context, in *wire.ReplaceRouteInput) (*wire.ReplaceRouteOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	r, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	switch {
	case in.RouteTableId == nil:
		return nil, call.Missing("routeTableId")
	case err != nil:
		return nil, err
	}
	r.Origin = network.OriginCreateRoute
	err = s.Update(ctx, func(sc call.Scope) error {
		t, err := call.RouteTables.Get(sc, *in.RouteTableId)
		if err != nil {
			return err
		}
		i := find(&t, r)
		switch {
		case i < 0:
			return call.Invalid("There is no route defined for '%s' in the route table. Use CreateRoute instead.", named(r))
		case call.Val(in.LocalTarget) && t.Routes[i].Gateway == network.LocalGateway:
			return nil
		case call.Val(in.LocalTarget):
			return call.Invalid("Cannot restore the target of the route to %s, which is not a local route", named(r))
		case t.Routes[i].Gateway == network.LocalGateway:
			return shape.Errorf("UnsupportedOperation", "Replacing the target of the local route %s is not supported.", named(r))
		case ofEndpoint(t.Routes[i]):
			return call.Invalid("cannot replace VPC endpoint route %s in route table %s", named(r), t.ID)
		}
		r := r
		err = aim(sc, &t, &r, asked{in.GatewayId, in.NatGatewayId, in.NetworkInterfaceId, in.VpcPeeringConnectionId, in.VpcEndpointId, in.EgressOnlyInternetGatewayId})
		if err != nil {
			return err
		}
		if err := mayLead(sc, &t, r); err != nil {
			return err
		}
		t.Routes = slices.Clone(t.Routes)
		t.Routes[i] = r
		return tables.RouteTables.Put(sc.Tx, &t)
	})
	return &wire.ReplaceRouteOutput{}, err
}

// ofEndpoint reports whether a gateway endpoint made the route.
func ofEndpoint(r network.Route) bool { return strings.HasPrefix(r.Gateway, "vpce-") }

// DeleteRoute removes a route, which is neither local nor of a gateway endpoint.
func (s *Handler) DeleteRoute(ctx context.Context, in *wire.DeleteRouteInput) (*wire.DeleteRouteOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	r, err := destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId)
	switch {
	case in.RouteTableId == nil:
		return nil, call.Missing("routeTableId")
	case err != nil:
		return nil, err
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		t, err := call.RouteTables.Get(sc, *in.RouteTableId)
		if err != nil {
			return err
		}
		i := find(&t, r)
		switch {
		case i < 0 && r.PrefixList != "":
			return shape.Errorf("InvalidRoute.NotFound", "no route with destination-prefix-list-id %s in route table %s", named(r), t.ID)
		case i < 0 && r.Destination6 != "":
			return shape.Errorf("InvalidRoute.NotFound", "no route with destination-ipv6-cidr-block %s in route table %s", named(r), t.ID)
		case i < 0:
			return shape.Errorf("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", named(r), t.ID)
		case t.Routes[i].Gateway == network.LocalGateway:
			return call.Invalid("cannot remove local route %s in route table %s", named(r), t.ID)
		case ofEndpoint(t.Routes[i]):
			return call.Invalid("cannot remove VPC endpoint route %s in route table %s", named(r), t.ID)
		}
		t.Routes = slices.Delete(slices.Clone(t.Routes), i, i+1)
		return tables.RouteTables.Put(sc.Tx, &t)
	})
	return &wire.DeleteRouteOutput{}, err
}
