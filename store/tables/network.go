package tables

import (
	"errors"

	"neargate/arn"
	"neargate/internal/encode"
	"neargate/resource/network"
	"neargate/store"
)

// DefaultNetworks marks furnished regions by account, region.
var DefaultNetworks = store.Table[network.Default]{
	Name: "ec2/default",
	Key:  func(d *network.Default) []string { return []string{d.Account, d.Region} },
}

// DhcpOptions keeps sets of DHCP options by account, region, id.
var DhcpOptions = store.Table[network.DhcpOptions]{
	Name: "ec2/dopt",
	Key:  func(d *network.DhcpOptions) []string { return []string{d.Account, d.Region, d.ID} },
}

// Vpcs keeps VPCs by account, region, id.
var Vpcs = store.Table[network.Vpc]{
	Name: "ec2/vpc",
	Key:  func(v *network.Vpc) []string { return []string{v.Account, v.Region, v.ID} },
}

// SubnetsByVpc indexes subnets by account, region, VPC, zone.
const SubnetsByVpc = "ec2/subnet@vpc"

// Subnets keeps subnets by account, region, id.
var Subnets = store.Table[network.Subnet]{
	Name: "ec2/subnet",
	Key:  func(s *network.Subnet) []string { return []string{s.Account, s.Region, s.ID} },
	Indexes: []store.Index[network.Subnet]{
		{Name: SubnetsByVpc, Keys: func(s *network.Subnet) [][]string {
			return [][]string{{s.Account, s.Region, s.Vpc, s.Zone}}
		}},
	},
}

// InternetGateways keeps internet gateways by account, region, id.
var InternetGateways = store.Table[network.InternetGateway]{
	Name: "ec2/igw",
	Key:  func(g *network.InternetGateway) []string { return []string{g.Account, g.Region, g.ID} },
}

// RouteTables keeps route tables by account, region, id.
var RouteTables = store.Table[network.RouteTable]{
	Name: "ec2/rtb",
	Key:  func(t *network.RouteTable) []string { return []string{t.Account, t.Region, t.ID} },
}

// NetworkAcls keeps network ACLs by account, region, id.
var NetworkAcls = store.Table[network.NetworkAcl]{
	Name: "ec2/acl",
	Key:  func(a *network.NetworkAcl) []string { return []string{a.Account, a.Region, a.ID} },
}

// GroupsByName indexes security groups by account, region, VPC, name; a name is
// unique in a VPC.
const GroupsByName = "ec2/sg@name"

// SecurityGroups keeps security groups by account, region, id.
var SecurityGroups = store.Table[network.SecurityGroup]{
	Name: "ec2/sg",
	Key:  func(g *network.SecurityGroup) []string { return []string{g.Account, g.Region, g.ID} },
	Indexes: []store.Index[network.SecurityGroup]{
		{Name: GroupsByName, Keys: func(g *network.SecurityGroup) [][]string {
			return [][]string{{g.Account, g.Region, g.Vpc, g.Name}}
		}},
	},
}

// Names of the indexes of SecurityGroupRules.
const (
	// RulesByGroup: account, region, id of the group that has the rule.
	RulesByGroup = "ec2/sgr@group"
	// RulesByPeer: account, region, id of the group the rule refers to.
	RulesByPeer = "ec2/sgr@peer"
)

// SecurityGroupRules keeps the rules of security groups by account, region, id.
var SecurityGroupRules = store.Table[network.SecurityGroupRule]{
	Name: "ec2/sgr",
	Key:  func(r *network.SecurityGroupRule) []string { return []string{r.Account, r.Region, r.ID} },
	Indexes: []store.Index[network.SecurityGroupRule]{
		{Name: RulesByGroup, Keys: func(r *network.SecurityGroupRule) [][]string {
			return [][]string{{r.Account, r.Region, r.Group}}
		}},
		{Name: RulesByPeer, Keys: func(r *network.SecurityGroupRule) [][]string {
			if r.Peer == "" {
				return nil
			}
			return [][]string{{r.Account, r.Region, r.Peer}}
		}},
	},
}

