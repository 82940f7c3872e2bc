package cluster

import (
	"context"
	"slices"
	"strings"

	"neargate/arn"
	"neargate/auth"
	"neargate/aws/ecs"
	"neargate/resource/compute"
	"neargate/service/ecs/internal/check"
	"neargate/service/ecs/internal/lookup"
	"neargate/service/ecs/internal/ref"
	"neargate/service/ecs/internal/strategy"
	"neargate/store"
	"neargate/store/tables"
)

var putClusterCapacityProvidersHas = check.Required[ecs.PutClusterCapacityProvidersInput]()

// PutClusterCapacityProviders replaces a cluster's capacity providers and default
// strategy. A provider that is in use cannot be taken away.
func (h *Handler) PutClusterCapacityProviders(ctx context.Context, in *ecs.PutClusterCapacityProvidersInput) (*ecs.PutClusterCapacityProvidersOutput, error) {
	if err := putClusterCapacityProvidersHas(in); err != nil {
		return nil, err
	}
	c, err := h.change(ctx, in.Cluster, func(tx store.Tx, c *compute.Cluster) error {
		if err := strategy.Providers(in.CapacityProviders); err != nil {
			return err
		}
		items, err := strategy.Read(in.DefaultCapacityProviderStrategy, in.CapacityProviders)
		if err != nil {
			return err
		}
		for _, p := range c.CapacityProviders {
			if slices.Contains(in.CapacityProviders, p) {
				continue
			}
			if used, err := inUse(tx, c, p); err != nil {
				return err
			} else if used {
				return ecs.ResourceInUseException("The specified capacity provider is in use and cannot be removed.")
			}
		}
		c.CapacityProviders, c.DefaultStrategy = in.CapacityProviders, items
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecs.PutClusterCapacityProvidersOutput{Cluster: c}, nil
}

// inUse reports whether a service or a task of the cluster uses the provider.
func inUse(tx store.Tx, c *compute.Cluster, provider string) (bool, error) {
	at := []string{c.Account, c.Region, c.Name}
	for s, err := range tables.Services.By(tx, tables.ServicesByActivity, at...) {
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(s.Strategy, func(i compute.StrategyItem) bool { return i.Provider == provider }) {
			return true, nil
		}
	}
	for t, err := range tables.Tasks.By(tx, tables.TasksByState, at...) {
		if err != nil {
			return false, err
		}
		if t.Spec.CapacityProvider == provider {
			return true, nil
		}
	}
	return false, nil
}

// DescribeCapacityProviders describes the capacity providers of the account: the
// two of Fargate.
func (h *Handler) DescribeCapacityProviders(ctx context.Context, in *ecs.DescribeCapacityProvidersInput) (*ecs.DescribeCapacityProvidersOutput, error) {
	if err := check.Include(in.Include, "TAGS"); err != nil {
		return nil, err
	}
	if err := check.AtMost("capacity providers", len(in.CapacityProviders), 100); err != nil {
		return nil, err
	}
	size, err := check.PageSize(in.MaxResults, 10)
	if err != nil {
		return nil, err
	}
	t := ref.Of(auth.CallerFrom(ctx))
	scope := []string{t.Account, t.Region, "DescribeCapacityProviders", deref(in.Cluster)}
	last, err := check.Position(h.seal, in.NextToken, scope...)
	if err != nil {
		return nil, err
	}
	exist := []string{compute.Fargate, compute.FargateSpot}
	if in.Cluster != nil {
		err := h.deps.Store.View(ctx, func(tx store.Tx) error {
			c, err := lookup.Cluster(tx, t, in.Cluster)
			exist = slices.Clone(c.CapacityProviders)
			slices.Sort(exist)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	out := &ecs.DescribeCapacityProvidersOutput{CapacityProviders: []ecs.CapacityProvider{}, Failures: []ecs.Failure{}}
	if len(in.CapacityProviders) > 0 {
		for _, s := range in.CapacityProviders {
			name := providerName(t, s)
			if !slices.Contains(exist, name) {
				out.Failures = append(out.Failures, ecs.Failure{Arn: new(strategy.ProviderARN(t.Account, t.Region, name)), Reason: new("MISSING")})
				continue
			}
			out.CapacityProviders = append(out.CapacityProviders, showProvider(t, name))
		}
		return out, nil
	}
	exist = slices.DeleteFunc(exist, func(name string) bool { return name <= last })
	shown, end := check.Page(exist, size)
	for _, name := range shown {
		out.CapacityProviders = append(out.CapacityProviders, showProvider(t, name))
	}
	if end != nil {
		out.NextToken = new(h.seal.Seal(*end, scope...))
	}
	return out, nil
}

// providerName is the name in a capacity provider's ARN of the tenant, or s itself.
func providerName(t ref.Tenant, s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return s
	}
	if name, ok := strings.CutPrefix(a.Resource, "capacity-provider/"); ok && a.Account == t.Account && a.Region == t.Region {
		return name
	}
	return s
}

func showProvider(t ref.Tenant, name string) ecs.CapacityProvider {
	return ecs.CapacityProvider{
		CapacityProviderArn: new(strategy.ProviderARN(t.Account, t.Region, name)), Name: &name, Status: new(compute.Active), Type: &name,
		Tags: []ecs.Tag{},
	}
}
