// Package view shows stored ECS records as the API answers them. It is pure.
package view

import (
	"encoding/json"
	"strconv"
	"time"

	"neargate/aws/ecs"
	"neargate/internal/convert"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/tag"
)

// Detail says which members of a task an operation shows.
type Detail struct {
	Health bool // healthStatus of the task and its containers
	Tags   bool // the tags; otherwise the list is empty
}

// made is what a shown task points to beside its record, as one piece of memory.
type made struct {
	task, cluster, definition, instance string
	cpu, memory, health                 string
	gib                                 int32
	ephemeral                           ecs.EphemeralStorage
	ephemeralFargate                    ecs.TaskEphemeralStorage
	attributes                          [1]ecs.Attribute
	architecture                        string
	attachments                         [1]ecs.Attachment
	attachment                          string
	details                             [6]ecs.KeyValuePair
	names                               [6]string
	overrides                           ecs.TaskOverride
}

// Task shows a task. What it returns points into the record, which must not be
// assigned to afterwards.
func Task(t *compute.Task, d Detail) ecs.Task {
	m := &made{
		task: t.ARN(), cluster: compute.ClusterARN(t.Account, t.Region, t.Cluster),
		definition:   taskdef.ARN(t.Account, t.Region, t.Spec.Family, t.Spec.Revision),
		architecture: "ecs.cpu-architecture", health: health(t.State.Health),
	}
	m.attributes[0] = ecs.Attribute{Name: &m.architecture, Value: text(&t.Spec.Architecture)}
	w := ecs.Task{
		Attachments:          attachments(t, m),
		Attributes:           m.attributes[:],
		AvailabilityZone:     text(&t.Zone),
		CapacityProviderName: text(&t.Spec.CapacityProvider),
		ClusterArn:           &m.cluster,
		Connectivity:         text(&t.State.Connectivity),
		ConnectivityAt:       moment(&t.State.ConnectivityAt),
		Containers:           containers(t, &m.task, d),
		CreatedAt:            moment(&t.CreatedAt),
		DesiredStatus:        text((*string)(&t.Intent.Desired)),
		EnableExecuteCommand: &t.Spec.EnableExec,
		ExecutionStoppedAt:   moment(&t.State.ExecutionStoppedAt),
		Group:                text(&t.Spec.Group),
		LastStatus:           text((*string)(&t.State.Last)),
		LaunchType:           text(&t.Spec.LaunchType),
		Overrides:            overrides(t, &m.overrides),
		PlatformFamily:       text(&t.Spec.PlatformFamily),
		PlatformVersion:      text(&t.Spec.PlatformVersion),
		PullStartedAt:        moment(&t.State.PullStartedAt),
		PullStoppedAt:        moment(&t.State.PullStoppedAt),
		StartedAt:            moment(&t.State.StartedAt),
		StartedBy:            text(&t.Spec.StartedBy),
		StopCode:             text((*string)(&t.Intent.StopCode)),
		StoppedAt:            moment(&t.State.StoppedAt),
		StoppedReason:        text(&t.Intent.StopReason),
		StoppingAt:           moment(&t.Intent.StoppingAt),
		Tags:                 []ecs.Tag{},
		TaskArn:              &m.task,
		TaskDefinitionArn:    &m.definition,
		Version:              &t.State.Version,
	}
	if t.Spec.CPU > 0 {
		m.cpu = strconv.Itoa(t.Spec.CPU)
		w.Cpu = &m.cpu
	}
	if t.Spec.Memory > 0 {
		m.memory = strconv.Itoa(t.Spec.Memory)
		w.Memory = &m.memory
	}
	if t.Spec.EphemeralGiB > 0 {
		m.gib = int32(t.Spec.EphemeralGiB)
		m.ephemeral, m.ephemeralFargate = ecs.EphemeralStorage{SizeInGiB: &m.gib}, ecs.TaskEphemeralStorage{SizeInGiB: &m.gib}
		w.EphemeralStorage, w.FargateEphemeralStorage = &m.ephemeral, &m.ephemeralFargate
	}
	if t.Spec.Instance != "" {
		in := compute.Instance{Account: t.Account, Region: t.Region, Cluster: t.Cluster, ID: t.Spec.Instance}
		m.instance = in.ARN()
		w.ContainerInstanceArn = &m.instance
	}
	if d.Health {
		w.HealthStatus = &m.health
	}
	if d.Tags {
		w.Tags = tag.Show(t.Tags)
	}
	return w
}

