// Package runc runs the containers of a task as processes of the host in
// namespaces and cgroups: faster to start than gVisor, and sharing the host's
// kernel with the programs they run.
package runc

import (
	"neargate/node/sandbox/shim"
	"neargate/shim/api"
)

// New is a sandbox for tasks of programs that are trusted with the host's kernel.
func New(cfg shim.Config) *shim.Sandbox { return shim.New(cfg, api.Runc) }
