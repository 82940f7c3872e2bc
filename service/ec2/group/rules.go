package group

import (
	"cmp"
	"context"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/permission"
	"neargate/service/ec2/internal/tag"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxRules is how many rules of a direction a group may have for each address
// family; a rule for a group counts in both. Source: Amazon VPC quotas.
const maxRules = 60

// resolve turns the grants of a request on group g into permissions: named peers
// are looked up in g's VPC, peers in a VPC that is not peered with it and unknown
// prefix lists are refused.
func resolve(sc call.Scope, g *network.SecurityGroup, grants []permission.Grant) ([]permission.Grant, error) {
	out := make([]permission.Grant, len(grants))
	for i, x := range grants {
		switch {
		case x.PeerName != "":
			peer, found, err := call.GroupNamed(sc, g.Vpc, x.PeerName)
			if err == nil && !found {
				err = shape.Errorf(call.Groups.NotFound, call.Groups.Absent, x.PeerName)
			}
			if err != nil {
				return nil, err
			}
			x.Peer, x.PeerName = peer.ID, ""
		case x.Peer != "":
			if _, err := peerGroup(sc, g, x.Permission); err != nil {
				return nil, err
			}
		case x.PrefixList != "":
			if _, err := call.ListSize(sc, x.PrefixList); err != nil {
				return nil, err
			}
		}
		out[i] = x
	}
	return out, nil
}

// ruleSet is a group's rules by permission.
type ruleSet map[network.Permission]network.SecurityGroupRule

func ruleSetOf(sc call.Scope, group string) (ruleSet, error) {
	own, err := rulesOf(sc, group)
	set := ruleSet{}
	for _, r := range own {
		set[r.Permission] = r
	}
	return set, err
}

// full reports whether a direction has more rules than allowed. A prefix list
// counts as many as it may hold.
func (set ruleSet) full(sc call.Scope, egress bool) (bool, error) {
	v4, v6 := 0, 0
	for p := range set {
		n := 1
		if p.PrefixList != "" {
			var err error
			if n, err = call.ListSize(sc, p.PrefixList); err != nil {
				return true, err
			}
		}
		if p.Egress != egress {
			continue
		}
		if p.IPv6 == "" {
			v4 += n
		}
		if p.IPv4 == "" {
			v6 += n
		}
	}
	return max(v4, v6) > maxRules, nil
}

func duplicate(p network.Permission) error {
	return shape.Errorf("InvalidPermission.Duplicate", `the specified rule "%s" already exists`, permission.Text(p))
}

func tooManyRules() error {
	return shape.Errorf("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
}

func noSuchRule() error {
	return shape.Errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
}

// authorize adds the rules granted to the group, all or none.
func (s *Handler) authorize(ctx context.Context, id, name *string, grants []permission.Grant, specs []wire.TagSpecification) ([]wire.SecurityGroupRule, error) {
	tags, err := tag.Specified(specs, call.Rules.Type)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(grants))
	for i := range ids {
		ids[i] = s.Deps.IDs.EC2(call.Rules.Prefix)
	}
	var out []wire.SecurityGroupRule
	err = s.Update(ctx, func(sc call.Scope) error {
		out = []wire.SecurityGroupRule{}
		g, err := groupOf(sc, id, name)
		if err != nil {
			return err
		}
		resolved, err := resolve(sc, &g, grants)
		if err != nil {
			return err
		}
		set, err := ruleSetOf(sc, g.ID)
		if err != nil {
			return err
		}
		for i, x := range resolved {
			if _, exists := set[x.Permission]; exists {
				return duplicate(x.Permission)
			}
			r := network.SecurityGroupRule{
				Account: g.Account, Region: g.Region, ID: ids[i], Group: g.ID, Permission: x.Permission,
				Description: call.Val(x.Description), Tags: tags,
			}
			set[x.Permission] = r
			if full, err := set.full(sc, x.Egress); err != nil {
				return err
			} else if full {
				return tooManyRules()
			}
			if err := tables.SecurityGroupRules.Put(sc.Tx, &r); err != nil {
				return err
			}
			w := renderRule(&r)
			w.Tags = tag.Shown(r.Tags)
			out = append(out, w)
		}
		return nil
	})
	return out, err
}

// AuthorizeSecurityGroupIngress lets peers in.
func (s *Handler) AuthorizeSecurityGroupIngress(ctx context.Context, in *wire.AuthorizeSecurityGroupIngressInput) (*wire.AuthorizeSecurityGroupIngressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	grants, err := ingress(ctx, in.IpPermissions, flat{
		in.CidrIp, in.IpProtocol, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId, in.FromPort, in.ToPort,
	})
	if err != nil {
		return nil, err
	}
	out, err := s.authorize(ctx, in.GroupId, in.GroupName, grants, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	return &wire.AuthorizeSecurityGroupIngressOutput{Return: new(true), SecurityGroupRules: out}, nil
}

// AuthorizeSecurityGroupEgress lets packets out to peers.
func (s *Handler) AuthorizeSecurityGroupEgress(ctx context.Context, in *wire.AuthorizeSecurityGroupEgressInput) (*wire.AuthorizeSecurityGroupEgressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	grants, err := granted(ctx, in.IpPermissions, true)
	if err != nil {
		return nil, err
	}
	out, err := s.authorize(ctx, in.GroupId, nil, grants, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	return &wire.AuthorizeSecurityGroupEgressOutput{Return: new(true), SecurityGroupRules: out}, nil
}

// revoke removes rules named by id or by what they grant, all or none.
func (s *Handler) revoke(ctx context.Context, id, name *string, ids []string, grants []permission.Grant, egress bool) ([]wire.RevokedSecurityGroupRule, error) {
	var out []wire.RevokedSecurityGroupRule
	err := s.Update(ctx, func(sc call.Scope) error {
		out = []wire.RevokedSecurityGroupRule{}
		g, err := groupOf(sc, id, name)
		if err != nil {
			return err
		}
		doomed, err := rulesNamed(sc, &g, ids, grants, egress)
		if err != nil {
			return err
		}
		for _, r := range doomed {
			if err := tables.SecurityGroupRules.Delete(sc.Tx, r.Account, r.Region, r.ID); err != nil {
				return err
			}
			w := renderRule(&r)
			out = append(out, wire.RevokedSecurityGroupRule{
				CidrIpv4: w.CidrIpv4, CidrIpv6: w.CidrIpv6, Description: w.Description, FromPort: w.FromPort, GroupId: w.GroupId,
				IpProtocol: w.IpProtocol, IsEgress: w.IsEgress, PrefixListId: w.PrefixListId, ReferencedGroupId: call.Optional(r.Peer),
				SecurityGroupRuleId: w.SecurityGroupRuleId, ToPort: w.ToPort,
			})
		}
		return nil
	})
	return out, err
}

// rulesNamed finds the group's rules with the ids and those that grant the same
// as grants; each must exist, in the direction.
func rulesNamed(sc call.Scope, g *network.SecurityGroup, ids []string, grants []permission.Grant, egress bool) ([]network.SecurityGroupRule, error) {
	var out []network.SecurityGroupRule
	for _, id := range ids {
		r, err := call.Rules.Get(sc, id)
		if err != nil {
			return nil, err
		}
		if r.Group != g.ID || r.Egress != egress {
			return nil, shape.Errorf(call.Rules.NotFound, call.Rules.Absent, id)
		}
		out = append(out, r)
	}
	set, err := ruleSetOf(sc, g.ID)
	if err != nil {
		return nil, err
	}
	for _, x := range grants {
		r, ok := set[x.Permission]
		if !ok {
			// What the rule is for may be named otherwise, or not exist.
			resolved, err := resolve(sc, g, []permission.Grant{x})
			if err != nil {
				return nil, err
			}
			if r, ok = set[resolved[0].Permission]; !ok {
				return nil, noSuchRule()
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// RevokeSecurityGroupIngress takes back what let peers in.
func (s *Handler) RevokeSecurityGroupIngress(ctx context.Context, in *wire.RevokeSecurityGroupIngressInput) (*wire.RevokeSecurityGroupIngressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	f := flat{in.CidrIp, in.IpProtocol, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId, in.FromPort, in.ToPort}
	var grants []permission.Grant
	if len(in.SecurityGroupRuleIds) == 0 || len(in.IpPermissions) > 0 || f != (flat{}) {
		var err error
		if grants, err = ingress(ctx, in.IpPermissions, f); err != nil {
			return nil, err
		}
	}
	out, err := s.revoke(ctx, in.GroupId, in.GroupName, in.SecurityGroupRuleIds, grants, false)
	if err != nil {
		return nil, err
	}
	return &wire.RevokeSecurityGroupIngressOutput{Return: new(true), RevokedSecurityGroupRules: out}, nil
}

// RevokeSecurityGroupEgress takes back what let packets out.
func (s *Handler) RevokeSecurityGroupEgress(ctx context.Context, in *wire.RevokeSecurityGroupEgressInput) (*wire.RevokeSecurityGroupEgressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	var grants []permission.Grant
	if len(in.SecurityGroupRuleIds) == 0 || len(in.IpPermissions) > 0 {
		var err error
		if grants, err = granted(ctx, in.IpPermissions, true); err != nil {
			return nil, err
		}
	}
	out, err := s.revoke(ctx, in.GroupId, nil, in.SecurityGroupRuleIds, grants, true)
	if err != nil {
		return nil, err
	}
	return &wire.RevokeSecurityGroupEgressOutput{Return: new(true), RevokedSecurityGroupRules: out}, nil
}

// renderRule shows a rule, without its tags.
func renderRule(r *network.SecurityGroupRule) wire.SecurityGroupRule {
	w := wire.SecurityGroupRule{
		CidrIpv4: call.Optional(r.IPv4), CidrIpv6: call.Optional(r.IPv6), Description: call.Optional(r.Description),
		FromPort: new(int32(r.From)), GroupId: new(r.Group), GroupOwnerId: new(r.Account), IpProtocol: new(r.Protocol),
		IsEgress: new(r.Egress), PrefixListId: call.Optional(r.PrefixList),
		SecurityGroupRuleArn: new(r.ARN()), SecurityGroupRuleId: new(r.ID), ToPort: new(int32(r.To)),
	}
	if r.Peer != "" {
		w.ReferencedGroupInfo = &wire.ReferencedSecurityGroup{GroupId: new(r.Peer), UserId: new(cmp.Or(r.PeerOwner, r.Account))}
	}
	return w
}

var describeRules = call.Listing[network.SecurityGroupRule, wire.SecurityGroupRule]{
	Op: "DescribeSecurityGroupRules", Kind: call.Rules, IDs: "SecurityGroupRuleIds",
	Narrow: map[string]string{"group-id": tables.RulesByGroup},
	Render: func(_ call.Scope, r *network.SecurityGroupRule) (wire.SecurityGroupRule, error) {
		w := renderRule(r)
		w.Tags = tag.Listed(r.Tags)
		return w, nil
	},
	Filters: filter.Set{
		Tags: "Tags",
		Fields: map[string]string{
			"group-id":               "GroupId",
			"security-group-rule-id": "SecurityGroupRuleId",
		},
	},
}

// DescribeSecurityGroupRules lists the rules of security groups.
func (s *Handler) DescribeSecurityGroupRules(ctx context.Context, in *wire.DescribeSecurityGroupRulesInput) (*wire.DescribeSecurityGroupRulesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	out, next, err := describeRules.Run(ctx, s.Env, call.Page(in.SecurityGroupRuleIds, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeSecurityGroupRulesOutput{SecurityGroupRules: out, NextToken: next}, err
}
