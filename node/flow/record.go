// Package flow makes flow log records of what the kernel counts of a VPC's flows.
//
// The kernel counts on either side of what judges a packet (firewall.RenderFlows);
// a Meter makes of two looks what was accepted and what refused between them, and a
// Collector gives that to whoever writes it to where flow logs go.
package flow

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"time"

	"neargate/node/firewall"
	data "neargate/node/network"
	"neargate/resource/network"
)

// Record is what one flow of an interface was in a time: packets from one address
// and port to another that were accepted, or refused.
type Record struct {
	firewall.FlowKey // Interface is its id
	firewall.FlowCount
	Accepted   bool
	Start, End time.Time
}

// Actions of a record.
const (
	Accept = "ACCEPT"
	Reject = "REJECT"
)

// Action is ACCEPT or REJECT.
func (r *Record) Action() string {
	if r.Accepted {
		return Accept
	}
	return Reject
}

// defaultFormat is version 2. Source: Amazon VPC User Guide, Flow log records.
const defaultFormat = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} " +
	"${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

// text is the record of an interface in a format, whose fields without a value are
// "-"; an empty format is the default one.
func (r *Record) text(format string, e *network.NetworkInterface) string {
	return field.ReplaceAllStringFunc(cmp.Or(format, defaultFormat), func(name string) string {
		return cmp.Or(r.value(name[len("${"):len(name)-1], e), "-")
	})
}

var field = regexp.MustCompile(`\$\{[^}]*\}`)

func (r *Record) value(name string, e *network.NetworkInterface) string {
	switch name {
	case "version":
		return "2"
	case "account-id":
		return e.Account
	case "interface-id":
		return e.ID
	case "srcaddr", "pkt-srcaddr":
		return r.Source.String()
	case "dstaddr", "pkt-dstaddr":
		return r.Destination.String()
	case "srcport":
		return strconv.Itoa(r.SourcePort)
	case "dstport":
		return strconv.Itoa(r.DestinationPort)
	case "protocol":
		return strconv.Itoa(r.Protocol)
	case "packets":
		return strconv.FormatUint(r.Packets, 10)
	case "bytes":
		return strconv.FormatUint(r.Bytes, 10)
	case "start":
		return strconv.FormatInt(r.Start.Unix(), 10)
	case "end":
		return strconv.FormatInt(r.End.Unix(), 10)
	case "action":
		return r.Action()
	case "log-status":
		return "OK"
	case "vpc-id":
		return e.Vpc
	case "subnet-id":
		return e.Subnet
	case "region":
		return e.Region
	case "type":
		return "IPv4"
	case "flow-direction":
		if slices.Contains(e.Addresses, r.Source.String()) {
			return "egress"
		}
		return "ingress"
	}
	return ""
}

// Meter makes records of one VPC's counts.
type Meter struct {
	last data.FlowCounts
	owed map[side]amount // passed before they were seen to come, at the last look
	at   time.Time
}

// side is a flow at an interface, which it leaves or comes to.
type side struct {
	firewall.FlowKey
	in bool
}

type amount struct{ packets, bytes int64 }

// NewMeter returns a meter of counts that begin with those of a first look: what
// was before it is not told.
func NewMeter(first data.FlowCounts, at time.Time) *Meter { return &Meter{last: first, at: at} }

// Take makes records of what was since the last look, in the order of their keys.
func (m *Meter) Take(now data.FlowCounts, at time.Time) []Record {
	var all []Record
	add := func(s side, n amount, accepted bool) {
		if n.packets > 0 {
			count := firewall.FlowCount{Packets: uint64(n.packets), Bytes: uint64(max(n.bytes, 0))}
			all = append(all, Record{FlowKey: s.FlowKey, FlowCount: count, Accepted: accepted, Start: m.at, End: at})
		}
	}
	owed := map[side]amount{}
	judge := func(s side, came, passed amount) {
		refused := amount{came.packets - passed.packets - m.owed[s].packets, came.bytes - passed.bytes - m.owed[s].bytes}
		add(s, passed, true)
		add(s, refused, false)
		if refused.packets < 0 { // the sets are not read in one moment
			owed[s] = amount{-refused.packets, -refused.bytes}
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
	m.last, m.owed, m.at = now, owed, at
	slices.SortFunc(all, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), a.Source.Compare(b.Source), a.Destination.Compare(b.Destination),
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.SourcePort, b.SourcePort), cmp.Compare(a.DestinationPort, b.DestinationPort),
			cmp.Compare(a.Action(), b.Action()))
	})
	return all
}

// since is how much came after old. A count that is lower was forgotten meanwhile,
// and began anew.
func since(old, now firewall.FlowCount) amount {
	if now.Packets < old.Packets || now.Bytes < old.Bytes {
		old = firewall.FlowCount{}
	}
	return amount{int64(now.Packets - old.Packets), int64(now.Bytes - old.Bytes)}
}
