package gateway

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/billing"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
	"neargate/store/tables/edges"
	"neargate/store/tables/usages"
	"neargate/wire/shape"
)

// maxElastic is how many Elastic IP addresses an account may have in a region.
// Source: Amazon VPC quotas.
const maxElastic = 5

// amazon is the pool that Amazon's own public addresses are of.
const amazon = "amazon"

// AllocateAddress gives the account a public address to keep.
func (s *Handler) AllocateAddress(ctx context.Context, in *wire.AllocateAddressInput) (*wire.AllocateAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	region := ""
	switch {
	case in.Domain != nil && *in.Domain != "vpc":
		return nil, call.Invalid("Value (%s) for parameter domain is invalid. Only vpc is supported.", *in.Domain)
	case in.PublicIpv4Pool != nil && *in.PublicIpv4Pool != amazon:
		return nil, shape.Errorf("InvalidPublicIpv4PoolID.NotFound", "The pool ID '%s' does not exist", *in.PublicIpv4Pool)
	}
	tags, err := tag.Specified(in.TagSpecifications, call.ElasticIPs.Type)
	if err != nil {
		return nil, err
	}
	a := edge.ElasticIP{ID: s.Deps.IDs.EC2(call.ElasticIPs.Prefix), Tags: tags}
	err = s.Update(ctx, func(sc call.Scope) error {
		a.Account, a.Region = sc.Tenant()
		region = a.Region
		if in.NetworkBorderGroup != nil && *in.NetworkBorderGroup != region {
			return call.Invalid("Value (%s) for parameter networkBorderGroup is invalid.", *in.NetworkBorderGroup)
		}
		if sc.Tx.Count(store.Prefix(edges.ElasticIPs.Name, a.Account, a.Region)) >= maxElastic {
			return shape.Errorf("AddressLimitExceeded", "The maximum number of addresses has been reached.")
		}
		var err error
		a.Address, err = address.AllocateElastic(sc.Tx, network.PublicPool(s.PublicRange()), a.Account, a.Region, a.ID)
		if errors.Is(err, address.ErrExhausted) {
			return shape.Errorf("InsufficientAddressCapacity", "There are not enough free public addresses to satisfy the request.")
		} else if err != nil {
			return err
		}
		if err := usages.Begin(sc.Tx, billing.OfAddress(&a), s.Deps.Now()); err != nil {
			return err
		}
		return edges.ElasticIPs.Put(sc.Tx, &a)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AllocateAddressOutput{
		AllocationId: &a.ID, Domain: new("vpc"), NetworkBorderGroup: &region, PublicIp: &a.Address, PublicIpv4Pool: new(amazon),
	}, nil
}

// ReleaseAddress gives a public address up.
func (s *Handler) ReleaseAddress(ctx context.Context, in *wire.ReleaseAddressInput) (*wire.ReleaseAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		_, region := sc.Tenant()
		switch {
		case in.AllocationId == nil && in.PublicIp == nil:
			return call.Missing("AllocationId")
		case in.AllocationId == nil:
			return shape.Errorf("InvalidParameterCombination", "You must specify an allocation id when releasing a VPC elastic IP address")
		case in.PublicIp != nil:
			return bothSelectors()
		case in.NetworkBorderGroup != nil && *in.NetworkBorderGroup != region:
			return call.Invalid("Value (%s) for parameter networkBorderGroup is invalid.", *in.NetworkBorderGroup)
		}
		a, err := elastic(sc, *in.AllocationId)
		switch {
		case err != nil:
			return err
		case a.ENI != "":
			return shape.Errorf("InvalidIPAddress.InUse", "Address %s is in use.", a.Address)
		case a.Reverse != "":
			return stillNamed(&a)
		}
		if err := usages.End(sc.Tx, billing.OfAddress(&a), s.Deps.Now()); err != nil {
			return err
		}
		return address.ReleaseElastic(sc.Tx, &a)
	})
	return &wire.ReleaseAddressOutput{}, err
}

func bothSelectors() error {
	return shape.Errorf("InvalidParameterCombination", "You may specify public IP or allocation id, but not both in the same call")
}

