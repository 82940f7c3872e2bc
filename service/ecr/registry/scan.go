package registry

import (
	"cmp"
	"context"
	"slices"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/service/ecr/internal/call"
	"neargate/store"
	"neargate/store/tables/repositories"
)

// Ways and times of scanning.
const (
	basic      = "BASIC"
	scanOnPush = "SCAN_ON_PUSH"
	manual     = "MANUAL"
)

// PutRegistryScanningConfiguration sets which repositories should be scanned. It is
// kept and shown; nothing scans images here, which DescribeImageScanFindings says.
func (s *Service) PutRegistryScanningConfiguration(ctx context.Context, in *api.PutRegistryScanningConfigurationInput) (*api.PutRegistryScanningConfigurationOutput, error) {
	if call.Text(in.ScanType) == "ENHANCED" {
		return nil, api.ValidationException("Enhanced scanning needs Amazon Inspector, which is not available in this region.")
	}
	var rules []image.ScanRule
	for _, r := range in.Rules {
		if *r.ScanFrequency != scanOnPush {
			return nil, api.ValidationException("Invalid scan frequency for scan type BASIC: " + *r.ScanFrequency)
		}
		rule := image.ScanRule{Frequency: *r.ScanFrequency}
		for _, f := range r.RepositoryFilters {
			rule.Filters = append(rule.Filters, image.Filter{Filter: *f.Filter, Type: *f.FilterType})
		}
		rules = append(rules, rule)
	}
	g, err := s.change(ctx, func(g *image.Registry) error { g.ScanType, g.ScanRules = basic, rules; return nil })
	if err != nil {
		return nil, err
	}
	return &api.PutRegistryScanningConfigurationOutput{RegistryScanningConfiguration: showScanning(&g)}, nil
}

// GetRegistryScanningConfiguration answers which repositories should be scanned.
func (s *Service) GetRegistryScanningConfiguration(ctx context.Context, _ *api.GetRegistryScanningConfigurationInput) (*api.GetRegistryScanningConfigurationOutput, error) {
	g, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return &api.GetRegistryScanningConfigurationOutput{RegistryId: &g.Account, ScanningConfiguration: showScanning(&g)}, nil
}

func showScanning(g *image.Registry) *api.RegistryScanningConfiguration {
	out := &api.RegistryScanningConfiguration{ScanType: new(cmp.Or(g.ScanType, basic)), Rules: []api.RegistryScanningRule{}}
	for _, r := range g.ScanRules {
		out.Rules = append(out.Rules, api.RegistryScanningRule{ScanFrequency: &r.Frequency, RepositoryFilters: showFilters(r.Filters)})
	}
	return out
}

func showFilters(from []image.Filter) []api.ScanningRepositoryFilter {
	out := []api.ScanningRepositoryFilter{}
	for _, f := range from {
		out = append(out, api.ScanningRepositoryFilter{Filter: &f.Filter, FilterType: &f.Type})
	}
	return out
}

// BatchGetRepositoryScanningConfiguration answers how repositories should be
// scanned.
func (s *Service) BatchGetRepositoryScanningConfiguration(ctx context.Context, in *api.BatchGetRepositoryScanningConfigurationInput) (*api.BatchGetRepositoryScanningConfigurationOutput, error) {
	c := auth.CallerFrom(ctx)
	out := &api.BatchGetRepositoryScanningConfigurationOutput{
		ScanningConfigurations: []api.RepositoryScanningConfiguration{}, Failures: []api.RepositoryScanningConfigurationFailure{},
	}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		g, err := find(tx, c.Account, c.Region)
		if err != nil {
			return err
		}
		for _, name := range in.RepositoryNames {
			r, ok, err := repositories.Repositories.Find(tx, c.Account, c.Region, name)
			if err != nil {
				return err
			}
			if !ok {
				out.Failures = append(out.Failures, api.RepositoryScanningConfigurationFailure{
					RepositoryName: &name, FailureCode: new("REPOSITORY_NOT_FOUND"), FailureReason: new("Repository not found"),
				})
				continue
			}
			out.ScanningConfigurations = append(out.ScanningConfigurations, scanningOf(&g, &r))
		}
		return nil
	})
	return out, err
}

// scanningOf is how a repository should be scanned: as the registry's rules say, or
// as it says itself.
func scanningOf(g *image.Registry, r *image.Repository) api.RepositoryScanningConfiguration {
	out := api.RepositoryScanningConfiguration{
		RepositoryArn: new(r.ARN()), RepositoryName: &r.Name, ScanOnPush: &r.ScanOnPush, ScanFrequency: new(manual), AppliedScanFilters: []api.ScanningRepositoryFilter{},
	}
	if r.ScanOnPush {
		out.ScanFrequency = new(scanOnPush)
	}
	for _, rule := range g.ScanRules {
		applied := slices.DeleteFunc(slices.Clone(rule.Filters), func(f image.Filter) bool { return !f.Matches(r.Name) })
		if len(applied) > 0 {
			out.ScanFrequency, out.ScanOnPush, out.AppliedScanFilters = &rule.Frequency, new(true), showFilters(applied)
		}
	}
	return out
}
