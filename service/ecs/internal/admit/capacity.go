// Package admit checks what requests say about the tasks they want to run: which
// definition, on what capacity, in which network, with what overrides. What needs
// no records is pure.
package admit

import (
	"slices"

	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/resource/compute/taskdef"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/query"
	"neargate/service/ecs/internal/ref"
	"neargate/store"
)

// maxProviders is how many capacity providers a strategy may name.
// Source: Amazon ECS API Reference, CreateService.
const maxProviders = 20

// Definition returns the task definition that new tasks are made from.
func Definition(tx store.Tx, t ref.Tenant, s string) (taskdef.Definition, error) {
	r, err := t.Definition(s)
	if err != nil {
		return taskdef.Definition{}, err
	}
	d, ok, err := lookup.Definition(tx, t, r)
	switch {
	case err != nil:
		return d, err
	case !ok:
		return d, ecs.ClientException("TaskDefinition not found.")
	case d.Status == taskdef.DeleteInProgress:
		return d, invalid("TaskDefinition is being deleted")
	case d.Status != compute.Active:
		return d, invalid("TaskDefinition is inactive")
	}
	return d, nil
}

// Capacity is what tasks run on: a launch type or a strategy.
type Capacity struct {
	LaunchType string // "" with a strategy
	Strategy   []compute.StrategyItem
}

// Fargate reports whether it is AWS Fargate. All capacity providers are.
func (c Capacity) Fargate() bool { return c.LaunchType == compute.Fargate || len(c.Strategy) > 0 }

