package edge

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"neargate/resource/network"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
)

// unsettled reports whether addresses of an available gateway come, went or are to be
// forgotten; else, when the next will be.
func unsettled(now time.Time, g *record.NatGateway) (due bool, next time.Time) {
	for _, of := range g.Addresses {
		switch {
		case of.Comes(), over(&of, now):
			return true, time.Time{}
		case !of.Until.IsZero() && (next.IsZero() || of.Until.Before(next)):
			next = of.Until
		}
	}
	return false, next
}

// over reports whether the address went, or has been shown as failed for long enough.
func over(of *record.NatAddress, now time.Time) bool {
	return (of.Goes() || of.Status == record.Failed) && !now.Before(of.Until)
}

// settle has the gateway's interface take the addresses that come and return those that
// went.
func (m natMinter) settle(tx store.Tx, a *NatAction, e *network.NetworkInterface) error {
	g := &a.Gateway
	all := g.Addresses
	g.Addresses = nil
	for _, of := range all {
		switch {
		case of.Comes():
			code, message, err := "", "", error(nil)
			if !g.Private {
				code, message = unusable(a.Elastic, of.Allocation)
			}
			if code == "" {
				code, message, err = m.have(tx, a, e, &of)
			}
			if err != nil {
				return err
			}
			if code != "" {
				of.Status, of.FailureMessage, of.Until = record.Failed, message, a.At.Add(DeletedFor)
			}
		case over(&of, a.At):
			if err := drop(tx, e, &of); err != nil {
				return err
			}
			continue
		}
		g.Addresses = append(g.Addresses, of)
	}
	return tables.NetworkInterfaces.Put(tx, e)
}

// have gives the interface an address of the gateway, or says why it cannot be. Then
// nothing is changed.
func (m natMinter) have(tx store.Tx, a *NatAction, e *network.NetworkInterface, of *record.NatAddress) (code, message string, err error) {
	ip := of.PrivateIP
	if ip == "" {
		ip, err = address.Allocate(tx, &a.Subnet, e.ID)
	} else {
		err = address.Take(tx, &a.Subnet, e.ID, ip)
	}
	switch {
	case errors.Is(err, address.ErrExhausted):
		return "InsufficientFreeAddressesInSubnet", "Subnet has insufficient free addresses to create this NAT gateway", nil
	case errors.Is(err, address.ErrInUse), errors.Is(err, address.ErrOutside):
		return "InvalidIPAddress.InUse", fmt.Sprintf("The private IP address %s is not available in the subnet", ip), nil
	case err != nil:
		return "", "", err
	}
	e.Addresses = append(slices.Clip(e.Addresses), ip)
	of.ENI, of.PrivateIP, of.Status = e.ID, ip, ""
	if a.Gateway.Private {
		return "", "", nil
	}
	elastic := a.Elastic[of.Allocation]
	elastic.NatGateway = a.Gateway.ID
	of.PublicIP, of.Association = elastic.Address, m.ids.EC2("eipassoc")
	return "", "", address.Associate(tx, &elastic, e, ip, of.Association)
}

// drop takes a secondary address from the gateway's interface. Its Elastic IP address
// stays the account's. One that failed never was the interface's.
func drop(tx store.Tx, e *network.NetworkInterface, of *record.NatAddress) error {
	if !of.Goes() {
		return nil
	}
	if err := address.LetGo(tx, e, of.PrivateIP); err != nil {
		return err
	}
	e.Addresses = slices.DeleteFunc(slices.Clone(e.Addresses), func(ip string) bool { return ip == of.PrivateIP })
	return tables.PrivateAddresses.Delete(tx, e.Account, e.Region, e.Subnet, of.PrivateIP)
}
