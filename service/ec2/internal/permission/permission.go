// Package permission reads what requests say about security group rules: pure
// checks of protocols, ports and peers, with AWS's errors.
package permission

import (
	"fmt"
	"strconv"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/wire/shape"
)

// Grant is one rule asked for.
type Grant struct {
	network.Permission
	PeerName    string  // the peer group's name where the request gives no id
	Description *string // nil when the request gives none
}

// Parse reads the permissions of a request: one grant for each peer. account is
// the caller's.
func Parse(permissions []wire.IpPermission, egress bool, account string) ([]Grant, error) {
	var grants []Grant
	for _, p := range permissions {
		base, err := protocol(p.IpProtocol, p.FromPort, p.ToPort)
		if err != nil {
			return nil, err
		}
		base.Egress = egress
		peers, err := peers(base, p, account)
		if err != nil {
			return nil, err
		}
		grants = append(grants, peers...)
	}
	return grants, checkGrants(grants)
}

// FromRule reads the new form of one rule.
func FromRule(r *wire.SecurityGroupRuleRequest, egress bool) (Grant, error) {
	base, err := protocol(r.IpProtocol, r.FromPort, r.ToPort)
	if err != nil {
		return Grant{}, err
	}
	base.Egress = egress
	p := wire.IpPermission{}
	if r.CidrIpv4 != nil {
		p.IpRanges = []wire.IpRange{{CidrIp: r.CidrIpv4, Description: r.Description}}
	}
	if r.CidrIpv6 != nil {
		p.Ipv6Ranges = []wire.Ipv6Range{{CidrIpv6: r.CidrIpv6, Description: r.Description}}
	}
	if r.PrefixListId != nil {
		p.PrefixListIds = []wire.PrefixListId{{PrefixListId: r.PrefixListId, Description: r.Description}}
	}
	if r.ReferencedGroupId != nil {
		p.UserIdGroupPairs = []wire.UserIdGroupPair{{GroupId: r.ReferencedGroupId, Description: r.Description}}
	}
	grants, err := peers(base, p, "")
	if err != nil {
		return Grant{}, err
	}
	if len(grants) != 1 {
		return Grant{}, shape.Errorf("InvalidParameterCombination",
			"Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be specified")
	}
	return grants[0], checkGrants(grants)
}

// peers makes the grants of one permission.
func peers(base network.Permission, p wire.IpPermission, account string) ([]Grant, error) {
	var grants []Grant
	add := func(description *string, set func(*Grant)) {
		g := Grant{Permission: base, Description: description}
		set(&g)
		grants = append(grants, g)
	}
	for _, r := range p.IpRanges {
		cidr, err := cidr(r.CidrIp, 4)
		if err != nil {
			return nil, err
		}
		add(r.Description, func(g *Grant) { g.IPv4 = cidr })
	}
	for _, r := range p.Ipv6Ranges {
		cidr, err := cidr(r.CidrIpv6, 6)
		if err != nil {
			return nil, err
		}
		add(r.Description, func(g *Grant) { g.IPv6 = cidr })
	}
	for _, l := range p.PrefixListIds {
		if str(l.PrefixListId) == "" {
			return nil, shape.Errorf("MissingParameter", "The request must contain the parameter prefixListId")
		}
		add(l.Description, func(g *Grant) { g.PrefixList = *l.PrefixListId })
	}
	for _, u := range p.UserIdGroupPairs {
		id, name := str(u.GroupId), str(u.GroupName)
		if id == "" && name == "" {
			return nil, shape.Errorf("MissingParameter", "The request must contain the parameter groupId")
		}
		owner := str(u.UserId)
		if owner == account {
			owner = ""
		}
		if owner != "" && id == "" {
			return nil, shape.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", name)
		}
		add(u.Description, func(g *Grant) {
			if g.Peer, g.PeerOwner = id, owner; id == "" {
				g.PeerName = name
			}
		})
	}
	return grants, nil
}

// checkGrants refuses bad descriptions and the same rule twice.
func checkGrants(grants []Grant) error {
	seen := map[Grant]bool{}
	for _, g := range grants {
		if err := CheckDescription(g.Description); err != nil {
			return err
		}
		g.Description = nil
		if seen[g] {
			return invalid("The same permission must not appear multiple times")
		}
		seen[g] = true
	}
	return nil
}

