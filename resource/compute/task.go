package compute

import (
	"slices"
	"time"

	"neargate/arn"
)

// Status is a task's or container's lastStatus.
type Status string

// The life cycle of a task, in order. Containers use PENDING, RUNNING and STOPPED.
// Source: Amazon ECS task lifecycle.
const (
	Provisioning   Status = "PROVISIONING"
	Pending        Status = "PENDING"
	Activating     Status = "ACTIVATING"
	Running        Status = "RUNNING"
	Deactivating   Status = "DEACTIVATING"
	Stopping       Status = "STOPPING"
	Deprovisioning Status = "DEPROVISIONING"
	Stopped        Status = "STOPPED"
)

// StopCode says which side ended a task.
type StopCode string

// The stop codes of ECS.
const (
	TaskFailedToStart         StopCode = "TaskFailedToStart"
	EssentialContainerExited  StopCode = "EssentialContainerExited"
	UserInitiated             StopCode = "UserInitiated"
	ServiceSchedulerInitiated StopCode = "ServiceSchedulerInitiated"
	SpotInterruption          StopCode = "SpotInterruption"
	TerminationNotice         StopCode = "TerminationNotice"
	InfrastructureHealth      StopCode = "InfrastructureHealth"
)

// Task is one run of a task definition. Its parts have one writer each:
//
//	identity, Spec       whoever creates the task (RunTask, StartTask, control/deploy)
//	Intent               StopTask, control/deploy, the node for a task that ends by itself
//	Tags, Protection     the API
//	Node, Zone, PlaceAfter   control/place (Zone may be set by the creator)
//	Attachment           control/attach
//	State                the node; control/place while the task has no node
//	Metered              control/meter
type Task struct {
	Account, Region, Cluster, ID string
	CreatedAt                    time.Time
	Spec                         TaskSpec
	Intent                       Intent
	Node                         string    `json:",omitempty"` // name of the assigned node
	Zone                         string    `json:",omitempty"` // availability zone
	PlaceAfter                   time.Time `json:",omitzero"`  // when to look for a node again
	Attachment                   Attachment
	State                        TaskState
	Tags                         []Tag
	Protection                   Protection
	Metered                      bool `json:",omitempty"` // its usage is recorded
}

// TaskSpec is what was asked for, resolved when the task was created.
type TaskSpec struct {
	Family           string
	Revision         int
	Group            string
	StartedBy        string `json:",omitempty"`
	Service          string `json:",omitempty"` // owning service name
	Deployment       string `json:",omitempty"` // owning deployment id, ecs-svc/<digits>
	Instance         string `json:",omitempty"` // container instance id of a StartTask or EC2 placement
	LaunchType       string // EC2, FARGATE, EXTERNAL
	CapacityProvider string `json:",omitempty"`
	PlatformVersion  string `json:",omitempty"` // resolved, e.g. 1.4.0
	PlatformFamily   string `json:",omitempty"`
	Architecture     string // x86_64, arm64
	CPU, Memory      int    // task size: CPU units, MiB
	EphemeralGiB     int
	Network          Network
	Containers       []ContainerSpec // in definition order
	TaskRole         string          `json:",omitempty"`
	ExecutionRole    string          `json:",omitempty"`
	Overrides        []byte          `json:",omitempty"` // taskdef.Override as JSON; nil without one
	EnableExec       bool
	ManagedTags      bool
	PropagateTags    string `json:",omitempty"`
	CreatedBy        string // caller ARN
}

// ContainerSpec is the part of a container every controller and the API need;
// the node reads the rest from the task definition.
type ContainerSpec struct {
	ID, Name, Image string
	Essential       bool
	HealthCheck     bool
	CPU             string // as DescribeTasks shows it
	Memory          string `json:",omitempty"`
	Reservation     string `json:",omitempty"`
}

// Network is the awsvpc configuration of a service or task.
type Network struct {
	Subnets, SecurityGroups []string
	AssignPublicIP          string // ENABLED, DISABLED
	DualStack               bool   `json:",omitempty"` // dualStackIPv6 as its creator had it
}

// Intent is what should become of a task.
type Intent struct {
	Desired    Status // RUNNING or STOPPED
	StopCode   StopCode
	StopReason string
	StoppingAt time.Time `json:",omitzero"`
}

// AttachmentStatus is the state of a task's network interface.
type AttachmentStatus string

// The states of an attachment.
const (
	PreCreated AttachmentStatus = "PRECREATED"
	Attached   AttachmentStatus = "ATTACHED"
	Detaching  AttachmentStatus = "DETACHING"
	Deleted    AttachmentStatus = "DELETED"
)

// Attachment is a task's elastic network interface.
type Attachment struct {
	ID         string // uuid
	Status     AttachmentStatus
	Subnet     string
	ENI        string    `json:",omitempty"`
	MAC        string    `json:",omitempty"`
	PrivateIP  string    `json:",omitempty"`
	PrivateDNS string    `json:",omitempty"`
	PublicIP   string    `json:",omitempty"`
	IPv6       string    `json:",omitempty"`
	AttachedAt time.Time `json:",omitzero"`  // when the interface was made
	Failure    string    `json:",omitempty"` // why no interface could be made; ends the task
}