// Choose decides the capacity for a request: what it names, else the cluster's
// default strategy, else the launch type EC2.
func Choose(c *compute.Cluster, launchType *string, strategy []ecs.CapacityProviderStrategyItem) (Capacity, error) {
	if launchType != nil && len(strategy) > 0 {
		return Capacity{}, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if launchType != nil {
		if err := check.OneOf("launch type", launchType, LaunchTypes()...); err != nil {
			return Capacity{}, err
		}
		if !slices.Contains([]string{"EC2", compute.Fargate, "EXTERNAL"}, *launchType) {
			return Capacity{}, Unsupported("The " + *launchType + " launch type")
		}
		return Capacity{LaunchType: *launchType}, nil
	}
	items, err := Strategy(c, strategy)
	if err != nil {
		return Capacity{}, err
	}
	switch {
	case len(items) > 0:
		return Capacity{Strategy: items}, nil
	case len(c.DefaultStrategy) > 0 && !slices.ContainsFunc(c.DefaultStrategy, func(i compute.StrategyItem) bool { return i.Weight > 0 }):
		return Capacity{}, invalid("There are no capacity providers with a weight value greater than zero defined in the default capacity provider strategy. At least one capacity provider must have a weight value greater than zero specified. Update the cluster's default capacity provider strategy or specify a valid capacity provider strategy and try again.")
	case len(c.DefaultStrategy) > 0:
		return Capacity{Strategy: c.DefaultStrategy}, nil
	}
	return Capacity{LaunchType: "EC2"}, nil
}

// LaunchTypes are the launch types ECS knows, in the order it names them.
func LaunchTypes() []string {
	return []string{"EC2", compute.Fargate, "EXTERNAL", "FMI", "MANAGED_INSTANCES"}
}

// Strategy checks a capacity provider strategy against the cluster.
func Strategy(c *compute.Cluster, in []ecs.CapacityProviderStrategyItem) ([]compute.StrategyItem, error) {
	if len(in) > maxProviders {
		return nil, invalid("The specified capacity provider strategy can contain at most 20 capacity providers.")
	}
	var out []compute.StrategyItem
	bases, weight := 0, 0
	for _, i := range in {
		item := compute.StrategyItem{Provider: value(i.CapacityProvider), Base: int(value(i.Base)), Weight: int(value(i.Weight))}
		switch {
		case !slices.Contains(c.CapacityProviders, item.Provider):
			return nil, invalid("The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.")
		case slices.ContainsFunc(out, func(o compute.StrategyItem) bool { return o.Provider == item.Provider }):
			return nil, invalid("The specified capacity provider strategy cannot contain duplicate capacity providers. Remove the duplicates and try again.")
		case item.Base < 0 || item.Base > 100000:
			return nil, invalid("The base value of a capacity provider must be between 0 and 100000.")
		case item.Weight < 0 || item.Weight > 1000:
			return nil, invalid("The weight value of a capacity provider must be between 0 and 1000.")
		}
		if item.Base > 0 {
			bases++
		}
		weight += item.Weight
		out = append(out, item)
	}
	switch {
	case bases > 1:
		return nil, invalid("The specified capacity provider strategy can contain only one capacity provider with a base value greater than 0.")
	case len(out) > 0 && weight == 0:
		return nil, invalid("There are no capacity providers in the capacity provider strategy with a weight value greater than zero.")
	}
	return out, nil
}

// Runs refuses a definition that does not run on the capacity.
func (c Capacity) Runs(d *taskdef.Definition) error {
	switch {
	case len(c.Strategy) > 0 && !slices.Contains(d.Compatibilities, compute.Fargate):
		return invalid("The selected task definition is not compatible with the selected compute strategy.")
	case c.LaunchType != "" && !slices.Contains(d.Compatibilities, c.LaunchType):
		return invalid("Task definition does not support launch_type " + c.LaunchType + ".")
	case c.Fargate() && d.RuntimePlatform != nil && !slices.Contains([]string{"", "LINUX"}, value(d.RuntimePlatform.OperatingSystemFamily)):
		return ecs.PlatformTaskDefinitionIncompatibilityException("The specified platform does not satisfy the task definition's required capabilities.")
	}
	return volumes(d)
}

// volumes refuses volumes of services this installation lacks.
func volumes(d *taskdef.Definition) error {
	for _, v := range d.Volumes {
		switch {
		case v.EfsVolumeConfiguration != nil:
			return Unsupported("Amazon EFS")
		case v.FsxWindowsFileServerVolumeConfiguration != nil:
			return Unsupported("Amazon FSx for Windows File Server")
		case v.S3filesVolumeConfiguration != nil:
			return Unsupported("Amazon S3 Files")
		case value(v.ConfiguredAtLaunch):
			return Unsupported("Amazon EBS")
		}
	}
	return nil
}

// Latest is the platform version of a request that names none.
const Latest = "LATEST"

// platforms are the platform versions that exist.
var platforms = []string{Latest, "1.4.0"}

// Platform checks the platform version and returns it as it is shown, "" off Fargate.
func (c Capacity) Platform(asked *string) (string, error) {
	switch {
	case !c.Fargate() && value(asked) != "":
		return "", invalid("The platform version must be null when specifying an EC2 launch type.")
	case !c.Fargate():
		return "", nil
	case value(asked) == "":
		return Latest, nil
	case !slices.Contains(platforms, *asked):
		return "", ecs.PlatformUnknownException("The specified platform does not exist.")
	}
	return *asked, nil
}

// Placement checks placement constraints and strategies and returns them as they
// are stored.
func (c Capacity) Placement(constraints []ecs.PlacementConstraint, strategies []ecs.PlacementStrategy) (cs, ss []compute.Placement, err error) {
	switch {
	case c.Fargate() && len(constraints) > 0:
		return nil, nil, invalid("Placement constraints are not supported with FARGATE launch type.")
	case c.Fargate() && len(strategies) > 0:
		return nil, nil, invalid("Placement strategies are not supported with FARGATE launch type.")
	case len(constraints) > 10:
		return nil, nil, invalid("placementConstraints can have at most 10 items.")
	case len(strategies) > 5:
		return nil, nil, invalid("placementStrategy can have at most 5 items.")
	}
	for _, p := range constraints {
		if err := check.OneOf("placement constraint type", p.Type, "distinctInstance", "memberOf"); err != nil {
			return nil, nil, err
		}
		if _, err := query.Parse(value(p.Expression)); value(p.Type) == "memberOf" && err != nil {
			return nil, nil, invalid("Invalid placement constraint expression: " + err.Error())
		}
		cs = append(cs, compute.Placement{Type: value(p.Type), Expression: value(p.Expression)})
	}
	for _, p := range strategies {
		if err := check.OneOf("placement strategy type", p.Type, "random", "spread", "binpack"); err != nil {
			return nil, nil, err
		}
		ss = append(ss, compute.Placement{Type: value(p.Type), Field: value(p.Field)})
	}
	return cs, ss, nil
}

// Unsupported is the error for what needs a component this installation lacks.
func Unsupported(what string) error {
	return ecs.UnsupportedFeatureException(what + " is not supported in this Region.")
}

func invalid(message string) error { return ecs.InvalidParameterException(message) }

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
