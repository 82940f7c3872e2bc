package eni

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/order"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/address"
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
		if e.Groups, err = groupsFor(sc, subnet.Vpc, o.Groups); err != nil {
			return err
		}
		if err := chooseRest(sc, &subnet, &e, o.Extra); err != nil {
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
		switch err := address.Take(sc.Tx, subnet, e.ID, ip); {
		case errors.Is(err, address.ErrInUse):
			return shape.Errorf("InvalidIPAddress.InUse", "The specified address is already in use.")
		case errors.Is(err, address.ErrOutside):
			return outside(subnet, ip)
		case err != nil:
			return err
		}
		e.Addresses = append(e.Addresses, ip)
	}
	return nil
}

func outside(subnet *network.Subnet, ip string) error {
	cidr, err := netip.ParsePrefix(subnet.CIDR)
	if a, bad := netip.ParseAddr(ip); err == nil && bad == nil && cidr.Contains(a) {
		return call.Invalid("Address %s is in subnet's reserved address range", ip)
	}
	return call.Invalid("Address %s does not fall within the subnet's address range", ip)
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
		if e.Addresses[i], err = address.Allocate(sc.Tx, subnet, e.ID); errors.Is(err, address.ErrExhausted) {
			return shape.Errorf("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// groupsFor checks the groups of an interface in the VPC; none means its default
// group.
func groupsFor(sc call.Scope, vpc string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		g, _, err := call.GroupNamed(sc, vpc, network.DefaultGroup)
		return []string{g.ID}, err
	}
	var out []string
	for _, id := range ids {
		g, err := call.Groups.Get(sc, id)
		if err != nil {
			return nil, err
		}
		if g.Vpc != vpc {
			return nil, shape.Errorf(call.Groups.NotFound, "You have specified two resources that belong to different networks.")
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
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
			return notYours()
		}
		return address.DeleteInterface(sc.Tx, &e)
	})
	return &wire.DeleteNetworkInterfaceOutput{}, err
}

// notYours refuses to change what belongs to an AWS service.
func notYours() error {
	return shape.Errorf("AuthFailure", "You do not have permission to access the specified resource.")
}
