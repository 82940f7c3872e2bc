package flow

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
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
		looks []network.FlowCounts // the first is where the meter begins
		want  []string             // of each further look: action and packets
	}{
		{"accepted", []network.FlowCounts{{}, out(n(80, 3), n(80, 3)), out(n(80, 5), n(80, 5)), out(n(80, 5), n(80, 5))},
			[]string{"[ACCEPT 3 300]", "[ACCEPT 2 200]", "[]"}},
		{"refused", []network.FlowCounts{{}, out(n(80, 3), nil)}, []string{"[REJECT 3 300]"}},
		{"what was before", []network.FlowCounts{out(n(80, 9), n(80, 9)), out(n(80, 10), n(80, 10))}, []string{"[ACCEPT 1 100]"}},
		{"accepted, then refused", []network.FlowCounts{{}, out(n(80, 5), n(80, 3))}, []string{"[ACCEPT 3 300 REJECT 2 200]"}},
		{"passed while looking", []network.FlowCounts{{}, out(n(80, 3), n(80, 4)), out(n(80, 4), n(80, 4)), out(n(80, 6), n(80, 4))},
			[]string{"[ACCEPT 4 400]", "[]", "[REJECT 2 200]"}},
		{"began while looking", []network.FlowCounts{{}, out(nil, n(80, 1)), out(n(80, 1), n(80, 1))}, []string{"[ACCEPT 1 100]", "[]"}},
		{"forgotten, and again", []network.FlowCounts{{}, out(n(80, 5), n(80, 5)), out(nil, nil), out(n(80, 2), n(80, 2))},
			[]string{"[ACCEPT 5 500]", "[]", "[ACCEPT 2 200]"}},
		{"only the accepted forgotten", []network.FlowCounts{out(n(80, 5), n(80, 5)), out(n(80, 7), nil)}, []string{"[REJECT 2 200]"}},
		{"in", []network.FlowCounts{{}, {Met: n(80, 2), Got: n(80, 1)}}, []string{"[ACCEPT 1 100 REJECT 1 100]"}},
	} {
		at := time.Unix(1000, 0)
		m := NewMeter(c.looks[0], at)
		for i, look := range c.looks[1:] {
			next := at.Add(time.Minute)
			var got []string
			for _, r := range m.Take(look, next) {
				if r.Start != at || r.End != next || r.FlowKey != key(80) {
					t.Errorf("%s: %+v", c.name, r)
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

func TestStreams(t *testing.T) {
	r := Record{FlowKey: key(22), FlowCount: firewall.FlowCount{Packets: 20, Bytes: 4249}, Accepted: true,
		Start: time.Unix(1418530010, 0), End: time.Unix(1418530070, 0)}
	refused := r
	refused.Accepted = false
	other := r
	other.Interface = "eni-2"
	v := vpc.View{Interfaces: []record.NetworkInterface{
		{Account: "123456789012", ID: "eni-1", Vpc: "vpc-1", Subnet: "subnet-1", Addresses: []string{"10.0.1.5"}},
		{Account: "123456789012", ID: "eni-2", Vpc: "vpc-1", Subnet: "subnet-2"},
	}}
	const line = "2 123456789012 eni-%d 10.0.1.5 10.0.2.6 40000 22 6 20 4249 1418530010 1418530070 %s OK"
	one, no, two := fmt.Sprintf(line, 1, "ACCEPT"), fmt.Sprintf(line, 1, "REJECT"), fmt.Sprintf(line, 2, "ACCEPT")
	for _, c := range []struct {
		log  edge.FlowLog
		want map[string][]string
	}{
		{edge.FlowLog{Resource: "vpc-1", Traffic: All}, map[string][]string{"eni-1-all": {one, no}, "eni-2-all": {two}}},
		{edge.FlowLog{Resource: "subnet-2", Traffic: All}, map[string][]string{"eni-2-all": {two}}},
		{edge.FlowLog{Resource: "eni-1", Traffic: Reject}, map[string][]string{"eni-1-reject": {no}}},
		{edge.FlowLog{Resource: "eni-1", Traffic: Accept}, map[string][]string{"eni-1-accept": {one}}},
		{edge.FlowLog{Resource: "vpc-2", Traffic: All}, map[string][]string{}},
		{edge.FlowLog{Resource: "eni-1", Traffic: Accept, Format: "${vpc-id} ${flow-direction} ${tcp-flags} ${dstport}"},
			map[string][]string{"eni-1-accept": {"vpc-1 egress - 22"}}},
	} {
		if got := Streams(&c.log, &v, []Record{r, refused, other}); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.log, got, c.want)
		}
	}
}

// look is a source and sink.
type look struct {
	flows   []vpc.Flows
	written []string
}

func (l *look) Flows() ([]vpc.Flows, error) { return l.flows, nil }

func (l *look) Write(_ context.Context, f vpc.Flows, records []Record) error {
	for _, r := range records {
		l.written = append(l.written, fmt.Sprint(f.View.VPC.ID, " ", r.Packets))
	}
	return nil
}

func TestCollector(t *testing.T) {
	flows := func(id string, packets int) vpc.Flows {
		f := vpc.Flows{Counts: out(n(80, packets), n(80, packets))}
		f.View.VPC.ID = id
		return f
	}
	l := &look{}
	c := NewCollector(l, l, func() time.Time { return time.Unix(0, 0) }, slog.New(slog.DiscardHandler))
	for _, all := range [][]vpc.Flows{{flows("vpc-1", 5)}, {flows("vpc-1", 7), flows("vpc-2", 3)}, {flows("vpc-2", 4)}, {flows("vpc-1", 9), flows("vpc-2", 4)}} {
		l.flows = all
		c.Collect(t.Context())
	}
	if got := fmt.Sprint(l.written); got != "[vpc-1 2 vpc-2 1]" {
		t.Errorf("written %s", got)
	}
}
