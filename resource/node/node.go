// Package node holds the stored records of the hosts that run tasks. Nodes
// belong to the installation, not to an account.
package node

import (
	"slices"
	"time"
)

// Node is a host as it announced itself. Its agent writes it at every start,
// except Cordoned, which the operator writes.
type Node struct {
	Name         string
	Architecture string   // x86_64, arm64
	Zones        []string // zone letters it serves ("a", "b"); empty: all
	CPU          int      // schedulable CPU units (1024 a vCPU)
	Memory       int      // schedulable MiB
	RegisteredAt time.Time
	Cordoned     bool // takes no new tasks
}

// Heartbeat is the time a node's agent last reported. It is a record of its own
// so that thousands of them a second disturb nobody who reads nodes.
type Heartbeat struct {
	Name   string
	SeenAt time.Time
}

// Allocation is what the tasks of a node take, as control/place counts it. It
// never counts less than the tasks assigned to the node.
type Allocation struct {
	Name   string
	CPU    int // units
	Memory int // MiB
	Tasks  int
	Lost   bool // no heartbeat for LostAfter
}

// How often agents report, and how long after its last heartbeat a node counts
// as lost.
const (
	HeartbeatEvery = 10 * time.Second
	LostAfter      = 40 * time.Second
)

// Serves reports whether the node takes tasks of the availability zone.
func (n *Node) Serves(zone string) bool {
	if len(n.Zones) == 0 {
		return true
	}
	return zone != "" && slices.Contains(n.Zones, zone[len(zone)-1:])
}
