package metadata

import (
	"context"
	"maps"
	"net/netip"
	"strconv"
	"time"

	"neargate/arn"
	"neargate/node/usage"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
)

// document is a task's metadata, in the order Fargate writes it.
type document struct {
	Cluster                 string
	TaskARN                 string
	Family                  string
	Revision                string
	DesiredStatus           string
	KnownStatus             string
	Limits                  *taskLimits       `json:",omitempty"`
	PullStartedAt           *time.Time        `json:",omitempty"`
	PullStoppedAt           *time.Time        `json:",omitempty"`
	ExecutionStoppedAt      *time.Time        `json:",omitempty"`
	AvailabilityZone        string            `json:",omitempty"`
	AvailabilityZoneID      string            `json:",omitempty"`
	TaskTags                map[string]string `json:",omitempty"`
	ContainerInstanceTags   map[string]string `json:",omitempty"`
	LaunchType              string            `json:",omitempty"`
	Containers              []container       `json:",omitempty"`
	ServiceName             string            `json:",omitempty"`
	Group                   string            `json:",omitempty"`
	ClockDrift              *clockDrift       `json:",omitempty"`
	EphemeralStorageMetrics *storage          `json:",omitempty"`
	FaultInjectionEnabled   *bool             `json:",omitempty"`
}

type taskLimits struct {
	CPU    float64 `json:",omitempty"` // vCPU
	Memory int     `json:",omitempty"` // MiB
}

type clockDrift struct {
	ClockErrorBound            float64 `json:",omitempty"` // milliseconds
	ReferenceTimestamp         time.Time
	ClockSynchronizationStatus string
}

type storage struct{ Utilized, Reserved int64 } // MiB

// container is a container's metadata, in the order Fargate writes it.
type container struct {
	DockerId      string
	Name          string
	DockerName    string
	Image         string
	ImageID       string
	Labels        map[string]string
	DesiredStatus string
	KnownStatus   string
	ExitCode      *int32 `json:",omitempty"`
	Limits        limits
	CreatedAt     *time.Time `json:",omitempty"`
	StartedAt     *time.Time `json:",omitempty"`
	FinishedAt    *time.Time `json:",omitempty"`
	Type          string
	Health        *health           `json:",omitempty"`
	LogDriver     string            `json:",omitempty"`
	LogOptions    map[string]string `json:",omitempty"`
	ContainerARN  string            `json:",omitempty"`
	Networks      []networkOf       `json:",omitempty"`
	Snapshotter   string            `json:",omitempty"`
	RestartCount  *int              `json:",omitempty"`
}

type limits struct {
	CPU    int // units
	Memory int `json:",omitempty"` // MiB
}

type health struct {
	Status string     `json:"status"`
	Since  *time.Time `json:"statusSince,omitempty"`
	Exit   int        `json:"exitCode,omitempty"`
	Output string     `json:"output,omitempty"`
}

type networkOf struct {
	NetworkMode              string
	IPv4Addresses            []string
	IPv6Addresses            []string `json:",omitempty"`
	AttachmentIndex          *int     `json:",omitempty"`
	MACAddress               string   `json:",omitempty"`
	IPv4SubnetCIDRBlock      string   `json:",omitempty"`
	IPv6SubnetCIDRBlock      string   `json:",omitempty"`
	DomainNameServers        []string `json:",omitempty"`
	DomainNameSearchList     []string `json:",omitempty"`
	PrivateDNSName           string   `json:",omitempty"`
	SubnetGatewayIpv4Address string   `json:",omitempty"`
}

// Facts of Fargate that are the same for every task.
const (
	minCPU          = 2  // a container's CPU units, also when it has none
	reservedBeyond  = 16 // MiB of ephemeral storage beyond what was asked for
	snapshotter     = "overlayfs"
	typeNormal      = "NORMAL"
	modeAwsvpc      = "awsvpc"
	synchronized    = "SYNCHRONIZED"
	notSynchronized = "NOT_SYNCHRONIZED"
	labels          = "com.amazonaws.ecs."
)

