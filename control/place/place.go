// Package place gives tasks a node.
//
// Place takes the queue of tasks without a node in batches: it chooses the
// availability zone among those of the task's subnets, then the least loaded node
// that serves the zone; control/attach later takes a subnet in that zone. A zone
// set by the task's creator is binding.
//
// Hosts keeps the nodes' allocations exact. Placing a task adds to its node's
// allocation in the same transaction; afterwards tasks only ever end, so counting
// a node's tasks again, whenever one ends, brings the allocation down to the
// truth, however often and after whatever crash it is done. Hosts also ends the
// tasks of nodes that are lost.
package place

import (
	"time"

	"neargate/arn"
	"neargate/control/loop"
	"neargate/resource/compute"
	"neargate/resource/node"
	"neargate/store"
	"neargate/store/tables"
)

// The texts of ECS.
const (
	noCapacity = "Capacity is unavailable at this time. Please try again later or in a different availability zone."
	badHost    = "InternalError: The infrastructure hosting the task is no longer available."
)

const (
	// CapacityWait is how long a task waits for a node before it fails to start.
	CapacityWait = 30 * time.Second
	// retryEvery is the pause before a task that fits nowhere is tried again.
	retryEvery = 5 * time.Second
	// batch and batchBytes bound what one transaction writes.
	batch      = 256
	batchBytes = 600_000
)

// Queue is the state of the placement queue.
type Queue struct {
	Tasks []compute.Task // the head of the queue, in order
	More  bool           // there may be tasks behind them
	Hosts []Host
	Zones map[string][]string    // zones of a task's subnets, by task ID
	Count map[Group]map[Zone]int // tasks of a service by zone
}

// Host is a node as placement sees it.
type Host struct {
	node.Node
	Used node.Allocation
}

// Group is what is spread over zones together: a service, or a family of tasks.
type Group struct{ Account, Region, Cluster, Name string }

// Zone is the name of an availability zone.
type Zone = string

// Change is a decision: a task's new record, a node's new allocation, or the
// name of a node whose allocation is kept no longer.
type Change struct {
	Task *compute.Task
	Used *node.Allocation
	Gone string
}

// Place is the controller of the queue.
func Place() loop.Runner {
	return loop.Controller[string, Queue, Change]{
		Name: "place",
		Inputs: []loop.Input[string]{
			{Prefix: store.Prefix(tables.TasksByNode, ""), Keys: queued},
		},
		Outputs: outputs(),
		Load:    func(tx store.Tx, _ string) (Queue, error) { return load(tx) },
		Plan:    Plan,
		Write:   write,
	}
}

func outputs() []string {
	return append(tables.Tasks.Prefixes(), tables.Allocations.Prefixes()...)
}

// queued wakes the one queue for tasks that join it.
func queued(_ store.Tx, e store.Event) ([]string, error) {
	if e.Val == nil {
		return nil, nil
	}
	return []string{"queue"}, nil
}

func load(tx store.Tx) (Queue, error) {
	q := Queue{Zones: map[string][]string{}, Count: map[Group]map[Zone]int{}}
	var err error
	q.Tasks, q.More, err = head(tx, "")
	if err != nil || len(q.Tasks) == 0 {
		return q, err
	}
	if q.Hosts, err = hosts(tx); err != nil {
		return q, err
	}
	for i := range q.Tasks {
		t := &q.Tasks[i]
		if q.Zones[t.ID], err = zonesOf(tx, t); err != nil {
			return q, err
		}
		g := groupOf(t)
		if q.Count[g] == nil {
			q.Count[g] = map[Zone]int{}
			countService(tx, t, q.Count[g])
		}
	}
	return q, nil
}

// head reads as many of a node's tasks as one transaction may write, and tells
// whether there may be more.
func head(tx store.Tx, node string) (tasks []compute.Task, more bool, err error) {
	size := 0
	for t, err := range tables.Tasks.ByPage(tx, tables.TasksByNode, []string{node}, "", batch) {
		if err != nil {
			return nil, false, err
		}
		tasks = append(tasks, t)
		if size += sizeOf(&t); size > batchBytes {
			return tasks, true, nil
		}
	}
	return tasks, len(tasks) == batch, nil
}

// sizeOf is roughly how many bytes it takes to write a task with its index.
func sizeOf(t *compute.Task) int {
	size := 2000 + 2*len(t.Spec.Overrides) + 600*len(t.Spec.Containers)
	for _, tag := range t.Tags {
		size += 24 + len(tag.Key) + len(tag.Value)
	}
	return size
}

// hosts lists the nodes that may take tasks with what is taken of them.
func hosts(tx store.Tx) ([]Host, error) {
	nodes, err := store.Collect(tables.Nodes.List(tx))
	if err != nil {
		return nil, err
	}
	used := make(map[string]node.Allocation, len(nodes))
	for a, err := range tables.Allocations.List(tx) {
		if err != nil {
			return nil, err
		}
		used[a.Name] = a
	}
	var out []Host
	for _, n := range nodes {
		a, known := used[n.Name]
		if known && !a.Lost && !n.Cordoned {
			out = append(out, Host{n, a})
		}
	}
	return out, nil
}

// zonesOf lists the zones of the subnets a task may use, each once.
func zonesOf(tx store.Tx, t *compute.Task) ([]string, error) {
	if t.Zone != "" {
		return []string{t.Zone}, nil
	}
	var zones []string
	seen := map[string]bool{}
	for _, id := range t.Spec.Network.Subnets {
		s, ok, err := tables.Subnets.Find(tx, t.Account, t.Region, id)
		if err != nil {
			return nil, err
		}
		if ok && !seen[s.Zone] {
			seen[s.Zone] = true
			zones = append(zones, s.Zone)
		}
	}
	return zones, nil
}

func groupOf(t *compute.Task) Group {
	return Group{t.Account, t.Region, t.Cluster, t.Spec.Group}
}

// countService counts the placed tasks of t's service by zone.
func countService(tx store.Tx, t *compute.Task, count map[Zone]int) {
	if t.Spec.Service == "" {
		return
	}
	for _, z := range arn.Zones(t.Region) {
		for _, p := range []compute.Phase{compute.PhaseStarting, compute.PhaseRunning} {
			count[z.Name] += tables.Tasks.CountBy(tx, tables.TasksByService, t.Account, t.Region, t.Cluster,
				t.Spec.Service, t.Spec.Deployment, string(p), t.Spec.CapacityProvider, z.Name)
		}
	}
}

func write(tx store.Tx, c Change) error {
	switch {
	case c.Task != nil:
		return tables.Tasks.Put(tx, c.Task)
	case c.Used != nil:
		return tables.Allocations.Put(tx, c.Used)
	}
	return tables.Allocations.Delete(tx, c.Gone)
}
