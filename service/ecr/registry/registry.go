// Package registry answers the part of the ECR API that is about a registry as a
// whole: its policy, replication, scanning, settings, pull through cache rules,
// repository creation templates and authorization tokens.
package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"neargate/arn"
	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// Service answers the operations.
type Service struct {
	call.Call
	tokens *Tokens
}

// New returns the service.
func New(d service.Deps) *Service { return &Service{call.New(d), NewTokens(d)} }

// read is the caller's registry.
func (s *Service) read(ctx context.Context) (g image.Registry, err error) {
	c := auth.CallerFrom(ctx)
	err = s.Store.View(ctx, func(tx store.Tx) (err error) {
		g, err = find(tx, c.Account, c.Region)
		return err
	})
	return g, err
}

func find(tx store.Tx, account, region string) (image.Registry, error) {
	g, _, err := repositories.Registries.Find(tx, account, region)
	g.Account, g.Region = account, region
	return g, err
}

// change lets f change the caller's registry.
func (s *Service) change(ctx context.Context, f func(*image.Registry) error) (g image.Registry, err error) {
	c := auth.CallerFrom(ctx)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if g, err = find(tx, c.Account, c.Region); err != nil {
			return err
		}
		if err := f(&g); err != nil {
			return err
		}
		return repositories.Registries.Put(tx, &g)
	})
	return g, err
}

func noPolicy(g *image.Registry) error {
	return api.RegistryPolicyNotFoundException(fmt.Sprintf("Registry policy does not exist in the registry with id '%s'", g.Account))
}

// PutRegistryPolicy sets the registry's policy.
func (s *Service) PutRegistryPolicy(ctx context.Context, in *api.PutRegistryPolicyInput) (*api.PutRegistryPolicyOutput, error) {
	text, err := call.Policy(*in.PolicyText, "registry")
	if err != nil {
		return nil, err
	}
	g, err := s.change(ctx, func(g *image.Registry) error { g.Policy = text; return nil })
	if err != nil {
		return nil, err
	}
	return &api.PutRegistryPolicyOutput{RegistryId: &g.Account, PolicyText: &text}, nil
}

// GetRegistryPolicy answers the registry's policy.
func (s *Service) GetRegistryPolicy(ctx context.Context, _ *api.GetRegistryPolicyInput) (*api.GetRegistryPolicyOutput, error) {
	g, err := s.read(ctx)
	if err == nil && g.Policy == "" {
		err = noPolicy(&g)
	}
	if err != nil {
		return nil, err
	}
	return &api.GetRegistryPolicyOutput{RegistryId: &g.Account, PolicyText: &g.Policy}, nil
}

