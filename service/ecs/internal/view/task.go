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

// Task shows a task. What it returns points into the record, which must not be
// assigned to afterwards.
func Task(t *compute.Task, d Detail) ecs.Task {
	arn := new(t.ARN())
	w := ecs.Task{
		Attachments:          attachments(t),
		Attributes:           []ecs.Attribute{{Name: new("ecs.cpu-architecture"), Value: text(&t.Spec.Architecture)}},
		AvailabilityZone:     text(&t.Zone),
		CapacityProviderName: text(&t.Spec.CapacityProvider),
		ClusterArn:           new(compute.ClusterARN(t.Account, t.Region, t.Cluster)),
		Connectivity:         text(&t.State.Connectivity),
		ConnectivityAt:       moment(&t.State.ConnectivityAt),
		Containers:           containers(t, arn, d),
		CreatedAt:            moment(&t.CreatedAt),
		DesiredStatus:        text((*string)(&t.Intent.Desired)),
		EnableExecuteCommand: &t.Spec.EnableExec,
		ExecutionStoppedAt:   moment(&t.State.ExecutionStoppedAt),
		Group:                text(&t.Spec.Group),
		LastStatus:           text((*string)(&t.State.Last)),
		LaunchType:           text(&t.Spec.LaunchType),
		Overrides:            overrides(t),
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
		TaskArn:              arn,
		TaskDefinitionArn:    new(taskdef.ARN(t.Account, t.Region, t.Spec.Family, t.Spec.Revision)),
		Version:              &t.State.Version,
	}
	if t.Spec.CPU > 0 {
		w.Cpu = new(strconv.Itoa(t.Spec.CPU))
	}
	if t.Spec.Memory > 0 {
		w.Memory = new(strconv.Itoa(t.Spec.Memory))
	}
	if t.Spec.EphemeralGiB > 0 {
		w.EphemeralStorage = &ecs.EphemeralStorage{SizeInGiB: new(int32(t.Spec.EphemeralGiB))}
		w.FargateEphemeralStorage = &ecs.TaskEphemeralStorage{SizeInGiB: new(int32(t.Spec.EphemeralGiB))}
	}
	if t.Spec.Instance != "" {
		in := compute.Instance{Account: t.Account, Region: t.Region, Cluster: t.Cluster, ID: t.Spec.Instance}
		w.ContainerInstanceArn = new(in.ARN())
	}
	if d.Health {
		w.HealthStatus = new(health(t.State.Health))
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

func attachments(t *compute.Task) []ecs.Attachment {
	a := &t.Attachment
	if a.ID == "" {
		return []ecs.Attachment{}
	}
	details := make([]ecs.KeyValuePair, 0, 6)
	for _, d := range [...]struct {
		name  string
		value *string
	}{
		{"subnetId", &a.Subnet}, {"networkInterfaceId", &a.ENI}, {"macAddress", &a.MAC},
		{"privateDnsName", &a.PrivateDNS}, {"privateIPv4Address", &a.PrivateIP},
		{"ipv6Address", &a.IPv6},
	} {
		if *d.value != "" {
			details = append(details, ecs.KeyValuePair{Name: new(d.name), Value: d.value})
		}
	}
	return []ecs.Attachment{{
		Id: &a.ID, Type: new("ElasticNetworkInterface"), Status: text((*string)(&a.Status)), Details: details,
	}}
}

func containers(t *compute.Task, task *string, d Detail) []ecs.Container {
	out := make([]ecs.Container, 0, len(t.Spec.Containers))
	for i := range t.Spec.Containers {
		s := &t.Spec.Containers[i]
		w := ecs.Container{
			ContainerArn: new(t.ContainerARN(s.ID)), TaskArn: task, Name: &s.Name, Image: &s.Image,
			Cpu: text(&s.CPU), Memory: text(&s.Memory), MemoryReservation: text(&s.Reservation),
			NetworkInterfaces: []ecs.NetworkInterface{},
		}
		if t.Attachment.PrivateIP != "" {
			w.NetworkInterfaces = append(w.NetworkInterfaces, ecs.NetworkInterface{
				AttachmentId: &t.Attachment.ID, PrivateIpv4Address: &t.Attachment.PrivateIP, Ipv6Address: text(&t.Attachment.IPv6),
			})
		}
		if i < len(t.State.Containers) {
			observed(&w, &t.State.Containers[i], d)
		}
		out = append(out, w)
	}
	return out
}

func observed(w *ecs.Container, s *compute.ContainerState, d Detail) {
	w.LastStatus, w.ExitCode, w.Reason = text((*string)(&s.Last)), s.ExitCode, text(&s.Reason)
	w.RuntimeId, w.ImageDigest = text(&s.RuntimeID), text(&s.ImageDigest)
	if s.Started {
		w.NetworkBindings = []ecs.NetworkBinding{}
	}
	if d.Health {
		w.HealthStatus = new(health(s.Health))
	}
}

// wireOverride shows a stored override.
var wireOverride = convert.Func[ecs.TaskOverride, taskdef.Override]()

// overrides shows what the task changed of its definition, every container named.
func overrides(t *compute.Task) *ecs.TaskOverride {
	var w ecs.TaskOverride
	if t.Spec.Overrides != nil {
		var o taskdef.Override
		if err := json.Unmarshal(t.Spec.Overrides, &o); err != nil {
			panic(err) // launch.Task wrote it
		}
		w = wireOverride(&o)
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
	return &w
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