// elastic is the caller's Elastic IP address with the id.
func elastic(sc call.Scope, id string) (edge.ElasticIP, error) { return call.ElasticIPs.Get(sc, id) }

// AssociateAddress gives an Elastic IP address to an interface of the caller, or of an
// account that lets the caller do so.
func (s *Handler) AssociateAddress(ctx context.Context, in *wire.AssociateAddressInput) (*wire.AssociateAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.PublicIp != nil && in.AllocationId != nil:
		return nil, bothSelectors()
	case in.PublicIp != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "You must specify an allocation id when mapping an address to a VPC instance")
	case in.AllocationId == nil:
		return nil, call.Missing("AllocationId")
	}
	association := s.Deps.IDs.EC2("eipassoc")
	err := s.Update(ctx, func(sc call.Scope) error {
		a, err := elastic(sc, *in.AllocationId)
		if err != nil {
			return err
		}
		e, private, err := mappable(sc, in)
		switch {
		case err != nil:
			return err
		case a.NatGateway != "":
			return taken(&a)
		case a.ENI == e.ID && a.PrivateIP == private:
			association = a.Association
			return nil
		case a.ENI != "" && in.AllowReassociation != nil && !*in.AllowReassociation:
			return taken(&a)
		}
		return address.Associate(sc.Tx, &a, &e, private, association)
	})
	if err != nil {
		return nil, err
	}
	return &wire.AssociateAddressOutput{AssociationId: &association}, nil
}

func taken(a *edge.ElasticIP) error {
	return shape.Errorf("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.ID, a.Association)
}

// mappable is the interface that a request wants to give an address, and to which of
// its private ones: the primary if it does not say.
func mappable(sc call.Scope, in *wire.AssociateAddressInput) (e network.NetworkInterface, private string, err error) {
	switch {
	case in.InstanceId != nil && in.NetworkInterfaceId != nil:
		return e, "", shape.Errorf("InvalidParameterCombination", "You may specify either an instance id or a network interface id, but not both in the same call")
	case in.InstanceId != nil:
		return e, "", shape.Errorf("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", *in.InstanceId)
	case in.NetworkInterfaceId == nil:
		return e, "", shape.Errorf("MissingParameter", "Either 'InstanceId' or 'NetworkInterfaceId' must be specified")
	}
	e, err = sc.Associable(*in.NetworkInterfaceId)
	if err != nil {
		return e, "", err
	}
	attached, err := hasGateway(sc, &e)
	wanted := call.Val(in.PrivateIpAddress)
	switch {
	case err != nil:
		return e, "", err
	case e.RequesterManaged:
		return e, "", call.NotYours()
	case wanted != "" && !slices.Contains(e.Addresses, wanted):
		return e, "", call.Invalid("The private IP address %s is not assigned to network interface %s", wanted, e.ID)
	case !attached:
		return e, "", notAttached(e.Vpc)
	}
	return e, cmp.Or(wanted, e.Primary()), nil
}

func notAttached(vpc string) error {
	return shape.Errorf("Gateway.NotAttached", "Network %s is not attached to any internet gateway", vpc)
}

// hasGateway reports whether an internet gateway is attached to the interface's VPC.
func hasGateway(sc call.Scope, e *network.NetworkInterface) (bool, error) {
	for g, err := range tables.InternetGateways.List(sc.Tx, e.Account, e.Region) {
		if err != nil || g.Vpc == e.Vpc {
			return err == nil, err
		}
	}
	return false, nil
}

// DisassociateAddress takes an Elastic IP address from its interface.
func (s *Handler) DisassociateAddress(ctx context.Context, in *wire.DisassociateAddressInput) (*wire.DisassociateAddressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.AssociationId != nil && in.PublicIp != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "You may specify public IP or association id, but not both in the same call")
	case in.PublicIp != nil:
		return nil, shape.Errorf("InvalidParameterCombination", "You must specify an association id when unmapping an address from a VPC instance")
	case in.AssociationId == nil:
		return nil, call.Missing("AssociationId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		account, region := sc.Tenant()
		for a, err := range edges.ElasticIPs.List(sc.Tx, account, region) {
			switch {
			case err != nil:
				return err
			case a.Association != *in.AssociationId || a.Association == "":
			case a.NatGateway != "":
				return call.NotYours()
			default:
				return address.Disassociate(sc.Tx, &a)
			}
		}
		return shape.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", *in.AssociationId)
	})
	return &wire.DisassociateAddressOutput{}, err
}

