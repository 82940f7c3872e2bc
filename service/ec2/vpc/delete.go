package vpc

import (
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/store/tables/ranges"
	"neargate/wire/shape"
)

// DeleteVpc deletes a VPC that holds nothing but what it was born with, and that.
func (s *Handler) DeleteVpc(ctx context.Context, in *wire.DeleteVpcInput) (*wire.DeleteVpcOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		v, err := call.Vpcs.Get(sc, call.Val(in.VpcId))
		if err != nil {
			return err
		}
		p, err := contentsOf(sc, &v)
		if err != nil {
			return err
		}
		if p.more {
			return dependency("vpc", v.ID)
		}
		if v.Default {
			if err := tables.DefaultNetworks.Put(sc.Tx, &network.Default{Account: v.Account, Region: v.Region}); err != nil {
				return err
			}
		}
		if err := p.delete(sc); err != nil {
			return err
		}
		for _, b := range v.IPv6 {
			if err := ranges.Blocks.Delete(sc.Tx, b.CIDR); err != nil {
				return err
			}
		}
		return tables.Vpcs.Delete(sc.Tx, v.Account, v.Region, v.ID)
	})
	return &wire.DeleteVpcOutput{}, err
}

// dependency refuses to delete what others depend on.
func dependency(kind, id string) error {
	return shape.Errorf("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", kind, id)
}

// contents is what there is in a VPC.
type contents struct {
	tables []network.RouteTable
	acls   []network.NetworkAcl
	groups []network.SecurityGroup
	more   bool // there is something that the VPC was not born with
}

// contentsOf looks for all that belongs to the VPC.
func contentsOf(sc call.Scope, v *network.Vpc) (contents, error) {
	var p contents
	more, err := occupied(sc, v)
	if p.more = more; more || err != nil {
		return p, err
	}
	for t, err := range tables.RouteTables.List(sc.Tx, v.Account, v.Region) {
		if err != nil {
			return p, err
		}
		if t.Vpc == v.ID {
			p.tables = append(p.tables, t)
			p.more = p.more || len(t.Associations) != 1 || !t.Main()
		}
	}
	for a, err := range tables.NetworkAcls.List(sc.Tx, v.Account, v.Region) {
		if err != nil {
			return p, err
		}
		if a.Vpc == v.ID {
			p.acls = append(p.acls, a)
			p.more = p.more || !a.Default
		}
	}
	for g, err := range tables.SecurityGroups.By(sc.Tx, tables.GroupsByName, v.Account, v.Region, v.ID) {
		if err != nil {
			return p, err
		}
		p.groups = append(p.groups, g)
		p.more = p.more || g.Name != network.DefaultGroup
	}
	return p, nil
}

// occupied reports whether the VPC has subnets, interfaces, a way out, or groups of
// other VPCs.
func occupied(sc call.Scope, v *network.Vpc) (bool, error) {
	if tables.Subnets.CountBy(sc.Tx, tables.SubnetsByVpc, v.Account, v.Region, v.ID) > 0 ||
		tables.NetworkInterfaces.CountBy(sc.Tx, tables.InterfacesByVpc, v.Account, v.Region, v.ID) > 0 ||
		edges.Endpoints.CountBy(sc.Tx, edges.EndpointsByVpc, v.Account, v.Region, v.ID) > 0 {
		return true, nil
	}
	if g, err := gatewayOf(sc, v.ID); g.ID != "" || err != nil {
		return true, err
	}
	for g, err := range edges.NatGateways.By(sc.Tx, edges.NatGatewaysByVpc, v.Account, v.Region, v.ID) {
		if err != nil || g.State != edge.Deleted && g.State != edge.Failed {
			return true, err
		}
	}
	for g, err := range tables.SecurityGroups.List(sc.Tx, v.Account, v.Region) {
		if err != nil || g.Vpc != v.ID && g.In(v.ID) {
			return true, err
		}
	}
	for g, err := range edges.EgressOnlyGateways.List(sc.Tx, v.Account, v.Region) {
		if err != nil || g.Vpc == v.ID {
			return true, err
		}
	}
	for p, err := range edges.Peerings.By(sc.Tx, edges.PeeringsByVpc, v.Account, v.Region, v.ID) {
		if err != nil || p.State == edge.PeeringActive || p.State == edge.PeeringPending {
			return true, err
		}
	}
	return false, nil
}

// delete deletes what a VPC was born with.
func (p *contents) delete(sc call.Scope) error {
	account, region := sc.Tenant()
	for _, t := range p.tables {
		if err := tables.RouteTables.Delete(sc.Tx, account, region, t.ID); err != nil {
			return err
		}
	}
	for _, a := range p.acls {
		if err := tables.NetworkAcls.Delete(sc.Tx, account, region, a.ID); err != nil {
			return err
		}
	}
	for _, g := range p.groups {
		rules, err := store.Collect(tables.SecurityGroupRules.By(sc.Tx, tables.RulesByGroup, account, region, g.ID))
		if err != nil {
			return err
		}
		for _, r := range rules {
			if err := tables.SecurityGroupRules.Delete(sc.Tx, account, region, r.ID); err != nil {
				return err
			}
		}
		if err := tables.SecurityGroups.Delete(sc.Tx, account, region, g.ID); err != nil {
			return err
		}
	}
	return nil
}
