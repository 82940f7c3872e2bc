package network

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"neargate/node/firewall"
	"neargate/node/network/kern"
)

// FlowCounts are the counts of a VPC's flows by the side of its interfaces' network
// ACLs and security groups they were counted at. The keys name interfaces by id.
type FlowCounts struct {
	Sent, Left, Met, Got map[firewall.FlowKey]firewall.FlowCount
	// Begun says how often counting of IPv4 and of IPv6 began anew: counts of the same
	// number go on from each other.
	Begun [2]int
	// Full says that flows were not counted for which there was no room.
	Full bool
}

// ErrUncounted says that no flows are counted.
var ErrUncounted = errors.New("network: no flows are counted")

// Flows are the counts of a VPC that has interfaces with Flows. Flows without
// packets for some minutes are forgotten. The error is ErrUncounted also when counting
// ends meanwhile.
func (m *Manager) Flows(vpc string) (c FlowCounts, err error) {
	m.mu.Lock()
	v, here := m.vpcs[vpc]
	c.Begun = [2]int{m.begun[flowsOf(nameVPC(vpc), false)], m.begun[flowsOf(nameVPC(vpc), true)]}
	m.mu.Unlock()
	if !here || len(v.counted()) == 0 {
		return c, fmt.Errorf("%w of %s", ErrUncounted, vpc)
	}
	ids := map[string]string{}
	for _, i := range v.Interfaces {
		ids[Name(i.ID)] = i.ID
	}
	// In this order a packet that comes meanwhile seems let through, not refused.
	for _, x := range []struct {
		set string
		to  *map[firewall.FlowKey]firewall.FlowCount
	}{{firewall.FlowsSent, &c.Sent}, {firewall.FlowsLeft, &c.Left}, {firewall.FlowsMet, &c.Met}, {firewall.FlowsGot, &c.Got}} {
		*x.to = map[firewall.FlowKey]firewall.FlowCount{}
		for _, six := range kern.Families(len(v.IPv6) > 0) {
			all, full, err := m.in(flowsOf(nameVPC(vpc), six == netlink.FAMILY_V6)).Flows(x.set)
			if errors.Is(err, unix.ENOENT) {
				return c, fmt.Errorf("%w of %s any more", ErrUncounted, vpc)
			}
			if err != nil {
				return c, err
			}
			c.Full = c.Full || full
			for k, n := range all {
				if id, ours := ids[k.Interface]; ours {
					k.Interface = id
					(*x.to)[k] = n
				}
			}
		}
	}
	return c, nil
}

// counted are the names of the VPC's interfaces whose flows are counted.
func (v VPC) counted() (names []string) {
	for _, i := range v.Interfaces {
		if i.Flows && len(i.Addresses) > 0 {
			names = append(names, Name(i.ID))
		}
	}
	return names
}

// flowsOf is the table that counts in a VPC's namespace.
func flowsOf(space string, six bool) table { return table{space, firewall.TableFlows, six} }

// setFlows makes the flows of a VPC's interfaces counted, or not. An earlier process
// may have left the tables.
func (m *Manager) setFlows(v VPC, existed bool) (changed []string, err error) {
	_, ruled := m.ruled[v.ID]
	for _, family := range kern.Families(m.ipv6) {
		key := flowsOf(nameVPC(v.ID), family == netlink.FAMILY_V6)
		var names []string
		if !key.ipv6 || len(v.IPv6) > 0 {
			names = v.counted()
		}
		if _, known := m.rules[key]; len(names) == 0 && !known && (ruled || !existed) {
			continue
		}
		did, err := m.setCounting(key, names)
		changed = append(changed, did...)
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// setCounting makes the flows of interfaces counted in a table; with none, removes it.
func (m *Manager) setCounting(key table, names []string) (changed []string, err error) {
	space := key.space
	before, err := m.in(key).Generation()
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		changed, err = m.setRules(space, firewall.RenderFlows(names, key.ipv6))
	} else {
		changed, err = m.endFlows(key)
	}
	if err != nil || len(changed) == 0 {
		return changed, err
	}
	// The other rules are as they were.
	now, err := m.in(key).Generation()
	if err != nil {
		return changed, err
	}
	for _, judge := range []table{{space, firewall.TableVPC, false}, {space, firewall.TableVPC, true}, flowsOf(space, !key.ipv6)} {
		if rules, ok := m.rules[judge]; ok && rules.generation == before {
			rules.generation = now
			m.rules[judge] = rules
		}
	}
	return changed, nil
}

// endFlows removes the table that counts, if there is one.
func (m *Manager) endFlows(key table) (changed []string, err error) {
	t := m.in(key)
	tables, err := t.Tables()
	if err != nil {
		return nil, err
	}
	delete(m.rules, key)
	if !slices.Contains(tables, key.name) {
		return nil, nil
	}
	return []string{key.space + ": count no flows"}, t.Delete()
}
