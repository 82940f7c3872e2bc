package network

import (
	"testing"

	"neargate/node/firewall"
	"neargate/node/firewall/nft"
)

// TestFlowsIPv6 counts flows of both families, begins and ends with the VPC's IPv6, and
// keeps the counts of the other family meanwhile.
func TestFlowsIPv6(t *testing.T) {
	w := newWorld(t)
	m := w.dualManager()
	dual := dualStack("1", 10)
	for i := range dual.Interfaces {
		dual.Interfaces[i].Flows = true
	}
	plain := clone(dual).plain()
	w.reconcile(m, plain)
	w.settled(m, plain)
	a, _, _ := w.tasks(m, plain)
	packets := func(set map[firewall.FlowKey]firewall.FlowCount, eni, source, to string, protocol int) (n uint64) {
		for k, c := range set {
			if k.Interface == eni && k.Source == addr(source) && k.Destination == addr(to) && k.Protocol == protocol && k.DestinationPort == 80 {
				n += c.Packets
			}
		}
		return n
	}
	read := func() FlowCounts {
		t.Helper()
		c, err := m.Flows(dual.ID)
		w.must(err)
		return c
	}
	w.expect(a, "tcp", "10.0.1.11:80", "eni-1b 10.0.1.10")
	old := packets(read().Sent, "eni-1a", "10.0.1.10", "10.0.1.11", 6)
	w.must(m.Remove())

	m = w.dualManager()
	w.reconcile(m, dual)
	w.settled(m, dual)
	a, _, c := w.tasks(m, dual)
	w.expect(a, "tcp", at(six(10, 1, 11)), "eni-1b "+six(10, 1, 10).String())
	w.expect(a, "tcp", at(six(10, 2, 10)), "") // c's group does not let it in
	w.expect(a, "tcp", "10.0.1.11:80", "eni-1b 10.0.1.10")
	w.expect(c, "udp", at(six(10, 1, 10)), "eni-1a "+six(10, 2, 10).String())
	now := read()
	ip := func(n, i byte) string { return six(10, n, i).String() }
	if n := packets(now.Got, "eni-1b", ip(1, 10), ip(1, 11), 6); n == 0 || n != packets(now.Sent, "eni-1a", ip(1, 10), ip(1, 11), 6) {
		t.Errorf("%d packets came to b over IPv6: %v", n, now.Got)
	}
	if n := packets(now.Met, "eni-1c", ip(1, 10), ip(2, 10), 6); n == 0 || packets(now.Got, "eni-1c", ip(1, 10), ip(2, 10), 6) != 0 {
		t.Errorf("%d packets were refused: %v", n, now.Met)
	}
	if packets(now.Got, "eni-1a", ip(2, 10), ip(1, 10), 17) != 1 {
		t.Errorf("datagrams: %v", now.Got)
	}
	if n := packets(now.Sent, "eni-1a", "10.0.1.10", "10.0.1.11", 6); n == 0 || old == 0 {
		t.Errorf("%d packets over IPv4, %d without IPv6", n, old)
	}
	for k, n := range now.Met {
		if k.Interface == "eni-1b" && k.Source == six(10, 1, 10) && n.Flags&^firewall.FlagFIN != firewall.FlagSYN {
			t.Errorf("a connection that was opened has the flags %b", n.Flags)
		}
	}

	// Without IPv6 the other family is counted on.
	w.update(m, clone(dual).plain())
	if less := read(); less.Begun[0] != now.Begun[0] || packets(less.Sent, "eni-1a", "10.0.1.10", "10.0.1.11", 6) == 0 || packets(less.Sent, "eni-1a", ip(1, 10), ip(1, 11), 6) != 0 {
		t.Errorf("without IPv6: begun %v after %v, %v", less.Begun, now.Begun, less.Sent)
	}
	if tables, err := nft.OpenIPv6(m.Space(dual.ID), "").Tables(); err != nil {
		t.Error(err)
	} else {
		for _, name := range tables {
			if name == firewall.TableFlows {
				t.Error("flows of IPv6 are still counted")
			}
		}
	}
	w.must(m.Remove())
	w.clean()
}
