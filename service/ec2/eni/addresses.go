package eni

import (
	"context"
	"net/netip"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/order"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/wire/shape"
)

// AssignPrivateIpAddresses gives an interface secondary private addresses: those
// named, or a number of free ones.
func (s *Handler) AssignPrivateIpAddresses(ctx context.Context, in *wire.AssignPrivateIpAddressesInput) (*wire.AssignPrivateIpAddressesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	wanted := in.PrivateIpAddresses
	switch {
	case in.NetworkInterfaceId == nil:
		return nil, call.Missing("networkInterfaceId")
	case len(wanted) > 0 && in.SecondaryPrivateIpAddressCount != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddress")
	case in.SecondaryPrivateIpAddressCount != nil && *in.SecondaryPrivateIpAddressCount < 1:
		return nil, call.Invalid("Value (%d) for parameter secondaryPrivateIpAddressCount is invalid.", *in.SecondaryPrivateIpAddressCount)
	case in.SecondaryPrivateIpAddressCount != nil && *in.SecondaryPrivateIpAddressCount >= order.MaxAddresses:
		return nil, order.TooManyAddresses()
	case in.SecondaryPrivateIpAddressCount != nil:
		wanted = make([]string, *in.SecondaryPrivateIpAddressCount)
	case len(wanted) == 0:
		return nil, call.Missing("privateIpAddress")
	}
	out := &wire.AssignPrivateIpAddressesOutput{NetworkInterfaceId: in.NetworkInterfaceId}
	err := s.Update(ctx, func(sc call.Scope) error {
		e, err := ownInterface(sc, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		subnet, err := tables.Subnets.Get(sc.Tx, e.Account, e.Region, e.Subnet)
		if err != nil {
			return err
		}
		out.AssignedPrivateIpAddresses = []wire.AssignedPrivateIpAddress{}
		for _, ip := range wanted {
			if ip == "" || !slices.Contains(e.Addresses, ip) {
				if ip, err = s.assign(sc, &subnet, &e, ip, call.Val(in.AllowReassignment)); err != nil {
					return err
				}
			}
			out.AssignedPrivateIpAddresses = append(out.AssignedPrivateIpAddresses, wire.AssignedPrivateIpAddress{PrivateIpAddress: new(ip)})
		}
		return tables.NetworkInterfaces.Put(sc.Tx, &e)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// assign gives the interface one more address. One that another interface has as a
// secondary address moves if it may.
func (s *Handler) assign(sc call.Scope, subnet *network.Subnet, e *network.NetworkInterface, ip string, move bool) (string, error) {
	if len(e.Addresses) >= order.MaxAddresses {
		return "", order.TooManyAddresses()
	}
	if a, err := netip.ParseAddr(ip); ip != "" && (err != nil || !a.Is4()) {
		return "", call.Invalid("invalid value for parameter address: %s", ip)
	}
	if ip != "" && move {
		if err := freeSecondary(sc, subnet, ip); err != nil {
			return "", err
		}
	}
	got, err := call.TakeAddress(sc, subnet, e.ID, ip)
	if err != nil {
		return "", err
	}
	e.Addresses = append(slices.Clip(e.Addresses), got)
	return got, nil
}

// freeSecondary takes the address from the interface of the caller that has it as
// a secondary one, if any does.
func freeSecondary(sc call.Scope, subnet *network.Subnet, ip string) error {
	held, found, err := tables.PrivateAddresses.Find(sc.Tx, subnet.Account, subnet.Region, subnet.ID, ip)
	if err != nil || !found {
		return err
	}
	e, found, err := tables.NetworkInterfaces.Find(sc.Tx, subnet.Account, subnet.Region, held.ENI)
	if err != nil || !found || e.RequesterManaged || e.Primary() == ip {
		return err
	}
	return dropAddress(sc, &e, ip)
}

// dropAddress takes a secondary address from the interface, and its Elastic IP address.
func dropAddress(sc call.Scope, e *network.NetworkInterface, ip string) error {
	if err := address.LetGo(sc.Tx, e, ip); err != nil {
		return err
	}
	e.Addresses = slices.DeleteFunc(slices.Clone(e.Addresses), func(a string) bool { return a == ip })
	if err := tables.PrivateAddresses.Delete(sc.Tx, e.Account, e.Region, e.Subnet, ip); err != nil {
		return err
	}
	return tables.NetworkInterfaces.Put(sc.Tx, e)
}

// ownInterface is an interface that the caller may change.
func ownInterface(sc call.Scope, id string) (network.NetworkInterface, error) {
	e, err := call.Interfaces.Get(sc, id)
	if err == nil && e.RequesterManaged {
		err = call.NotYours()
	}
	return e, err
}

// UnassignPrivateIpAddresses takes secondary private addresses from an interface.
func (s *Handler) UnassignPrivateIpAddresses(ctx context.Context, in *wire.UnassignPrivateIpAddressesInput) (*wire.UnassignPrivateIpAddressesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.NetworkInterfaceId == nil:
		return nil, call.Missing("networkInterfaceId")
	case len(in.PrivateIpAddresses) == 0:
		return nil, call.Missing("privateIpAddress")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		e, err := ownInterface(sc, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		for _, ip := range in.PrivateIpAddresses {
			switch {
			case !slices.Contains(e.Addresses, ip):
				return call.Invalid("Some of the specified addresses are not assigned to interface %s", e.ID)
			case ip == e.Primary():
				return call.Invalid("The primary IP address of an interface cannot be unassigned")
			}
			if err := dropAddress(sc, &e, ip); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &wire.UnassignPrivateIpAddressesOutput{}, nil
}
