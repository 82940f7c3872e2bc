package gateway

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

// How many addresses a NAT gateway may have, and how long one that goes serves known
// connections unless the request says. Sources: Amazon VPC quotas; Amazon EC2 API
// Reference, DisassociateNatGatewayAddress.
const (
	maxNatElastic = 2
	maxNatPrivate = 8
	drainFor      = 350 * time.Second
)

// secondaries are the addresses that a request wants besides the primary one.
func secondaries(in *wire.CreateNatGatewayInput, private bool) ([]edge.NatAddress, error) {
	switch {
	case private && len(in.SecondaryAllocationIds) > 0:
		return nil, shape.Errorf("InvalidParameterCombination", "SecondaryAllocationIds cannot be specified for a private NAT gateway")
	case private:
		return privately(in.SecondaryPrivateIpAddresses, in.SecondaryPrivateIpAddressCount, "SecondaryPrivateIpAddress")
	case in.SecondaryPrivateIpAddressCount != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "SecondaryPrivateIpAddressCount cannot be specified for a public NAT gateway")
	}
	return publicly(in.SecondaryAllocationIds, in.SecondaryPrivateIpAddresses, call.Val(in.AllocationId))
}

// privately are private addresses that come: those named, or a number of free ones.
func privately(named []string, count *int32, name string) ([]edge.NatAddress, error) {
	switch {
	case len(named) > 0 && count != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "%ses and %sCount cannot be specified together", name, name)
	case count != nil && *count < 1:
		return nil, call.Invalid("Value (%d) for parameter %sCount is invalid.", *count, name)
	case count != nil && *count >= maxNatPrivate:
		return nil, tooManyPrivate()
	case count != nil:
		named = make([]string, *count)
	}
	var all []edge.NatAddress
	for _, ip := range named {
		all = append(all, edge.NatAddress{PrivateIP: ip, Status: edge.Assigning})
	}
	return all, nil
}

// publicly are Elastic IP addresses that come, each with a private address: the one
// named in its place, or a free one. None may be there twice, or be taken.
func publicly(allocations, named []string, taken ...string) ([]edge.NatAddress, error) {
	if len(named) > 0 && len(named) != len(allocations) {
		return nil, shape.Errorf("InvalidParameterCombination", "The number of private IP addresses must be equal to the number of allocation IDs")
	}
	var all []edge.NatAddress
	for i, id := range allocations {
		if slices.Contains(taken, id) || slices.Contains(allocations[:i], id) {
			return nil, call.Invalid("The allocation ID '%s' is specified more than once", id)
		}
		a := edge.NatAddress{Allocation: id, Status: edge.Associating}
		if len(named) > 0 {
			a.PrivateIP = named[i]
		}
		all = append(all, a)
	}
	return all, nil
}

func tooManyPrivate() error {
	return shape.Errorf("PrivateIpAddressLimitExceeded", "A NAT gateway cannot have more than %d private IP addresses", maxNatPrivate)
}

// checkAddresses refuses more addresses than a gateway may have, and private ones that
// the subnet cannot give or that are there twice.
func checkAddresses(subnet *network.Subnet, all []edge.NatAddress) error {
	elastic, private := 0, map[string]bool{}
	for _, a := range all {
		if a.Status == edge.Failed {
			continue
		}
		if a.Allocation != "" {
			elastic++
		}
		if a.PrivateIP == "" {
			continue
		}
		if err := call.CheckAddress(subnet, a.PrivateIP); err != nil {
			return err
		}
		if private[a.PrivateIP] {
			return call.Invalid("The private IP address %s is specified more than once", a.PrivateIP)
		}
		private[a.PrivateIP] = true
	}
	switch {
	case elastic > maxNatElastic:
		return shape.Errorf("AddressLimitExceeded", "A NAT gateway cannot have more than %d Elastic IP addresses", maxNatElastic)
	case len(all) > maxNatPrivate:
		return tooManyPrivate()
	}
	return nil
}

