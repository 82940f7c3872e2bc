package flow

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"neargate/node/network"
	"neargate/node/vpc"
	record "neargate/resource/network"
	"neargate/resource/network/edge"
)

// look is a source and a sink.
type look struct {
	flows   []vpc.Flows
	written []string
}

func (l *look) Flows() ([]vpc.Flows, error) { return l.flows, nil }

func (l *look) Deliver(_ context.Context, f *edge.FlowLog, _ time.Time, lines []Line) error {
	for _, x := range lines {
		l.written = append(l.written, f.ID+" "+x.Text)
	}
	return nil
}

func TestCollector(t *testing.T) {
	second := func(n int) time.Time { return time.Unix(int64(n), 0) }
	flows := func(at, since, packets, begun int) vpc.Flows {
		f := vpc.Flows{Counts: out(n(80, packets), n(80, packets)), At: second(at), Counted: map[string]vpc.Counting{"eni-1": {Since: second(since)}},
			Logs: []edge.FlowLog{{ID: "fl-1", Resource: "vpc-1", Traffic: "ALL", Format: "${interface-id} ${packets} ${start} ${end} ${log-status}"}}}
		f.Counts.Begun = [2]int{begun}
		f.View.Interfaces = []record.NetworkInterface{{ID: "eni-1", Vpc: "vpc-1"}}
		return f
	}
	full, inherited, silent := flows(420, 70, 9, 1), flows(60, 0, 1, 0), flows(360, 310, 9, 1)
	full.Counts.Full = true
	inherited.Counted["eni-1"] = vpc.Counting{Since: second(0), Inherited: true}
	silent.Counts.Sent, silent.Counts.Left = n(80, 9), n(80, 9)
	for _, c := range []struct {
		name  string
		looks [][]vpc.Flows
		want  string
	}{
		{"from the first packet on", [][]vpc.Flows{{flows(60, 20, 5, 0)}, {flows(120, 20, 7, 0)}}, "[fl-1 eni-1 5 20 60 OK fl-1 eni-1 2 60 120 OK]"},
		{"a short life", [][]vpc.Flows{{}, {flows(90, 70, 3, 0)}, {}}, "[fl-1 eni-1 3 70 90 OK]"},
		{"ended and begun again", [][]vpc.Flows{{flows(30, 0, 3, 0), flows(60, 40, 4, 0)}}, "[fl-1 eni-1 3 0 30 OK fl-1 eni-1 1 40 60 OK]"},
		{"counted anew", [][]vpc.Flows{{flows(60, 0, 3, 0)}, {flows(120, 70, 4, 1)}}, "[fl-1 eni-1 3 0 60 OK fl-1 eni-1 4 70 120 OK]"},
		{"long gone", [][]vpc.Flows{{flows(60, 0, 3, 0)}, {flows(360, 310, 2, 0)}}, "[fl-1 eni-1 3 0 60 OK fl-1 eni-1 2 310 360 OK]"},
		{"silent, then no room", [][]vpc.Flows{{flows(60, 0, 9, 1)}, {silent}, {full}}, "[fl-1 eni-1 9 0 60 OK fl-1 eni-1 - 310 360 NODATA fl-1 eni-1 - 360 420 SKIPDATA]"},
		{"of an earlier process", [][]vpc.Flows{{inherited}}, "[fl-1 eni-1 1 0 60 OK fl-1 eni-1 - 0 60 SKIPDATA]"},
	} {
		l := &look{}
		collector := NewCollector(l, l, slog.New(slog.DiscardHandler))
		for _, all := range c.looks {
			l.flows = all
			collector.Collect(t.Context())
		}
		if got := fmt.Sprint(l.written); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestSplit gives each interface its counts.
func TestSplit(t *testing.T) {
	other := key(80)
	other.Interface = "eni-2"
	all := network.FlowCounts{Sent: n(80, 1), Met: counts{other: {Packets: 2}}}
	parts := split(all)
	if len(parts) != 2 || parts["eni-1"].Sent[key(80)].Packets != 1 || parts["eni-2"].Met[other].Packets != 2 || parts["eni-2"].Sent != nil {
		t.Errorf("%+v", parts)
	}
}