// DeleteRegistryPolicy removes the registry's policy.
func (s *Service) DeleteRegistryPolicy(ctx context.Context, _ *api.DeleteRegistryPolicyInput) (*api.DeleteRegistryPolicyOutput, error) {
	var was string
	g, err := s.change(ctx, func(g *image.Registry) error {
		if was = g.Policy; was == "" {
			return noPolicy(g)
		}
		g.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRegistryPolicyOutput{RegistryId: &g.Account, PolicyText: &was}, nil
}

// mostDestinations bounds where a registry is replicated to.
// Source: Amazon ECR User Guide, "Private image replication".
const mostDestinations = 25

// PutReplicationConfiguration says where images are copied that are pushed from now
// on.
func (s *Service) PutReplicationConfiguration(ctx context.Context, in *api.PutReplicationConfigurationInput) (*api.PutReplicationConfigurationOutput, error) {
	c := auth.CallerFrom(ctx)
	var rules []image.ReplicationRule
	all := map[image.Destination]bool{}
	for _, r := range in.ReplicationConfiguration.Rules {
		var rule image.ReplicationRule
		for _, d := range r.Destinations {
			to := image.Destination{Account: *d.RegistryId, Region: *d.Region}
			switch {
			case !arn.KnownRegion(to.Region):
				return nil, call.Invalid("replicationConfiguration", "Invalid region: "+to.Region)
			case to.Account == c.Account && to.Region == c.Region:
				return nil, call.Invalid("replicationConfiguration", "Replication destination cannot be the same as the source registry")
			case slices.Contains(rule.To, to):
				return nil, call.Invalid("replicationConfiguration", "Duplicate replication destination")
			}
			rule.To, all[to] = append(rule.To, to), true
		}
		for _, f := range r.RepositoryFilters {
			rule.Filters = append(rule.Filters, image.Filter{Filter: *f.Filter, Type: *f.FilterType})
		}
		rules = append(rules, rule)
	}
	if len(all) > mostDestinations {
		return nil, call.Invalid("replicationConfiguration", fmt.Sprintf("There can be at most %d unique destinations", mostDestinations))
	}
	if _, err := s.change(ctx, func(g *image.Registry) error { g.Replication = rules; return nil }); err != nil {
		return nil, err
	}
	return &api.PutReplicationConfigurationOutput{ReplicationConfiguration: in.ReplicationConfiguration}, nil
}

// DescribeRegistry answers where the registry is replicated to.
func (s *Service) DescribeRegistry(ctx context.Context, _ *api.DescribeRegistryInput) (*api.DescribeRegistryOutput, error) {
	g, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	out := &api.ReplicationConfiguration{Rules: []api.ReplicationRule{}}
	for _, r := range g.Replication {
		shown := api.ReplicationRule{Destinations: []api.ReplicationDestination{}}
		for _, d := range r.To {
			shown.Destinations = append(shown.Destinations, api.ReplicationDestination{RegistryId: &d.Account, Region: &d.Region})
		}
		for _, f := range r.Filters {
			shown.RepositoryFilters = append(shown.RepositoryFilters, api.RepositoryFilter{Filter: &f.Filter, FilterType: &f.Type})
		}
		out.Rules = append(out.Rules, shown)
	}
	return &api.DescribeRegistryOutput{RegistryId: &g.Account, ReplicationConfiguration: out}, nil
}

// settings are the account settings and their values.
// Source: Amazon ECR API Reference, PutAccountSetting.
var settings = map[string][]string{
	image.BasicScanTypeVersion: {"AWS_NATIVE", "CLAIR"},
	image.PolicyScope:          {"V1", "V2"},
	image.BlobMounting:         {"ENABLED", "DISABLED"},
}

func knownSetting(name string) error {
	if _, ok := settings[name]; !ok {
		return call.Invalid("name", "Member must satisfy enum value set: ["+fmt.Sprint(slices.Sorted(maps.Keys(settings)))+"]")
	}
	return nil
}

// GetAccountSetting answers an account setting.
func (s *Service) GetAccountSetting(ctx context.Context, in *api.GetAccountSettingInput) (*api.GetAccountSettingOutput, error) {
	if err := knownSetting(*in.Name); err != nil {
		return nil, err
	}
	g, err := s.read(ctx)
	return &api.GetAccountSettingOutput{Name: in.Name, Value: new(g.Setting(*in.Name))}, err
}

// PutAccountSetting sets an account setting.
func (s *Service) PutAccountSetting(ctx context.Context, in *api.PutAccountSettingInput) (*api.PutAccountSettingOutput, error) {
	if err := knownSetting(*in.Name); err != nil {
		return nil, err
	}
	if !slices.Contains(settings[*in.Name], *in.Value) {
		return nil, call.Invalid("value", fmt.Sprintf("Setting value must be one of %v", settings[*in.Name]))
	}
	_, err := s.change(ctx, func(g *image.Registry) error {
		changed := maps.Clone(g.Settings)
		if changed == nil {
			changed = map[string]string{}
		}
		changed[*in.Name] = *in.Value
		g.Settings = changed
		return nil
	})
	return &api.PutAccountSettingOutput{Name: in.Name, Value: in.Value}, err
}
