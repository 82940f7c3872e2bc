// Package instance answers the ECS operations on container instances. It keeps
// records: no agent ever connects to this ECS, so that agentConnected is always
// false and nothing is placed on an instance.
package instance

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/tag"
	"neargate/service/internal/page"
	"neargate/store"
	"neargate/store/tables"
)

// Handler answers the operations.
type Handler struct {
	deps service.Deps
	seal *page.Sealer
}

// New returns a handler.
func New(deps service.Deps) *Handler {
	return &Handler{deps, page.NewSealer(deps.TokenKey)}
}

var registerContainerInstanceHas = check.Required[ecs.RegisterContainerInstanceInput]()

// RegisterContainerInstance records an instance, or renews the record of one that
// containerInstanceArn names. The identity document is read but its signature is
// not proven: it is evidence of an EC2 instance, of which there are none here.
func (h *Handler) RegisterContainerInstance(ctx context.Context, in *ecs.RegisterContainerInstanceInput) (*ecs.RegisterContainerInstanceOutput, error) {
	if err := registerContainerInstanceHas(in); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	wanted, err := requested(in)
	if err != nil {
		return nil, err
	}
	wanted.Account, wanted.Region = t.Account, t.Region
	wanted.ID = h.deps.IDs.Hex(32)
	wanted.RegisteredAt = h.deps.Now().UTC().Truncate(time.Millisecond)
	var shown ecs.ContainerInstance
	err = h.deps.Store.Update(ctx, func(tx store.Tx) error {
		c, err := lookup.Cluster(tx, t, in.Cluster)
		if err != nil {
			return err
		}
		i := wanted
		i.Cluster = c.Name
		if in.ContainerInstanceArn != nil {
			old, err := find(tx, t, c.Name, *in.ContainerInstanceArn)
			if err != nil {
				return err
			}
			i = renewed(old, wanted)
		}
		if err := tables.Instances.Put(tx, &i); err != nil {
			return err
		}
		shown = view(&i, counts{}, include{tags: true})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.RegisterContainerInstanceOutput{ContainerInstance: &shown}, nil
}

// identity is what is read of an EC2 instance identity document.
type identity struct {
	InstanceID, InstanceType, AvailabilityZone, ImageID, Architecture string
}

// requested checks a registration and returns the instance it describes. It is
// pure.
func requested(in *ecs.RegisterContainerInstanceInput) (i compute.Instance, err error) {
	i = compute.Instance{Status: compute.Active, Version: 1}
	if in.InstanceIdentityDocument == nil {
		return i, ecs.ClientException("Instance identity document can not be blank.")
	}
	if in.InstanceIdentityDocumentSignature == nil {
		return i, ecs.ClientException("Instance identity document signature can not be blank.")
	}
	var id identity
	if err := json.Unmarshal([]byte(*in.InstanceIdentityDocument), &id); err != nil || id.InstanceID == "" {
		return i, ecs.ClientException("Instance identity document is invalid.")
	}
	if len(in.PlatformDevices) > 0 {
		return i, ecs.ClientException("The 'platformDevices' parameter is not supported in this Region (accelerator devices are not available). Remove the parameter and try again.")
	}
	i.EC2ID = id.InstanceID
	i.Attributes = attributes(in.Attributes, id)
	for _, r := range in.TotalResources {
		a, err := amount(r)
		if err != nil {
			return i, err
		}
		i.Registered = append(i.Registered, a)
	}
	i.Remaining = i.Registered
	if v := in.VersionInfo; v != nil {
		i.AgentVersion, i.AgentHash, i.DockerVersion = deref(v.AgentVersion), deref(v.AgentHash), deref(v.DockerVersion)
	}
	i.Tags, err = tag.Read(in.Tags)
	return i, err
}

// attributes are what the agent told and what ECS adds from the identity.
func attributes(told []ecs.Attribute, id identity) []compute.Attribute {
	var out []compute.Attribute
	for _, a := range told {
		out = append(out, compute.Attribute{Name: deref(a.Name), Value: a.Value})
	}
	for _, a := range []struct{ name, value string }{
		{"ecs.availability-zone", id.AvailabilityZone}, {"ecs.instance-type", id.InstanceType},
		{"ecs.ami-id", id.ImageID}, {"ecs.cpu-architecture", id.Architecture},
	} {
		has := slices.ContainsFunc(out, func(o compute.Attribute) bool { return o.Name == a.name })
		if a.value != "" && !has {
			out = append(out, compute.Attribute{Name: a.name, Value: &a.value})
		}
	}
	return out
}

func amount(r ecs.Resource) (compute.Amount, error) {
	if err := check.OneOf("resource type", r.Type, "INTEGER", "DOUBLE", "LONG", "STRINGSET"); err != nil {
		return compute.Amount{}, err
	}
	return compute.Amount{
		Name: deref(r.Name), Type: deref(r.Type), Integer: deref(r.IntegerValue), Long: deref(r.LongValue),
		Double: deref(r.DoubleValue), Set: r.StringSetValue,
	}, nil
}

// renewed is the record old after its agent registered again.
func renewed(old, wanted compute.Instance) compute.Instance {
	old.Status = compute.Active
	old.Version++
	old.EC2ID = wanted.EC2ID
	old.Registered, old.Remaining = wanted.Registered, wanted.Remaining
	old.AgentVersion, old.AgentHash, old.DockerVersion = wanted.AgentVersion, wanted.AgentHash, wanted.DockerVersion
	merged := slices.Clone(wanted.Attributes)
	for _, a := range old.Attributes {
		if !slices.ContainsFunc(merged, func(m compute.Attribute) bool { return m.Name == a.Name }) {
			merged = append(merged, a)
		}
	}
	old.Attributes = merged
	return old
}

// find returns the container instance s points at, of any status.
func find(tx store.Tx, t ref.Tenant, cluster, s string) (compute.Instance, error) {
	i, ok, err := lookup.Instance(tx, t, cluster, s)
	if err == nil && !ok {
		err = ecs.InvalidParameterException("The referenced container instance was not found.")
	}
	return i, err
}

// forced is the reason of tasks whose instance was taken away. Source: Stopped task
// error codes, Amazon ECS Developer Guide.
const forced = "Container instance deregistration forced by user"

var deregisterContainerInstanceHas = check.Required[ecs.DeregisterContainerInstanceInput]()

// DeregisterContainerInstance makes an instance INACTIVE. With force its tasks are
// told to stop.
func (h *Handler) DeregisterContainerInstance(ctx context.Context, in *ecs.DeregisterContainerInstanceInput) (*ecs.DeregisterContainerInstanceOutput, error) {
	if err := deregisterContainerInstanceHas(in); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	now := h.deps.Now().UTC().Truncate(time.Millisecond)
	var shown ecs.ContainerInstance
	err := h.deps.Store.Update(ctx, func(tx store.Tx) error {
		c, err := lookup.Cluster(tx, t, in.Cluster)
		if err != nil {
			return err
		}
		i, err := find(tx, t, c.Name, deref(in.ContainerInstance))
		if err != nil {
			return err
		}
		tasks, err := hosted(tx, &c, i.ID)
		if err != nil {
			return err
		}
		if len(tasks) > 0 && !deref(in.Force) {
			return ecs.InvalidParameterException("Found running tasks on the instance.")
		}
		for _, task := range tasks {
			if task.Intent.Desired == compute.Stopped {
				continue
			}
			task.Intent = compute.Intent{Desired: compute.Stopped, StopCode: compute.UserInitiated, StopReason: forced, StoppingAt: now}
			if err := tables.Tasks.Put(tx, &task); err != nil {
				return err
			}
		}
		i.Status = compute.Inactive
		i.Version++
		if err := tables.Instances.Put(tx, &i); err != nil {
			return err
		}
		shown = view(&i, counts{}, include{})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.DeregisterContainerInstanceOutput{ContainerInstance: &shown}, nil
}

// hosted returns the tasks of an instance that have not stopped.
func hosted(tx store.Tx, c *compute.Cluster, id string) ([]compute.Task, error) {
	var on []compute.Task
	for _, launch := range []string{"EC2", "EXTERNAL"} {
		for t, err := range tables.Tasks.By(tx, tables.TasksByState, c.Account, c.Region, c.Name, launch) {
			if err != nil {
				return nil, err
			}
			if t.Spec.Instance == id {
				on = append(on, t)
			}
		}
	}
	return on, nil
}

var updateContainerInstancesStateHas = check.Required[ecs.UpdateContainerInstancesStateInput]()

// UpdateContainerInstancesState sets instances to ACTIVE or DRAINING.
func (h *Handler) UpdateContainerInstancesState(ctx context.Context, in *ecs.UpdateContainerInstancesStateInput) (*ecs.UpdateContainerInstancesStateOutput, error) {
	if err := updateContainerInstancesStateHas(in); err != nil {
		return nil, err
	}
	if err := check.Given("Container instances", len(in.ContainerInstances)); err != nil {
		return nil, err
	}
	if err := check.AtMost("instanceIds", len(in.ContainerInstances), 10); err != nil {
		return nil, err
	}
	if err := check.OneOf("status", in.Status, compute.Active, compute.Draining); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	out := &ecs.UpdateContainerInstancesStateOutput{}
	err := h.deps.Store.Update(ctx, func(tx store.Tx) error {
		shown, failures, err := each(tx, t, in.Cluster, in.ContainerInstances, include{}, func(i *compute.Instance) (string, error) {
			if i.Status == compute.Inactive {
				return compute.Inactive, nil
			}
			i.Status = *in.Status
			i.Version++
			return "", tables.Instances.Put(tx, i)
		})
		out.ContainerInstances, out.Failures = shown, failures
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
