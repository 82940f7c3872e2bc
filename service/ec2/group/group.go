package group

import (
	"cmp"
	"context"
	"slices"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/resource/network/edge"
	"neargate/resource/network/ipv6"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/service/ec2/internal/filter"
	"neargate/service/ec2/internal/permission"
	"neargate/service/ec2/internal/tag"
	"neargate/store"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxGroups is how many security groups an account may have in a region.
// Source: Amazon VPC quotas.
const maxGroups = 2500

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}

// checkGroupText refuses a name or description of a group.
func checkGroupText(parameter, what, s string) error {
	switch {
	case s == "":
		return call.Missing(parameter)
	case !ascii(s):
		return call.Invalid("Value (%s) for parameter %s is invalid. Character sets beyond ASCII are not supported.", s, parameter)
	case !permission.Plain(s):
		return call.Invalid("Invalid security group %s. Valid %ss are strings less than 256 characters from the following set:  %s", what, what, permission.Characters)
	}
	return nil
}

func checkGroupName(name string) error {
	if err := checkGroupText("GroupName", "name", name); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(strings.ToLower(name), "sg-"):
		return call.Invalid("Value (%s) for parameter GroupName is invalid. Group names may not be in the format sg-*.", name)
	case name == network.DefaultGroup:
		return call.Invalid("Cannot use reserved security group name: %s", name)
	}
	return nil
}

