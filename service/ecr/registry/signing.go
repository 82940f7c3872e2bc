package registry

import (
	"context"
	"fmt"

	"neargate/auth"
	api "neargate/aws/ecr"
	"neargate/resource/image"
	"neargate/resource/signing"
)

func noSigning(g *image.Registry) error {
	return api.SigningConfigurationNotFoundException(fmt.Sprintf("Signing configuration does not exist in the registry with id '%s'", g.Account))
}

// PutSigningConfiguration says with which signing profiles images are signed that are
// pushed from now on.
func (s *Service) PutSigningConfiguration(ctx context.Context, in *api.PutSigningConfigurationInput) (*api.PutSigningConfigurationOutput, error) {
	c := auth.CallerFrom(ctx)
	rules := []image.SigningRule{}
	for _, r := range in.SigningConfiguration.Rules {
		_, region, _, version, ok := signing.ParseProfile(*r.SigningProfileArn)
		switch {
		case !ok || version != "":
			return nil, api.ValidationException("Invalid signing profile ARN: " + *r.SigningProfileArn)
		case region != c.Region:
			return nil, api.ValidationException("The signing profile must be in region " + c.Region + ": " + *r.SigningProfileArn)
		}
		rule := image.SigningRule{Profile: *r.SigningProfileArn}
		for _, f := range r.RepositoryFilters {
			rule.Filters = append(rule.Filters, image.Filter{Filter: *f.Filter, Type: *f.FilterType})
		}
		rules = append(rules, rule)
	}
	if _, err := s.change(ctx, func(g *image.Registry) error { g.Signing = &rules; return nil }); err != nil {
		return nil, err
	}
	return &api.PutSigningConfigurationOutput{SigningConfiguration: showSigning(rules)}, nil
}

// GetSigningConfiguration answers with which signing profiles images are signed.
func (s *Service) GetSigningConfiguration(ctx context.Context, _ *api.GetSigningConfigurationInput) (*api.GetSigningConfigurationOutput, error) {
	g, err := s.read(ctx)
	if err == nil && g.Signing == nil {
		err = noSigning(&g)
	}
	if err != nil {
		return nil, err
	}
	return &api.GetSigningConfigurationOutput{RegistryId: &g.Account, SigningConfiguration: showSigning(*g.Signing)}, nil
}

// DeleteSigningConfiguration ends the signing of images that are pushed; signatures
// stay.
func (s *Service) DeleteSigningConfiguration(ctx context.Context, _ *api.DeleteSigningConfigurationInput) (*api.DeleteSigningConfigurationOutput, error) {
	var was []image.SigningRule
	g, err := s.change(ctx, func(g *image.Registry) error {
		if g.Signing == nil {
			return noSigning(g)
		}
		was, g.Signing = *g.Signing, nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteSigningConfigurationOutput{RegistryId: &g.Account, SigningConfiguration: showSigning(was)}, nil
}

func showSigning(rules []image.SigningRule) *api.SigningConfiguration {
	out := &api.SigningConfiguration{Rules: []api.SigningRule{}}
	for _, r := range rules {
		shown := api.SigningRule{SigningProfileArn: &r.Profile}
		for _, f := range r.Filters {
			shown.RepositoryFilters = append(shown.RepositoryFilters, api.SigningRepositoryFilter{Filter: &f.Filter, FilterType: &f.Type})
		}
		out.Rules = append(out.Rules, shown)
	}
	return out
}
