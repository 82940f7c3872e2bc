package vpc

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"neargate/node/firewall"
	"neargate/node/network"
	"neargate/resource/network/edge"
	"neargate/store/tables/edges"
)

// Flows are the flows of a VPC on this host that flow logs ask for, at one time.
type Flows struct {
	VPC     network.VPC // with its routes
	View    View
	Logs    []edge.FlowLog      // of the VPC, its subnets and interfaces
	Counted map[string]Counting // the interfaces that the flows are of, by id
	Counts  network.FlowCounts
	At      time.Time
	Pool    netip.Prefix    // public addresses of the installation
	Abroad  map[string]bool // the peering connections that lead to other regions
}

// Counting tells since when an interface's flows are counted.
type Counting struct {
	Since time.Time
	// Inherited says that they may have been counted before by an earlier process.
	Inherited bool
}

// endedAtMost bounds what is kept of interfaces that went, until somebody asks.
const endedAtMost = 10_000

// Flows are those that ended since the last call, whose interfaces went or are no
// longer counted, and those of all VPCs with flow logs, as counted so far. A VPC
// that cannot be read is left out, with an error.
func (k *Keeper) Flows() (all []Flows, err error) {
	k.mu.Lock()
	all, k.ended = k.ended, nil
	var now []vpc
	for _, id := range slices.Sorted(maps.Keys(k.vpcs)) {
		if v := k.vpcs[id]; len(v.counted) > 0 {
			now = append(now, v)
		}
	}
	k.mu.Unlock()
	for _, v := range now {
		f, e := k.flows(&v)
		if errors.Is(e, network.ErrUncounted) {
			continue // its counting begins or ends just now
		}
		if err = errors.Join(err, e); e == nil {
			f.Counted = k.still(f.VPC.ID, f.Counted)
			all = append(all, f)
		}
	}
	return all, err
}

// still are those interfaces of a VPC that did not go meanwhile: others may have
// been read too late.
func (k *Keeper) still(vpc string, counted map[string]Counting) map[string]Counting {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, left := k.vpcs[vpc].counted, maps.Clone(counted)
	maps.DeleteFunc(left, func(id string, _ Counting) bool { _, stays := now[id]; return !stays })
	return left
}

// flows reads those of a VPC.
func (k *Keeper) flows(v *vpc) (Flows, error) {
	f := Flows{VPC: v.is, View: v.view, Logs: v.logs, Counted: v.counted, Pool: k.cfg.Manager.Pool(), Abroad: map[string]bool{}}
	for i, p := range v.peers {
		f.Abroad[v.is.Peers[i].ID] = p.region != v.region
	}
	var err error
	f.Counts, err = k.cfg.Manager.Flows(v.is.ID)
	f.At = time.Now()
	return f, err
}

// count notes which interfaces' flows are counted from now on, and reads those of
// the others a last time. It comes before what is wanted is made real; old is the
// VPC as it still is.
func (k *Keeper) count(old *vpc, want network.VPC) map[string]Counting {
	counted := map[string]Counting{}
	for _, i := range want.Interfaces {
		if !i.Flows {
			continue
		}
		counted[i.ID] = Counting{time.Now(), k.starting}
		if c, already := old.counted[i.ID]; already {
			counted[i.ID] = c
		}
	}
	gone := maps.Clone(old.counted)
	maps.DeleteFunc(gone, func(id string, _ Counting) bool { _, stays := counted[id]; return stays })
	if len(gone) == 0 {
		return counted
	}
	f, err := k.flows(old)
	if err != nil {
		k.cfg.Log.Warn("reading the last flows of interfaces", "vpc", old.is.ID, "error", err)
		return counted
	}
	f.Counted = gone
	for _, set := range []*map[firewall.FlowKey]firewall.FlowCount{&f.Counts.Sent, &f.Counts.Left, &f.Counts.Met, &f.Counts.Got} {
		maps.DeleteFunc(*set, func(x firewall.FlowKey, _ firewall.FlowCount) bool { _, went := gone[x.Interface]; return !went })
	}
	if k.ended = append(k.ended, f); len(k.ended) > endedAtMost {
		k.ended = k.ended[1:]
	}
	return counted
}

// readLogs finds the flow logs of the VPC, its subnets and its interfaces here, and
// which interfaces they are about.
func (r *reader) readLogs() error {
	about := map[string]bool{r.id: false}
	for _, s := range r.want.Subnets {
		about[s.ID] = false
	}
	for _, i := range r.want.Interfaces {
		about[i.ID] = false
	}
	for l, err := range edges.FlowLogs.List(r.tx, r.account, r.region) {
		if err != nil {
			return err
		}
		if _, here := about[l.Resource]; here {
			about[l.Resource] = true
			r.logs = append(r.logs, l)
		}
	}
	for i := range r.want.Interfaces {
		x := &r.want.Interfaces[i]
		x.Flows = about[r.id] || about[x.Subnet] || about[x.ID]
	}
	return nil
}