// taskDocument is a task's metadata. What cannot be measured is left out.
func taskDocument(ctx context.Context, v *View, withTags bool, clock func() (usage.Clock, error)) document {
	t := &v.Task
	d := document{
		Cluster: cluster(t), TaskARN: t.ARN(), Family: t.Spec.Family, Revision: strconv.Itoa(t.Spec.Revision),
		DesiredStatus: string(desired(t)), KnownStatus: string(known(t.State.Last)),
		PullStartedAt: at(t.State.PullStartedAt), PullStoppedAt: at(t.State.PullStoppedAt), ExecutionStoppedAt: at(t.State.ExecutionStoppedAt),
		AvailabilityZone: t.Zone, AvailabilityZoneID: v.ZoneID, LaunchType: t.Spec.LaunchType,
		ServiceName: t.Spec.Service, Group: t.Spec.Group,
		FaultInjectionEnabled: new(v.Definition.EnableFaultInjection != nil && *v.Definition.EnableFaultInjection),
	}
	if t.Spec.CPU != 0 || t.Spec.Memory != 0 {
		d.Limits = &taskLimits{CPU: float64(t.Spec.CPU) / 1024, Memory: t.Spec.Memory}
	}
	for i := range v.Task.Spec.Containers {
		if i < len(v.Containers) && v.Containers[i].ID != "" {
			d.Containers = append(d.Containers, containerDocument(v, i))
		}
	}
	if withTags {
		d.TaskTags, d.ContainerInstanceTags = tags(t.Tags), tags(v.InstanceTags)
	}
	if c, err := clock(); err == nil {
		d.ClockDrift = &clockDrift{ReferenceTimestamp: c.At.UTC().Truncate(time.Second), ClockSynchronizationStatus: notSynchronized}
		if c.Synchronized {
			d.ClockDrift.ClockSynchronizationStatus = synchronized
			d.ClockDrift.ClockErrorBound = float64(c.Error) / float64(time.Millisecond)
		}
	}
	if v.Disk != nil && t.Spec.EphemeralGiB > 0 {
		if used, err := v.Disk(ctx); err == nil {
			d.EphemeralStorageMetrics = &storage{Utilized: int64(used >> 20), Reserved: int64(t.Spec.EphemeralGiB)*1024 + reservedBeyond}
		}
	}
	return d
}

// containerDocument is the metadata of the task's i-th container.
func containerDocument(v *View, i int) container {
	t, c := &v.Task, v.Containers[i]
	spec := t.Spec.Containers[i]
	var state compute.ContainerState
	if i < len(t.State.Containers) {
		state = t.State.Containers[i]
	}
	d := container{
		DockerId: c.ID, Name: spec.Name, DockerName: spec.Name, Image: spec.Image, ImageID: state.ImageDigest,
		DesiredStatus: string(desired(t)), KnownStatus: string(compute.Pending), ExitCode: state.ExitCode,
		Limits:    limits{CPU: max(minCPU, number(spec.CPU)), Memory: number(spec.Memory)},
		CreatedAt: at(c.CreatedAt), StartedAt: at(c.StartedAt), FinishedAt: at(c.FinishedAt), Type: typeNormal,
		ContainerARN: t.ContainerARN(spec.ID), Networks: []networkOf{networkDocument(v)}, Snapshotter: snapshotter,
		Labels: map[string]string{},
	}
	if state.Last != "" {
		d.KnownStatus = string(state.Last)
	}
	if d.StartedAt != nil {
		d.CreatedAt = d.StartedAt // Fargate tells one time for both
	}
	if def := v.Definition.Container(spec.Name); def != nil {
		maps.Copy(d.Labels, def.DockerLabels)
		if log := def.LogConfiguration; log != nil {
			d.LogDriver, d.LogOptions = log.LogDriver, logOptions(log, spec.Name, t.ID)
		}
		if def.RestartPolicy != nil && def.RestartPolicy.Enabled {
			d.RestartCount = &c.Restarts
		}
	}
	if spec.HealthCheck {
		d.Health = &health{Status: state.Health, Since: at(c.Health.Since), Exit: c.Health.Exit, Output: c.Health.Output}
		if d.Health.Status == "" {
			d.Health.Status = compute.UnknownHealth
		}
	}
	for k, l := range map[string]string{
		"cluster": cluster(t), "container-name": spec.Name, "task-arn": t.ARN(),
		"task-definition-family": t.Spec.Family, "task-definition-version": strconv.Itoa(t.Spec.Revision),
	} {
		d.Labels[labels+k] = l
	}
	return d
}