// CreateSecurityGroup makes a group that lets everything out and nothing in.
func (s *Handler) CreateSecurityGroup(ctx context.Context, in *wire.CreateSecurityGroupInput) (*wire.CreateSecurityGroupOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	name := strings.TrimRight(call.Val(in.GroupName), " ")
	if err := checkGroupName(name); err != nil {
		return nil, err
	}
	if err := checkGroupText("GroupDescription", "description", call.Val(in.Description)); err != nil {
		return nil, err
	}
	tags, err := tag.Specified(in.TagSpecifications, call.Groups.Type)
	if err != nil {
		return nil, err
	}
	id, ruleID := s.Deps.IDs.EC2(call.Groups.Prefix), s.Deps.IDs.EC2(call.Rules.Prefix)
	sixID := s.Deps.IDs.EC2(call.Rules.Prefix)
	var g network.SecurityGroup
	err = s.Update(ctx, func(sc call.Scope) error {
		vpc, err := vpcOrDefault(sc, in.VpcId)
		if err != nil {
			return err
		}
		account, region := sc.Tenant()
		if _, taken, err := call.GroupNamed(sc, vpc, name); err != nil {
			return err
		} else if taken {
			return shape.Errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, vpc)
		}
		if sc.Tx.Count(store.Prefix(tables.SecurityGroups.Name, account, region)) >= maxGroups {
			return shape.Errorf("SecurityGroupLimitExceeded", "The maximum number of security groups for VPC '%s' has been reached.", vpc)
		}
		g = network.SecurityGroup{
			Account: account, Region: region, ID: id, Vpc: vpc, Name: name, Description: *in.Description, Tags: tags,
		}
		out := network.SecurityGroupRule{
			Account: account, Region: region, ID: ruleID, Group: id, Permission: network.Permission{
				Egress: true, Protocol: network.AllProtocols, From: -1, To: -1, IPv4: network.AnyIPv4,
			},
		}
		if err := tables.SecurityGroups.Put(sc.Tx, &g); err != nil {
			return err
		}
		v, err := tables.Vpcs.Get(sc.Tx, account, region, vpc)
		if err != nil {
			return err
		}
		if len(v.IPv6) > 0 {
			six := out
			six.ID, six.Permission = sixID, ipv6.LetOut()
			if err := tables.SecurityGroupRules.Put(sc.Tx, &six); err != nil {
				return err
			}
		}
		return tables.SecurityGroupRules.Put(sc.Tx, &out)
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateSecurityGroupOutput{Return: new(true), GroupId: &g.ID, SecurityGroupArn: new(g.ARN()), Tags: tag.Shown(g.Tags)}, nil
}

// vpcOrDefault is the id of the VPC asked for, or of the default one.
func vpcOrDefault(sc call.Scope, id *string) (string, error) {
	if id != nil {
		v, err := call.Vpcs.Get(sc, *id)
		return v.ID, err
	}
	vpc, err := call.DefaultVpc(sc)
	if err == nil && vpc == "" {
		err = shape.Errorf("VPCIdNotSpecified", "No default VPC for this user")
	}
	return vpc, err
}

// groupOf finds the group that a request names by id, or by name in the default
// VPC.
func groupOf(sc call.Scope, id, name *string) (network.SecurityGroup, error) {
	switch {
	case id != nil && name != nil:
		return network.SecurityGroup{}, shape.Errorf("InvalidParameterCombination", "The parameter groupId cannot be used with the parameter groupName")
	case id != nil:
		return call.Groups.Get(sc, *id)
	case name == nil:
		return network.SecurityGroup{}, call.Missing("groupId")
	}
	vpc, err := vpcOrDefault(sc, nil)
	if err != nil {
		return network.SecurityGroup{}, err
	}
	g, found, err := call.GroupNamed(sc, vpc, *name)
	if err == nil && !found {
		err = shape.Errorf(call.Groups.NotFound, "The security group '%s' does not exist in default VPC '%s'", *name, vpc)
	}
	return g, err
}

// DeleteSecurityGroup deletes a group nobody needs any more.
func (s *Handler) DeleteSecurityGroup(ctx context.Context, in *wire.DeleteSecurityGroupInput) (*wire.DeleteSecurityGroupOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	var id string
	err := s.Update(ctx, func(sc call.Scope) error {
		g, err := groupOf(sc, in.GroupId, in.GroupName)
		if err != nil {
			return err
		}
		id = g.ID
		if g.Name == network.DefaultGroup {
			return shape.Errorf("CannotDelete", "the specified group: \"%s\" name: \"%s\" cannot be deleted by a user", g.ID, g.Name)
		}
		if needed, err := depended(sc, &g); err != nil {
			return err
		} else if needed || len(g.Associated) > 0 {
			return shape.Errorf("DependencyViolation", "resource %s has a dependent object", g.ID)
		}
		own, err := rulesOf(sc, g.ID)
		if err != nil {
			return err
		}
		for _, r := range own {
			if err := tables.SecurityGroupRules.Delete(sc.Tx, r.Account, r.Region, r.ID); err != nil {
				return err
			}
		}
		return tables.SecurityGroups.Delete(sc.Tx, g.Account, g.Region, g.ID)
	})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteSecurityGroupOutput{GroupId: &id, Return: new(true)}, nil
}

// depended reports whether an interface carries the group or another group that may be
// carried beside it has rules for it; those of peered VPCs become stale.
func depended(sc call.Scope, g *network.SecurityGroup) (bool, error) {
	if tables.NetworkInterfaces.CountBy(sc.Tx, tables.InterfacesByGroup, g.Account, g.Region, g.ID) > 0 {
		return true, nil
	}
	for r, err := range tables.SecurityGroupRules.By(sc.Tx, tables.RulesByPeer, g.Account, g.Region, g.ID) {
		if err != nil {
			return true, err
		}
		other, found, err := tables.SecurityGroups.Find(sc.Tx, r.Account, r.Region, r.Group)
		if err != nil || found && other.ID != g.ID && other.Meets(g) {
			return true, err
		}
	}
	return false, nil
}

// rulesOf returns the rules of a group.
func rulesOf(sc call.Scope, group string) ([]network.SecurityGroupRule, error) {
	account, region := sc.Tenant()
	return store.Collect(tables.SecurityGroupRules.By(sc.Tx, tables.RulesByGroup, account, region, group))
}

func renderGroup(sc call.Scope, g *network.SecurityGroup) (wire.SecurityGroup, error) {
	own, err := rulesOf(sc, g.ID)
	if err != nil {
		return wire.SecurityGroup{}, err
	}
	in, err := groupPermissions(sc, g, own, false)
	if err != nil {
		return wire.SecurityGroup{}, err
	}
	out, err := groupPermissions(sc, g, own, true)
	return wire.SecurityGroup{
		Description: &g.Description, GroupId: &g.ID, GroupName: &g.Name, OwnerId: &g.Account, VpcId: &g.Vpc,
		SecurityGroupArn: new(g.ARN()), Tags: tag.Shown(g.Tags),
		IpPermissions: in, IpPermissionsEgress: out,
	}, err
}

// groupPermissions shows one direction of a group's rules, those with the same
// protocol and ports together.
func groupPermissions(sc call.Scope, g *network.SecurityGroup, own []network.SecurityGroupRule, egress bool) ([]wire.IpPermission, error) {
	sorted := slices.Clone(own)
	slices.SortFunc(sorted, func(a, b network.SecurityGroupRule) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.ID, b.ID))
	})
	out := []wire.IpPermission{}
	var last *network.SecurityGroupRule
	for i := range sorted {
		r := &sorted[i]
		if r.Egress != egress {
			continue
		}
		if last == nil || last.Protocol != r.Protocol || last.From != r.From || last.To != r.To {
			out = append(out, emptyPermission(r))
			last = r
		}
		p := &out[len(out)-1]
		switch {
		case r.IPv4 != "":
			p.IpRanges = append(p.IpRanges, wire.IpRange{CidrIp: &r.IPv4, Description: call.Optional(r.Description)})
		case r.IPv6 != "":
			p.Ipv6Ranges = append(p.Ipv6Ranges, wire.Ipv6Range{CidrIpv6: &r.IPv6, Description: call.Optional(r.Description)})
		case r.PrefixList != "":
			p.PrefixListIds = append(p.PrefixListIds, wire.PrefixListId{PrefixListId: &r.PrefixList, Description: call.Optional(r.Description)})
		default:
			pair, err := groupPair(sc, g, r)
			if err != nil {
				return nil, err
			}
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, pair)
		}
	}
	return out, nil
}

