package network

import (
	"fmt"

	"neargate/node/firewall"
	"neargate/node/firewall/nft"
)

// FlowCounts are the counts of a VPC's flows by the side of its interfaces' network
// ACLs and security groups they were counted at. The keys name interfaces by id.
type FlowCounts struct {
	Sent, Left, Met, Got map[firewall.FlowKey]firewall.FlowCount
}

// Flows are the counts of a VPC that is wanted with Flows, since it was. Flows
// without packets for a quarter of an hour are forgotten.
func (m *Manager) Flows(vpc string) (c FlowCounts, err error) {
	m.mu.Lock()
	v, here := m.vpcs[vpc]
	m.mu.Unlock()
	if !here || !v.Flows {
		return c, fmt.Errorf("network: flows of %s are not counted", vpc)
	}
	ids := map[string]string{}
	for _, i := range v.Interfaces {
		ids[Name(i.ID)] = i.ID
	}
	t := nft.Open(m.Space(vpc), firewall.TableFlows)
	// In this order a packet that comes meanwhile seems let through, not refused.
	for _, x := range []struct {
		set string
		to  *map[firewall.FlowKey]firewall.FlowCount
	}{{firewall.FlowsSent, &c.Sent}, {firewall.FlowsLeft, &c.Left}, {firewall.FlowsMet, &c.Met}, {firewall.FlowsGot, &c.Got}} {
		all, err := t.Flows(x.set)
		if err != nil {
			return c, err
		}
		to := x.to
		*to = map[firewall.FlowKey]firewall.FlowCount{}
		for k, n := range all {
			if id, ours := ids[k.Interface]; ours {
				k.Interface = id
				(*to)[k] = n
			}
		}
	}
	return c, nil
}

// setFlows makes a VPC's flows counted, or not. An earlier process may have left
// the table.
func (m *Manager) setFlows(v VPC, existed bool) (changed []string, err error) {
	space := nameVPC(v.ID)
	key := table{space, firewall.TableFlows, false}
	if v.Flows {
		return m.setRules(space, firewall.RenderFlows(false))
	}
	_, known := m.rules[key]
	_, ruled := m.ruled[v.ID]
	if !known && (ruled || !existed) {
		return nil, nil
	}
	t := nft.Open(m.path(space), firewall.TableFlows)
	tables, err := t.Tables()
	if err != nil {
		return nil, err
	}
	delete(m.rules, key)
	for _, n := range tables {
		if n == firewall.TableFlows {
			return []string{space + ": count no flows"}, t.Delete()
		}
	}
	return nil, nil
}
