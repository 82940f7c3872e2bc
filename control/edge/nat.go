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
	Internet  bool                        // an internet gateway is attached to the VPC
	Elastic   map[string]record.ElasticIP // those of its Elastic IP addresses that exist, by allocation
}

// NatAction is a decision about one NAT gateway: exactly one of Provide, Settle, Code,
// Release and Forget.
type NatAction struct {
	Gateway       record.NatGateway
	Subnet        network.Subnet
	Elastic       map[string]record.ElasticIP
	At            time.Time
	Provide       bool   // take its interface and addresses
	Settle        bool   // take addresses that come, return those that went
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
	if err != nil || !s.Found || s.Gateway.State != record.Pending && s.Gateway.State != record.Available {
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
	s.Elastic = map[string]record.ElasticIP{}
	for _, a := range s.Gateway.Addresses {
		ip, found, err := edges.ElasticIPs.Find(tx, k.Account, k.Region, a.Allocation)
		if err != nil {
			return s, err
		}
		if found {
			s.Elastic[a.Allocation] = ip
		}
	}
	return s, nil
}

// PlanNat decides for one NAT gateway. Source of the failures: Amazon VPC User
// Guide, troubleshoot NAT gateways.
func PlanNat(now time.Time, s NatState) ([]NatAction, time.Time) {
	g := s.Gateway
	a := NatAction{Gateway: g, Subnet: s.Subnet, Elastic: s.Elastic, At: now}
	switch {
	case !s.Found:
		return nil, time.Time{}
	case g.State == record.Available:
		var next time.Time
		if a.Settle, next = unsettled(now, &g); a.Settle {
			return []NatAction{a}, time.Time{}
		}
		return nil, next
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
	switch {
	case !s.HasSubnet:
		a.Code, a.Message = "InvalidSubnetID.NotFound", fmt.Sprintf("The specified subnet %s does not exist or could not be found.", g.Subnet)
	case g.Private:
		a.Provide = true
	case !s.Internet:
		a.Code, a.Message = "Gateway.NotAttached", fmt.Sprintf("Network %s has no Internet gateway attached", g.Vpc)
	default:
		for _, of := range g.Addresses {
			if a.Code, a.Message = unusable(s.Elastic, of.Allocation); a.Code != "" {
				break
			}
		}
		a.Provide = a.Code == ""
	}
	return []NatAction{a}, time.Time{}
}

// unusable says why an Elastic IP address cannot be a gateway's.
func unusable(elastic map[string]record.ElasticIP, allocation string) (code, message string) {
	switch ip, found := elastic[allocation]; {
	case !found:
		return "InvalidAllocationID.NotFound", fmt.Sprintf("Elastic IP address %s could not be associated with this NAT gateway", allocation)
	case ip.ENI != "":
		return "Resource.AlreadyAssociated", fmt.Sprintf("Elastic IP address %s is already associated", allocation)
	}
	return "", ""
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
	case a.Settle:
		e, err := tables.NetworkInterfaces.Get(tx, g.Account, g.Region, g.Addresses[0].ENI)
		if err != nil {
			return err
		}
		if err := m.settle(tx, &a, &e); err != nil {
			return err
		}
	}
	if a.Code != "" {
		g.State, g.FailureCode, g.FailureMessage, g.DeletedAt = record.Failed, a.Code, a.Message, a.At
	}
	return edges.NatGateways.Put(tx, g)
}

// provide takes the gateway's interface and addresses, or says in the action why it
// cannot have the first; of others, their status says it.
func (m natMinter) provide(tx store.Tx, a *NatAction) error {
	g := &a.Gateway
	e := record.Interface(&a.Subnet, m.ids.EC2("eni"), m.ids.EC2(record.AttachmentPrefix), network.TypeNatGateway, g.ID, nil, a.At)
	g.Addresses = slices.Clone(g.Addresses)
	var err error
	if a.Code, a.Message, err = m.have(tx, a, &e, &g.Addresses[0]); a.Code != "" || err != nil {
		return err
	}
	g.State = record.Available
	return m.settle(tx, a, &e)
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