// groupPair shows the peer of a rule of the group: for one in another VPC, also
// how that is reached.
func groupPair(sc call.Scope, g *network.SecurityGroup, r *network.SecurityGroupRule) (wire.UserIdGroupPair, error) {
	w := wire.UserIdGroupPair{
		GroupId: &r.Peer, UserId: new(cmp.Or(r.PeerOwner, r.Account)), Description: call.Optional(r.Description),
	}
	peer, found, err := tables.SecurityGroups.Find(sc.Tx, *w.UserId, r.Region, r.Peer)
	if err != nil || !found || peer.Meets(g) {
		return w, err
	}
	c, err := peered(sc, g, &peer)
	w.VpcId, w.VpcPeeringConnectionId, w.PeeringStatus = &peer.Vpc, call.Optional(c), new(edge.PeeringDeleted)
	if c != "" {
		w.PeeringStatus = new(edge.PeeringActive)
	}
	return w, err
}

// emptyPermission is the protocol and ports of a rule. A rule for all protocols
// has no ports.
func emptyPermission(r *network.SecurityGroupRule) wire.IpPermission {
	p := wire.IpPermission{
		IpProtocol: new(r.Protocol), IpRanges: []wire.IpRange{}, Ipv6Ranges: []wire.Ipv6Range{},
		PrefixListIds: []wire.PrefixListId{}, UserIdGroupPairs: []wire.UserIdGroupPair{},
	}
	if r.Protocol != network.AllProtocols {
		p.FromPort, p.ToPort = new(int32(r.From)), new(int32(r.To))
	}
	return p
}

var describeGroups = call.Listing[network.SecurityGroup, wire.SecurityGroup]{
	Op: "DescribeSecurityGroups", Kind: call.Groups, IDs: "GroupIds", Render: renderGroup, Bind: "vpc-id", Trails: true,
	Filters: filter.Set{Tags: "Tags", Fields: groupFilters()},
}

// groupFilters are the filters on a group and on both directions of its rules.
func groupFilters() map[string]string {
	fields := map[string]string{
		"description": "Description", "group-id": "GroupId", "group-name": "GroupName", "owner-id": "OwnerId", "vpc-id": "VpcId",
	}
	for name, path := range map[string]string{
		"cidr": "IpRanges.CidrIp", "from-port": "FromPort", "group-id": "UserIdGroupPairs.GroupId",
		"group-name": "UserIdGroupPairs.GroupName", "ipv6-cidr": "Ipv6Ranges.CidrIpv6",
		"prefix-list-id": "PrefixListIds.PrefixListId", "protocol": "IpProtocol", "to-port": "ToPort",
		"user-id": "UserIdGroupPairs.UserId",
	} {
		fields["ip-permission."+name] = "IpPermissions." + path
		fields["egress.ip-permission."+name] = "IpPermissionsEgress." + path
	}
	return fields
}

// DescribeSecurityGroups lists security groups.
func (s *Handler) DescribeSecurityGroups(ctx context.Context, in *wire.DescribeSecurityGroupsInput) (*wire.DescribeSecurityGroupsOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	ids := slices.Clone(in.GroupIds)
	err := s.View(ctx, func(sc call.Scope) error {
		for _, name := range in.GroupNames {
			g, err := groupOf(sc, nil, &name)
			if err != nil {
				return err
			}
			ids = append(ids, g.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out, next, err := describeGroups.Run(ctx, s.Env, call.Page(ids, in.Filters, in.MaxResults, in.NextToken))
	return &wire.DescribeSecurityGroupsOutput{SecurityGroups: out, NextToken: next}, err
}
