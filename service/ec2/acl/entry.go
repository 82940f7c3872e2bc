package acl

import (
	"context"
	"slices"
	"strconv"
	"strings"

	wire "neargate/aws/ec2"
	"neargate/resource/network"
	"neargate/service/ec2/internal/admit"
	"neargate/service/ec2/internal/call"
	"neargate/store/tables"
	"neargate/wire/shape"
)

// maxEntries is how many entries of a direction a network ACL may have, the last
// one included. Source: Amazon VPC quotas.
const maxEntries = 20

// rule is an entry as a request names it.
type rule struct {
	acl, protocol, action, cidr, six *string
	number                           *int32
	egress                           *bool
	icmp                             *wire.IcmpTypeCode
	ports                            *wire.PortRange
}

// entry reads an entry.
func (r rule) entry() (network.NetworkAclEntry, error) {
	e := network.NetworkAclEntry{Egress: call.Val(r.egress), Action: call.Val(r.action)}
	switch {
	case r.acl == nil:
		return e, call.Missing("networkAclId")
	case r.egress == nil:
		return e, call.Missing("egress")
	case r.protocol == nil:
		return e, call.Missing("protocol")
	case r.action == nil:
		return e, call.Missing("ruleAction")
	case r.cidr == nil && r.six == nil:
		return e, call.Missing("cidrBlock")
	case r.cidr != nil && r.six != nil:
		return e, shape.Errorf("InvalidParameterCombination", "The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock")
	case e.Action != "allow" && e.Action != "deny":
		return e, call.Invalid("Value (%s) for parameter ruleAction is invalid.", e.Action)
	}
	var err error
	if e.Number, err = numberOf(r.number); err != nil {
		return e, err
	}
	if err := r.peer(&e); err != nil {
		return e, err
	}
	if e.Protocol, err = protocolOf(*r.protocol); err != nil {
		return e, err
	}
	switch e.Protocol {
	case protocolTCP, protocolUDP:
		e.From, e.To, err = portsOf(r.ports)
	case protocolICMP, protocolICMPv6:
		e.From, e.To, err = icmpOf(r.icmp)
	}
	return e, err
}

// peer reads the range that the entry is about.
func (r rule) peer(e *network.NetworkAclEntry) error {
	name, value, family := "cidrBlock", r.cidr, 4
	if r.six != nil {
		name, value, family = "ipv6CidrBlock", r.six, 6
	}
	p, ok := network.Canonical(*value, family)
	switch {
	case !ok:
		return call.Invalid("Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", *value, name)
	case family == 6:
		e.IPv6 = p.String()
	default:
		e.CIDR = p.String()
	}
	return nil
}

// numberOf reads the number of an entry a customer may have.
func numberOf(n *int32) (int, error) {
	switch {
	case n == nil:
		return 0, call.Missing("ruleNumber")
	case *n < 1 || *n >= network.LastAclEntry:
		return 0, call.Invalid("Value (%d) for parameter ruleNumber is invalid. Expecting a value from 1 to %d.", *n, network.LastAclEntry-1)
	}
	return int(*n), nil
}