func renderElastic(sc call.Scope, a *edge.ElasticIP) (wire.Address, error) {
	w := wire.Address{
		AllocationId: &a.ID, AssociationId: call.Optional(a.Association), Domain: new("vpc"), NetworkBorderGroup: &a.Region,
		NetworkInterfaceId: call.Optional(a.ENI), PrivateIpAddress: call.Optional(a.PrivateIP), PublicIp: &a.Address,
		PublicIpv4Pool: new(amazon), Tags: tag.Shown(a.Tags),
	}
	if a.ENI == "" {
		return w, nil
	}
	w.NetworkInterfaceOwnerId = new(a.Holder())
	e, found, err := tables.NetworkInterfaces.Find(sc.Tx, a.Holder(), a.Region, a.ENI)
	if found {
		w.SubnetId = &e.Subnet
	}
	if a.NatGateway != "" {
		w.ServiceManaged = new("nat")
	}
	return w, err
}

var addressFilters = filter.Set{Tags: "Tags", Fields: map[string]string{
	"allocation-id":              "AllocationId",
	"association-id":             "AssociationId",
	"domain":                     "Domain",
	"instance-id":                "InstanceId",
	"network-border-group":       "NetworkBorderGroup",
	"network-interface-id":       "NetworkInterfaceId",
	"network-interface-owner-id": "NetworkInterfaceOwnerId",
	"private-ip-address":         "PrivateIpAddress",
	"public-ip":                  "PublicIp",
}}

// DescribeAddresses lists Elastic IP addresses: those named by either kind of
// name, or all.
func (s *Handler) DescribeAddresses(ctx context.Context, in *wire.DescribeAddressesInput) (*wire.DescribeAddressesOutput, error) {
	for _, ip := range in.PublicIps {
		if a, err := netip.ParseAddr(ip); err != nil || !a.Is4() {
			return nil, call.Invalid("Invalid value '%s' for PublicIp. Must be a valid IPv4 address.", ip)
		}
	}
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	match, err := filter.Compile[wire.Address](addressFilters, call.FiltersOf(in.Filters))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeAddressesOutput{}
	err = s.View(ctx, func(sc call.Scope) error {
		out.Addresses = []wire.Address{}
		all, err := named(sc, in)
		if err != nil {
			return err
		}
		for _, a := range all {
			w, err := renderElastic(sc, &a)
			if err != nil {
				return err
			}
			if match(&w) {
				out.Addresses = append(out.Addresses, w)
			}
		}
		return nil
	})
	return out, err
}

// named are the addresses that a request names, once each, or all of the caller's.
func named(sc call.Scope, in *wire.DescribeAddressesInput) ([]edge.ElasticIP, error) {
	account, region := sc.Tenant()
	all, err := store.Collect(edges.ElasticIPs.List(sc.Tx, account, region))
	if err != nil || len(in.AllocationIds)+len(in.PublicIps) == 0 {
		return all, err
	}
	for _, id := range in.AllocationIds {
		if _, err := elastic(sc, id); err != nil {
			return nil, err
		}
	}
	for _, ip := range in.PublicIps {
		if !slices.ContainsFunc(all, func(a edge.ElasticIP) bool { return a.Address == ip }) {
			return nil, shape.Errorf("InvalidAddress.NotFound", "Address '%s' not found.", ip)
		}
	}
	return slices.DeleteFunc(all, func(a edge.ElasticIP) bool {
		return !slices.Contains(in.AllocationIds, a.ID) && !slices.Contains(in.PublicIps, a.Address)
	}), nil
}
