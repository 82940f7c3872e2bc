// Package tables names every key space of the store: which records are kept
// under which keys and indexes. It is the one place that ties records
// (resource/*) to the store.
package tables

import (
	"strconv"
	"time"

	"neargate/internal/encode"
	"neargate/resource/compute"
	"neargate/store"
)

const stampForm = "20060102T150405.000000000Z"

// Stamp prints a time as a key segment that sorts by time.
func Stamp(t time.Time) string { return t.UTC().Format(stampForm) }

// Time reads a segment made by [Stamp].
func Time(stamp string) (time.Time, error) { return time.Parse(stampForm, stamp) }

// NewestFirst prints a time as a key segment that sorts later times first.
func NewestFirst(t time.Time) string {
	b := []byte(Stamp(t))
	for i, c := range b {
		if c >= '0' && c <= '9' {
			b[i] = '9' - c + '0'
		}
	}
	return string(b)
}

// Number prints a non-negative number as a key segment that sorts by value.
func Number(n int) string {
	s := strconv.Itoa(n)
	return "0000000000"[min(len(s), 10):] + s
}

// ClustersByStatus: account, region, status.
const ClustersByStatus = "ecs/cluster@status"

// Clusters keeps ECS clusters by account, region, name.
var Clusters = store.Table[compute.Cluster]{
	Name: "ecs/cluster",
	Key:  func(c *compute.Cluster) []string { return []string{c.Account, c.Region, c.Name} },
	Indexes: []store.Index[compute.Cluster]{
		{Name: ClustersByStatus, Keys: func(c *compute.Cluster) [][]string {
			return [][]string{{c.Account, c.Region, c.Status}}
		}},
	},
}

// Names of the indexes of Tasks.
const (
	// TasksByCluster: account, region, cluster, desired status (RUNNING, STOPPED).
	TasksByCluster = "ecs/task@cluster"
	// TasksByState: account, region, cluster, launch type, phase; without stopped tasks.
	TasksByState = "ecs/task@state"
	// TasksByService: account, region, cluster, service, deployment, phase,
	// capacity provider, zone, shield ("" or Protected), stamp (StartedAt, or
	// CreatedAt before); without stopped tasks.
	TasksByService = "ecs/task@service"
	// TasksByFailure: account, region, cluster, service, deployment, stamp of
	// StoppedAt; service tasks that stopped without ever running.
	TasksByFailure = "ecs/task@failure"
	// TasksByProtection: account, region, cluster, service, stamp of the end of the
	// protection; tasks with scale-in protection, in force or over, that should run.
	TasksByProtection = "ecs/task@protection"
	// TasksByOrigin: account, region, cluster, kind, value, desired status; a task
	// is found by its family, its service, who started it and its container
	// instance.
	TasksByOrigin = "ecs/task@origin"
	// TasksByNode: node name, CPU, memory, desired status, attachment status
	// (FAILED when no interface could be made); without stopped tasks. It changes
	// with all a node must know of its tasks. Tasks that wait for a node are under
	// the empty name: those to be stopped first, then by when their turn is
	// (Stamp of CreatedAt or PlaceAfter). Tasks of a container instance are left out.
	TasksByNode = "ecs/task@node"
	// TasksByAttach: account, region, stamp of CreatedAt; tasks whose network
	// interface has to be made or removed.
	TasksByAttach = "ecs/task@attach"
	// TasksByStop: stamp of StoppedAt; stopped tasks only.
	TasksByStop = "ecs/task@stop"
)

// Kinds of TasksByOrigin.
const (
	ByFamily    = "family"
	ByService   = "service"
	ByStartedBy = "startedBy"
	ByInstance  = "instance"
)

// Protected is the shield segment in TasksByService of tasks with scale-in
// protection, be it still in force or not.
const Protected = "protected"