// CheckDescription refuses what cannot describe a rule.
func CheckDescription(d *string) error {
	if !Plain(str(d)) {
		return invalid("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  %s", Characters)
	}
	return nil
}

// Characters are those that names and descriptions of groups and rules may have.
const Characters = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"

// Plain reports whether s is at most 255 of Characters.
func Plain(s string) bool {
	return len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alnum && !strings.ContainsRune(". _-:/()#,@[]+=&;{}!$*", r)
	})
}

func cidr(s *string, family int) (string, error) {
	p, ok := network.Canonical(str(s), family)
	if !ok {
		return "", invalid("CIDR block %s is malformed", str(s))
	}
	return p.String(), nil
}

// protocols are the names of protocol numbers. Source: Amazon EC2 API Reference,
// IpPermission.
var protocols = map[string]string{
	"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "icmp": "icmp", "1": "icmp", "icmpv6": "icmpv6", "58": "icmpv6",
	"-1": network.AllProtocols, "all": network.AllProtocols,
}

// protocol reads a protocol and its ports, or ICMP type and code. Protocols
// without ports ignore what the request says about them.
func protocol(name *string, from, to *int32) (network.Permission, error) {
	none := network.Permission{}
	if name == nil {
		return none, invalid("Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.")
	}
	proto, ok := protocols[strings.ToLower(*name)]
	if !ok {
		n, err := strconv.Atoi(*name)
		if err != nil || n < 0 || n > 255 {
			return none, invalid("Invalid value '%s' for IP protocol. Unknown protocol.", *name)
		}
		proto = strconv.Itoa(n)
	}
	switch p := (network.Permission{Protocol: proto, From: -1, To: -1}); proto {
	case "tcp", "udp":
		if from == nil || to == nil {
			return none, invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
		}
		return ports(p, int(*from), int(*to))
	case "icmp", "icmpv6":
		if from == nil && to == nil && proto == "icmpv6" {
			return p, nil
		}
		if from == nil || to == nil {
			return none, invalid("Invalid value 'Must specify both from and to ports with ICMP.' for portRange.")
		}
		return icmp(p, int(*from), int(*to))
	default:
		return p, nil
	}
}

func ports(p network.Permission, from, to int) (network.Permission, error) {
	for _, n := range []int{from, to} {
		if n < 0 || n > 65535 {
			return p, shape.Errorf("InvalidPermission.Malformed", "TCP/UDP port (%d) out of range", n)
		}
	}
	if from > to {
		return p, invalid("Invalid TCP/UDP port range (%d:%d)", from, to)
	}
	p.From, p.To = from, to
	return p, nil
}

func icmp(p network.Permission, typ, code int) (network.Permission, error) {
	if typ < -1 || typ > 255 {
		return p, shape.Errorf("InvalidPermission.Malformed", "ICMP type (%d) out of range", typ)
	}
	if code < -1 || code > 255 || typ == -1 && code != -1 {
		return p, shape.Errorf("InvalidPermission.Malformed", "ICMP code (%d) out of range", code)
	}
	p.From, p.To = typ, code
	return p, nil
}

// Text names a permission as AWS does in messages.
func Text(p network.Permission) string {
	peer := p.IPv4 + p.IPv6 + p.Peer + p.PrefixList
	switch p.Protocol {
	case "tcp", "udp":
		return fmt.Sprintf("peer: %s, %s, from port: %d, to port: %d, ALLOW", peer, strings.ToUpper(p.Protocol), p.From, p.To)
	case "icmp", "icmpv6":
		return fmt.Sprintf("peer: %s, %s, type: %s, code: %s, ALLOW", peer, strings.ToUpper(p.Protocol), orAll(p.From), orAll(p.To))
	case network.AllProtocols:
		return fmt.Sprintf("peer: %s, ALL, ALLOW", peer)
	}
	return fmt.Sprintf("peer: %s, %s, ALLOW", peer, p.Protocol)
}

func orAll(n int) string {
	if n == -1 {
		return "ALL"
	}
	return strconv.Itoa(n)
}

func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func invalid(format string, args ...any) error {
	return shape.Errorf("InvalidParameterValue", format, args...)
}
