// Package gvisor runs each task in one gVisor sandbox: a kernel of its own for
// all its containers, which share its network and have root file systems of their
// own.
package gvisor

import (
	"neargate/node/sandbox/shim"
	"neargate/shim/api"
)

// New is a sandbox for tasks of untrusted programs.
func New(cfg shim.Config) *shim.Sandbox { return shim.New(cfg, api.GVisor) }
