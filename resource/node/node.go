// Package node holds the stored records of the hosts that run tasks. Nodes
// belong to the installation, not to an account.
package node

import "time"

// Node is a host as it announced itself and as it last reported. Only the node's
// agent writes it, except Cordoned.
type Node struct {
	Name         string
	Architecture string   // x86_64, arm64
	Zones        []string // zone letters it serves ("a", "b"); empty: all
	CPU          int      // schedulable CPU units (1024 a vCPU)
	Memory       int      // schedulable MiB
	RegisteredAt time.Time
	SeenAt       time.Time // last heartbeat; a node is lost some time after it
	Cordoned     bool      // takes no new tasks
}

// LostAfter is how long after its last heartbeat a node counts as lost.
const LostAfter = 40 * time.Second

// Ready reports whether the node takes new tasks at t.
func (n *Node) Ready(t time.Time) bool { return !n.Cordoned && t.Sub(n.SeenAt) < LostAfter }
