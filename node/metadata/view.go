// Package metadata is what a task finds at 169.254.170.2: the task metadata
// endpoint version 4 (and 3), and the part of the agent's own API that protects a
// task from being scaled in.
//
// A task is known by the VPC and the address its request comes from, and sees
// only itself. Whoever makes a VPC real opens a socket in its namespace and hands
// it to [Serve] with the VPC's [Handler].
//
// Names, order and values: Amazon ECS Developer Guide, Task metadata endpoint
// version 4 for tasks on Fargate, and answers recorded from Fargate.
package metadata

import (
	"context"
	"net/netip"
	"time"

	"neargate/node/usage"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// Address is where a task finds its metadata.
const Address = "169.254.170.2"

// Source finds the task that an address of a VPC belongs to on this host.
type Source interface {
	Find(vpc string, addr netip.Addr) (View, bool)
}

// View is a task as it is at a moment. Nothing in it is changed by the handler.
type View struct {
	Task       compute.Task
	Definition taskdef.Definition
	Containers []Container // as many as Task.Spec.Containers and in the same order
	ZoneID     string      // e.g. use1-az1
	Network    Network
	// InstanceTags are those of the container instance; none on Fargate.
	InstanceTags []compute.Tag
	// Stats returns figures as usage.Sampler does, and Disk the bytes of ephemeral
	// storage in use. Either may be nil: not known.
	Stats func(ctx context.Context) (usage.Pair, error)
	Disk  func(ctx context.Context) (uint64, error)
}

// Container is what a host knows of a container beyond the task's record.
type Container struct {
	ID                               string // the runtime id: <task id>-<digits>
	CreatedAt, StartedAt, FinishedAt time.Time
	Restarts                         int    // by its restart policy
	Health                           Health // of the last check
}

// Health is how a container's health check ended last, and since when its status
// is what it is.
type Health struct {
	Since  time.Time
	Exit   int
	Output string
}

// Network is what a task's interface knows of its subnet.
type Network struct {
	Subnet      netip.Prefix
	SubnetIPv6  netip.Prefix // invalid: none
	Nameservers []netip.Addr
	Search      []string
}

// index is the container with the runtime id, or -1.
func (v *View) index(id string) int {
	for i, c := range v.Containers {
		if c.ID == id && id != "" && i < len(v.Task.Spec.Containers) {
			return i
		}
	}
	return -1
}

// Env is what the agent adds to a container's environment. id is the container's
// runtime id.
func Env(t *compute.Task, id string) []string {
	const base = "http://" + Address
	execution := "AWS_ECS_FARGATE"
	if t.Spec.LaunchType == "EC2" {
		execution = "AWS_ECS_EC2"
	}
	return []string{
		"AWS_EXECUTION_ENV=" + execution,
		"AWS_DEFAULT_REGION=" + t.Region,
		"AWS_REGION=" + t.Region,
		"ECS_CONTAINER_METADATA_URI=" + base + "/v3/" + id,
		"ECS_CONTAINER_METADATA_URI_V4=" + base + "/v4/" + id,
		"ECS_AGENT_URI=" + base + "/api/" + id,
	}
}