// Tasks keeps ECS tasks by account, region, cluster, id.
var Tasks = store.Table[compute.Task]{
	Name: "ecs/task",
	JSON: encode.For[compute.Task](),
	Key:  func(t *compute.Task) []string { return []string{t.Account, t.Region, t.Cluster, t.ID} },
	Indexes: []store.Index[compute.Task]{
		{Name: TasksByCluster, Keys: func(t *compute.Task) [][]string {
			return [][]string{{t.Account, t.Region, t.Cluster, string(t.Intent.Desired)}}
		}},
		{Name: TasksByState, Keys: live(func(t *compute.Task) []string {
			return []string{t.Account, t.Region, t.Cluster, t.Spec.LaunchType, string(compute.PhaseOf(t))}
		})},
		{Name: TasksByService, Keys: live(func(t *compute.Task) []string {
			if t.Spec.Service == "" {
				return nil
			}
			at := t.CreatedAt
			if !t.State.StartedAt.IsZero() {
				at = t.State.StartedAt
			}
			shield := ""
			if t.Protection.Enabled {
				shield = Protected
			}
			return []string{t.Account, t.Region, t.Cluster, t.Spec.Service, t.Spec.Deployment,
				string(compute.PhaseOf(t)), t.Spec.CapacityProvider, t.Zone, shield, Stamp(at)}
		})},
		{Name: TasksByFailure, Keys: func(t *compute.Task) [][]string {
			if t.Spec.Service == "" || t.State.Last != compute.Stopped || t.Intent.StopCode != compute.TaskFailedToStart {
				return nil
			}
			return [][]string{{t.Account, t.Region, t.Cluster, t.Spec.Service, t.Spec.Deployment, Stamp(t.State.StoppedAt)}}
		}},
		{Name: TasksByProtection, Keys: func(t *compute.Task) [][]string {
			if !t.Protection.Enabled || t.Spec.Service == "" || t.Intent.Desired != compute.Running {
				return nil
			}
			return [][]string{{t.Account, t.Region, t.Cluster, t.Spec.Service, Stamp(t.Protection.Until)}}
		}},
		{Name: TasksByOrigin, Keys: origins},
		{Name: TasksByNode, Keys: live(byNode)},
		{Name: TasksByAttach, Keys: func(t *compute.Task) [][]string {
			if !t.WantsInterface() && !t.HasSpareInterface() {
				return nil
			}
			return [][]string{{t.Account, t.Region, Stamp(t.CreatedAt)}}
		}},
		{Name: TasksByStop, Keys: func(t *compute.Task) [][]string {
			if t.State.Last != compute.Stopped {
				return nil
			}
			return [][]string{{Stamp(t.State.StoppedAt)}}
		}},
	},
}

func origins(t *compute.Task) [][]string {
	var keys [][]string
	for _, o := range [][2]string{
		{ByFamily, t.Spec.Family}, {ByService, t.Spec.Service},
		{ByStartedBy, t.Spec.StartedBy}, {ByInstance, t.Spec.Instance},
	} {
		if o[1] != "" {
			keys = append(keys, []string{t.Account, t.Region, t.Cluster, o[0], o[1], string(t.Intent.Desired)})
		}
	}
	return keys
}

func byNode(t *compute.Task) []string {
	switch {
	case t.Node != "":
		status := t.Attachment.Status
		if t.Attachment.Failure != "" {
			status = "FAILED"
		}
		return []string{t.Node, Number(t.Spec.CPU), Number(t.Spec.Memory), string(t.Intent.Desired), string(status)}
	case t.Spec.Instance != "":
		return nil
	case t.Intent.Desired == compute.Stopped:
		return []string{"", Stamp(time.Time{})}
	case t.PlaceAfter.After(t.CreatedAt):
		return []string{"", Stamp(t.PlaceAfter)}
	}
	return []string{"", Stamp(t.CreatedAt)}
}

// live leaves stopped tasks, and those without segments, out of an index.
func live(keys func(*compute.Task) []string) func(*compute.Task) [][]string {
	return func(t *compute.Task) [][]string {
		if t.State.Last == compute.Stopped {
			return nil
		}
		if k := keys(t); k != nil {
			return [][]string{k}
		}
		return nil
	}
}

// Names of the indexes of Services. Both hold only services that still have work,
// with status ACTIVE or DRAINING.
const (
	// ServicesByActivity: account, region, cluster, status.
	ServicesByActivity = "ecs/service@activity"
	// ServicesByCompute: account, region, cluster, status, what their tasks run on.
	ServicesByCompute = "ecs/service@compute"
)