// changing is the caller's gateway, of the kind, whose addresses may change now.
func changing(sc call.Scope, id *string, private bool) (edge.NatGateway, error) {
	if id == nil {
		return edge.NatGateway{}, call.Missing("NatGatewayId")
	}
	g, err := call.NatGateways.Get(sc, *id)
	kind := map[bool]string{true: "private", false: "public"}
	switch {
	case err != nil:
		return g, err
	case g.State == edge.Deleted:
		return g, shape.Errorf(call.NatGateways.NotFound, call.NatGateways.Absent, g.ID)
	case g.Private != private:
		return g, shape.Errorf("InvalidParameter", "The NAT gateway %s is not a %s NAT gateway", g.ID, kind[private])
	case g.State != edge.Available:
		return g, shape.Errorf("IncorrectState", "The NAT gateway %s is in the state %s", g.ID, g.State)
	}
	return g, busy(&g)
}

// busy refuses to change a gateway whose addresses come or go.
func busy(g *edge.NatGateway) error {
	for _, status := range []string{edge.Associating, edge.Disassociating, edge.Assigning, edge.Unassigning} {
		var names []string
		for _, a := range g.Addresses {
			if a.Status == status {
				names = append(names, cmp.Or(a.Allocation, a.PrivateIP, "-"))
			}
		}
		what := "EIPs"
		if g.Private {
			what = "private IP addresses"
		}
		if names != nil {
			return shape.Errorf("OperationInProgress", "Service is currently %s the following %s: [%s].", strings.ToUpper(status), what, strings.Join(names, ", "))
		}
	}
	return nil
}

// come writes that the gateway gets more addresses, and returns them as they are shown.
func come(sc call.Scope, g *edge.NatGateway, more []edge.NatAddress) ([]wire.NatGatewayAddress, error) {
	subnet, err := tables.Subnets.Get(sc.Tx, g.Account, g.Region, g.Subnet)
	if err != nil {
		return nil, err
	}
	for i := range more {
		more[i].ENI = g.Addresses[0].ENI
	}
	shown := len(g.Addresses)
	g.Addresses = append(slices.Clip(g.Addresses), more...)
	if err := checkAddresses(&subnet, g.Addresses); err != nil {
		return nil, err
	}
	if err := edges.NatGateways.Put(sc.Tx, g); err != nil {
		return nil, err
	}
	w, err := renderNat(sc, g)
	return w.NatGatewayAddresses[shown:], err
}

