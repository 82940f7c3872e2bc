package acl

import (
	"context"
	"slices"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/ipv6"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxAcls is how many network ACLs a VPC may have. Source: Amazon VPC quotas.
const maxAcls = 200

// CreateNetworkAcl makes a network ACL that denies everything and filters for no
// subnet yet.
func (s *Handler) CreateNetworkAcl(ctx context.Context, in *wire.CreateNetworkAclInput) (*wire.CreateNetworkAclOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.NetworkAcls.Type)
	switch {
	case err != nil:
		return nil, err
	case in.VpcId == nil:
		return nil, call.Missing("vpcId")
	}
	creation, err := call.CreationOf(in.ClientToken, "CreateNetworkAcl", s.Deps.Now(), in.VpcId, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	id := s.Deps.IDs.EC2(call.NetworkAcls.Prefix)
	var out wire.NetworkAcl
	err = s.Update(ctx, func(sc call.Scope) error {
		old, given, found, err := call.Replayed(sc, creation, call.NetworkAcls)
		if err != nil {
			return err
		}
		if found {
			out, err = asCreated(sc, &old)
			out.Tags = tag.Listed(given)
			return err
		}
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		if err := room(sc, &v); err != nil {
			return err
		}
		a := network.NetworkAcl{Account: v.Account, Region: v.Region, ID: id, Vpc: v.ID, Entries: network.ClosedAclEntries(), Tags: tags}
		if len(v.IPv6) > 0 {
			ipv6.Guard(&a)
		}
		if out, err = asCreated(sc, &a); err != nil {
			return err
		}
		if err := creation.Remember(sc, id, tags); err != nil {
			return err
		}
		return tables.NetworkAcls.Put(sc.Tx, &a)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateNetworkAclOutput{NetworkAcl: &out, ClientToken: call.Optional(creation.Token)}, nil
}

// asCreated shows the ACL as the answer to its creation does, with empty ports and
// ICMP types.
func asCreated(sc call.Scope, a *network.NetworkAcl) (wire.NetworkAcl, error) {
	w, err := renderAcl(sc, a)
	for i := range w.Entries {
		e := &w.Entries[i]
		if e.IcmpTypeCode == nil {
			e.IcmpTypeCode = &wire.IcmpTypeCode{}
		}
		if e.PortRange == nil {
			e.PortRange = &wire.PortRange{}
		}
	}
	return w, err
}

func room(sc call.Scope, v *network.Vpc) error {
	n := 0
	for a, err := range tables.NetworkAcls.List(sc.Tx, v.Account, v.Region) {
		if err != nil {
			return err
		}
		if a.Vpc == v.ID {
			n++
		}
	}
	if n >= maxAcls {
		return shape.Errorf("NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.")
	}
	return nil
}

// DeleteNetworkAcl deletes a network ACL that filters for no subnet and is not its
// VPC's default.
func (s *Handler) DeleteNetworkAcl(ctx context.Context, in *wire.DeleteNetworkAclInput) (*wire.DeleteNetworkAclOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.NetworkAclId == nil {
		return nil, call.Missing("networkAclId")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		a, err := call.NetworkAcls.Get(sc, *in.NetworkAclId)
		if err != nil {
			return err
		}
		if a.Default || len(a.Associations) > 0 {
			return shape.Errorf("DependencyViolation", "The networkAcl '%s' has dependencies and cannot be deleted.", a.ID)
		}
		return tables.NetworkAcls.Delete(sc.Tx, a.Account, a.Region, a.ID)
	})
	return &wire.DeleteNetworkAclOutput{}, err
}

// ReplaceNetworkAclAssociation lets another network ACL filter for a subnet.
func (s *Handler) ReplaceNetworkAclAssociation(ctx context.Context, in *wire.ReplaceNetworkAclAssociationInput) (*wire.ReplaceNetworkAclAssociationOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.AssociationId == nil:
		return nil, call.Missing("associationId")
	case in.NetworkAclId == nil:
		return nil, call.Missing("networkAclId")
	}
	id := s.Deps.IDs.EC2("aclassoc")
	err := s.Update(ctx, func(sc call.Scope) error {
		from, i, err := association(sc, *in.AssociationId)
		if err != nil {
			return err
		}
		to, err := call.NetworkAcls.Get(sc, *in.NetworkAclId)
		if err != nil {
			return err
		}
		subnet := from.Associations[i].Subnet
		if from.Vpc != to.Vpc {
			return call.Invalid("network ACL %s and subnet %s belong to different networks", to.ID, subnet)
		}
		from.Associations = slices.Delete(slices.Clone(from.Associations), i, i+1)
		if from.ID == to.ID {
			to.Associations = from.Associations
		} else if err := tables.NetworkAcls.Put(sc.Tx, &from); err != nil {
			return err
		}
		to.Associations = append(slices.Clone(to.Associations), network.NetworkAclAssociation{ID: id, Subnet: subnet})
		return tables.NetworkAcls.Put(sc.Tx, &to)
	})
	if err != nil {
		return nil, err
	}
	return &wire.ReplaceNetworkAclAssociationOutput{NewAssociationId: &id}, nil
}

// association finds the network ACL with the association, and which of its own
// that is.
func association(sc call.Scope, id string) (network.NetworkAcl, int, error) {
	account, region := sc.Tenant()
	for a, err := range tables.NetworkAcls.List(sc.Tx, account, region) {
		if err != nil {
			return a, 0, err
		}
		if i := slices.IndexFunc(a.Associations, func(x network.NetworkAclAssociation) bool { return x.ID == id }); i >= 0 {
			return a, i, nil
		}
	}
	return network.NetworkAcl{}, 0, shape.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
}
