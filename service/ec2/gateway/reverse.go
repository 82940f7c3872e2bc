package gateway

import (
	"context"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/zone"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables/edges"
	"neargate/store/tables/zones"
	"neargate/wire/shape"
)

// domainName is the one attribute that addresses have: their reverse name.
const domainName = "domain-name"

func renderReverse(_ call.Scope, a *edge.ElasticIP) (wire.AddressAttribute, error) {
	return wire.AddressAttribute{AllocationId: &a.ID, PublicIp: &a.Address, PtrRecord: call.Optional(a.Reverse)}, nil
}

var describeAttributes = call.Listing[edge.ElasticIP, wire.AddressAttribute]{
	Op: "DescribeAddressesAttribute", Kind: call.ElasticIPs, IDs: "AllocationIds", Render: renderReverse,
}

// DescribeAddressesAttribute shows the reverse names of addresses. Asked for the
// attribute by name, it leaves out addresses that have none.
func (s *Handler) DescribeAddressesAttribute(ctx context.Context, in *wire.DescribeAddressesAttributeInput) (*wire.DescribeAddressesAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	l := describeAttributes
	if in.Attribute != nil {
		if err := checkAttribute(*in.Attribute); err != nil {
			return nil, err
		}
		l.Keep = func(a *edge.ElasticIP) bool { return a.Reverse != "" }
	}
	out, next, err := l.Run(ctx, s.Env, call.Page(in.AllocationIds, nil, in.MaxResults, in.NextToken))
	return &wire.DescribeAddressesAttributeOutput{Addresses: out, NextToken: next}, err
}

func checkAttribute(name string) error {
	if name != domainName {
		return call.Invalid("Value (%s) for parameter attribute is invalid.", name)
	}
	return nil
}

// hostName is a domain name that an address may have as its reverse name, in lower case
// and with the last dot.
func hostName(s string) (string, error) {
	name, err := zone.Canonical(s)
	if err != nil || strings.Contains(name, `\`) || strings.Count(name, ".") < 2 {
		return "", call.Invalid("Value (%s) for parameter domainName is invalid.", s)
	}
	return name, nil
}

// ModifyAddressAttribute gives an Elastic IP address a reverse name, which must already
// have the address: by a public hosted zone of the account, or because it is the name
// that AWS has for the address. The change is done when it is answered.
func (s *Handler) ModifyAddressAttribute(ctx context.Context, in *wire.ModifyAddressAttributeInput) (*wire.ModifyAddressAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.AllocationId == nil:
		return nil, call.Missing("AllocationId")
	case in.DomainName == nil:
		return nil, call.Missing("DomainName")
	}
	name, err := hostName(*in.DomainName)
	if err != nil {
		return nil, err
	}
	out, err := s.reverse(ctx, *in.AllocationId, func(sc call.Scope, a *edge.ElasticIP) (string, error) {
		if name == network.PublicDNSName(a.Region, a.Address)+"." {
			return name, nil
		}
		ok, err := zones.Leads(sc.Tx, a.Account, name, a.Address)
		if err == nil && !ok {
			err = call.Invalid("The domain name '%s' does not resolve to the address %s.", name, a.Address)
		}
		return name, err
	})
	return &wire.ModifyAddressAttributeOutput{Address: out}, err
}

// ResetAddressAttribute takes the reverse name from an Elastic IP address.
func (s *Handler) ResetAddressAttribute(ctx context.Context, in *wire.ResetAddressAttributeInput) (*wire.ResetAddressAttributeOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.AllocationId == nil:
		return nil, call.Missing("AllocationId")
	case in.Attribute == nil:
		return nil, call.Missing("Attribute")
	}
	if err := checkAttribute(*in.Attribute); err != nil {
		return nil, err
	}
	out, err := s.reverse(ctx, *in.AllocationId, func(call.Scope, *edge.ElasticIP) (string, error) { return "", nil })
	return &wire.ResetAddressAttributeOutput{Address: out}, err
}

// reverse changes an address's reverse name to the one that to returns. It answers with
// the name the address had and, as AWS does, with what comes in its place.
func (s *Handler) reverse(ctx context.Context, id string, to func(call.Scope, *edge.ElasticIP) (string, error)) (out *wire.AddressAttribute, err error) {
	err = s.Update(ctx, func(sc call.Scope) error {
		a, err := elastic(sc, id)
		if err != nil {
			return err
		}
		name, err := to(sc, &a)
		if err != nil {
			return err
		}
		w, err := renderReverse(sc, &a)
		if out = &w; name == a.Reverse || err != nil {
			return err
		}
		w.PtrRecordUpdate = &wire.PtrUpdateStatus{Status: new("PENDING"), Value: call.Optional(name)}
		a.Reverse = name
		return edges.ElasticIPs.Put(sc.Tx, &a)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// stillNamed refuses to release an address that has a reverse name.
func stillNamed(a *edge.ElasticIP) error {
	return shape.Errorf("InvalidAddress.PtrSet", "The address with allocation id [%s] cannot be released because it has a PTR record set.", a.ID)
}
