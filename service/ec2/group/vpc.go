package group

import (
	"cmp"
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
	"neargate/store/tables/edges"
	"neargate/wire/shape"
)

var groupsForVpc = call.Listing[network.SecurityGroup, wire.SecurityGroupForVpc]{
	Op: "GetSecurityGroupsForVpc", Kind: call.Groups,
	Render: func(_ call.Scope, g *network.SecurityGroup) (wire.SecurityGroupForVpc, error) {
		return wire.SecurityGroupForVpc{
			Description: &g.Description, GroupId: &g.ID, GroupName: &g.Name, OwnerId: &g.Account, PrimaryVpcId: &g.Vpc, Tags: tag.Listed(g.Tags),
		}, nil
	},
	Filters: filter.Set{Tags: "Tags", Fields: map[string]string{
		"description": "Description", "group-id": "GroupId", "group-name": "GroupName", "owner-id": "OwnerId", "primary-vpc-id": "PrimaryVpcId",
	}},
}

// GetSecurityGroupsForVpc lists the security groups that interfaces in a VPC may
// carry.
func (s *Handler) GetSecurityGroupsForVpc(ctx context.Context, in *wire.GetSecurityGroupsForVpcInput) (*wire.GetSecurityGroupsForVpcOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if err := s.vpcExists(ctx, in.VpcId); err != nil {
		return nil, err
	}
	usable := groupsForVpc
	usable.Keep = func(g *network.SecurityGroup) bool { return g.In(*in.VpcId) }
	out, next, err := usable.Run(ctx, s.Env, call.Page(nil, in.Filters, in.MaxResults, in.NextToken))
	return &wire.GetSecurityGroupsForVpcOutput{SecurityGroupForVpcs: out, NextToken: next}, err
}

func (s *Handler) vpcExists(ctx context.Context, id *string) error {
	if id == nil {
		return call.Missing("vpcId")
	}
	return s.View(ctx, func(sc call.Scope) error {
		_, err := call.Vpcs.Get(sc, *id)
		return err
	})
}

// staleGroup is a security group with those of its rules that are stale.
type staleGroup struct {
	network.SecurityGroup
	rules []network.SecurityGroupRule
}

