// Package deploy keeps every service at its desired count and rolls its
// deployments out. It is the ECS service scheduler: Load counts, Plan decides,
// Write records. Sources: Amazon ECS developer guide, "Rolling update",
// "Service scheduler concepts", "Service throttle logic".
package deploy

import (
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/launch"
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
	NextExpiry time.Time // when the first protection in force ends; zero when unknown
	Failures   []Failure // of the primary deployment since the last one counted
	Instances  []Instance
	Subnets    []launch.Subnet            // of the primary deployment
	Record     *compute.ServiceDeployment // of the primary deployment while it is rolled out
	Template   Template                   // of the primary deployment; nil without a definition to start
	IDs        []IDs                      // fresh ids, Batch of them
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
	At           time.Time
	Reason, Zone string
}

// Instance is a container instance that takes tasks, with the live tasks of the
// service on it: how many, and the deployment one of them belongs to ("" for none).
type Instance struct {
	ID, Deployment string
	Tasks          int
}

// IDs are the ids of one task to be.
type IDs struct {
	Task, Attachment string
	Containers       []string
}

// Spot is where a task is to run: a capacity provider or a container instance,
// and the subnet of its network interface.
type Spot struct {
	Provider, Instance string
	Subnet             launch.Subnet
}

// Template makes the task of a deployment from fresh ids.
type Template func(now time.Time, ids IDs, at Spot) compute.Task

// Action is one decision; exactly one member is set.
type Action struct {
	Start   *compute.Task
	Stop    *Stop
	Event   *compute.ServiceEvent
	Service *compute.Service           // the service's new record
	Record  *compute.ServiceDeployment // the deployment's new record
}

// Stop ends a task of the service.
type Stop struct {
	Key    Key // of the service
	ID     string
	Code   compute.StopCode
	Reason string
}