// Names of the indexes of NetworkInterfaces.
const (
	// InterfacesByVpc: account, region, VPC.
	InterfacesByVpc = "ec2/eni@vpc"
	// InterfacesByGroup: account, region, security group; once for each group.
	InterfacesByGroup = "ec2/eni@sg"
	// InterfacesByToken: account, region, client token of the creation.
	InterfacesByToken = "ec2/eni@token"
)

// NetworkInterfaces keeps elastic network interfaces by account, region, id.
var NetworkInterfaces = store.Table[network.NetworkInterface]{
	Name: "ec2/eni",
	JSON: encode.For[network.NetworkInterface](),
	Key:  func(e *network.NetworkInterface) []string { return []string{e.Account, e.Region, e.ID} },
	Indexes: []store.Index[network.NetworkInterface]{
		{Name: InterfacesByVpc, Keys: func(e *network.NetworkInterface) [][]string {
			return [][]string{{e.Account, e.Region, e.Vpc}}
		}},
		{Name: InterfacesByGroup, Keys: func(e *network.NetworkInterface) [][]string {
			var keys [][]string
			for _, g := range e.Groups {
				keys = append(keys, []string{e.Account, e.Region, g})
			}
			return keys
		}},
		{Name: InterfacesByToken, Keys: func(e *network.NetworkInterface) [][]string {
			if e.Token == "" {
				return nil
			}
			return [][]string{{e.Account, e.Region, e.Token}}
		}},
	},
}

// PrivateAddresses keeps the taken addresses of subnets by account, region,
// subnet, address. Package address takes and releases them.
var PrivateAddresses = store.Table[network.PrivateAddress]{
	Name: "ec2/address",
	Key: func(a *network.PrivateAddress) []string {
		return []string{a.Account, a.Region, a.Subnet, a.Address}
	},
}

// PublicAddresses keeps the taken public addresses of the whole installation by
// address. Package address takes and releases them.
var PublicAddresses = store.Table[network.PublicAddress]{
	Name: "ec2/public",
	Key:  func(a *network.PublicAddress) []string { return []string{a.Address} },
}

// EnsureDefaultNetwork furnishes the account's region with its default VPC
// unless that has been done before. Every transaction that needs a network to
// exist calls it first. A region AWS does not know gets nothing.
func EnsureDefaultNetwork(tx store.Tx, account, region string) error {
	if _, ok, err := DefaultNetworks.Find(tx, account, region); ok || err != nil || !arn.KnownRegion(region) {
		return err
	}
	f := network.Defaults(account, region)
	return PutDefaultNetwork(tx, &f)
}

// PutDefaultNetwork stores a default VPC with all its parts.
func PutDefaultNetwork(tx store.Tx, f *network.Furniture) error {
	return errors.Join(
		put(tx, DefaultNetworks, f.Default),
		put(tx, DhcpOptions, f.DhcpOptions),
		PutVpc(tx, &f.Vpc, &f.VpcParts),
		put(tx, Subnets, f.Subnets...),
		put(tx, InternetGateways, f.InternetGateway),
	)
}

// PutVpc stores a VPC with what it is born with.
func PutVpc(tx store.Tx, v *network.Vpc, p *network.VpcParts) error {
	return errors.Join(
		put(tx, Vpcs, *v),
		put(tx, RouteTables, p.RouteTable),
		put(tx, NetworkAcls, p.NetworkAcl),
		put(tx, SecurityGroups, p.SecurityGroup),
		put(tx, SecurityGroupRules, p.Rules...),
	)
}

func put[T any](tx store.Tx, table store.Table[T], records ...T) error {
	for i := range records {
		if err := table.Put(tx, &records[i]); err != nil {
			return err
		}
	}
	return nil
}
