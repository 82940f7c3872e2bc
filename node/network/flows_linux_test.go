package network

import (
	"slices"
	"testing"

	"neargate/node/firewall"
	"neargate/node/firewall/nft"
	"neargate/resource/network"
)

// TestFlows counts what interfaces send and get, on either side of what judges it.
func TestFlows(t *testing.T) {
	w := newWorld(t)
	w.reachable()
	m := w.manager(true)
	v := edged("1", 1)
	v.Interfaces[0].Groups = []string{"sg-a"}
	v.Groups = append(v.Groups, firewall.Group{ID: "sg-a", Permissions: []network.Permission{
		permit("tcp", 80, network.AnyIPv4), outward(permit("udp", 80, network.AnyIPv4))}})
	for i := range v.Interfaces {
		v.Interfaces[i].Flows = v.Interfaces[i].ID != "eni-1vpce"
	}
	w.reconcile(m, v)
	w.settled(m, v)
	a, c := m.Namespace("eni-1a"), m.Namespace("eni-1c")
	w.serve(a, "a", 80)
	w.serve(c, "c", 80)
	w.serve(w.internet, "internet", 80)
	key := func(eni, source, destination string, protocol, port int) firewall.FlowKey {
		return firewall.FlowKey{Interface: eni, Source: addr(source), Destination: addr(destination), Protocol: protocol, DestinationPort: port}
	}
	total := func(set map[firewall.FlowKey]firewall.FlowCount, k firewall.FlowKey) (n firewall.FlowCount) {
		for x, c := range set {
			if x.SourcePort = 0; x == k {
				n = n.And(c)
			}
		}
		return n
	}
	read := func() FlowCounts {
		t.Helper()
		counts, err := m.Flows(v.ID)
		w.must(err)
		return counts
	}
	w.expect(c, "udp", "10.1.1.10:80", "") // a's group refuses
	w.expect(c, "tcp", "10.1.1.10:80", "a 10.1.2.10")
	w.expect(a, "tcp", "10.1.2.10:80", "") // a may not send it
	w.expect(a, "udp", "192.0.2.2:80", "internet 198.18.10.10")
	counts := read()
	for _, x := range []struct {
		name         string
		key          firewall.FlowKey
		there, after map[firewall.FlowKey]firewall.FlowCount
		packets      [2]uint64 // before and after what judges; 9: some
	}{
		{"sent, refused there", key("eni-1c", "10.1.2.10", "10.1.1.10", 17, 80), counts.Sent, counts.Left, [2]uint64{1, 1}},
		{"refused", key("eni-1a", "10.1.2.10", "10.1.1.10", 17, 80), counts.Met, counts.Got, [2]uint64{1, 0}},
		{"let in", key("eni-1a", "10.1.2.10", "10.1.1.10", 6, 80), counts.Met, counts.Got, [2]uint64{9, 9}},
		{"not let out", key("eni-1a", "10.1.1.10", "10.1.2.10", 6, 80), counts.Sent, counts.Left, [2]uint64{9, 0}},
		{"never there", key("eni-1c", "10.1.1.10", "10.1.2.10", 6, 80), counts.Met, counts.Got, [2]uint64{0, 0}},
		{"to the internet", key("eni-1a", "10.1.1.10", "192.0.2.2", 17, 80), counts.Sent, counts.Left, [2]uint64{1, 1}},
	} {
		for i, set := range []map[firewall.FlowKey]firewall.FlowCount{x.there, x.after} {
			n, want := total(set, x.key), x.packets[i]
			if want == 9 && n.Packets == 0 || want != 9 && n.Packets != want || (n.Packets == 0) != (n.Bytes == 0) {
				t.Errorf("%s: %+v at %d, want %d packets", x.name, n, i, want)
			}
		}
	}
	if n := total(counts.Met, key("eni-1a", "10.1.2.10", "10.1.1.10", 6, 80)); n.Flags&^firewall.FlagFIN != firewall.FlagSYN {
		t.Errorf("a connection that was opened has the flags %b", n.Flags)
	}
	if n := total(counts.Sent, key("eni-1a", "10.1.1.10", "10.1.2.10", 6, 80)); n.Flags != firewall.FlagSYN {
		t.Errorf("an attempt has the flags %b", n.Flags)
	}
	for k := range counts.Sent {
		if k.Interface != "eni-1a" && k.Interface != "eni-1c" && k.Interface != "eni-1nat" {
			t.Errorf("a flow of %q", k.Interface)
		}
	}
	// A change of rules keeps the counts; somebody's hand does not.
	v.Groups = slices.Clone(v.Groups)
	v.Groups[0].Permissions = slices.Clone(v.Groups[0].Permissions[1:])
	w.update(m, v)
	w.settled(m, v)
	if n := total(read().Sent, key("eni-1c", "10.1.2.10", "10.1.1.10", 17, 80)); n.Packets != 1 {
		t.Errorf("after a change of rules: %+v", n)
	}
	// Interfaces come and go, and begin to be counted, while others are counted on.
	more := eni("eni-1d", "10.1.2.11", "2", "sg-open")
	more.Flows = true
	v.Interfaces = append(slices.Clone(v.Interfaces), more)
	w.update(m, v)
	w.settled(m, v)
	w.expect(m.Namespace("eni-1d"), "udp", "10.1.1.10:80", "")
	if n := total(read().Sent, key("eni-1d", "10.1.2.11", "10.1.1.10", 17, 80)); n.Packets != 1 {
		t.Errorf("of an interface that came: %+v", n)
	}
	v.Interfaces = slices.Clone(v.Interfaces)
	v.Interfaces[1].Flows = false
	w.update(m, v)
	w.expect(c, "udp", "10.1.1.10:80", "")
	v.Interfaces = slices.Clone(v.Interfaces[:len(v.Interfaces)-1])
	w.update(m, v)
	w.reconcile(m, v) // the link, if the kernel has yet to take it away
	w.settled(m, v)
	now := read()
	if n := total(now.Sent, key("eni-1c", "10.1.2.10", "10.1.1.10", 17, 80)); n.Packets != 1 || now.Begun != counts.Begun {
		t.Errorf("of an interface that is no longer counted: %+v, begun %d times after %d", n, now.Begun, counts.Begun)
	}
	v.Interfaces[1].Flows = true
	w.must(nft.Open(m.Space(v.ID), firewall.TableFlows).Delete())
	w.reconcile(m, v)
	w.settled(m, v)
	if now := read(); now.Begun != [2]int{counts.Begun[0] + 1, counts.Begun[1]} || len(now.Sent) > 0 {
		t.Errorf("begun %d times after %d, with %v", now.Begun, counts.Begun, now.Sent)
	}
	// Another process stops counting.
	m = w.manager(true)
	v.Interfaces = slices.Clone(v.Interfaces)
	for i := range v.Interfaces {
		v.Interfaces[i].Flows = false
	}
	w.reconcile(m, v)
	w.settled(m, v)
	if _, err := m.Flows(v.ID); err == nil {
		t.Error("flows are still counted")
	}
	if tables, err := nft.Open(m.Space(v.ID), "").Tables(); err != nil || slices.Contains(tables, firewall.TableFlows) {
		t.Errorf("tables %q, %v", tables, err)
	}
	w.must(m.Remove())
	w.clean()
}