// AssociateNatGatewayAddress orders more Elastic IP addresses for a public NAT gateway.
func (s *Handler) AssociateNatGatewayAddress(ctx context.Context, in *wire.AssociateNatGatewayAddressInput) (*wire.AssociateNatGatewayAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out := &wire.AssociateNatGatewayAddressOutput{NatGatewayId: in.NatGatewayId}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := changing(sc, in.NatGatewayId, false)
		if err != nil {
			return err
		}
		if len(in.AllocationIds) == 0 {
			return call.Missing("AllocationId")
		}
		more, err := publicly(in.AllocationIds, in.PrivateIpAddresses)
		if err != nil {
			return err
		}
		for _, of := range more {
			a, err := elastic(sc, of.Allocation)
			if err != nil {
				return err
			}
			if a.ENI != "" {
				return taken(&a)
			}
		}
		out.NatGatewayAddresses, err = come(sc, &g, more)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AssignPrivateNatGatewayAddress orders more private addresses for a private NAT
// gateway.
func (s *Handler) AssignPrivateNatGatewayAddress(ctx context.Context, in *wire.AssignPrivateNatGatewayAddressInput) (*wire.AssignPrivateNatGatewayAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	more, err := privately(in.PrivateIpAddresses, in.PrivateIpAddressCount, "PrivateIpAddress")
	switch {
	case err != nil:
		return nil, err
	case len(more) == 0:
		more = []edge.NatAddress{{Status: edge.Assigning}}
	}
	out := &wire.AssignPrivateNatGatewayAddressOutput{NatGatewayId: in.NatGatewayId}
	err = s.Update(ctx, func(sc call.Scope) error {
		g, err := changing(sc, in.NatGatewayId, true)
		if err != nil {
			return err
		}
		for _, of := range more {
			if of.PrivateIP == "" {
				continue
			}
			_, used, err := tables.PrivateAddresses.Find(sc.Tx, g.Account, g.Region, g.Subnet, of.PrivateIP)
			switch {
			case err != nil:
				return err
			case used:
				return shape.Errorf("InvalidIPAddress.InUse", "The specified address is already in use.")
			}
		}
		out.NatGatewayAddresses, err = come(sc, &g, slices.Clone(more))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// leave writes that those of the gateway's secondary addresses go that are called one of
// names, each of them, and returns them as they are shown.
func (s *Handler) leave(sc call.Scope, g *edge.NatGateway, names []string, nameOf func(*edge.NatAddress) string, status string, drain *int32,
	missing func(string) error) ([]wire.NatGatewayAddress, error) {
	until := s.Deps.Now().Add(drainFor)
	if drain != nil {
		if *drain < 1 || *drain > 4000 {
			return nil, call.Invalid("Value (%d) for parameter MaxDrainDurationSeconds is invalid.", *drain)
		}
		until = s.Deps.Now().Add(time.Duration(*drain) * time.Second)
	}
	g.Addresses = slices.Clone(g.Addresses)
	var places []int
	for _, name := range names {
		at := slices.IndexFunc(g.Addresses, func(a edge.NatAddress) bool { return name != "" && a.Status != edge.Failed && nameOf(&a) == name })
		switch {
		case at < 0:
			return nil, missing(name)
		case at == 0:
			return nil, shape.Errorf("InvalidParameter", "The primary address of the NAT gateway %s cannot be removed", g.ID)
		case !slices.Contains(places, at):
			places = append(places, at)
		}
		g.Addresses[at].Status, g.Addresses[at].Until = status, until
	}
	if err := edges.NatGateways.Put(sc.Tx, g); err != nil {
		return nil, err
	}
	w, err := renderNat(sc, g)
	var shown []wire.NatGatewayAddress
	for _, at := range places {
		shown = append(shown, w.NatGatewayAddresses[at])
	}
	return shown, err
}

// DisassociateNatGatewayAddress orders the end of secondary Elastic IP addresses of a
// public NAT gateway. Known connections keep them until the time to drain is over.
func (s *Handler) DisassociateNatGatewayAddress(ctx context.Context, in *wire.DisassociateNatGatewayAddressInput) (*wire.DisassociateNatGatewayAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out := &wire.DisassociateNatGatewayAddressOutput{NatGatewayId: in.NatGatewayId}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := changing(sc, in.NatGatewayId, false)
		switch {
		case err != nil:
			return err
		case len(in.AssociationIds) == 0:
			return call.Missing("AssociationId")
		}
		out.NatGatewayAddresses, err = s.leave(sc, &g, in.AssociationIds, func(a *edge.NatAddress) string { return a.Association },
			edge.Disassociating, in.MaxDrainDurationSeconds, func(id string) error {
				return shape.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
			})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UnassignPrivateNatGatewayAddress orders the end of secondary addresses of a private
// NAT gateway. Known connections keep them until the time to drain is over.
func (s *Handler) UnassignPrivateNatGatewayAddress(ctx context.Context, in *wire.UnassignPrivateNatGatewayAddressInput) (*wire.UnassignPrivateNatGatewayAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out := &wire.UnassignPrivateNatGatewayAddressOutput{NatGatewayId: in.NatGatewayId}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := changing(sc, in.NatGatewayId, true)
		switch {
		case err != nil:
			return err
		case len(in.PrivateIpAddresses) == 0:
			return call.Missing("PrivateIpAddress")
		}
		out.NatGatewayAddresses, err = s.leave(sc, &g, in.PrivateIpAddresses, func(a *edge.NatAddress) string { return a.PrivateIP },
			edge.Unassigning, in.MaxDrainDurationSeconds, func(ip string) error {
				return call.Invalid("The private IP address %s is not assigned to the NAT gateway %s", ip, g.ID)
			})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
