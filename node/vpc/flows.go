package vpc

import (
	"errors"
	"maps"
	"slices"

	"neargate/node/network"
	"neargate/resource/network/edge"
	"neargate/store/tables/edges"
)

// Flows are the flows of a VPC on this host that flow logs ask for.
type Flows struct {
	View   View
	Logs   []edge.FlowLog // of the VPC, its subnets and interfaces
	Counts network.FlowCounts
}

// Flows are those of all VPCs with flow logs, as counted so far. One that cannot be
// read is left out, with an error.
func (k *Keeper) Flows() (all []Flows, err error) {
	k.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(k.vpcs)) {
		if v := k.vpcs[id]; v.is.Flows {
			all = append(all, Flows{View: v.view, Logs: v.logs})
		}
	}
	k.mu.Unlock()
	var read []Flows
	for _, f := range all {
		counts, e := k.cfg.Manager.Flows(f.View.VPC.ID)
		if err = errors.Join(err, e); e == nil {
			f.Counts = counts
			read = append(read, f)
		}
	}
	return read, err
}

// readLogs finds the flow logs of the VPC, its subnets and its interfaces here.
func (r *reader) readLogs() error {
	resources := map[string]bool{r.id: true}
	for _, s := range r.want.Subnets {
		resources[s.ID] = true
	}
	for _, i := range r.want.Interfaces {
		resources[i.ID] = true
	}
	for l, err := range edges.FlowLogs.List(r.tx, r.account, r.region) {
		if err != nil {
			return err
		}
		if resources[l.Resource] {
			r.logs = append(r.logs, l)
		}
	}
	r.want.Flows = len(r.logs) > 0
	return nil
}