// StoppedTask shows a task that was stopped before StopTask was called: AWS
// leaves its parts out.
func StoppedTask(t *compute.Task) ecs.Task {
	w := Task(t, Detail{})
	w.Attachments, w.Attributes, w.Containers = []ecs.Attachment{}, nil, []ecs.Container{}
	w.Overrides.ContainerOverrides = []ecs.ContainerOverride{}
	return w
}

func attachments(t *compute.Task, m *made) []ecs.Attachment {
	a := &t.Attachment
	if a.ID == "" {
		return []ecs.Attachment{}
	}
	details := m.details[:0]
	m.names = [...]string{"subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address", "ipv6Address"}
	for i, value := range [len(m.names)]*string{&a.Subnet, &a.ENI, &a.MAC, &a.PrivateDNS, &a.PrivateIP, &a.IPv6} {
		if *value != "" {
			details = append(details, ecs.KeyValuePair{Name: &m.names[i], Value: value})
		}
	}
	m.attachment = "ElasticNetworkInterface"
	m.attachments[0] = ecs.Attachment{Id: &a.ID, Type: &m.attachment, Status: text((*string)(&a.Status)), Details: details}
	return m.attachments[:]
}

// madeForContainer is what a shown container points to beside the task's record.
type madeForContainer struct {
	arn, health string
	interfaces  [1]ecs.NetworkInterface
}

func containers(t *compute.Task, task *string, d Detail) []ecs.Container {
	out := make([]ecs.Container, len(t.Spec.Containers))
	parts := make([]madeForContainer, len(out))
	for i := range t.Spec.Containers {
		s, m, w := &t.Spec.Containers[i], &parts[i], &out[i]
		m.arn = t.ContainerARN(s.ID)
		*w = ecs.Container{
			ContainerArn: &m.arn, TaskArn: task, Name: &s.Name, Image: &s.Image,
			Cpu: text(&s.CPU), Memory: text(&s.Memory), MemoryReservation: text(&s.Reservation),
			NetworkInterfaces: m.interfaces[:0],
		}
		if t.Attachment.PrivateIP != "" {
			m.interfaces[0] = ecs.NetworkInterface{
				AttachmentId: &t.Attachment.ID, PrivateIpv4Address: &t.Attachment.PrivateIP, Ipv6Address: text(&t.Attachment.IPv6),
			}
			w.NetworkInterfaces = m.interfaces[:]
		}
		if i < len(t.State.Containers) {
			observed(w, m, &t.State.Containers[i], d)
		}
	}
	return out
}

func observed(w *ecs.Container, m *madeForContainer, s *compute.ContainerState, d Detail) {
	w.LastStatus, w.ExitCode, w.Reason = text((*string)(&s.Last)), s.ExitCode, text(&s.Reason)
	w.RuntimeId, w.ImageDigest = text(&s.RuntimeID), text(&s.ImageDigest)
	if s.Started {
		w.NetworkBindings = []ecs.NetworkBinding{}
	}
	if d.Health {
		m.health = health(s.Health)
		w.HealthStatus = &m.health
	}
}

// wireOverride shows a stored override.
var wireOverride = convert.Func[ecs.TaskOverride, taskdef.Override]()

// overrides shows what the task changed of its definition, every container named.
func overrides(t *compute.Task, w *ecs.TaskOverride) *ecs.TaskOverride {
	if t.Spec.Overrides != nil {
		var o taskdef.Override
		if err := json.Unmarshal(t.Spec.Overrides, &o); err != nil {
			panic(err) // launch.Task wrote it
		}
		*w = wireOverride(&o)
	}
	w.InferenceAcceleratorOverrides = []ecs.InferenceAcceleratorOverride{}
	given := w.ContainerOverrides
	w.ContainerOverrides = make([]ecs.ContainerOverride, 0, len(t.Spec.Containers))
	for i := range t.Spec.Containers {
		one := ecs.ContainerOverride{Name: &t.Spec.Containers[i].Name}
		for _, c := range given {
			if *c.Name == *one.Name {
				one = c
			}
		}
		w.ContainerOverrides = append(w.ContainerOverrides, one)
	}
	return w
}

func health(s string) string {
	if s == "" {
		return compute.UnknownHealth
	}
	return s
}

// text is a string of a record, absent when it is empty.
func text(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// moment is a time of a record, absent when it is zero.
func moment(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

// Text is absent for the empty string.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Time is absent for the zero time.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
