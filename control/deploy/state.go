// Package deploy keeps every service at its desired count and rolls its
// deployments out. It is the ECS service scheduler: Load counts, Plan decides,
// Write records. Sources: Amazon ECS developer guide, "Rolling update",
// "Service scheduler concepts", "Service throttle logic".
package deploy

import (
	"time"

	"neargate/resource/compute"
)

// Settle is how long a task without health checks must run before it counts as
// healthy for the minimum healthy percent.
const Settle = 40 * time.Second

// Batch bounds the starts, and the stops, of one plan, so that a plan stays
// within one transaction however large the service is.
const Batch = 10

// Key names a service.
type Key struct{ Account, Region, Cluster, Service string }

// State is what a plan is made from. It holds counts and bounded lists, never
// all tasks of a service.
type State struct {
	Service compute.Service
	Gone    bool // no such service, or nothing left to do for it
	Groups  []Group
	// Candidates may be stopped: per group at most Batch unprotected tasks, oldest
	// first. Protected counts what was passed over.
	Candidates []Candidate
	Protected  int
	Failures   []Failure // of the primary deployment since the last one counted
	Instances  []Instance
	Template   Template // of the primary deployment
	IDs        []IDs    // fresh ids, Batch of them
	EventIDs   []string
}

// Group counts the live tasks of one deployment that share phase, capacity
// provider and zone.
type Group struct {
	Deployment     string
	Phase          compute.Phase
	Provider, Zone string
	Count          int
	Young          int       // of Count: running for less than Settle
	OldestYoung    time.Time // StartedAt of the first to settle; zero without young
	NewestYoung    time.Time
}

// Candidate is a task that may be stopped.
type Candidate struct {
	ID, Deployment string
	Phase          compute.Phase
	Zone           string
	Instance       string
	Young          bool
}

// Failure is a task that stopped without ever running.
type Failure struct {
	At     time.Time
	Reason string
}

// Instance is a container instance as a DAEMON service sees it: the deployment
// its task belongs to ("" for none).
type Instance struct {
	ID, Zone, Deployment string
}

// IDs are the ids of one task to be.
type IDs struct {
	Task, Attachment string
	Containers       []string
}

// Template makes the task of a deployment from fresh ids.
type Template func(now time.Time, ids IDs, provider, instance string) compute.Task

// Action is one decision; exactly one member is set.
type Action struct {
	Start   *compute.Task
	Stop    *Stop
	Event   *compute.ServiceEvent
	Service *compute.Service           // the service's new record
	Finish  *compute.ServiceDeployment // new state of a deployment record, matched by ID
}

// Stop ends a task of the service.
type Stop struct {
	ID     string
	Code   compute.StopCode
	Reason string
}