// RunToken remembers a RunTask request by its client token.
type RunToken struct {
	Account, Region, Cluster, Token string
	Hash                            string   // of the request
	Tasks                           []string // ids
	At                              time.Time
}

// TaskState is what was observed of a task.
type TaskState struct {
	Last               Status
	Version            int64
	Health             string           // HEALTHY, UNHEALTHY, UNKNOWN
	Connectivity       string           `json:",omitempty"` // CONNECTED, DISCONNECTED
	ConnectivityAt     time.Time        `json:",omitzero"`
	PullStartedAt      time.Time        `json:",omitzero"`
	PullStoppedAt      time.Time        `json:",omitzero"`
	StartedAt          time.Time        `json:",omitzero"`
	ExecutionStoppedAt time.Time        `json:",omitzero"`
	StoppedAt          time.Time        `json:",omitzero"`
	Containers         []ContainerState // same order as Spec.Containers
}

// ContainerState is what was observed of a container.
type ContainerState struct {
	Name        string
	Last        Status
	RuntimeID   string `json:",omitempty"`
	ImageDigest string `json:",omitempty"`
	ExitCode    *int32 `json:",omitempty"`
	Reason      string `json:",omitempty"`
	Health      string `json:",omitempty"`
	Started     bool
	StartedAt   time.Time `json:",omitzero"`  // last
	Restarts    int       `json:",omitempty"` // by its restart policy
}

// WantsInterface reports whether a network interface has to be made for the task.
func (t *Task) WantsInterface() bool {
	return t.Node != "" && t.Attachment.Failure == "" && t.Intent.Desired != Stopped &&
		(t.Attachment.Status == PreCreated || t.Attachment.Status == "") &&
		t.State.Last != Stopped && !ending(t.State.Last)
}

// HasSpareInterface reports whether the task is over and still has a network
// interface.
func (t *Task) HasSpareInterface() bool {
	return (t.Attachment.Status == Attached || t.Attachment.Status == Detaching) &&
		(t.State.Last == Deprovisioning || t.State.Last == Stopped)
}

// End is the task's state once it is over: every container stopped, those that
// never ran without an exit code.
func (s TaskState) End(at time.Time) TaskState {
	cs := make([]ContainerState, len(s.Containers))
	for i, c := range s.Containers {
		c.Last = Stopped
		cs[i] = c
	}
	s.Containers = cs
	s.StoppedAt = at
	return s
}

// Protection is a task's scale-in protection.
type Protection struct {
	Enabled bool
	Until   time.Time `json:",omitzero"`
}

// Holds reports whether the protection is in force at t.
func (p Protection) Holds(t time.Time) bool { return p.Enabled && t.Before(p.Until) }

// ARN is the task's Amazon Resource Name.
func (t *Task) ARN() string {
	return arn.New("ecs", t.Region, t.Account, "task/", t.Cluster, "/", t.ID)
}

// ContainerARN is the ARN of the task's container with the given id.
func (t *Task) ContainerARN(id string) string {
	return arn.New("ecs", t.Region, t.Account, "container/", t.Cluster, "/", t.ID, "/", id)
}

// AttachmentARN is the ARN of the task's network attachment.
func (t *Task) AttachmentARN() string {
	return arn.New("ecs", t.Region, t.Account, "attachment/"+t.Attachment.ID)
}

// Phase is where a task stands as the scheduler counts it. Phases sort in the
// order in which the scheduler prefers to stop tasks.
type Phase string

// The phases. Running, Warming and Unhealthy tasks are RUNNING to the API.
const (
	PhaseUnhealthy Phase = "0unhealthy" // running, its health check failed
	PhaseStarting  Phase = "1starting"  // should run, does not yet
	PhaseWarming   Phase = "2warming"   // running, its health check has not answered yet
	PhaseRunning   Phase = "3running"   // running, and healthy where that is checked
	PhaseStopping  Phase = "4stopping"  // should stop, or is ending by itself
	PhaseStopped   Phase = "5stopped"
)

// PhaseOf derives a task's phase.
func PhaseOf(t *Task) Phase {
	switch {
	case t.State.Last == Stopped:
		return PhaseStopped
	case t.Intent.Desired == Stopped, ending(t.State.Last):
		return PhaseStopping
	case t.State.Last != Running:
		return PhaseStarting
	case t.State.Health == Unhealthy:
		return PhaseUnhealthy
	case t.Spec.HealthChecked() && t.State.Health != Healthy:
		return PhaseWarming
	}
	return PhaseRunning
}

// Health statuses of tasks and containers.
const (
	Healthy       = "HEALTHY"
	Unhealthy     = "UNHEALTHY"
	UnknownHealth = "UNKNOWN"
)

// HealthChecked reports whether an essential container has a health check, so
// that the task's health means something.
func (s *TaskSpec) HealthChecked() bool {
	return slices.ContainsFunc(s.Containers, func(c ContainerSpec) bool { return c.Essential && c.HealthCheck })
}

func ending(s Status) bool {
	return s == Deactivating || s == Stopping || s == Deprovisioning
}
