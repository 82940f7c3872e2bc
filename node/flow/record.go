// Package flow makes flow log records of what the kernel counts of interfaces' flows.
//
// The kernel counts on either side of what judges a packet (firewall.RenderFlows);
// a Meter makes of two looks what was accepted and what refused between them, and a
// Collector gives that to whoever delivers it.
package flow

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"neargate/node/firewall"
	data "neargate/node/network"
	"neargate/resource/network/edge"
)

// Record is what one flow of an interface was in a time: packets from one address
// and port to another that were accepted, or refused. Where Status is not OK, it is
// about all flows of the interface, which it only names.
type Record struct {
	firewall.FlowKey // Interface is its id
	firewall.FlowCount
	Egress     bool // the interface sent it
	Accepted   bool
	Start, End time.Time
	Status     Status
}

// Status is how a record came about.
type Status int

// What a record tells: of a flow; that there was none; that some are not told.
const (
	OK Status = iota
	NoData
	SkipData
)

// String is what log-status shows.
func (s Status) String() string { return [...]string{"OK", "NODATA", "SKIPDATA"}[s] }

// Action is ACCEPT or REJECT.
func (r *Record) Action() string {
	if r.Accepted {
		return edge.TrafficAccept
	}
	return edge.TrafficReject
}

// Meter makes records of one interface's counts.
type Meter struct {
	last    data.FlowCounts
	owed    map[side]amount // passed before they were seen to come, at the last look
	at      time.Time
	begun   [2]int
	skipped bool // flows since the last look are not told
}

// side is a flow at an interface, which it leaves or comes to.
type side struct {
	firewall.FlowKey
	in bool
}

type amount struct {
	packets, bytes int64
	flags          int
}

// NewMeter returns a meter of counts that begin with nothing.
func NewMeter(at time.Time) *Meter { return &Meter{at: at} }

// resume makes the meter go on with counts that are counted since a time, and that
// began anew if the number of their family is another than the last time.
func (m *Meter) resume(since time.Time, begun [2]int) {
	for i, six := range []bool{false, true} {
		if begun[i] == m.begun[i] {
			continue
		}
		for _, set := range []map[firewall.FlowKey]firewall.FlowCount{m.last.Sent, m.last.Left, m.last.Met, m.last.Got} {
			maps.DeleteFunc(set, func(k firewall.FlowKey, _ firewall.FlowCount) bool { return k.Source.Is6() == six })
		}
		maps.DeleteFunc(m.owed, func(s side, _ amount) bool { return s.Source.Is6() == six })
	}
	m.begun = begun
	if since.After(m.at) {
		m.at = since
	}
}

// Take makes records of what was since the last look, in the order of their keys.
func (m *Meter) Take(eni string, now data.FlowCounts, at time.Time) []Record {
	var all []Record
	add := func(s side, n amount, accepted bool) {
		if n.packets > 0 {
			count := firewall.FlowCount{Packets: uint64(n.packets), Bytes: uint64(max(n.bytes, 0)), Flags: n.flags}
			all = append(all, Record{FlowKey: s.FlowKey, FlowCount: count, Egress: !s.in, Accepted: accepted, Start: m.at, End: at})
		}
	}
	owed := map[side]amount{}
	judge := func(s side, came, passed amount) {
		refused := amount{came.packets - passed.packets - m.owed[s].packets, came.bytes - passed.bytes - m.owed[s].bytes, came.flags}
		add(s, passed, true)
		add(s, refused, false)
		if refused.packets < 0 { // the sets are not read in one moment
			owed[s] = amount{packets: -refused.packets, bytes: -refused.bytes}
		}
	}
	sides := func(came, passed, oldCame, oldPassed map[firewall.FlowKey]firewall.FlowCount, in bool) {
		for k := range came {
			judge(side{k, in}, since(oldCame[k], came[k]), since(oldPassed[k], passed[k]))
		}
		for k := range passed {
			if _, seen := came[k]; !seen {
				judge(side{k, in}, amount{}, since(oldPassed[k], passed[k]))
			}
		}
	}
	sides(now.Sent, now.Left, m.last.Sent, m.last.Left, false)
	sides(now.Met, now.Got, m.last.Met, m.last.Got, true)
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(a.Source.Compare(b.Source), a.Destination.Compare(b.Destination),
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.SourcePort, b.SourcePort), cmp.Compare(a.DestinationPort, b.DestinationPort),
			cmp.Compare(a.Action(), b.Action()))
	})
	whole := Record{FlowKey: firewall.FlowKey{Interface: eni}, Start: m.at, End: at, Status: NoData}
	switch {
	case m.skipped:
		whole.Status = SkipData
		all = append(all, whole)
	case len(all) == 0:
		all = append(all, whole)
	}
	m.last, m.owed, m.at, m.skipped = now, owed, at, false
	return all
}

// since is how much came after old. A count that is lower was forgotten meanwhile,
// and began anew. Flags are not told apart by time.
func since(old, now firewall.FlowCount) amount {
	if now.Packets < old.Packets || now.Bytes < old.Bytes {
		old = firewall.FlowCount{}
	}
	return amount{int64(now.Packets - old.Packets), int64(now.Bytes - old.Bytes), now.Flags}
}
