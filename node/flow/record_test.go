package flow

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"neargate/node/firewall"
	"neargate/node/network"
	"neargate/node/vpc"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
)

func key(port int) firewall.FlowKey {
	return firewall.FlowKey{Interface: "eni-1", Source: netip.MustParseAddr("10.0.1.5"), Destination: netip.MustParseAddr("10.0.2.6"),
		Protocol: 6, SourcePort: 40000, DestinationPort: port}
}

type counts map[firewall.FlowKey]firewall.FlowCount

func n(port, packets int) counts {
	return counts{key(port): {Packets: uint64(packets), Bytes: uint64(100 * packets)}}
}

func out(came, passed counts) network.FlowCounts { return network.FlowCounts{Sent: came, Left: passed} }

func TestMeter(t *testing.T) {
	for _, c := range []struct {
		name  string
		looks []network.FlowCounts
		want  []string // of each look: action and packets
	}{
		{"accepted", []network.FlowCounts{out(n(80, 3), n(80, 3)), out(n(80, 5), n(80, 5)), out(n(80, 5), n(80, 5))},
			[]string{"[ACCEPT 3 300]", "[ACCEPT 2 200]", "[NODATA]"}},
		{"nothing", []network.FlowCounts{{}}, []string{"[NODATA]"}},
		{"refused", []network.FlowCounts{out(n(80, 3), nil)}, []string{"[REJECT 3 300]"}},
		{"accepted, then refused", []network.FlowCounts{out(n(80, 5), n(80, 3))}, []string{"[ACCEPT 3 300 REJECT 2 200]"}},
		{"passed while looking", []network.FlowCounts{out(n(80, 3), n(80, 4)), out(n(80, 4), n(80, 4)), out(n(80, 6), n(80, 4))},
			[]string{"[ACCEPT 4 400]", "[NODATA]", "[REJECT 2 200]"}},
		{"began while looking", []network.FlowCounts{out(nil, n(80, 1)), out(n(80, 1), n(80, 1))}, []string{"[ACCEPT 1 100]", "[NODATA]"}},
		{"forgotten, and again", []network.FlowCounts{out(n(80, 5), n(80, 5)), out(nil, nil), out(n(80, 2), n(80, 2))},
			[]string{"[ACCEPT 5 500]", "[NODATA]", "[ACCEPT 2 200]"}},
		{"only the accepted forgotten", []network.FlowCounts{out(n(80, 5), n(80, 5)), out(n(80, 7), nil)}, []string{"[ACCEPT 5 500]", "[REJECT 2 200]"}},
		{"counted anew", []network.FlowCounts{out(n(80, 5), n(80, 5)), {Sent: n(80, 6), Left: n(80, 6), Begun: [2]int{1}}}, []string{"[ACCEPT 5 500]", "[ACCEPT 6 600]"}},
		{"the other family counted anew", []network.FlowCounts{out(n(80, 5), n(80, 5)), {Sent: n(80, 6), Left: n(80, 6), Begun: [2]int{0, 1}}}, []string{"[ACCEPT 5 500]", "[ACCEPT 1 100]"}},
		{"in", []network.FlowCounts{{Met: n(80, 2), Got: n(80, 1)}}, []string{"[ACCEPT 1 100 REJECT 1 100]"}},
	} {
		at := time.Unix(1000, 0)
		m := NewMeter(at)
		for i, look := range c.looks {
			next := at.Add(time.Minute)
			var got []string
			m.resume(time.Unix(0, 0), look.Begun)
			for _, r := range m.Take("eni-1", look, next) {
				if r.Start != at || r.End != next || r.Interface != "eni-1" || r.Status == OK && (r.FlowKey != key(80) || r.Egress != (c.name != "in")) {
					t.Errorf("%s: %+v", c.name, r)
				}
				if r.Status != OK {
					got = append(got, r.Status.String())
					continue
				}
				got = append(got, fmt.Sprint(r.Action(), " ", r.Packets, " ", r.Bytes))
			}
			if fmt.Sprint(got) != c.want[i] {
				t.Errorf("%s: look %d: %v, want %s", c.name, i+1, got, c.want[i])
			}
			at = next
		}
	}
}

