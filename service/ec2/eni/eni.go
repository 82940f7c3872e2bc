package eni

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/order"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/store/tables/ranges"
	"neargate/wire/shape"
)

// CreateNetworkInterface makes an interface that is attached to nothing.
func (s *Handler) CreateNetworkInterface(ctx context.Context, in *wire.CreateNetworkInterfaceInput) (*wire.CreateNetworkInterfaceOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	o, err := order.Of(in)
	if err != nil {
		return nil, err
	}
	hash, err := o.Hash()
	if err != nil {
		return nil, err
	}
	id := s.Deps.IDs.EC2(call.Interfaces.Prefix)
	var out wire.NetworkInterface
	err = s.Update(ctx, func(sc call.Scope) error {
		subnet, err := call.Subnets.Get(sc, o.Subnet)
		if err != nil {
			return err
		}
		// An explicit address is checked before the token: a retry finds it in use.
		e := newInterface(sc, &subnet, id, o, hash)
		if err := takeExplicit(sc, &subnet, &e, &o); err != nil {
			return err
		}
		if old, found, err := replayed(sc, o.Token, hash); err != nil {
			return err
		} else if found {
			out, err = renderInterface(sc, &old)
			asCreated(&out)
			out.TagSet = tag.Listed(old.RequestTags)
			return err
		}
		if e.Groups, err = call.GroupsFor(sc, subnet.Vpc, o.Groups); err != nil {
			return err
		}
		if err := chooseRest(sc, &subnet, &e, o.Extra); err != nil {
			return err
		}
		chosen := o.ExtraIPv6
		if subnet.AssignIPv6 && len(o.IPv6) == 0 && in.Ipv6AddressCount == nil {
			chosen = 1
		}
		if _, err := assign6(sc, &subnet, &e, o.IPv6, chosen); err != nil {
			return err
		}
		if err := tables.NetworkInterfaces.Put(sc.Tx, &e); err != nil {
			return err
		}
		out, err = renderInterface(sc, &e)
		asCreated(&out)
		out.Status = new("pending")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateNetworkInterfaceOutput{NetworkInterface: &out, ClientToken: call.Optional(o.Token)}, nil
}

// asCreated leaves out what only a description of the interface shows.
func asCreated(w *wire.NetworkInterface) {
	w.PublicDnsName, w.Operator.HiddenByDefault = nil, nil
}

func newInterface(sc call.Scope, subnet *network.Subnet, id string, o order.Order, hash string) network.NetworkInterface {
	e := network.NetworkInterface{
		Account: subnet.Account, Region: subnet.Region, ID: id, Vpc: subnet.Vpc, Subnet: subnet.ID, Zone: subnet.Zone,
		Description: call.Val(o.Description), MAC: network.MAC(id), SourceDestCheck: true, RequesterID: sc.Caller.UserID, Tags: o.Tags,
	}
	if o.Token != "" {
		e.Token, e.TokenHash, e.RequestTags = tokenKey(o.Token), hash, o.Tags
	}
	return e
}

// tokenKey is the form in which client tokens are kept.
func tokenKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// replayed finds the interface that an earlier request with the token made.
func replayed(sc call.Scope, token, hash string) (network.NetworkInterface, bool, error) {
	var none network.NetworkInterface
	if token == "" {
		return none, false, nil
	}
	account, region := sc.Tenant()
	found, err := store.Collect(tables.NetworkInterfaces.By(sc.Tx, tables.InterfacesByToken, account, region, tokenKey(token)))
	if err != nil || len(found) == 0 {
		return none, false, err
	}
	if found[0].TokenHash != hash {
		return none, false, shape.Errorf("IdempotentParameterMismatch",
			"Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
	}
	return found[0], true, nil
}

// takeExplicit takes the addresses the request names.
func takeExplicit(sc call.Scope, subnet *network.Subnet, e *network.NetworkInterface, o *order.Order) error {
	if o.Primary == "" && len(o.Secondary) > 0 {
		e.Addresses = []string{""}
	}
	for _, ip := range o.Explicit() {
		if _, err := call.TakeAddress(sc, subnet, e.ID, ip); err != nil {
			return err
		}
		e.Addresses = append(e.Addresses, ip)
	}
	return nil
}

// chooseRest completes the interface's addresses: the primary unless it was
// named, and as many secondary ones as extra says.
func chooseRest(sc call.Scope, subnet *network.Subnet, e *network.NetworkInterface, extra int) error {
	if len(e.Addresses) == 0 {
		e.Addresses = []string{""}
	}
	e.Addresses = append(e.Addresses, make([]string, extra)...)
	for i, a := range e.Addresses {
		if a != "" {
			continue
		}
		var err error
		if e.Addresses[i], err = call.TakeAddress(sc, subnet, e.ID, ""); err != nil {
			return err
		}
	}
	return nil
}

// DeleteNetworkInterface deletes an interface that is attached to nothing.
func (s *Handler) DeleteNetworkInterface(ctx context.Context, in *wire.DeleteNetworkInterfaceInput) (*wire.DeleteNetworkInterfaceOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		e, err := call.Interfaces.Get(sc, call.Val(in.NetworkInterfaceId))
		switch {
		case err != nil:
			return err
		case e.Attachment != nil:
			return call.Invalid("Network interface '%s' is currently in use.", e.ID)
		case e.RequesterManaged:
			return call.NotYours()
		}
		if err := edges.Forbid(sc.Tx, &e); err != nil {
			return err
		}
		return ranges.DeleteInterface(sc.Tx, &e)
	})
	return &wire.DeleteNetworkInterfaceOutput{}, err
}
