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

// Task shows a task.
func Task(t *compute.Task, d Detail) ecs.Task {
	w := ecs.Task{
		Attachments:          attachments(t),
		Attributes:           []ecs.Attribute{{Name: new("ecs.cpu-architecture"), Value: Text(t.Spec.Architecture)}},
		AvailabilityZone:     Text(t.Zone),
		CapacityProviderName: Text(t.Spec.CapacityProvider),
		ClusterArn:           new(compute.ClusterARN(t.Account, t.Region, t.Cluster)),
		Connectivity:         Text(t.State.Connectivity),
		ConnectivityAt:       Time(t.State.ConnectivityAt),
		Containers:           containers(t, d),
		CreatedAt:            Time(t.CreatedAt),
		DesiredStatus:        Text(string(t.Intent.Desired)),
		EnableExecuteCommand: new(t.Spec.EnableExec),
		ExecutionStoppedAt:   Time(t.State.ExecutionStoppedAt),
		Group:                Text(t.Spec.Group),
		LastStatus:           Text(string(t.State.Last)),
		LaunchType:           Text(t.Spec.LaunchType),
		Overrides:            overrides(t),
		PlatformFamily:       Text(t.Spec.PlatformFamily),
		PlatformVersion:      Text(t.Spec.PlatformVersion),
		PullStartedAt:        Time(t.State.PullStartedAt),
		PullStoppedAt:        Time(t.State.PullStoppedAt),
		StartedAt:            Time(t.State.StartedAt),
		StartedBy:            Text(t.Spec.StartedBy),
		StopCode:             Text(string(t.Intent.StopCode)),
		StoppedAt:            Time(t.State.StoppedAt),
		StoppedReason:        Text(t.Intent.StopReason),
		StoppingAt:           Time(t.Intent.StoppingAt),
		Tags:                 []ecs.Tag{},
		TaskArn:              new(t.ARN()),
		TaskDefinitionArn:    new(taskdef.ARN(t.Account, t.Region, t.Spec.Family, t.Spec.Revision)),
		Version:              new(t.State.Version),
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
	details := []ecs.KeyValuePair{}
	for _, d := range [][2]string{
		{"subnetId", a.Subnet}, {"networkInterfaceId", a.ENI}, {"macAddress", a.MAC},
		{"privateDnsName", a.PrivateDNS}, {"privateIPv4Address", a.PrivateIP},
	} {
		if d[1] != "" {
			details = append(details, ecs.KeyValuePair{Name: new(d[0]), Value: new(d[1])})
		}
	}
	return []ecs.Attachment{{
		Id: new(a.ID), Type: new("ElasticNetworkInterface"), Status: Text(string(a.Status)), Details: details,
	}}
}

func containers(t *compute.Task, d Detail) []ecs.Container {
	out := []ecs.Container{}
	for i := range t.Spec.Containers {
		s := &t.Spec.Containers[i]
		w := ecs.Container{
			ContainerArn: new(t.ContainerARN(s.ID)), TaskArn: new(t.ARN()), Name: new(s.Name), Image: new(s.Image),
			Cpu: Text(s.CPU), Memory: Text(s.Memory), MemoryReservation: Text(s.Reservation),
			NetworkInterfaces: []ecs.NetworkInterface{},
		}
		if t.Attachment.PrivateIP != "" {
			w.NetworkInterfaces = append(w.NetworkInterfaces, ecs.NetworkInterface{
				AttachmentId: new(t.Attachment.ID), PrivateIpv4Address: new(t.Attachment.PrivateIP),
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
	w.LastStatus, w.ExitCode, w.Reason = Text(string(s.Last)), s.ExitCode, Text(s.Reason)
	w.RuntimeId, w.ImageDigest = Text(s.RuntimeID), Text(s.ImageDigest)
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
		one := ecs.ContainerOverride{Name: new(t.Spec.Containers[i].Name)}
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
