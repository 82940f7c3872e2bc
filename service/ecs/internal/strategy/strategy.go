// Package strategy checks and shows capacity provider strategies and the capacity
// providers they are made of. It is pure.
package strategy

import (
	"fmt"
	"slices"

	"neargate/arn"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
)

// Limits of a strategy. Source: CapacityProviderStrategyItem API reference.
const (
	maxItems  = 20
	maxBase   = 100000
	maxWeight = 1000
)

// Providers refuses a list with a capacity provider that does not exist: every
// account has FARGATE and FARGATE_SPOT, and others cannot be made.
func Providers(names []string) error {
	for i, name := range names {
		if name != compute.Fargate && name != compute.FargateSpot {
			return ecs.InvalidParameterException(fmt.Sprintf("The specified capacity provider '%s' was not found. Specify a valid capacity provider and try again.", name))
		}
		if slices.Contains(names[:i], name) {
			return ecs.InvalidParameterException("The specified capacity providers cannot contain duplicates. Specify unique capacity providers and try again.")
		}
	}
	return nil
}

// Read checks a strategy over the capacity providers associated with a cluster.
func Read(items []ecs.CapacityProviderStrategyItem, associated []string) ([]compute.StrategyItem, error) {
	if err := check.AtMost("capacity provider strategy", len(items), maxItems); err != nil {
		return nil, err
	}
	out := make([]compute.StrategyItem, 0, len(items))
	based := false
	for _, in := range items {
		item := compute.StrategyItem{Provider: deref(in.CapacityProvider), Base: int(deref(in.Base)), Weight: int(deref(in.Weight))}
		switch {
		case !slices.Contains(associated, item.Provider):
			return nil, ecs.InvalidParameterException("The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.")
		case slices.ContainsFunc(out, func(o compute.StrategyItem) bool { return o.Provider == item.Provider }):
			return nil, ecs.InvalidParameterException("The specified capacity provider strategy cannot contain duplicate capacity providers. Specify unique capacity providers and try again.")
		case item.Base < 0 || item.Base > maxBase:
			return nil, ecs.InvalidParameterException(fmt.Sprintf("The base value of a capacity provider strategy must be between 0 and %d.", maxBase))
		case item.Weight < 0 || item.Weight > maxWeight:
			return nil, ecs.InvalidParameterException(fmt.Sprintf("The weight value of a capacity provider strategy must be between 0 and %d.", maxWeight))
		case item.Base > 0 && based:
			return nil, ecs.InvalidParameterException("The specified capacity provider strategy cannot contain more than one capacity provider with a base value. Specify one base value and try again.")
		}
		based = based || item.Base > 0
		out = append(out, item)
	}
	return out, nil
}

// Show returns a stored strategy as answers have it, never nil.
func Show(items []compute.StrategyItem) []ecs.CapacityProviderStrategyItem {
	out := make([]ecs.CapacityProviderStrategyItem, len(items))
	for i, s := range items {
		out[i] = ecs.CapacityProviderStrategyItem{
			Base: new(int32(s.Base)), CapacityProvider: &s.Provider, Weight: new(int32(s.Weight)),
		}
	}
	return out
}

// ProviderARN is the ARN of a capacity provider.
func ProviderARN(account, region, name string) string {
	return arn.New("ecs", region, account, "capacity-provider/"+name)
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
