package edge

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/billing"
	"neargate/resource/network"
	record "neargate/resource/network/edge"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
	"neargate/store/tables/usages"
)

// DeletedFor is how long a NAT gateway that was deleted or failed is shown. Source:
// Amazon VPC User Guide, NAT gateways.
const DeletedFor = time.Hour

// NatState is what a decision about a NAT gateway rests on.
type NatState struct {
	Gateway   record.NatGateway
	Found     bool
	Subnet    network.Subnet
	HasSubnet bool
	Internet  bool // an internet gateway is attached to the VPC
	Address   record.ElasticIP
	HasIP     bool // the Elastic IP address exists
}

// NatAction is a decision about one NAT gateway: exactly one of Provide, Code,
// Release and Forget.
type NatAction struct {
	Gateway       record.NatGateway
	Subnet        network.Subnet
	Address       record.ElasticIP
	At            time.Time
	Provide       bool   // take its interface and addresses
	Code, Message string // why it cannot be
	Release       bool   // return them
	Forget        bool
}

// natMinter makes the interfaces of NAT gateways.
type natMinter struct{ ids *arn.Source }

// NatGateways is the controller of NAT gateways.
func NatGateways(ids *arn.Source) loop.Runner {
	m := natMinter{ids}
	return loop.Controller[Key, NatState, NatAction]{
		Name:   "nat-gateways",
		Inputs: []loop.Input[Key]{{Prefix: store.Prefix(edges.NatGateways.Name), Keys: primary}},
		Outputs: slices.Concat(edges.NatGateways.Prefixes(), edges.ElasticIPs.Prefixes(), tables.NetworkInterfaces.Prefixes(),
			tables.PrivateAddresses.Prefixes(), tables.PublicAddresses.Prefixes(), usages.Prefixes()),
		Load:  loadNat,
		Plan:  PlanNat,
		Write: m.write,
	}
}

func loadNat(tx store.Tx, k Key) (s NatState, err error) {
	s.Gateway, s.Found, err = edges.NatGateways.Find(tx, k.Account, k.Region, k.ID)
	if err != nil || !s.Found || s.Gateway.State != record.Pending {
		return s, err
	}
	s.Subnet, s.HasSubnet, err = tables.Subnets.Find(tx, k.Account, k.Region, s.Gateway.Subnet)
	if err != nil || s.Gateway.Private {
		return s, err
	}
	for g, err := range tables.InternetGateways.List(tx, k.Account, k.Region) {
		if err != nil {
			return s, err
		}
		s.Internet = s.Internet || g.Vpc == s.Gateway.Vpc
	}
	s.Address, s.HasIP, err = edges.ElasticIPs.Find(tx, k.Account, k.Region, s.Gateway.Addresses[0].Allocation)
	return s, err
}

// PlanNat decides for one NAT gateway. Source of the failures: Amazon VPC User
// Guide, troubleshoot NAT gateways.
func PlanNat(now time.Time, s NatState) ([]NatAction, time.Time) {
	g := s.Gateway
	a := NatAction{Gateway: g, Subnet: s.Subnet, Address: s.Address, At: now}
	switch {
	case !s.Found || g.State == record.Available:
		return nil, time.Time{}
	case g.State == record.Deleting:
		a.Release = true
		return []NatAction{a}, time.Time{}
	case g.State != record.Pending:
		if until := g.DeletedAt.Add(DeletedFor); now.Before(until) {
			return nil, until
		}
		a.Forget = true
		return []NatAction{a}, time.Time{}
	}
	allocation := g.Addresses[0].Allocation
	switch {
	case !s.HasSubnet:
		a.Code, a.Message = "InvalidSubnetID.NotFound", fmt.Sprintf("The specified subnet %s does not exist or could not be found.", g.Subnet)
	case g.Private:
		a.Provide = true
	case !s.Internet:
		a.Code, a.Message = "Gateway.NotAttached", fmt.Sprintf("Network %s has no Internet gateway attached", g.Vpc)
	case !s.HasIP:
		a.Code, a.Message = "InvalidAllocationID.NotFound", fmt.Sprintf("Elastic IP address %s could not be associated with this NAT gateway", allocation)
	case s.Address.ENI != "":
		a.Code, a.Message = "Resource.AlreadyAssociated", fmt.Sprintf("Elastic IP address %s is already associated", allocation)
	default:
		a.Provide = true
	}
	return []NatAction{a}, time.Time{}
}

func (m natMinter) write(tx store.Tx, a NatAction) error {
	g := &a.Gateway
	switch {
	case a.Forget:
		return edges.NatGateways.Delete(tx, g.Account, g.Region, g.ID)
	case a.Release:
		if err := errors.Join(usages.End(tx, billing.OfNatGateway(g), g.DeletedAt), release(tx, g)); err != nil {
			return err
		}
		g.State = record.Deleted
	case a.Provide:
		if err := m.provide(tx, &a); err != nil {
			return err
		}
	}
	if a.Code != "" {
		g.State, g.FailureCode, g.FailureMessage, g.DeletedAt = record.Failed, a.Code, a.Message, a.At
	}
	return edges.NatGateways.Put(tx, g)
}

// provide takes the gateway's interface and addresses, or says in the action why
// it cannot.
func (m natMinter) provide(tx store.Tx, a *NatAction) error {
	g := &a.Gateway
	e := record.Interface(&a.Subnet, m.ids.EC2("eni"), m.ids.EC2(record.AttachmentPrefix), network.TypeNatGateway, g.ID, nil, a.At)
	g.Addresses = slices.Clone(g.Addresses)
	of := &g.Addresses[0]
	ip, err := of.PrivateIP, error(nil)
	if ip == "" {
		ip, err = address.Allocate(tx, &a.Subnet, e.ID)
	} else {
		err = address.Take(tx, &a.Subnet, e.ID, ip)
	}
	switch {
	case errors.Is(err, address.ErrExhausted):
		a.Code, a.Message = "InsufficientFreeAddressesInSubnet", "Subnet has insufficient free addresses to create this NAT gateway"
		return nil
	case errors.Is(err, address.ErrInUse), errors.Is(err, address.ErrOutside):
		a.Code, a.Message = "InvalidIPAddress.InUse", fmt.Sprintf("The private IP address %s is not available in the subnet", ip)
		return nil
	case err != nil:
		return err
	}
	e.Addresses = []string{ip}
	of.ENI, of.PrivateIP, g.State = e.ID, ip, record.Available
	if g.Private {
		return tables.NetworkInterfaces.Put(tx, &e)
	}
	a.Address.NatGateway = g.ID
	of.PublicIP, of.Association = a.Address.Address, m.ids.EC2("eipassoc")
	return address.Associate(tx, &a.Address, &e, of.Association)
}

// release returns the gateway's interfaces and addresses. Its Elastic IP addresses
// stay the account's.
func release(tx store.Tx, g *record.NatGateway) error {
	for _, a := range g.Addresses {
		e, ok, err := tables.NetworkInterfaces.Find(tx, g.Account, g.Region, a.ENI)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := address.DeleteInterface(tx, &e); err != nil {
			return err
		}
	}
	return nil
}