// view is a VPC with two interfaces, one of a NAT gateway's kind.
func view() vpc.Flows {
	prefix := netip.MustParsePrefix
	return vpc.Flows{
		Pool:   prefix("198.18.0.0/20"),
		Abroad: map[string]bool{"pcx-2": true, "pcx-1": false},
		VPC: network.VPC{ID: "vpc-1", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, IPv6: []netip.Prefix{prefix("3fff:c61::/56")},
			Gateways: []network.GatewayEndpoint{{ID: "vpce-1"}}, Peers: []network.Peer{{ID: "pcx-1"}, {ID: "pcx-2"}},
			Subnets: []network.Subnet{{ID: "subnet-1", Routes: []network.Route{
				{Destination: prefix("0.0.0.0/0"), Target: network.InternetGateway}, {Destination: prefix("198.18.0.16/28"), Target: network.Device, ID: "vpce-1"},
				{Destination: prefix("10.1.0.0/16"), Target: network.Device, ID: "pcx-1"}, {Destination: prefix("10.2.0.0/16"), Target: network.Device, ID: "pcx-2"},
				{Destination: prefix("192.0.2.0/24"), Target: network.Device, ID: "eni-9"}, {Destination: prefix("203.0.113.0/24")},
				{Destination: prefix("::/0"), Target: network.InternetGateway}, {Destination: prefix("2001:db8::/32"), Target: network.EgressOnlyGateway}}}},
		},
		View: vpc.View{Interfaces: []record.NetworkInterface{
			{Account: "123456789012", Region: "us-east-1", Zone: "us-east-1a", ID: "eni-1", Vpc: "vpc-1", Subnet: "subnet-1", Addresses: []string{"10.0.1.5", "10.0.1.99"}, IPv6: []string{"3fff:c61::5", "3fff:c61::99"}},
			{Account: "123456789012", Region: "us-east-1", Zone: "us-east-1b", ID: "eni-2", Vpc: "vpc-1", Subnet: "subnet-2", Addresses: []string{"10.0.2.6"}},
		}},
	}
}

func TestLines(t *testing.T) {
	r := Record{FlowKey: key(22), FlowCount: firewall.FlowCount{Packets: 20, Bytes: 4249}, Accepted: true, Egress: true,
		Start: time.Unix(1418530010, 0), End: time.Unix(1418530070, 0)}
	refused := r
	refused.Accepted = false
	other := r
	other.Interface, other.Egress = "eni-2", false
	silent := Record{FlowKey: firewall.FlowKey{Interface: "eni-2"}, Start: r.Start, End: r.End, Status: NoData}
	const line = "2 123456789012 eni-%d 10.0.1.5 10.0.2.6 40000 22 6 20 4249 1418530010 1418530070 %s OK"
	one, no, two := fmt.Sprintf(line, 1, "ACCEPT"), fmt.Sprintf(line, 1, "REJECT"), fmt.Sprintf(line, 2, "ACCEPT")
	nothing := "2 123456789012 eni-2 - - - - - - - 1418530010 1418530070 - NODATA"
	all := []Record{r, refused, other, silent}
	f := view()
	for _, c := range []struct {
		log  edge.FlowLog
		want []string
	}{
		{edge.FlowLog{Resource: "vpc-1", Traffic: "ALL"}, []string{"eni-1-all " + one, "eni-1-all " + no, "eni-2-all " + two, "eni-2-all " + nothing}},
		{edge.FlowLog{Resource: "subnet-2", Traffic: "ALL"}, []string{"eni-2-all " + two, "eni-2-all " + nothing}},
		{edge.FlowLog{Resource: "eni-1", Traffic: "REJECT"}, []string{"eni-1-reject " + no}},
		{edge.FlowLog{Resource: "eni-1", Traffic: "ACCEPT"}, []string{"eni-1-accept " + one}},
		{edge.FlowLog{Resource: "subnet-2", Traffic: "REJECT"}, []string{"eni-2-reject " + nothing}},
		{edge.FlowLog{Resource: "vpc-2", Traffic: "ALL"}, nil},
	} {
		c.log.Format = edge.DefaultFlowFormat
		var got []string
		for _, l := range Lines(&c.log, &f, all) {
			got = append(got, l.Stream+" "+l.Text)
			if !l.At.Equal(r.Start) {
				t.Errorf("at %v", l.At)
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.log, got, c.want)
		}
	}
}

