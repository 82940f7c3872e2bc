// Package definition answers the ECS operations on task definitions.
//
// What a registration must satisfy is a list of pure checks over the definition as
// it would be stored (validate.go, container.go, fargate.go); what ECS derives from
// it is in derive.go.
package definition

import (
	"context"
	"encoding/json"
	"time"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/internal/convert"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
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

var (
	fromInput = convert.Func[taskdef.Definition, ecs.RegisterTaskDefinitionInput]()
	toWire    = convert.Func[ecs.TaskDefinition, taskdef.Definition]()
)

// view shows a stored definition as answers have it.
func view(d *taskdef.Definition) *ecs.TaskDefinition {
	w := toWire(d)
	w.TaskDefinitionArn = new(d.ARN())
	return &w
}

// maxDefinition bounds a stored definition, in bytes. Source: Amazon ECS service
// quotas.
const maxDefinition = 64 << 10

// RegisterTaskDefinition stores a new revision of a family.
func (h *Handler) RegisterTaskDefinition(ctx context.Context, in *ecs.RegisterTaskDefinitionInput) (*ecs.RegisterTaskDefinitionOutput, error) {
	if err := given(in); err != nil {
		return nil, err
	}
	caller := auth.CallerFrom(ctx)
	tags, err := tag.Read(in.Tags)
	if err != nil {
		return nil, err
	}
	d := read(in)
	d.Account, d.Region = caller.Account, caller.Region
	if err := prepare(&d); err != nil {
		return nil, err
	}
	d.Tags = tags
	d.Status = compute.Active
	d.RegisteredAt = h.now()
	d.RegisteredBy = caller.ARN
	err = h.deps.Store.Update(ctx, func(tx store.Tx) error {
		f, _, err := tables.Families.Find(tx, d.Account, d.Region, d.Family)
		if err != nil {
			return err
		}
		f.Account, f.Region, f.Name = d.Account, d.Region, d.Family
		f.Last++
		f.Active++
		f.LatestActive = f.Last
		d.Revision = f.Last
		if err := tables.Families.Put(tx, &f); err != nil {
			return err
		}
		if err := tables.TaskDefinitions.Put(tx, &d); err != nil {
			return err
		}
		return bounded(tx, &d)
	})
	if err != nil {
		return nil, err
	}
	out := &ecs.RegisterTaskDefinitionOutput{TaskDefinition: view(&d)}
	if len(tags) > 0 {
		out.Tags = tag.Show(tags)
	}
	return out, nil
}

// bounded refuses a definition that was put and that is too long without what ECS adds to
// it. As it was put it is longer, so that most need not be written out again.
func bounded(tx store.Tx, put *taskdef.Definition) error {
	v, err := tx.Get(store.Key(tables.TaskDefinitions.Name, tables.TaskDefinitions.Key(put)...))
	if err != nil || len(v.Bytes()) <= maxDefinition {
		return err
	}
	d := *put
	d.Tags, d.Status, d.RegisteredAt, d.RegisteredBy, d.Revision = nil, "", time.Time{}, "", 0
	b, err := json.Marshal(&d)
	if err == nil && len(b) > maxDefinition {
		err = refuse("Actual length: '%d'. Max allowed length is '%d' bytes.", len(b), maxDefinition)
	}
	return err
}

var registerTaskDefinitionHas = check.Required[ecs.RegisterTaskDefinitionInput]()

// given refuses a request that lacks a required member; two of them have texts of
// their own.
func given(in *ecs.RegisterTaskDefinitionInput) error {
	if deref(in.Family) == "" {
		return refuse("Family can not be blank.")
	}
	if len(in.ContainerDefinitions) == 0 {
		return refuse("Container list cannot be empty.")
	}
	return registerTaskDefinitionHas(in)
}

// read takes a definition from a request.
func read(in *ecs.RegisterTaskDefinitionInput) taskdef.Definition {
	d := fromInput(in)
	d.Tags = nil
	for i, c := range in.ContainerDefinitions {
		d.ContainerDefinitions[i].Essential = c.Essential == nil || *c.Essential
	}
	return d
}

// prepare checks a definition, fills in ECS's defaults and derives what ECS
// derives. It is pure.
func prepare(d *taskdef.Definition) error {
	if err := validate(d); err != nil {
		return err
	}
	materialise(d)
	if err := validatePorts(d); err != nil {
		return err
	}
	compatible, err := compatibilities(d)
	if err != nil {
		return err
	}
	d.Compatibilities = compatible
	d.RequiresAttributes = requiresAttributes(d)
	return nil
}

// now is the current time as ECS keeps it, to the millisecond.
func (h *Handler) now() time.Time { return h.deps.Now().UTC().Truncate(time.Millisecond) }

var describeTaskDefinitionHas = check.Required[ecs.DescribeTaskDefinitionInput]()

// DescribeTaskDefinition returns a revision, or a family's latest ACTIVE one.
func (h *Handler) DescribeTaskDefinition(ctx context.Context, in *ecs.DescribeTaskDefinitionInput) (*ecs.DescribeTaskDefinitionOutput, error) {
	if err := describeTaskDefinitionHas(in); err != nil {
		return nil, err
	}
	for _, word := range in.Include {
		if word != "TAGS" {
			return nil, ecs.ClientException(word + " is not a valid value for include. The value must be one of [[TAGS]]")
		}
	}
	t := ref.Of(auth.CallerFrom(ctx))
	id, err := t.Definition(deref(in.TaskDefinition))
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeTaskDefinitionOutput{Tags: []ecs.Tag{}}
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		d, ok, err := lookup.Definition(tx, t, id)
		if err != nil {
			return err
		}
		if !ok {
			return ecs.ClientException("Unable to describe task definition.")
		}
		out.TaskDefinition = view(&d)
		if len(in.Include) > 0 {
			out.Tags = tag.Show(d.Tags)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

const (
	missing = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
	active  = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
	invalid = "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."
)

var deregisterTaskDefinitionHas = check.Required[ecs.DeregisterTaskDefinitionInput]()

// DeregisterTaskDefinition makes a revision INACTIVE. Tasks and services that use
// it go on.
func (h *Handler) DeregisterTaskDefinition(ctx context.Context, in *ecs.DeregisterTaskDefinitionInput) (*ecs.DeregisterTaskDefinitionOutput, error) {
	if err := deregisterTaskDefinitionHas(in); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	id, err := t.Definition(deref(in.TaskDefinition))
	if err != nil {
		return nil, err
	}
	if id.Revision == 0 {
		return nil, ecs.InvalidParameterException("Revision is missing")
	}
	var shown *ecs.TaskDefinition
	err = h.deps.Store.Update(ctx, func(tx store.Tx) error {
		d, ok, err := lookup.Definition(tx, t, id)
		switch {
		case err != nil:
			return err
		case !ok:
			return ecs.ClientException(missing)
		case d.Status == taskdef.DeleteInProgress:
			return ecs.ClientException("The task definition could not be deregistered because it is in the process of being deleted.")
		case d.Status == compute.Inactive:
			shown = view(&d)
			shown.PreviousStatus = new(compute.Inactive)
			return nil
		}
		d.Status = compute.Inactive
		shown = view(&d)
		shown.PreviousStatus = new(compute.Active)
		d.DeregisteredAt = h.now()
		if err := tables.TaskDefinitions.Put(tx, &d); err != nil {
			return err
		}
		return retire(tx, &d)
	})
	if err != nil {
		return nil, err
	}
	return &ecs.DeregisterTaskDefinitionOutput{TaskDefinition: shown}, nil
}

// retire takes a revision that is no longer ACTIVE out of its family's count.
func retire(tx store.Tx, d *taskdef.Definition) error {
	f, err := tables.Families.Get(tx, d.Account, d.Region, d.Family)
	if err != nil {
		return err
	}
	f.Active--
	if f.LatestActive == d.Revision {
		f.LatestActive = 0
		for _, at := range keys(tx, d.Account, d.Region, compute.Active, d.Family, "", 0) {
			f.LatestActive = max(f.LatestActive, at.Revision)
		}
	}
	return tables.Families.Put(tx, &f)
}

var deleteTaskDefinitionsHas = check.Required[ecs.DeleteTaskDefinitionsInput]()

// DeleteTaskDefinitions starts the deletion of INACTIVE revisions.
func (h *Handler) DeleteTaskDefinitions(ctx context.Context, in *ecs.DeleteTaskDefinitionsInput) (*ecs.DeleteTaskDefinitionsOutput, error) {
	if err := deleteTaskDefinitionsHas(in); err != nil {
		return nil, err
	}
	if err := check.Given("Task definitions", len(in.TaskDefinitions)); err != nil {
		return nil, err
	}
	if err := check.AtMost("task definitions", len(in.TaskDefinitions), 10); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	var out *ecs.DeleteTaskDefinitionsOutput
	err := h.deps.Store.Update(ctx, func(tx store.Tx) error {
		out = &ecs.DeleteTaskDefinitionsOutput{Failures: []ecs.Failure{}, TaskDefinitions: []ecs.TaskDefinition{}}
		for _, s := range in.TaskDefinitions {
			w, reason, err := h.remove(tx, t, s)
			if err != nil {
				return err
			}
			if reason != "" {
				out.Failures = append(out.Failures, ecs.Failure{Arn: &s, Reason: &reason})
				continue
			}
			out.TaskDefinitions = append(out.TaskDefinitions, *w)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// remove marks the definition s points at as being deleted, or says why it is not.
func (h *Handler) remove(tx store.Tx, t ref.Tenant, s string) (w *ecs.TaskDefinition, reason string, err error) {
	id, err := t.Definition(s)
	if err != nil || id.Revision == 0 {
		return nil, invalid, nil
	}
	d, ok, err := lookup.Definition(tx, t, id)
	switch {
	case err != nil:
		return nil, "", err
	case !ok:
		return nil, missing, nil
	case d.Status == compute.Active:
		return nil, active, nil
	}
	was := d.Status
	if was == compute.Inactive {
		d.Status = taskdef.DeleteInProgress
		d.DeleteRequestedAt = h.now()
		if err := tables.TaskDefinitions.Put(tx, &d); err != nil {
			return nil, "", err
		}
	}
	w = view(&d)
	w.PreviousStatus = &was
	return w, "", nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