func networkDocument(v *View) networkOf {
	a := &v.Task.Attachment
	n := networkOf{
		NetworkMode: modeAwsvpc, IPv4Addresses: []string{a.PrivateIP}, AttachmentIndex: new(0),
		MACAddress: a.MAC, DomainNameSearchList: v.Network.Search, PrivateDNSName: a.PrivateDNS,
	}
	if s := v.Network.Subnet; s.IsValid() {
		n.IPv4SubnetCIDRBlock = s.Masked().String()
		n.SubnetGatewayIpv4Address = netip.PrefixFrom(s.Masked().Addr().Next(), s.Bits()).String()
	}
	if a.IPv6 != "" {
		n.IPv6Addresses = []string{a.IPv6}
		if s := v.Network.SubnetIPv6; s.IsValid() {
			n.IPv6SubnetCIDRBlock = s.Masked().String()
		}
	}
	for _, s := range v.Network.Nameservers {
		n.DomainNameServers = append(n.DomainNameServers, s.String())
	}
	return n
}

// logOptions are a container's log options with the stream that they lead to.
func logOptions(l *taskdef.Logging, name, task string) map[string]string {
	options := maps.Clone(l.Options)
	if l.LogDriver == "awslogs" && options != nil {
		delete(options, taskdef.LogStreamPrefix)
		options["awslogs-stream"] = l.Stream(name, task)
	}
	return options
}

// v3 leaves out what version 4 added. Source: Task metadata endpoint version 3
// for tasks on Fargate.
func (d container) v3() container {
	d.LogDriver, d.LogOptions, d.ContainerARN, d.Snapshotter, d.RestartCount = "", nil, "", "", nil
	networks := d.Networks
	d.Networks = nil
	for _, n := range networks {
		d.Networks = append(d.Networks, networkOf{NetworkMode: n.NetworkMode, IPv4Addresses: n.IPv4Addresses})
	}
	return d
}

func (d document) v3() document {
	containers := d.Containers
	d.Containers = nil
	for _, c := range containers {
		d.Containers = append(d.Containers, c.v3())
	}
	d.AvailabilityZoneID, d.LaunchType, d.ServiceName, d.Group = "", "", "", ""
	d.ClockDrift, d.EphemeralStorageMetrics, d.FaultInjectionEnabled = nil, nil, nil
	return d
}

func cluster(t *compute.Task) string {
	return arn.New("ecs", t.Region, t.Account, "cluster/"+t.Cluster)
}

func desired(t *compute.Task) compute.Status {
	if t.Intent.Desired == "" {
		return compute.Running
	}
	return t.Intent.Desired
}

// known is a task's status in the words of the agent, which knows nothing of
// networks and placement.
func known(s compute.Status) compute.Status {
	switch s {
	case compute.Running, compute.Deactivating, compute.Stopping:
		return compute.Running
	case compute.Deprovisioning, compute.Stopped:
		return compute.Stopped
	}
	return compute.Pending
}

func tags(list []compute.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range list {
		m[t.Key] = t.Value
	}
	return m
}

// at is a time as the documents have it; nil when it is not known.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
