package call

import (
	"slices"

	"neargate/resource/network"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// Ids of subnet CIDR reservations, and their type in tags.
const (
	ReservedPrefix = "scr"
	ReservedType   = "subnet-cidr-reservation"
)

// reservationIDs is the kind of reservations as far as their ids go: subnets hold them.
var reservationIDs = Kind[network.Reserved]{
	Prefix: ReservedPrefix, Type: ReservedType,
	NotFound: "InvalidSubnetCidrReservationID.NotFound", Absent: "The subnet CIDR reservation ID '%s' does not exist",
	Malformed: "InvalidSubnetCidrReservationID.Malformed",
}

// Reservation is the caller's subnet that holds the reservation with the id, and its
// place there, or AWS's error.
func Reservation(sc Scope, id string) (network.Subnet, int, error) {
	if err := reservationIDs.Check(id); err != nil {
		return network.Subnet{}, 0, err
	}
	account, region := sc.Tenant()
	for s, err := range tables.Subnets.List(sc.Tx, account, region) {
		if err != nil {
			return s, 0, err
		}
		if i := slices.IndexFunc(s.Reservations, func(r network.Reserved) bool { return r.ID == id }); i >= 0 {
			return s, i, nil
		}
	}
	return network.Subnet{}, 0, shape.Errorf(reservationIDs.NotFound, reservationIDs.Absent, id)
}

// reservations are subnet CIDR reservations for tagging.
func reservations() Taggable {
	return Taggable{
		Prefix: ReservedPrefix, Type: ReservedType,
		Edit: func(sc Scope, id string, change func([]network.Tag) ([]network.Tag, error)) error {
			s, i, err := Reservation(sc, id)
			if err != nil {
				return err
			}
			tags, err := change(s.Reservations[i].Tags)
			if err != nil {
				return err
			}
			s.Reservations = slices.Clone(s.Reservations)
			s.Reservations[i].Tags = tags
			return tables.Subnets.Put(sc.Tx, &s)
		},
		List: func(sc Scope, visit func(string, []network.Tag)) error {
			account, region := sc.Tenant()
			for s, err := range tables.Subnets.List(sc.Tx, account, region) {
				if err != nil {
					return err
				}
				for _, r := range s.Reservations {
					visit(r.ID, r.Tags)
				}
			}
			return nil
		},
	}
}
