package network

import (
	"slices"

	"neargate/arn"
)

// DefaultGroup is the name of the security group every VPC is born with.
const DefaultGroup = "default"

// SecurityGroup is a named set of rules that network interfaces carry.
type SecurityGroup struct {
	Account, Region, ID, Vpc string
	Name, Description        string
	Associated               []string `json:",omitempty"` // ids of further VPCs whose interfaces may carry it, sorted
	Tags                     []Tag    `json:",omitempty"`
}

// In reports whether interfaces of the VPC may carry the group.
func (g *SecurityGroup) In(vpc string) bool {
	return g.Vpc == vpc || slices.Contains(g.Associated, vpc)
}

// Meets reports whether there is a VPC whose interfaces may carry either group.
func (g *SecurityGroup) Meets(o *SecurityGroup) bool {
	return g.In(o.Vpc) || slices.ContainsFunc(o.Associated, g.In)
}

// ARN is the group's Amazon Resource Name.
func (g *SecurityGroup) ARN() string {
	return arn.New("ec2", g.Region, g.Account, "security-group/"+g.ID)
}

// SecurityGroupRule lets one peer in (or out, when Egress).
type SecurityGroupRule struct {
	Account, Region, ID, Group string
	Permission
	Description string `json:",omitempty"`
	Tags        []Tag  `json:",omitempty"`
}

// ARN is the rule's Amazon Resource Name.
func (r *SecurityGroupRule) ARN() string {
	return arn.New("ec2", r.Region, r.Account, "security-group-rule/"+r.ID)
}

// AllProtocols is the protocol of a permission for any packet.
const AllProtocols = "-1"

// Permission is what a rule allows; two rules of a group never have equal
// permissions. Exactly one of IPv4, IPv6, PrefixList and Peer is set.
type Permission struct {
	Egress   bool
	Protocol string // tcp, udp, icmp, icmpv6, a number, or AllProtocols
	From, To int    // TCP and UDP ports; ICMP type and code; -1 is any
	IPv4     string `json:",omitempty"` // canonical prefix
	IPv6     string `json:",omitempty"` // canonical prefix
	Peer     string `json:",omitempty"` // id of a security group
	// PeerOwner is the account of Peer when it is another one's, in a peered VPC.
	PeerOwner  string `json:",omitempty"`
	PrefixList string `json:",omitempty"` // pl-…
}
