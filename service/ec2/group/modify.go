package group

import (
	"context"

	"neargate/auth"
	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/permission"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// flat is the old form of a permission: one rule spelled out in parameters of the
// request itself.
type flat struct {
	cidr, protocol, group, owner *string
	from, to                     *int32
}

// granted reads the permissions of a request, of which there must be some.
func granted(ctx context.Context, permissions []wire.IpPermission, egress bool) ([]permission.Grant, error) {
	if len(permissions) == 0 {
		return nil, call.Missing("ipPermissions")
	}
	return permission.Parse(permissions, egress, auth.CallerFrom(ctx).Account)
}

// ingress reads the permissions of a request in either form.
func ingress(ctx context.Context, permissions []wire.IpPermission, f flat) ([]permission.Grant, error) {
	if f == (flat{}) {
		return granted(ctx, permissions, false)
	}
	if len(permissions) > 0 {
		return nil, shape.Errorf("InvalidParameterCombination", "The parameter 'ipPermissions' may not be used in combination with 'ipProtocol'")
	}
	if f.group == nil {
		if f.owner != nil {
			return nil, call.Missing("sourceSecurityGroupName")
		}
		p := wire.IpPermission{IpProtocol: f.protocol, FromPort: f.from, ToPort: f.to}
		if f.cidr != nil {
			p.IpRanges = []wire.IpRange{{CidrIp: f.cidr}}
		}
		return granted(ctx, []wire.IpPermission{p}, false)
	}
	if f.cidr != nil || f.protocol != nil || f.from != nil || f.to != nil {
		return nil, shape.Errorf("InvalidParameterCombination",
			"The parameter sourceSecurityGroupName cannot be used with an IP protocol, a port range or a CIDR block")
	}
	peer := []wire.UserIdGroupPair{{GroupName: f.group, UserId: f.owner}}
	return granted(ctx, []wire.IpPermission{
		{IpProtocol: new("tcp"), FromPort: new(int32(0)), ToPort: new(int32(65535)), UserIdGroupPairs: peer},
		{IpProtocol: new("udp"), FromPort: new(int32(0)), ToPort: new(int32(65535)), UserIdGroupPairs: peer},
		{IpProtocol: new("icmp"), FromPort: new(int32(-1)), ToPort: new(int32(-1)), UserIdGroupPairs: peer},
	}, false)
}

// ModifySecurityGroupRules replaces rules, keeping their ids, all or none. The
// kind of a rule's peer cannot change.
func (s *Handler) ModifySecurityGroupRules(ctx context.Context, in *wire.ModifySecurityGroupRulesInput) (*wire.ModifySecurityGroupRulesOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if len(in.SecurityGroupRules) == 0 {
		return nil, call.Missing("securityGroupRule")
	}
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := groupOf(sc, in.GroupId, nil)
		if err != nil {
			return err
		}
		set, err := ruleSetOf(sc, g.ID)
		if err != nil {
			return err
		}
		var changed []network.SecurityGroupRule
		for _, u := range in.SecurityGroupRules {
			r, err := modified(sc, &g, u)
			if err != nil {
				return err
			}
			for p, old := range set {
				if old.ID == r.ID {
					delete(set, p)
				}
			}
			changed = append(changed, r)
		}
		for _, r := range changed {
			if _, exists := set[r.Permission]; exists {
				return duplicate(r.Permission)
			}
			set[r.Permission] = r
			if full, err := set.full(sc, r.Egress); err != nil {
				return err
			} else if full {
				return tooManyRules()
			}
			if err := tables.SecurityGroupRules.Put(sc.Tx, &r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &wire.ModifySecurityGroupRulesOutput{Return: new(true)}, nil
}

// modified is a rule of the group after the update.
func modified(sc call.Scope, g *network.SecurityGroup, u wire.SecurityGroupRuleUpdate) (network.SecurityGroupRule, error) {
	r, err := call.Rules.Get(sc, call.Val(u.SecurityGroupRuleId))
	if err != nil {
		return r, err
	}
	if r.Group != g.ID {
		return r, shape.Errorf(call.Rules.NotFound, call.Rules.Absent, r.ID)
	}
	if u.SecurityGroupRule == nil {
		return r, call.Missing("securityGroupRule")
	}
	grant, err := permission.FromRule(u.SecurityGroupRule, r.Egress)
	if err != nil {
		return r, err
	}
	resolved, err := resolve(sc, g, []permission.Grant{grant})
	if err != nil {
		return r, err
	}
	p := resolved[0].Permission
	if (p.IPv4 == "") != (r.IPv4 == "") || (p.IPv6 == "") != (r.IPv6 == "") || (p.Peer == "") != (r.Peer == "") {
		return r, call.Invalid("You may not modify the type of a security group rule")
	}
	r.Permission, r.Description = p, call.Val(grant.Description)
	return r, nil
}

// redescribe changes the descriptions of rules named by id or by what they grant,
// all or none.
func (s *Handler) redescribe(ctx context.Context, id, name *string, permissions []wire.IpPermission, byID []wire.SecurityGroupRuleDescription, egress bool) error {
	if len(permissions) > 0 && len(byID) > 0 {
		return shape.Errorf("InvalidParameterCombination", "The parameter ipPermissions cannot be used with the parameter securityGroupRuleDescriptions")
	}
	var grants []permission.Grant
	if len(byID) == 0 {
		var err error
		if grants, err = granted(ctx, permissions, egress); err != nil {
			return err
		}
	}
	var ids []string
	for _, d := range byID {
		ids = append(ids, call.Val(d.SecurityGroupRuleId))
		if err := permission.CheckDescription(d.Description); err != nil {
			return err
		}
	}
	return s.Update(ctx, func(sc call.Scope) error {
		g, err := groupOf(sc, id, name)
		if err != nil {
			return err
		}
		named, err := rulesNamed(sc, &g, ids, grants, egress)
		if err != nil {
			return err
		}
		for i, r := range named {
			if len(byID) > 0 {
				r.Description = call.Val(byID[i].Description)
			} else {
				r.Description = call.Val(grants[i].Description)
			}
			if err := tables.SecurityGroupRules.Put(sc.Tx, &r); err != nil {
				return err
			}
		}
		return nil
	})
}

// UpdateSecurityGroupRuleDescriptionsIngress changes the descriptions of rules.
func (s *Handler) UpdateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *wire.UpdateSecurityGroupRuleDescriptionsIngressInput) (*wire.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if err := s.redescribe(ctx, in.GroupId, in.GroupName, in.IpPermissions, in.SecurityGroupRuleDescriptions, false); err != nil {
		return nil, err
	}
	return &wire.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: new(true)}, nil
}

// UpdateSecurityGroupRuleDescriptionsEgress changes the descriptions of rules.
func (s *Handler) UpdateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *wire.UpdateSecurityGroupRuleDescriptionsEgressInput) (*wire.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	if err := s.redescribe(ctx, in.GroupId, in.GroupName, in.IpPermissions, in.SecurityGroupRuleDescriptions, true); err != nil {
		return nil, err
	}
	return &wire.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: new(true)}, nil
}
