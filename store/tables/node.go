package tables

import (
	"neargate/resource/node"
	"neargate/store"
)

// Nodes keeps hosts by name.
var Nodes = store.Table[node.Node]{
	Name: "node",
	Key:  func(n *node.Node) []string { return []string{n.Name} },
}

// Heartbeats keeps when each host was last heard of, by its name.
var Heartbeats = store.Table[node.Heartbeat]{
	Name: "node/heartbeat",
	Key:  func(h *node.Heartbeat) []string { return []string{h.Name} },
}

// Allocations keeps what is taken of each host, by its name.
var Allocations = store.Table[node.Allocation]{
	Name: "node/allocation",
	Key:  func(a *node.Allocation) []string { return []string{a.Name} },
}
