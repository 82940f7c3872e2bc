package account

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
	"neargate/store/tables"
)

// Limits of attributes. Source: Attribute API reference and PutAttributes.
const (
	maxRequest = 10 // attributes in a request
	maxCustom  = 10 // custom attributes of a container instance
)

var (
	attributeName  = regexp.MustCompile(`^[a-zA-Z0-9_./\\-]{1,128}$`)
	attributeValue = regexp.MustCompile(`^[a-zA-Z0-9_.@:/\\-](?:[a-zA-Z0-9_.@:/\\ -]{0,126}[a-zA-Z0-9_.@:/\\-])?$`)
)

// builtIn reports whether ECS gave an attribute to the instance.
func builtIn(name string) bool {
	return strings.HasPrefix(name, "ecs.") || strings.HasPrefix(name, "com.amazonaws.ecs.")
}

// validAttribute checks an attribute of a request. It is pure.
func validAttribute(a ecs.Attribute) error {
	switch {
	case !attributeName.MatchString(deref(a.Name)):
		return invalid("The attribute name '" + deref(a.Name) + "' is invalid.")
	case a.Value != nil && *a.Value != "" && !attributeValue.MatchString(*a.Value):
		return invalid("The attribute value '" + *a.Value + "' is invalid.")
	case deref(a.TargetId) == "":
		return invalid("The target ID of the attribute is missing.")
	}
	return check.OneOf("target type", a.TargetType, "container-instance")
}

// edit runs f on the container instance of every attribute in the request, which f
// changes, and returns the attributes with the ARNs of their targets.
func (h *Handler) edit(ctx context.Context, cluster *string, attributes []ecs.Attribute, f func(*compute.Instance, ecs.Attribute) error) ([]ecs.Attribute, error) {
	if err := check.Given("Attributes", len(attributes)); err != nil {
		return nil, err
	}
	if err := check.AtMost("attributes", len(attributes), maxRequest); err != nil {
		return nil, err
	}
	for _, a := range attributes {
		if err := validAttribute(a); err != nil {
			return nil, err
		}
	}
	t := ref.Of(auth.CallerFrom(ctx))
	var shown []ecs.Attribute
	err := h.deps.Store.Update(ctx, func(tx store.Tx) error {
		shown = []ecs.Attribute{}
		c, err := lookup.Cluster(tx, t, cluster)
		if err != nil {
			return err
		}
		for _, a := range attributes {
			i, ok, err := lookup.Instance(tx, t, c.Name, *a.TargetId)
			if err != nil {
				return err
			}
			if !ok || i.Status == compute.Inactive {
				return ecs.TargetNotFoundException("The specified target was not found. Specify a valid target and try again.")
			}
			i.Attributes = slices.Clone(i.Attributes)
			if err := f(&i, a); err != nil {
				return err
			}
			if err := tables.Instances.Put(tx, &i); err != nil {
				return err
			}
			shown = append(shown, ecs.Attribute{Name: a.Name, TargetId: new(i.ARN()), TargetType: a.TargetType, Value: a.Value})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return shown, nil
}

var putAttributesHas = check.Required[ecs.PutAttributesInput]()

// PutAttributes sets attributes of container instances.
func (h *Handler) PutAttributes(ctx context.Context, in *ecs.PutAttributesInput) (*ecs.PutAttributesOutput, error) {
	if err := putAttributesHas(in); err != nil {
		return nil, err
	}
	shown, err := h.edit(ctx, in.Cluster, in.Attributes, func(i *compute.Instance, a ecs.Attribute) error {
		set := compute.Attribute{Name: *a.Name, Value: a.Value}
		if at := named(i.Attributes, set.Name); at >= 0 {
			i.Attributes[at] = set
			return nil
		}
		custom := 0
		for _, old := range i.Attributes {
			if !builtIn(old.Name) {
				custom++
			}
		}
		if custom >= maxCustom {
			return ecs.AttributeLimitExceededException("You can apply up to 10 custom attributes for each resource.")
		}
		i.Attributes = append(i.Attributes, set)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.PutAttributesOutput{Attributes: shown}, nil
}

var deleteAttributesHas = check.Required[ecs.DeleteAttributesInput]()

// DeleteAttributes takes attributes from container instances; those an instance
// does not have are ignored.
func (h *Handler) DeleteAttributes(ctx context.Context, in *ecs.DeleteAttributesInput) (*ecs.DeleteAttributesOutput, error) {
	if err := deleteAttributesHas(in); err != nil {
		return nil, err
	}
	shown, err := h.edit(ctx, in.Cluster, in.Attributes, func(i *compute.Instance, a ecs.Attribute) error {
		at := named(i.Attributes, *a.Name)
		if at >= 0 && (a.Value == nil || deref(i.Attributes[at].Value) == *a.Value) {
			i.Attributes = slices.Delete(i.Attributes, at, at+1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.DeleteAttributesOutput{Attributes: shown}, nil
}

func named(attributes []compute.Attribute, name string) int {
	return slices.IndexFunc(attributes, func(a compute.Attribute) bool { return a.Name == name })
}

var listAttributesHas = check.Required[ecs.ListAttributesInput]()

// ListAttributes lists the attributes of a cluster's container instances, by
// instance and name.
func (h *Handler) ListAttributes(ctx context.Context, in *ecs.ListAttributesInput) (*ecs.ListAttributesOutput, error) {
	if err := listAttributesHas(in); err != nil {
		return nil, err
	}
	size, err := check.PageSize(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	if err := check.OneOf("target type", in.TargetType, "container-instance"); err != nil {
		return nil, err
	}
	if in.AttributeValue != nil && in.AttributeName == nil {
		return nil, invalid("The attribute name must be specified with the attribute value.")
	}
	t := ref.Of(auth.CallerFrom(ctx))
	scope := []string{t.Account, t.Region, "ListAttributes", deref(in.Cluster), deref(in.AttributeName), deref(in.AttributeValue)}
	last, err := check.Position(h.seal, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	lastID, lastName, _ := strings.Cut(last, " ")
	var found []ecs.Attribute
	var at []string // position of each attribute found
	err = h.deps.Store.View(ctx, func(tx store.Tx) error {
		found, at = nil, nil
		c, err := lookup.Cluster(tx, t, in.Cluster)
		if err != nil {
			return err
		}
		for i, err := range tables.Instances.List(tx, t.Account, t.Region, c.Name) {
			if err != nil {
				return err
			}
			if i.Status == compute.Inactive || i.ID < lastID || len(found) > size {
				continue
			}
			for _, a := range sorted(i.Attributes) {
				if (i.ID == lastID && a.Name <= lastName) || !wanted(in, a) {
					continue
				}
				found = append(found, ecs.Attribute{Name: &a.Name, TargetId: new(i.ARN()), TargetType: in.TargetType, Value: a.Value})
				at = append(at, i.ID+" "+a.Name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown, end := check.Page(found, size)
	out := &ecs.ListAttributesOutput{Attributes: append([]ecs.Attribute{}, shown...)}
	if end != nil {
		out.NextToken = new(h.seal.Seal(at[len(shown)-1], scope...))
	}
	return out, nil
}

// wanted reports whether an attribute has the asked name and value.
func wanted(in *ecs.ListAttributesInput, a compute.Attribute) bool {
	return (in.AttributeName == nil || *in.AttributeName == a.Name) &&
		(in.AttributeValue == nil || *in.AttributeValue == deref(a.Value))
}

func sorted(attributes []compute.Attribute) []compute.Attribute {
	return slices.SortedFunc(slices.Values(attributes), func(a, b compute.Attribute) int { return cmp.Compare(a.Name, b.Name) })
}