// protocolOf is the number of a protocol given by number or name.
func protocolOf(s string) (string, error) {
	if n, ok := protocolNumbers[strings.ToLower(s)]; ok {
		return n, nil
	}
	if s == network.AllProtocols || strings.EqualFold(s, "all") {
		return network.AllProtocols, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 255 {
		return "", call.Invalid("Invalid value '%s' for IP protocol. Unknown protocol.", s)
	}
	return strconv.Itoa(n), nil
}

func portsOf(p *wire.PortRange) (from, to int, err error) {
	if p == nil || p.From == nil || p.To == nil {
		return 0, 0, call.Missing("portRange")
	}
	from, to = int(*p.From), int(*p.To)
	for _, n := range []int{from, to} {
		if n < 0 || n > 65535 {
			return 0, 0, call.Invalid("Value (%d) for parameter portRange is invalid. TCP/UDP port out of range", n)
		}
	}
	if from > to {
		return 0, 0, call.Invalid("Invalid TCP/UDP port range (%d:%d)", from, to)
	}
	return from, to, nil
}

func icmpOf(c *wire.IcmpTypeCode) (typ, code int, err error) {
	if c == nil || c.Type == nil || c.Code == nil {
		return 0, 0, call.Missing("icmpTypeCode")
	}
	typ, code = int(*c.Type), int(*c.Code)
	if typ < -1 || typ > 255 {
		return 0, 0, call.Invalid("ICMP type (%d) out of range", typ)
	}
	if code < -1 || code > 255 || typ == -1 && code != -1 {
		return 0, 0, call.Invalid("ICMP code (%d) out of range", code)
	}
	return typ, code, nil
}

// find is the index of the entry with the number and direction, -1 when there is
// none.
func find(a *network.NetworkAcl, egress bool, number int) int {
	return slices.IndexFunc(a.Entries, func(e network.NetworkAclEntry) bool { return e.Egress == egress && e.Number == number })
}

func noSuchEntry(id string, egress bool, number int) error {
	direction := "ingress"
	if egress {
		direction = "egress"
	}
	return shape.Errorf("InvalidNetworkAclEntry.NotFound", "no %s entry with number %d in network ACL %s", direction, number, id)
}

// CreateNetworkAclEntry adds an entry. The same once more is no error.
func (s *Handler) CreateNetworkAclEntry(ctx context.Context, in *wire.CreateNetworkAclEntryInput) (*wire.CreateNetworkAclEntryOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	e, err := rule{in.NetworkAclId, in.Protocol, in.RuleAction, in.CidrBlock, in.Ipv6CidrBlock, in.RuleNumber, in.Egress, in.IcmpTypeCode, in.PortRange}.entry()
	if err != nil {
		return nil, err
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		a, err := call.NetworkAcls.Get(sc, *in.NetworkAclId)
		if err != nil {
			return err
		}
		if i := find(&a, e.Egress, e.Number); i >= 0 && a.Entries[i] == e {
			return nil
		} else if i >= 0 {
			return shape.Errorf("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", e.Number)
		}
		n := 0
		for _, x := range a.Entries {
			if x.Egress == e.Egress {
				n++
			}
		}
		if n >= maxEntries {
			return shape.Errorf("NetworkAclEntryLimitExceeded", "The maximum number of network ACL entries has been reached.")
		}
		a.Entries = append(slices.Clone(a.Entries), e)
		network.SortAclEntries(a.Entries)
		return tables.NetworkAcls.Put(sc.Tx, &a)
	})
	return &wire.CreateNetworkAclEntryOutput{}, err
}

// ReplaceNetworkAclEntry changes all of an entry but its number and direction.
func (s *Handler) ReplaceNetworkAclEntry(ctx context.Context, in *wire.ReplaceNetworkAclEntryInput) (*wire.ReplaceNetworkAclEntryOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	e, err := rule{in.NetworkAclId, in.Protocol, in.RuleAction, in.CidrBlock, in.Ipv6CidrBlock, in.RuleNumber, in.Egress, in.IcmpTypeCode, in.PortRange}.entry()
	if err != nil {
		return nil, err
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		a, err := call.NetworkAcls.Get(sc, *in.NetworkAclId)
		if err != nil {
			return err
		}
		i := find(&a, e.Egress, e.Number)
		if i < 0 {
			return noSuchEntry(a.ID, e.Egress, e.Number)
		}
		a.Entries = slices.Clone(a.Entries)
		a.Entries[i] = e
		return tables.NetworkAcls.Put(sc.Tx, &a)
	})
	return &wire.ReplaceNetworkAclEntryOutput{}, err
}

// DeleteNetworkAclEntry removes an entry.
func (s *Handler) DeleteNetworkAclEntry(ctx context.Context, in *wire.DeleteNetworkAclEntryInput) (*wire.DeleteNetworkAclEntryOutput, error) {
	if err := admit.Check(in); err != nil {
		return nil, err
	}
	switch {
	case in.NetworkAclId == nil:
		return nil, call.Missing("networkAclId")
	case in.Egress == nil:
		return nil, call.Missing("egress")
	}
	number, err := numberOf(in.RuleNumber)
	if err != nil {
		return nil, err
	}
	err = s.Update(ctx, func(sc call.Scope) error {
		a, err := call.NetworkAcls.Get(sc, *in.NetworkAclId)
		if err != nil {
			return err
		}
		i := find(&a, *in.Egress, number)
		if i < 0 {
			return noSuchEntry(a.ID, *in.Egress, number)
		}
		a.Entries = slices.Delete(slices.Clone(a.Entries), i, i+1)
		return tables.NetworkAcls.Put(sc.Tx, &a)
	})
	return &wire.DeleteNetworkAclEntryOutput{}, err
}