// Services keeps ECS services by account, region, cluster, name.
var Services = store.Table[compute.Service]{
	Name: "ecs/service",
	JSON: encode.For[compute.Service](),
	Key:  func(s *compute.Service) []string { return []string{s.Account, s.Region, s.Cluster, s.Name} },
	Indexes: []store.Index[compute.Service]{
		{Name: ServicesByActivity, Keys: func(s *compute.Service) [][]string {
			if s.Status == compute.Inactive {
				return nil
			}
			return [][]string{{s.Account, s.Region, s.Cluster, s.Status}}
		}},
		{Name: ServicesByCompute, Keys: func(s *compute.Service) [][]string {
			if s.Status == compute.Inactive {
				return nil
			}
			return [][]string{{s.Account, s.Region, s.Cluster, s.Status, s.Compute()}}
		}},
	},
}

// ServiceEvents keeps the events of services, oldest first, by account, region,
// cluster, service, stamp, id.
var ServiceEvents = store.Table[compute.ServiceEvent]{
	Name: "ecs/serviceevent",
	Key: func(e *compute.ServiceEvent) []string {
		return []string{e.Account, e.Region, e.Cluster, e.Service, Stamp(e.At), e.ID}
	},
}

// ServiceDeploymentsByAge: account, region, cluster, service, stamp that sorts the
// newest first.
const ServiceDeploymentsByAge = "ecs/servicedeployment@age"

// ServiceDeployments keeps deployment records by account, region, cluster,
// service, id.
var ServiceDeployments = store.Table[compute.ServiceDeployment]{
	Name: "ecs/servicedeployment",
	Key: func(d *compute.ServiceDeployment) []string {
		return []string{d.Account, d.Region, d.Cluster, d.Service, d.ID}
	},
	Indexes: []store.Index[compute.ServiceDeployment]{
		{Name: ServiceDeploymentsByAge, Keys: func(d *compute.ServiceDeployment) [][]string {
			return [][]string{{d.Account, d.Region, d.Cluster, d.Service, NewestFirst(d.CreatedAt)}}
		}},
	},
}

// RunTokensByAge: account, region, stamp.
const RunTokensByAge = "ecs/runtoken@age"

// RunTokens keeps the client tokens of RunTask by account, region, cluster, token.
var RunTokens = store.Table[compute.RunToken]{
	Name: "ecs/runtoken",
	Key:  func(r *compute.RunToken) []string { return []string{r.Account, r.Region, r.Cluster, r.Token} },
	Indexes: []store.Index[compute.RunToken]{
		{Name: RunTokensByAge, Keys: func(r *compute.RunToken) [][]string {
			return [][]string{{r.Account, r.Region, Stamp(r.At)}}
		}},
	},
}

// ServiceRevisions keeps service revisions by account, region, cluster, service, id.
var ServiceRevisions = store.Table[compute.ServiceRevision]{
	Name: "ecs/servicerevision",
	Key: func(r *compute.ServiceRevision) []string {
		return []string{r.Account, r.Region, r.Cluster, r.Service, r.ID}
	},
}

// InstancesByStatus: account, region, cluster, status.
const InstancesByStatus = "ecs/instance@status"

// Instances keeps container instances by account, region, cluster, id.
var Instances = store.Table[compute.Instance]{
	Name: "ecs/instance",
	Key:  func(i *compute.Instance) []string { return []string{i.Account, i.Region, i.Cluster, i.ID} },
	Indexes: []store.Index[compute.Instance]{
		{Name: InstancesByStatus, Keys: func(i *compute.Instance) [][]string {
			return [][]string{{i.Account, i.Region, i.Cluster, i.Status}}
		}},
	},
}

// AccountSettings keeps account settings by account, region, name, principal.
var AccountSettings = store.Table[compute.AccountSetting]{
	Name: "ecs/setting",
	Key: func(s *compute.AccountSetting) []string {
		return []string{s.Account, s.Region, s.Name, s.Principal}
	},
}