// DescribeStaleSecurityGroups lists the groups of a VPC with rules for groups of a
// peered VPC that are gone, or no longer peered.
func (s *Handler) DescribeStaleSecurityGroups(ctx context.Context, in *wire.DescribeStaleSecurityGroupsInput) (*wire.DescribeStaleSecurityGroupsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if in.VpcId == nil {
		return nil, call.Missing("vpcId")
	}
	if err := call.CheckPage("", call.Query{Max: in.MaxResults}); err != nil {
		return nil, err
	}
	out := &wire.DescribeStaleSecurityGroupsOutput{}
	err := s.View(ctx, func(sc call.Scope) error {
		*out = wire.DescribeStaleSecurityGroupsOutput{StaleSecurityGroupSet: []wire.StaleSecurityGroup{}}
		v, err := call.Vpcs.Get(sc, *in.VpcId)
		if err != nil {
			return err
		}
		bound := []string{v.Account, v.Region, "DescribeStaleSecurityGroups", v.ID}
		after, err := call.OpenToken(s.Pages, in.NextToken, bound)
		if err != nil {
			return err
		}
		last := ""
		for g, err := range tables.SecurityGroups.Page(sc.Tx, []string{v.Account, v.Region}, position(&v, after), 0) {
			if err != nil {
				return err
			}
			if g.Vpc != v.ID {
				continue
			}
			stale, err := staleRules(sc, &g)
			if err != nil {
				return err
			}
			if len(stale) == 0 {
				continue
			}
			if in.MaxResults != nil && len(out.StaleSecurityGroupSet) == int(*in.MaxResults) {
				out.NextToken = new(s.Pages.Seal(last, bound...))
				break
			}
			out.StaleSecurityGroupSet = append(out.StaleSecurityGroupSet, renderStale(staleGroup{g, stale}))
			last = g.ID
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// position is where a page of the VPC's groups begins.
func position(v *network.Vpc, after string) []string {
	if after == "" {
		return nil
	}
	return []string{v.Account, v.Region, after}
}

// staleRules are the rules of the group for groups that are gone, or in a VPC that
// is no longer peered with the group's.
func staleRules(sc call.Scope, g *network.SecurityGroup) ([]network.SecurityGroupRule, error) {
	own, err := rulesOf(sc, g.ID)
	if err != nil {
		return nil, err
	}
	var stale []network.SecurityGroupRule
	for _, r := range own {
		if r.Peer == "" {
			continue
		}
		if _, err := peerGroup(sc, g, r.Permission); shape.IsCode(err, call.Groups.NotFound) {
			stale = append(stale, r)
		} else if err != nil {
			return nil, err
		}
	}
	return stale, nil
}

func renderStale(g staleGroup) wire.StaleSecurityGroup {
	w := wire.StaleSecurityGroup{
		Description: &g.Description, GroupId: &g.ID, GroupName: &g.Name, VpcId: &g.Vpc,
		StaleIpPermissions: []wire.StaleIpPermission{}, StaleIpPermissionsEgress: []wire.StaleIpPermission{},
	}
	for _, r := range g.rules {
		p := wire.StaleIpPermission{
			IpProtocol: new(r.Protocol), IpRanges: []string{}, PrefixListIds: []string{},
			UserIdGroupPairs: []wire.UserIdGroupPair{{GroupId: new(r.Peer), UserId: new(cmp.Or(r.PeerOwner, r.Account)), Description: call.Optional(r.Description)}},
		}
		if r.Protocol != network.AllProtocols {
			p.FromPort, p.ToPort = new(int32(r.From)), new(int32(r.To))
		}
		if r.Egress {
			w.StaleIpPermissionsEgress = append(w.StaleIpPermissionsEgress, p)
		} else {
			w.StaleIpPermissions = append(w.StaleIpPermissions, p)
		}
	}
	return w
}

// peerGroup finds the group that a permission of g is for. Interfaces of one VPC may
// carry both, or its VPC is peered with g's.
func peerGroup(sc call.Scope, g *network.SecurityGroup, p network.Permission) (network.SecurityGroup, error) {
	if err := call.Groups.Check(p.Peer); err != nil {
		return network.SecurityGroup{}, err
	}
	peer, found, err := tables.SecurityGroups.Find(sc.Tx, cmp.Or(p.PeerOwner, g.Account), g.Region, p.Peer)
	if err != nil {
		return peer, err
	}
	if !found {
		return peer, shape.Errorf(call.Groups.NotFound, call.Groups.Absent, p.Peer)
	}
	if peer.Meets(g) {
		return peer, nil
	}
	c, err := peered(sc, g, &peer)
	if err == nil && c == "" {
		if p.PeerOwner != "" {
			err = shape.Errorf(call.Groups.NotFound, call.Groups.Absent, p.Peer)
		} else {
			err = shape.Errorf(call.Groups.NotFound, "You have specified two resources that belong to different networks.")
		}
	}
	return peer, err
}

// peered is the id of the active peering connection between the VPCs of two
// groups, "" when there is none.
func peered(sc call.Scope, g, peer *network.SecurityGroup) (string, error) {
	sides, err := peersOf(sc, g)
	for _, side := range sides {
		if side.Account == peer.Account && side.Region == peer.Region && side.Vpc == peer.Vpc {
			return side.connection, nil
		}
	}
	return "", err
}

// peerSide is the other side of an active peering connection.
type peerSide struct {
	edge.PeeringSide
	connection string
}

// peersOf are the other sides of the active peering connections of the group's VPC.
func peersOf(sc call.Scope, g *network.SecurityGroup) (out []peerSide, err error) {
	for c, err := range edges.Peerings.By(sc.Tx, edges.PeeringsByVpc, g.Account, g.Region, g.Vpc) {
		if err != nil {
			return nil, err
		}
		if c.State != edge.PeeringActive {
			continue
		}
		other := c.Accepter
		if other.Account == g.Account && other.Region == g.Region && other.Vpc == g.Vpc {
			other = c.Requester
		}
		out = append(out, peerSide{other, c.ID})
	}
	return out, nil
}