// TestFields writes every field, of flows of all kinds.
func TestFields(t *testing.T) {
	const format = "${version} ${vpc-id} ${subnet-id} ${instance-id} ${tcp-flags} ${type} ${srcaddr} ${pkt-srcaddr} ${dstaddr} ${pkt-dstaddr} ${region} ${az-id} " +
		"${sublocation-type} ${pkt-src-aws-service} ${pkt-dst-aws-service} ${flow-direction} ${traffic-path} ${action}"
	const here, there = "5 vpc-1 subnet-1 - ", " us-east-1 use1-az1 - "
	f := view()
	for _, c := range []struct {
		name, from, to string
		ingress        bool
		flags          int
		want           string
	}{
		{"in the VPC", "10.0.1.5", "10.0.2.6", false, 2, here + "2 IPv4 10.0.1.5 10.0.1.5 10.0.2.6 10.0.2.6" + there + "- - egress 1 ACCEPT"},
		{"from a second address", "10.0.1.99", "10.0.2.6", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.99 10.0.2.6 10.0.2.6" + there + "- - egress 1 ACCEPT"},
		{"to a second address", "10.0.2.6", "10.0.1.99", true, 18, here + "18 IPv4 10.0.2.6 10.0.2.6 10.0.1.5 10.0.1.99" + there + "- - ingress - ACCEPT"},
		{"out", "10.0.1.5", "192.0.3.1", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 192.0.3.1 192.0.3.1" + there + "- - egress 8 ACCEPT"},
		{"Amazon S3", "10.0.1.5", "198.18.0.16", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 198.18.0.16 198.18.0.16" + there + "- S3 egress 7 ACCEPT"},
		{"a service", "10.0.1.5", "198.18.0.2", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 198.18.0.2 198.18.0.2" + there + "- AMAZON egress 8 ACCEPT"},
		{"a public address", "198.18.2.9", "10.0.1.5", true, 0, here + "0 IPv4 198.18.2.9 198.18.2.9 10.0.1.5 10.0.1.5" + there + "EC2 - ingress - ACCEPT"},
		{"a peer", "10.0.1.5", "10.1.0.1", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 10.1.0.1 10.1.0.1" + there + "- - egress 4 ACCEPT"},
		{"a peer abroad", "10.0.1.5", "10.2.0.1", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 10.2.0.1 10.2.0.1" + there + "- - egress 5 ACCEPT"},
		{"an interface", "10.0.1.5", "192.0.2.1", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 192.0.2.1 192.0.2.1" + there + "- - egress 1 ACCEPT"},
		{"IPv6 in the VPC", "3fff:c61::99", "3fff:c61::6", false, 0, here + "0 IPv6 3fff:c61::99 3fff:c61::99 3fff:c61::6 3fff:c61::6" + there + "- - egress 1 ACCEPT"},
		{"IPv6 out", "3fff:c61::5", "3fff:c61:1::6", false, 0, here + "0 IPv6 3fff:c61::5 3fff:c61::5 3fff:c61:1::6 3fff:c61:1::6" + there + "- - egress 8 ACCEPT"},
		{"IPv6 out, no way in", "3fff:c61::5", "2001:db8::1", false, 0, here + "0 IPv6 3fff:c61::5 3fff:c61::5 2001:db8::1 2001:db8::1" + there + "- - egress - ACCEPT"},
		{"IPv6 that is forwarded", "2001:db8::1", "2001:db8::2", true, 0, here + "0 IPv6 2001:db8::1 2001:db8::1 3fff:c61::5 2001:db8::2" + there + "- - ingress - ACCEPT"},
		{"a black hole", "10.0.1.5", "203.0.113.1", false, 0, here + "0 IPv4 10.0.1.5 10.0.1.5 203.0.113.1 203.0.113.1" + there + "- - egress - ACCEPT"},
	} {
		r := Record{FlowKey: firewall.FlowKey{Interface: "eni-1", Source: netip.MustParseAddr(c.from), Destination: netip.MustParseAddr(c.to), Protocol: 6},
			FlowCount: firewall.FlowCount{Packets: 1, Flags: c.flags}, Egress: !c.ingress, Accepted: true}
		lines := Lines(&edge.FlowLog{Resource: "eni-1", Traffic: "ALL", Format: format}, &f, []Record{r})
		if len(lines) != 1 || lines[0].Text != c.want {
			t.Errorf("%s: %+v, want %s", c.name, lines, c.want)
		}
	}
	silent := Record{FlowKey: firewall.FlowKey{Interface: "eni-1"}, Status: SkipData}
	lines := Lines(&edge.FlowLog{Resource: "eni-1", Traffic: "ALL", Format: format + " ${log-status}"}, &f, []Record{silent})
	if want := "5 vpc-1 subnet-1 " + strings.Repeat("- ", 7) + "us-east-1 use1-az1 " + strings.Repeat("- ", 6) + "SKIPDATA"; lines[0].Text != want {
		t.Errorf("%q, want %q", lines[0].Text, want)
	}
}
