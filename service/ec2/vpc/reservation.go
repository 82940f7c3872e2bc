package vpc

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
)

func renderReserved(s *network.Subnet, r *network.Reserved) wire.SubnetCidrReservation {
	return wire.SubnetCidrReservation{
		Cidr: &r.CIDR, Description: call.Optional(r.Description), OwnerId: &s.Account, ReservationType: &r.Type,
		SubnetCidrReservationId: &r.ID, SubnetId: &s.ID, Tags: tag.Listed(r.Tags),
	}
}

// reservable reads a range to reserve in the subnet.
func reservable(s *network.Subnet, cidr string) (netip.Prefix, error) {
	p, four := network.Canonical(cidr, 4)
	if !four {
		var six bool
		if p, six = network.Canonical(cidr, 6); !six {
			return p, call.Invalid("Value (%s) for parameter cidr is invalid. This is not a valid CIDR block.", cidr)
		}
	}
	whole := []string{s.CIDR}
	for _, b := range s.IPv6 {
		whole = append(whole, b.CIDR)
	}
	within := func(c string) bool {
		outer, err := netip.ParsePrefix(c)
		return err == nil && inside(p, outer)
	}
	if !slices.ContainsFunc(whole, within) {
		return p, call.Invalid("Value (%s) for parameter cidr is invalid. It is not within the range of subnet '%s'.", p, s.ID)
	}
	for _, r := range s.Reservations {
		if o, err := netip.ParsePrefix(r.CIDR); err == nil && o.Overlaps(p) {
			return p, call.Invalid("Reservation CIDR %s has overlap with existing reserved CIDR block", p)
		}
	}
	return p, nil
}

// CreateSubnetCidrReservation sets a part of a subnet's range aside. Who has an
// address there keeps it.
func (s *Handler) CreateSubnetCidrReservation(ctx context.Context, in *wire.CreateSubnetCidrReservationInput) (*wire.CreateSubnetCidrReservationOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch kind := call.Val(in.ReservationType); {
	case in.SubnetId == nil:
		return nil, call.Missing("subnetId")
	case in.Cidr == nil:
		return nil, call.Missing("cidr")
	case in.ReservationType == nil:
		return nil, call.Missing("reservationType")
	case kind != network.ReservedPrefix && kind != network.ReservedExplicit:
		return nil, call.Invalid("Value (%s) for parameter reservationType is invalid.", kind)
	}
	tags, err := tag.Specified(in.TagSpecifications, call.ReservedType)
	if err != nil {
		return nil, err
	}
	r := network.Reserved{
		ID: s.Deps.IDs.EC2(call.ReservedPrefix), Type: *in.ReservationType, Description: call.Val(in.Description), Tags: tags,
	}
	var out wire.SubnetCidrReservation
	err = s.Update(ctx, func(sc call.Scope) error {
		subnet, err := call.Subnets.Get(sc, *in.SubnetId)
		if err != nil {
			return err
		}
		p, err := reservable(&subnet, *in.Cidr)
		if err != nil {
			return err
		}
		r.CIDR = p.String()
		subnet.Reservations = append(slices.Clone(subnet.Reservations), r)
		slices.SortFunc(subnet.Reservations, func(a, b network.Reserved) int { return strings.Compare(a.ID, b.ID) })
		out = renderReserved(&subnet, &r)
		return tables.Subnets.Put(sc.Tx, &subnet)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateSubnetCidrReservationOutput{SubnetCidrReservation: &out}, nil
}

// DeleteSubnetCidrReservation lets addresses be chosen from what was reserved.
func (s *Handler) DeleteSubnetCidrReservation(ctx context.Context, in *wire.DeleteSubnetCidrReservationInput) (*wire.DeleteSubnetCidrReservationOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.SubnetCidrReservationId == nil {
		return nil, call.Missing("subnetCidrReservationId")
	}
	var out wire.SubnetCidrReservation
	err := s.Update(ctx, func(sc call.Scope) error {
		subnet, i, err := call.Reservation(sc, *in.SubnetCidrReservationId)
		if err != nil {
			return err
		}
		gone := subnet.Reservations[i]
		out = renderReserved(&subnet, &gone)
		subnet.Reservations = slices.Delete(slices.Clone(subnet.Reservations), i, i+1)
		return tables.Subnets.Put(sc.Tx, &subnet)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteSubnetCidrReservationOutput{DeletedSubnetCidrReservation: &out}, nil
}

var reservationFilters = filter.Set{Tags: "Tags", Fields: map[string]string{
	"reservationType": "ReservationType", "subnet-id": "SubnetId",
}}

// GetSubnetCidrReservations lists what is reserved of a subnet.
func (s *Handler) GetSubnetCidrReservations(ctx context.Context, in *wire.GetSubnetCidrReservationsInput) (*wire.GetSubnetCidrReservationsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.SubnetId == nil {
		return nil, call.Missing("subnetId")
	}
	match, err := filter.Compile[wire.SubnetCidrReservation](reservationFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	if err := call.CheckPage("", call.Query{Max: in.MaxResults}); err != nil {
		return nil, err
	}
	out := &wire.GetSubnetCidrReservationsOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		*out = wire.GetSubnetCidrReservationsOutput{
			SubnetIpv4CidrReservations: []wire.SubnetCidrReservation{}, SubnetIpv6CidrReservations: []wire.SubnetCidrReservation{},
		}
		subnet, err := call.Subnets.Get(sc, *in.SubnetId)
		if err != nil {
			return err
		}
		var found []wire.SubnetCidrReservation
		for i := range subnet.Reservations {
			if w := renderReserved(&subnet, &subnet.Reservations[i]); match(&w) {
				found = append(found, w)
			}
		}
		found, out.NextToken, err = call.Cut(s.Env, sc, "GetSubnetCidrReservations", in.MaxResults, in.NextToken, found,
			func(w *wire.SubnetCidrReservation) string { return *w.SubnetCidrReservationId }, subnet.ID)
		for _, w := range found {
			if strings.Contains(*w.Cidr, ":") {
				out.SubnetIpv6CidrReservations = append(out.SubnetIpv6CidrReservations, w)
			} else {
				out.SubnetIpv4CidrReservations = append(out.SubnetIpv4CidrReservations, w)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
