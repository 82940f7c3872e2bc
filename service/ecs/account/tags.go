package account

import (
	"context"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/strategy"
	"neargate/service/ecs/internal/tag"
	"neargate/store"
	"neargate/store/tables"
)

// tagged is a resource that was found by its ARN: its tags, and how to store the
// resource with others. save is nil for what cannot be tagged.
type tagged struct {
	tags []compute.Tag
	save func([]compute.Tag) error
}

// resource finds what an ARN names, in the state in which ECS lets tags be seen and
// changed.
func resource(tx store.Tx, t ref.Tenant, s *string) (tagged, error) {
	a, err := arn.Parse(deref(s))
	if err != nil || a.Service != "ecs" {
		return tagged{}, invalid("The ARN provided is invalid")
	}
	path := a.Path()
	switch path[0] {
	case "cluster":
		return clusterTags(tx, t, s)
	case "task-definition":
		return definitionTags(tx, t, *s)
	case "capacity-provider":
		return providerTags(t, *s)
	case "service", "task", "container-instance":
		if len(path) < 3 {
			return tagged{}, invalid("Long arn format must be used for tagging operations")
		}
		return memberTags(tx, t, path[0], path[1], *s)
	}
	return tagged{}, invalid("The ARN provided is invalid")
}

func clusterTags(tx store.Tx, t ref.Tenant, s *string) (tagged, error) {
	name, err := t.Cluster(s)
	if err != nil {
		return tagged{}, err
	}
	c, ok, err := tables.Clusters.Find(tx, t.Account, t.Region, name)
	switch {
	case err != nil:
		return tagged{}, err
	case !ok:
		return tagged{}, ecs.ClusterNotFoundException("Cluster not found.")
	case c.Status != compute.Active:
		return tagged{}, invalid("The specified cluster is inactive. Specify an active cluster and try again.")
	}
	return tagged{c.Tags, func(tags []compute.Tag) error {
		c.Tags = tags
		return tables.Clusters.Put(tx, &c)
	}}, nil
}

func definitionTags(tx store.Tx, t ref.Tenant, s string) (tagged, error) {
	id, err := t.Definition(s)
	if err != nil {
		return tagged{}, err
	}
	if id.Revision == 0 {
		return tagged{}, invalid("Revision is missing")
	}
	d, ok, err := lookup.Definition(tx, t, id)
	if err != nil || !ok {
		return tagged{}, orAbsent("task definition", err)
	}
	return tagged{d.Tags, func(tags []compute.Tag) error {
		d.Tags = tags
		return tables.TaskDefinitions.Put(tx, &d)
	}}, nil
}

// providerTags finds the capacity providers of Fargate, which nobody can tag.
func providerTags(t ref.Tenant, s string) (tagged, error) {
	for _, name := range []string{compute.Fargate, compute.FargateSpot} {
		if s == strategy.ProviderARN(t.Account, t.Region, name) {
			return tagged{}, nil
		}
	}
	return tagged{}, orAbsent("capacity provider", nil)
}

// memberTags finds a service, a task or a container instance of a cluster.
func memberTags(tx store.Tx, t ref.Tenant, kind, cluster, s string) (tagged, error) {
	if err := ref.CheckName("Cluster", cluster); err != nil {
		return tagged{}, err
	}
	switch kind {
	case "service":
		name, err := t.Service(cluster, s)
		if err != nil {
			return tagged{}, err
		}
		r, ok, err := tables.Services.Find(tx, t.Account, t.Region, cluster, name)
		if err != nil || !ok {
			return tagged{}, orAbsent(kind, err)
		}
		if r.Status == compute.Inactive {
			return tagged{}, invalid("The specified service is inactive. Specify an active service and try again.")
		}
		return tagged{r.Tags, func(tags []compute.Tag) error { r.Tags = tags; return tables.Services.Put(tx, &r) }}, nil
	case "task":
		id, err := t.Task(cluster, s)
		if err != nil {
			return tagged{}, err
		}
		r, ok, err := tables.Tasks.Find(tx, t.Account, t.Region, cluster, id)
		if err != nil || !ok {
			return tagged{}, orAbsent(kind, err)
		}
		if r.State.Last == compute.Stopped {
			return tagged{}, invalid("The specified task is stopped. Specify a running task and try again.")
		}
		return tagged{r.Tags, func(tags []compute.Tag) error { r.Tags = tags; return tables.Tasks.Put(tx, &r) }}, nil
	}
	r, ok, err := lookup.Instance(tx, t, cluster, s)
	if err != nil || !ok {
		return tagged{}, orAbsent("container instance", err)
	}
	if r.Status == compute.Inactive {
		return tagged{}, invalid("The specified container instance is inactive. Specify an active container instance and try again.")
	}
	return tagged{r.Tags, func(tags []compute.Tag) error { r.Tags = tags; return tables.Instances.Put(tx, &r) }}, nil
}

// orAbsent returns err, or without one the error for a resource that was not found.
func orAbsent(kind string, err error) error {
	if err != nil {
		return err
	}
	return invalid("The specified " + kind + " was not found. Specify a valid " + kind + " and try again.")
}

// change replaces the tags of the resource by what f makes of them.
func (h *Handler) change(ctx context.Context, s *string, f func([]compute.Tag) ([]compute.Tag, error)) error {
	t := ref.Of(auth.CallerFrom(ctx))
	return h.deps.Store.Update(ctx, func(tx store.Tx) error {
		r, err := resource(tx, t, s)
		if err != nil {
			return err
		}
		if r.save == nil {
			return invalid("The FARGATE and FARGATE_SPOT capacity providers cannot be tagged.")
		}
		tags, err := f(r.tags)
		if err != nil {
			return err
		}
		return r.save(tags)
	})
}

var tagResourceHas = check.Required[ecs.TagResourceInput]()

// TagResource adds tags to a resource; they win over tags with the same keys.
func (h *Handler) TagResource(ctx context.Context, in *ecs.TagResourceInput) (*ecs.TagResourceOutput, error) {
	if err := tagResourceHas(in); err != nil {
		return nil, err
	}
	added, err := tag.Read(in.Tags)
	if err != nil {
		return nil, err
	}
	err = h.change(ctx, in.ResourceArn, func(tags []compute.Tag) ([]compute.Tag, error) { return tag.Merge(tags, added) })
	if err != nil {
		return nil, err
	}
	return &ecs.TagResourceOutput{}, nil
}

var untagResourceHas = check.Required[ecs.UntagResourceInput]()

// UntagResource takes tags away; keys the resource does not have are ignored.
func (h *Handler) UntagResource(ctx context.Context, in *ecs.UntagResourceInput) (*ecs.UntagResourceOutput, error) {
	if err := untagResourceHas(in); err != nil {
		return nil, err
	}
	err := h.change(ctx, in.ResourceArn, func(tags []compute.Tag) ([]compute.Tag, error) { return tag.Without(tags, in.TagKeys), nil })
	if err != nil {
		return nil, err
	}
	return &ecs.UntagResourceOutput{}, nil
}

var listTagsForResourceHas = check.Required[ecs.ListTagsForResourceInput]()

// ListTagsForResource lists the tags of a resource.
func (h *Handler) ListTagsForResource(ctx context.Context, in *ecs.ListTagsForResourceInput) (*ecs.ListTagsForResourceOutput, error) {
	if err := listTagsForResourceHas(in); err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	var out *ecs.ListTagsForResourceOutput
	err := h.deps.Store.View(ctx, func(tx store.Tx) error {
		r, err := resource(tx, t, in.ResourceArn)
		out = &ecs.ListTagsForResourceOutput{Tags: tag.Show(r.tags)}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
