package call

import (
	"errors"
	"net/netip"
	"slices"

	"neargate/resource/network"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/wire/shape"
)

// TakeAddress takes the private address ip of the subnet for the interface, or one
// that is free when ip is empty.
func TakeAddress(sc Scope, subnet *network.Subnet, eni, ip string) (string, error) {
	if ip == "" {
		got, err := address.Allocate(sc.Tx, subnet, eni)
		if errors.Is(err, address.ErrExhausted) {
			err = shape.Errorf("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
		}
		return got, err
	}
	err := address.Take(sc.Tx, subnet, eni, ip)
	switch {
	case errors.Is(err, address.ErrInUse):
		return "", shape.Errorf("InvalidIPAddress.InUse", "The specified address is already in use.")
	case errors.Is(err, address.ErrOutside):
		return "", outside(subnet, ip)
	}
	return ip, err
}

func outside(subnet *network.Subnet, ip string) error {
	cidr, err := netip.ParsePrefix(subnet.CIDR)
	a, bad := netip.ParseAddr(ip)
	switch {
	case bad != nil:
		return Invalid("invalid value for parameter address: %s", ip)
	case err == nil && cidr.Contains(a):
		return Invalid("Address %s is in subnet's reserved address range", ip)
	}
	return Invalid("Address %s does not fall within the subnet's address range", ip)
}

// CheckAddress refuses a private address that the subnet never gives.
func CheckAddress(subnet *network.Subnet, ip string) error {
	cidr, err := netip.ParsePrefix(subnet.CIDR)
	if err != nil {
		return err
	}
	if a, err := netip.ParseAddr(ip); err == nil && network.SubnetPool(cidr).Contains(a) {
		return nil
	}
	return outside(subnet, ip)
}

// GroupsFor checks the groups of an interface in the VPC; none means its default
// group.
func GroupsFor(sc Scope, vpc string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		account, region := sc.Tenant()
		found, err := store.Collect(tables.SecurityGroups.By(sc.Tx, tables.GroupsByName, account, region, vpc, network.DefaultGroup))
		var out []string
		for _, g := range found {
			out = append(out, g.ID)
		}
		return out, err
	}
	var out []string
	for _, id := range ids {
		g, err := Groups.Get(sc, id)
		if err != nil {
			return nil, err
		}
		if !g.In(vpc) {
			return nil, shape.Errorf(Groups.NotFound, "You have specified two resources that belong to different networks.")
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}
