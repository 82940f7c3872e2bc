// Package launch makes the record of a task from a task definition: the one
// place where RunTask, StartTask and the service scheduler agree on what a new
// task looks like.
package launch

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// LatestPlatform is what platform version LATEST means for Linux tasks.
const LatestPlatform = "1.4.0"

// Order says what to launch. Values that a request may leave out are empty.
type Order struct {
	Definition       *taskdef.Definition
	Account, Region  string
	Cluster          string
	ID               string   // 32 hexadecimal digits
	AttachmentID     string   // UUID
	ContainerIDs     []string // UUIDs, one per container at least
	Now              time.Time
	Group            string // default: family:<family>
	StartedBy        string
	Service          string
	Deployment       string
	Instance         string // container instance id
	LaunchType       string // EC2, FARGATE or EXTERNAL; a Fargate capacity provider implies FARGATE
	CapacityProvider string
	PlatformVersion  string // as asked; LATEST and "" resolve
	Network          *compute.Network
	Zone, Subnet     string // where the network interface is to be
	Overrides        *taskdef.Override
	EnableExec       bool
	ManagedTags      bool
	PropagateTags    string        // SERVICE, TASK_DEFINITION, NONE or ""
	Tags             []compute.Tag // of the request; they win over propagated ones
	ServiceTags      []compute.Tag
	CreatedBy        string
}

// DefaultEphemeralGiB is the ephemeral storage of a Fargate task that asks for
// none. Source: Amazon ECS developer guide, Fargate task ephemeral storage.
const DefaultEphemeralGiB = 20

// Task makes the task, PROVISIONING and not yet placed.
func Task(o Order) compute.Task {
	d, over := o.Definition, o.Overrides
	if over == nil {
		over = &taskdef.Override{}
	}
	t := compute.Task{
		Account: o.Account, Region: o.Region, Cluster: o.Cluster, ID: o.ID, CreatedAt: o.Now,
		Intent: compute.Intent{Desired: compute.Running},
		State:  compute.TaskState{Last: compute.Provisioning, Version: 1, Health: compute.UnknownHealth},
		Tags:   Tags(o),
	}
	t.Spec = compute.TaskSpec{
		Family: d.Family, Revision: d.Revision, Group: o.Group, StartedBy: o.StartedBy,
		Service: o.Service, Deployment: o.Deployment, Instance: o.Instance,
		LaunchType: o.LaunchType, CapacityProvider: o.CapacityProvider,
		Architecture: Architecture(d), EnableExec: o.EnableExec, ManagedTags: o.ManagedTags,
		PropagateTags: o.PropagateTags, CreatedBy: o.CreatedBy,
		TaskRole: TaskRole(d, o.Overrides), ExecutionRole: ExecutionRole(d, o.Overrides),
		Overrides: encode(o.Overrides),
	}
	if t.Spec.Group == "" {
		t.Spec.Group = "family:" + d.Family
	}
	if t.Spec.LaunchType == "" && strings.HasPrefix(o.CapacityProvider, compute.Fargate) {
		t.Spec.LaunchType = compute.Fargate
	}
	t.Spec.CPU, t.Spec.Memory = Size(d, over)
	if t.Spec.LaunchType == compute.Fargate {
		t.Spec.PlatformVersion = Platform(o.PlatformVersion)
		t.Spec.PlatformFamily = Family(d)
		t.Spec.EphemeralGiB = ephemeral(d, over)
	}
	if o.Network != nil {
		t.Spec.Network = *o.Network
		t.Attachment = compute.Attachment{ID: o.AttachmentID, Status: compute.PreCreated, Subnet: o.Subnet}
		t.Zone = o.Zone
	} else {
		t.State.Last = compute.Pending
	}
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		t.Spec.Containers = append(t.Spec.Containers, container(c, o.ContainerIDs[i], containerOverride(over, c.Name)))
		t.State.Containers = append(t.State.Containers, compute.ContainerState{Name: c.Name, Last: compute.Pending})
	}
	return t
}

func containerOverride(o *taskdef.Override, name string) taskdef.ContainerOverride {
	for _, c := range o.ContainerOverrides {
		if value(c.Name) == name {
			return c
		}
	}
	return taskdef.ContainerOverride{}
}

