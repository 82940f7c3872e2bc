package place

import (
	"time"

	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/tables"
)

// HostState is what Hosts decides about one node with.
type HostState struct {
	Name      string
	Known     bool // there is a Node record
	Seen      time.Time
	Used      node.Allocation
	Counted   bool            // there is an allocation record
	Truth     node.Allocation // what the tasks assigned to the node take
	Tasks     []compute.Task  // the first tasks assigned to it, if it was lost at the last look
	MoreTasks bool
}

// Hosts is the controller of nodes: it counts their allocations and ends the
// tasks of those that are lost. Keys are node names.
func Hosts() loop.Runner {
	return loop.Controller[string, HostState, Change]{
		Name: "hosts",
		Inputs: []loop.Input[string]{
			{Prefix: store.Prefix(tables.Nodes.Name), Keys: name},
			{Prefix: store.Prefix(tables.Allocations.Name), Keys: name},
			{Prefix: store.Prefix(tables.TasksByNode), Keys: ended},
		},
		Outputs: outputs(),
		Load:    loadHost,
		Plan:    PlanHost,
		Write:   write,
	}
}

// name wakes the node of a record kept by node name. Placing writes allocations
// all the time, and needs no second look.
func name(tx store.Tx, e store.Event) ([]string, error) {
	table, segs := store.Segments(e.Key)
	if table == tables.Allocations.Name && e.Val != nil {
		a, err := tables.Allocations.Decode(e.Val)
		if err != nil || !a.Lost {
			return nil, err
		}
	}
	return segs[:1], nil
}

// ended wakes the node a task has left.
func ended(_ store.Tx, e store.Event) ([]string, error) {
	_, segs := store.Segments(e.Key)
	if e.Val != nil || segs[0] == "" {
		return nil, nil
	}
	return segs[:1], nil
}

func loadHost(tx store.Tx, name string) (HostState, error) {
	s := HostState{Name: name, Truth: node.Allocation{Name: name}}
	n, ok, err := tables.Nodes.Find(tx, name)
	if err != nil {
		return s, err
	}
	s.Known, s.Seen = ok, n.RegisteredAt
	beat, ok, err := tables.Heartbeats.Find(tx, name)
	if err != nil {
		return s, err
	}
	if ok && beat.SeenAt.After(s.Seen) {
		s.Seen = beat.SeenAt
	}
	if s.Used, s.Counted, err = tables.Allocations.Find(tx, name); err != nil {
		return s, err
	}
	for key := range tx.List(store.Prefix(tables.TasksByNode, name), "", 0) {
		_, segs := store.Segments(key)
		s.Truth.CPU += number(segs[1])
		s.Truth.Memory += number(segs[2])
		s.Truth.Tasks++
	}
	if s.Used.Lost || !s.Known {
		s.Tasks, s.MoreTasks, err = head(tx, name)
	}
	return s, err
}

// number reads a segment tables.Number made.
func number(seg string) int {
	n := 0
	for _, c := range seg {
		n = n*10 + int(c-'0')
	}
	return n
}

// PlanHost brings a node's allocation to the truth, marks it lost or found, and
// ends the tasks of a lost node.
func PlanHost(now time.Time, s HostState) (do []Change, wake time.Time) {
	used := s.Truth
	lostAt := s.Seen.Add(node.LostAfter)
	used.Lost = !s.Known || !now.Before(lostAt)
	if !used.Lost {
		wake = lostAt
	}
	if s.Used.Lost && used.Lost {
		for _, t := range s.Tasks {
			ended := lose(now, t)
			do = append(do, Change{Task: &ended})
			used.CPU -= t.Spec.CPU
			used.Memory -= t.Spec.Memory
			used.Tasks--
		}
		// A node comes back by heartbeats, which wake nobody.
		if wake = now.Add(node.HeartbeatEvery); s.MoreTasks {
			wake = now
		}
	}
	switch {
	case !s.Known && s.Truth.Tasks == 0:
		if s.Counted {
			do = append(do, Change{Gone: s.Name})
		}
		return do, time.Time{}
	case !s.Counted || used != s.Used:
		do = append(do, Change{Used: &used})
	}
	if used.Lost && !s.Used.Lost {
		wake = now
	}
	return do, wake
}

// lose ends a task whose node is gone. Its interface is given back by
// control/attach; if the node was only cut off, its agent finds the task ended
// and removes what still runs.
func lose(now time.Time, t compute.Task) compute.Task {
	if t.Intent.Desired != compute.Stopped {
		t.Intent = compute.Intent{
			Desired: compute.Stopped, StopCode: compute.InfrastructureHealth,
			StopReason: badHost, StoppingAt: now,
		}
	}
	if t.State.ExecutionStoppedAt.IsZero() && !t.State.StartedAt.IsZero() {
		t.State.ExecutionStoppedAt = now
	}
	t.State = t.State.End(now)
	t.State.Last = compute.Stopped
	t.State.Version++
	if t.State.Connectivity != "" {
		t.State.Connectivity = "DISCONNECTED"
	}
	return t
}
