package admit

import (
	"fmt"
	"slices"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/launch"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
)

// Limits of a network configuration.
// Source: Amazon ECS API Reference, AwsVpcConfiguration.
const (
	maxSubnets = 16
	maxGroups  = 5
)

// Network checks a network configuration as far as the request alone tells, and
// returns it as it is stored: nil for a definition without interfaces of its own.
func (c Capacity) Network(d *taskdef.Definition, in *ecs.NetworkConfiguration) (*compute.Network, error) {
	given := in != nil && in.AwsvpcConfiguration != nil
	switch {
	case d.Awsvpc() && !given:
		return nil, invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case !d.Awsvpc() && given:
		return nil, invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	case !given:
		return nil, nil
	}
	v := in.AwsvpcConfiguration
	if err := check.OneOf("assignPublicIp", v.AssignPublicIp, "ENABLED", "DISABLED"); err != nil {
		return nil, err
	}
	n := &compute.Network{Subnets: slices.Clone(v.Subnets), SecurityGroups: slices.Clone(v.SecurityGroups), AssignPublicIP: value(v.AssignPublicIp)}
	switch {
	case len(n.Subnets) == 0:
		return nil, invalid("subnets can not be empty.")
	case len(n.Subnets) > maxSubnets:
		return nil, invalid("subnets can have at most 16 items.")
	case len(n.SecurityGroups) > maxGroups:
		return nil, invalid("securityGroups can have at most 5 items.")
	case n.AssignPublicIP == "":
		n.AssignPublicIP = "DISABLED"
	case n.AssignPublicIP == "ENABLED" && !c.Fargate():
		return nil, invalid("Assign public IP is not supported for this launch type.")
	}
	return n, nil
}

// DualStack notes in a network configuration whether the caller's account setting lets
// tasks have IPv6.
func DualStack(tx store.Tx, t ref.Tenant, caller string, n *compute.Network) error {
	if n == nil {
		return nil
	}
	s, _, err := lookup.Setting(tx, t, ref.Principal(caller), "dualStackIPv6")
	n.DualStack = s.Value == "enabled"
	return err
}

// Subnets finds the subnets of a network configuration and checks that they and
// the security groups exist in one VPC. It may furnish the region's default VPC.
func Subnets(tx store.Tx, t ref.Tenant, n *compute.Network) ([]launch.Subnet, error) {
	if n == nil {
		return nil, nil
	}
	if err := tables.EnsureDefaultNetwork(tx, t.Account, t.Region); err != nil {
		return nil, err
	}
	var out []launch.Subnet
	vpc := ""
	for _, id := range n.Subnets {
		s, ok, err := tables.Subnets.Find(tx, t.Account, t.Region, id)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, invalid(fmt.Sprintf("Error retrieving subnet information for [%s]: The subnet ID '%s' does not exist (ErrorCode: InvalidSubnetID.NotFound)", id, id))
		case vpc != "" && s.Vpc != vpc:
			return nil, invalid("subnets must belong to the same VPC.")
		}
		vpc = s.Vpc
		out = append(out, launch.Subnet{ID: s.ID, Zone: s.Zone})
	}
	for _, id := range n.SecurityGroups {
		g, ok, err := tables.SecurityGroups.Find(tx, t.Account, t.Region, id)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, invalid(fmt.Sprintf("Error retrieving security group information for [%s]: The security group '%s' does not exist (ErrorCode: InvalidGroup.NotFound)", id, id))
		case !g.In(vpc):
			return nil, invalid(fmt.Sprintf("Security group %s does not appear to belong to the same VPC as the input subnets.", id))
		}
	}
	return out, nil
}

// Room tells which zones no node has room in for a task of the size. It is a
// hint read from counts that change all the time, so read it in a transaction of
// its own.
func Room(tx store.Tx, architecture string, cpu, memory int) (full func(zone string) bool, err error) {
	var serve []func(zone string) bool
	for n, err := range tables.Nodes.List(tx) {
		if err != nil {
			return nil, err
		}
		used, ok, err := tables.Allocations.Find(tx, n.Name)
		if err != nil {
			return nil, err
		}
		if ok && !used.Lost && !n.Cordoned && n.Architecture == architecture && used.CPU+cpu <= n.CPU && used.Memory+memory <= n.Memory {
			if len(n.Zones) == 0 {
				return func(string) bool { return false }, nil
			}
			serve = append(serve, n.Serves)
		}
	}
	return func(zone string) bool {
		return !slices.ContainsFunc(serve, func(serves func(string) bool) bool { return serves(zone) })
	}, nil
}