func encode(o *taskdef.Override) []byte {
	if o == nil {
		return nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return b
}

func container(c *taskdef.Container, id string, o taskdef.ContainerOverride) compute.ContainerSpec {
	s := compute.ContainerSpec{
		ID: id, Name: c.Name, Image: c.Image, Essential: c.Essential, HealthCheck: c.HealthCheck != nil,
		CPU: strconv.Itoa(int(c.Cpu)), Memory: digits(c.Memory), Reservation: digits(c.MemoryReservation),
	}
	if o.Cpu != nil {
		s.CPU = digits(o.Cpu)
	}
	if o.Memory != nil {
		s.Memory = digits(o.Memory)
	}
	if o.MemoryReservation != nil {
		s.Reservation = digits(o.MemoryReservation)
	}
	return s
}

// Tags are the tags a new task gets: propagated ones, then the request's, which
// win, then the managed ones. Source: Amazon ECS developer guide, tagging.
func Tags(o Order) []compute.Tag {
	var tags []compute.Tag
	switch o.PropagateTags {
	case "SERVICE":
		tags = Merge(tags, o.ServiceTags)
	case "TASK_DEFINITION":
		tags = Merge(tags, o.Definition.Tags)
	}
	tags = Merge(tags, o.Tags)
	if o.ManagedTags {
		tags = Merge(tags, []compute.Tag{{Key: "aws:ecs:clusterName", Value: o.Cluster}})
		if o.Service != "" {
			tags = Merge(tags, []compute.Tag{{Key: "aws:ecs:serviceName", Value: o.Service}})
		}
	}
	return tags
}

// Merge returns base with over's tags added or replaced, in a slice of its own.
func Merge(base, over []compute.Tag) []compute.Tag {
	out := append([]compute.Tag(nil), base...)
next:
	for _, t := range over {
		for i := range out {
			if out[i].Key == t.Key {
				out[i].Value = t.Value
				continue next
			}
		}
		out = append(out, t)
	}
	return out
}

// Platform resolves a platform version as asked.
func Platform(asked string) string {
	if asked == "" || asked == "LATEST" {
		return LatestPlatform
	}
	return asked
}

// Family is the platformFamily that tasks of the definition report.
func Family(d *taskdef.Definition) string {
	os := "LINUX"
	if d.RuntimePlatform != nil && d.RuntimePlatform.OperatingSystemFamily != nil {
		os = *d.RuntimePlatform.OperatingSystemFamily
	}
	if os == "LINUX" {
		return "Linux"
	}
	// WINDOWS_SERVER_2022_CORE is reported as Windows-Server-2022-Core.
	words := strings.Split(strings.ToLower(os), "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "-")
}

// Architecture is the processor architecture tasks of the definition need.
func Architecture(d *taskdef.Definition) string {
	if d.RuntimePlatform != nil && value(d.RuntimePlatform.CpuArchitecture) == "ARM64" {
		return "arm64"
	}
	return "x86_64"
}

// Size is the CPU units and MiB of a task; 0 where neither the definition nor the
// override says.
func Size(d *taskdef.Definition, o *taskdef.Override) (cpu, memory int) {
	cpu, _ = taskdef.ParseCPU(value(d.Cpu))
	memory, _ = taskdef.ParseMemory(value(d.Memory))
	if o.Cpu != nil {
		cpu, _ = taskdef.ParseCPU(*o.Cpu)
	}
	if o.Memory != nil {
		memory, _ = taskdef.ParseMemory(*o.Memory)
	}
	return cpu, memory
}

// TaskRole is the ARN of the role a task's containers act as, "" for none.
func TaskRole(d *taskdef.Definition, o *taskdef.Override) string {
	if o != nil && value(o.TaskRoleArn) != "" {
		return *o.TaskRoleArn
	}
	return value(d.TaskRoleArn)
}

// ExecutionRole is the ARN of the role ECS itself acts as for a task, "" for none.
func ExecutionRole(d *taskdef.Definition, o *taskdef.Override) string {
	if o != nil && value(o.ExecutionRoleArn) != "" {
		return *o.ExecutionRoleArn
	}
	return value(d.ExecutionRoleArn)
}

func ephemeral(d *taskdef.Definition, o *taskdef.Override) int {
	switch {
	case o.EphemeralStorage != nil:
		return int(o.EphemeralStorage.SizeInGiB)
	case d.EphemeralStorage != nil:
		return int(d.EphemeralStorage.SizeInGiB)
	}
	return DefaultEphemeralGiB
}

func digits(n *int32) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
