package eni

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/order"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/ranges"
	"neargate/wire/shape"
)

// shown6 are the interface's IPv6 addresses.
func shown6(e *network.NetworkInterface) []wire.NetworkInterfaceIpv6Address {
	out := []wire.NetworkInterfaceIpv6Address{}
	for _, a := range e.IPv6 {
		out = append(out, wire.NetworkInterfaceIpv6Address{Ipv6Address: new(a), IsPrimaryIpv6: new(false)})
	}
	return out
}

func first(list []string) *string {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// AssignIpv6Addresses gives an interface IPv6 addresses: those named, or a number of
// free ones.
func (s *Handler) AssignIpv6Addresses(ctx context.Context, in *wire.AssignIpv6AddressesInput) (*wire.AssignIpv6AddressesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.NetworkInterfaceId == nil {
		return nil, call.Missing("networkInterfaceId")
	}
	named, count, err := order.IPv6(in.Ipv6Addresses, in.Ipv6AddressCount)
	switch {
	case err != nil:
		return nil, err
	case len(named) == 0 && count == 0:
		return nil, call.Missing("ipv6AddressCount")
	}
	out := &wire.AssignIpv6AddressesOutput{NetworkInterfaceId: in.NetworkInterfaceId}
	err = s.Update(ctx, func(sc call.Scope) error {
		e, err := ownInterface(sc, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		subnet, err := tables.Subnets.Get(sc.Tx, e.Account, e.Region, e.Subnet)
		if err != nil {
			return err
		}
		wanted := slices.DeleteFunc(slices.Clone(named), func(a string) bool { return slices.Contains(e.IPv6, a) })
		got, err := assign6(sc, &subnet, &e, wanted, count)
		if err != nil {
			return err
		}
		if out.AssignedIpv6Addresses = got; len(named) > 0 {
			out.AssignedIpv6Addresses = named
		}
		return tables.NetworkInterfaces.Put(sc.Tx, &e)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// assign6 gives the interface the named IPv6 addresses of its subnet, and as many more
// as count says.
func assign6(sc call.Scope, subnet *network.Subnet, e *network.NetworkInterface, named []string, count int) ([]string, error) {
	if len(named) == 0 && count == 0 {
		return nil, nil
	}
	if len(subnet.IPv6) == 0 {
		return nil, call.Invalid("The subnet '%s' has no associated IPv6 CIDR block.", subnet.ID)
	}
	if len(e.IPv6)+len(named)+count > order.MaxAddresses {
		return nil, shape.Errorf("Ipv6AddressLimitExceeded", "Number of IPv6 addresses will exceed limit.")
	}
	var got []string
	for _, a := range named {
		switch err := ranges.Take(sc.Tx, subnet, e.ID, a); {
		case errors.Is(err, address.ErrInUse):
			return nil, shape.Errorf("InvalidIPAddress.InUse", "The specified address is already in use.")
		case errors.Is(err, address.ErrOutside):
			return nil, outside6(subnet, a)
		case err != nil:
			return nil, err
		}
		got = append(got, a)
	}
	for i := range count {
		a, err := ranges.Assign(sc.Tx, subnet, e.ID, strconv.Itoa(len(e.IPv6)+i))
		if errors.Is(err, address.ErrExhausted) {
			err = shape.Errorf("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
		}
		if err != nil {
			return nil, err
		}
		got = append(got, a)
	}
	e.IPv6 = slices.Concat(e.IPv6, got)
	return got, nil
}

func outside6(subnet *network.Subnet, ip string) error {
	p, err := netip.ParsePrefix(subnet.IPv6[0].CIDR)
	if a, bad := netip.ParseAddr(ip); err == nil && bad == nil && p.Contains(a) {
		return call.Invalid("Address %s is in subnet's reserved address range", ip)
	}
	return call.Invalid("Address %s does not fall within the subnet's address range", ip)
}

// UnassignIpv6Addresses takes IPv6 addresses from an interface.
func (s *Handler) UnassignIpv6Addresses(ctx context.Context, in *wire.UnassignIpv6AddressesInput) (*wire.UnassignIpv6AddressesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.NetworkInterfaceId == nil {
		return nil, call.Missing("networkInterfaceId")
	}
	named, _, err := order.IPv6(in.Ipv6Addresses, nil)
	switch {
	case err != nil:
		return nil, err
	case len(named) == 0:
		return nil, call.Missing("ipv6Addresses")
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		e, err := ownInterface(sc, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		for _, a := range named {
			if !slices.Contains(e.IPv6, a) {
				return call.Invalid("Some of the specified addresses are not assigned to interface %s", e.ID)
			}
		}
		e.IPv6 = slices.DeleteFunc(slices.Clone(e.IPv6), func(a string) bool { return slices.Contains(named, a) })
		if err := ranges.Release(sc.Tx, &e, named...); err != nil {
			return err
		}
		return tables.NetworkInterfaces.Put(sc.Tx, &e)
	})
	if err != nil {
		return nil, err
	}
	return &wire.UnassignIpv6AddressesOutput{NetworkInterfaceId: in.NetworkInterfaceId, UnassignedIpv6Addresses: named}, nil
}
